/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An entry on its way into the SAD and out of it: run state, sequence numbers, keys in use. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "common/base/clock.h"
#include "services/datapath/sad/sadb_parts.h"

#define KEYS_MIN_BUCKETS 64U

uint64_t sadb_seq_limit(const struct sa *sa)
{
	return sa->flags & SA_FLAG_ESN ? UINT64_MAX - 1 : UINT32_MAX;
}

static struct sad_entry **key_bucket(const struct sadb *sadb, const uint8_t *id)
{
	uint64_t x;

	memcpy(&x, id, sizeof(x)); /* the output of a keyed hash */
	return &sadb->keys[x & (sadb->n_key_buckets - 1)];
}

static int keys_grow(struct sadb *sadb)
{
	size_t n_old = sadb->n_key_buckets;
	struct sad_entry **old = sadb->keys, **keys;

	if (sadb->n_keys < n_old)
		return 0;
	keys = calloc(n_old ? n_old * 4 : KEYS_MIN_BUCKETS, sizeof(struct sad_entry *));
	if (!keys)
		return n_old ? 0 : -ENOMEM; /* longer chains do no harm */
	sadb->keys = keys;
	sadb->n_key_buckets = n_old ? n_old * 4 : KEYS_MIN_BUCKETS;
	for (size_t i = 0; i < n_old; i++) {
		for (struct sad_entry *entry = old[i], *next; entry; entry = next) {
			struct sad_entry **bucket = key_bucket(sadb, entry->control.counter_id);

			next = entry->control.key_next;
			entry->control.key_next = *bucket;
			*bucket = entry;
		}
	}
	free(old);
	return 0;
}

int sadb_keys_add(struct sadb *sadb, struct sad_entry *entry)
{
	struct sad_entry **bucket;
	int r;

	if (!entry->control.counter_mode)
		return 0;
	r = keys_grow(sadb);
	if (r < 0)
		return r;
	bucket = key_bucket(sadb, entry->control.counter_id);
	entry->control.key_next = *bucket;
	*bucket = entry;
	sadb->n_keys++;
	return 0;
}

void sadb_keys_remove(struct sadb *sadb, struct sad_entry *entry)
{
	struct sad_entry **link;

	if (!entry->control.counter_mode || !sadb->n_key_buckets)
		return;
	for (link = key_bucket(sadb, entry->control.counter_id); *link && *link != entry;)
		link = &(*link)->control.key_next;
	if (*link) {
		*link = entry->control.key_next;
		sadb->n_keys--;
	}
}

struct sad_entry *sadb_keys_find(const struct sadb *sadb, const struct sad_entry *entry)
{
	struct sad_entry *at;

	if (!entry->control.counter_mode || !sadb->n_key_buckets)
		return NULL;
	for (at = *key_bucket(sadb, entry->control.counter_id); at; at = at->control.key_next)
		if (at != entry && memcmp(at->control.counter_id, entry->control.counter_id,
					   SEQSTORE_ID_BYTES) == 0)
			break;
	return at;
}

void sadb_entry_shorten(const struct sadb *sadb, struct sad_entry *entry)
{
	struct sa *sa = entry->sa;
	uint32_t sec = 0;

	if (entry->directions != SA_OUTBOUND || sa->origin != SA_ORIGIN_PFKEY)
		return;
	if (sadb->parts.jitter_sec)
		sec = sadb->parts.jitter_sec(sadb->parts.now_userdata);
	else if (getrandom(&sec, sizeof(sec), 0) == (ssize_t)sizeof(sec))
		sec = 8 + sec % 16;
	if (sa->soft.add_sec > sec)
		sa->soft.add_sec -= sec;
}

int sadb_entry_make(const struct sadb *sadb, const struct sa *sa, struct sad_entry **ret_entry,
	struct sadb_refusal *ret_refusal)
{
	CLEANUP(sad_entry_freep) struct sad_entry *entry = sad_entry_new();
	struct sad_control *control;
	int r;

	if (!entry)
		return sadb_refuse(ret_refusal, ENOMEM, PFKEY_DIAG_NONE);
	entry->sa = sa_copy(sa);
	if (!entry->sa)
		return sadb_refuse(ret_refusal, ENOMEM, PFKEY_DIAG_NONE);
	r = sadb_settle_sa(sadb, entry->sa, ret_refusal);
	if (r == 0)
		r = sadb_check_sa(sadb, entry->sa, &entry->suite, ret_refusal);
	if (r < 0)
		return r;
	entry->directions = sadb_directions(sadb, entry->sa);
	if (entry->sa->proto == SA_PROTO_ESP)
		entry->provider = suite_provider_for(sadb->parts.provider, &entry->suite);
	control = &entry->control;
	control->counter_mode = entry->suite.cipher ? entry->suite.cipher->iv == SUITE_IV_COUNTER
						    : entry->suite.iv_bytes != 0; /* GMAC in AH */
	control->chunk = SEQSTORE_CHUNK_MIN;
	*ret_entry = STEAL(entry);
	return 0;
}

int sadb_entry_identify(
	const struct sadb *sadb, struct sad_entry *entry, struct sadb_refusal *ret_refusal)
{
	struct sad_control *control = &entry->control;

	if (seqstore_id(sadb->parts.seqstore, entry->sa, control->counter_id) < 0 ||
		seqstore_window_id(sadb->parts.seqstore, entry->sa, control->window_id) < 0)
		return sadb_refuse(ret_refusal, EIO, PFKEY_DIAG_NONE);
	return 0;
}

/* The counter-mode IV to begin with, when the key has never been used: the last octets of the key. */
static uint64_t initial_iv(const struct sa *sa)
{
	size_t len = secret_len(sa->encr_key);
	uint64_t iv = 0;

	if (sa->iv_bits != 64 || len < sizeof(iv))
		return 0;
	for (size_t i = len - sizeof(iv); i < len; i++)
		iv = iv << 8 | secret_bytes(sa->encr_key)[i];
	return iv;
}

/* Numbers that configuration says are used already. -EDOM: more than there are. */
static int raise_counter(struct sadb *sadb, const struct sad_entry *entry)
{
	const struct sa *sa = entry->sa;
	const uint8_t *id = entry->control.counter_id;
	uint64_t used = sa->replay_value, iv = initial_iv(sa);

	if (seqstore_reserved(sadb->parts.seqstore, id) != 0)
		return 0; /* only the first installation has a say */
	if (entry->control.counter_mode && iv > used + 1)
		used = iv - 1;
	if (used >= sadb_seq_limit(sa)) /* a slip of the pen must not use the key up */
		return -EDOM;
	return seqstore_raise(sadb->parts.seqstore, id, used);
}

static int reserve(struct sadb *sadb, struct sad_entry *entry, struct sadb_refusal *refusal)
{
	struct sad_control *control = &entry->control;
	int r;

	if (!sadb->parts.seqstore)
		return sadb_refuse(refusal, EIO, PFKEY_DIAG_NONE);
	r = raise_counter(sadb, entry);
	if (r == -EDOM)
		return sadb_refuse(refusal, EINVAL, PFKEY_DIAG_INVALID_REPLAY);
	if (r == 0)
		r = seqstore_reserve(sadb->parts.seqstore, control->counter_id, control->chunk,
			sadb_seq_limit(entry->sa), &control->granted);
	if (r == -ERANGE)
		return sadb_refuse(refusal, EINVAL, PFKEY_DIAG_SA_EXPIRED);
	return r < 0 ? sadb_refuse(refusal, -r, PFKEY_DIAG_NONE) : 0;
}

void sadb_entry_grant(struct sad_entry *entry)
{
	struct seqstore_range *granted = &entry->control.granted;
	struct sa_run *run = entry->run;

	sadb_window_grant(entry);
	if (granted->last == 0)
		return;
	/*
	 * Another SA with this key may have got the numbers in between. Workers look at the limit
	 * before they take a number by compare-and-swap: moving the number first only starves them.
	 */
	if (granted->first != atomic_load(&run->seq_reserved) + 1)
		atomic_store(&run->seq, granted->first - 1);
	atomic_store(&run->seq_reserved, granted->last);
	*granted = (struct seqstore_range){ 0 };
}

void sadb_entry_ungrant(struct sad_entry *entry)
{
	entry->control.granted = (struct seqstore_range){ 0 };
	entry->control.top_granted = 0;
}

int sadb_entry_equip(struct sadb *sadb, struct sad_entry *entry, struct sadb_refusal *ret_refusal)
{
	struct sa_run *run;
	int r;

	r = arena_add(sadb->parts.arena, entry->sa, entry->directions, &entry->arena_slot, &run);
	if (r < 0)
		return sadb_refuse(ret_refusal, -r, PFKEY_DIAG_NONE);
	entry->run = run;
	run->added_usec = sadb_now(sadb);
	run->added_wall_usec = clock_wall_usec();
	atomic_store(&run->state, SA_MATURE);
	r = sadb_window_equip(sadb, entry);
	if (r < 0)
		(void)sadb_refuse(ret_refusal, -r, PFKEY_DIAG_NONE);
	if (r == 0 && entry->directions & SA_OUTBOUND)
		r = reserve(sadb, entry, ret_refusal);
	if (r < 0) {
		arena_remove(sadb->parts.arena, entry->arena_slot);
		entry->run = NULL;
	}
	return r;
}

void sadb_entry_drop(struct sadb *sadb, struct sad_entry *entry, bool own_run)
{
	struct seqstore_range *granted = &entry->control.granted;

	if (own_run && entry->run) {
		sadb_window_unmake(sadb, entry);
		if (granted->last)
			(void)!seqstore_settle(sadb->parts.seqstore, entry->control.counter_id,
				granted->last, granted->first - 1);
		arena_remove(sadb->parts.arena, entry->arena_slot);
	}
	sad_entry_free(entry);
}

/* What the run state knows goes where the next one with this key finds it. */
void sadb_entry_released(struct sad_entry *entry, void *userdata)
{
	struct sadb *sadb = userdata;
	struct seqstore *store = sadb->parts.seqstore;
	struct sa_run *run = entry->run;

	/* Failing costs numbers. */
	if (store && entry->directions & SA_OUTBOUND)
		(void)!seqstore_settle(store, entry->control.counter_id,
			atomic_load(&run->seq_reserved), atomic_load(&run->seq));
	arena_remove(sadb->parts.arena, entry->arena_slot);
}

void sadb_entry_inherit(struct sad_entry *next, struct sad_entry *old)
{
	next->directions = old->directions;
	next->run = old->run;
	next->arena_slot = old->arena_slot;
	next->owner = old->owner;
	next->control = old->control;
	next->control.key_next = next->control.granted_next = NULL;
	next->control.heap_at = 0;
	next->control.armed = next->control.removed = false;
	next->control.due_usec = 0;
}

int sadb_entry_amend(struct sadb *sadb, struct sad_entry *old, struct sa *sa,
	struct sad_entry **ret_entry, struct sadb_refusal *refusal)
{
	struct sad_entry *next = sad_entry_new();
	int r;

	if (!next) {
		sa_free(sa);
		return sadb_refuse(refusal, ENOMEM, PFKEY_DIAG_NONE);
	}
	next->sa = sa;
	next->suite = old->suite;
	next->provider = old->provider;
	sadb_entry_inherit(next, old);
	r = arena_update(sadb->parts.arena, old->arena_slot, sa);
	if (r < 0) {
		sad_entry_free(next);
		return sadb_refuse(refusal, -r, PFKEY_DIAG_NONE);
	}
	sadb_keys_remove(sadb, old);
	(void)!sadb_keys_add(sadb, next); /* it takes the room that the other left */
	if (sad_replace(sadb->parts.sad, old, next, NULL, NULL) < 0) /* they have one key */
		abort();
	sadb_left(sadb, old);
	sadb_arm(sadb, next);
	*ret_entry = next;
	return 0;
}

void sadb_entry_delete(
	struct sadb *sadb, struct sad_entry *entry, const struct sadb_request *request)
{
	sadb_emit_entry(sadb, SADB_EVENT_DELETED, entry, request);
	sadb_entry_remove(sadb, entry);
}

void sadb_entry_remove(struct sadb *sadb, struct sad_entry *entry)
{
	sadb_pair_unlink(sadb, entry);
	sadb_keys_remove(sadb, entry);
	sadb_left(sadb, entry);
	sadb_window_close(sadb, entry);
	sad_remove(sadb->parts.sad, entry, sadb_entry_released, sadb);
}
