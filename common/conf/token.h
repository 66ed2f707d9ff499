/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Words with places. Two tokenisers share the type: ipsecinit.conf (braces, # anywhere) and
 * ipseckeys (commands on logical lines, quotes, continuation).
 */
#ifndef CONF_TOKEN_H
#define CONF_TOKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "common/conf/diag.h"

enum token_kind {
	TOKEN_WORD,
	TOKEN_OPEN, /* { */
	TOKEN_CLOSE, /* } */
	TOKEN_END_OF_LINE, /* end of a physical line (policy) or of a command (keys) */
	TOKEN_END, /* end of the source */
};

/* Text borrowed from the source; not NUL-terminated. */
struct token {
	enum token_kind kind;
	const char *text;
	size_t len;
	struct conf_loc at;
};

/* Tokeniser of ipsecinit.conf: lines of at most 1023 bytes, comments, braces split words. */
struct policy_lexer {
	const char *source, *at, *end;
	unsigned int line;
	const char *line_start;
	bool bad_line; /* a bad character of it was reported */
	bool bad_ends; /* so were DOS line ends */
	const char *file;
	struct conf_diags *diags;
};

void policy_lexer_init(struct policy_lexer *lx, const char *file, const char *source, size_t len,
	struct conf_diags *diags);
/* Over-long lines, NUL bytes and control characters are reported here and skipped. */
struct token policy_lexer_next(struct policy_lexer *lx);

/* Tokeniser of ipseckeys: # only first on a line, "quoted words", backslash-newline. */
struct keys_lexer {
	const char *source, *at, *end;
	unsigned int line;
	const char *line_start;
	const char *command_start;
	const char *file;
	bool too_long; /* a line or a command was */
	struct conf_diags *diags;
};

void keys_lexer_init(struct keys_lexer *lx, const char *file, const char *source, size_t len,
	struct conf_diags *diags);
struct token keys_lexer_next(struct keys_lexer *lx);

/* Exactly, and a TOKEN_WORD; here, since each word is held against tables of them. */
static inline bool token_is(const struct token *tok, const char *word)
{
	return tok->kind == TOKEN_WORD && tok->len > 0 && tok->text[0] == word[0] &&
	       tok->len == strlen(word) && memcmp(tok->text, word, tok->len) == 0;
}

#endif
