/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/packet/counters.h"

#include <ctype.h>
#include <string.h>

#include "tests/unit/suite.h"

START_TEST(names)
{
	for (int i = 0; i < VERDICT_COUNT; i++) {
		const char *name = verdict_name((enum verdict)i);

		ck_assert_uint_gt(strlen(name), 3);
		ck_assert_uint_gt(strlen(verdict_text((enum verdict)i)), 3);
		for (const char *c = name; *c != '\0'; c++)
			ck_assert(islower((unsigned char)*c) || isdigit((unsigned char)*c) ||
				  *c == '_');
		for (int k = 0; k < i; k++) {
			ck_assert_str_ne(name, verdict_name((enum verdict)k));
			ck_assert_str_ne(
				verdict_text((enum verdict)i), verdict_text((enum verdict)k));
		}
	}
	ck_assert_str_eq(verdict_name(VERDICT_ESP_NO_SA), "esp_no_sa");
	ck_assert_str_eq(verdict_name(VERDICT_COUNT), "unknown");
	ck_assert_str_eq(verdict_text(VERDICT_COUNT), "unknown");
}
END_TEST

/* What passes is named by where it goes, a port that moved is no packet,
 * what is left to another thread is counted there; everything else is lost. */
START_TEST(drops)
{
	for (int i = 0; i < VERDICT_COUNT; i++) {
		const char *name = verdict_name((enum verdict)i);
		bool passes = strncmp(name, "out_", 4) == 0 || strncmp(name, "in_", 3) == 0 ||
			      strcmp(name, "sa_port_renumbers") == 0 ||
			      strcmp(name, "exec_sync") == 0;

		ck_assert(verdict_is_drop((enum verdict)i) == !passes);
	}
}
END_TEST

START_TEST(counts)
{
	struct counters counters = { 0 };

	counters_add(&counters, VERDICT_ESP_REPLAY);
	counters_add(&counters, VERDICT_ESP_REPLAY);
	ck_assert_uint_eq(atomic_load(&counters.packets[VERDICT_ESP_REPLAY]), 2);
	ck_assert_uint_eq(atomic_load(&counters.packets[VERDICT_ESP_BAD_AUTH]), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("counters");
	TCase *tc = tcase_create("counters");

	tcase_add_test(tc, names);
	tcase_add_test(tc, drops);
	tcase_add_test(tc, counts);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
