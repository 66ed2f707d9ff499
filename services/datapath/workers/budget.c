/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/workers/budget.h"

#include <time.h>

#define NSEC_PER_SEC UINT64_C(1000000000)
/* What is not used is kept so long: a burst after a pause is no more than this much ahead. */
#define KEPT_NSEC (NSEC_PER_SEC / 50)

static uint64_t read_clock(clockid_t clock)
{
	struct timespec ts = { 0 };

	/* It cannot fail for clocks that exist. */
	(void)clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

void budget_init(struct budget *budget, unsigned int cpus)
{
	budget->cpus = cpus ? cpus : 1;
	atomic_init(&budget->percent, BUDGET_ALL);
	atomic_init(&budget->balance_nsec, 0);
	atomic_init(&budget->filled_nsec, 0);
}

void budget_set(struct budget *budget, uint32_t percent)
{
	atomic_store_explicit(&budget->percent, percent, memory_order_relaxed);
}

/* The CPU time that belongs to a span of time. */
static uint64_t share(const struct budget *budget, uint32_t percent, uint64_t span_nsec)
{
	return span_nsec / BUDGET_ALL * percent * budget->cpus;
}

/* The span since the last filling is this caller's to fill in, and nobody else's. */
static uint64_t take_span(struct budget *budget, uint64_t now_nsec)
{
	uint64_t filled = atomic_load_explicit(&budget->filled_nsec, memory_order_relaxed);

	do {
		if (now_nsec <= filled)
			return 0;
	} while (!atomic_compare_exchange_weak_explicit(&budget->filled_nsec, &filled, now_nsec,
		memory_order_relaxed, memory_order_relaxed));
	return now_nsec - filled;
}

uint64_t budget_pay(struct budget *budget, uint64_t spent_nsec, uint64_t now_nsec)
{
	uint32_t percent = atomic_load_explicit(&budget->percent, memory_order_relaxed);
	int64_t most = (int64_t)share(budget, percent, KEPT_NSEC);
	int64_t earned = (int64_t)share(budget, percent, take_span(budget, now_nsec));
	int64_t balance = atomic_load_explicit(&budget->balance_nsec, memory_order_relaxed), next;

	if (percent >= BUDGET_ALL)
		return 0;
	do {
		next = balance + earned < most ? balance + earned : most;
		next -= (int64_t)spent_nsec;
	} while (!atomic_compare_exchange_weak_explicit(
		&budget->balance_nsec, &balance, next, memory_order_relaxed, memory_order_relaxed));
	return next >= 0 ? 0 : (uint64_t)-next / percent * BUDGET_ALL / budget->cpus + 1;
}

void budget_skip(const struct budget *budget, struct budget_account *account)
{
	account->is_open = budget_is_bounded(budget);
	if (account->is_open)
		account->paid_nsec = read_clock(CLOCK_THREAD_CPUTIME_ID);
}

uint64_t budget_settle(struct budget *budget, struct budget_account *account)
{
	uint64_t before = account->paid_nsec;
	bool was_open = account->is_open;

	budget_skip(budget, account);
	if (!was_open || !account->is_open)
		return 0;
	return budget_pay(budget, account->paid_nsec - before, read_clock(CLOCK_MONOTONIC));
}
