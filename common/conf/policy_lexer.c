/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/conf/token.h"

#include <string.h>

/* Without the newline; ipsecinit.conf(5), limits. */
#define POLICY_LINE_MAX 1022

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

static bool is_bad_byte(char c)
{
	return ((unsigned char)c < 0x20 && c != '\t' && c != '\n') || c == 0x7f;
}

/* The first byte of the line, before any comment, that has no place in a text. */
static const char *find_bad_byte(const char *line, size_t len)
{
	for (size_t i = 0; i < len && line[i] != '#'; i++)
		if (is_bad_byte(line[i]))
			return line + i;
	return NULL;
}

static void begin_line(struct policy_lexer *lx)
{
	const char *newline = memchr(lx->at, '\n', (size_t)(lx->end - lx->at));
	size_t len = (size_t)((newline ? newline : lx->end) - lx->at);
	const char *bad;

	lx->line_start = lx->at;
	lx->line++;
	if (len > POLICY_LINE_MAX)
		(void)conf_error(lx->diags, loc_at(lx, lx->at + POLICY_LINE_MAX, 1),
			"line-too-long", "line has %zu characters, at most %d are allowed", len,
			POLICY_LINE_MAX);
	bad = find_bad_byte(lx->at, len);
	if (!bad)
		return;
	(void)conf_error(lx->diags, loc_at(lx, bad, 1), "bad-character", "control character 0x%02x",
		(unsigned int)(unsigned char)*bad);
	if (*bad == '\r')
		conf_hint(lx->diags, "the file has DOS line ends; convert it to Unix line ends");
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || is_bad_byte(c);
}

static bool ends_word(char c)
{
	return c == '{' || c == '}' || c == '#' || c == '\n' || is_blank(c);
}

struct token policy_lexer_next(struct policy_lexer *lx)
{
	const char *start;

	if (!lx->line_start)
		begin_line(lx);
	while (lx->at < lx->end && is_blank(*lx->at))
		lx->at++;
	if (lx->at < lx->end && *lx->at == '#')
		while (lx->at < lx->end && *lx->at != '\n')
			lx->at++;
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
	while (lx->at < lx->end && !ends_word(*lx->at))
		lx->at++;
	return make_token(lx, TOKEN_WORD, start, (size_t)(lx->at - start));
}

bool token_is(const struct token *tok, const char *word)
{
	return tok->kind == TOKEN_WORD && tok->len == strlen(word) &&
	       memcmp(tok->text, word, tok->len) == 0;
}
