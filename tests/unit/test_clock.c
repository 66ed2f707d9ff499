/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/base/clock.h"

#include "tests/unit/suite.h"

#define DEADLINE_USEC (60 * USEC_PER_SEC)

/* Late, but never ahead, never back, and it goes on. */
START_TEST(a_tick_late)
{
	struct clock_lately lately = { .usec = 0 };
	uint64_t begin = clock_boot_usec(), first = clock_boot_lately(&lately), now = first;

	ck_assert_uint_ge(first, begin);
	while (now == first) {
		uint64_t next = clock_boot_lately(&lately), at = clock_boot_usec();

		ck_assert_uint_ge(next, now);
		ck_assert_uint_le(next, at);
		ck_assert_uint_lt(at - begin, DEADLINE_USEC);
		now = next;
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("clock");
	TCase *tc = tcase_create("clock");

	tcase_set_timeout(tc, 90);
	tcase_add_test(tc, a_tick_late);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
