/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One grace-period counter that only grows. A reader announces in its slot the newest period that
 * it has seen while holding nothing; 0 means offline. An object deferred in period p may go once
 * every slot is offline or has announced a period above p.
 *
 * All announcements and the writer's scans are sequentially consistent: a reader that comes online
 * and the writer that scans its slot must not both miss each other.
 */
#include "common/base/rcu.h"

#include <errno.h>
#include <sched.h>
#include <stdalign.h>
#include <string.h>

#define RCU_CACHE_LINE 64

struct rcu_slot {
	alignas(RCU_CACHE_LINE) _Atomic uint64_t seen; /* 0: offline */
	_Atomic bool taken;
};

struct rcu_deferred {
	struct rcu_deferred *next;
	uint64_t period;
	void (*fn)(void *object);
	void *object;
};

struct rcu {
	struct rcu_slot slots[RCU_MAX_READERS];
	_Atomic uint64_t period; /* starts at 1 */
	/* Of the writer alone; oldest first. */
	struct rcu_deferred *first, **last;
	size_t waiting;
};

int rcu_new(struct rcu **ret_rcu)
{
	struct rcu *rcu = aligned_alloc(RCU_CACHE_LINE, sizeof(*rcu));

	if (!rcu)
		return -ENOMEM;
	memset(rcu, 0, sizeof(*rcu));
	atomic_init(&rcu->period, 1);
	rcu->last = &rcu->first;
	*ret_rcu = rcu;
	return 0;
}

struct rcu *rcu_free(struct rcu *rcu)
{
	if (rcu) {
		rcu_barrier(rcu);
		free(rcu);
	}
	return NULL;
}

int rcu_register(struct rcu *rcu, unsigned int *ret_slot)
{
	for (unsigned int i = 0; i < RCU_MAX_READERS; i++) {
		bool expected = false;

		if (atomic_compare_exchange_strong(&rcu->slots[i].taken, &expected, true)) {
			rcu_online(rcu, i);
			*ret_slot = i;
			return 0;
		}
	}
	return -ENOSPC;
}

void rcu_unregister(struct rcu *rcu, unsigned int slot)
{
	rcu_offline(rcu, slot);
	atomic_store(&rcu->slots[slot].taken, false);
}

void rcu_quiescent(struct rcu *rcu, unsigned int slot)
{
	atomic_store(&rcu->slots[slot].seen, atomic_load(&rcu->period));
}

void rcu_offline(struct rcu *rcu, unsigned int slot)
{
	atomic_store(&rcu->slots[slot].seen, 0);
}

/*
 * The second look at the period closes the gap between reading and announcing it: a writer that
 * scanned the slot in between has moved the period on, and seeing that orders its publication
 * before anything read from here on.
 */
void rcu_online(struct rcu *rcu, unsigned int slot)
{
	uint64_t period;

	do {
		period = atomic_load(&rcu->period);
		atomic_store(&rcu->slots[slot].seen, period);
	} while (atomic_load(&rcu->period) != period);
}

int rcu_defer(struct rcu *rcu, void (*fn)(void *object), void *object)
{
	struct rcu_deferred *d = malloc(sizeof(*d));

	if (!d)
		return -ENOMEM;
	*d = (struct rcu_deferred){
		/* The object was unpublished before this; readers of later periods cannot see it. */
		.period = atomic_fetch_add(&rcu->period, 1),
		.fn = fn,
		.object = object,
	};
	*rcu->last = d;
	rcu->last = &d->next;
	rcu->waiting++;
	return 0;
}

/* The oldest period that some online reader may still be in; UINT64_MAX: nobody reads. */
static uint64_t rcu_oldest(struct rcu *rcu)
{
	uint64_t oldest = UINT64_MAX;

	for (unsigned int i = 0; i < RCU_MAX_READERS; i++) {
		uint64_t seen = atomic_load(&rcu->slots[i].seen);

		if (seen != 0 && seen < oldest)
			oldest = seen;
	}
	return oldest;
}

size_t rcu_poll(struct rcu *rcu)
{
	uint64_t oldest;

	if (!rcu->first)
		return 0;
	oldest = rcu_oldest(rcu);
	while (rcu->first && rcu->first->period < oldest) {
		struct rcu_deferred *d = rcu->first;

		rcu->first = d->next;
		if (!rcu->first)
			rcu->last = &rcu->first;
		rcu->waiting--;
		d->fn(d->object);
		free(d);
	}
	return rcu->waiting;
}

void rcu_barrier(struct rcu *rcu)
{
	while (rcu_poll(rcu) > 0)
		(void)sched_yield();
}
