/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "common/conf/token.h"
#include "tests/unit/suite.h"

/* Tokens as one line of text: words, { } ; for an end of line, each with its place where asked. */
static char *shape(const char *source, size_t len, bool keys, struct conf_diags *diags)
{
	struct policy_lexer policy;
	struct keys_lexer key;
	struct text text = { 0 };
	struct token tok;
	char *str;

	policy_lexer_init(&policy, "in", source, len, diags);
	keys_lexer_init(&key, "in", source, len, diags);
	do {
		tok = keys ? keys_lexer_next(&key) : policy_lexer_next(&policy);
		switch (tok.kind) {
		case TOKEN_WORD:
			text_addf(&text, "%.*s@%u:%u ", (int)tok.len, tok.text, tok.at.line,
				tok.at.column);
			break;
		case TOKEN_OPEN:
			text_add(&text, "{ ");
			break;
		case TOKEN_CLOSE:
			text_add(&text, "} ");
			break;
		case TOKEN_END_OF_LINE:
			text_add(&text, "; ");
			break;
		case TOKEN_END:
			text_add(&text, "$");
			break;
		}
	} while (tok.kind != TOKEN_END);
	ck_assert_int_eq(text_take(&text, &str), 0);
	return str;
}

static const struct {
	const char *name;
	bool keys;
	const char *source;
	const char *want;
	const char *codes; /* of the diagnostics, blank-separated */
} cases[] = {
	{ "nothing", false, "", "$", "" },
	{ "braces split words", false, "{lport 53}bypass{}",
		"{ lport@1:2 53@1:8 } bypass@1:11 { } $", "" },
	{ "a comment ends a word", false, "{lport 23#x}\n}", "{ lport@1:2 23@1:8 ; } $", "" },
	{ "tabs are one column", false, "\ta\n\n b", "a@1:2 ; ; b@3:2 $", "" },
	{ "DOS line ends are told once", false, "a\r\nb\r\n", "a@1:1 ; b@2:1 ; $",
		"bad-character" },
	{ "a carriage return elsewhere", false, "a\r\nb\rc\r\n7\r", "a@1:1 ; b@2:1 c@2:3 ; 7@3:1 $",
		"bad-character bad-character bad-character" },
	{ "byte order mark", false, "\xef\xbb\xbf{ \xef\xbb\xbf", "{ \xef\xbb\xbf@1:6 $",
		"bad-character" },
	{ "a comment may hold anything", false, "a #\001\n", "a@1:1 ; $", "" },
	{ "bytes beyond ASCII are words", false, "\xc3\xa4", "\xc3\xa4@1:1 $", "" },
	{ "backslash is part of a word", false, "a \\\nb", "a@1:1 \\@1:3 ; b@2:1 $", "" },

	{ "keys: nothing", true, "", "$", "" },
	{ "keys: no newline at the end", true, "flush", "flush@1:1 ; $", "" },
	{ "keys: a comment", true, "  # a b\nflush ah\n", "; flush@2:1 ah@2:7 ; $", "" },
	{ "keys: no comment behind words", true, "flush # x\n", "flush@1:1 #@1:7 x@1:9 ; $", "" },
	{ "keys: continued", true, "add \\\n  esp\n", "add@1:1 esp@2:3 ; $", "" },
	{ "keys: a comment is continued", true, "# a \\\nflush\nx\n", "; x@3:1 ; $", "" },
	{ "keys: backslash and blank", true, "a \\ \nb\n", "a@1:1 \\@1:3 ; b@2:1 ; $", "" },
	{ "keys: ends continued", true, "a \\\n", "a@1:1 ; $", "" },
	{ "keys: quotes", true, "id \"  C=US, O=X\"end \"\" z",
		"id@1:1 C=US, O=X@1:7 end@1:17 z@1:24 ; $", "" },
	{ "keys: open quote", true, "id \"abc\nb", "id@1:1 abc@1:5 ; b@2:1 ; $", "quote" },
	{ "keys: control character", true, "a\001b", "a@1:1 b@1:3 ; $", "bad-character" },
};

static void expect_codes(const struct conf_diags *diags, const char *want, const char *name)
{
	struct text codes = { 0 };

	for (size_t i = 0; i < conf_diags_count(diags); i++)
		text_addf(&codes, "%s%s", i ? " " : "", conf_diags_get(diags, i)->code);
	ck_assert_msg(strcmp(codes.str ? codes.str : "", want) == 0, "%s: %s", name, codes.str);
	text_done(&codes);
}

START_TEST(tokens)
{
	struct conf_diags *diags = conf_diags_new();
	char *said = shape(cases[_i].source, strlen(cases[_i].source), cases[_i].keys, diags);

	ck_assert_msg(strcmp(said, cases[_i].want) == 0, "%s: %s", cases[_i].name, said);
	expect_codes(diags, cases[_i].codes, cases[_i].name);
	free(said);
	conf_diags_free(diags);
}
END_TEST

/* The longest lines that are allowed, and one byte more. */
static const struct {
	bool keys;
	size_t len;
	const char *codes;
} limits[] = {
	{ false, 1022, "" },
	{ false, 1023, "line-too-long" },
	{ true, 4093, "" },
	{ true, 4094, "line-too-long" },
};

START_TEST(line_limits)
{
	struct conf_diags *diags = conf_diags_new();
	char *source = malloc(limits[_i].len + 1);

	memset(source, 'x', limits[_i].len);
	source[limits[_i].len] = '\n';
	free(shape(source, limits[_i].len + 1, limits[_i].keys, diags));
	expect_codes(diags, limits[_i].codes, "limit");
	free(source);
	conf_diags_free(diags);
}
END_TEST

START_TEST(command_limit)
{
	static const char *const codes[] = { "", "command-too-long" };
	struct conf_diags *diags = conf_diags_new();
	size_t len = 4095 + (size_t)_i;
	char *source = malloc(len + 1);

	memset(source, 'x', len);
	memcpy(source + 2000, " \\\n ", 4);
	source[len] = '\n';
	free(shape(source, len + 1, true, diags));
	expect_codes(diags, codes[_i], "limit");
	free(source);
	conf_diags_free(diags);
}
END_TEST

START_TEST(words_are_compared_exactly)
{
	struct token tok = { .kind = TOKEN_WORD, .text = "order", .len = 2 };

	ck_assert(token_is(&tok, "or"));
	ck_assert(!token_is(&tok, "o"));
	ck_assert(!token_is(&tok, "ord"));
	tok.kind = TOKEN_OPEN;
	ck_assert(!token_is(&tok, "or"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("token");
	TCase *tc = tcase_create("token");

	tcase_add_loop_test(tc, tokens, 0, ARRAY_SIZE(cases));
	tcase_add_loop_test(tc, line_limits, 0, ARRAY_SIZE(limits));
	tcase_add_loop_test(tc, command_limit, 0, 2);
	tcase_add_test(tc, words_are_compared_exactly);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
