/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ipsecconf --diff: what loading a file would change, rule by rule, and for which connections. */
#include <errno.h>
#include <string.h>

#include "common/spd/spd_diff.h"
#include "services/policy/ipsecconf_policy.h"

/* One comparison under way. */
struct comparing {
	const struct conf_request *request;
	const struct alg_table *algs;
	const struct spd *before, *after; /* before: NULL, no service */
	struct json_object *out;
};

static bool add_rule(struct json_object *to, const char *key, const struct spd *spd,
	const struct rule *rule, const struct alg_table *algs)
{
	struct json_object *row;

	if (!rule)
		return true;
	row = conf_rule_json(spd, rule, algs);
	return row && conf_json_add(to, key, row);
}

static struct json_object *change_row(const struct comparing *cmp, const struct spd_change *change)
{
	CLEANUP(json_object_putp) struct json_object *row = json_object_new_object();

	if (!row ||
		!conf_json_add(
			row, "change", json_object_new_string(spd_change_name(change->kind))) ||
		!add_rule(row, "before", cmp->before, change->before, cmp->algs) ||
		!add_rule(row, "after", cmp->after, change->after, cmp->algs))
		return NULL;
	return STEAL(row);
}

static int add_changes(const struct comparing *cmp)
{
	struct json_object *list = json_object_new_array();
	struct spd_diff diff = { 0 };
	int r = list && conf_json_add(cmp->out, "rules", list) ? 0 : -ENOMEM;

	if (r == 0)
		r = spd_diff(cmp->before, cmp->after, &diff);
	for (size_t i = 0; r == 0 && i < diff.count; i++) {
		struct json_object *row = change_row(cmp, &diff.changes[i]);

		if (!row || json_object_array_add(list, row) < 0)
			r = -ENOMEM;
	}
	spd_diff_done(&diff);
	return r;
}

static struct json_object *flow_row(const struct comparing *cmp, const struct spd_query *query,
	const struct spd_flow_change *change)
{
	CLEANUP(json_object_putp) struct json_object *row = json_object_new_object();
	CLEANUP(text_done) struct text text = { 0 };

	spd_flow_print(query, &text);
	if (text.failed || !row || !conf_json_add(row, "flow", json_object_new_string(text.str)) ||
		!conf_json_add(row, "before",
			json_object_new_string(spd_treatment_name(change->before))) ||
		!conf_json_add(
			row, "after", json_object_new_string(spd_treatment_name(change->after))) ||
		!add_rule(row, "rule_before", cmp->before, change->rule_before, cmp->algs) ||
		!add_rule(row, "rule_after", cmp->after, change->rule_after, cmp->algs))
		return NULL;
	return STEAL(row);
}

static int add_flow(const struct comparing *cmp, struct json_object *list, struct spd_query query)
{
	struct spd_flow_change change;
	struct json_object *row;

	for (int direction = 0; direction < 2; direction++) {
		query.flow.direction = direction ? DIRECTION_IN : DIRECTION_OUT;
		spd_diff_flow(cmp->before, cmp->after, &query, &change);
		if (!change.differs)
			continue;
		row = flow_row(cmp, &query, &change);
		if (!row || json_object_array_add(list, row) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int add_flows(const struct comparing *cmp)
{
	CLEANUP(conf_flows_done) struct conf_flows flows = { 0 };
	struct json_object *list = json_object_new_array();
	int r = list && conf_json_add(cmp->out, "flows", list) ? 0 : -ENOMEM;

	if (r == 0)
		r = conf_flows_read(&flows);
	for (size_t i = 0; r == 0 && i < flows.count; i++)
		r = add_flow(cmp, list, flows.list[i]);
	return r;
}

/* ---- as text ---- */

static void print_rule(const char *mark, struct json_object *rule)
{
	CLEANUP(text_done) struct text text = { 0 };

	if (!rule)
		return;
	conf_rule_line(rule, &text);
	(void)printf("%s %s\n", mark, text.str ? text.str : "");
}

static void print_change(struct json_object *row)
{
	struct json_object *before = json_object_object_get(row, "before");
	struct json_object *after = json_object_object_get(row, "after");

	if (before && after)
		(void)printf("%s:\n", conf_json_string(row, "change"));
	print_rule("-", before);
	print_rule("+", after);
}

static void print_comparison(const struct comparing *cmp)
{
	struct json_object *rules = json_object_object_get(cmp->out, "rules");
	struct json_object *flows = json_object_object_get(cmp->out, "flows");

	for (size_t i = 0; i < json_object_array_length(rules); i++)
		print_change(json_object_array_get_idx(rules, i));
	if (json_object_array_length(rules) == 0)
		(void)printf("no rule would change\n");
	if (json_object_array_length(flows) > 0)
		(void)printf("connections that would be treated in another way:\n");
	for (size_t i = 0; i < json_object_array_length(flows); i++) {
		struct json_object *row = json_object_array_get_idx(flows, i);

		(void)printf("  %s: %s -> %s\n", conf_json_string(row, "flow"),
			conf_json_string(row, "before"), conf_json_string(row, "after"));
	}
}

static int compare(struct comparing *cmp)
{
	CLEANUP(json_object_putp) struct json_object *out = json_object_new_object();
	int r = conf_json_add(out, "version", json_object_new_int(1)) ? 0 : -ENOMEM;

	cmp->out = out;
	if (r == 0)
		r = add_changes(cmp);
	if (r == 0)
		r = add_flows(cmp);
	if (r < 0)
		(void)fprintf(stderr, "ipsecconf: cannot compare: %s\n", strerror(-r));
	else if (cmp->request->json)
		(void)puts(json_object_to_json_string_ext(out, JSON_C_TO_STRING_PLAIN));
	else
		print_comparison(cmp);
	return r;
}

int conf_diff(const struct conf_request *request)
{
	CLEANUP(alg_table_freep) struct alg_table *algs = conf_algs();
	CLEANUP(spd_freep) struct spd *published = NULL, *before = NULL, *after = NULL;
	CLEANUP(bus_freep) struct bus *bus = NULL;
	struct comparing cmp = { .request = request, .algs = algs };
	int r = conf_bus_open(request, &bus);

	if (r == 0)
		r = conf_policy_published(bus, &published);
	if (r == 0) /* fragments stay where they are */
		r = conf_policy_without_fragments(published, &before);
	if (r == -ENOTCONN) {
		(void)fprintf(stderr,
			"ipsecconf: note: ipsec-policy.service is not running; compared with "
			"nothing\n");
		r = 0;
	}
	if (r == 0)
		r = conf_policy_of_file(request, request->file,
			before ? before->precedence : SPD_FIRST_MATCH, &after);
	if (r < 0)
		return r;
	cmp.before = before;
	cmp.after = after;
	return compare(&cmp);
}
