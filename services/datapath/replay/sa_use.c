/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/replay/sa_use.h"

#include "common/base/clock.h"

/* A refill is asked for before the smallest reservation is half used up. */
#define RESERVE_LOW (UINT64_C(1) << 13)

static uint64_t last_number(const struct sa *sa)
{
	return (sa->flags & SA_FLAG_ESN) != 0 ? UINT64_MAX - 1 : UINT32_MAX;
}

void sa_use_raise(struct sa_run *run, uint32_t event)
{
	if ((atomic_load_explicit(&run->events, memory_order_relaxed) & event) == 0)
		(void)atomic_fetch_or_explicit(&run->events, event, memory_order_release);
}

size_t sa_use_numbers(const struct sa *sa, struct sa_run *run, size_t n, uint64_t *ret_first)
{
	uint64_t end = last_number(sa);
	uint64_t reserved = atomic_load_explicit(&run->seq_reserved, memory_order_acquire);
	uint64_t limit = reserved < end ? reserved : end;
	uint64_t last = atomic_load_explicit(&run->seq, memory_order_relaxed);
	size_t taken;

	do {
		taken = last >= limit ? 0 : n;
		if (taken > limit - last)
			taken = (size_t)(limit - last);
	} while (taken > 0 && !atomic_compare_exchange_weak_explicit(&run->seq, &last, last + taken,
				      memory_order_relaxed, memory_order_relaxed));
	*ret_first = last + 1;
	if (last + taken >= end)
		sa_use_raise(run, SA_EVENT_SEQ_END);
	else if (limit < end && limit - (last + taken) <= RESERVE_LOW)
		sa_use_raise(run, SA_EVENT_SEQ_HALF);
	return taken;
}

bool sa_use_is_exhausted(const struct sa *sa, const struct sa_run *run)
{
	return atomic_load_explicit(&run->seq, memory_order_relaxed) >= last_number(sa);
}

void sa_use_note(struct sa_run *run, size_t packets, uint64_t now_usec)
{
	uint64_t now = now_usec != 0 ? now_usec : clock_boot_usec(), never = 0;

	(void)atomic_fetch_add_explicit(&run->packets, packets, memory_order_relaxed);
	if (atomic_load_explicit(&run->first_use_usec, memory_order_relaxed) == 0)
		(void)atomic_compare_exchange_strong_explicit(&run->first_use_usec, &never, now,
			memory_order_relaxed, memory_order_relaxed);
	atomic_store_explicit(&run->last_use_usec, now, memory_order_relaxed);
	sa_use_raise(run, SA_EVENT_TRAFFIC);
}

static void end(struct sa_run *run)
{
	atomic_store_explicit(&run->state, SA_DEAD, memory_order_relaxed);
	sa_use_raise(run, SA_EVENT_HARD_BYTES);
}

bool sa_use_within(const struct sa *sa, struct sa_run *run, uint64_t total, uint64_t packets)
{
	const struct sa_limits *soft = &sa->soft, *hard = &sa->hard;

	if ((soft->bytes != 0 && total >= soft->bytes) ||
		(soft->allocations != 0 && packets >= soft->allocations))
		sa_use_raise(run, SA_EVENT_SOFT_BYTES);
	if ((hard->bytes == 0 || total < hard->bytes) &&
		(hard->allocations == 0 || packets < hard->allocations))
		return true;
	end(run);
	return (hard->bytes == 0 || total < hard->bytes) && packets == hard->allocations;
}
