/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The drops of late, with what was dropped and by which rule. Each writer has a ring of its own and
 * never waits: the oldest is overwritten. The control thread gathers them into one history.
 */
#ifndef DATAPATH_DROPS_H
#define DATAPATH_DROPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/cleanup.h"
#include "common/model/selector.h"
#include "services/datapath/packet/counters.h"

#define DROPS_KEPT 256 /* a power of two */

struct drop {
	uint64_t at_usec; /* CLOCK_BOOTTIME */
	uint64_t rule_id; /* that decided, 0: none */
	struct flow flow; /* as far as its headers could be read; AF_UNSPEC: not at all */
	uint32_t spi; /* of the ESP or AH header in front, host order; 0: none */
	int32_t tunnel; /* index into the tunnel table, -1: host */
	enum verdict verdict;
	bool by_kernel; /* nftables dropped it, the daemon never saw it */
};

struct drops; /* the history and its rings */
struct drops_ring; /* one writer's */

/*
 * @wake_fd: eventfd that is told of the first drop after drops_arm(); borrowed, -1: nobody waits.
 * @n_writers: workers and whoever else has drops to tell, each one thread.
 */
int drops_new(int wake_fd, size_t n_writers, struct drops **ret_drops) MUST_CHECK;
struct drops *drops_free(struct drops *drops);
DEFINE_CLEANUP(struct drops *, drops_free)
struct drops_ring *drops_ring_of(struct drops *drops, size_t writer); /* borrowed */

/* Writer's thread; @drop is copied. */
void drops_put(struct drops_ring *ring, const struct drop *drop);

/* Control thread, all of the rest. */
/* Tell wake_fd of the next drop; once. What came just before is not told: gather after it. */
void drops_arm(struct drops *drops);
/* Take what the rings hold into the history, oldest first. Return: how many came. */
size_t drops_gather(struct drops *drops);
/* Number that the next drop will have; the first one has 1. */
uint64_t drops_next(const struct drops *drops);
/* The one with this number; NULL: not there yet, or not there any more. Until the next gathering. */
const struct drop *drops_get(const struct drops *drops, uint64_t number);
/* Drops that were overwritten before they were gathered; counters have them all the same. */
uint64_t drops_lost(const struct drops *drops);

#endif
