/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The daemon that owns the algorithm file: its table, loaded and published. */
#ifndef IPSECALGS_ALGSD_H
#define IPSECALGS_ALGSD_H

#include <stdint.h>

#include "common/base/cleanup.h"
#include "common/daemon/daemon.h"
#include "common/daemon/publish.h"
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
	struct daemon_options options;
	struct algsd_settings settings;
	struct daemon *daemon;
	struct publisher *publisher;
	struct algsd_table *published; /* NULL: none yet */
	char *load_error; /* why the last load failed, NULL: it did not */
	char *publish_error; /* why the datapath refused the table, NULL: it did not */
};

extern const struct daemon_identity algsd_identity;

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

/*
 * Hand a table to the datapath. @table is consumed. @call: kept, answered with the verdict; or NULL.
 */
int algsd_publish(struct algsd *d, struct algsd_table *table, struct bus_call *call) MUST_CHECK;
/* Note and tell why a load failed. @message: rendered diagnostics. */
void algsd_load_failed(struct algsd *d, const char *message);
/* As in the interface's State and LastError. */
const char *algsd_state(const struct algsd *d);
const char *algsd_last_error(const struct algsd *d);
/* Tell the properties' readers and the service manager. */
void algsd_show(struct algsd *d);

/* Open the bus, publish @table (consumed), serve until stopped. */
int algsd_run(struct algsd *d, struct algsd_table *table) MUST_CHECK;
/* Put the object on the bus. */
int algsd_bus_add(struct algsd *d) MUST_CHECK;
/* Load and publish again; the SIGHUP hook. */
int algsd_reload(void *userdata);

#endif
