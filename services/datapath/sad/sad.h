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

#include "common/base/hash.h"
#include "common/base/rcu.h"
#include "common/model/rule.h"
#include "common/model/sa.h"
#include "services/datapath/replay/sa_run.h"
#include "services/datapath/sad/seqstore.h"
#include "services/datapath/suite/suite_mac.h"
#include "services/datapath/suite/suite_provider.h"

#define SAD_CONTROL_WORKER 16 /* the control thread, behind all packet workers */
#define SAD_MAX_WORKERS	   17

/* What an SA had used at some moment. */
struct sad_pace {
	uint64_t usec, seq, bytes;
};

/* What the control thread keeps beside an SA; sadb.c only. */
struct sad_control {
	uint8_t counter_id[SEQSTORE_ID_BYTES]; /* outbound numbers of this key */
	uint8_t window_id[SEQSTORE_ID_BYTES]; /* inbound window of this SA */
	struct seqstore_range granted; /* reserved, but not on disk yet */
	uint64_t chunk; /* size of the next reservation */
	uint64_t seq_seen, seen_usec; /* at the last look at its traffic */
	uint64_t top_seen, top_usec; /* of the inbound window, at the last look at its pace */
	uint64_t top_pace; /* numbers in a second, the most of late */
	uint64_t top_ahead, top_reserved_usec; /* last reservation for it */
	uint64_t top_granted; /* reserved, but not on disk yet; 0: nothing */
	uint64_t dead_usec, idle_usec; /* when it was found dead; last idle event */
	struct sad_pace pace[2]; /* two moments of late, the older first; usec 0: none yet */
	uint64_t keepalive_usec; /* last keep-alive to a NAT */
	uint64_t mark; /* the apply that last named it */
	uint64_t due_usec; /* when time next means something to it; 0: never */
	uint32_t heap_at; /* place among those that wait for that, from 1; 0: none */
	uint32_t told_port; /* of its peer's NAT, as key management knows it; 0: as the SA says */
	uint32_t pair_spi; /* of its partner, 0: none */
	bool counter_mode; /* key and salt must be nobody else's */
	bool top_was_exact; /* when it was made nothing was reserved behind it */
	bool removed; /* out of the SAD, not yet freed */
	bool armed; /* due_usec was worked out */
	struct sadb_packet *held; /* of a larval SA: came too early; owned */
	struct sad_entry *granted_next; /* chain of those with numbers that wait for the disk */
	struct sad_entry *key_next; /* chain of counter-mode keys */
};

struct sad_entry {
	struct sa *sa; /* record; immutable, owned */
	struct sa_run *run; /* in the arena */
	struct suite suite;
	const struct suite_provider *provider; /* of its contexts; NULL: the reference one */
	size_t arena_slot;
	uint64_t serial; /* order of addition: the newest is the highest */
	uint64_t owner; /* door's connection number, 0: none */
	uint64_t shape; /* of an outbound one, see sad_parts.h */
	/* Built by a worker before its first packet; freed with the entry. */
	union {
		_Atomic(struct suite_context *) contexts[SAD_MAX_WORKERS]; /* ESP */
		_Atomic(struct suite_mac *) macs[SAD_MAX_WORKERS]; /* AH */
	};
	struct sad_control control;
	struct sad_card *card; /* by which it is found; NULL: it is in no SAD; sad.c only */
	struct sad_card *prev_key, *prev_out; /* in front of that one in its chains; NULL: none */
	struct sad_entry *older, *newer;
	_Atomic bool raised;
	uint8_t directions; /* SA_INBOUND | SA_OUTBOUND as settled */
	struct sad_entry *raised_next, *raised_prev;
	struct sad *sad;
	void (*on_free)(struct sad_entry *entry, void *userdata);
	void *on_free_userdata;
};

/* Zeroed. NULL: no memory. */
struct sad_entry *sad_entry_new(void);
/* Of one that is in no SAD: record and contexts; the run state stays in its arena. */
struct sad_entry *sad_entry_free(struct sad_entry *entry);
DEFINE_CLEANUP(struct sad_entry *, sad_entry_free)

struct sad;

struct sad *sad_new(struct rcu *rcu); /* NULL: no memory */
struct sad *sad_free(struct sad *sad); /* no reader left; run states stay in the arena */
DEFINE_CLEANUP(struct sad *, sad_free)

/*
 * Control thread. Consumes @entry on success and gives it the next serial, unless it has one.
 * Return: 0, -EEXIST (same protocol, SPI and destination; of a group also the same source), -ENOMEM.
 */
int sad_insert(struct sad *sad, struct sad_entry *entry) MUST_CHECK;
/*
 * Unlinks. When no reader can hold the entry, @on_free (may be NULL) runs, then it is freed. When
 * there is no memory even to remember that, the entry leaks: never freed under a reader.
 */
void sad_remove(struct sad *sad, struct sad_entry *entry,
	void (*on_free)(struct sad_entry *entry, void *userdata), void *userdata);
/*
 * Put @next (consumed) where @old stands: readers find one or the other, never neither. Both have
 * the same protocol, SPI and destination; @next takes the serial, and the run state if it shares it.
 * Return: 0 or -EINVAL.
 */
int sad_replace(struct sad *sad, struct sad_entry *old, struct sad_entry *next,
	void (*on_free)(struct sad_entry *entry, void *userdata), void *userdata) MUST_CHECK;
struct sad_entry *sad_find(const struct sad *sad, const struct sa_key *key);
/* The one that stands in the way of @sa: of a group there may be one for each source, and for any. */
struct sad_entry *sad_find_same(const struct sad *sad, const struct sa *sa);
size_t sad_count(const struct sad *sad);
/*
 * Changes whenever another SA might be chosen than before: one came, went, was replaced, or changed
 * its state by the control thread's hand. Any thread. Whoever keeps what sad_find_outbound() said may
 * go on with it while this stands still and sad_is_usable() holds, no longer than to the next
 * rcu_quiescent() without asking again: read the generation before the search, not behind it.
 */
uint64_t sad_generation(const struct sad *sad);
void sad_touch(struct sad *sad); /* control thread: the state of an SA has changed */
/* MATURE or DYING: a worker may have found it dead since. Any thread. */
bool sad_is_usable(const struct sad_entry *entry);
struct rcu *sad_rcu(const struct sad *sad); /* borrowed */
/* In which claims are written; the same in every life of an arena. Before the first look-up. */
void sad_set_flow_key(struct sad *sad, const struct hash_key *key);
/* In order of serial; stops when @fn returns false. The entry may be removed inside @fn. */
void sad_each(struct sad *sad, bool (*fn)(struct sad_entry *entry, void *userdata), void *userdata);

/*
 * The same in pieces, while SAs come and go: each that was there when it was opened and still is when
 * it is its turn is met once; of two that replace each other, one. The cursor stays where it is until
 * it is closed, before the SAD is freed.
 */
struct sad_cursor {
	struct sad *sad; /* NULL: closed */
	struct sad_entry *next;
	uint64_t last_serial;
	struct sad_cursor *other;
};
void sad_cursor_open(struct sad *sad, struct sad_cursor *cursor);
void sad_cursor_close(struct sad_cursor *cursor); /* open, closed or zeroed */
struct sad_entry *sad_cursor_next(struct sad_cursor *cursor); /* NULL: the end */

/* Of SAs that fit alike the oldest is taken, not the newest. Any thread, at any time. */
void sad_prefer_oldest(struct sad *sad, bool oldest);
/* Is there somebody who brings SAs when they are asked for? Control thread; read by any. */
void sad_set_managed(struct sad *sad, bool managed);
bool sad_is_managed(const struct sad *sad);

/* Any thread that reads the SAD: the control thread is to look at this one. Once until it has. */
void sad_raise(struct sad_entry *entry);
/* Control thread: those that were raised before sad_gather(), one by one; NULL: no more. */
void sad_gather(struct sad *sad);
struct sad_entry *sad_take_raised(struct sad *sad);

/* Packet workers, between rcu_online() and the next rcu_quiescent(). */
/*
 * RFC 4301 section 4.1, one hash probe: an SA that names its source takes only that source, and
 * comes before one that takes any.
 */
struct sad_entry *sad_find_inbound(const struct sad *sad, enum sa_proto proto, uint32_t spi,
	const struct address *dst, const struct address *src);
/*
 * The same for the packets of a batch, n <= SAD_BATCH, whose loads from memory overlap. What is found
 * may be in any state: whoever uses it asks sad_is_usable(), which takes the run state into the cache.
 */
#define SAD_BATCH 64U
struct sad_inbound {
	enum sa_proto proto;
	uint32_t spi;
	const struct address *dst, *src;
	struct sad_entry *entry; /* answer */
};
void sad_find_inbound_batch(const struct sad *sad, struct sad_inbound *asked, size_t n);
/* Is there an SA with this SPI that key management has not filled in yet? */
bool sad_is_larval(
	const struct sad *sad, enum sa_proto proto, uint32_t spi, const struct address *dst);
/*
 * The SA for an outbound packet under one alternative (kernel-semantics of the original, section 8):
 * one that is unique in the parts that the flow has before a shared one, MATURE before DYING, named
 * source before wildcard, newest first. A rule that asks for unique SAs takes a shared one only if
 * no packet has used it, and then it belongs to this flow.
 * @src, @dst: ends of the protected packet; tunnel mode: the tunnel's.
 * @flow: transport mode: of the packet that gets the header; tunnel mode: of the inner packet.
 * @rule: its selector and the inner addresses of the SA agree; NULL: not looked at.
 * @action: NULL: any algorithms.
 */
struct sad_query {
	enum sa_proto proto;
	enum sa_mode mode;
	struct address src, dst;
	const struct flow *flow;
	const struct rule *rule;
	const struct action *action;
	bool between_ends; /* tunnel mode: by an SA for packets of its own ends alone */
	bool peek; /* nothing is sent: an SA that was never used does not become this flow's */
	uint64_t generation; /* of the SAD, before it was looked into */
};
struct sad_entry *sad_find_outbound(const struct sad *sad, const struct sad_query *query);
/* Side by side, n <= SAD_BATCH; one after the other where one answer hangs on another. */
void sad_find_outbound_batch(const struct sad *sad, const struct sad_query *queries, size_t n,
	struct sad_entry **ret_entries);

/*
 * What a packet under this SA (NULL: none) will need is asked for, so that it comes while others are
 * worked: the entry, and, when that had the time to come, what it leads to.
 */
static inline void sad_ask_entry(const struct sad_entry *entry, unsigned int worker)
{
	if (entry) {
		__builtin_prefetch(entry);
		__builtin_prefetch(&entry->contexts[worker]);
	}
}
static inline void sad_ask_use(const struct sad_entry *entry, unsigned int worker)
{
	if (entry) {
		__builtin_prefetch(entry->run);
		__builtin_prefetch(&entry->run->state);
		__builtin_prefetch(entry->sa);
		__builtin_prefetch(&entry->sa->flags);
		__builtin_prefetch(
			atomic_load_explicit(&entry->contexts[worker], memory_order_relaxed));
	}
}
/* Context of this worker, built at first use; NULL: cannot be made. */
struct suite_context *sad_context(struct sad_entry *entry, unsigned int worker);
/* The same of an AH SA. */
struct suite_mac *sad_mac(struct sad_entry *entry, unsigned int worker);

#endif
