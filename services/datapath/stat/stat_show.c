/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rules, SAs and counters as tables. */
#include <errno.h>
#include <inttypes.h>
#include <libsmartcols/libsmartcols.h>
#include <string.h>

#include "services/datapath/stat/stat_table.h"

static void add_number(struct json_object *entry, const char *key, struct text *text)
{
	text_addf(text, "%" PRIu64, stat_number(entry, key));
}

/* ---- rules ---- */

static void cell_index(struct json_object *entry, struct text *text)
{
	add_number(entry, "index", text);
}

static void cell_packets(struct json_object *entry, struct text *text)
{
	add_number(entry, "packets", text);
}

static void cell_bytes(struct json_object *entry, struct text *text)
{
	add_number(entry, "bytes", text);
}

static void cell_id(struct json_object *entry, struct text *text)
{
	text_add(text, stat_string(entry, "id"));
}

/* Where somebody wrote it: "FILE:LINE", or how it came. */
static void cell_place(struct json_object *entry, struct text *text)
{
	uint64_t line = stat_number(entry, "line");

	text_add(text, stat_string(entry, "source"));
	if (line)
		text_addf(text, ":%" PRIu64, line);
}

static void cell_rule(struct json_object *entry, struct text *text)
{
	text_add(text, stat_string(entry, "text"));
}

static const struct stat_column rule_columns[] = {
	{ "INDEX", SCOLS_FL_RIGHT, cell_index },
	{ "PACKETS", SCOLS_FL_RIGHT, cell_packets },
	{ "BYTES", SCOLS_FL_RIGHT, cell_bytes },
	{ "ID", 0, cell_id },
	{ "PLACE", 0, cell_place },
	{ "RULE", 0, cell_rule },
};

/* ---- SAs ---- */

static void cell_proto(struct json_object *entry, struct text *text)
{
	text_add(text, stat_string(entry, "proto"));
}

static void cell_spi(struct json_object *entry, struct text *text)
{
	text_add(text, stat_string(entry, "spi"));
}

static void cell_way(struct json_object *entry, struct text *text)
{
	text_addf(text, "%s %s", stat_string(entry, "direction"), stat_string(entry, "mode"));
}

static void cell_ends(struct json_object *entry, struct text *text)
{
	const char *src = stat_string(entry, "source");

	text_addf(text, "%s > %s", src[0] ? src : "any", stat_string(entry, "destination"));
}

static void cell_algorithms(struct json_object *entry, struct text *text)
{
	const char *encr = stat_string(entry, "encryption"),
		   *auth = stat_string(entry, "authentication");

	text_addf(text, "%s%s%s", encr, encr[0] && auth[0] ? "+" : "", auth);
}

static void cell_provider(struct json_object *entry, struct text *text)
{
	text_add(text, stat_string(entry, "provider"));
}

static void cell_state(struct json_object *entry, struct text *text)
{
	text_add(text, stat_string(entry, "state"));
}

static void cell_errors(struct json_object *entry, struct text *text)
{
	add_number(entry, "errors", text);
}

static void cell_sequence(struct json_object *entry, struct text *text)
{
	struct json_object *value;

	add_number(entry,
		json_object_object_get_ex(entry, "sequence", &value) ? "sequence" : "replay_top",
		text);
}

static const struct stat_column sa_columns[] = {
	{ "PROTO", 0, cell_proto },
	{ "SPI", 0, cell_spi },
	{ "ENDS", 0, cell_ends },
	{ "USE", 0, cell_way },
	{ "ALGORITHMS", 0, cell_algorithms },
	{ "BY", 0, cell_provider },
	{ "STATE", 0, cell_state },
	{ "SEQUENCE", SCOLS_FL_RIGHT, cell_sequence },
	{ "PACKETS", SCOLS_FL_RIGHT, cell_packets },
	{ "BYTES", SCOLS_FL_RIGHT, cell_bytes },
	{ "ERRORS", SCOLS_FL_RIGHT, cell_errors },
};

static void drop_table(struct libscols_table **table)
{
	scols_unref_table(*table); /* takes NULL */
}

int stat_show_sas(struct json_object *listing)
{
	struct json_object *list = NULL;

	(void)json_object_object_get_ex(listing, "sas", &list); /* absent: NULL */
	return stat_show_list(list, sa_columns, ARRAY_SIZE(sa_columns));
}

int stat_show_rules(struct json_object *listing)
{
	struct json_object *list = NULL;

	(void)json_object_object_get_ex(listing, "rules", &list); /* absent: NULL */
	return stat_show_list(list, rule_columns, ARRAY_SIZE(rule_columns));
}

/* ---- counters ---- */

/* A counter that this command does not know is shown without words. */
static const char *counter_text(const char *name, int *ret_drop)
{
	for (size_t i = 0; i < VERDICT_COUNT; i++)
		if (strcmp(verdict_name((enum verdict)i), name) == 0) {
			*ret_drop = verdict_is_drop((enum verdict)i);
			return verdict_text((enum verdict)i);
		}
	*ret_drop = 0;
	return "";
}

static int add_counter(struct libscols_table *out, const struct stat_counter *counter)
{
	struct libscols_line *line = scols_table_new_line(out, NULL);
	char packets[24];
	const char *words;
	int drop, r;

	if (!line)
		return -ENOMEM;
	words = counter_text(counter->name, &drop);
	r = text_fixed(packets, sizeof(packets), "%" PRIu64, counter->packets);
	if (r < 0)
		return r;
	if (scols_line_set_data(line, 0, counter->name) < 0 ||
		scols_line_set_data(line, 1, packets) < 0 ||
		scols_line_set_data(line, 2, drop ? "dropped" : "passed") < 0 ||
		scols_line_set_data(line, 3, words) < 0)
		return -ENOMEM;
	return 0;
}

static int show_counters_json(const struct stat_counter *counters, size_t count)
{
	struct json_object *out = json_object_new_object(), *list = json_object_new_object();

	if (!out || !list)
		return -ENOMEM;
	(void)json_object_object_add(out, "version", json_object_new_int(1));
	(void)json_object_object_add(out, "counters", list);
	for (size_t i = 0; i < count; i++)
		(void)json_object_object_add(
			list, counters[i].name, json_object_new_uint64(counters[i].packets));
	puts(json_object_to_json_string_ext(out, JSON_C_TO_STRING_PLAIN));
	(void)json_object_put(out);
	return 0;
}

int stat_show_counters(
	const struct stat_counter *counters, size_t count, const struct stat_request *request)
{
	static const struct {
		const char *head;
		int flags;
	} heads[] = { { "COUNTER", 0 }, { "PACKETS", SCOLS_FL_RIGHT }, { "FATE", 0 },
		{ "MEANING", 0 } };
	CLEANUP(drop_table) struct libscols_table *out = NULL;
	size_t shown = 0;
	int r = 0;

	if (request->json)
		return show_counters_json(counters, count);
	out = scols_new_table();
	if (!out)
		return -ENOMEM;
	for (size_t i = 0; i < ARRAY_SIZE(heads); i++)
		if (!scols_table_new_column(out, heads[i].head, 0, heads[i].flags))
			return -ENOMEM;
	for (size_t i = 0; i < count && r == 0; i++) {
		if (!request->all && counters[i].packets == 0)
			continue;
		shown++;
		r = add_counter(out, &counters[i]);
	}
	if (r < 0)
		return r;
	if (shown == 0) {
		puts("no packets yet (-a shows every counter)");
		return 0;
	}
	return scols_print_table(out) < 0 ? -EIO : 0;
}
