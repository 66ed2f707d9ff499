/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/base/text.h"

#include <errno.h>
#include <string.h>

#include "tests/unit/suite.h"

START_TEST(grows)
{
	CLEANUP(text_done) struct text t = { 0 };
	CLEANUP(freep) char *str = NULL;

	for (int i = 0; i < 1000; i++)
		text_addf(&t, "%d,", i % 10);
	text_add_char(&t, '!');
	ck_assert_uint_eq(t.len, 2001);
	ck_assert_str_eq(t.str + 1996, "8,9,!");
	ck_assert_int_eq(text_take(&t, &str), 0);
	ck_assert_ptr_null(t.str);
	ck_assert_uint_eq(t.len, 0);
}
END_TEST

START_TEST(fits_at_any_length)
{
	for (int before = 0; before < 300; before++) {
		CLEANUP(text_done) struct text t = { 0 };

		text_addf(&t, "%*s", before, "");
		text_addf(&t, "%d:%s", 12345, "end");
		ck_assert(!t.failed);
		ck_assert_uint_eq(t.len, (size_t)before + 9);
		ck_assert_uint_eq(strlen(t.str), t.len);
		ck_assert_str_eq(t.str + before, "12345:end");
	}
}
END_TEST

START_TEST(empty_is_a_string)
{
	struct text t = { 0 };
	CLEANUP(freep) char *str = NULL;

	ck_assert_int_eq(text_take(&t, &str), 0);
	ck_assert_str_eq(str, "");
}
END_TEST

START_TEST(failure_sticks)
{
	struct text t = { 0 };
	char *str = NULL;

	text_add(&t, "kept");
	text_add_bytes(&t, "x", SIZE_MAX - 2); /* no such size can be had */
	ck_assert(t.failed);
	text_add(&t, "lost");
	ck_assert_str_eq(t.str, "kept");
	ck_assert_int_eq(text_take(&t, &str), -ENOMEM);
	ck_assert_ptr_null(str);
	ck_assert_ptr_null(t.str);
}
END_TEST

START_TEST(hex)
{
	static const uint8_t bytes[] = { 0x00, 0x9a, 0xff };
	char str[7];

	hex_encode(bytes, sizeof(bytes), str);
	ck_assert_str_eq(str, "009aff");
	ck_assert_int_eq(hex_digit('0'), 0);
	ck_assert_int_eq(hex_digit('f'), 15);
	ck_assert_int_eq(hex_digit('A'), 10);
	ck_assert_int_eq(hex_digit('g'), -1);
	ck_assert_int_eq(hex_digit('/'), -1);
	ck_assert_int_eq(hex_digit(':'), -1);
	ck_assert_int_eq(hex_digit('@'), -1);
	ck_assert_int_eq(hex_digit('`'), -1);
}
END_TEST

START_TEST(fixed_arrays)
{
	char buffer[5] = "old";

	ck_assert_int_eq(text_copy(buffer, sizeof(buffer), "12345"), -ENAMETOOLONG);
	ck_assert_str_eq(buffer, "old");
	ck_assert_int_eq(text_copy(buffer, sizeof(buffer), "1234"), 0);
	ck_assert_str_eq(buffer, "1234");
	ck_assert_int_eq(text_fixed(buffer, sizeof(buffer), "%d", 99999), -ENAMETOOLONG);
	ck_assert_int_eq(text_fixed(buffer, sizeof(buffer), "%d", 9999), 0);
	ck_assert_str_eq(buffer, "9999");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("text");
	TCase *tc = tcase_create("text");

	tcase_add_test(tc, grows);
	tcase_add_test(tc, fits_at_any_length);
	tcase_add_test(tc, empty_is_a_string);
	tcase_add_test(tc, failure_sticks);
	tcase_add_test(tc, hex);
	tcase_add_test(tc, fixed_arrays);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
