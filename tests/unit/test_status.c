/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a status line says of a file's last reading. */
#include "common/daemon/status.h"

#include "tests/unit/suite.h"

static void check_line(const struct conf_diags *diags, const char *message, const char *want)
{
	CLEANUP(text_done) struct text text = { 0 };
	CLEANUP(load_note_done) struct load_note note = { 0 };

	load_note_take(&note, diags);
	text_add(&text, "3 rules");
	load_note_add_warnings(&text, note.warnings);
	if (message)
		load_note_add_fault(&text, "last reload", &note, message);
	ck_assert_str_eq(text.str, want);
}

START_TEST(a_warning_never_stands_where_the_error_should)
{
	CLEANUP(conf_diags_freep) struct conf_diags *diags = conf_diags_new();
	const char *file = conf_diags_file(diags, "/etc/inet/ipsecinit.conf", "", 0, false);

	conf_warning(diags, (struct conf_loc){ .file = file, .line = 2, .column = 1 }, "x-weak",
		"a warning: error: in words");
	check_line(diags, NULL, "3 rules, 1 warning");
	(void)conf_error(diags, (struct conf_loc){ .file = file, .line = 14, .column = 3 }, "x-bad",
		"the second");
	(void)conf_error(diags, (struct conf_loc){ .file = file, .line = 12, .column = 8 }, "x-bad",
		"the first");
	conf_warning(diags, (struct conf_loc){ .file = file, .line = 20, .column = 1 }, "x-weak",
		"another");
	check_line(diags, "whatever is rendered",
		"3 rules, 2 warnings; last reload failed at ipsecinit.conf:12:8");
}
END_TEST

START_TEST(places_are_as_exact_as_they_are_known)
{
	static const struct {
		unsigned int line, column;
		const char *want;
	} cases[] = {
		{ 7, 0, "3 rules; last reload failed at policy.cfg:7" },
		{ 0, 0, "3 rules; last reload failed: policy.cfg: cannot read" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEANUP(conf_diags_freep) struct conf_diags *diags = conf_diags_new();
		struct conf_loc at = { .line = cases[i].line, .column = cases[i].column };

		at.file = conf_diags_file(diags, "policy.cfg", "", 0, false);
		(void)conf_error(diags, at, "x-bad", "cannot read");
		check_line(diags, "unused", cases[i].want);
	}
}
END_TEST

START_TEST(without_a_place_the_first_line_of_the_reason_stands)
{
	check_line(
		NULL, "out of reach\nSTATUS=forged", "3 rules; last reload failed: out of reach");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("status");
	TCase *tc = tcase_create("status");

	tcase_add_test(tc, a_warning_never_stands_where_the_error_should);
	tcase_add_test(tc, places_are_as_exact_as_they_are_known);
	tcase_add_test(tc, without_a_place_the_first_line_of_the_reason_stands);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
