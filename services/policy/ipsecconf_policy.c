/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/policy/ipsecconf_policy.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "common/base/memfd.h"
#include "common/conf/resolve_job.h"
#include "common/daemon/algs.h"
#include "common/snapshot/snapshot.h"
#include "services/policy/policy_file.h"
#include "services/policy/policyd_names.h"

static int read_snapshot(struct bus_reply *reply, struct spd **ret_spd)
{
	CLEANUP(fd_closep) int fd = -1;
	struct memfd_view view = { 0 };
	int r = bus_read(bus_reply_reader(reply), "h", &fd);

	if (r == 0)
		r = memfd_map(fd, SNAPSHOT_MAX_BYTES, &view);
	if (r < 0)
		return r;
	r = snapshot_read_policy(view.bytes, view.len, ret_spd);
	memfd_unmap(&view);
	return r;
}

int conf_policy_published(struct bus *bus, struct spd **ret_spd)
{
	CLEANUP(bus_reply_freep) struct bus_reply *reply = NULL;
	CLEANUP(bus_error_done) struct bus_error error = { 0 };
	int r = bus_method_call(
		conf_policy_method(bus, "GetSnapshot"), BUS_DEFAULT_USEC, &reply, &error);

	if (r == -ENOTCONN)
		return r;
	if (r < 0)
		return conf_bus_failed(r, &error, POLICYD_UNIT);
	r = read_snapshot(reply, ret_spd);
	if (r < 0)
		(void)fprintf(stderr, "ipsecconf: %s: the policy cannot be read: %s\n",
			POLICYD_UNIT, strerror(-r));
	return r;
}

/* What is wrong with a file is told as -c tells it; its warnings are not asked for here. */
static int parse_file(struct policy_input *input, bool audit, struct spd **ret_spd)
{
	CLEANUP(conf_diags_freep) struct conf_diags *diags = conf_diags_new();
	CLEANUP(policy_file_freep) struct policy_file *policy = NULL;
	CLEANUP(alg_table_freep) struct alg_table *algs = NULL;
	CLEANUP(text_done) struct text text = { 0 };
	int r = diags ? algs_load(NULL, diags, &algs) : -ENOMEM;

	input->algs = algs;
	if (r == 0)
		r = policy_parse_bounded(input, RESOLVE_TIMEOUT_USEC, diags, &policy);
	for (size_t i = 0; r == 0 && audit && i < policy->n_entries; i++)
		policy->entries[i].audit = true;
	if (r == 0)
		return policy_file_spd(policy, input->precedence, ret_spd);
	if (diags)
		conf_diags_print(diags, &text);
	conf_print_text(stderr, &text);
	(void)fprintf(stderr, "Fatal error - exiting.\n");
	return r;
}

int conf_policy_of_file(const struct conf_request *request, const char *file,
	enum spd_precedence precedence, struct spd **ret_spd)
{
	CLEANUP(freep) char *source = NULL;
	struct policy_input input = {
		.resolver = &resolver_system,
		.precedence = precedence,
		.extensions = request->extensions,
	};
	int r = conf_read_source(file, &source, &input.len, &input.label);

	if (r < 0)
		return r;
	input.source = source;
	return parse_file(&input, request->audit, ret_spd);
}

int conf_policy_without_fragments(const struct spd *spd, struct spd **ret_spd)
{
	size_t all = spd->count + spd->n_audit, count = 0;
	CLEANUP(freep) struct rule **rules = calloc(all ? all : 1, sizeof(struct rule *));
	int r = rules ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < all; i++) {
		const struct rule *rule = i < spd->count ? spd->rules[i]
							 : spd->audit[i - spd->count];
		struct rule *copy;

		if (strncmp(spd_source(spd, rule), POLICY_FRAGMENT_LABEL,
			    strlen(POLICY_FRAGMENT_LABEL)) == 0)
			continue;
		copy = rule_copy(rule);
		if (copy)
			rules[count++] = copy;
		else
			r = -ENOMEM;
	}
	if (r == 0)
		r = spd_new(rules, count, spd->precedence, ret_spd);
	if (r < 0) {
		for (size_t i = 0; i < count; i++)
			rule_free(rules[i]);
		return r;
	}
	for (size_t i = 0; r == 0 && i < spd->n_sources; i++)
		r = spd_add_source(*ret_spd, spd->sources[i]);
	if (r < 0)
		*ret_spd = spd_free(*ret_spd);
	return r;
}

struct alg_table *conf_algs(void)
{
	CLEANUP(conf_diags_freep) struct conf_diags *diags = conf_diags_new();
	struct alg_table *algs = NULL;

	return diags && algs_load(NULL, diags, &algs) == 0 ? algs : NULL;
}

bool conf_json_add(struct json_object *to, const char *key, struct json_object *value)
{
	if (to && json_object_object_add(to, key, value) == 0)
		return true;
	json_object_put(value);
	return false;
}

const char *conf_json_string(struct json_object *row, const char *key)
{
	const char *str = json_object_get_string(json_object_object_get(row, key));

	return str ? str : "";
}

struct json_object *conf_rule_json(
	const struct spd *spd, const struct rule *rule, const struct alg_table *algs)
{
	CLEANUP(json_object_putp) struct json_object *row = json_object_new_object();
	CLEANUP(text_done) struct text text = { 0 };
	char id[RULE_ID_TEXT_MAX];

	rule_print(rule, algs, rule->directions, &text);
	if (text.failed ||
		!conf_json_add(row, "source", json_object_new_string(spd_source(spd, rule))) ||
		!conf_json_add(row, "line", json_object_new_int64(rule->line)) ||
		!conf_json_add(row, "index", json_object_new_int64(rule->index)) ||
		!conf_json_add(row, "tunnel", json_object_new_string(rule->tunnel)) ||
		!conf_json_add(row, "id", json_object_new_string(rule_id_format(rule->id, id))) ||
		!conf_json_add(row, "audit", json_object_new_boolean(rule->audit)) ||
		!conf_json_add(row, "text", json_object_new_string(text.str)))
		return NULL;
	return STEAL(row);
}

void conf_rule_line(struct json_object *rule, struct text *text)
{
	text_addf(text, "%s:%" PRId64 ": %s", conf_json_string(rule, "source"),
		json_object_get_int64(json_object_object_get(rule, "line")),
		conf_json_string(rule, "text"));
}
