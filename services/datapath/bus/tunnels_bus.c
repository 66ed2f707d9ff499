/* SPDX-License-Identifier: GPL-2.0-or-later */
/* org.netipsec.Datapath1: tunnels. A call's options are read as a group of the settings file is. */
#include <errno.h>
#include <libconfig.h>
#include <string.h>

#include "common/daemon/log.h"
#include "services/datapath/bus/datapath_bus_parts.h"
#include "services/datapath/bus/listing.h"
#include "services/datapath/settings/settings_tunnel.h"

#define MAX_LIST 64

static int add_list(config_setting_t *list, struct bus_reader *args)
{
	int r = bus_enter(args, 'a', "s");

	for (int i = 0; r == 0 && !bus_at_end(args); i++) {
		const char *str;

		r = i < MAX_LIST ? bus_read(args, "s", &str) : -EBADMSG;
		if (r == 0 && !config_setting_set_string_elem(list, -1, str))
			r = -ENOMEM;
	}
	return r < 0 ? r : bus_leave(args);
}

/* A variant's content as a setting of that type. */
static int add_value(
	config_setting_t *group, const char *key, const char *type, struct bus_reader *args)
{
	config_setting_t *value;
	const char *str;
	uint32_t number;
	int truth, r;

	if (strcmp(type, "s") == 0) {
		r = bus_read(args, "s", &str);
		value = r == 0 ? config_setting_add(group, key, CONFIG_TYPE_STRING) : NULL;
		return value && config_setting_set_string(value, str) ? 0 : -EBADMSG;
	}
	if (strcmp(type, "u") == 0) {
		r = bus_read(args, "u", &number);
		value = r == 0 ? config_setting_add(group, key, CONFIG_TYPE_INT) : NULL;
		return value && number <= INT32_MAX && config_setting_set_int(value, (int)number)
			       ? 0
			       : -EBADMSG;
	}
	if (strcmp(type, "b") == 0) {
		r = bus_read(args, "b", &truth);
		value = r == 0 ? config_setting_add(group, key, CONFIG_TYPE_BOOL) : NULL;
		return value && config_setting_set_bool(value, truth) ? 0 : -EBADMSG;
	}
	if (strcmp(type, "as") == 0) {
		value = config_setting_add(group, key, CONFIG_TYPE_ARRAY);
		return value ? add_list(value, args) : -EBADMSG;
	}
	return -EBADMSG;
}

static int add_option(config_setting_t *group, struct bus_reader *args)
{
	const char *key, *contents;
	char type;
	int r = bus_enter(args, 'e', "sv");

	if (r == 0)
		r = bus_read(args, "s", &key);
	if (r == 0)
		r = bus_peek(args, &type, &contents);
	if (r == 0)
		r = bus_enter(args, 'v', contents);
	if (r == 0)
		r = add_value(group, key, contents, args);
	if (r == 0)
		r = bus_leave(args);
	return r < 0 ? r : bus_leave(args);
}

static int read_group(struct bus_reader *args, config_setting_t *group)
{
	int r = bus_enter(args, 'a', "{sv}");

	while (r == 0 && !bus_at_end(args))
		r = add_option(group, args);
	return r < 0 ? r : bus_leave(args);
}

static int take(struct datapathd *d, struct bus_reader *args, struct text *why)
{
	CLEANUP(conf_diags_freep) struct conf_diags *diags = conf_diags_new();
	CLEANUP(freep) struct tunnel_list *list = malloc(sizeof(*list));
	struct conf_loc at = { .file = diags ? conf_diags_file(diags, "AddTunnel", "", 0, false)
					     : NULL };
	config_t config;
	int r;

	if (!list || !at.file)
		return -ENOMEM;
	memcpy(list, d->plant->tunnels.list, sizeof(*list));
	config_init(&config);
	r = read_group(args, config_root_setting(&config));
	if (r == 0)
		r = settings_tunnel_take(config_root_setting(&config), at, diags, &list->table);
	config_destroy(&config);
	if (conf_diags_count(diags) > 0)
		text_add(why, conf_diags_get(diags, 0)->message);
	if (r < 0)
		return r;
	list->by_call[list->table.count - 1] = true;
	return plant_tunnels_change(d->plant, list, why);
}

static int reply(struct bus_call *call, int result, const struct text *why)
{
	if (result == 0)
		return bus_call_reply(call, "");
	return bus_call_fail(call, result == -EBADMSG ? "Invalid" : "Io", "%s",
		why->str ? why->str : "the options are not those of a tunnel");
}

int datapath_on_add_tunnel(struct bus_call *call, struct bus_reader *args, void *userdata)
{
	struct datapathd *d = userdata;
	CLEANUP(text_done) struct text why = { 0 };
	int r;

	r = take(d, args, &why);
	if (r == 0)
		log_info("a tunnel was added on behalf of %s", bus_call_sender(call));
	return reply(call, r, &why);
}

int datapath_on_remove_tunnel(struct bus_call *call, struct bus_reader *args, void *userdata)
{
	struct datapathd *d = userdata;
	CLEANUP(text_done) struct text why = { 0 };
	const char *name;
	int r = bus_read(args, "s", &name);

	if (r < 0)
		return r;
	r = plant_tunnels_remove(d->plant, name, &why);
	if (r == -ENOENT)
		return bus_call_fail(call, "NotFound", "there is no tunnel '%s'", name);
	if (r == -EPERM)
		return bus_call_fail(
			call, "Invalid", "tunnel '%s' stands in the settings file", name);
	if (r == 0)
		log_info("tunnel %s: removed on behalf of %s", name, bus_call_sender(call));
	return reply(call, r, &why);
}

int datapath_on_list_tunnels(struct bus_call *call, struct bus_reader *args, void *userdata)
{
	struct datapathd *d = userdata;
	CLEANUP(text_done) struct text json = { 0 };
	int r = listing_tunnels(d->plant, &json);

	(void)args;
	return datapath_reply_listing(call, "netipsec-tunnels", r, &json);
}
