/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "common/conf/diag.h"
#include "common/conf/diag_store.h"

/* Longer source lines are shown as a window around the place. */
#define EXCERPT_MAX    160
#define EXCERPT_BEFORE 60

static const char *severity_name(enum conf_severity severity)
{
	switch (severity) {
	case CONF_ERROR:
		return "error";
	case CONF_WARNING:
		return "warning";
	case CONF_NOTE:
		return "note";
	}
	return "error";
}

/* Length of the UTF-8 character at @s (at most @left bytes), 0 when it is none. */
static size_t utf8_length(const char *s, size_t left)
{
	static const struct {
		unsigned char mask, lead;
		unsigned int least;
	} forms[] = { { 0x80, 0x00, 0 }, { 0xe0, 0xc0, 0x80 }, { 0xf0, 0xe0, 0x800 },
		{ 0xf8, 0xf0, 0x10000 } };
	unsigned char first = (unsigned char)s[0];

	for (size_t n = 0; n < ARRAY_SIZE(forms) && n < left; n++) {
		unsigned int code = first & (unsigned char)~forms[n].mask;

		if ((first & forms[n].mask) != forms[n].lead)
			continue;
		for (size_t i = 1; i <= n; i++) {
			if (((unsigned char)s[i] & 0xc0) != 0x80)
				return 0;
			code = code << 6 | ((unsigned char)s[i] & 0x3f);
		}
		if (code < forms[n].least || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
			return 0;
		return n + 1;
	}
	return 0;
}

static bool is_control(char c)
{
	return (unsigned char)c < 0x20 || c == 0x7f;
}

/* Text for a terminal: control bytes and broken UTF-8 become '?', tabs stay. */
static void add_visible(struct text *text, const char *str, size_t len)
{
	for (size_t i = 0; i < len;) {
		size_t n = utf8_length(str + i, len - i);

		if (n == 0 || (n == 1 && is_control(str[i]) && str[i] != '\t')) {
			text_add_char(text, '?');
			i++;
		} else {
			text_add_bytes(text, str + i, n);
			i += n;
		}
	}
}

/* White space as wide as @str on the screen, tabs kept so that both lines meet the same stops. */
static void add_blank_copy(struct text *text, const char *str, size_t len)
{
	for (size_t i = 0; i < len;) {
		size_t n = utf8_length(str + i, len - i);

		text_add_char(text, str[i] == '\t' ? '\t' : ' ');
		i += n ? n : 1;
	}
}

static size_t count_characters(const char *str, size_t len)
{
	size_t count = 0;

	for (size_t i = 0; i < len; count++) {
		size_t n = utf8_length(str + i, len - i);

		i += n ? n : 1;
	}
	return count;
}

/* The source line @line, without its newline; false when there is none. */
static bool find_line(
	const struct conf_file *file, unsigned int line, const char **ret_start, size_t *ret_len)
{
	const char *at = file->source, *end = file->source + file->len;
	const char *newline;

	for (unsigned int n = 1; n < line; n++) {
		newline = memchr(at, '\n', (size_t)(end - at));
		if (!newline)
			return false;
		at = newline + 1;
	}
	newline = memchr(at, '\n', (size_t)(end - at));
	*ret_start = at;
	*ret_len = (size_t)((newline ? newline : end) - at);
	return true;
}

static void print_excerpt(
	const struct conf_diags *diags, const struct conf_loc *loc, struct text *text)
{
	const struct conf_file *file = conf_diags_find_file(diags, loc->file);
	const char *line, *lead = "", *tail = "";
	size_t len, before, marked;

	if (!file || file->secret || loc->line == 0 || loc->column == 0)
		return;
	if (!find_line(file, loc->line, &line, &len) || loc->column - 1 > len)
		return;
	before = loc->column - 1;
	if (len > EXCERPT_MAX && before > EXCERPT_BEFORE) {
		line += before - EXCERPT_BEFORE;
		len -= before - EXCERPT_BEFORE;
		before = EXCERPT_BEFORE;
		lead = "...";
	}
	if (len > EXCERPT_MAX) {
		len = EXCERPT_MAX;
		tail = "...";
	}
	text_add(text, lead);
	add_visible(text, line, len);
	text_addf(text, "%s\n", tail);

	marked = loc->length < len - before ? loc->length : len - before;
	marked = count_characters(line + before, marked);
	text_addf(text, "%*s", (int)strlen(lead), "");
	add_blank_copy(text, line, before);
	text_add_char(text, '^');
	for (size_t i = 1; i < marked; i++)
		text_add_char(text, '~');
	text_add_char(text, '\n');
}

static void print_diag(
	const struct conf_diags *diags, const struct conf_diag *diag, struct text *text)
{
	const struct conf_loc *loc = &diag->loc;

	if (loc->file) {
		add_visible(text, loc->file, strlen(loc->file));
		text_add_char(text, ':');
		if (loc->line)
			text_addf(text, "%u:", loc->line);
		if (loc->line && loc->column)
			text_addf(text, "%u:", loc->column);
		text_add_char(text, ' ');
	}
	text_addf(text, "%s: ", severity_name(diag->severity));
	add_visible(text, diag->message, strlen(diag->message));
	text_addf(text, " [%s]\n", diag->code);
	print_excerpt(diags, loc, text);
	if (diag->hint) {
		text_add(text, "  hint: ");
		add_visible(text, diag->hint, strlen(diag->hint));
		text_add_char(text, '\n');
	}
}

void conf_diags_print(const struct conf_diags *diags, struct text *text)
{
	for (size_t i = 0; i < diags->count; i++)
		print_diag(diags, diags->entries[i], text);
	if (diags->failed)
		text_add(text, "error: no memory for further diagnostics [no-memory]\n");
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
		size_t n = utf8_length(str + i, len - i);

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
	text_addf(text, ",\"severity\":\"%s\",\"code\":", severity_name(diag->severity));
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
	for (size_t i = 0; i < diags->count; i++) {
		if (i > 0)
			text_add_char(text, ',');
		print_diag_json(diags->entries[i], text);
	}
	text_add(text, "]}\n");
}
