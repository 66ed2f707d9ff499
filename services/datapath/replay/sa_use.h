/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a transform takes from the run state of an SA and notes there: numbers, octets, times. */
#ifndef DATAPATH_SA_USE_H
#define DATAPATH_SA_USE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/model/sa.h"
#include "services/datapath/replay/sa_run.h"

/* SA_EVENT_*, once until the control thread takes it. */
void sa_use_raise(struct sa_run *run, uint32_t event);
/* Take up to @n sequence numbers: how many there were, *ret_first is the first. */
size_t sa_use_numbers(const struct sa *sa, struct sa_run *run, size_t n, uint64_t *ret_first);
/* Has the SA given out its last number? */
bool sa_use_is_exhausted(const struct sa *sa, const struct sa_run *run);
/* Counters of @packets that went through. @now_usec: CLOCK_BOOTTIME, 0: it is read. */
void sa_use_note(struct sa_run *run, size_t packets, uint64_t now_usec);
/* Packets that the SA has carried so far. */
static inline uint64_t sa_use_packets(const struct sa_run *run)
{
	return atomic_load_explicit(&run->packets, memory_order_relaxed);
}
/*
 * Has the SA carried @total octets and @packets with this one? False: it is beyond a hard limit, and
 * the SA is dead. Octets may not reach theirs; the last packet that is allowed goes.
 */
bool sa_use_within(const struct sa *sa, struct sa_run *run, uint64_t total, uint64_t packets);

#endif
