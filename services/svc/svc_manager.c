/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The service manager's side of it: units, files that enable them, jobs and how they ended. */
#include <errno.h>
#include <string.h>

#include "common/base/clock.h"
#include "services/svc/svc.h"

#define SYSTEMD	     "org.freedesktop.systemd1"
#define SYSTEMD_PATH "/org/freedesktop/systemd1"
#define MANAGER	     SYSTEMD ".Manager"
#define JOB_USEC     (120 * USEC_PER_SEC)
#define MAX_ENDED    64

/* A job that is over; of one that was not asked for nobody wants to know. */
struct ended_job {
	char *path, *result;
};

struct svc_manager {
	sd_event *event;
	struct bus *bus;
	bool subscribed; /* else it tells us of no job */
	size_t n_ended;
	struct ended_job ended[MAX_ENDED];
};

static const struct bus_place systemd = {
	.name = SYSTEMD, .path = SYSTEMD_PATH, .interface = MANAGER
};

static void forget_ended(struct svc_manager *manager)
{
	while (manager->n_ended > 0) {
		manager->n_ended--;
		free(manager->ended[manager->n_ended].path);
		free(manager->ended[manager->n_ended].result);
	}
}

static void on_job_removed(const char *sender, struct bus_reader *args, void *userdata)
{
	struct svc_manager *manager = userdata;
	const char *path, *unit, *result;
	struct ended_job job;
	uint32_t number;

	(void)sender;
	if (manager->n_ended == MAX_ENDED ||
		bus_read(args, "uoss", &number, &path, &unit, &result) < 0)
		return;
	job = (struct ended_job){ .path = strdup(path), .result = strdup(result) };
	manager->ended[manager->n_ended++] = job; /* without memory it is as if it had not ended */
}

/* What the other side said, or at least the kind of failure. */
static int tell(struct text *why, const struct bus_error *error, int r)
{
	text_add(why, error->message ? error->message : strerror(-r));
	return r;
}

static int call(struct bus_writer *writer, struct bus_reply **ret_reply, struct text *why)
{
	CLEANUP(bus_error_done) struct bus_error error = { 0 };
	int r = bus_method_call(writer, BUS_DEFAULT_USEC, ret_reply, &error);

	return r < 0 ? tell(why, &error, r) : 0;
}

static struct bus_writer *method(const struct svc_manager *manager, const char *name)
{
	return bus_method_writer(manager->bus, SYSTEMD, SYSTEMD_PATH, MANAGER, name);
}

static int call_plain(const struct svc_manager *manager, const char *name, struct text *why)
{
	CLEANUP(bus_reply_freep) struct bus_reply *reply = NULL;

	return call(method(manager, name), &reply, why);
}

int svc_manager_open(const char *bus, struct svc_manager **ret_manager, struct text *why)
{
	CLEANUP(svc_manager_freep) struct svc_manager *manager = calloc(1, sizeof(*manager));
	CLEANUP(bus_error_done) struct bus_error error = { 0 };
	int r = manager ? sd_event_new(&manager->event) : -ENOMEM;

	if (r >= 0)
		r = bus_open(manager->event, bus, NULL, NULL, &manager->bus, &error);
	if (r == 0)
		r = bus_watch_signal(manager->bus, &systemd, "JobRemoved", on_job_removed, manager);
	if (r < 0)
		return tell(why, &error, r);
	*ret_manager = STEAL(manager);
	return 0;
}

struct svc_manager *svc_manager_free(struct svc_manager *manager)
{
	if (!manager)
		return NULL;
	forget_ended(manager);
	manager->bus = bus_free(manager->bus);
	manager->event = sd_event_unref(manager->event);
	free(manager);
	return NULL;
}

/* ---- jobs ---- */

static const char *result_of(const struct svc_manager *manager, const char *path)
{
	for (size_t i = 0; i < manager->n_ended; i++)
		if (manager->ended[i].path && strcmp(manager->ended[i].path, path) == 0)
			return manager->ended[i].result;
	return NULL;
}

/* Its result was told while nobody dispatched, or will be. */
static int wait_for_job(struct svc_manager *manager, const char *path, struct text *why)
{
	uint64_t now = clock_monotonic_usec(), deadline = now + JOB_USEC;
	const char *result = NULL;
	int r = 0;

	while (r >= 0 && !(result = result_of(manager, path)) && now < deadline) {
		r = sd_event_run(manager->event, deadline - now);
		now = clock_monotonic_usec();
	}
	if (r < 0) {
		text_add(why, strerror(-r));
		return r;
	}
	if (!result) {
		text_add(why, "the service manager does not come to an end with it");
		return -ETIMEDOUT;
	}
	if (strcmp(result, "done") == 0)
		return 0;
	text_addf(why, "the job ended with '%s'", result);
	return -EIO;
}

int svc_manager_job(
	struct svc_manager *manager, const char *method_name, const char *unit, struct text *why)
{
	CLEANUP(bus_reply_freep) struct bus_reply *reply = NULL;
	struct bus_writer *writer;
	const char *path;
	int r = manager->subscribed ? 0 : call_plain(manager, "Subscribe", why);

	if (r < 0)
		return r;
	manager->subscribed = true;
	forget_ended(manager);
	writer = method(manager, method_name);
	if (writer && bus_write(writer, "ss", unit, "replace") < 0) {
		bus_writer_free(writer);
		return -ENOMEM;
	}
	r = call(writer, &reply, why);
	if (r == 0)
		r = bus_read(bus_reply_reader(reply), "o", &path);
	return r < 0 ? r : wait_for_job(manager, path, why);
}

int svc_manager_enable(struct svc_manager *manager, const char *unit, bool enable, struct text *why)
{
	CLEANUP(bus_reply_freep) struct bus_reply *reply = NULL;
	struct bus_writer *writer = method(
		manager, enable ? "EnableUnitFiles" : "DisableUnitFiles");
	int r = writer ? bus_open_container(writer, 'a', "s") : -ENOMEM;

	if (r == 0)
		r = bus_write(writer, "s", unit);
	if (r == 0)
		r = bus_close_container(writer);
	if (r == 0) /* for good; and in place of what stands there */
		r = enable ? bus_write(writer, "bb", 0, 1) : bus_write(writer, "b", 0);
	if (r < 0) {
		bus_writer_free(writer);
		return r;
	}
	r = call(writer, &reply, why);
	return r < 0 ? r : call_plain(manager, "Reload", why);
}

int svc_manager_reset(struct svc_manager *manager, const char *unit, struct text *why)
{
	CLEANUP(bus_reply_freep) struct bus_reply *reply = NULL;
	struct bus_writer *writer = method(manager, "ResetFailedUnit");

	if (writer && bus_write(writer, "s", unit) < 0) {
		bus_writer_free(writer);
		return -ENOMEM;
	}
	return call(writer, &reply, why);
}

/* ---- how a unit is doing ---- */

void svc_facts_done(struct svc_facts *facts)
{
	free(facts->load);
	free(facts->active);
	free(facts->sub);
	free(facts->file_state);
	free(facts->status);
	free(facts->result);
	free(facts->own_state);
	*facts = (struct svc_facts){ 0 };
}

static int load_unit(
	const struct svc_manager *manager, const char *unit, char **ret_path, struct text *why)
{
	CLEANUP(bus_reply_freep) struct bus_reply *reply = NULL;
	struct bus_writer *writer = method(manager, "LoadUnit");
	const char *path;
	int r;

	if (writer && bus_write(writer, "s", unit) < 0) {
		bus_writer_free(writer);
		return -ENOMEM;
	}
	r = call(writer, &reply, why);
	if (r == 0)
		r = bus_read(bus_reply_reader(reply), "o", &path);
	if (r < 0)
		return r;
	*ret_path = strdup(path);
	return *ret_path ? 0 : -ENOMEM;
}

int svc_manager_status(
	struct svc_manager *manager, const char *unit, char **ret_status, struct text *why)
{
	CLEANUP(bus_error_done) struct bus_error error = { 0 };
	CLEANUP(freep) char *path = NULL;
	int r = load_unit(manager, unit, &path, why);
	struct bus_place place = { SYSTEMD, path, SYSTEMD ".Service" };

	if (r < 0)
		return r;
	r = bus_get_property(manager->bus, &place, "StatusText", "s", ret_status, &error);
	return r < 0 ? tell(why, &error, r) : 0;
}

/* What it does not tell stays as it was. */
static int ask_own_state(
	const struct svc_manager *manager, const struct svc_service *service, char **ret_state)
{
	char name[SVC_UNIT_MAX], path[SVC_UNIT_MAX], interface[SVC_UNIT_MAX];
	struct bus_place place = { name, path, interface };
	CLEANUP(bus_error_done) struct bus_error error = { 0 };

	if (text_fixed(interface, sizeof(interface), "org.netipsec.%s", service->kind->interface) <
			0 ||
		text_fixed(path, sizeof(path), "/org/netipsec/%s", service->kind->interface) < 0 ||
		text_fixed(name, sizeof(name), "%s%s%s", interface,
			service->instance[0] ? ".ns_" : "", service->instance) < 0)
		return -EINVAL;
	if (bus_get_property(manager->bus, &place, "State", "s", ret_state, &error) < 0)
		*ret_state = strdup("");
	return *ret_state ? 0 : -ENOMEM;
}

int svc_manager_ask(struct svc_manager *manager, const struct svc_service *service,
	struct svc_facts *ret_facts, struct text *why)
{
	CLEANUP(freep) char *path = NULL;
	char unit[SVC_UNIT_MAX];
	const struct {
		const char *interface, *name, *type;
		void *ret;
	} rows[] = {
		{ SYSTEMD ".Unit", "LoadState", "s", &ret_facts->load },
		{ SYSTEMD ".Unit", "ActiveState", "s", &ret_facts->active },
		{ SYSTEMD ".Unit", "SubState", "s", &ret_facts->sub },
		{ SYSTEMD ".Unit", "UnitFileState", "s", &ret_facts->file_state },
		{ SYSTEMD ".Unit", "StateChangeTimestamp", "t", &ret_facts->since_usec },
		{ SYSTEMD ".Service", "StatusText", "s", &ret_facts->status },
		{ SYSTEMD ".Service", "Result", "s", &ret_facts->result },
		{ SYSTEMD ".Service", "MainPID", "u", &ret_facts->pid },
		{ SYSTEMD ".Service", "ExecMainStatus", "i", &ret_facts->exit_status },
	};
	int r;

	*ret_facts = (struct svc_facts){ 0 };
	svc_unit(service, unit);
	r = load_unit(manager, unit, &path, why);
	for (size_t i = 0; i < ARRAY_SIZE(rows) && r == 0; i++) {
		CLEANUP(bus_error_done) struct bus_error error = { 0 };
		struct bus_place place = { SYSTEMD, path, rows[i].interface };

		r = bus_get_property(
			manager->bus, &place, rows[i].name, rows[i].type, rows[i].ret, &error);
		if (r < 0)
			(void)tell(why, &error, r);
	}
	if (r == 0)
		r = ask_own_state(manager, service, &ret_facts->own_state);
	if (r < 0)
		svc_facts_done(ret_facts);
	return r;
}
