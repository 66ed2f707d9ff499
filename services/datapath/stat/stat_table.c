/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tables on standard output: aligned, cut to nothing, without lines. */
#include "services/datapath/stat/stat_table.h"

#include <errno.h>
#include <libsmartcols/libsmartcols.h>

const char *stat_string(struct json_object *entry, const char *key)
{
	struct json_object *value;

	return json_object_object_get_ex(entry, key, &value) ? json_object_get_string(value) : "";
}

uint64_t stat_number(struct json_object *entry, const char *key)
{
	struct json_object *value;

	return json_object_object_get_ex(entry, key, &value) ? json_object_get_uint64(value) : 0;
}

static void drop_table(struct libscols_table **table)
{
	scols_unref_table(*table); /* takes NULL */
}

static int add_row(struct libscols_table *out, const struct stat_column *columns, size_t n,
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

int stat_show_list(struct json_object *list, const struct stat_column *columns, size_t n)
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
