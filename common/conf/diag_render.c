/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "common/conf/diag.h"
#include "common/conf/diag_store.h"

/* Longer source lines are shown as a window around the place. */
#define EXCERPT_MAX    160
#define EXCERPT_BEFORE 60

const char *diag_severity_name(enum conf_severity severity)
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

size_t diag_utf8_length(const char *s, size_t left)
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
		size_t n = diag_utf8_length(str + i, len - i);

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
		size_t n = diag_utf8_length(str + i, len - i);

		text_add_char(text, str[i] == '\t' ? '\t' : ' ');
		i += n ? n : 1;
	}
}

size_t diag_count_characters(const char *str, size_t len)
{
	size_t count = 0;

	for (size_t i = 0; i < len; count++) {
		size_t n = diag_utf8_length(str + i, len - i);

		i += n ? n : 1;
	}
	return count;
}

bool diag_find_line(struct diag_cursor *cursor, const struct conf_diags *diags,
	const struct conf_loc *loc, const char **ret_start, size_t *ret_len)
{
	const struct conf_file *file = conf_diags_find_file(diags, loc->file);
	const char *end, *newline;

	if (!file || file->secret || loc->line == 0 || loc->column == 0)
		return false;
	end = file->source + file->len;
	if (cursor->file != file || cursor->line > loc->line)
		*cursor = (struct diag_cursor){ .file = file, .line = 1, .start = file->source };
	while (cursor->line < loc->line) {
		newline = memchr(cursor->start, '\n', (size_t)(end - cursor->start));
		if (!newline)
			return false;
		cursor->start = newline + 1;
		cursor->line++;
	}
	newline = memchr(cursor->start, '\n', (size_t)(end - cursor->start));
	*ret_start = cursor->start;
	*ret_len = (size_t)((newline ? newline : end) - cursor->start);
	return loc->column - 1 <= *ret_len;
}

static void print_excerpt(struct diag_cursor *cursor, const struct conf_diags *diags,
	const struct conf_loc *loc, struct text *text)
{
	const char *line, *lead = "", *tail = "";
	size_t len, before, marked;

	if (!diag_find_line(cursor, diags, loc, &line, &len))
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
	marked = diag_count_characters(line + before, marked);
	text_addf(text, "%*s", (int)strlen(lead), "");
	add_blank_copy(text, line, before);
	text_add_char(text, '^');
	for (size_t i = 1; i < marked; i++)
		text_add_char(text, '~');
	text_add_char(text, '\n');
}

static void print_diag(struct diag_cursor *cursor, const struct conf_diags *diags,
	const struct conf_diag *diag, struct text *text)
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
	text_addf(text, "%s: ", diag_severity_name(diag->severity));
	add_visible(text, diag->message, strlen(diag->message));
	text_addf(text, " [%s]\n", diag->code);
	print_excerpt(cursor, diags, loc, text);
	if (diag->hint) {
		text_add(text, "  hint: ");
		add_visible(text, diag->hint, strlen(diag->hint));
		text_add_char(text, '\n');
	}
}

void conf_diags_print(const struct conf_diags *diags, struct text *text)
{
	struct diag_cursor cursor = { 0 };

	for (size_t i = 0; i < diags->list->count; i++)
		print_diag(&cursor, diags, conf_diags_get(diags, i), text);
	if (diags->failed)
		text_add(text, "error: no memory for further diagnostics [no-memory]\n");
}
