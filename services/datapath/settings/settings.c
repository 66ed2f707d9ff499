/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/settings/settings.h"

#include <errno.h>
#include <libconfig.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "common/base/memfd.h"
#include "common/daemon/settings.h"
#include "common/snapshot/snapshot.h"
#include "services/datapath/io/path_table.h"
#include "services/datapath/settings/settings_tunnel.h"

#define ROUTE_TABLE   0x4950 /* "IP" */
#define RULE_PRIORITY 100

static const char *const backends[] = { "auto", "engine", NULL };
/* In the order of enum boot_policy. */
static const char *const boot_policies[] = { "last-good", "drop", "clear", NULL };
/* In the order of enum suite_choice. */
static const char *const providers[] = { "auto", "openssl", "ipsec-mb", NULL };

static int take_tunnel(struct config_setting_t *group, struct conf_loc at, struct conf_diags *diags,
	void *ret_settings)
{
	struct datapath_settings *settings = ret_settings;

	return settings_tunnel_take(group, at, diags, &settings->tunnels);
}

#define AT(field) offsetof(struct datapath_settings, field)
static const struct setting plain[] = {
	{ .type = SETTING_CHOICE,
		.name = "backend",
		.offset = AT(backend),
		.choices = backends,
		.help = "who moves the packets" },
	{ .type = SETTING_CHOICE,
		.name = "boot_policy",
		.offset = AT(boot_policy),
		.choices = boot_policies,
		.help = "what holds at boot until policy is read" },
	{ .type = SETTING_CHOICE,
		.name = "provider",
		.offset = AT(provider),
		.choices = providers,
		.help = "the library that seals and opens" },
	{ .type = SETTING_STRING,
		.name = "interface",
		.offset = AT(interface),
		.help = "the TUN of host policy" },
	{ .type = SETTING_STRING,
		.name = "ike_user",
		.offset = AT(ike_user),
		.help = "the user whose key exchange passes in clear" },
	{ .type = SETTING_NUMBER,
		.name = "workers",
		.offset = AT(workers),
		.min = 1,
		.max = SAD_CONTROL_WORKER,
		.help = "packet threads" },
	{ .type = SETTING_NUMBER,
		.name = "route_table",
		.offset = AT(route_table),
		.min = 256,
		.max = UINT32_MAX,
		.help = "routing table of marked packets" },
	{ .type = SETTING_NUMBER,
		.name = "rule_priority",
		.offset = AT(rule_priority),
		.min = 1,
		.max = 32765,
		.help = "of the routing rule" },
	{ .type = SETTING_NUMBER,
		.name = "log_group",
		.offset = AT(log_group),
		.min = 0,
		.max = UINT16_MAX,
		.help = "nflog group of drops in the kernel, 0: none" },
	{ .type = SETTING_NUMBER,
		.name = "path_mtu",
		.offset = AT(path_mtu),
		.min = TUNNEL_MTU_LEAST,
		.max = TUNNEL_MTU_MOST,
		.help = "of protected packets" },
	{ .type = SETTING_NUMBER,
		.name = "path_mtu_age",
		.offset = AT(path_mtu_age),
		.min = 1,
		.max = 86400,
		.help = "seconds for which an ICMP error is believed" },
	{ .type = SETTING_NUMBER,
		.name = "sa_limit",
		.offset = AT(sa_limit),
		.min = 0,
		.max = SNAPSHOT_MAX_SAS,
		.help = "SAs that there may be, 0: as memory goes" },
	{ .type = SETTING_LIST,
		.name = "tunnels",
		.element = take_tunnel,
		.help = "interfaces with policy of their own" },
};
#define N_PLAIN	  ARRAY_SIZE(plain)
#define N_ALIASES ARRAY_SIZE(aliases)

/* The names under which ESP's own tunables stand in older files. */
static const struct {
	const char *name;
	enum tunable which;
} aliases[] = {
	{ "padding_check", TUNABLE_ESP_PADDING_CHECK },
	{ "nat_keepalive_interval", TUNABLE_ESP_NAT_KEEPALIVE },
};

static struct setting tunable_setting(const char *name, enum tunable which)
{
	const struct tunable_row *row = tunable_row(which);

	return (struct setting){ .type = SETTING_NUMBER,
		.name = name,
		.offset = AT(tunables) + (size_t)which * sizeof(uint64_t),
		.min = row->least,
		.max = row->most,
		.help = row->help };
}

/* Settings of this file, then the tunables. No name of libconfig begins with an underscore. */
static struct setting *make_table(void)
{
	struct setting *table = calloc(N_PLAIN + N_ALIASES + TUNABLE_COUNT + 1, sizeof(*table));
	struct setting *next = table;

	if (!table)
		return NULL;
	memcpy(table, plain, sizeof(plain));
	next += N_PLAIN;
	for (size_t i = 0; i < N_ALIASES; i++)
		*next++ = tunable_setting(aliases[i].name, aliases[i].which);
	for (size_t i = 0; i < TUNABLE_COUNT; i++) {
		const char *name = tunable_row((enum tunable)i)->name;

		*next++ = tunable_setting(name[0] == '_' ? name + 1 : name, (enum tunable)i);
	}
	return table; /* its end is zero, which is SETTING_END */
}

static int look_for(const char *path, bool *ret_absent)
{
	CLEANUP(freep) char *place = NULL;
	int r = file_system_path(path, &place);

	if (r == 0)
		*ret_absent = access(place, F_OK) < 0 && errno == ENOENT;
	return r;
}

int datapath_settings_load(const char *path, bool given, struct conf_diags *diags,
	struct datapath_settings **ret_settings)
{
	CLEANUP(freep) struct setting *table = make_table();
	CLEANUP(datapath_settings_freep) struct datapath_settings *next = calloc(1, sizeof(*next));
	int r;

	if (!next || !table)
		return -ENOMEM;
	next->interface = strdup("ipsec0");
	next->ike_user = strdup("netipsec-ike");
	next->workers = 1;
	next->route_table = ROUTE_TABLE;
	next->rule_priority = RULE_PRIORITY;
	next->log_group = ROUTE_TABLE; /* the same number, of another kind */
	next->path_mtu_age = PATH_AGE_SEC;
	for (size_t i = 0; i < TUNABLE_COUNT; i++)
		next->tunables[i] = tunable_row((enum tunable)i)->initial;
	if (!next->interface || !next->ike_user)
		return -ENOMEM;
	r = settings_load(path, !given, table, next, diags);
	if (r == 0 && !given)
		r = look_for(path, &next->absent);
	if (r == 0 && !is_interface_name(next->interface))
		r = conf_error(diags,
			(struct conf_loc){ .file = conf_diags_file(diags, path, "", 0, false) },
			"setting-value", "'interface' must be the name of an interface");
	if (r < 0)
		return r;
	*ret_settings = STEAL(next);
	return 0;
}

void datapath_settings_show(const struct datapath_settings *settings)
{
	CLEANUP(freep) struct setting *table = make_table();

	if (table)
		settings_show(table, settings);
}

struct datapath_settings *datapath_settings_free(struct datapath_settings *settings)
{
	if (!settings)
		return NULL;
	free(settings->interface);
	free(settings->ike_user);
	free(settings);
	return NULL;
}

bool datapath_settings_same_layout(
	const struct datapath_settings *a, const struct datapath_settings *b)
{
	return strcmp(a->interface, b->interface) == 0 && strcmp(a->ike_user, b->ike_user) == 0 &&
	       a->provider == b->provider && a->workers == b->workers &&
	       a->route_table == b->route_table && a->rule_priority == b->rule_priority &&
	       a->path_mtu_age == b->path_mtu_age;
}
