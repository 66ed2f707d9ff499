/* SPDX-License-Identifier: GPL-2.0-or-later */
/* org.netipsec.Ike1; its contract stands in dbus/. */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "common/base/clock.h"
#include "common/base/memfd.h"
#include "common/daemon/log.h"
#include "services/ike-stub/iked.h"

#define DATAPATH_NAME "org.netipsec.Datapath1"
#define DATAPATH_PATH "/org/netipsec/Datapath1"
#define ANNOUNCE_USEC (100 * UINT64_C(1000)) /* at most ten announcements a second */

static int on_reload(struct bus_call *call, struct bus_reader *args, void *userdata)
{
	struct iked *d = userdata;
	int r;

	(void)args;
	daemon_reloading(d->daemon);
	r = iked_reload(d);
	daemon_reloaded(d->daemon, r);
	if (r == 0)
		return bus_call_reply(call, "t", d->generation);
	bus_call_fail(call, d->error == -EBADF ? "Invalid" : "Io", "%s: %s",
		d->settings.config_file, iked_last_error(d));
	return 0;
}

static int on_list(struct bus_call *call, struct bus_reader *args, void *userdata)
{
	CLEANUP(text_done) struct text listing = { 0 };
	CLEANUP(fd_closep) int fd = -1;
	struct iked *d = userdata;
	int r;

	(void)args;
	r = acquires_json(&d->acquires, &listing);
	if (r == 0)
		r = memfd_seal("netipsec-acquires", listing.str, listing.len, &fd);
	if (r == 0)
		return bus_call_reply(call, "h", fd);
	bus_call_fail(call, "Io", "cannot make a listing: %s", strerror(-r));
	return 0;
}

static int get_generation(struct bus_writer *value, void *userdata)
{
	const struct iked *d = userdata;

	return bus_write(value, "t", d->generation);
}

static int get_state(struct bus_writer *value, void *userdata)
{
	const struct iked *d = userdata;
	const char *state = d->present ? "published" : "absent";

	if (d->error < 0)
		state = "failed";
	else if (d->generation == 0)
		state = "starting";
	return bus_write(value, "s", state);
}

static int get_last_error(struct bus_writer *value, void *userdata)
{
	return bus_write(value, "s", iked_last_error(userdata));
}

static int get_config_file(struct bus_writer *value, void *userdata)
{
	const struct iked *d = userdata;

	return bus_write(value, "s", d->settings.config_file);
}

static int get_config_state(struct bus_writer *value, void *userdata)
{
	const struct iked *d = userdata;

	return bus_write(value, "s", d->present ? "present" : "absent");
}

static int get_engine_state(struct bus_writer *value, void *userdata)
{
	(void)userdata;
	return bus_write(value, "s", IKED_ENGINE);
}

static int get_acquire_count(struct bus_writer *value, void *userdata)
{
	const struct iked *d = userdata;

	return bus_write(value, "t", d->acquires.count);
}

static int get_last_acquires(struct bus_writer *value, void *userdata)
{
	const struct iked *d = userdata;
	int r = bus_open_container(value, 'a', "s");

	for (size_t i = 0; r == 0 && i < acquires_kept(&d->acquires); i++) {
		CLEANUP(text_done) struct text line = { 0 };

		acquire_print(acquires_get(&d->acquires, i), &line);
		r = line.failed ? -ENOMEM : bus_write(value, "s", line.str);
	}
	return r < 0 ? r : bus_close_container(value);
}

static const struct bus_member members[] = {
	BUS_METHOD("Reload", "", "t", "generation", on_reload),
	BUS_METHOD("ListAcquires", "", "h", "listing", on_list),
	BUS_PROPERTY("Generation", "t", get_generation, BUS_EMITS_TRUE),
	BUS_PROPERTY("State", "s", get_state, BUS_EMITS_TRUE),
	BUS_PROPERTY("LastError", "s", get_last_error, BUS_EMITS_TRUE),
	BUS_PROPERTY("ConfigFile", "s", get_config_file, BUS_EMITS_TRUE),
	BUS_PROPERTY("ConfigState", "s", get_config_state, BUS_EMITS_TRUE),
	BUS_PROPERTY("EngineState", "s", get_engine_state, BUS_EMITS_CONST),
	BUS_PROPERTY("AcquireCount", "t", get_acquire_count, BUS_EMITS_TRUE),
	BUS_PROPERTY("LastAcquires", "as", get_last_acquires, BUS_EMITS_TRUE),
	BUS_END,
};

static void announce(struct iked *d, const char *const *names)
{
	if (bus_properties_changed(daemon_bus(d->daemon), iked_identity.bus_path,
		    iked_identity.bus_name, names) < 0)
		log_warning("cannot announce changed properties");
}

void iked_bus_changed(struct iked *d)
{
	static const char *const names[] = { "Generation", "State", "LastError", "ConfigState",
		NULL };

	announce(d, names);
}

static int on_announce(sd_event_source *source, uint64_t usec, void *userdata)
{
	static const char *const names[] = { "AcquireCount", "LastAcquires", NULL };
	struct iked *d = userdata;

	(void)source;
	(void)usec;
	d->announce = sd_event_source_disable_unref(d->announce);
	announce(d, names);
	return 0;
}

static void on_acquire(const char *sender, struct bus_reader *args, void *userdata)
{
	struct iked *d = userdata;
	int r = acquires_add(&d->acquires, args, clock_monotonic_usec());

	(void)sender;
	if (r < 0) {
		log_warning("Acquire of the datapath is not understood: %s", strerror(-r));
		return;
	}
	if (d->announce)
		return;
	r = sd_event_add_time_relative(daemon_event(d->daemon), &d->announce, CLOCK_MONOTONIC,
		ANNOUNCE_USEC, 0, on_announce, d);
	if (r < 0)
		log_warning("cannot announce a request for an SA: %s", strerror(-r));
}

int iked_bus_add(struct iked *d)
{
	static const struct bus_place datapath = { DATAPATH_NAME, DATAPATH_PATH, DATAPATH_NAME };
	struct bus *bus = daemon_bus(d->daemon);
	int r = bus_add_interface(bus, iked_identity.bus_path, iked_identity.bus_name, members, d);

	return r < 0 ? r : bus_watch_signal(bus, &datapath, "Acquire", on_acquire, d);
}
