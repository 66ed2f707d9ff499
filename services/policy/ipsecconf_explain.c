/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ipsecconf --explain: the rule that decides for one packet, why none before it did, and with what SA. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/spd/spd_explain.h"
#include "services/policy/ipsecconf_policy.h"

#define CHOICE_USEC (2 * USEC_PER_SEC)

/* One explanation under way. */
struct explaining {
	const struct conf_request *request;
	const struct alg_table *algs;
	const struct spd *spd;
	struct spd_query query;
	struct spd_explanation found;
	struct json_object *out;
};

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

		spd_miss_print(missed, &ex->query.flow, &why);
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

/* ---- the SA ---- */

static bool says_address(struct json_object *sa, const char *key, const struct address *addr)
{
	char text[ADDRESS_TEXT_MAX];

	return strcmp(conf_json_string(sa, key), address_format(addr, text)) == 0;
}

/* A selector of the SA that is there has to agree. */
static bool agrees(struct json_object *sa, const char *key, uint64_t number)
{
	struct json_object *there = json_object_object_get(sa, key);

	return !there || json_object_get_uint64(there) == number;
}

static bool sa_has_algorithms(
	const struct explaining *ex, const struct action *action, struct json_object *sa)
{
	const struct algorithm *alg;

	if (!action->has_esp || !ex->algs)
		return true;
	alg = alg_find(ex->algs, ALG_PROTO_ESP, action->esp.number);
	return !alg || strcmp(conf_json_string(sa, "encryption"), alg->names[0]) == 0;
}

/* Ends as in the packet's header; a tunnel's own ends are not the packet's. */
static bool sa_fits(
	const struct explaining *ex, const struct action *action, struct json_object *sa)
{
	const struct flow *flow = &ex->query.flow;
	bool outbound = flow->direction == DIRECTION_OUT;
	bool tunnel = strcmp(conf_json_string(sa, "mode"), "tunnel") == 0;
	const struct address *from = outbound ? &flow->local : &flow->remote;
	const struct address *to = outbound ? &flow->remote : &flow->local;

	if (strcmp(conf_json_string(sa, "proto"), action->has_esp ? "esp" : "ah") != 0 ||
		strcmp(conf_json_string(sa, "direction"), outbound ? "out" : "in") != 0 ||
		tunnel != (ex->found.rule->negotiate == TUNNEL_TUNNEL) ||
		!sa_has_algorithms(ex, action, sa))
		return false;
	if (!tunnel && (!says_address(sa, "source", from) || !says_address(sa, "destination", to)))
		return false;
	if (strcmp(conf_json_string(sa, "state"), "mature") != 0 &&
		strcmp(conf_json_string(sa, "state"), "dying") != 0)
		return false;
	return agrees(sa, "protocol", flow->protocol) &&
	       agrees(sa, "source_port", outbound ? flow->local_port : flow->remote_port) &&
	       agrees(sa, "destination_port", outbound ? flow->remote_port : flow->local_port);
}

/* The first SA, by the order of alternatives: the sender takes the first that works. Borrowed. */
static struct json_object *find_sa(const struct explaining *ex, struct json_object *sas)
{
	const struct rule *rule = ex->found.rule;

	for (size_t i = 0; i < rule->n_actions; i++) {
		if (rule->actions[i].kind != ACTION_PROTECT)
			break; /* what stands behind it is never tried */
		for (size_t n = 0; n < json_object_array_length(sas); n++) {
			struct json_object *sa = json_object_array_get_idx(sas, n);

			if (sa_fits(ex, &rule->actions[i], sa))
				return sa;
		}
	}
	return NULL;
}

/* Whom key management would be asked about. */
static bool add_acquire(const struct explaining *ex)
{
	const struct flow *flow = &ex->query.flow;
	const struct action *action = &ex->found.rule->actions[0];
	struct json_object *acquire = json_object_new_object();
	char source[ADDRESS_TEXT_MAX], destination[ADDRESS_TEXT_MAX], id[RULE_ID_TEXT_MAX];

	return acquire && conf_json_add(ex->out, "acquire", acquire) &&
	       conf_json_add(acquire, "protocol",
		       json_object_new_string(action->has_esp ? "esp" : "ah")) &&
	       conf_json_add(acquire, "source",
		       json_object_new_string(address_format(&flow->local, source))) &&
	       conf_json_add(acquire, "destination",
		       json_object_new_string(address_format(&flow->remote, destination))) &&
	       conf_json_add(acquire, "rule",
		       json_object_new_string(rule_id_format(ex->found.rule->id, id)));
}

/* What the datapath would do, if it has the same rule. NULL: not known. */
static struct json_object *ask_choice(const struct explaining *ex, struct bus *bus)
{
	CLEANUP(bus_reply_freep) struct bus_reply *reply = NULL;
	CLEANUP(text_done) struct text flow = { 0 };
	CLEANUP(json_object_putp) struct json_object *choice = NULL;
	CLEANUP(freep) char *json = NULL;
	struct bus_writer *wr;
	char id[RULE_ID_TEXT_MAX];
	size_t len;

	if (!bus || ex->request->with || ex->query.flow.direction != DIRECTION_OUT)
		return NULL;
	spd_flow_print(&ex->query, &flow);
	wr = bus_method_writer(
		bus, conf_datapath.name, conf_datapath.path, conf_datapath.interface, "ChooseSas");
	if (flow.failed || bus_write(wr, "s", flow.str) < 0) {
		bus_writer_free(wr);
		return NULL;
	}
	if (bus_method_call(wr, CHOICE_USEC, &reply, NULL) < 0 ||
		conf_reply_text(reply, &json, &len) < 0)
		return NULL;
	choice = json_tokener_parse(json);
	if (!choice || strcmp(conf_json_string(choice, "rule"),
			       rule_id_format(ex->found.rule->id, id)) != 0)
		return NULL;
	return STEAL(choice);
}

/* SAs in the order in which they are applied, or what would be asked for. */
static bool add_choice(const struct explaining *ex, struct json_object *choice)
{
	static const char *const keys[] = { "sa", "sa_outer" };
	struct json_object *sas = json_object_object_get(choice, "sas"), *acquire;
	size_t count = json_object_is_type(sas, json_type_array) ? json_object_array_length(sas)
								 : 0;

	if (!conf_json_add(ex->out, "datapath", json_object_new_boolean(true)))
		return false;
	for (size_t i = 0; i < count && i < ARRAY_SIZE(keys); i++)
		if (!conf_json_add(
			    ex->out, keys[i], json_object_get(json_object_array_get_idx(sas, i))))
			return false;
	if (count > 0)
		return true;
	acquire = json_object_new_object();
	return acquire && conf_json_add(ex->out, "acquire", acquire) &&
	       conf_json_add(acquire, "protocol",
		       json_object_new_string(conf_json_string(choice, "missing"))) &&
	       conf_json_add(acquire, "source",
		       json_object_new_string(conf_json_string(choice, "source"))) &&
	       conf_json_add(acquire, "destination",
		       json_object_new_string(conf_json_string(choice, "destination"))) &&
	       conf_json_add(
		       acquire, "rule", json_object_new_string(conf_json_string(choice, "rule")));
}

/* By its listing, for a policy that is not in force, and what comes in; nothing when it is not there. */
static bool add_likely_sa(const struct explaining *ex, struct bus *bus)
{
	CLEANUP(bus_error_done) struct bus_error error = { 0 };
	CLEANUP(json_object_putp) struct json_object *listing = NULL;
	struct json_object *sas, *sa;
	int r = bus ? conf_ask_json(bus, &conf_datapath, "DumpSas", &listing, &error) : -ENOTCONN;

	if (!conf_json_add(ex->out, "datapath", json_object_new_boolean(r == 0)))
		return false;
	sas = r == 0 ? json_object_object_get(listing, "sas") : NULL;
	if (!json_object_is_type(sas, json_type_array))
		return true;
	sa = find_sa(ex, sas);
	if (sa)
		return conf_json_add(ex->out, "sa", json_object_get(sa));
	return ex->query.flow.direction == DIRECTION_IN || add_acquire(ex);
}

static bool add_sa(const struct explaining *ex, struct bus *bus)
{
	CLEANUP(json_object_putp) struct json_object *choice = ask_choice(ex, bus);

	return choice ? add_choice(ex, choice) : add_likely_sa(ex, bus);
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

static void print_one_sa(struct json_object *sa)
{
	(void)printf("SA: %s spi %s from %s to %s, %s%s%s\n", conf_json_string(sa, "proto"),
		conf_json_string(sa, "spi"), conf_json_string(sa, "source"),
		conf_json_string(sa, "destination"), conf_json_string(sa, "encryption"),
		*conf_json_string(sa, "encryption") ? " " : "",
		conf_json_string(sa, "authentication"));
}

static void print_sa(struct json_object *out)
{
	struct json_object *sa = json_object_object_get(out, "sa");
	struct json_object *outer = json_object_object_get(out, "sa_outer");
	struct json_object *acquire = json_object_object_get(out, "acquire");
	struct json_object *datapath = json_object_object_get(out, "datapath");

	if (sa)
		print_one_sa(sa);
	else if (acquire)
		(void)printf("SA: none; an ACQUIRE for %s from %s to %s would be sent, and the "
			     "packet dropped\n",
			conf_json_string(acquire, "protocol"), conf_json_string(acquire, "source"),
			conf_json_string(acquire, "destination"));
	else if (datapath && json_object_get_boolean(datapath))
		(void)printf("SA: none that could have sent it\n");
	else if (datapath)
		(void)printf("SA: not known, ipsec-datapath.service does not run\n");
	if (outer)
		print_one_sa(outer);
}

static void print_explanation(const struct explaining *ex)
{
	struct json_object *rule = json_object_object_get(ex->out, "rule");

	(void)printf("%s: %s\n", conf_json_string(ex->out, "flow"),
		conf_json_string(ex->out, "verdict"));
	if (ex->found.not_subject)
		(void)printf("host policy does not apply to packets that are forwarded\n");
	else if (!rule)
		(void)printf("no rule matches\n");
	print_rule("decided by ", rule);
	print_alternatives(json_object_object_get(ex->out, "alternatives"));
	print_sa(ex->out);
	print_rule("counted by the audit rule ", json_object_object_get(ex->out, "audit"));
	print_missed(json_object_object_get(ex->out, "missed"));
}

/* ---- putting it together ---- */

static bool describe(struct explaining *ex, struct bus *bus)
{
	CLEANUP(text_done) struct text flow = { 0 };

	spd_flow_print(&ex->query, &flow);
	ex->out = json_object_new_object();
	if (flow.failed || !conf_json_add(ex->out, "version", json_object_new_int(1)) ||
		!conf_json_add(ex->out, "flow", json_object_new_string(flow.str)) ||
		!conf_json_add(ex->out, "verdict",
			json_object_new_string(spd_treatment_name(ex->found.treatment))) ||
		!add_rule(ex->out, "rule", ex, ex->found.rule) ||
		!add_rule(ex->out, "audit", ex, ex->found.audit) || !add_alternatives(ex) ||
		!add_missed(ex))
		return false;
	return ex->found.treatment != SPD_PROTECT || add_sa(ex, bus);
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

static int explain(struct explaining *ex, struct bus *bus)
{
	int r = spd_explain(ex->spd, &ex->query, &ex->found);

	if (r < 0)
		return r;
	if (!describe(ex, bus))
		r = -ENOMEM;
	else if (ex->request->json)
		(void)puts(json_object_to_json_string_ext(ex->out, JSON_C_TO_STRING_PLAIN));
	else
		print_explanation(ex);
	json_object_put(ex->out);
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
	int r = read_flow(request->file, &ex.query);

	if (r == 0)
		r = open_policy(request, &bus, &spd);
	if (r < 0)
		return r;
	ex.spd = spd;
	return explain(&ex, bus);
}
