/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The share of the CPUs: what is paid, what comes back with time, how long who overdraws waits. */
#include "services/datapath/workers/budget.h"

#include <pthread.h>
#include <time.h>

#include "common/base/clock.h"
#include "tests/unit/suite.h"

#define MSEC	 UINT64_C(1000000)
#define LONG_AGO (1000 * MSEC)

START_TEST(all_is_not_counted)
{
	struct budget budget;

	budget_init(&budget, 2);
	ck_assert(!budget_is_bounded(&budget));
	ck_assert_uint_eq(budget_pay(&budget, UINT64_C(1) << 40, LONG_AGO), 0);
	budget_set(&budget, 99);
	ck_assert(budget_is_bounded(&budget));
	ck_assert_uint_eq(budget_pay(&budget, 0, LONG_AGO + 1), 0);
}
END_TEST

static const struct {
	const char *name;
	unsigned int cpus;
	uint32_t percent;
	uint64_t spent_nsec, wait_nsec;
} debts[] = {
	{ "half of one", 1, 50, 10 * MSEC, 20 * MSEC },
	{ "half of two is one", 2, 50, 10 * MSEC, 10 * MSEC },
	{ "one percent of one", 1, 1, 1 * MSEC, 100 * MSEC },
	{ "ten percent of eight", 8, 10, 8 * MSEC, 10 * MSEC },
};

/* From an empty bucket: the wait is what it takes to earn what was spent. */
START_TEST(debts_are_waited_for)
{
	struct budget budget;
	uint64_t wait;

	budget_init(&budget, debts[_i].cpus);
	budget_set(&budget, debts[_i].percent);
	atomic_store(&budget.filled_nsec, LONG_AGO);
	wait = budget_pay(&budget, debts[_i].spent_nsec, LONG_AGO);
	ck_assert_msg(wait >= debts[_i].wait_nsec && wait <= debts[_i].wait_nsec + MSEC, "%s: %llu",
		debts[_i].name, (unsigned long long)wait);
	/* And after it the debt is gone, no more. */
	ck_assert_uint_eq(budget_pay(&budget, 0, LONG_AGO + wait), 0);
	ck_assert_uint_gt(budget_pay(&budget, MSEC, LONG_AGO + wait), 0);
}
END_TEST

/* What nobody used does not pile up: a second of rest is worth 20 ms. */
START_TEST(rest_is_soon_forgotten)
{
	struct budget budget;

	budget_init(&budget, 1);
	budget_set(&budget, 50);
	ck_assert_uint_eq(budget_pay(&budget, 0, LONG_AGO), 0);
	ck_assert_uint_eq(budget_pay(&budget, 10 * MSEC, LONG_AGO + 1000 * MSEC), 0);
	ck_assert_uint_gt(budget_pay(&budget, 10 * MSEC, LONG_AGO + 1000 * MSEC), 0);
}
END_TEST

#define SPENDERS 4
#define STEPS	 20000U

struct spender {
	struct budget *budget;
	_Atomic uint64_t *now;
};

static void *spend(void *userdata)
{
	struct spender *spender = userdata;

	for (unsigned int i = 0; i < STEPS; i++)
		(void)budget_pay(spender->budget, 1000, atomic_fetch_add(spender->now, 100));
	return NULL;
}

/* No span of time is earned twice, no payment gets lost, whoever comes first. */
START_TEST(threads_share_one_bucket)
{
	_Atomic uint64_t now = LONG_AGO;
	struct budget budget;
	struct spender spender = { &budget, &now };
	pthread_t threads[SPENDERS];
	int64_t spent = SPENDERS * STEPS * 1000LL, earned = SPENDERS * STEPS * 100LL / 2;

	budget_init(&budget, 1);
	budget_set(&budget, 50);
	atomic_store(&budget.filled_nsec, LONG_AGO);
	for (int i = 0; i < SPENDERS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, spend, &spender), 0);
	for (int i = 0; i < SPENDERS; i++)
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
	/* Spans are cut to whole hundreds of nanoseconds: a little less is earned. */
	ck_assert_int_le(atomic_load(&budget.balance_nsec), earned - spent);
	ck_assert_int_ge(
		atomic_load(&budget.balance_nsec), earned - spent - SPENDERS * STEPS * 50LL);
}
END_TEST

START_TEST(an_account_pays_what_its_thread_used)
{
	struct budget_account account = { .is_open = false };
	struct budget budget;
	struct timespec ts = { 0 };
	uint64_t until;

	budget_init(&budget, 1);
	budget_set(&budget, 1);
	ck_assert_uint_eq(budget_settle(&budget, &account), 0); /* it is opened */
	ck_assert_int_eq(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts), 0);
	until = (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec + 5 * MSEC;
	do
		ck_assert_int_eq(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts), 0);
	while ((uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec < until);
	ck_assert_uint_gt(budget_settle(&budget, &account), 100 * MSEC);
	budget_set(&budget, BUDGET_ALL);
	ck_assert_uint_eq(budget_settle(&budget, &account), 0);
	ck_assert(!account.is_open);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("budget");
	TCase *tc = tcase_create("budget");

	tcase_add_test(tc, all_is_not_counted);
	tcase_add_loop_test(tc, debts_are_waited_for, 0, ARRAY_SIZE(debts));
	tcase_add_test(tc, rest_is_soon_forgotten);
	tcase_add_test(tc, threads_share_one_bucket);
	tcase_add_test(tc, an_account_pays_what_its_thread_used);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
