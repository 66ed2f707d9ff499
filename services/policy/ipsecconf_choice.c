/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SAs of a packet that ipsecconf --explain is asked about: the datapath chooses, nobody else. */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/snapshot/snapshot.h"
#include "services/policy/ipsecconf_explain.h"

#define CHOICE_USEC (2 * USEC_PER_SEC)

/* ---- whose packet it is ---- */

static bool is_named(struct json_object *row, const char *name)
{
	return strcmp(conf_json_string(row, "name"), name) == 0;
}

/* The ends of a tunnel that the datapath has. Return: 0, -ENOENT, or what the bus said. */
static int find_ends(const struct explaining *ex, struct address *ret_near, struct address *ret_far)
{
	CLEANUP(bus_error_done) struct bus_error error = { 0 };
	CLEANUP(json_object_putp) struct json_object *listing = NULL;
	struct json_object *rows;
	int r = ex->bus ? conf_ask_json(ex->bus, &conf_datapath, "ListTunnels", &listing, &error)
			: -ENOTCONN;

	rows = r == 0 ? json_object_object_get(listing, "tunnels") : NULL;
	for (size_t i = 0; rows && i < json_object_array_length(rows); i++) {
		struct json_object *row = json_object_array_get_idx(rows, i);

		if (!is_named(row, ex->asked.tunnel))
			continue;
		r = address_parse(conf_json_string(row, "source"), ret_near);
		return r < 0 ? r : address_parse(conf_json_string(row, "destination"), ret_far);
	}
	return r < 0 ? r : -ENOENT;
}

int conf_explain_outer(struct explaining *ex)
{
	const struct flow *inner = &ex->asked.flow;
	CLEANUP(text_done) struct text text = { 0 };
	struct address near, far;

	ex->query = ex->asked;
	if (ex->asked.tunnel[0] == '\0' || spd_has_tunnel(ex->spd, ex->asked.tunnel))
		return 0;
	if (find_ends(ex, &near, &far) < 0)
		return conf_json_add(ex->out, "tunnel_known", json_object_new_boolean(false))
			       ? 0
			       : -ENOMEM;
	ex->query = (struct spd_query){ .flow = {
						.direction = inner->direction,
						.local = near,
						.remote = far,
						.protocol = inner->local.family == AF_INET
								    ? IPPROTO_IPIP
								    : IPPROTO_IPV6,
					} };
	spd_flow_print(&ex->query, &text);
	return !text.failed && conf_json_add(ex->out, "outer", json_object_new_string(text.str))
		       ? 0
		       : -ENOMEM;
}

/* ---- asking the datapath ---- */

static struct bus_writer *datapath_method(const struct explaining *ex, const char *method)
{
	return bus_method_writer(
		ex->bus, conf_datapath.name, conf_datapath.path, conf_datapath.interface, method);
}

/* Sends what the caller wrote. NULL: no answer, and *ret_error says why. */
static struct json_object *take_answer(struct bus_writer *wr, struct bus_error *ret_error)
{
	CLEANUP(bus_reply_freep) struct bus_reply *reply = NULL;
	CLEANUP(freep) char *json = NULL;
	size_t len;

	if (bus_method_call(wr, CHOICE_USEC, &reply, ret_error) < 0 ||
		conf_reply_text(reply, &json, &len) < 0)
		return NULL;
	return json_tokener_parse(json);
}

static bool is_about(struct json_object *choice, const struct rule *rule)
{
	char id[RULE_ID_TEXT_MAX];

	return strcmp(conf_json_string(choice, "rule"), rule_id_format(rule->id, id)) == 0;
}

/* Of what is in force, if the datapath finds the same rule. NULL: not known. */
static struct json_object *ask_in_force(const struct explaining *ex)
{
	CLEANUP(bus_error_done) struct bus_error error = { 0 };
	CLEANUP(json_object_putp) struct json_object *choice = NULL;
	CLEANUP(text_done) struct text flow = { 0 };
	struct bus_writer *wr;

	if (ex->request->with || ex->asked.flow.direction != DIRECTION_OUT)
		return NULL;
	spd_flow_print(&ex->asked, &flow);
	wr = datapath_method(ex, "ChooseSas");
	if (flow.failed || bus_write(wr, "s", flow.str) < 0) {
		bus_writer_free(wr);
		return NULL;
	}
	choice = take_answer(wr, &error);
	return choice && is_about(choice, ex->found.rule) ? STEAL(choice) : NULL;
}

/* The rule that decides, alone. */
static int seal_rule(const struct explaining *ex, int *ret_fd)
{
	CLEANUP(rule_freep) struct rule *rule = rule_copy(ex->found.rule);
	CLEANUP(spd_freep) struct spd *spd = NULL;
	struct snapshot_bytes snap = { 0 };
	int r = rule ? 0 : -ENOMEM;

	if (r == 0) {
		rule->source = 0;
		r = spd_new(&rule, 1, ex->spd->precedence, &spd);
	}
	if (r == 0) {
		rule = NULL; /* the database owns it */
		r = spd_add_source(spd, spd_source(ex->spd, ex->found.rule));
	}
	if (r == 0)
		r = snapshot_write_policy(spd, &snap);
	if (r == 0)
		r = snapshot_seal(&snap, SECTION_POLICY, ret_fd);
	snapshot_bytes_done(&snap);
	return r;
}

static int write_asked(struct bus_writer *wr, const char *flow, int fd)
{
	int r = bus_write(wr, "sh", flow, fd);

	if (r == 0)
		r = bus_open_container(wr, 'a', "{sv}");
	return r < 0 ? r : bus_close_container(wr);
}

/* Of a rule that may not be in force, and of what comes in. */
static struct json_object *ask_by_rule(const struct explaining *ex, struct bus_error *ret_error)
{
	CLEANUP(text_done) struct text flow = { 0 };
	CLEANUP(fd_closep) int fd = -1;
	struct bus_writer *wr;

	spd_flow_print(&ex->query, &flow);
	if (flow.failed || seal_rule(ex, &fd) < 0)
		return NULL;
	wr = datapath_method(ex, "ChooseSasBy");
	if (!wr || write_asked(wr, flow.str, fd) < 0) {
		bus_writer_free(wr);
		return NULL;
	}
	return take_answer(wr, ret_error);
}

/* ---- what it says ---- */

static size_t length_of(struct json_object *list)
{
	return json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
}

/* SAs in the order in which they are applied. */
static bool add_pair(struct json_object *to, struct json_object *sas)
{
	static const char *const keys[] = { "sa", "sa_outer" };
	size_t count = length_of(sas);

	for (size_t i = 0; i < count && i < ARRAY_SIZE(keys); i++)
		if (!conf_json_add(to, keys[i], json_object_get(json_object_array_get_idx(sas, i))))
			return false;
	return true;
}

/* The first way that a packet could have come stands for all; the others behind it. */
static bool add_ways(const struct explaining *ex, struct json_object *ways)
{
	struct json_object *others = json_object_new_array();
	size_t count = length_of(ways);

	if (!others || !conf_json_add(ex->out, "others", others))
		return false;
	for (size_t i = 0; i < count; i++) {
		struct json_object *way = json_object_array_get_idx(ways, i);
		struct json_object *row = i == 0 ? ex->out : json_object_new_object();

		if (!row || (i > 0 && json_object_array_add(others, row) < 0) ||
			!add_pair(row, json_object_object_get(way, "sas")))
			return false;
	}
	return true;
}

/* Whom key management would be asked about. */
static bool add_acquire(const struct explaining *ex, struct json_object *choice)
{
	struct json_object *acquire = json_object_new_object();

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

static bool add_choice(const struct explaining *ex, struct json_object *choice)
{
	struct json_object *sas = json_object_object_get(choice, "sas");

	if (ex->query.flow.direction == DIRECTION_IN)
		return add_ways(ex, json_object_object_get(choice, "ways"));
	if (length_of(sas) > 0)
		return add_pair(ex->out, sas);
	/* Without a rule the datapath has no such tunnel. */
	return !is_about(choice, ex->found.rule) || add_acquire(ex, choice);
}

bool conf_explain_sas(const struct explaining *ex)
{
	CLEANUP(bus_error_done) struct bus_error error = { 0 };
	CLEANUP(json_object_putp) struct json_object *choice = NULL;

	if (ex->bus)
		choice = ask_in_force(ex);
	if (ex->bus && !choice)
		choice = ask_by_rule(ex, &error);
	if (!conf_json_add(ex->out, "datapath", json_object_new_boolean(choice != NULL)))
		return false;
	return !choice || add_choice(ex, choice);
}

/* ---- for people ---- */

static void print_sa(const char *title, struct json_object *sa)
{
	(void)printf("%s%s spi %s from %s to %s, %s%s%s\n", title, conf_json_string(sa, "proto"),
		conf_json_string(sa, "spi"), conf_json_string(sa, "source"),
		conf_json_string(sa, "destination"), conf_json_string(sa, "encryption"),
		*conf_json_string(sa, "encryption") ? " " : "",
		conf_json_string(sa, "authentication"));
}

static void print_pair(const char *title, struct json_object *row)
{
	struct json_object *outer = json_object_object_get(row, "sa_outer");

	print_sa(title, json_object_object_get(row, "sa"));
	if (outer)
		print_sa("  in ", outer);
}

static void print_none(struct json_object *out)
{
	struct json_object *acquire = json_object_object_get(out, "acquire");

	if (acquire)
		(void)printf("SA: none; an ACQUIRE for %s from %s to %s would be sent, and the "
			     "packet dropped unless an SA comes of it\n",
			conf_json_string(acquire, "protocol"), conf_json_string(acquire, "source"),
			conf_json_string(acquire, "destination"));
	else if (!json_object_get_boolean(json_object_object_get(out, "datapath")))
		(void)printf("SA: not known, ipsec-datapath.service does not run\n");
	else if (json_object_object_get(out, "others"))
		(void)printf("SA: none that it could have come by\n");
	else
		(void)printf("SA: none, the datapath does not have this tunnel\n");
}

void conf_explain_print_sas(struct json_object *out)
{
	struct json_object *others = json_object_object_get(out, "others");

	if (!json_object_object_get(out, "datapath"))
		return; /* it was not asked: nothing is protected */
	if (!json_object_object_get(out, "sa")) {
		print_none(out);
		return;
	}
	print_pair("SA: ", out);
	for (size_t i = 0; i < length_of(others); i++)
		print_pair("or  ", json_object_array_get_idx(others, i));
}
