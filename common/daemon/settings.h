/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Daemon settings in libconfig syntax, read against a table of known settings: unknown names, wrong
 * types and values out of range are diagnostics with their place (libconfig knows lines only).
 */
#ifndef DAEMON_SETTINGS_H
#define DAEMON_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/cleanup.h"
#include "common/base/text.h"
#include "common/conf/diag.h"

enum setting_type {
	SETTING_END,
	SETTING_STRING,
	SETTING_BOOL,
	SETTING_NUMBER,
	SETTING_CHOICE,
	SETTING_LIST
};

struct config_setting_t;

/* `offset` into the daemon's settings struct: char * (owned, strdup'ed), bool, uint64_t, int. */
struct setting {
	enum setting_type type;
	const char *name; /* "config_file" */
	const char *help;
	size_t offset;
	uint64_t min, max; /* SETTING_NUMBER; of 0 to 1 also false and true */
	const char *const *choices; /* SETTING_CHOICE: index is stored */
	/* SETTING_LIST: called with each group of the list, e.g. `tunnels`. */
	int (*element)(struct config_setting_t *group, struct conf_loc at, struct conf_diags *diags,
		void *ret_settings);
};

/*
 * @missing_ok: @path is the default one, not one that the user named: it stands behind NETIPSEC_ROOT,
 * and an absent file leaves the defaults. Return: 0, -EBADMSG (see diags), -ENOENT, ...
 */
int settings_load(const char *path, bool missing_ok, const struct setting *table,
	void *ret_settings, struct conf_diags *diags) MUST_CHECK;

/*
 * Each setting that a file of this syntax can hold as one plain value, as it stands in @settings:
 * "name = value;" in lines.
 */
void settings_print(const struct setting *table, const void *settings, struct text *text);
/* The same on standard output, for --settings. */
void settings_show(const struct setting *table, const void *settings);

#endif
