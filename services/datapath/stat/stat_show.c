/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tables on standard output: aligned, cut to nothing, without lines. */
#include <errno.h>
#include <inttypes.h>
#include <libsmartcols/libsmartcols.h>
#include <string.h>

#include "services/datapath/stat/stat.h"

/* One column of a listing: its head, and where its text comes from. */
struct column {
	const char *head;
	int flags;
	void (*cell)(struct json_object *entry, struct text *text);
};

static const char *str_of(struct json_object *entry, const char *key)
{
	struct json_object *value;

	return json_object_object_get_ex(entry, key, &value) ? json_object_get_string(value) : "";
}

static uint64_t number_of(struct json_object *entry, const char *key)
{
	struct json_object *value;

	return json_object_object_get_ex(entry, key, &value) ? json_object_get_uint64(value) : 0;
}

static void add_number(struct json_object *entry, const char *key, struct text *text)
{
	text_addf(text, "%" PRIu64, number_of(entry, key));
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
	text_add(text, str_of(entry, "id"));
}

static void cell_rule(struct json_object *entry, struct text *text)
{
	text_add(text, str_of(entry, "text"));
}

static const struct column rule_columns[] = {
	{ "INDEX", SCOLS_FL_RIGHT, cell_index },
	{ "PACKETS", SCOLS_FL_RIGHT, cell_packets },
	{ "BYTES", SCOLS_FL_RIGHT, cell_bytes },
	{ "ID", 0, cell_id },
	{ "RULE", 0, cell_rule },
};

/* ---- SAs ---- */

static void cell_proto(struct json_object *entry, struct text *text)
{
	text_add(text, str_of(entry, "proto"));
}

static void cell_spi(struct json_object *entry, struct text *text)
{
	text_add(text, str_of(entry, "spi"));
}

static void cell_way(struct json_object *entry, struct text *text)
{
	text_addf(text, "%s %s", str_of(entry, "direction"), str_of(entry, "mode"));
}

static void cell_ends(struct json_object *entry, struct text *text)
{
	const char *src = str_of(entry, "source");

	text_addf(text, "%s > %s", src[0] ? src : "any", str_of(entry, "destination"));
}

static void cell_algorithms(struct json_object *entry, struct text *text)
{
	const char *encr = str_of(entry, "encryption"), *auth = str_of(entry, "authentication");

	text_addf(text, "%s%s%s", encr, encr[0] && auth[0] ? "+" : "", auth);
}

static void cell_provider(struct json_object *entry, struct text *text)
{
	text_add(text, str_of(entry, "provider"));
}

static void cell_state(struct json_object *entry, struct text *text)
{
	text_add(text, str_of(entry, "state"));
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

static const struct column sa_columns[] = {
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

/* ---- both ---- */

static void drop_table(struct libscols_table **table)
{
	scols_unref_table(*table); /* takes NULL */
}

static int add_row(struct libscols_table *out, const struct column *columns, size_t n,
	struct json_object *entry)
{
	struct libscols_line *line = scols_table_new_line(out, NULL);

	if (!line)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		struct text text = { 0 };
		char *str = NULL;
		int r;

		columns[i].cell(entry, &text);
		r = text_take(&text, &str);
		if (r == 0 && scols_line_refer_data(line, i, str) < 0) {
			free(str);
			r = -ENOMEM;
		}
		if (r < 0)
			return r;
	}
	return 0;
}

static int show_list(struct json_object *list, const struct column *columns, size_t n)
{
	CLEANUP(drop_table) struct libscols_table *out = scols_new_table();
	size_t count = json_object_is_type(list, json_type_array) ? json_object_array_length(list)
								  : 0;

	if (!out)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		if (!scols_table_new_column(out, columns[i].head, 0, columns[i].flags))
			return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		int r = add_row(out, columns, n, json_object_array_get_idx(list, i));

		if (r < 0)
			return r;
	}
	/* An empty table prints nothing at all: its head is worth a line. */
	if (count == 0) {
		for (size_t i = 0; i < n; i++)
			printf("%s%s", columns[i].head, i + 1 < n ? " " : "\n");
		return 0;
	}
	return scols_print_table(out) < 0 ? -EIO : 0;
}

int stat_show_sas(struct json_object *listing)
{
	struct json_object *list = NULL;

	(void)json_object_object_get_ex(listing, "sas", &list); /* absent: NULL */
	return show_list(list, sa_columns, ARRAY_SIZE(sa_columns));
}

int stat_show_rules(struct json_object *listing)
{
	struct json_object *list = NULL;

	(void)json_object_object_get_ex(listing, "rules", &list); /* absent: NULL */
	return show_list(list, rule_columns, ARRAY_SIZE(rule_columns));
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
