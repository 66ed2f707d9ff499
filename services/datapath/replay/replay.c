/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/replay/replay.h"

#include <sched.h>
#include <stddef.h>
#include <string.h>

#include "services/datapath/replay/sa_use.h"

#define WORD_BITS 64U
/* Without a window the high half is guessed as if half the number space were one. */
#define NO_WINDOW_SPAN (UINT32_C(1) << 31)

static uint64_t bitmap_bits(const struct sa_run *run)
{
	return ((uint64_t)run->window + WORD_BITS - 1) / WORD_BITS * WORD_BITS;
}

static bool bitmap_test(const struct sa_run *run, uint64_t seq)
{
	uint64_t bit = seq % bitmap_bits(run);

	return (run->bitmap[bit / WORD_BITS] >> (bit % WORD_BITS) & 1) != 0;
}

static void bitmap_set(struct sa_run *run, uint64_t seq)
{
	uint64_t bit = seq % bitmap_bits(run);

	run->bitmap[bit / WORD_BITS] |= UINT64_C(1) << (bit % WORD_BITS);
}

/* Forget the numbers that enter the window: top + 1 to seq. */
static void bitmap_advance(struct sa_run *run, uint64_t seq)
{
	uint64_t bits = bitmap_bits(run), left = seq - run->top, bit = (run->top + 1) % bits;

	if (left >= bits) {
		memset(run->bitmap, 0, (size_t)(bits / 8));
		return;
	}
	while (left > 0) {
		uint64_t shift = bit % WORD_BITS, n = WORD_BITS - shift;

		if (n > left)
			n = left;
		run->bitmap[bit / WORD_BITS] &= ~(
			(n == WORD_BITS ? UINT64_MAX : (UINT64_C(1) << n) - 1) << shift);
		bit = (bit + n) % bits;
		left -= n;
	}
}

/* RFC 4303 appendix A2.2. False: the number lies before the first or behind the last subspace. */
static bool infer_high(const struct sa_run *run, uint32_t seq_low, uint64_t *ret_seq)
{
	uint32_t window = run->window != 0 ? run->window : NO_WINDOW_SPAN;
	uint32_t top_low = (uint32_t)run->top, top_high = (uint32_t)(run->top >> 32);
	uint32_t bottom = top_low - window + 1;
	uint32_t high;

	if (top_low >= window - 1) { /* the window lies in one subspace */
		if (seq_low < bottom && top_high == UINT32_MAX)
			return false;
		high = seq_low >= bottom ? top_high : top_high + 1;
	} else {
		if (seq_low >= bottom && top_high == 0)
			return false;
		high = seq_low >= bottom ? top_high - 1 : top_high;
	}
	*ret_seq = (uint64_t)high << 32 | seq_low;
	return true;
}

static enum replay_verdict look_up(const struct sa_run *run, uint64_t seq)
{
	if (seq > run->top)
		return REPLAY_OK;
	if (run->top - seq >= run->window)
		return REPLAY_STALE;
	return bitmap_test(run, seq) ? REPLAY_SEEN : REPLAY_OK;
}

enum replay_verdict replay_check(
	const struct sa_run *run, bool esn, uint32_t seq_low, uint64_t *ret_seq)
{
	enum replay_verdict verdict = REPLAY_OK;
	uint64_t seq = seq_low;

	if (esn && !infer_high(run, seq_low, &seq)) {
		/* A key that was never used has no earlier subspace: the number is in the first. */
		if (run->window != 0)
			return REPLAY_STALE;
		seq = seq_low;
	}
	if (seq == 0 && (esn || run->window != 0))
		return REPLAY_STALE;
	if (run->window != 0) {
		if (!esn && run->top >= UINT32_MAX) /* the last number was seen: nothing follows */
			return REPLAY_STALE;
		verdict = look_up(run, seq);
	}
	if (verdict == REPLAY_OK)
		*ret_seq = seq;
	return verdict;
}

/* May the window move to this number? Asks for more before there is none. */
static bool is_reserved(struct sa_run *run, uint64_t seq)
{
	uint64_t end = atomic_load_explicit(&run->top_end, memory_order_acquire), beyond;

	if (end == 0)
		return true;
	if (seq < end) {
		if (end - 1 - seq <= atomic_load_explicit(&run->top_low, memory_order_relaxed))
			sa_use_raise(run, SA_EVENT_TOP_LOW);
		return true;
	}
	beyond = seq - end < UINT32_MAX ? seq - end + 1 : UINT32_MAX;
	if (beyond > atomic_load_explicit(&run->top_beyond, memory_order_relaxed))
		atomic_store_explicit(&run->top_beyond, (uint32_t)beyond, memory_order_relaxed);
	sa_use_raise(run, SA_EVENT_TOP_LOW);
	return false;
}

bool replay_is_ahead(const struct sa_run *run, bool esn, uint32_t seq_low)
{
	uint64_t end = atomic_load_explicit(&run->top_end, memory_order_acquire);

	if (end == 0)
		return false;
	return esn ? (int32_t)(seq_low - (uint32_t)end) >= 0 : seq_low >= end;
}

enum replay_verdict replay_accept_with(
	struct sa_run *run, uint64_t seq, const struct replay_room *room)
{
	enum replay_verdict verdict = replay_accept(run, seq);
	bool made;

	if (verdict != REPLAY_AHEAD || !room)
		return verdict;
	replay_unlock(run);
	made = room->make(room->userdata, seq);
	replay_lock(run);
	return made ? replay_accept(run, seq) : verdict;
}

enum replay_verdict replay_accept(struct sa_run *run, uint64_t seq)
{
	enum replay_verdict verdict;

	if (run->window == 0) {
		if (seq > run->top)
			run->top = seq;
		return REPLAY_OK;
	}
	verdict = look_up(run, seq);
	if (verdict != REPLAY_OK)
		return verdict;
	if (seq > run->top && !is_reserved(run, seq))
		return REPLAY_AHEAD;
	if (seq > run->top) {
		bitmap_advance(run, seq);
		run->top = seq;
	}
	bitmap_set(run, seq);
	return REPLAY_OK;
}

void replay_set_top(struct sa_run *run, uint64_t top)
{
	run->top = top;
	memset(run->bitmap, top == 0 ? 0 : 0xff, (size_t)(bitmap_bits(run) / 8));
}

uint32_t replay_top(struct sa_run *run)
{
	uint64_t top;

	if (run->window != 0)
		return 0;
	replay_lock(run);
	top = run->top;
	replay_unlock(run);
	return (uint32_t)top;
}

void replay_lock(struct sa_run *run)
{
	for (unsigned int spins = 0;; spins++) {
		uint32_t free_value = 0;

		if (atomic_compare_exchange_weak_explicit(&run->replay_lock, &free_value, 1,
			    memory_order_acquire, memory_order_relaxed))
			return;
		if (spins >= 64)
			(void)sched_yield(); /* the holder may have lost its processor */
	}
}

void replay_unlock(struct sa_run *run)
{
	atomic_store_explicit(&run->replay_lock, 0, memory_order_release);
}
