/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How a table of algorithms is shown: in the layout of the original, as columns, as JSON. */
#ifndef IPSECALGS_ALGS_LIST_H
#define IPSECALGS_ALGS_LIST_H

#include "common/base/cleanup.h"
#include "common/base/text.h"
#include "lib/netipsec/ipsecalgs.h"
#include "services/ipsecalgs/algs_status.h"

enum algs_list_source { ALGS_LIST_FILE, ALGS_LIST_BUILTIN, ALGS_LIST_IN_FORCE };

/* What is in force has neither protocol headings nor names, as the kernel's table had none. */
void algs_list_text(
	const struct ipsecalgs *table, enum algs_list_source source, struct text *ret_text);
/*
 * @status: also say whether each algorithm can be used, and list what the datapath has besides;
 * may be NULL. Return: 0 or -ENOMEM.
 */
int algs_list_columns(const struct ipsecalgs *table, enum algs_list_source source,
	const struct algs_status *status, struct text *ret_text) MUST_CHECK;
int algs_list_json(const struct ipsecalgs *table, enum algs_list_source source,
	const struct algs_status *status, struct text *ret_text) MUST_CHECK;

#endif
