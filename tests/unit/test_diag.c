/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <string.h>

#include "common/conf/diag.h"
#include "tests/unit/suite.h"

static char *render(const struct conf_diags *diags, bool json)
{
	struct text text = { 0 };
	char *str;

	if (json)
		conf_diags_print_json(diags, &text);
	else
		conf_diags_print(diags, &text);
	ck_assert_int_eq(text_take(&text, &str), 0);
	return str;
}

static void expect(const struct conf_diags *diags, const char *want)
{
	char *said = render(diags, false);

	ck_assert_str_eq(said, want);
	free(said);
}

static struct conf_diags *diags_of(const char *source, const char **ret_file, bool secret)
{
	struct conf_diags *diags = conf_diags_new();

	ck_assert_ptr_nonnull(diags);
	*ret_file = conf_diags_file(diags, "policy.conf", source, strlen(source), secret);
	ck_assert_ptr_nonnull(*ret_file);
	return diags;
}

START_TEST(caret_under_the_place)
{
	const char *file;
	struct conf_diags *diags = diags_of("\n\nlocal 192.0.2.0/33\n", &file, false);
	struct conf_loc at = { file, 3, 17, 2 };

	ck_assert_int_eq(conf_error(diags, at, "addr-prefix",
				 "prefix length %d is longer than an IPv4 address", 33),
		-EBADMSG);
	expect(diags, "policy.conf:3:17: error: prefix length 33 is longer than an IPv4 address "
		      "[addr-prefix]\n"
		      "local 192.0.2.0/33\n"
		      "                ^~\n");
	conf_diags_free(diags);
}
END_TEST

static const struct {
	const char *name;
	const char *source;
	unsigned int column, length;
	const char *want; /* behind the first line */
} excerpts[] = {
	{ "tabs are kept", "\tab\tcd", 5, 2, "\tab\tcd\n\t  \t^~\n" },
	{ "characters, not bytes", "\xc3\xa4\xc3\xb6 x", 6, 1, "\xc3\xa4\xc3\xb6 x\n   ^\n" },
	{ "broken UTF-8 is not passed on", "\xff\x1b x", 4, 1, "?? x\n   ^\n" },
	{ "surrogates are no UTF-8", "\xed\xa0\x80x", 4, 1, "???x\n   ^\n" },
	{ "no length", "abc", 2, 0, "abc\n ^\n" },
	{ "length beyond the line", "abc", 2, 9, "abc\n ^~\n" },
	{ "at the end of the line", "abc", 4, 0, "abc\n   ^\n" },
	{ "column beyond the line", "abc", 5, 1, "" },
	{ "no column", "abc", 0, 0, "" },
};

START_TEST(excerpt)
{
	const char *file;
	struct conf_diags *diags = diags_of(excerpts[_i].source, &file, false);
	struct conf_loc at = { file, 1, excerpts[_i].column, excerpts[_i].length };
	char *said;

	(void)conf_error(diags, at, "code", "text");
	said = render(diags, false);
	ck_assert_msg(strcmp(strchr(said, '\n') + 1, excerpts[_i].want) == 0, "%s: %s",
		excerpts[_i].name, said);
	free(said);
	conf_diags_free(diags);
}
END_TEST

START_TEST(long_lines_are_windows)
{
	char source[1001] = { 0 };
	const char *file;
	struct conf_diags *diags;
	struct conf_loc at;
	const char *quoted, *carets;
	char *said;

	memset(source, 'x', 1000);
	source[500] = 'Y';
	diags = diags_of(source, &file, false);
	at = (struct conf_loc){ file, 1, 501, 1 };
	(void)conf_error(diags, at, "code", "text");
	said = render(diags, false);
	quoted = strchr(said, '\n') + 1;
	carets = strchr(quoted, '\n') + 1;
	ck_assert_uint_lt(strlen(said), 400);
	/* The caret stands as far into its line as the Y into the line before. */
	ck_assert_int_eq(strchr(quoted, 'Y') - quoted, strchr(carets, '^') - carets);
	free(said);
	conf_diags_free(diags);
}
END_TEST

START_TEST(sorted_by_place)
{
	const char *file, *other;
	struct conf_diags *diags = diags_of("a\nb\n", &file, false);

	other = conf_diags_file(diags, "algs", "", 0, false);
	conf_warning(diags, (struct conf_loc){ .file = other, .line = 1 }, "w", "fourth");
	conf_note(diags, (struct conf_loc){ .file = file, .line = 2 }, "n", "third");
	(void)conf_error(diags, (struct conf_loc){ file, 1, 1, 1 }, "e", "second");
	conf_hint(diags, "try %s", "this");
	(void)conf_error(diags, (struct conf_loc){ .file = file }, "e", "first");
	ck_assert_uint_eq(conf_diags_count(diags), 4);
	ck_assert_uint_eq(conf_diags_errors(diags), 2);
	ck_assert_str_eq(conf_diags_get(diags, 0)->message, "first");
	ck_assert_ptr_null(conf_diags_get(diags, 4));
	expect(diags, "policy.conf: error: first [e]\n"
		      "policy.conf:1:1: error: second [e]\na\n^\n  hint: try this\n"
		      "policy.conf:2: note: third [n]\n"
		      "algs:1: warning: fourth [w]\n");
	ck_assert(!conf_diags_failed(diags));
	conf_diags_free(diags);
}
END_TEST

START_TEST(secrets_are_not_quoted)
{
	const char *file;
	struct conf_diags *diags = diags_of("encrkey 00112233", &file, true);
	char *said;

	(void)conf_error(diags, (struct conf_loc){ file, 1, 9, 8 }, "key", "key is too short");
	expect(diags, "policy.conf:1:9: error: key is too short [key]\n");
	said = render(diags, true);
	ck_assert_ptr_null(strstr(said, "0011"));
	free(said);
	conf_diags_free(diags);
}
END_TEST

START_TEST(json)
{
	const char *file;
	struct conf_diags *diags = diags_of("abc\n", &file, false);
	char *said;

	(void)conf_error(diags, (struct conf_loc){ file, 1, 2, 2 }, "c", "say \"%s\\\x01\xff", "x");
	said = render(diags, true);
	ck_assert_str_eq(said,
		"{\"version\":1,\"diagnostics\":[{\"file\":\"policy.conf\",\"line\":1,\"column\":2,"
		"\"end_line\":1,\"end_column\":4,\"severity\":\"error\",\"code\":\"c\","
		"\"message\":\"say \\\"x\\\\\\u0001\\ufffd\",\"hint\":null}]}\n");
	free(said);
	conf_diags_free(diags);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("diag");
	TCase *tc = tcase_create("diag");

	tcase_add_test(tc, caret_under_the_place);
	tcase_add_loop_test(tc, excerpt, 0, ARRAY_SIZE(excerpts));
	tcase_add_test(tc, long_lines_are_windows);
	tcase_add_test(tc, sorted_by_place);
	tcase_add_test(tc, secrets_are_not_quoted);
	tcase_add_test(tc, json);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
