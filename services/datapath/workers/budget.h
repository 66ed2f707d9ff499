/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The share of the machine that packets may take: a bucket that fills with time and from which every
 * thread of the engine pays the CPU time that it used. Who finds it overdrawn waits.
 */
#ifndef DATAPATH_BUDGET_H
#define DATAPATH_BUDGET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define BUDGET_ALL 100U

struct budget {
	unsigned int cpus;
	_Atomic uint32_t percent; /* of all CPUs together; BUDGET_ALL: nothing is counted */
	_Atomic int64_t balance_nsec; /* CPU time; negative: overdrawn */
	_Atomic uint64_t filled_nsec; /* CLOCK_MONOTONIC up to which it was filled */
};

void budget_init(struct budget *budget, unsigned int cpus);
/* Control thread; counts from the next payment on. */
void budget_set(struct budget *budget, uint32_t percent);

static inline bool budget_is_bounded(const struct budget *budget)
{
	return atomic_load_explicit(&budget->percent, memory_order_relaxed) < BUDGET_ALL;
}

/* Pay @spent of CPU time at @now (CLOCK_MONOTONIC). Return: how long to wait, 0: go on. */
uint64_t budget_pay(struct budget *budget, uint64_t spent_nsec, uint64_t now_nsec);

/* What one thread has paid so far. */
struct budget_account {
	bool is_open;
	uint64_t paid_nsec; /* of its CPU time */
};
/* Pay what the calling thread has used since the last call. Return: as budget_pay(). */
uint64_t budget_settle(struct budget *budget, struct budget_account *account);
/* What the thread did until now was not for packets: it is not paid. */
void budget_skip(const struct budget *budget, struct budget_account *account);

#endif
