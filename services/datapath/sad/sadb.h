/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The one interface to the SAD that changes it: add, update, delete, get, dump, getspi, flush,
 * acquire, expire, register. Its doors are the `keys` section and PF_KEY; they translate, this
 * decides. Control thread only.
 */
#ifndef DATAPATH_SADB_H
#define DATAPATH_SADB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/model/algorithm.h"
#include "common/model/sa.h"
#include "common/pfkey/pfkey.h"
#include "common/snapshot/snapshot.h"
#include "services/datapath/packet/counters.h"
#include "services/datapath/sad/arena.h"
#include "services/datapath/sad/forecast.h"
#include "services/datapath/sad/sad.h"
#include "services/datapath/sad/seqstore.h"
#include "services/datapath/settings/tunables.h"

/* Why a request was refused; numbers of PF_KEY's diagnostics (pfkey reference). */
struct sadb_refusal {
	int error; /* errno value, positive; 0: none */
	uint16_t diagnostic;
};

/* What happened, to every door that listens. */
enum sadb_event_kind {
	SADB_EVENT_RESERVED, /* a larval SA */
	SADB_EVENT_ADDED,
	SADB_EVENT_UPDATED,
	SADB_EVENT_DELETED,
	SADB_EVENT_FLUSHED,
	SADB_EVENT_SOFT,
	SADB_EVENT_HARD,
	SADB_EVENT_IDLE,
	SADB_EVENT_FORECAST, /* much of a limit is used */
	SADB_EVENT_MAPPING, /* the NAT of its peer has another port for it */
	SADB_EVENT_ACQUIRE
};

/* A packet that waits for its SA, as it came to us. */
struct sadb_packet {
	struct sadb_packet *next;
	bool inbound; /* for a larval SA; else for one that is to be acquired */
	int tunnel; /* outbound: that it came from, -1: host */
	size_t len;
	uint8_t bytes[];
};

struct sadb_acquire {
	uint32_t seq;
	uint32_t spi; /* only for sadb_hold() */
	enum sa_proto proto;
	enum sa_mode mode;
	struct address src, dst;
	struct flow flow; /* of the packet that asked */
	bool behind_esp; /* AH, where the rule wants both: the SA of ESP is there */
	uint64_t rule_id;
	uint64_t generation; /* of the SAD that lacked it, 0: not known */
	const struct rule *rule; /* borrowed during the event */
	struct sadb_packet *packet; /* consumed by whom the request is put to; NULL: none */
};

struct sadb_event {
	enum sadb_event_kind kind;
	const struct sad_entry *entry; /* borrowed; NULL for FLUSHED and ACQUIRE */
	int proto; /* FLUSHED: 0 all, else enum sa_proto */
	const struct sadb_acquire *acquire;
	const struct forecast *forecast; /* FORECAST: borrowed */
	enum forecast_limit limit; /* and of what */
	uint16_t old_port, new_port; /* MAPPING */
	uint32_t seq, pid; /* of the request that caused it, 0: none */
	uint8_t type; /* of that request, as its door numbers them; 0: none */
};
typedef void (*sadb_event_fn)(const struct sadb_event *event, void *userdata);

struct sadb_parts { /* borrowed */
	struct sad *sad;
	struct arena *arena;
	enum suite_choice provider; /* of SAs that come */
	struct seqstore *seqstore; /* NULL: state directory unusable, outbound SAs are refused */
	/* Is this address one of ours? For the direction of an SA. */
	bool (*is_local)(const struct address *addr, void *userdata);
	void *is_local_userdata;
	bool no_udp; /* nobody takes ESP in UDP here: SAs that ask for it are refused */
	const struct tunables *tunables; /* NULL: their defaults */
	uint32_t (*jitter_sec)(void *userdata); /* of now_userdata; NULL: 8 to 23 at random */
	/* A packet that waited may go on (borrowed), or is lost. NULL: there are none. */
	void (*release)(const struct sadb_packet *packet, void *userdata);
	void (*lost)(enum verdict why, void *userdata);
	void *packets_userdata;
	uint64_t (*now_usec)(void *userdata); /* NULL: CLOCK_BOOTTIME */
	void *now_userdata;
};

struct sadb;

uint64_t sadb_now(const struct sadb *sadb); /* its clock */
int sadb_new(const struct sadb_parts *parts, struct sadb **ret_sadb) MUST_CHECK;
/* Waits for the readers of what was removed; the parts outlive it. */
struct sadb *sadb_free(struct sadb *sadb);
DEFINE_CLEANUP(struct sadb *, sadb_free)
/*
 * An inbound SA's window may move to this number, and somewhat further, on disk before it returns:
 * milliseconds. Return: 0, or the negative errno of the disk.
 */
int sadb_window_reach(struct sadb *sadb, struct sad_entry *entry, uint64_t seq) MUST_CHECK;

/* No more SAs than these, larval ones included; 0: as memory goes. Those that are there stay. */
void sadb_set_limit(struct sadb *sadb, size_t limit);
/* A tunable of the protocol of an SA, see TUNABLE_OF(). */
uint64_t sadb_tunable(const struct sadb *sadb, enum tunable which);
int sadb_listen(struct sadb *sadb, sadb_event_fn fn, void *userdata) MUST_CHECK; /* -ENOSPC */
void sadb_unlisten(struct sadb *sadb, sadb_event_fn fn, void *userdata);
/* Algorithms in force; SAs that exist live on. NULL: none published yet, the built-in rows count. */
/* @table: borrowed until the next call. */
void sadb_set_algorithms(struct sadb *sadb, const struct alg_table *table);
/* What of them SAs of @proto may use, as rows of PF_KEY's SUPPORTED (PFKEY_MAX_ALGORITHMS of them).
 * @alg_proto: ALG_PROTO_*. Return: how many. */
size_t sadb_supported(const struct sadb *sadb, enum sa_proto proto, uint8_t alg_proto,
	struct pfkey_algorithm *ret_rows);
/* Take up what the arena holds from a former life. Before anything else is added. */
int sadb_restore(struct sadb *sadb) MUST_CHECK;

struct sadb_request { /* who asks, echoed in events */
	uint64_t owner;
	uint32_t seq, pid;
	uint8_t type;
	/* What it brings answers by its ends also questions whose number it does not know. */
	bool by_ends;
};

/* SPIs, both included; host order. */
struct sadb_range {
	uint32_t min, max;
};
/* What a change asks for, as it came: extensions that are absent say nothing. */
struct sadb_wish {
	const struct sa *sa; /* copied */
	uint64_t present; /* PFKEY_BIT() */
	const struct sadb_request *request; /* NULL: nobody's */
	/* It names all of the SA, as in the Linux numbering: its keys again, and where its peer is by now. */
	bool whole;
};

/*
 * Reserve an SPI of the range, between the ends of @sa (copied): a larval SA, which SADB_EVENT_RESERVED
 * shows. Return: as sadb_add(); EEXIST: the number that was drawn is taken.
 */
int sadb_getspi(struct sadb *sadb, const struct sa *sa, const struct sadb_range *range,
	const struct sadb_request *request, struct sadb_refusal *ret_refusal) MUST_CHECK;
/* Fill in a larval SA, or change limits, pair and cookie of a living one. Return: as sadb_add(). */
int sadb_update(struct sadb *sadb, const struct sadb_wish *wish,
	struct sadb_refusal *ret_refusal) MUST_CHECK;
/* The same of a living SA and its partner. Without one: ESRCH, after the SA itself was changed. */
int sadb_update_pair(struct sadb *sadb, const struct sadb_wish *wish,
	struct sadb_refusal *ret_refusal) MUST_CHECK;
/* The SA and its partner. Without one: ESRCH, after the SA itself was deleted. */
int sadb_delete_pair(struct sadb *sadb, const struct sa_key *key, const struct address *src,
	const struct sadb_request *request, struct sadb_refusal *ret_refusal) MUST_CHECK;
/*
 * Outbound SAs in the state of wish->sa between its two addresses, with their partners. @proto 0: AH
 * and ESP. Return: how many there were.
 */
size_t sadb_delete_pair_state(struct sadb *sadb, int proto, const struct sadb_wish *wish);

/* @sa is consumed on success only. Return: 0 or -ret_refusal->error; nothing has changed then. */
int sadb_add(struct sadb *sadb, struct sa *sa, const struct sadb_request *request,
	struct sadb_refusal *ret_refusal) MUST_CHECK;
/* @src: NULL, or the source that the SA has to name. */
int sadb_delete(struct sadb *sadb, const struct sa_key *key, const struct address *src,
	const struct sadb_request *request, struct sadb_refusal *ret_refusal) MUST_CHECK;
/* SAs of key management that go on between other ends. */
struct sadb_move {
	enum sa_proto proto;
	enum sa_mode mode;
	uint32_t reqid; /* 0: any */
	struct address src, dst, new_src, new_dst;
};
struct sadb_moves {
	const struct sadb_move *moves;
	size_t n;
	/* What else has to move; negative errno: nothing does. Called when all SAs can be found there. */
	int (*agree)(void *userdata);
	void *userdata;
};
/*
 * All of them or none: keys, numbers, windows and limits go on, and at no moment is there none. That no
 * SA is like that is no error. Told as SADB_EVENT_DELETED and SADB_EVENT_ADDED. Return: as sadb_add().
 */
int sadb_move(struct sadb *sadb, const struct sadb_moves *moves,
	struct sadb_refusal *ret_refusal) MUST_CHECK;
/* What SAs have in common; NULL: whatever. Of an SA that lacks it, an identity or a cookie is no match. */
struct sadb_match {
	const struct address *src, *dst;
	const struct sa_identity *identity_src, *identity_dst;
	const uint64_t *km_cookie;
	uint32_t km_protocol; /* with the cookie */
};
/* Every SA of the protocol that matches, but for larval ones. Return: how many there were. */
size_t sadb_delete_between(struct sadb *sadb, enum sa_proto proto, const struct sadb_match *match,
	const struct sadb_request *request);
/* @proto 0: all. */
void sadb_flush(struct sadb *sadb, int proto, const struct sadb_request *request);
/* Those only that came over PF_KEY: manual keys of the `keys` section stay. */
void sadb_flush_managed(struct sadb *sadb, int proto, const struct sadb_request *request);
/* Is this address one of ours? */
bool sadb_is_ours(const struct sadb *sadb, const struct address *addr);
/* NULL: none. */
struct sad_entry *sadb_get(struct sadb *sadb, const struct sa_key *key, const struct address *src);
/* The same in pieces, see sad_cursor. */
void sadb_walk(struct sadb *sadb, struct sad_cursor *ret_cursor);
void sadb_dump(struct sadb *sadb, int proto, void (*fn)(struct sad_entry *entry, void *userdata),
	void *userdata);

/*
 * The `keys` section: make the SAs of origin SA_ORIGIN_KEYS exactly these, by a difference against
 * the SAD itself; unchanged SAs are not touched. All or nothing. @list is read, not consumed.
 */
int sadb_apply_keys(struct sadb *sadb, const struct sa_list *list, struct text *ret_why) MUST_CHECK;

/*
 * A worker needs an SA. The event goes out once; while the question stands (the tunable's time, or
 * until an SA is added with its number and destination) repetitions are swallowed, and their packets
 * wait: so many, later ones displace the oldest. While nobody manages keys of the protocol none waits.
 * Where a rule wants AH and ESP, ESP is asked for first, even if just AH is missing: AH when ESP came.
 */
#define SADB_ACQUIRE_SEC     15 /* as the tunable begins */
#define SADB_ACQUIRE_PACKETS 4U
/* A packet came for this larval SA: one waits, a later one displaces it. */
void sadb_hold(struct sadb *sadb, const struct sadb_acquire *early);
/* Its rule is not in force any more: the packet that came along is lost. */
void sadb_drop_packet(struct sadb *sadb, const struct sadb_acquire *acquire);
void sadb_need(struct sadb *sadb, const struct sadb_acquire *acquire);
/* For the SAs of these somebody is there who answers such questions (SADB_MANAGED()), or nobody is. */
#define SADB_MANAGED(proto) ((proto) == SA_PROTO_AH ? 1U : 2U)
void sadb_managers_changed(struct sadb *sadb, unsigned int protos);
/* Key management gives up on the question with this number: it may be asked again. */
void sadb_acquire_failed(struct sadb *sadb, uint32_t seq);
/* What was to answer this question could not be added, which is an answer too. */
void sadb_answer_failed(struct sadb *sadb, const struct sa *sa, uint32_t seq);
/* Lifetimes, reservations, window tops: called by the loop every second and on worker events. */
void sadb_tick(struct sadb *sadb);
/* Why numbers cannot be reserved ahead, negative errno; 0: they can. SAs run dry of them otherwise. */
int sadb_disk_error(const struct sadb *sadb);
/*
 * SAs whose NAT must not forget us: outbound, encapsulated, ours is the translated side (NATT_LOC),
 * and nothing was sent for @interval_usec, no keep-alive either. Called as often as sadb_tick().
 */
void sadb_keep_alive(struct sadb *sadb, uint64_t interval_usec,
	void (*fn)(const struct sad_entry *entry, void *userdata), void *userdata);
/* What is known of an SA's limits. @now: sadb_now() of this SADB. */
struct forecast_facts sadb_forecast_facts(const struct sad_entry *entry, uint64_t now_usec);
/* Outbound SAs that are to send a dummy packet, for they were silent too long. Called as often. */
void sadb_break_silence(
	struct sadb *sadb, void (*fn)(struct sad_entry *entry, void *userdata), void *userdata);
/* Clean stop, no worker left: give unused numbers back, keep window tops, wait for the disk. */
int sadb_settle(struct sadb *sadb) MUST_CHECK;

#endif
