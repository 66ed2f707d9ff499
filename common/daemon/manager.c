/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/daemon/manager.h"

#include <string.h>
#include <systemd/sd-daemon.h>

#include "common/base/clock.h"
#include "common/base/instance.h"

#define MANAGER	  "org.freedesktop.systemd1"
#define ROOT_PATH "/org/freedesktop/systemd1"
#define ASK_USEC  (2 * USEC_PER_SEC) /* for all questions together */

static uint64_t time_left(uint64_t until)
{
	uint64_t now = clock_monotonic_usec();

	return now < until ? until - now : 1;
}

static struct bus_reply *ask(struct bus *bus, struct bus_writer *call, uint64_t until)
{
	struct bus_reply *reply = NULL;

	(void)bus;
	return bus_method_call(call, time_left(until), &reply, NULL) < 0 ? NULL : reply;
}

static struct bus_reply *ask_property(
	struct bus *bus, const char *path, const char *interface, const char *name, uint64_t until)
{
	struct bus_writer *call = bus_method_writer(
		bus, MANAGER, path, "org.freedesktop.DBus.Properties", "Get");

	if (!call || bus_write(call, "ss", interface, name) < 0)
		return NULL;
	return ask(bus, call, until);
}

static bool property_is(struct bus *bus, const char *path, const char *interface, const char *name,
	const char *value, uint64_t until)
{
	CLEANUP(bus_reply_freep)
	struct bus_reply *reply = ask_property(bus, path, interface, name, until);
	const char *found;

	return reply && bus_enter(bus_reply_reader(reply), 'v', "s") == 0 &&
	       bus_read(bus_reply_reader(reply), "s", &found) == 0 && strcmp(found, value) == 0;
}

/* Return: the reply that keeps *ret_path, or NULL: nobody knows. */
static struct bus_reply *ask_unit(
	struct bus *bus, const char *unit, uint64_t until, const char **ret_path)
{
	CLEANUP(bus_reply_freep) struct bus_reply *reply = NULL;
	CLEANUP(text_done) struct text name = { 0 };
	struct bus_writer *call = bus_method_writer(
		bus, MANAGER, ROOT_PATH, MANAGER ".Manager", "GetUnit");

	if (instance_add_unit(&name, unit) < 0 || name.failed || !call ||
		bus_write(call, "s", name.str) < 0) {
		bus_writer_free(call);
		return NULL;
	}
	reply = ask(bus, call, until);
	if (!reply || bus_read(bus_reply_reader(reply), "o", ret_path) < 0)
		return NULL;
	return STEAL(reply);
}

/* Return: the reply that keeps *ret_path, or NULL: nobody knows. *ret_job is 0 when there is none. */
static struct bus_reply *ask_job(
	struct bus *bus, const char *unit, uint64_t until, uint32_t *ret_job, const char **ret_path)
{
	CLEANUP(bus_reply_freep)
	struct bus_reply *reply = ask_property(bus, unit, MANAGER ".Unit", "Job", until);
	struct bus_reader *rd = reply ? bus_reply_reader(reply) : NULL;

	if (!rd || bus_enter(rd, 'v', "(uo)") < 0 || bus_enter(rd, 'r', "") < 0 ||
		bus_read(rd, "uo", ret_job, ret_path) < 0)
		return NULL;
	return STEAL(reply);
}

static bool job_is_stop(struct bus *bus, const char *unit, uint64_t until)
{
	CLEANUP(bus_reply_freep) struct bus_reply *unit_reply = NULL;
	CLEANUP(bus_reply_freep) struct bus_reply *job_reply = NULL;
	const char *path, *job_path = NULL;
	uint32_t job = 0;

	unit_reply = ask_unit(bus, unit, until, &path);
	if (unit_reply)
		job_reply = ask_job(bus, path, until, &job, &job_path);
	return job_reply && job != 0 &&
	       property_is(bus, job_path, MANAGER ".Job", "JobType", "stop", until);
}

bool manager_leaves_unit(struct bus *bus, const char *unit)
{
	CLEANUP(bus_reply_freep) struct bus_reply *unit_reply = NULL;
	CLEANUP(bus_reply_freep) struct bus_reply *job_reply = NULL;
	uint64_t until = clock_monotonic_usec() + ASK_USEC;
	const char *path, *job_path = NULL;
	uint32_t job = 0;

	unit_reply = ask_unit(bus, unit, until, &path);
	if (unit_reply)
		job_reply = ask_job(bus, path, until, &job, &job_path);
	return job_reply && job == 0 &&
	       (property_is(bus, path, MANAGER ".Unit", "ActiveState", "inactive", until) ||
		       property_is(bus, path, MANAGER ".Unit", "ActiveState", "failed", until));
}

bool manager_stops_unit(struct bus *bus, const char *unit)
{
	const char *stop_file = secure_getenv("NETIPSEC_STOP_FILE");
	uint64_t until = clock_monotonic_usec() + ASK_USEC;

	if (stop_file)
		return access(stop_file, F_OK) == 0;
	return job_is_stop(bus, unit, until) &&
	       !property_is(bus, ROOT_PATH, MANAGER ".Manager", "SystemState", "stopping", until);
}

void manager_tell(const char *message)
{
	(void)sd_notifyf(0, "STATUS=%.*s", (int)strcspn(message, "\n"), message);
}
