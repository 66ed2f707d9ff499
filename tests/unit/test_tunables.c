/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names, defaults and ranges of the original, and who may be set to what. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "services/datapath/settings/tunables.h"

static const struct {
	const char *name;
	enum tunable which;
	uint64_t initial, least, most;
} cases[] = {
	{ "_icmp_accept_clear_messages", TUNABLE_ICMP_ACCEPT_CLEAR, 1, 0, 1 },
	{ "_igmp_accept_clear_messages", TUNABLE_IGMP_ACCEPT_CLEAR, 1, 0, 1 },
	{ "_pim_accept_clear_messages", TUNABLE_PIM_ACCEPT_CLEAR, 1, 0, 1 },
	{ "_ipsec_policy_log_interval", TUNABLE_POLICY_LOG_INTERVAL, 0, 0, 999999 },
	{ "_ipsec_override_persocket_policy", TUNABLE_OVERRIDE_PERSOCKET, 0, 0, 1 },
	{ "ipsecesp_debug", TUNABLE_ESP_DEBUG, 0, 0, 3 },
	{ "ipsecesp_age_interval", TUNABLE_ESP_AGE_INTERVAL, 8000, 125, 32000 },
	{ "ipsecah_age_interval", TUNABLE_AH_AGE_INTERVAL, 8000, 125, 32000 },
	{ "ipsecesp_reap_delay", TUNABLE_ESP_REAP_DELAY, 1, 1, 10 },
	{ "ipsecah_replay_size", TUNABLE_AH_REPLAY_SIZE, 64, 1, 256 },
	{ "ipsecesp_acquire_timeout", TUNABLE_ESP_ACQUIRE_TIMEOUT, 15, 1, 300 },
	{ "ipsecesp_larval_timeout", TUNABLE_ESP_LARVAL_TIMEOUT, 90, 1, 1800 },
	{ "ipsecesp_default_soft_bytes", TUNABLE_ESP_SOFT_BYTES, 0, 0, UINT32_MAX },
	{ "ipsecah_default_hard_bytes", TUNABLE_AH_HARD_BYTES, 0, 0, UINT32_MAX },
	{ "ipsecesp_default_soft_addtime", TUNABLE_ESP_SOFT_ADDTIME, 24000, 0, UINT32_MAX },
	{ "ipsecah_default_hard_addtime", TUNABLE_AH_HARD_ADDTIME, 28800, 0, UINT32_MAX },
	{ "ipsecesp_default_soft_usetime", TUNABLE_ESP_SOFT_USETIME, 0, 0, UINT32_MAX },
	{ "ipsecesp_log_unknown_spi", TUNABLE_ESP_LOG_UNKNOWN_SPI, 0, 0, 1 },
	{ "ipsecesp_padding_check", TUNABLE_ESP_PADDING_CHECK, 1, 0, 2 },
	{ "ipsecesp_nat_keepalive_interval", TUNABLE_ESP_NAT_KEEPALIVE, 20, 0, 600 },
};

START_TEST(one_is_as_the_original_has_it)
{
	struct tunables tunables;
	enum tunable which;

	tunables_init(&tunables);
	ck_assert_msg(tunable_find(cases[_i].name, &which), "%s", cases[_i].name);
	ck_assert_int_eq(which, cases[_i].which);
	ck_assert_str_eq(tunable_row(which)->name, cases[_i].name);
	ck_assert_uint_eq(tunables_get(&tunables, which), cases[_i].initial);
	ck_assert_int_eq(tunables_set(&tunables, which, cases[_i].least), 0);
	ck_assert_int_eq(tunables_set(&tunables, which, cases[_i].most), 0);
	ck_assert_uint_eq(tunables_get(&tunables, which), cases[_i].most);
	ck_assert_int_eq(tunables_set(&tunables, which, cases[_i].most + 1), -ERANGE);
	if (cases[_i].least > 0)
		ck_assert_int_eq(tunables_set(&tunables, which, cases[_i].least - 1), -ERANGE);
	ck_assert_uint_eq(tunables_get(&tunables, which), cases[_i].most);
}
END_TEST

START_TEST(other_names_find_the_same)
{
	enum tunable which = TUNABLE_COUNT;

	ck_assert(tunable_find("ipsec_policy_log_interval", &which));
	ck_assert_int_eq(which, TUNABLE_POLICY_LOG_INTERVAL);
	ck_assert(tunable_find("padding_check", &which));
	ck_assert_int_eq(which, TUNABLE_ESP_PADDING_CHECK);
	ck_assert(tunable_find("nat_keepalive_interval", &which));
	ck_assert_int_eq(which, TUNABLE_ESP_NAT_KEEPALIVE);
	/* ESP and AH both have it, so nobody can say which is meant. */
	ck_assert(!tunable_find("age_interval", &which));
	ck_assert(!tunable_find("_ipsecesp_debug", &which));
	ck_assert(!tunable_find("psecesp_debug", &which));
	ck_assert(!tunable_find("", &which));
}
END_TEST

START_TEST(every_row_is_whole_and_its_name_its_own)
{
	const struct tunable_row *row = tunable_row((enum tunable)_i);
	enum tunable which;

	ck_assert(tunable_find(row->name, &which));
	ck_assert_int_eq(which, _i);
	ck_assert_uint_ge(row->initial, row->least);
	ck_assert_uint_le(row->initial, row->most);
	ck_assert_ptr_nonnull(row->unit);
	ck_assert_uint_gt(strlen(row->help), 0);
	ck_assert_int_eq(TUNABLE_OF(true, DEBUG), TUNABLE_AH_DEBUG);
	ck_assert_int_eq(TUNABLE_OF(false, DEBUG), TUNABLE_ESP_DEBUG);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tunables");
	TCase *tc = tcase_create("tunables");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(
		tc, one_is_as_the_original_has_it, 0, (int)(sizeof(cases) / sizeof(cases[0])));
	tcase_add_test(tc, other_names_find_the_same);
	tcase_add_loop_test(tc, every_row_is_whole_and_its_name_its_own, 0, TUNABLE_COUNT);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
