/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/io/path_table.h"

#include <netinet/in.h>

#include "common/base/clock.h"
#include "tests/unit/suite.h"

#define AGE_SEC 600

static struct path_table *table;
static struct path_copy *copy;

static void setup(void)
{
	table = path_table_new(AGE_SEC);
	ck_assert_ptr_nonnull(table);
	copy = path_copy_new(table);
	ck_assert_ptr_nonnull(copy);
}

static void teardown(void)
{
	copy = path_copy_free(copy);
	table = path_table_free(table);
}

static struct address address(const char *text)
{
	struct address addr;

	ck_assert_int_eq(address_parse(text, &addr), 0);
	return addr;
}

/* Errors one after the other, seconds at which they come, and what is believed behind each. */
static const struct {
	const char *name, *dst;
	struct {
		uint32_t mtu, at;
		bool learnt;
		uint32_t want;
	} steps[4];
} cases[] = {
	{ "one", "192.0.2.9", { { 1400, 1, true, 1400 } } },
	{ "least", "192.0.2.9", { { 576, 1, true, 576 } } },
	{ "too small", "192.0.2.9", { { 575, 1, false, 0 } } },
	{ "hostile", "192.0.2.9",
		{ { 68, 1, false, 0 }, { 67, 1, false, 0 }, { 1, 1, false, 0 },
			{ 0, 1, false, 0 } } },
	{ "too large", "192.0.2.9", { { 65536, 1, false, 0 }, { UINT32_MAX, 1, false, 0 } } },
	{ "least of IPv6", "2001:db8::9", { { 1280, 1, true, 1280 } } },
	{ "hostile, IPv6", "2001:db8::9", { { 1279, 1, false, 0 }, { 68, 1, false, 0 } } },
	{ "shrinks", "192.0.2.9", { { 1400, 1, true, 1400 }, { 1300, 2, true, 1300 } } },
	{ "does not grow", "192.0.2.9", { { 1300, 1, true, 1300 }, { 1400, 2, false, 1300 } } },
	{ "hostile does not spoil", "192.0.2.9",
		{ { 1300, 1, true, 1300 }, { 100, 2, false, 1300 } } },
	{ "counts until its age", "192.0.2.9",
		{ { 1300, 1, true, 1300 }, { 1400, AGE_SEC, false, 1300 },
			{ 1400, AGE_SEC + 1, true, 1400 } } },
	{ "is prolonged", "192.0.2.9",
		{ { 1300, 1, true, 1300 }, { 1300, AGE_SEC, true, 1300 },
			{ 1400, AGE_SEC + 2, false, 1300 } } },
};

START_TEST(errors)
{
	struct address dst = address(cases[_i].dst), other = address("192.0.2.8");

	ck_assert(!path_copy_any(copy));
	for (size_t i = 0; i < ARRAY_SIZE(cases[_i].steps) && cases[_i].steps[i].at != 0; i++) {
		uint64_t now = cases[_i].steps[i].at * USEC_PER_SEC;

		ck_assert_msg(path_table_learn(table, &dst, cases[_i].steps[i].mtu, now) ==
				      cases[_i].steps[i].learnt,
			"%s, step %zu", cases[_i].name, i);
		ck_assert_msg(path_copy_get(copy, &dst, now) == cases[_i].steps[i].want,
			"%s, step %zu", cases[_i].name, i);
		ck_assert_uint_eq(path_copy_get(copy, &other, now), 0);
	}
}
END_TEST

START_TEST(ages)
{
	struct address dst = address("192.0.2.9");

	ck_assert(path_table_learn(table, &dst, 1300, USEC_PER_SEC));
	ck_assert_uint_eq(path_copy_get(copy, &dst, (AGE_SEC + 1) * USEC_PER_SEC - 1), 1300);
	ck_assert_uint_eq(path_copy_get(copy, &dst, (AGE_SEC + 1) * USEC_PER_SEC), 0);
}
END_TEST

/* Many destinations: one may take another's place, but what is told is never another's. */
START_TEST(many)
{
	size_t known = 0;

	for (uint32_t i = 0; i < 4096; i++) {
		struct address dst = { .family = AF_INET,
			.bytes = { 10, 0, (uint8_t)(i >> 8), (uint8_t)i } };

		ck_assert(path_table_learn(table, &dst, 576 + i % 900, USEC_PER_SEC));
	}
	for (uint32_t i = 0; i < 4096; i++) {
		struct address dst = { .family = AF_INET,
			.bytes = { 10, 0, (uint8_t)(i >> 8), (uint8_t)i } };
		uint32_t mtu = path_copy_get(copy, &dst, USEC_PER_SEC);

		ck_assert(mtu == 0 || mtu == 576 + i % 900);
		known += mtu != 0;
	}
	ck_assert_uint_gt(known, 128);
	ck_assert_uint_le(known, 256);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("path_table");
	TCase *tc = tcase_create("path_table");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, errors, 0, (int)ARRAY_SIZE(cases));
	tcase_add_test(tc, ages);
	tcase_add_test(tc, many);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
