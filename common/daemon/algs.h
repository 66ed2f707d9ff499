/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The algorithm registry of the system as a model table, from /etc/inet/ipsecalgs by way of lib/. */
#ifndef DAEMON_ALGS_H
#define DAEMON_ALGS_H

#include "common/conf/diag.h"
#include "common/model/algorithm.h"

#define ALGS_FILE "/etc/inet/ipsecalgs"

/*
 * @path: NULL for ALGS_FILE (behind NETIPSEC_ROOT). A missing default file gives the built-in table.
 * Return: 0, -EBADMSG (diags say where), -ENOENT, -ENOMEM.
 */
int algs_load(const char *path, struct conf_diags *diags, struct alg_table **ret_table) MUST_CHECK;
/* From text, for the service that owns the file. */
int algs_parse(const char *label, const char *source, size_t len, struct conf_diags *diags,
	struct alg_table **ret_table) MUST_CHECK;
int algs_builtin(struct alg_table **ret_table) MUST_CHECK;

#endif
