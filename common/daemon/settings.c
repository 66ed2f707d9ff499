/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/daemon/settings.h"

#include <errno.h>
#include <inttypes.h>
#include <libconfig.h>
#include <string.h>

#include "common/base/memfd.h"

#define SETTINGS_MAX_BYTES (1U << 20)

static struct conf_loc place(const char *file, int line)
{
	return (struct conf_loc){ .file = file, .line = line > 0 ? (unsigned int)line : 0 };
}

static int wrong_type(
	struct conf_diags *diags, struct conf_loc at, const char *name, const char *want)
{
	return conf_error(diags, at, "setting-type", "setting '%s' takes %s", name, want);
}

static int take_number(const config_setting_t *value, const struct setting *row, struct conf_loc at,
	struct conf_diags *diags, uint64_t *ret)
{
	int type = config_setting_type(value);
	long long number;

	/* A switch reads better with words. */
	if (type == CONFIG_TYPE_BOOL && row->min == 0 && row->max == 1) {
		*ret = config_setting_get_bool(value) ? 1 : 0;
		return 0;
	}
	if (type != CONFIG_TYPE_INT && type != CONFIG_TYPE_INT64)
		return wrong_type(diags, at, row->name, "a whole number");
	number = type == CONFIG_TYPE_INT ? config_setting_get_int(value)
					 : config_setting_get_int64(value);
	if (number < 0 || (uint64_t)number < row->min || (uint64_t)number > row->max)
		return conf_error(diags, at, "setting-range",
			"setting '%s' is %lld, not between %" PRIu64 " and %" PRIu64, row->name,
			number, row->min, row->max);
	*ret = (uint64_t)number;
	return 0;
}

static int take_choice(const config_setting_t *value, const struct setting *row, struct conf_loc at,
	struct conf_diags *diags, int *ret)
{
	const char *word = config_setting_get_string(value);
	CLEANUP(text_done) struct text known = { 0 };

	if (!word)
		return wrong_type(diags, at, row->name, "a string");
	for (int i = 0; row->choices[i]; i++) {
		if (strcmp(row->choices[i], word) == 0) {
			*ret = i;
			return 0;
		}
		text_addf(&known, "%s\"%s\"", i ? ", " : "", row->choices[i]);
	}
	return conf_error(diags, at, "setting-choice", "setting '%s' is \"%s\", not one of %s",
		row->name, word, known.str ? known.str : "none");
}

static int take_string(const config_setting_t *value, const struct setting *row, struct conf_loc at,
	struct conf_diags *diags, char **ret)
{
	const char *word = config_setting_get_string(value);
	char *copy;

	if (!word)
		return wrong_type(diags, at, row->name, "a string");
	copy = strdup(word);
	if (!copy)
		return -ENOMEM;
	free(*ret);
	*ret = copy;
	return 0;
}

static int take_list(config_setting_t *value, const struct setting *row, struct conf_loc at,
	struct conf_diags *diags, void *settings)
{
	int worst = 0;

	if (!config_setting_is_list(value))
		return wrong_type(diags, at, row->name, "a list ( { ... }, { ... } )");
	for (int i = 0; i < config_setting_length(value); i++) {
		config_setting_t *group = config_setting_get_elem(value, (unsigned int)i);
		struct conf_loc here = place(at.file, (int)config_setting_source_line(group));
		int r;

		if (config_setting_is_group(group))
			r = row->element(group, here, diags, settings);
		else
			r = wrong_type(diags, here, row->name, "groups { ... }");
		if (r < 0 && r != -EBADMSG)
			return r;
		worst = r < 0 ? r : worst;
	}
	return worst;
}

static int take(config_setting_t *value, const struct setting *row, struct conf_loc at,
	struct conf_diags *diags, void *settings)
{
	void *ret = (char *)settings + row->offset;

	switch (row->type) {
	case SETTING_STRING:
		return take_string(value, row, at, diags, ret);
	case SETTING_BOOL:
		if (config_setting_type(value) != CONFIG_TYPE_BOOL)
			return wrong_type(diags, at, row->name, "true or false");
		*(bool *)ret = config_setting_get_bool(value) != 0;
		return 0;
	case SETTING_NUMBER:
		return take_number(value, row, at, diags, ret);
	case SETTING_CHOICE:
		return take_choice(value, row, at, diags, ret);
	case SETTING_LIST:
		return take_list(value, row, at, diags, settings);
	case SETTING_END:
		break;
	}
	return -EINVAL;
}

static const struct setting *find_row(const struct setting *table, const char *name)
{
	for (; table->type != SETTING_END; table++)
		if (strcmp(table->name, name) == 0)
			return table;
	return NULL;
}

static int take_all(const config_t *config, const char *file, const struct setting *table,
	void *settings, struct conf_diags *diags)
{
	config_setting_t *root = config_root_setting(config);
	int worst = 0;

	for (int i = 0; i < config_setting_length(root); i++) {
		config_setting_t *value = config_setting_get_elem(root, (unsigned int)i);
		struct conf_loc at = place(file, (int)config_setting_source_line(value));
		const char *name = config_setting_name(value);
		const struct setting *row = find_row(table, name);
		int r;

		if (row)
			r = take(value, row, at, diags, settings);
		else
			r = conf_error(diags, at, "setting-unknown", "unknown setting '%s'", name);
		if (r < 0 && r != -EBADMSG)
			return r;
		worst = r < 0 ? r : worst;
	}
	return worst;
}

/* libconfig answers a NUL byte with the end of its input: what follows would be lost unseen. */
static bool has_nul(const char *source, size_t len)
{
	return memchr(source, '\0', len) != NULL;
}

int settings_load(const char *path, bool missing_ok, const struct setting *table,
	void *ret_settings, struct conf_diags *diags)
{
	CLEANUP(freep) char *place_of_path = NULL, *source = NULL;
	const char *file;
	config_t config;
	size_t len;
	int r;

	r = missing_ok ? file_system_path(path, &place_of_path) : 0;
	if (r < 0)
		return r;
	r = file_read_path(place_of_path ? place_of_path : path, SETTINGS_MAX_BYTES, &source, &len);
	if (r == -ENOENT && missing_ok)
		return 0;
	if (r == -ENOMEM)
		return r;
	file = conf_diags_file(diags, path, r == 0 ? source : "", r == 0 ? len : 0, false);
	if (!file)
		return -ENOMEM;
	if (r < 0) {
		(void)conf_error(
			diags, place(file, 0), "setting-file", "cannot read: %s", file_error(r));
		return r;
	}
	if (has_nul(source, len))
		return conf_error(
			diags, place(file, 0), "setting-syntax", "the file holds a NUL byte");
	config_init(&config);
	if (config_read_string(&config, source) == CONFIG_TRUE)
		r = take_all(&config, file, table, ret_settings, diags);
	else
		r = conf_error(diags, place(file, config_error_line(&config)), "setting-syntax",
			"%s", config_error_text(&config));
	config_destroy(&config);
	return r;
}

static void print_string(const char *str, struct text *text)
{
	text_add_char(text, '"');
	for (; str && *str; str++) {
		if (*str == '"' || *str == '\\')
			text_add_char(text, '\\');
		text_add_char(text, *str);
	}
	text_add_char(text, '"');
}

static void print_value(const struct setting *row, const void *at, struct text *text)
{
	uint64_t number;

	switch (row->type) {
	case SETTING_STRING:
		print_string(*(const char *const *)at, text);
		break;
	case SETTING_BOOL:
		text_add(text, *(const bool *)at ? "true" : "false");
		break;
	case SETTING_NUMBER:
		number = *(const uint64_t *)at;
		text_addf(text, "%" PRIu64 "%s", number, number > INT32_MAX ? "L" : "");
		break;
	case SETTING_CHOICE:
		print_string(row->choices[*(const int *)at], text);
		break;
	case SETTING_LIST:
	case SETTING_END:
		break;
	}
}

void settings_print(const struct setting *table, const void *settings, struct text *text)
{
	for (; table->type != SETTING_END; table++) {
		if (table->type == SETTING_LIST)
			continue;
		text_addf(text, "%s = ", table->name);
		print_value(table, (const char *)settings + table->offset, text);
		text_add(text, ";\n");
	}
}

void settings_show(const struct setting *table, const void *settings)
{
	CLEANUP(text_done) struct text text = { 0 };

	settings_print(table, settings, &text);
	if (text.str && !text.failed)
		(void)fputs(text.str, stdout);
}
