/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Diagnostics as data: JSON of our own, and SARIF 2.1.0 for editors and build services. */
#include <string.h>

#include "common/conf/diag.h"
#include "common/conf/diag_store.h"

static bool is_control(char c)
{
	return (unsigned char)c < 0x20 || c == 0x7f;
}

static void add_json_string(struct text *text, const char *str)
{
	size_t len;

	if (!str) {
		text_add(text, "null");
		return;
	}
	len = strlen(str);
	text_add_char(text, '"');
	for (size_t i = 0; i < len;) {
		size_t n = diag_utf8_length(str + i, len - i);

		if (n == 0)
			text_add(text, "\\ufffd");
		else if (n == 1 && (str[i] == '"' || str[i] == '\\'))
			text_addf(text, "\\%c", str[i]);
		else if (n == 1 && is_control(str[i]))
			text_addf(text, "\\u%04x", (unsigned int)(unsigned char)str[i]);
		else
			text_add_bytes(text, str + i, n);
		i += n ? n : 1;
	}
	text_add_char(text, '"');
}

static void print_diag_json(const struct conf_diag *diag, struct text *text)
{
	const struct conf_loc *loc = &diag->loc;

	text_add(text, "{\"file\":");
	add_json_string(text, loc->file);
	text_addf(text, ",\"line\":%u,\"column\":%u,\"end_line\":%u,\"end_column\":%u", loc->line,
		loc->column, loc->line, loc->column ? loc->column + loc->length : 0);
	text_addf(text, ",\"severity\":\"%s\",\"code\":", diag_severity_name(diag->severity));
	add_json_string(text, diag->code);
	text_add(text, ",\"message\":");
	add_json_string(text, diag->message);
	text_add(text, ",\"hint\":");
	add_json_string(text, diag->hint);
	text_add_char(text, '}');
}

void conf_diags_print_json(const struct conf_diags *diags, struct text *text)
{
	text_add(text, "{\"version\":1,\"diagnostics\":[");
	for (size_t i = 0; i < diags->list->count; i++) {
		if (i > 0)
			text_add_char(text, ',');
		print_diag_json(conf_diags_get(diags, i), text);
	}
	text_add(text, "]}\n");
}

/* ---- SARIF: columns count characters there, and a place is a URI ---- */

static bool is_plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c != '\0' && strchr("-._~/+@,=", c));
}

static void add_uri(struct text *text, const char *path)
{
	text_add(text, path[0] == '/' ? "\"file://" : "\"");
	for (; *path; path++) {
		if (is_plain(*path))
			text_add_char(text, *path);
		else
			text_addf(text, "%%%02X", (unsigned int)(unsigned char)*path);
	}
	text_add_char(text, '"');
}

static void add_region(struct diag_cursor *cursor, const struct conf_diags *diags,
	const struct conf_loc *loc, struct text *text)
{
	size_t start = loc->column, length = loc->length, len;
	const char *line;

	if (loc->line == 0)
		return;
	text_addf(text, ",\"region\":{\"startLine\":%u", loc->line);
	if (diag_find_line(cursor, diags, loc, &line, &len)) {
		size_t before = loc->column - 1;

		if (length > len - before)
			length = len - before;
		length = diag_count_characters(line + before, length);
		start = diag_count_characters(line, before) + 1;
	}
	if (loc->column)
		text_addf(text, ",\"startColumn\":%zu,\"endColumn\":%zu", start, start + length);
	text_add_char(text, '}');
}

/* The codes that occur, each once, in the order of their first use. */
static size_t collect_codes(const struct conf_diags *diags, const char **ret_codes)
{
	size_t count = 0;

	for (size_t i = 0; i < diags->list->count; i++) {
		size_t at = 0;

		while (at < count && strcmp(ret_codes[at], conf_diags_get(diags, i)->code) != 0)
			at++;
		if (at == count)
			ret_codes[count++] = conf_diags_get(diags, i)->code;
	}
	return count;
}

static void add_result(struct diag_cursor *cursor, const struct conf_diags *diags,
	const struct conf_diag *diag, struct text *text)
{
	text_add(text, "{\"ruleId\":");
	add_json_string(text, diag->code);
	text_addf(text,
		",\"level\":\"%s\",\"message\":{\"text\":", diag_severity_name(diag->severity));
	add_json_string(text, diag->message);
	text_add_char(text, '}');
	if (diag->loc.file) {
		text_add(text, ",\"locations\":[{\"physicalLocation\":{\"artifactLocation\":"
			       "{\"uri\":");
		add_uri(text, diag->loc.file);
		text_add_char(text, '}');
		add_region(cursor, diags, &diag->loc, text);
		text_add(text, "}}]");
	}
	if (diag->hint) {
		text_add(text, ",\"properties\":{\"hint\":");
		add_json_string(text, diag->hint);
		text_add_char(text, '}');
	}
	text_add_char(text, '}');
}

void conf_diags_print_sarif(
	const struct conf_diags *diags, const char *tool, const char *version, struct text *text)
{
	CLEANUP(freep) const char **codes = calloc(diags->list->count + 1, sizeof(*codes));
	size_t n_codes = codes ? collect_codes(diags, codes) : 0;
	struct diag_cursor cursor = { 0 };

	text_add(text, "{\"$schema\":\"https://json.schemastore.org/sarif-2.1.0.json\","
		       "\"version\":\"2.1.0\",\"runs\":[{\"tool\":{\"driver\":{\"name\":");
	add_json_string(text, tool);
	text_add(text, ",\"version\":");
	add_json_string(text, version);
	text_add(text, ",\"rules\":[");
	for (size_t i = 0; i < n_codes; i++) {
		text_add(text, i > 0 ? ",{\"id\":" : "{\"id\":");
		add_json_string(text, codes[i]);
		text_add_char(text, '}');
	}
	text_add(text, "]}},\"columnKind\":\"unicodeCodePoints\",\"results\":[");
	for (size_t i = 0; i < diags->list->count; i++) {
		if (i > 0)
			text_add_char(text, ',');
		add_result(&cursor, diags, conf_diags_get(diags, i), text);
	}
	text_add(text, "]}]}\n");
	if (!codes)
		text->failed = true;
}
