/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <inttypes.h>
#include <libsmartcols/libsmartcols.h>
#include <string.h>

#include "services/datapath/stat/stat_table.h"

static void cell_name(struct json_object *entry, struct text *text)
{
	text_add(text, stat_string(entry, "name"));
}

static void cell_value(struct json_object *entry, struct text *text)
{
	text_addf(text, "%" PRIu64, stat_number(entry, "value"));
}

static void cell_default(struct json_object *entry, struct text *text)
{
	text_addf(text, "%" PRIu64, stat_number(entry, "default"));
}

static void cell_range(struct json_object *entry, struct text *text)
{
	text_addf(text, "%" PRIu64 "-%" PRIu64, stat_number(entry, "least"),
		stat_number(entry, "most"));
}

static void cell_unit(struct json_object *entry, struct text *text)
{
	text_add(text, stat_string(entry, "unit"));
}

static void cell_meaning(struct json_object *entry, struct text *text)
{
	struct json_object *used;

	if (json_object_object_get_ex(entry, "used", &used) && !json_object_get_boolean(used))
		text_add(text, "(not used) ");
	text_add(text, stat_string(entry, "help"));
}

static const struct stat_column columns[] = {
	{ "TUNABLE", 0, cell_name },
	{ "VALUE", SCOLS_FL_RIGHT, cell_value },
	{ "DEFAULT", SCOLS_FL_RIGHT, cell_default },
	{ "RANGE", SCOLS_FL_RIGHT, cell_range },
	{ "UNIT", 0, cell_unit },
	{ "MEANING", 0, cell_meaning },
};

int stat_show_tunables(struct json_object *listing)
{
	struct json_object *list = NULL;

	(void)json_object_object_get_ex(listing, "tunables", &list); /* absent: NULL */
	return stat_show_list(list, columns, ARRAY_SIZE(columns));
}

/* "on" and "off" as ipadm has them. */
static bool parse_value(const char *str, uint64_t *ret_value)
{
	uint64_t value = 0;

	if (strcmp(str, "on") == 0 || strcmp(str, "off") == 0) {
		*ret_value = str[1] == 'n' ? 1 : 0;
		return true;
	}
	if (*str == '\0' || strlen(str) > 18) /* fewer digits than 2^63 has */
		return false;
	for (; *str; str++) {
		if (*str < '0' || *str > '9')
			return false;
		value = value * 10 + (uint64_t)(*str - '0');
	}
	*ret_value = value;
	return true;
}

int stat_parse_assignment(const char *str, char *ret_name, size_t size, uint64_t *ret_value)
{
	const char *equals = strchr(str, '=');

	if (!equals || equals == str || (size_t)(equals - str) >= size ||
		!parse_value(equals + 1, ret_value))
		return -EINVAL;
	memcpy(ret_name, str, (size_t)(equals - str));
	ret_name[equals - str] = '\0';
	return 0;
}
