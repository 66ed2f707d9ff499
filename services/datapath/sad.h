/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The security association database: an SA as record, run state and contexts together, found by
 * (protocol, SPI, destination[, source]) inbound and by destination outbound. Written by the
 * control thread, read by packet workers under RCU.
 */
#ifndef DATAPATH_SAD_H
#define DATAPATH_SAD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/rcu.h"
#include "common/model/rule.h"
#include "common/model/sa.h"
#include "services/datapath/sa_run.h"
#include "services/datapath/suite.h"

#define SAD_MAX_WORKERS 16

struct sad_entry {
	struct sa *sa; /* record; immutable, owned */
	struct suite suite;
	struct sa_run *run; /* in the arena */
	size_t arena_slot;
	uint8_t directions; /* SA_INBOUND | SA_OUTBOUND as settled */
	uint64_t serial; /* order of addition: the newest is the highest */
	uint64_t owner; /* door's connection number, 0: none */
	/* Built by a worker before its first packet; freed with the entry. */
	_Atomic(struct suite_context *) contexts[SAD_MAX_WORKERS];
	/* Chains of the tables; sad.c only. */
	_Atomic(struct sad_entry *) next_in, next_out;
};

struct sad;

struct sad *sad_new(struct rcu *rcu); /* NULL: no memory */
struct sad *sad_free(struct sad *sad); /* no reader left; run states stay in the arena */
DEFINE_CLEANUP(struct sad *, sad_free)

/* Control thread. Consumes @entry on success. -EEXIST: same protocol, SPI and destination. */
int sad_insert(struct sad *sad, struct sad_entry *entry) MUST_CHECK;
/* Unlinks; the entry is freed when no reader can hold it, then @on_free (may be NULL) runs. */
void sad_remove(struct sad *sad, struct sad_entry *entry,
	void (*on_free)(struct sad_entry *entry, void *userdata), void *userdata);
/* Replace the record of an entry in place of a delete and add; run state is kept. */
int sad_replace(struct sad *sad, struct sad_entry *old, struct sad_entry *next,
	void (*on_free)(struct sad_entry *entry, void *userdata), void *userdata) MUST_CHECK;
struct sad_entry *sad_find(const struct sad *sad, const struct sa_key *key);
size_t sad_count(const struct sad *sad);
/* In order of serial; stops when @fn returns false. The entry may be removed inside @fn. */
void sad_each(struct sad *sad, bool (*fn)(struct sad_entry *entry, void *userdata), void *userdata);

/* Packet workers, between rcu_online() and the next rcu_quiescent(). */
/* RFC 4301 section 4.1: one hash probe; an SA that names its source takes only that source. */
struct sad_entry *sad_find_inbound(const struct sad *sad, enum sa_proto proto, uint32_t spi,
	const struct address *dst, const struct address *src);
/*
 * The SA for an outbound packet under one alternative (kernel-semantics of the original, section 8:
 * MATURE before DYING, named source before wildcard, unique before shared, newest first).
 * @outer_src, @outer_dst: ends of the protected packet; tunnel: the tunnel's.
 * @flow: of the inner packet; @rule: NULL outside tunnels.
 */
struct sad_query {
	enum sa_proto proto;
	enum sa_mode mode;
	struct address src, dst;
	const struct flow *flow;
	const struct rule *rule;
	const struct action *action;
};
struct sad_entry *sad_find_outbound(const struct sad *sad, const struct sad_query *query);

/* Context of this worker, built at first use; NULL: cannot be made. */
struct suite_context *sad_context(struct sad_entry *entry, unsigned int worker);

#endif
