/* SPDX-License-Identifier: GPL-2.0-or-later */
/* org.netipsec.ManualKey1; its contract stands in dbus/. */
#include <errno.h>
#include <string.h>

#include "common/daemon/log.h"
#include "services/manual-key/keyd.h"

/* Load the file; on an error leave the rendered diagnostics in @why. */
static int load(struct keyd *d, struct text *why, struct keyd_load **ret_load)
{
	CLEANUP(conf_diags_freep) struct conf_diags *diags = conf_diags_new();
	int r;

	if (!diags)
		return -ENOMEM;
	r = keyd_load(d, diags, ret_load);
	log_diags(diags);
	if (r < 0) {
		conf_diags_print(diags, why);
		keyd_load_failed(d, why->str ? why->str : strerror(-r));
	}
	return r;
}

int keyd_reload(void *userdata)
{
	CLEANUP(text_done) struct text why = { 0 };
	struct keyd_load *loaded = NULL;
	int r = load(userdata, &why, &loaded);

	return r < 0 ? r : keyd_publish(userdata, loaded, NULL);
}

static int on_reload(struct bus_call *call, struct bus_reader *args, void *userdata)
{
	CLEANUP(text_done) struct text why = { 0 };
	struct keyd_load *loaded = NULL;
	struct keyd *d = userdata;
	int r;

	(void)args;
	daemon_reloading(d->daemon);
	r = load(d, &why, &loaded);
	if (r == 0)
		r = keyd_publish(d, loaded, bus_call_keep(call));
	else
		bus_call_fail(call, r == -EBADMSG ? "Syntax" : "Io", "%s",
			why.str ? why.str : strerror(-r));
	if (r < 0)
		daemon_reloaded(d->daemon, r);
	return 0; /* the caller was told, or will be */
}

static int get_generation(struct bus_writer *value, void *userdata)
{
	const struct keyd *d = userdata;

	return bus_write(value, "t", publisher_generation(d->publisher));
}

static int get_state(struct bus_writer *value, void *userdata)
{
	const struct keyd *d = userdata;

	return bus_write(value, "s", keyd_state(d));
}

static int get_last_error(struct bus_writer *value, void *userdata)
{
	const struct keyd *d = userdata;

	return bus_write(value, "s", keyd_last_error(d));
}

static int get_config_file(struct bus_writer *value, void *userdata)
{
	const struct keyd *d = userdata;

	return bus_write(value, "s", d->settings.config_file);
}

static int get_count(struct bus_writer *value, void *userdata)
{
	const struct keyd *d = userdata;

	return bus_write(value, "u", d->count);
}

static const struct bus_member members[] = {
	BUS_METHOD("Reload", "", "t", "generation", on_reload),
	BUS_PROPERTY("Generation", "t", get_generation, BUS_EMITS_TRUE),
	BUS_PROPERTY("State", "s", get_state, BUS_EMITS_TRUE),
	BUS_PROPERTY("LastError", "s", get_last_error, BUS_EMITS_TRUE),
	BUS_PROPERTY("ConfigFile", "s", get_config_file, BUS_EMITS_TRUE),
	BUS_PROPERTY("KeyCount", "u", get_count, BUS_EMITS_TRUE),
	BUS_END,
};

int keyd_bus_add(struct keyd *d)
{
	return bus_add_interface(
		daemon_bus(d->daemon), keyd_identity.bus_path, keyd_identity.bus_name, members, d);
}
