/* SPDX-License-Identifier: GPL-2.0-or-later */
/* State, since when, what is wrong and what to do about it: a table, paragraphs, or JSON. */
#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <libsmartcols/libsmartcols.h>
#include <string.h>
#include <time.h>

#include "common/base/clock.h"
#include "services/svc/svc.h"

#define EXIT_CONFIGURATION 95
#define EXIT_PERMISSION	   100
#define TIME_BYTES	   48
#define DAY_SEC		   (24 * 60 * 60)

/* One service, told in the words of SMF. */
struct report {
	const struct svc_service *service;
	struct svc_facts facts;
	const char *state;
	struct text problem, action; /* empty: it is well */
};

static void report_done(struct report *report)
{
	svc_facts_done(&report->facts);
	text_done(&report->problem);
	text_done(&report->action);
}

static bool is(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

static const char *state_of(const struct svc_facts *facts)
{
	if (is(facts->load, "not-found"))
		return "uninitialized";
	if (is(facts->load, "masked") || is(facts->active, "inactive"))
		return is(facts->file_state, "enabled") ? "offline" : "disabled";
	if (is(facts->active, "failed"))
		return "maintenance";
	if (is(facts->active, "activating") || is(facts->active, "deactivating"))
		return "offline*";
	if (is(facts->own_state, "failed") || is(facts->own_state, "not-enforced"))
		return "degraded";
	return is(facts->active, "reloading") ? "online*" : "online";
}

static void advise(struct text *text, const char *verb, const struct svc_service *service)
{
	text_addf(text, "ipsecsvc %s ", verb);
	svc_add_name(text, service);
}

static void explain_failure(struct report *report)
{
	const struct svc_facts *facts = &report->facts;
	char unit[SVC_UNIT_MAX];

	svc_unit(report->service, unit);
	if (facts->exit_status == EXIT_CONFIGURATION) {
		text_add(&report->problem,
			*facts->status ? facts->status : "a file has errors; nothing was changed");
		text_addf(&report->action, "repair the file, '%s' tells what is wrong; then ",
			report->service->kind->check);
	} else if (facts->exit_status == EXIT_PERMISSION) {
		text_add(&report->problem, "the daemon lacks a right that it needs");
		text_addf(
			&report->action, "see 'systemctl cat %s' for changed rights; then ", unit);
	} else {
		text_addf(&report->problem, "the daemon ended: %s, status %" PRIi32, facts->result,
			facts->exit_status);
		text_addf(&report->action, "see 'journalctl -b -u %s'; then ", unit);
	}
	advise(&report->action, "clear", report->service);
}

static void explain_degraded(struct report *report)
{
	const struct svc_facts *facts = &report->facts;

	text_add(&report->problem, *facts->status ? facts->status : facts->own_state);
	if (is(facts->own_state, "not-enforced")) {
		text_add(&report->action, "ipsecsvc enable datapath");
		if (report->service->instance[0])
			text_addf(&report->action, "@%s", report->service->instance);
		return;
	}
	text_addf(&report->action, "repair the file, '%s' tells what is wrong; then ",
		report->service->kind->check);
	advise(&report->action, "refresh", report->service);
}

static void explain(struct report *report)
{
	char unit[SVC_UNIT_MAX];

	svc_unit(report->service, unit);
	if (is(report->facts.load, "not-found")) {
		text_addf(&report->problem, "there is no unit %s", unit);
		text_add(&report->action, "install it, then 'systemctl daemon-reload'");
	} else if (is(report->facts.load, "masked")) {
		text_addf(&report->problem, "%s is masked", unit);
		text_addf(&report->action, "systemctl unmask %s, then ", unit);
		advise(&report->action, "enable", report->service);
	} else if (is(report->state, "maintenance")) {
		explain_failure(report);
	} else if (is(report->state, "offline")) {
		text_add(&report->problem, "it is enabled but was stopped");
		advise(&report->action, "enable", report->service);
	} else if (is(report->facts.sub, "auto-restart")) {
		text_addf(&report->problem,
			"the daemon ended (%s) and is about to be started again",
			report->facts.result);
		text_addf(&report->action, "see 'journalctl -b -u %s'", unit);
	} else if (is(report->state, "degraded")) {
		explain_degraded(report);
	}
}

/* As a clock shows it, for people; as RFC 3339 has it, for programs. */
static void format_time(uint64_t usec, bool full, char ret[static TIME_BYTES])
{
	time_t seconds = (time_t)(usec / USEC_PER_SEC);
	bool today = time(NULL) - seconds < DAY_SEC;
	struct tm when;
	size_t len = 0;

	if (usec > 0 && (full ? gmtime_r(&seconds, &when) : localtime_r(&seconds, &when)))
		len = full    ? strftime(ret, TIME_BYTES, "%Y-%m-%dT%H:%M:%SZ", &when)
		      : today ? strftime(ret, TIME_BYTES, "%H:%M:%S", &when)
			      : strftime(ret, TIME_BYTES, "%b_%d", &when);
	if (len == 0)
		memcpy(ret, "-", 2);
}

/* ---- JSON ---- */

static void add_string(struct json_object *object, const char *key, const char *value)
{
	json_object_object_add(object, key, json_object_new_string(value ? value : ""));
}

static struct json_object *json_of(const struct report *report)
{
	struct json_object *object = json_object_new_object();
	CLEANUP(text_done) struct text fmri = { 0 };
	char since[TIME_BYTES], unit[SVC_UNIT_MAX];

	format_time(report->facts.since_usec, true, since);
	svc_unit(report->service, unit);
	svc_add_fmri(&fmri, report->service);
	add_string(object, "fmri", fmri.str);
	add_string(object, "service", report->service->kind->name);
	add_string(object, "instance",
		report->service->instance[0] ? report->service->instance : "default");
	add_string(object, "unit", unit);
	add_string(object, "state", report->state);
	add_string(object, "since", since);
	json_object_object_add(
		object, "since_usec", json_object_new_uint64(report->facts.since_usec));
	json_object_object_add(object, "enabled",
		json_object_new_boolean(is(report->facts.file_state, "enabled")));
	json_object_object_add(object, "pid", json_object_new_int64(report->facts.pid));
	add_string(object, "status", report->facts.status);
	add_string(object, "problem", report->problem.str);
	add_string(object, "action", report->action.str);
	return object;
}

static int show_json(const struct report *reports, size_t count)
{
	struct json_object *list = json_object_new_array(), *all = json_object_new_object();

	for (size_t i = 0; i < count; i++)
		json_object_array_add(list, json_of(&reports[i]));
	json_object_object_add(all, "version", json_object_new_int(1));
	json_object_object_add(all, "services", list);
	(void)puts(json_object_to_json_string_ext(
		all, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(all);
	return 0;
}

/* ---- for people ---- */

static void drop_table(struct libscols_table **table)
{
	scols_unref_table(*table); /* takes NULL */
}

static int add_line(struct libscols_table *table, const struct report *report)
{
	struct libscols_line *line = scols_table_new_line(table, NULL);
	CLEANUP(text_done) struct text fmri = { 0 };
	char since[TIME_BYTES];

	format_time(report->facts.since_usec, false, since);
	svc_add_fmri(&fmri, report->service);
	if (!line || fmri.failed || scols_line_set_data(line, 0, report->state) < 0 ||
		scols_line_set_data(line, 1, since) < 0 ||
		scols_line_set_data(line, 2, fmri.str) < 0 ||
		scols_line_set_data(line, 3, report->facts.status) < 0)
		return -ENOMEM;
	return 0;
}

static int show_table(const struct report *reports, size_t count)
{
	static const char *const heads[] = { "STATE", "SINCE", "FMRI", "STATUS" };
	CLEANUP(drop_table) struct libscols_table *table = scols_new_table();
	int r = table ? 0 : -ENOMEM;

	for (size_t i = 0; i < ARRAY_SIZE(heads) && r == 0; i++)
		r = scols_table_new_column(table, heads[i], 0, 0) ? 0 : -ENOMEM;
	for (size_t i = 0; i < count && r == 0; i++)
		r = add_line(table, &reports[i]);
	if (r == 0)
		r = scols_print_table(table) < 0 ? -EIO : 0;
	return r;
}

static void show_problem(const struct report *report)
{
	CLEANUP(text_done) struct text fmri = { 0 };

	if (!report->problem.str)
		return;
	svc_add_fmri(&fmri, report->service);
	(void)printf("\n%s: %s\n  problem: %s\n  to do:   %s\n", fmri.str ? fmri.str : "",
		report->state, report->problem.str, report->action.str ? report->action.str : "");
}

int svc_status(struct svc_manager *manager, const struct svc_service *services, size_t count,
	bool json, struct text *why)
{
	struct report *reports = calloc(count, sizeof(*reports));
	int r = reports ? 0 : -ENOMEM;

	for (size_t i = 0; i < count && r == 0; i++) {
		reports[i].service = &services[i];
		r = svc_manager_ask(manager, &services[i], &reports[i].facts, why);
		if (r < 0)
			break;
		reports[i].state = state_of(&reports[i].facts);
		explain(&reports[i]);
	}
	if (r == 0)
		r = json ? show_json(reports, count) : show_table(reports, count);
	for (size_t i = 0; reports && i < count; i++) {
		if (r == 0 && !json)
			show_problem(&reports[i]);
		report_done(&reports[i]);
	}
	free(reports);
	return r;
}
