/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ipsecconf -l and -L: the rules in force, from the datapath. */
#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <libsmartcols/libsmartcols.h>
#include <net/if.h>
#include <string.h>

#include "common/base/memfd.h"
#include "services/policy/ipsecconf.h"
#include "services/policy/policy_names.h"

DEFINE_CLEANUP(struct json_object *, json_object_put)

#define RULE_KEY "text"

static const char *row_string(struct json_object *row, const char *key)
{
	const char *str = json_object_get_string(json_object_object_get(row, key));

	return str ? str : "";
}

static uint64_t row_number(struct json_object *row, const char *key)
{
	return json_object_get_uint64(json_object_object_get(row, key));
}

/* ---- which rows, in which order ---- */

static bool is_wanted(const struct conf_request *request, struct json_object *row)
{
	const char *tunnel = row_string(row, "tunnel");

	if (request->command == COMMAND_LIST_ALL)
		return true;
	return strcmp(tunnel, request->interface ? request->interface : "") == 0;
}

/* Where a row's direction stands: outbound rows first, with those that hold for both. */
static int direction_rank(struct json_object *row)
{
	return strcmp(row_string(row, "direction"), "in") == 0;
}

/* Host before tunnels, a tunnel's rows together, outbound before inbound; else as they came. */
static int compare_rows(const void *x, const void *y)
{
	struct json_object *const *a = x, *const *b = y;
	int r = strcmp(row_string(*a, "tunnel"), row_string(*b, "tunnel"));
	uint64_t at_a = row_number(*a, "position"), at_b = row_number(*b, "position");

	if (r == 0)
		r = direction_rank(*a) - direction_rank(*b);
	return r ? r : (at_a > at_b) - (at_a < at_b);
}

/* The wanted rows of the listing, borrowed from it. */
static int select_rows(const struct conf_request *request, struct json_object *listing,
	struct json_object ***ret_rows, size_t *ret_count)
{
	struct json_object *rules = json_object_object_get(listing, "rules");
	CLEANUP(freep) struct json_object **rows = NULL;
	size_t all, count = 0;

	if (!json_object_is_type(rules, json_type_array))
		return -EBADMSG;
	all = json_object_array_length(rules);
	rows = calloc(all ? all : 1, sizeof(struct json_object *));
	if (!rows)
		return -ENOMEM;
	for (size_t i = 0; i < all; i++) {
		struct json_object *row = json_object_array_get_idx(rules, i);

		if (!json_object_is_type(row, json_type_object))
			return -EBADMSG;
		if (!is_wanted(request, row))
			continue;
		if (json_object_object_add(row, "position", json_object_new_uint64(i)) < 0)
			return -ENOMEM;
		rows[count++] = row;
	}
	qsort(rows, count, sizeof(struct json_object *), compare_rows);
	*ret_rows = STEAL(rows);
	*ret_count = count;
	return 0;
}

/* ---- three ways to print them ---- */

/* One rule for both directions is two SPD entries, with addresses; twice as many without. */
static uint64_t index_of(struct json_object *row, bool outbound)
{
	const char *text = row_string(row, "text");
	uint64_t last = row_number(row, "index");
	uint64_t families = strstr(text, "addr ") ? 1 : 2;

	if (!outbound || strcmp(row_string(row, "direction"), "both") != 0)
		return last;
	return last > families ? last - families : last;
}

/* It decides nothing: read back it would, so that its text is a comment, too. */
static bool is_audit(struct json_object *row)
{
	return json_object_get_boolean(json_object_object_get(row, "audit"));
}

/* The text of a rule for one of its directions; an entry of the listing has just one. */
static void add_rule_text(const struct conf_request *request, struct json_object *row,
	bool outbound, struct text *out)
{
	CLEANUP(text_done) struct text rule = { 0 }, named = { 0 };
	const char *indent = is_audit(row) ? "#\t" : "\t";
	const char *text = row_string(row, "text");
	const char *both = strstr(text, " dir both }");

	if (both) {
		text_add_bytes(&rule, text, (size_t)(both - text));
		text_add(&rule, outbound ? " dir out }" : " dir in }");
		text_add(&rule, both + strlen(" dir both }"));
	} else {
		text_add(&rule, text);
	}
	if (rule.failed || !rule.str)
		out->failed = rule.failed;
	else if (request->numeric)
		policy_lines_print(rule.str, indent, out);
	else
		policy_names_print(rule.str, &namer_system, &named);
	if (named.str)
		policy_lines_print(named.str, indent, out);
	out->failed |= named.failed;
}

static bool has_direction(struct json_object *row, bool outbound)
{
	const char *direction = row_string(row, "direction");

	return strcmp(direction, outbound ? "out" : "in") == 0 || strcmp(direction, "both") == 0;
}

/* As a comment, so that the listing still reads back. One count is for both directions of a rule. */
static void add_counters(struct json_object *row, struct text *out)
{
	text_addf(out, "#COUNTERS packets=%" PRIu64 " bytes=%" PRIu64 " source=%s:%" PRIu64 "%s\n",
		row_number(row, "packets"), row_number(row, "bytes"), row_string(row, "source"),
		row_number(row, "line"),
		strcmp(row_string(row, "direction"), "both") == 0 ? " (both directions)" : "");
}

/* Rows of one head. Each direction stands in match order, which is the rows' own. */
static void add_head(const struct conf_request *request, struct json_object *const *rows,
	size_t count, struct text *out)
{
	for (int outbound = 1; outbound >= 0; outbound--) {
		for (size_t i = 0; i < count; i++) {
			const char *tunnel = row_string(rows[i], "tunnel");

			if (!has_direction(rows[i], outbound))
				continue;
			text_addf(out, "%sINDEX %s%s%" PRIu64 "\n",
				is_audit(rows[i]) ? "#AUDIT " : "#", tunnel, *tunnel ? "," : "",
				index_of(rows[i], outbound));
			if (request->counters)
				add_counters(rows[i], out);
			if (is_audit(rows[i]))
				text_add(out, "#");
			add_rule_text(request, rows[i], outbound, out);
			text_add_char(out, '\n');
		}
	}
}

static int by_position(const void *x, const void *y)
{
	struct json_object *const *a = x, *const *b = y;
	uint64_t at_a = row_number(*a, "position"), at_b = row_number(*b, "position");

	return (at_a > at_b) - (at_a < at_b);
}

static int print_text(const struct conf_request *request, struct json_object **rows, size_t count)
{
	CLEANUP(text_done) struct text text = { 0 };

	for (size_t from = 0, to; from < count; from = to) {
		const char *tunnel = row_string(rows[from], "tunnel");

		for (to = from; to < count && strcmp(row_string(rows[to], "tunnel"), tunnel) == 0;)
			to++;
		qsort(rows + from, to - from, sizeof(struct json_object *), by_position);
		add_head(request, rows + from, to - from, &text);
	}
	if (text.str)
		(void)fputs(text.str, stdout);
	return text.failed ? -ENOMEM : 0;
}

static int print_json(struct json_object *listing, struct json_object *const *rows, size_t count)
{
	CLEANUP(json_object_putp) struct json_object *out = json_object_new_object();
	struct json_object *list = json_object_new_array();
	struct json_object *generation = json_object_object_get(listing, "generation");

	if (!out || !list)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		json_object_object_del(rows[i], "position");
		if (json_object_array_add(list, json_object_get(rows[i])) < 0)
			return -ENOMEM;
	}
	if (json_object_object_add(out, "version", json_object_new_int(1)) < 0 ||
		json_object_object_add(out, "generation", json_object_get(generation)) < 0 ||
		json_object_object_add(out, "rules", list) < 0)
		return -ENOMEM;
	(void)puts(json_object_to_json_string_ext(out, JSON_C_TO_STRING_PLAIN));
	return 0;
}

static const struct {
	const char *title;
	const char *key;
	int flags;
} columns[] = {
	{ "INDEX", "index", SCOLS_FL_RIGHT }, { "TUNNEL", "tunnel", 0 }, { "DIR", "direction", 0 },
	{ "LINE", "line", SCOLS_FL_RIGHT }, { "PACKETS", "packets", SCOLS_FL_RIGHT },
	{ "BYTES", "bytes", SCOLS_FL_RIGHT }, { "RULE", RULE_KEY, SCOLS_FL_TRUNC }, /* the last */
};

static int fill_line(
	const struct conf_request *request, struct json_object *row, struct libscols_line *line)
{
	CLEANUP(text_done) struct text rule = { 0 };
	int r = 0;

	for (size_t c = 0; r == 0 && c < ARRAY_SIZE(columns); c++)
		r = scols_line_set_data(line, c, row_string(row, columns[c].key));
	if (r < 0 || request->numeric)
		return r;
	policy_names_print(row_string(row, RULE_KEY), &namer_system, &rule);
	if (rule.failed)
		return -ENOMEM;
	return scols_line_set_data(line, ARRAY_SIZE(columns) - 1, rule.str ? rule.str : "");
}

static int fill_table(const struct conf_request *request, struct libscols_table *table,
	struct json_object *const *rows, size_t count)
{
	for (size_t i = 0; i < ARRAY_SIZE(columns); i++)
		if (!scols_table_new_column(table, columns[i].title, 0, columns[i].flags))
			return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		struct libscols_line *line = scols_table_new_line(table, NULL);

		if (!line || fill_line(request, rows[i], line) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int print_table(
	const struct conf_request *request, struct json_object *const *rows, size_t count)
{
	struct libscols_table *table = scols_new_table();
	int r;

	if (!table)
		return -ENOMEM;
	r = fill_table(request, table, rows, count);
	if (r == 0)
		r = scols_print_table(table);
	scols_unref_table(table);
	return r;
}

/* Neither policy nor the system knows the name. Those that policy knows are in the listing. */
static int refuse_tunnel(const struct conf_request *request, struct json_object *listing)
{
	const struct conf_request all = { .command = COMMAND_LIST_ALL };
	const char *last = "", *between = "  hint: there are rules for ";
	CLEANUP(freep) struct json_object **rows = NULL;
	size_t count;
	int r = select_rows(&all, listing, &rows, &count);

	if (r < 0)
		return r;
	(void)fprintf(stderr,
		"ipsecconf: Tunnel not found: no rule in force is for a tunnel %s, and there is "
		"no such interface\n",
		request->interface);
	for (size_t i = 0; i < count; i++) {
		const char *name = row_string(rows[i], "tunnel");

		if (*name == '\0' || strcmp(name, last) == 0)
			continue;
		(void)fprintf(stderr, "%s%s", between, name);
		between = ", ";
		last = name;
	}
	if (*last)
		(void)fputc('\n', stderr);
	return -ENOENT;
}

static int print_listing(const struct conf_request *request, struct json_object *listing)
{
	CLEANUP(freep) struct json_object **rows = NULL;
	size_t count;
	int r = select_rows(request, listing, &rows, &count);

	if (r < 0)
		return r;
	if (count == 0 && request->interface && if_nametoindex(request->interface) == 0)
		return refuse_tunnel(request, listing);
	if (request->json)
		return print_json(listing, rows, count);
	return request->table ? print_table(request, rows, count)
			      : print_text(request, rows, count);
}

/* ---- where they come from ---- */

int conf_list(const struct conf_request *request)
{
	CLEANUP(bus_freep) struct bus *bus = NULL;
	CLEANUP(bus_error_done) struct bus_error error = { 0 };
	CLEANUP(json_object_putp) struct json_object *listing = NULL;
	int r = conf_bus_open(request, &bus);

	if (r < 0)
		return r;
	r = conf_ask_json(bus, &conf_datapath, "ListRules", &listing, &error);
	if (r == -ENOTCONN) {
		(void)fprintf(stderr,
			"ipsecconf: ipsec-datapath.service is not running: no rules are in force\n"
			"ipsecconf: 'ipsecconf' without options shows what is configured\n");
		return r;
	}
	if (r < 0)
		return conf_bus_failed(r, &error, "ipsec-datapath.service");
	r = print_listing(request, listing);
	if (r < 0 && r != -ENOENT) /* which was told */
		(void)fprintf(
			stderr, "ipsecconf: cannot read the list of rules: %s\n", strerror(-r));
	return r;
}
