/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/ipsecalgs/algs_list.h"

#include <errno.h>
#include <json-c/json.h>
#include <libsmartcols/libsmartcols.h>
#include <string.h>

DEFINE_CLEANUP(struct ipsecalgs *, ipsecalgs_free)

#define INVALID "INVALID" /* the datapath was asked and cannot use it */

/* ---- pieces that text and columns share ---- */

static void add_sizes(struct text *t, const unsigned int *sizes, size_t count)
{
	if (count == 0)
		text_add(t, "0");
	for (size_t i = 0; i < count; i++)
		text_addf(t, "%s%u", i ? "," : "", sizes[i]);
}

static void add_names(struct text *t, const struct ipsecalgs_alg *alg)
{
	for (size_t i = 0; i < alg->n_names; i++)
		text_addf(t, "%s%s", i ? "," : "", alg->names[i]);
}

static void add_keys(struct text *t, const struct ipsecalgs_alg *alg)
{
	if (alg->key_increment)
		text_addf(t, "%u-%u, increment %u, default %u", alg->key_sizes[1],
			alg->key_sizes[2], alg->key_increment, alg->key_sizes[0]);
	else
		add_sizes(t, alg->key_sizes, alg->n_key_sizes);
}

static void add_flags(struct text *t, const struct ipsecalgs_alg *alg, bool checked)
{
	const char *blank = "";

	if (checked && !(alg->flags & IPSECALGS_FLAG_VALID)) {
		text_add(t, INVALID);
		blank = " ";
	}
	for (unsigned int bit = 0; bit < 32; bit++) {
		const char *name = ipsecalgs_flag_name(UINT32_C(1) << bit);

		if (!name || !(alg->flags & UINT32_C(1) << bit))
			continue;
		text_addf(t, "%s%s", blank, name);
		blank = " ";
	}
}

/* ---- the layout of the original ---- */

static void add_alg(struct text *t, const struct ipsecalgs_alg *alg, bool names)
{
	text_addf(t, "\tProtocol number: %u\n\tAlgorithm number: %u\n", alg->proto, alg->number);
	if (names) {
		text_add(t, "\tAlgorithm names: ");
		add_names(t, alg);
		text_add(t, "\n");
	}
	text_addf(t, "\tMechanism Name: %s\n", alg->mechanism ? alg->mechanism : "-");
	text_add(t, "\tBlock sizes or MAC sizes: ");
	add_sizes(t, alg->block_sizes, alg->n_block_sizes);
	text_add(t, "\n\tKey sizes: ");
	add_keys(t, alg);
	text_add(t, "\n\tAlgorithm parameters: ");
	add_sizes(t, alg->params, alg->n_params);
	text_add(t, "\n\tAlgorithm flags: ");
	add_flags(t, alg, !names);
	text_add(t, "\n\n");
}

/* The protocols in file order, each with its algorithms in file order. */
static const struct ipsecalgs_alg *next_alg(
	const struct ipsecalgs *table, unsigned int proto, size_t *at)
{
	while (*at < table->n_items) {
		const struct ipsecalgs_item *item = &table->items[(*at)++];

		if (item->kind == IPSECALGS_ALG && item->alg.proto == proto)
			return &item->alg;
	}
	return NULL;
}

static const struct ipsecalgs_proto *next_proto(const struct ipsecalgs *table, size_t *at)
{
	while (*at < table->n_items) {
		const struct ipsecalgs_item *item = &table->items[(*at)++];

		/* A second line for the same number has no say. */
		if (item->kind == IPSECALGS_PROTO &&
			ipsecalgs_find_proto(table, item->proto.number) == &item->proto)
			return &item->proto;
	}
	return NULL;
}

void algs_list_text(
	const struct ipsecalgs *table, enum algs_list_source source, struct text *ret_text)
{
	bool full = source != ALGS_LIST_IN_FORCE;
	const struct ipsecalgs_proto *proto;
	const struct ipsecalgs_alg *alg;
	size_t proto_at = 0;

	if (!full && ipsecalgs_count(table, IPSECALGS_ALG) == 0)
		return;
	text_add(ret_text, full ? "List of algorithms, grouped by IPsec protocol:\n\n"
				: "Kernel list of algorithms:\n\n");
	while ((proto = next_proto(table, &proto_at))) {
		size_t alg_at = 0;

		if (full)
			text_addf(ret_text, "Protocol %u/%s (execution mode: %s)\n\n",
				proto->number, proto->name, ipsecalgs_mode_name(proto->mode));
		while ((alg = next_alg(table, proto->number, &alg_at)))
			add_alg(ret_text, alg, full);
	}
}

/* ---- columns ---- */

enum column {
	COLUMN_PROTO,
	COLUMN_NUMBER,
	COLUMN_NAMES,
	COLUMN_KEYS,
	COLUMN_SIZES,
	COLUMN_PARAMS,
	COLUMN_FLAGS,
	COLUMN_MECHANISM,
	COLUMN_STATUS, /* these only with a status */
	COLUMN_LIBRARY,
	COLUMNS
};

static const struct {
	const char *name;
	int flags;
} columns[COLUMNS] = {
	[COLUMN_PROTO] = { "PROTO", SCOLS_FL_RIGHT },
	[COLUMN_NUMBER] = { "NUMBER", SCOLS_FL_RIGHT },
	[COLUMN_NAMES] = { "NAMES", 0 },
	[COLUMN_KEYS] = { "KEY BITS", 0 },
	[COLUMN_SIZES] = { "BYTES", 0 },
	[COLUMN_PARAMS] = { "IV,ICV,SALT", 0 },
	[COLUMN_FLAGS] = { "FLAGS", 0 },
	[COLUMN_MECHANISM] = { "MECHANISM", 0 },
	[COLUMN_STATUS] = { "STATUS", 0 },
	[COLUMN_LIBRARY] = { "LIBRARY", 0 },
};

/* What is shown beside the table itself. */
struct showing {
	bool checked; /* the VALID flags are the datapath's */
	const struct algs_status *status; /* or NULL */
};

static void add_status(
	struct text *t, const struct ipsecalgs_alg *alg, const struct algs_status *status)
{
	text_add(t, algs_status_name(status, alg->proto, alg->number));
	if (algs_status_deprecated(alg->proto, alg->number))
		text_add(t, ",deprecated");
}

static void add_library(
	struct text *t, const struct ipsecalgs_alg *alg, const struct algs_status *status)
{
	const char *library = algs_status_library(status, alg->proto, alg->number);

	text_add(t, *library ? library : "-");
}

static void cell(const struct ipsecalgs_alg *alg, enum column column, const struct showing *showing,
	struct text *t)
{
	switch (column) {
	case COLUMN_PROTO:
		text_addf(t, "%u", alg->proto);
		break;
	case COLUMN_NUMBER:
		text_addf(t, "%u", alg->number);
		break;
	case COLUMN_NAMES:
		add_names(t, alg);
		break;
	case COLUMN_KEYS:
		add_keys(t, alg);
		break;
	case COLUMN_SIZES:
		add_sizes(t, alg->block_sizes, alg->n_block_sizes);
		break;
	case COLUMN_PARAMS:
		add_sizes(t, alg->params, alg->n_params);
		break;
	case COLUMN_FLAGS:
		add_flags(t, alg, showing->checked);
		break;
	case COLUMN_MECHANISM:
		text_add(t, alg->mechanism ? alg->mechanism : "-");
		break;
	case COLUMN_STATUS:
		add_status(t, alg, showing->status);
		break;
	case COLUMN_LIBRARY:
		add_library(t, alg, showing->status);
		break;
	case COLUMNS:
		break;
	}
}

static size_t column_count(const struct showing *showing)
{
	return showing->status ? COLUMNS : COLUMN_STATUS;
}

static int add_row(
	struct libscols_table *out, const struct ipsecalgs_alg *alg, const struct showing *showing)
{
	struct libscols_line *line = scols_table_new_line(out, NULL);

	if (!line)
		return -ENOMEM;
	for (size_t i = 0; i < column_count(showing); i++) {
		struct text t = { 0 };
		char *str = NULL;
		int r;

		cell(alg, (enum column)i, showing, &t);
		r = text_take(&t, &str);
		if (r == 0 && scols_line_refer_data(line, i, str) < 0) {
			free(str);
			r = -ENOMEM;
		}
		if (r < 0)
			return r;
	}
	return 0;
}

/* The next that the datapath has and this table has not, be it in force or not. */
static const struct ipsecalgs_alg *next_besides(const struct ipsecalgs *besides,
	const struct ipsecalgs *table, const struct algs_status *status, unsigned int proto,
	size_t *at)
{
	const struct ipsecalgs_alg *alg = NULL;

	while (besides && (alg = next_alg(besides, proto, at))) {
		if (alg->number && status->algs[proto][alg->number].served &&
			!ipsecalgs_find_alg(table, proto, alg->number))
			break;
	}
	return alg;
}

/* The table of names for what is listed besides; NULL when nothing is. */
static int read_besides(const struct algs_status *status, struct ipsecalgs **ret_table)
{
	const char *text = ipsecalgs_default_text();

	return status ? ipsecalgs_parse(text, strlen(text), NULL, NULL, ret_table) : 0;
}

static int fill(struct libscols_table *out, const struct ipsecalgs *table,
	const struct ipsecalgs *besides, const struct showing *showing)
{
	const struct ipsecalgs_proto *proto;
	const struct ipsecalgs_alg *alg;
	size_t proto_at = 0;
	int r = 0;

	for (size_t i = 0; i < column_count(showing); i++) {
		if (!scols_table_new_column(out, columns[i].name, 0, columns[i].flags))
			return -ENOMEM;
	}
	while (r == 0 && (proto = next_proto(table, &proto_at))) {
		size_t at = 0, besides_at = 0;

		while (r == 0 && (alg = next_alg(table, proto->number, &at)))
			r = add_row(out, alg, showing);
		while (r == 0 && (alg = next_besides(besides, table, showing->status, proto->number,
					  &besides_at)))
			r = add_row(out, alg, showing);
	}
	return r;
}

int algs_list_columns(const struct ipsecalgs *table, enum algs_list_source source,
	const struct algs_status *status, struct text *ret_text)
{
	const struct showing showing = { source == ALGS_LIST_IN_FORCE, status };
	CLEANUP(ipsecalgs_freep) struct ipsecalgs *besides = NULL;
	struct libscols_table *out = scols_new_table();
	char *str = NULL;
	int r;

	if (!out)
		return -ENOMEM;
	r = read_besides(status, &besides);
	if (r == 0)
		r = fill(out, table, besides, &showing);
	if (r == 0)
		r = scols_print_table_to_string(out, &str) < 0 ? -ENOMEM : 0;
	if (r == 0)
		text_addf(ret_text, "%s\n", str);
	free(str);
	scols_unref_table(out);
	return r;
}

/* ---- JSON ---- */

static struct json_object *json_sizes(const unsigned int *sizes, size_t count)
{
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < count; i++)
		(void)json_object_array_add(array, json_object_new_int64(sizes[i]));
	return array;
}

static struct json_object *json_keys(const struct ipsecalgs_alg *alg)
{
	struct json_object *keys = json_object_new_object();

	(void)json_object_object_add(
		keys, "default_bits", json_object_new_int64(alg->key_sizes[0]));
	if (!alg->key_increment) {
		(void)json_object_object_add(
			keys, "sizes_bits", json_sizes(alg->key_sizes, alg->n_key_sizes));
		return keys;
	}
	(void)json_object_object_add(keys, "min_bits", json_object_new_int64(alg->key_sizes[1]));
	(void)json_object_object_add(keys, "max_bits", json_object_new_int64(alg->key_sizes[2]));
	(void)json_object_object_add(
		keys, "increment_bits", json_object_new_int64(alg->key_increment));
	return keys;
}

static void json_add_status(
	struct json_object *out, const struct ipsecalgs_alg *alg, const struct algs_status *status)
{
	const char *library = algs_status_library(status, alg->proto, alg->number);

	(void)json_object_object_add(out, "status",
		json_object_new_string(algs_status_name(status, alg->proto, alg->number)));
	(void)json_object_object_add(out, "deprecated",
		json_object_new_boolean(algs_status_deprecated(alg->proto, alg->number)));
	(void)json_object_object_add(
		out, "library", *library ? json_object_new_string(library) : NULL);
}

static struct json_object *json_alg(const struct ipsecalgs_alg *alg, const struct showing *showing)
{
	static const char *const params[IPSECALGS_PARAMS] = {
		[IPSECALGS_PARAM_IV] = "iv_bytes",
		[IPSECALGS_PARAM_ICV] = "icv_bytes",
		[IPSECALGS_PARAM_SALT] = "salt_bytes",
	};
	struct json_object *out = json_object_new_object();
	struct json_object *names = json_object_new_array();
	struct json_object *flags = json_object_new_array();

	(void)json_object_object_add(out, "number", json_object_new_int64(alg->number));
	for (size_t i = 0; i < alg->n_names; i++)
		(void)json_object_array_add(names, json_object_new_string(alg->names[i]));
	(void)json_object_object_add(out, "names", names);
	(void)json_object_object_add(
		out, "mechanism", alg->mechanism ? json_object_new_string(alg->mechanism) : NULL);
	(void)json_object_object_add(out, "keys", json_keys(alg));
	(void)json_object_object_add(
		out, "sizes_bytes", json_sizes(alg->block_sizes, alg->n_block_sizes));
	for (size_t i = 0; i < alg->n_params && i < IPSECALGS_PARAMS; i++)
		(void)json_object_object_add(out, params[i], json_object_new_int64(alg->params[i]));
	if (showing->checked && !(alg->flags & IPSECALGS_FLAG_VALID))
		(void)json_object_array_add(flags, json_object_new_string(INVALID));
	for (unsigned int bit = 0; bit < 32; bit++) {
		const char *name = ipsecalgs_flag_name(UINT32_C(1) << bit);

		if (name && (alg->flags & UINT32_C(1) << bit))
			(void)json_object_array_add(flags, json_object_new_string(name));
	}
	(void)json_object_object_add(out, "flags", flags);
	if (showing->status)
		json_add_status(out, alg, showing->status);
	return out;
}

static struct json_object *json_proto(const struct ipsecalgs *table,
	const struct ipsecalgs *besides, const struct ipsecalgs_proto *proto,
	const struct showing *showing)
{
	struct json_object *out = json_object_new_object();
	struct json_object *algs = json_object_new_array();
	const struct ipsecalgs_alg *alg;
	size_t at = 0, besides_at = 0;

	(void)json_object_object_add(out, "number", json_object_new_int64(proto->number));
	(void)json_object_object_add(out, "name", json_object_new_string(proto->name));
	(void)json_object_object_add(
		out, "exec_mode", json_object_new_string(ipsecalgs_mode_name(proto->mode)));
	while ((alg = next_alg(table, proto->number, &at)))
		(void)json_object_array_add(algs, json_alg(alg, showing));
	while ((alg = next_besides(besides, table, showing->status, proto->number, &besides_at)))
		(void)json_object_array_add(algs, json_alg(alg, showing));
	(void)json_object_object_add(out, "algorithms", algs);
	return out;
}

int algs_list_json(const struct ipsecalgs *table, enum algs_list_source source,
	const struct algs_status *status, struct text *ret_text)
{
	static const char *const sources[] = {
		[ALGS_LIST_FILE] = "file",
		[ALGS_LIST_BUILTIN] = "built-in",
		[ALGS_LIST_IN_FORCE] = "in-force",
	};
	const struct showing showing = { source == ALGS_LIST_IN_FORCE, status };
	CLEANUP(ipsecalgs_freep) struct ipsecalgs *besides = NULL;
	struct json_object *out = json_object_new_object();
	struct json_object *protos = json_object_new_array();
	const struct ipsecalgs_proto *proto;
	const char *str;
	size_t at = 0;

	if (!out || !protos || read_besides(status, &besides) < 0) {
		(void)json_object_put(out);
		(void)json_object_put(protos);
		return -ENOMEM;
	}
	(void)json_object_object_add(out, "version", json_object_new_int(1));
	(void)json_object_object_add(out, "source", json_object_new_string(sources[source]));
	while ((proto = next_proto(table, &at)))
		(void)json_object_array_add(protos, json_proto(table, besides, proto, &showing));
	(void)json_object_object_add(out, "protocols", protos);
	str = json_object_to_json_string_ext(out, JSON_C_TO_STRING_PRETTY);
	if (str)
		text_addf(ret_text, "%s\n", str);
	(void)json_object_put(out);
	return str && !ret_text->failed ? 0 : -ENOMEM;
}
