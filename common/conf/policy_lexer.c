/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/conf/token.h"

#include <string.h>

/* With the newline, where there is one; ipsecinit.conf(5), limits. */
#define POLICY_LINE_MAX 1023

void policy_lexer_init(struct policy_lexer *lx, const char *file, const char *source, size_t len,
	struct conf_diags *diags)
{
	*lx = (struct policy_lexer){
		.source = source,
		.at = source,
		.end = source + len,
		.line = 0, /* counts up when a line is begun */
		.line_start = NULL,
		.file = file,
		.diags = diags,
	};
}

static struct conf_loc loc_at(const struct policy_lexer *lx, const char *at, size_t len)
{
	return (struct conf_loc){
		.file = lx->file,
		.line = lx->line,
		.column = (unsigned int)(at - lx->line_start) + 1,
		.length = (unsigned int)len,
	};
}

static struct token make_token(
	const struct policy_lexer *lx, enum token_kind kind, const char *at, size_t len)
{
	return (struct token){ .kind = kind, .text = at, .len = len, .at = loc_at(lx, at, len) };
}

static void begin_line(struct policy_lexer *lx)
{
	const char *newline = memchr(lx->at, '\n', (size_t)(lx->end - lx->at));
	size_t len = (size_t)((newline ? newline : lx->end) - lx->at);
	size_t most = POLICY_LINE_MAX - (newline != NULL);

	lx->line_start = lx->at;
	lx->line++;
	lx->bad_line = false;
	if (len > most)
		(void)conf_error(lx->diags, loc_at(lx, lx->at + most, 1), "line-too-long",
			"line has %zu characters, at most %zu are allowed", len, most);
}

/*
 * The first byte of the line, before any comment, that has no place in a text. DOS line ends are
 * reported once.
 */
static void report_bad(struct policy_lexer *lx)
{
	unsigned int byte = (unsigned char)*lx->at;
	bool ends_line = byte == '\r' && lx->end - lx->at > 1 && lx->at[1] == '\n';

	if (lx->bad_line || (ends_line && lx->bad_ends))
		return;
	lx->bad_line = true;
	lx->bad_ends |= ends_line;
	(void)conf_error(lx->diags, loc_at(lx, lx->at, 1), "bad-character",
		"control character 0x%02x", byte);
	if (byte == '\r')
		conf_hint(lx->diags, "the file has DOS line ends; convert it to Unix line ends");
}

/* Some editors of other systems begin each text with one. */
static void skip_byte_order_mark(struct policy_lexer *lx)
{
	static const char mark[] = "\xef\xbb\xbf";

	if (lx->at != lx->source || lx->end - lx->at < 3 || memcmp(lx->at, mark, 3) != 0)
		return;
	(void)conf_error(lx->diags, loc_at(lx, lx->at, 3), "bad-character", "byte order mark");
	conf_hint(lx->diags, "save the file as plain UTF-8, without one");
	lx->at += 3;
}

static bool is_bad_byte(unsigned char c)
{
	return (c < 0x20 && c != '\t' && c != '\n') || c == 0x7f;
}

/* Most bytes are letters and digits, and are told by one comparison. */
static bool ends_word(unsigned char c)
{
	if (c > '#' && c < '{')
		return false;
	return c == '{' || c == '}' || c == '#' || c <= ' ' || c == 0x7f;
}

/* White space; a bad byte counts as such. */
static void skip_blanks(struct policy_lexer *lx)
{
	for (; lx->at < lx->end; lx->at++) {
		unsigned char c = (unsigned char)*lx->at;

		if (is_bad_byte(c))
			report_bad(lx);
		else if (c != ' ' && c != '\t')
			return;
	}
}

struct token policy_lexer_next(struct policy_lexer *lx)
{
	const char *start;

	if (!lx->line_start)
		begin_line(lx);
	skip_byte_order_mark(lx);
	skip_blanks(lx);
	if (lx->at < lx->end && *lx->at == '#') {
		start = memchr(lx->at, '\n', (size_t)(lx->end - lx->at));
		lx->at = start ? start : lx->end;
	}
	if (lx->at == lx->end)
		return make_token(lx, TOKEN_END, lx->at, 0);
	start = lx->at++;
	if (*start == '\n') {
		struct token tok = make_token(lx, TOKEN_END_OF_LINE, start, 0);

		lx->line_start = NULL;
		return tok;
	}
	if (*start == '{')
		return make_token(lx, TOKEN_OPEN, start, 1);
	if (*start == '}')
		return make_token(lx, TOKEN_CLOSE, start, 1);
	while (lx->at < lx->end && !ends_word((unsigned char)*lx->at))
		lx->at++;
	return make_token(lx, TOKEN_WORD, start, (size_t)(lx->at - start));
}
