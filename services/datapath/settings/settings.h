/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What /etc/netipsec/datapath.cfg says. */
#ifndef DATAPATH_SETTINGS_H
#define DATAPATH_SETTINGS_H

#include <stdint.h>

#include "common/conf/diag.h"
#include "services/datapath/engine/engine.h"
#include "services/datapath/settings/tunables.h"

#define DATAPATH_CONFIG		  "/etc/netipsec/datapath.cfg"
#define DATAPATH_STATE_DIR	  "/var/lib/netipsec/datapath"
#define DATAPATH_PFKEY_PATH	  "/run/netipsec/pfkey"
#define DATAPATH_ARENA_PATH	  "/run/netipsec/arena"
#define DATAPATH_PFKEY_LINUX_PATH "/run/netipsec/pfkey-linux"

/* What holds at boot until the policy service has spoken. */
enum boot_policy { BOOT_LAST_GOOD, BOOT_DROP, BOOT_CLEAR };

struct datapath_settings {
	bool absent; /* there is no file */
	int boot_policy; /* enum boot_policy; ipsec-lid(8) */
	int backend; /* index into the choices: auto, engine */
	int provider; /* enum suite_choice */
	char *interface; /* owned, as all strings */
	char *ike_user;
	uint64_t workers;
	uint64_t route_table, rule_priority, log_group;
	uint64_t path_mtu; /* 0: the smallest of the interfaces */
	uint64_t sa_limit; /* 0: none */
	uint64_t path_mtu_age; /* seconds for which an ICMP error is believed */
	uint64_t tunables[TUNABLE_COUNT]; /* to begin with; reading the file again sets them anew */
	struct tunnel_table tunnels;
};

/*
 * Read the file; without it the defaults hold. @given: the user named it, so it must be there.
 * Return: 0 or -EBADMSG (see diags), -ENOENT, -ENOMEM.
 */
int datapath_settings_load(const char *path, bool given, struct conf_diags *diags,
	struct datapath_settings **ret_settings) MUST_CHECK;
/* On standard output. */
void datapath_settings_show(const struct datapath_settings *settings);
struct datapath_settings *datapath_settings_free(struct datapath_settings *settings);
DEFINE_CLEANUP(struct datapath_settings *, datapath_settings_free)
/* Do both lay out the same threads, routes and host interface? These do not change while running. */
bool datapath_settings_same_layout(
	const struct datapath_settings *a, const struct datapath_settings *b);

#endif
