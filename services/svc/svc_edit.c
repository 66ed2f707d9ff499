/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Comments and order are the administrator's: libconfig would write the file without them. */
#include <errno.h>
#include <string.h>

#include "services/svc/svc.h"

#define NAME_BYTES "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_*"
#define BLANKS	   " \t\r\n\f"

static const char *skip_until(const char *at, const char *end)
{
	const char *found = strstr(at, end);

	return found ? found + strlen(end) : at + strlen(at);
}

/* Blanks and comments. */
static const char *skip_space(const char *at)
{
	for (;;) {
		at += strspn(at, BLANKS);
		if (*at == '#' || (at[0] == '/' && at[1] == '/'))
			at += strcspn(at, "\n");
		else if (at[0] == '/' && at[1] == '*')
			at = skip_until(at + 2, "*/");
		else
			return at;
	}
}

static const char *skip_string(const char *at)
{
	for (at++; *at && *at != '"'; at++)
		if (*at == '\\' && at[1])
			at++;
	return *at ? at + 1 : at;
}

/* A group, list or array, from its bracket to behind its last. */
static const char *skip_brackets(const char *at)
{
	int depth = 0;

	do {
		if (*at == '"') {
			at = skip_string(at);
		} else {
			if (strchr("{([", *at))
				depth++;
			else if (strchr("})]", *at))
				depth--;
			at++;
		}
		if (depth > 0)
			at = skip_space(at);
	} while (*at && depth > 0);
	return at;
}

/* Strings that stand behind one another are one value. */
static const char *skip_plain(const char *at)
{
	const char *end = at;

	if (*at != '"')
		return at + strcspn(at, BLANKS ";,#/");
	while (*at == '"') {
		end = skip_string(at);
		at = skip_space(end);
	}
	return end;
}

static bool opens(char c)
{
	return c == '{' || c == '(' || c == '[';
}

/* *ret_start NULL: there is no such setting. */
static int find_value(
	const char *source, const char *name, const char **ret_start, const char **ret_end)
{
	const char *at = skip_space(source);

	*ret_start = NULL;
	while (*at) {
		size_t len = strspn(at, NAME_BYTES);
		bool found = len == strlen(name) && strncmp(at, name, len) == 0;
		const char *sign = skip_space(at + len), *value;

		if (len == 0 || (*sign != '=' && *sign != ':')) {
			/* A terminator, or what is none of the language: its reader will say so. */
			at = skip_space(len == 0 ? at + 1 : sign);
			continue;
		}
		value = skip_space(sign + 1);
		at = opens(*value) ? skip_brackets(value) : skip_plain(value);
		if (found && opens(*value))
			return -ENOTSUP;
		if (found) {
			*ret_start = value;
			*ret_end = at;
			return 0;
		}
		at = skip_space(at);
	}
	return 0;
}

int svc_edit(const char *source, const char *name, const char *literal, struct text *ret_text)
{
	size_t len = strlen(source);
	const char *start, *end;
	int r = find_value(source, name, &start, &end);

	if (r < 0)
		return r;
	if (start) {
		text_add_bytes(ret_text, source, (size_t)(start - source));
		text_add(ret_text, literal);
		text_add(ret_text, end);
	} else {
		text_add(ret_text, source);
		text_addf(ret_text, "%s%s = %s;\n", len > 0 && source[len - 1] != '\n' ? "\n" : "",
			name, literal);
	}
	return ret_text->failed ? -ENOMEM : 0;
}
