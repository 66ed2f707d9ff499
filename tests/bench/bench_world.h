/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Two hosts in memory, a rule and an SA between them, and many SAs that are in the way. */
#ifndef BENCH_WORLD_H
#define BENCH_WORLD_H

#include "services/datapath/engine/engine.h"

#define BENCH_BATCH 32
#define BENCH_LEN   9000 /* the longest packet */

struct bench_suite {
	const char *name;
	uint8_t encr;
	uint16_t key_bits, salt_bits;
	uint8_t auth;
	uint16_t auth_bits;
};

/* One end. */
struct bench_host {
	struct sad *sad;
	struct sa_run **runs;
	size_t n_runs;
	RCU_POINTER(struct engine_view) view;
	struct counters counters;
	struct engine *engine;
};

struct bench_world {
	struct rcu *rcu;
	unsigned int slot;
	struct bench_host out, in;
	struct suite suite;
	struct sa *sa; /* of the traffic */
	const struct suite_provider *provider;
	struct packet pkts[BENCH_BATCH];
	struct packet_view views[BENCH_BATCH];
	uint8_t *buffers;
};

/* @others: SAs beside the one in use. Return: 0 or negative errno. */
int bench_world_new(const struct bench_suite *suite, enum suite_choice choice, size_t others,
	struct bench_world **ret_world) MUST_CHECK;
struct bench_world *bench_world_free(struct bench_world *world);
DEFINE_CLEANUP(struct bench_world *, bench_world_free)

/* Clear packets of @len octets in all buffers; what the last round left in the payload is as good. */
void bench_world_refill(struct bench_world *world, size_t len);
/* All of them, @batch at a time. False: one was not passed. */
/* Through an engine: parsing, rule, SAD, numbers or window, ESP, counters. */
bool bench_world_seal(struct bench_world *world, size_t batch);
bool bench_world_open(struct bench_world *world, size_t batch);
/* SAD, numbers or window, ESP alone. */
bool bench_world_seal_esp(struct bench_world *world, size_t batch);
bool bench_world_open_esp(struct bench_world *world, size_t batch);

#endif
