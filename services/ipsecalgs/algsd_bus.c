/* SPDX-License-Identifier: GPL-2.0-or-later */
/* org.netipsec.Algorithms1; its contract stands in dbus/. */
#include <errno.h>
#include <string.h>

#include "common/base/memfd.h"
#include "common/daemon/log.h"
#include "services/ipsecalgs/algsd.h"

/* Load the file; on an error leave the rendered diagnostics in @why. */
static int load(struct algsd *d, struct text *why, struct algsd_table **ret_table)
{
	CLEANUP(conf_diags_freep) struct conf_diags *diags = conf_diags_new();
	int r;

	if (!diags)
		return -ENOMEM;
	r = algsd_load(d, diags, ret_table);
	log_diags(diags);
	if (r < 0) {
		conf_diags_print(diags, why);
		algsd_load_failed(d, why->str ? why->str : strerror(-r));
	}
	return r;
}

int algsd_reload(void *userdata)
{
	CLEANUP(text_done) struct text why = { 0 };
	struct algsd_table *table = NULL;
	int r = load(userdata, &why, &table);

	return r < 0 ? r : algsd_publish(userdata, table, NULL);
}

static int on_reload(struct bus_call *call, struct bus_reader *args, void *userdata)
{
	CLEANUP(text_done) struct text why = { 0 };
	struct algsd *d = userdata;
	struct algsd_table *table = NULL;
	int r;

	(void)args;
	daemon_reloading(d->daemon);
	r = load(d, &why, &table);
	if (r == 0)
		r = algsd_publish(d, table, bus_call_keep(call));
	else
		bus_call_fail(call, r == -EBADMSG ? "Syntax" : "Io", "%s",
			why.str ? why.str : strerror(-r));
	if (r < 0)
		daemon_reloaded(d->daemon, r);
	return 0; /* the caller was told, or will be */
}

static int on_list(struct bus_call *call, struct bus_reader *args, void *userdata)
{
	CLEANUP(fd_closep) int fd = -1;
	struct algsd *d = userdata;
	int r;

	(void)args;
	if (!d->published) {
		bus_call_fail(call, "NotFound", "no algorithms were published");
		return 0;
	}
	r = memfd_seal("netipsec-algorithms", d->published->text, strlen(d->published->text), &fd);
	if (r < 0) {
		bus_call_fail(call, "Io", "cannot make a memory file: %s", strerror(-r));
		return 0;
	}
	return bus_call_reply(call, "h", fd);
}

static int get_generation(struct bus_writer *value, void *userdata)
{
	const struct algsd *d = userdata;

	return bus_write(value, "t", publisher_generation(d->publisher));
}

static int get_state(struct bus_writer *value, void *userdata)
{
	const struct algsd *d = userdata;

	return bus_write(value, "s", algsd_state(d));
}

static int get_last_error(struct bus_writer *value, void *userdata)
{
	const struct algsd *d = userdata;

	return bus_write(value, "s", algsd_last_error(d));
}

static int get_config_file(struct bus_writer *value, void *userdata)
{
	const struct algsd *d = userdata;

	return bus_write(value, "s", d->settings.config_file);
}

static int get_count(struct bus_writer *value, void *userdata)
{
	const struct algsd *d = userdata;

	return bus_write(value, "u", d->published ? d->published->count : 0);
}

static const struct bus_member members[] = {
	BUS_METHOD("Reload", "", "t", "generation", on_reload),
	BUS_METHOD("ListAlgorithms", "", "h", "listing", on_list),
	BUS_PROPERTY("Generation", "t", get_generation, BUS_EMITS_TRUE),
	BUS_PROPERTY("State", "s", get_state, BUS_EMITS_TRUE),
	BUS_PROPERTY("LastError", "s", get_last_error, BUS_EMITS_TRUE),
	BUS_PROPERTY("ConfigFile", "s", get_config_file, BUS_EMITS_TRUE),
	BUS_PROPERTY("AlgorithmCount", "u", get_count, BUS_EMITS_TRUE),
	BUS_END,
};

int algsd_bus_add(struct algsd *d)
{
	return bus_add_interface(daemon_bus(d->daemon), algsd_identity.bus_path,
		algsd_identity.bus_name, members, d);
}
