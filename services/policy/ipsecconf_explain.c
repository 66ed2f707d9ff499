/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ipsecconf --explain: the rule that decides for one packet, why none before it did, and with what SA. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "services/policy/ipsecconf_explain.h"

/* ---- the rules ---- */

static bool add_rule(struct json_object *to, const char *key, const struct explaining *ex,
	const struct rule *rule)
{
	struct json_object *row = rule ? conf_rule_json(ex->spd, rule, ex->algs) : NULL;

	return rule ? row && conf_json_add(to, key, row) : conf_json_add(to, key, NULL);
}

static bool add_missed(const struct explaining *ex)
{
	struct json_object *list = json_object_new_array();

	if (!list || !conf_json_add(ex->out, "missed", list))
		return false;
	for (size_t i = 0; i < ex->found.n_missed; i++) {
		const struct spd_missed *missed = &ex->found.missed[i];
		CLEANUP(text_done) struct text why = { 0 };
		struct json_object *row = conf_rule_json(ex->spd, missed->rule, ex->algs);

		spd_miss_print(missed, spd_query_subject(&ex->query), &why);
		if (!row || json_object_array_add(list, row) < 0 || why.failed ||
			!conf_json_add(row, "why", json_object_new_string(why.str)))
			return false;
	}
	return true;
}

/* One alternative in the words of the language: what stands behind the selectors. */
static struct json_object *alternative(const struct explaining *ex, size_t at)
{
	CLEANUP(rule_freep) struct rule *alone = rule_new(1);
	CLEANUP(text_done) struct text text = { 0 };
	const char *action;

	if (!alone)
		return NULL;
	alone->directions = DIRECTION_BIT_OUT;
	alone->actions[0] = ex->found.rule->actions[at];
	rule_print(alone, ex->algs, DIRECTION_BIT_OUT, &text);
	action = text.failed ? NULL : strstr(text.str, "} ");
	return action ? json_object_new_string(action + 2) : NULL;
}

static bool add_alternatives(const struct explaining *ex)
{
	struct json_object *list = json_object_new_array();

	if (!list || !conf_json_add(ex->out, "alternatives", list))
		return false;
	for (size_t i = 0; ex->found.rule && i < ex->found.rule->n_actions; i++) {
		struct json_object *word = alternative(ex, i);

		if (!word || json_object_array_add(list, word) < 0)
			return false;
	}
	return true;
}

/* ---- as text ---- */

static void print_rule(const char *title, struct json_object *rule)
{
	CLEANUP(text_done) struct text text = { 0 };

	if (!rule)
		return;
	conf_rule_line(rule, &text);
	(void)printf("%s%s\n", title, text.str ? text.str : "");
}

static void print_missed(struct json_object *missed)
{
	size_t count = json_object_array_length(missed);

	if (count > 0)
		(void)printf("earlier rules that do not match:\n");
	for (size_t i = 0; i < count; i++) {
		struct json_object *row = json_object_array_get_idx(missed, i);

		print_rule("  ", row);
		(void)printf("    %s\n", conf_json_string(row, "why"));
	}
}

static void print_alternatives(struct json_object *list)
{
	size_t count = json_object_array_length(list);

	for (size_t i = 0; count > 1 && i < count; i++)
		(void)printf("alternative %zu: %s\n", i + 1,
			json_object_get_string(json_object_array_get_idx(list, i)));
}

static void print_explanation(const struct explaining *ex)
{
	struct json_object *rule = json_object_object_get(ex->out, "rule");
	const char *outer = conf_json_string(ex->out, "outer");

	(void)printf("%s: %s\n", conf_json_string(ex->out, "flow"),
		conf_json_string(ex->out, "verdict"));
	if (*outer)
		(void)printf("tunnel %s has no rules, so that host policy decides about its own "
			     "packet: %s\n",
			ex->asked.tunnel, outer);
	else if (json_object_object_get(ex->out, "tunnel_known"))
		(void)printf("tunnel %s has no rules, and no ends that are known here: whether "
			     "host policy protects its packets cannot be told\n",
			ex->asked.tunnel);
	if (ex->found.not_subject)
		(void)printf("host policy does not apply to packets that are forwarded%s\n",
			ex->query.has_about ? ", nor to errors about them" : "");
	else if (!rule)
		(void)printf("no rule matches\n");
	conf_explain_print_notes(ex->out);
	print_rule("decided by ", rule);
	print_alternatives(json_object_object_get(ex->out, "alternatives"));
	conf_explain_print_sas(ex->out);
	print_rule("counted by the audit rule ", json_object_object_get(ex->out, "audit"));
	print_missed(json_object_object_get(ex->out, "missed"));
}

/* ---- putting it together ---- */

static bool describe(struct explaining *ex)
{
	return conf_json_add(ex->out, "verdict",
		       json_object_new_string(spd_treatment_name(ex->found.treatment))) &&
	       conf_explain_notes(ex) && add_rule(ex->out, "rule", ex, ex->found.rule) &&
	       add_rule(ex->out, "audit", ex, ex->found.audit) && add_alternatives(ex) &&
	       add_missed(ex) && (ex->found.treatment != SPD_PROTECT || conf_explain_sas(ex));
}

static int read_flow(const char *word, struct spd_query *ret_query)
{
	struct spd_flow_error error;

	if (spd_flow_parse(word, strlen(word), ret_query, NULL, &error) == 0)
		return 0;
	(void)fprintf(stderr, "flow:1:%zu: error: %s [flow-syntax]\n%s\n%*s^", error.offset + 1,
		error.text, word, (int)error.offset, "");
	for (size_t i = 1; i < error.length; i++)
		(void)fputc('~', stderr);
	(void)fputc('\n', stderr);
	return -EINVAL;
}

/* What it is about, and the rule that decides. */
static int look_up(struct explaining *ex)
{
	CLEANUP(text_done) struct text flow = { 0 };
	int r;

	spd_flow_print(&ex->asked, &flow);
	if (flow.failed || !conf_json_add(ex->out, "version", json_object_new_int(1)) ||
		!conf_json_add(ex->out, "flow", json_object_new_string(flow.str)))
		return -ENOMEM;
	r = conf_explain_outer(ex);
	return r < 0 ? r : spd_explain(ex->spd, &ex->query, &ex->found);
}

static int explain(struct explaining *ex)
{
	CLEANUP(json_object_putp) struct json_object *out = json_object_new_object();
	int r;

	ex->out = out;
	r = out ? look_up(ex) : -ENOMEM;
	if (r < 0)
		return r;
	if (!describe(ex))
		r = -ENOMEM;
	else if (ex->request->json)
		(void)puts(json_object_to_json_string_ext(ex->out, JSON_C_TO_STRING_PLAIN));
	else
		print_explanation(ex);
	spd_explanation_done(&ex->found);
	return r;
}

/* A file needs no service; then what it says of SAs is what a service says, if one is there. */
static int open_policy(
	const struct conf_request *request, struct bus **ret_bus, struct spd **ret_spd)
{
	CLEANUP(bus_error_done) struct bus_error error = { 0 };
	int r = bus_open(NULL, request->bus, NULL, NULL, ret_bus, &error);

	if (request->with)
		return conf_policy_of_file(request, request->with, SPD_FIRST_MATCH, ret_spd);
	if (r < 0)
		return conf_bus_failed(r, &error, "message bus");
	r = conf_policy_published(*ret_bus, ret_spd);
	if (r == -ENOTCONN)
		(void)fprintf(stderr,
			"ipsecconf: ipsec-policy.service is not running; --with FILE explains by "
			"a file\n");
	return r;
}

int conf_explain(const struct conf_request *request)
{
	CLEANUP(alg_table_freep) struct alg_table *algs = conf_algs();
	CLEANUP(bus_freep) struct bus *bus = NULL;
	CLEANUP(spd_freep) struct spd *spd = NULL;
	struct explaining ex = { .request = request, .algs = algs };
	int r = read_flow(request->file, &ex.asked);

	if (r == 0)
		r = open_policy(request, &bus, &spd);
	if (r < 0)
		return r;
	ex.spd = spd;
	ex.bus = bus;
	return explain(&ex);
}
