/* SPDX-License-Identifier: GPL-2.0-or-later */
/* OpenMetrics' text format, for a collector to read from a file or a socket. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "services/datapath/stat/stat_table.h"

struct label {
	const char *name, *value;
};

static void add_escaped(struct text *out, const char *value)
{
	for (; *value; value++) {
		if (*value == '\\' || *value == '"')
			text_add_char(out, '\\');
		if (*value == '\n')
			text_add(out, "\\n");
		else
			text_add_char(out, *value);
	}
}

static void add_family(struct text *out, const char *name, const char *type, const char *help)
{
	text_addf(out, "# TYPE %s %s\n# HELP %s %s\n", name, type, name, help);
}

/* Labels without a value are left out. */
static void add_sample(
	struct text *out, const char *name, const struct label *labels, size_t n, uint64_t value)
{
	const char *before = "{";

	text_add(out, name);
	for (size_t i = 0; i < n; i++) {
		if (*labels[i].value == '\0')
			continue;
		text_addf(out, "%s%s=\"", before, labels[i].name);
		add_escaped(out, labels[i].value);
		text_add_char(out, '"');
		before = ",";
	}
	text_addf(out, "%s %" PRIu64 "\n", *before == ',' ? "}" : "", value);
}

/* ---- packets by what became of them ---- */

static bool is_drop(const char *name)
{
	for (size_t i = 0; i < VERDICT_COUNT; i++)
		if (strcmp(verdict_name((enum verdict)i), name) == 0)
			return verdict_is_drop((enum verdict)i);
	return false;
}

static void add_counters(
	struct text *out, const struct stat_counter *counters, size_t n, bool drops)
{
	for (size_t i = 0; i < n; i++) {
		const struct label reason = { "reason", counters[i].name };

		if (is_drop(counters[i].name) == drops)
			add_sample(out,
				drops ? "ipsec_dropped_packets_total"
				      : "ipsec_passed_packets_total",
				&reason, 1, counters[i].packets);
	}
}

/* ---- listings ---- */

static struct json_object *list_of(struct json_object *listing, const char *key)
{
	struct json_object *list = NULL;

	(void)json_object_object_get_ex(listing, key, &list);
	return list;
}

static const char *const rule_labels[] = { "id", "direction", "tunnel", "source", "line", "audit" };
static const char *const sa_labels[] = { "proto", "spi", "destination", "direction" };
static const char *const sa_info_labels[] = { "proto", "spi", "source", "destination", "direction",
	"mode", "state", "encryption", "authentication" };

#define LABELS_MAX 9

/* Entries of a listing: which of their members tell them apart. */
struct entries {
	struct json_object *list; /* borrowed */
	const char *const *labels;
	size_t n_labels;
	const char *id; /* what the member "id" is called; NULL: there is none */
};

/* One family over the entries; @member: what is told of each, NULL: 1. */
static void add_samples(
	struct text *out, const struct entries *entries, const char *name, const char *member)
{
	size_t count = entries->list ? json_object_array_length(entries->list) : 0;

	for (size_t i = 0; i < count; i++) {
		struct json_object *entry = json_object_array_get_idx(entries->list, i);
		struct label labels[LABELS_MAX];

		for (size_t k = 0; k < entries->n_labels; k++) {
			const char *label = entries->labels[k];
			bool is_id = strcmp(label, "id") == 0;

			labels[k] = (struct label){ is_id ? entries->id : label,
				stat_string(entry, label) };
		}
		add_sample(out, name, labels, entries->n_labels,
			member ? stat_number(entry, member) : 1);
	}
}

static void add_build(struct text *out)
{
	static const struct label version = { "version", NETIPSEC_VERSION };

	add_family(out, "ipsec_build", "info", "The suite that answers");
	add_sample(out, "ipsec_build_info", &version, 1, 1);
}

static int fetch_json(
	struct bus *bus, const char *method, struct json_object **ret, struct bus_error *ret_error)
{
	CLEANUP(freep) char *text = NULL;
	int r = stat_fetch_listing(bus, method, &text, ret_error);

	if (r < 0)
		return r;
	*ret = json_tokener_parse(text);
	return *ret ? 0 : -EBADMSG;
}

static void print_all(struct text *out, const struct stat_counter *counters, size_t n,
	struct json_object *rules, struct json_object *sas)
{
	const struct entries all_rules = { list_of(rules, "rules"), rule_labels,
		ARRAY_SIZE(rule_labels), "rule" };
	const struct entries all_sas = { list_of(sas, "sas"), sa_labels, ARRAY_SIZE(sa_labels),
		NULL };
	const struct entries infos = { all_sas.list, sa_info_labels, ARRAY_SIZE(sa_info_labels),
		NULL };

	add_build(out);
	add_family(
		out, "ipsec_policy_generation", "gauge", "Number of the policy in force, 0: none");
	add_sample(out, "ipsec_policy_generation", NULL, 0, stat_number(rules, "generation"));
	add_family(out, "ipsec_passed_packets", "counter", "Packets that were passed, and how");
	add_counters(out, counters, n, false);
	add_family(out, "ipsec_dropped_packets", "counter", "Packets that were dropped, and why");
	add_counters(out, counters, n, true);
	add_family(out, "ipsec_rule_packets", "counter", "Packets that a rule decided");
	add_samples(out, &all_rules, "ipsec_rule_packets_total", "packets");
	add_family(out, "ipsec_rule_bytes", "counter", "Bytes that a rule decided");
	add_samples(out, &all_rules, "ipsec_rule_bytes_total", "bytes");
	add_family(out, "ipsec_sas", "gauge", "Security associations");
	add_sample(out, "ipsec_sas", NULL, 0,
		all_sas.list ? json_object_array_length(all_sas.list) : 0);
	add_family(out, "ipsec_sa", "info", "What a security association is");
	add_samples(out, &infos, "ipsec_sa_info", NULL);
	add_family(out, "ipsec_sa_packets", "counter", "Packets through a security association");
	add_samples(out, &all_sas, "ipsec_sa_packets_total", "packets");
	add_family(out, "ipsec_sa_bytes", "counter", "Bytes through it, as its lifetime counts");
	add_samples(out, &all_sas, "ipsec_sa_bytes_total", "bytes");
	add_family(out, "ipsec_sa_errors", "counter", "Packets that failed ICV or replay check");
	add_samples(out, &all_sas, "ipsec_sa_errors_total", "errors");
	text_add(out, "# EOF\n");
}

int stat_collect_metrics(struct bus *bus, struct text *out, struct bus_error *ret_error)
{
	struct json_object *rules = NULL, *sas = NULL;
	CLEANUP(freep) struct stat_counter *counters = calloc(VERDICT_COUNT, sizeof(*counters));
	size_t n = 0;
	int r = counters ? stat_fetch_counters(bus, counters, &n, ret_error) : -ENOMEM;

	if (r == 0)
		r = fetch_json(bus, "ListRules", &rules, ret_error);
	if (r == 0)
		r = fetch_json(bus, "DumpSas", &sas, ret_error);
	if (r == 0)
		print_all(out, counters, n, rules, sas);
	(void)json_object_put(rules);
	(void)json_object_put(sas);
	return r == 0 && out->failed ? -ENOMEM : r;
}

int stat_openmetrics(struct bus *bus, struct bus_error *ret_error)
{
	CLEANUP(text_done) struct text out = { 0 };
	int r = stat_collect_metrics(bus, &out, ret_error);

	if (r == 0)
		fputs(out.str, stdout);
	return r;
}
