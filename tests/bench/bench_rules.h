/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rules as a large site has them, and packets for them, from a seed: three in ten name a port and no
 * address, the others name prefixes that nest nine deep, /8 to /32 and /16 to /128, half of them with
 * a port; three in ten are IPv6. Their order has nothing to do with their lengths.
 */
#ifndef BENCH_RULES_H
#define BENCH_RULES_H

#include "common/spd/spd.h"

struct bench_random {
	uint64_t state; /* not 0 */
};
uint64_t bench_random(struct bench_random *random);

/* Return: 0 or -ENOMEM. */
int bench_rules_new(struct bench_random *random, size_t count, struct rule ***ret_rules) MUST_CHECK;
void bench_rules_free(struct rule **rules, size_t count);
/* An outbound packet that one of the rules is about. */
struct flow bench_flow(struct bench_random *random, struct rule *const *rules, size_t count);

#endif
