/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ipsecconf --drift: does the file say what the service has, and the service what is in force? */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "common/base/memfd.h"
#include "common/spd/spd_diff.h"
#include "services/policy/ipsecconf_policy.h"
#include "services/policy/policyd_names.h"

#define MAX_HINTS 4

/* What differs, as sentences and as data. */
struct drift {
	const struct conf_request *request;
	struct bus *bus;
	struct json_object *rules; /* between file and service */
	struct json_object *problems; /* sentences */
	const char *hints[MAX_HINTS]; /* what to do about them */
	size_t n_hints;
};

static int add_problem(struct drift *drift, const char *sentence, const char *hint)
{
	struct json_object *word = json_object_new_string(sentence);

	if (drift->n_hints < MAX_HINTS)
		drift->hints[drift->n_hints++] = hint;
	return word && json_object_array_add(drift->problems, word) == 0 ? 0 : -ENOMEM;
}

/* ---- file and service ---- */

static int add_rule(const struct drift *drift, const char *where, const struct spd *spd,
	const struct rule *rule, const struct alg_table *algs)
{
	struct json_object *row = conf_rule_json(spd, rule, algs);

	if (!row || json_object_array_add(drift->rules, row) < 0)
		return -ENOMEM;
	return conf_json_add(row, "only", json_object_new_string(where)) ? 0 : -ENOMEM;
}

static int add_differences(const struct drift *drift, const struct spd *file,
	const struct spd *service, const struct alg_table *algs)
{
	struct spd_diff diff = { 0 };
	int r = spd_diff(file, service, &diff);

	for (size_t i = 0; r == 0 && i < diff.count; i++) {
		const struct spd_change *change = &diff.changes[i];

		if (change->before)
			r = add_rule(drift, "file", file, change->before, algs);
		if (r == 0 && change->after)
			r = add_rule(drift, "service", service, change->after, algs);
	}
	spd_diff_done(&diff);
	return r;
}

/* The file that the service reads; one that is missing has no rules. */
static int read_file(const struct drift *drift, const struct spd *service, struct spd **ret_spd)
{
	const struct bus_place policy = {
		.name = POLICYD_BUS_NAME, .path = POLICYD_BUS_PATH, .interface = POLICYD_BUS_NAME
	};
	CLEANUP(bus_error_done) struct bus_error error = { 0 };
	CLEANUP(freep) char *plain = NULL, *path = NULL;
	struct conf_request request = *drift->request;
	int r = bus_get_property(drift->bus, &policy, "ConfigFile", "s", &plain, &error);

	if (r < 0)
		return conf_bus_failed(r, &error, POLICYD_UNIT);
	r = file_system_path(plain, &path);
	if (r == 0 && access(path, F_OK) < 0 && errno == ENOENT)
		return spd_new(NULL, 0, service->precedence, ret_spd);
	request.extensions = true; /* whether it may have them was for the service to say */
	request.audit = service->n_audit > 0 && service->count == 0;
	return r < 0 ? r : conf_policy_of_file(&request, path, service->precedence, ret_spd);
}

static int compare_file(struct drift *drift, const struct spd *published)
{
	CLEANUP(alg_table_freep) struct alg_table *algs = conf_algs();
	CLEANUP(spd_freep) struct spd *service = NULL, *file = NULL;
	int r = conf_policy_without_fragments(published, &service);

	if (r == 0)
		r = read_file(drift, service, &file);
	if (r == 0)
		r = add_differences(drift, file, service, algs);
	if (r == 0 && json_object_array_length(drift->rules) > 0)
		r = add_problem(drift, "the service has other rules than its file",
			"'ipsecconf --reload' makes the service take its file over");
	return r;
}

/* ---- service and datapath ---- */

static bool is_rule_of(const struct spd *spd, const char *id)
{
	char text[RULE_ID_TEXT_MAX];

	for (size_t i = 0; i < spd->count + spd->n_audit; i++) {
		const struct rule *rule = i < spd->count ? spd->rules[i]
							 : spd->audit[i - spd->count];

		if (strcmp(rule_id_format(rule->id, text), id) == 0)
			return true;
	}
	return false;
}

/* Rules stand in match order on both sides: the same ids in the same places. */
static bool same_rules(const struct spd *spd, struct json_object *rules)
{
	size_t count = spd->count + spd->n_audit;
	char text[RULE_ID_TEXT_MAX];

	if (!json_object_is_type(rules, json_type_array) ||
		json_object_array_length(rules) != count)
		return false;
	for (size_t i = 0; i < count; i++) {
		const struct rule *rule = i < spd->count ? spd->rules[i]
							 : spd->audit[i - spd->count];

		if (strcmp(conf_json_string(json_object_array_get_idx(rules, i), "id"),
			    rule_id_format(rule->id, text)) != 0)
			return false;
	}
	return true;
}

static size_t count_strange(const struct spd *spd, struct json_object *rules)
{
	size_t strange = 0;

	for (size_t i = 0;
		json_object_is_type(rules, json_type_array) && i < json_object_array_length(rules);
		i++)
		if (!is_rule_of(spd, conf_json_string(json_object_array_get_idx(rules, i), "id")))
			strange++;
	return strange;
}

static int compare_datapath(struct drift *drift, const struct spd *published)
{
	CLEANUP(bus_error_done) struct bus_error error = { 0 };
	CLEANUP(json_object_putp) struct json_object *listing = NULL;
	CLEANUP(text_done) struct text text = { 0 };
	struct json_object *rules;
	int r = conf_ask_json(drift->bus, &conf_datapath, "ListRules", &listing, &error);

	if (r == -ENOTCONN)
		return add_problem(drift, "the datapath does not run: no rules are in force",
			"'systemctl start ipsec-datapath'");
	if (r < 0)
		return conf_bus_failed(r, &error, "ipsec-datapath.service");
	rules = json_object_object_get(listing, "rules");
	if (same_rules(published, rules))
		return 0;
	text_addf(&text,
		"the datapath has other rules than the service: %zu of %zu in force are not the "
		"service's, which has %zu",
		count_strange(published, rules),
		json_object_is_type(rules, json_type_array) ? json_object_array_length(rules) : 0,
		published->count + published->n_audit);
	return text.failed ? -ENOMEM
			   : add_problem(drift, text.str,
				     "'systemctl status ipsec-policy' says what the datapath did "
				     "not take");
}

/* ---- saying it ---- */

static void print_drift(const struct drift *drift)
{
	size_t count = json_object_array_length(drift->problems);

	for (size_t i = 0; i < count; i++)
		(void)printf("%s\n",
			json_object_get_string(json_object_array_get_idx(drift->problems, i)));
	for (size_t i = 0; i < json_object_array_length(drift->rules); i++) {
		struct json_object *row = json_object_array_get_idx(drift->rules, i);
		CLEANUP(text_done) struct text text = { 0 };

		conf_rule_line(row, &text);
		(void)printf("only the %s: %s\n", conf_json_string(row, "only"),
			text.str ? text.str : "");
	}
	if (count == 0)
		(void)printf("file, service and datapath agree\n");
	for (size_t i = 0; i < drift->n_hints; i++)
		(void)fprintf(stderr, "  hint: %s\n", drift->hints[i]);
}

static int report(const struct drift *drift)
{
	CLEANUP(json_object_putp) struct json_object *out = json_object_new_object();

	if (!drift->request->json) {
		print_drift(drift);
		return 0;
	}
	if (!conf_json_add(out, "version", json_object_new_int(1)) ||
		!conf_json_add(out, "problems", json_object_get(drift->problems)) ||
		!conf_json_add(out, "rules", json_object_get(drift->rules)))
		return -ENOMEM;
	(void)puts(json_object_to_json_string_ext(out, JSON_C_TO_STRING_PLAIN));
	return 0;
}

static int compare(struct drift *drift)
{
	CLEANUP(spd_freep) struct spd *published = NULL;
	int r = conf_policy_published(drift->bus, &published);

	if (r == -ENOTCONN)
		return add_problem(drift, "ipsec-policy.service does not run",
			"'systemctl start ipsec-policy'");
	if (r == 0)
		r = compare_file(drift, published);
	return r < 0 ? r : compare_datapath(drift, published);
}

int conf_drift(const struct conf_request *request)
{
	CLEANUP(json_object_putp) struct json_object *rules = json_object_new_array();
	CLEANUP(json_object_putp) struct json_object *problems = json_object_new_array();
	CLEANUP(bus_freep) struct bus *bus = NULL;
	struct drift drift = { .request = request, .rules = rules, .problems = problems };
	int r = rules && problems ? conf_bus_open(request, &bus) : -ENOMEM;

	if (r < 0)
		return r;
	drift.bus = bus;
	r = compare(&drift);
	if (r == 0)
		r = report(&drift);
	if (r < 0)
		return r;
	return json_object_array_length(problems) > 0;
}
