/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Both tokenisers: every token lies in the source, its place leads back to its bytes, tokens come
 * in rising order, and the end is reached.
 */
#include <stdint.h>
#include <string.h>

#include "common/conf/token.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void require(bool promise)
{
	if (!promise)
		abort();
}

/* Line starts by counting newlines, as a user's editor does. */
static const char *line_start(const char *source, const char *end, unsigned int line)
{
	const char *at = source;

	for (unsigned int n = 1; n < line; n++) {
		at = memchr(at, '\n', (size_t)(end - at));
		require(at != NULL);
		at++;
	}
	return at;
}

static void check_token(const struct token *tok, const char *source, const char *end)
{
	require(tok->text >= source && tok->text + tok->len <= end);
	require(tok->at.line >= 1 && tok->at.column >= 1);
	require(line_start(source, end, tok->at.line) + tok->at.column - 1 == tok->text);
	if (tok->kind == TOKEN_WORD)
		require(tok->len > 0 && !memchr(tok->text, '\n', tok->len));
}

static void run(const char *source, size_t len, bool keys)
{
	struct conf_diags *diags = conf_diags_new();
	const char *last = source;
	struct policy_lexer policy;
	struct keys_lexer key;
	struct token tok;
	size_t most = 2 * len + 2, count = 0;

	require(diags != NULL);
	policy_lexer_init(&policy, "in", source, len, diags);
	keys_lexer_init(&key, "in", source, len, diags);
	do {
		tok = keys ? keys_lexer_next(&key) : policy_lexer_next(&policy);
		check_token(&tok, source, source + len);
		require(tok.text >= last);
		last = tok.text;
		require(++count <= most);
	} while (tok.kind != TOKEN_END);
	conf_diags_free(diags);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	char *copy;

	if (len > 1U << 14)
		return 0; /* places are counted from the top for each token */
	copy = malloc(len ? len : 1); /* so that reading beyond the end is seen */
	require(copy != NULL);
	if (len > 0)
		memcpy(copy, bytes, len);
	run(copy, len, false);
	run(copy, len, true);
	free(copy);
	return 0;
}
