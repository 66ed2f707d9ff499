/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/conf/token.h"

#include <string.h>

/* Both without the newline that ends them; ipseckeys(5), limits. */
#define KEYS_LINE_MAX	 4093
#define KEYS_COMMAND_MAX 4095

void keys_lexer_init(struct keys_lexer *lx, const char *file, const char *source, size_t len,
	struct conf_diags *diags)
{
	*lx = (struct keys_lexer){
		.source = source,
		.at = source,
		.end = source + len,
		.file = file,
		.diags = diags,
	};
}

static struct conf_loc loc_at(const struct keys_lexer *lx, const char *at, size_t len)
{
	return (struct conf_loc){
		.file = lx->file,
		.line = lx->line,
		.column = (unsigned int)(at - lx->line_start) + 1,
		.length = (unsigned int)len,
	};
}

static struct token make_token(
	const struct keys_lexer *lx, enum token_kind kind, const char *at, size_t len)
{
	return (struct token){ .kind = kind, .text = at, .len = len, .at = loc_at(lx, at, len) };
}

/* Report what is wrong with the physical line as a whole. */
static void begin_line(struct keys_lexer *lx)
{
	const char *newline = memchr(lx->at, '\n', (size_t)(lx->end - lx->at));
	size_t len = (size_t)((newline ? newline : lx->end) - lx->at);

	lx->line_start = lx->at;
	lx->line++;
	if (len > KEYS_LINE_MAX) {
		(void)conf_error(lx->diags, loc_at(lx, lx->at + KEYS_LINE_MAX, 1), "line-too-long",
			"line has %zu characters, at most %d are allowed", len, KEYS_LINE_MAX);
		lx->too_long = true;
	}
	for (size_t i = 0; i < len; i++) {
		char c = lx->at[i];

		if (((unsigned char)c < 0x20 && c != '\t') || c == 0x7f) {
			(void)conf_error(lx->diags, loc_at(lx, lx->at + i, 1), "bad-character",
				"control character 0x%02x", (unsigned int)(unsigned char)c);
			if (c == '\r')
				conf_hint(lx->diags,
					"the file has DOS line ends; convert it to Unix line ends");
			return;
		}
	}
}

static bool at_continuation(const struct keys_lexer *lx)
{
	return lx->end - lx->at >= 2 && lx->at[0] == '\\' && lx->at[1] == '\n';
}

/* A last line without a newline that would go on: the command ends there. */
static bool at_last_backslash(const struct keys_lexer *lx)
{
	return lx->end - lx->at == 1 && lx->at[0] == '\\';
}

static bool is_blank(char c)
{
	return c != '\n' && ((unsigned char)c <= 0x20 || c == 0x7f);
}

/* Over blanks and continuations; a continuation begins a physical line inside the command. */
static void skip_blanks(struct keys_lexer *lx)
{
	for (;;) {
		if (at_continuation(lx)) {
			lx->at += 2;
			begin_line(lx);
		} else if (at_last_backslash(lx) || (lx->at < lx->end && is_blank(*lx->at))) {
			lx->at++;
		} else {
			return;
		}
	}
}

static void skip_comment(struct keys_lexer *lx)
{
	while (lx->at < lx->end && *lx->at != '\n') {
		if (at_continuation(lx)) {
			lx->at += 2;
			begin_line(lx);
		} else {
			lx->at++;
		}
	}
}

/* The end of a command: its newline is taken, the next call begins a line. */
static struct token end_of_command(struct keys_lexer *lx)
{
	struct token tok = make_token(lx, TOKEN_END_OF_LINE, lx->at, 0);
	size_t len = (size_t)(lx->at - lx->command_start);

	if (len > KEYS_COMMAND_MAX) {
		(void)conf_error(lx->diags, tok.at, "command-too-long",
			"command has %zu characters, at most %d are allowed", len,
			KEYS_COMMAND_MAX);
		lx->too_long = true;
	}
	if (lx->at < lx->end) {
		lx->at++;
		lx->line_start = NULL;
	}
	lx->command_start = lx->at;
	return tok;
}

/* At the opening quote. False: an empty one, which is no word at all. */
static bool quoted_word(struct keys_lexer *lx, struct token *ret)
{
	const char *open = lx->at++;
	const char *start;

	while (lx->at < lx->end && is_blank(*lx->at))
		lx->at++;
	start = lx->at;
	while (lx->at < lx->end && *lx->at != '"' && *lx->at != '\n' && !at_continuation(lx))
		lx->at++;
	*ret = make_token(lx, TOKEN_WORD, start, (size_t)(lx->at - start));
	if (lx->at == lx->end || *lx->at != '"')
		(void)conf_error(lx->diags, loc_at(lx, open, 1), "quote",
			"quoted word is not closed on its line");
	else
		lx->at++;
	return ret->len > 0;
}

struct token keys_lexer_next(struct keys_lexer *lx)
{
	struct token tok;
	const char *start;

	if (!lx->line_start) {
		begin_line(lx);
		lx->command_start = lx->at;
		skip_blanks(lx);
		if (lx->at < lx->end && *lx->at == '#') {
			skip_comment(lx);
			lx->command_start = lx->at;
		}
	}
	for (skip_blanks(lx); lx->at < lx->end && *lx->at == '"'; skip_blanks(lx))
		if (quoted_word(lx, &tok))
			return tok;
	if (lx->at == lx->end)
		return lx->command_start < lx->end ? end_of_command(lx)
						   : make_token(lx, TOKEN_END, lx->at, 0);
	if (*lx->at == '\n')
		return end_of_command(lx);
	start = lx->at;
	while (lx->at < lx->end && *lx->at != '\n' && !is_blank(*lx->at) && !at_continuation(lx) &&
		!at_last_backslash(lx))
		lx->at++;
	return make_token(lx, TOKEN_WORD, start, (size_t)(lx->at - start));
}
