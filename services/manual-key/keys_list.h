/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The SAs that a file as a whole declares: its commands carried out in order on a list. What the
 * datapath would refuse one by one, because of another SA of the file, is an error of the file.
 */
#ifndef MANUAL_KEY_KEYS_LIST_H
#define MANUAL_KEY_KEYS_LIST_H

#include "common/snapshot/snapshot.h"
#include "services/manual-key/keys_parse.h"

/*
 * *ret_times: of each SA of the list, owned; NULL when none has any.
 * Failed commands are passed over; their errors stand in @diags already. @whole: no SA is there but
 * those of the file, so that what it deletes or pairs with has to be in it.
 * Return: 0 (with errors in @diags, or without), -ENOMEM.
 */
int keys_list_build(const struct keys_file *file, const struct alg_table *algs, bool whole,
	struct conf_diags *diags, struct sa_list **ret_list,
	struct keys_times **ret_times) MUST_CHECK;

#endif
