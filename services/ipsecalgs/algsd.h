/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The daemon that owns the algorithm file: its table, loaded and published. */
#ifndef IPSECALGS_ALGSD_H
#define IPSECALGS_ALGSD_H

#include <stdint.h>

#include "common/base/cleanup.h"
#include "common/daemon/service.h"
#include "services/ipsecalgs/algsd_change.h"

/* One reading of the file, on its way to be the table in force. */
struct algsd_table {
	char *text; /* canonical, see ipsecalgs(5) */
	uint32_t count;
	bool builtin; /* there is no file */
	struct snapshot_bytes snapshot;
};

struct algsd_settings {
	char *config_file;
	uint64_t crypto_cpu_max; /* percent */
};

struct algsd {
	struct service service;
	struct algsd_settings settings;
	struct algsd_table *published; /* NULL: none yet */
};

extern const struct daemon_identity algsd_identity;
extern const struct service_hooks algsd_hooks;

/* Settings are read; no bus yet. Return: 0 or negative errno, after it was reported. */
int algsd_new(const struct daemon_options *options, struct algsd **ret_algsd) MUST_CHECK;
struct algsd *algsd_free(struct algsd *d);
DEFINE_CLEANUP(struct algsd *, algsd_free)

/* Return: 0, -EBADMSG (@diags say where), other errno with a diagnostic of the file as a whole. */
int algsd_load(
	const struct algsd *d, struct conf_diags *diags, struct algsd_table **ret_table) MUST_CHECK;
/*
 * What the file would be after a change, and the file written unless nothing changes. @why: as of
 * algs_change_apply(). Return: 0 (see *ret_verdict; *ret_table only when it is made or none is
 * needed), -EBADMSG (@diags: of the file as it is), other errno.
 */
int algsd_change_file(const struct algsd *d, const struct algs_change *change,
	struct conf_diags *diags, struct text *why, enum algs_change_verdict *ret_verdict,
	struct algsd_table **ret_table) MUST_CHECK;
struct algsd_table *algsd_table_free(struct algsd_table *table);
DEFINE_CLEANUP(struct algsd_table *, algsd_table_free)

/* Put the object on the bus. */
int algsd_bus_add(void *userdata) MUST_CHECK;

#endif
