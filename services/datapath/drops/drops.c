/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/drops/drops.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WORDS	    ((sizeof(struct drop) + sizeof(uint64_t) - 1) / sizeof(uint64_t))
#define LINE_OCTETS 64

/* A drop in words that may be read while they are written; `turn` tells whether they belong together. */
struct slot {
	_Atomic uint64_t turn; /* 2 * (number + 1) when whole, odd while it is written */
	_Atomic uint64_t words[WORDS];
};

struct drops_ring {
	_Alignas(LINE_OCTETS) _Atomic uint64_t head; /* how many were ever put */
	struct drops *drops; /* borrowed */
	uint64_t taken; /* the reader's: how many were gathered or lost */
	struct slot slots[DROPS_KEPT];
};

struct drops {
	_Atomic bool armed;
	int wake_fd;
	uint64_t next, lost;
	size_t n_rings;
	struct drops_ring *rings; /* owned */
	struct drop kept[DROPS_KEPT]; /* number n at n % DROPS_KEPT */
	struct drop *fresh; /* owned; room for all rings full */
};

int drops_new(int wake_fd, size_t n_writers, struct drops **ret_drops)
{
	CLEANUP(drops_freep) struct drops *drops = calloc(1, sizeof(*drops));

	if (!drops)
		return -ENOMEM;
	drops->wake_fd = wake_fd;
	drops->next = 1;
	drops->n_rings = n_writers;
	drops->rings = aligned_alloc(LINE_OCTETS, n_writers * sizeof(*drops->rings));
	drops->fresh = calloc(n_writers * DROPS_KEPT, sizeof(*drops->fresh));
	if (!drops->rings || !drops->fresh)
		return -ENOMEM;
	memset(drops->rings, 0, n_writers * sizeof(*drops->rings));
	for (size_t i = 0; i < n_writers; i++)
		drops->rings[i].drops = drops;
	*ret_drops = STEAL(drops);
	return 0;
}

struct drops *drops_free(struct drops *drops)
{
	if (!drops)
		return NULL;
	free(drops->rings);
	free(drops->fresh);
	free(drops);
	return NULL;
}

struct drops_ring *drops_ring_of(struct drops *drops, size_t writer)
{
	return &drops->rings[writer];
}

static void wake(struct drops *drops)
{
	static const uint64_t one = 1;

	/* Looked at first: the line stays shared among workers while nobody waits. */
	if (!atomic_load_explicit(&drops->armed, memory_order_seq_cst) ||
		!atomic_exchange_explicit(&drops->armed, false, memory_order_acq_rel))
		return;
	/* A full counter wakes as well as one more would. */
	if (drops->wake_fd >= 0 && write(drops->wake_fd, &one, sizeof(one)) < 0)
		return;
}

void drops_put(struct drops_ring *ring, const struct drop *drop)
{
	uint64_t number = atomic_load_explicit(&ring->head, memory_order_relaxed);
	struct slot *slot = &ring->slots[number % DROPS_KEPT];
	uint64_t words[WORDS] = { 0 };

	memcpy(words, drop, sizeof(*drop));
	atomic_store_explicit(&slot->turn, 2 * number + 1, memory_order_relaxed);
	/* Release on each word: a reader that sees one of them sees the odd turn before it. */
	for (size_t i = 0; i < WORDS; i++)
		atomic_store_explicit(&slot->words[i], words[i], memory_order_release);
	atomic_store_explicit(&slot->turn, 2 * (number + 1), memory_order_release);
	atomic_store_explicit(&ring->head, number + 1, memory_order_seq_cst);
	wake(ring->drops);
}

/* False: the writer has come round and is at this slot again. */
static bool read_slot(struct drops_ring *ring, uint64_t number, struct drop *ret_drop)
{
	struct slot *slot = &ring->slots[number % DROPS_KEPT];
	uint64_t words[WORDS];

	if (atomic_load_explicit(&slot->turn, memory_order_acquire) != 2 * (number + 1))
		return false;
	for (size_t i = 0; i < WORDS; i++)
		words[i] = atomic_load_explicit(&slot->words[i], memory_order_acquire);
	if (atomic_load_explicit(&slot->turn, memory_order_relaxed) != 2 * (number + 1))
		return false;
	memcpy(ret_drop, words, sizeof(*ret_drop));
	return true;
}

static size_t gather_ring(struct drops *drops, struct drops_ring *ring, struct drop *ret_fresh)
{
	uint64_t head = atomic_load_explicit(&ring->head, memory_order_seq_cst);
	size_t n = 0;

	if (head - ring->taken > DROPS_KEPT) {
		drops->lost += head - ring->taken - DROPS_KEPT;
		ring->taken = head - DROPS_KEPT;
	}
	for (; ring->taken < head; ring->taken++) {
		if (read_slot(ring, ring->taken, &ret_fresh[n]))
			n++;
		else
			drops->lost++;
	}
	return n;
}

static int compare_times(const void *a, const void *b)
{
	const struct drop *x = a, *y = b;

	return (x->at_usec > y->at_usec) - (x->at_usec < y->at_usec);
}

void drops_arm(struct drops *drops)
{
	atomic_store_explicit(&drops->armed, true, memory_order_seq_cst);
}

size_t drops_gather(struct drops *drops)
{
	size_t n = 0;

	for (size_t i = 0; i < drops->n_rings; i++)
		n += gather_ring(drops, &drops->rings[i], drops->fresh + n);
	if (n > 1)
		qsort(drops->fresh, n, sizeof(*drops->fresh), compare_times);
	for (size_t i = 0; i < n; i++)
		drops->kept[drops->next++ % DROPS_KEPT] = drops->fresh[i];
	return n;
}

uint64_t drops_next(const struct drops *drops)
{
	return drops->next;
}

const struct drop *drops_get(const struct drops *drops, uint64_t number)
{
	if (number == 0 || number >= drops->next || drops->next - number > DROPS_KEPT)
		return NULL;
	return &drops->kept[number % DROPS_KEPT];
}

uint64_t drops_lost(const struct drops *drops)
{
	return drops->lost;
}
