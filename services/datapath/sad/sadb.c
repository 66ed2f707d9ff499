/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One SA at a time: add, delete, flush, get, dump; and what a former life left. */
#include "services/datapath/sad/sadb.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "services/datapath/sad/sadb_parts.h"

int sadb_new(const struct sadb_parts *parts, struct sadb **ret_sadb)
{
	struct sadb *sadb = calloc(1, sizeof(*sadb));
	struct hash_key key;

	if (!sadb)
		return -ENOMEM;
	sadb->parts = *parts;
	key = arena_flow_key(parts->arena);
	sad_set_flow_key(parts->sad, &key);
	sadb->next_acquire = UINT32_MAX; /* top bit set, counting down */
	*ret_sadb = sadb;
	return 0;
}

static bool drop_held(struct sad_entry *entry, void *userdata)
{
	sadb_packet_lost(userdata, STEAL(entry->control.held), VERDICT_SADB_INLARVAL_TIMEOUT);
	return true;
}

struct sadb *sadb_free(struct sadb *sadb)
{
	if (!sadb)
		return NULL;
	rcu_barrier(sad_rcu(sadb->parts.sad)); /* what was removed comes back to us */
	sadb_acquires_flush(sadb, 0);
	sad_each(sadb->parts.sad, drop_held, sadb);
	free(sadb->keys);
	free(sadb->due.heap);
	free(sadb);
	return NULL;
}

uint64_t sadb_now(const struct sadb *sadb)
{
	return sadb->parts.now_usec ? sadb->parts.now_usec(sadb->parts.now_userdata)
				    : clock_boot_usec();
}

int sadb_listen(struct sadb *sadb, sadb_event_fn fn, void *userdata)
{
	if (sadb->n_listeners == SADB_MAX_LISTENERS)
		return -ENOSPC;
	sadb->listeners[sadb->n_listeners++] = (struct sadb_listener){ fn, userdata };
	return 0;
}

void sadb_unlisten(struct sadb *sadb, sadb_event_fn fn, void *userdata)
{
	size_t kept = 0;

	for (size_t i = 0; i < sadb->n_listeners; i++)
		if (sadb->listeners[i].fn != fn || sadb->listeners[i].userdata != userdata)
			sadb->listeners[kept++] = sadb->listeners[i];
	sadb->n_listeners = kept;
}

void sadb_emit(struct sadb *sadb, const struct sadb_event *event)
{
	for (size_t i = 0; i < sadb->n_listeners; i++)
		sadb->listeners[i].fn(event, sadb->listeners[i].userdata);
}

void sadb_emit_entry(struct sadb *sadb, enum sadb_event_kind kind, const struct sad_entry *entry,
	const struct sadb_request *request)
{
	struct sadb_event event = { .kind = kind, .entry = entry };

	if (request) {
		event.seq = request->seq;
		event.pid = request->pid;
		event.type = request->type;
	}
	sadb_emit(sadb, &event);
}

void sadb_set_algorithms(struct sadb *sadb, const struct alg_table *table)
{
	sadb->algorithms = table;
}

uint64_t sadb_tunable(const struct sadb *sadb, enum tunable which)
{
	return sadb->parts.tunables ? tunables_get(sadb->parts.tunables, which)
				    : tunable_row(which)->initial;
}

void sadb_set_limit(struct sadb *sadb, size_t limit)
{
	sadb->limit = limit;
}

int sadb_check_room(const struct sadb *sadb, size_t more, struct sadb_refusal *refusal)
{
	size_t count = sad_count(sadb->parts.sad);

	if (sadb->limit == 0 || (count <= sadb->limit && more <= sadb->limit - count))
		return 0;
	return sadb_refuse(refusal, ENOSPC, PFKEY_DIAG_SAD_FULL);
}

/* What may stand in the way of an entry, and then everything that it needs. */
static int prepare(struct sadb *sadb, struct sad_entry *entry, struct sadb_refusal *refusal)
{
	int r = 0;

	sadb_entry_shorten(sadb, entry);
	if (entry->sa->pair_spi)
		r = sadb_pair_check(sadb, entry, entry->sa->pair_spi, refusal);
	/* One counter-mode key in two SAs would use its counter twice, at this end or at the other. */
	if (r == 0 && sadb_keys_find(sadb, entry))
		r = sadb_refuse(refusal, EINVAL, PFKEY_DIAG_BAD_CTX);
	if (r == 0)
		r = sadb_entry_equip(sadb, entry, refusal);
	if (r == 0 && (sadb_due_reserve(sadb, 1) < 0 || sadb_keys_add(sadb, entry) < 0))
		r = sadb_refuse(refusal, ENOMEM, PFKEY_DIAG_NONE);
	return r;
}

static void installed(struct sadb *sadb, struct sad_entry *entry, enum sadb_event_kind kind,
	const struct sadb_request *request)
{
	entry->owner = request ? request->owner : 0;
	sadb_entry_grant(entry);
	sadb_arm(sadb, entry);
	sadb_pair_link(sadb, entry);
	sadb_answered(sadb, entry->sa, request);
	sadb_emit_entry(sadb, kind, entry, request);
}

int sadb_add(struct sadb *sadb, struct sa *sa, const struct sadb_request *request,
	struct sadb_refusal *ret_refusal)
{
	struct sad_entry *entry = NULL;
	int r = sadb_entry_make(sadb, sa, &entry, ret_refusal);

	if (r < 0)
		return r;
	r = sadb_entry_identify(sadb, entry, ret_refusal);
	if (r == 0 && sad_find_same(sadb->parts.sad, entry->sa))
		r = sadb_refuse(ret_refusal, EEXIST, PFKEY_DIAG_NONE);
	if (r == 0)
		r = sadb_check_room(sadb, 1, ret_refusal);
	if (r == 0)
		r = prepare(sadb, entry, ret_refusal);
	if (r == 0 && sad_insert(sadb->parts.sad, entry) < 0) {
		sadb_keys_remove(sadb, entry);
		r = sadb_refuse(ret_refusal, ENOMEM, PFKEY_DIAG_NONE);
	}
	if (r < 0) {
		sadb_entry_drop(sadb, entry, true);
		return r;
	}
	sa_free(sa);
	installed(sadb, entry, SADB_EVENT_ADDED, request);
	return 0;
}

int sadb_fill(struct sadb *sadb, const struct sa *sa, struct sad_entry *larval,
	const struct sadb_request *request, struct sadb_refusal *refusal)
{
	struct sadb_packet *held;
	struct sad_entry *entry = NULL;
	int r = sadb_entry_make(sadb, sa, &entry, refusal);

	if (r < 0)
		return r;
	r = sadb_entry_identify(sadb, entry, refusal);
	if (r == 0)
		r = prepare(sadb, entry, refusal);
	if (r == 0 && sad_replace(sadb->parts.sad, larval, entry, sadb_entry_released, sadb) < 0) {
		sadb_keys_remove(sadb, entry);
		r = sadb_refuse(refusal, EINVAL, PFKEY_DIAG_NONE);
	}
	if (r < 0) {
		sadb_entry_drop(sadb, entry, true);
		return r;
	}
	held = STEAL(larval->control.held);
	sadb_left(sadb, larval);
	installed(sadb, entry, SADB_EVENT_UPDATED, request);
	sadb_packet_release(sadb, held);
	return 0;
}

struct sad_entry *sadb_get(struct sadb *sadb, const struct sa_key *key, const struct address *src)
{
	struct sa same = { .proto = key->proto, .spi = key->spi, .dst = key->dst };
	struct sad_entry *entry;

	/* Each sender to a group may have one. */
	if (src && address_is_multicast(&key->dst)) {
		same.src = *src;
		entry = sad_find_same(sadb->parts.sad, &same);
		if (entry)
			return entry;
	}
	entry = sad_find(sadb->parts.sad, key);
	if (!entry || !src || address_is_unspecified(src) ||
		address_is_unspecified(&entry->sa->src) || address_equal(&entry->sa->src, src))
		return entry;
	return NULL;
}

int sadb_delete(struct sadb *sadb, const struct sa_key *key, const struct address *src,
	const struct sadb_request *request, struct sadb_refusal *ret_refusal)
{
	struct sad_entry *entry = sadb_get(sadb, key, src);

	if (!entry)
		return sadb_refuse(ret_refusal, ESRCH, PFKEY_DIAG_SA_NOTFOUND);
	sadb_entry_delete(sadb, entry, request);
	return 0;
}

struct selection {
	struct sadb *sadb;
	int proto;
	struct sadb_match match;
	const struct sadb_request *request;
	bool managed; /* no manual keys */
	size_t n;
	void (*fn)(struct sad_entry *entry, void *userdata);
	void *userdata;
};

static bool matches(const struct sadb_match *match, const struct sa *sa)
{
	return (!match->src || address_equal(match->src, &sa->src)) &&
	       (!match->dst || address_equal(match->dst, &sa->dst)) &&
	       (!match->identity_src || sa_identity_equal(match->identity_src, sa->identity_src)) &&
	       (!match->identity_dst || sa_identity_equal(match->identity_dst, sa->identity_dst)) &&
	       (!match->km_cookie || (*match->km_cookie == sa->km_cookie &&
					     match->km_protocol == sa->km_protocol));
}

static bool is_selected(const struct selection *selection, const struct sad_entry *entry)
{
	return (selection->proto == 0 || (int)entry->sa->proto == selection->proto) &&
	       (!selection->managed || entry->sa->origin == SA_ORIGIN_PFKEY) &&
	       matches(&selection->match, entry->sa);
}

static bool delete_selected(struct sad_entry *entry, void *userdata)
{
	struct selection *selection = userdata;

	if (atomic_load(&entry->run->state) != SA_LARVAL && is_selected(selection, entry)) {
		selection->n++;
		sadb_entry_delete(selection->sadb, entry, selection->request);
	}
	return true;
}

size_t sadb_delete_between(struct sadb *sadb, enum sa_proto proto, const struct sadb_match *match,
	const struct sadb_request *request)
{
	struct selection selection = {
		.sadb = sadb, .proto = (int)proto, .match = *match, .request = request
	};

	sad_each(sadb->parts.sad, delete_selected, &selection);
	return selection.n;
}

static bool flush_selected(struct sad_entry *entry, void *userdata)
{
	struct selection *selection = userdata;

	if (is_selected(selection, entry))
		sadb_entry_remove(selection->sadb, entry);
	return true;
}

static void flush(struct selection *selection, const struct sadb_request *request)
{
	struct sadb *sadb = selection->sadb;
	struct sadb_event event = { .kind = SADB_EVENT_FLUSHED, .proto = selection->proto };

	sad_each(sadb->parts.sad, flush_selected, selection);
	sadb_acquires_flush(sadb, selection->proto);
	if (request) {
		event.seq = request->seq;
		event.pid = request->pid;
	}
	sadb_emit(sadb, &event);
}

void sadb_flush(struct sadb *sadb, int proto, const struct sadb_request *request)
{
	struct selection selection = { .sadb = sadb, .proto = proto };

	flush(&selection, request);
}

void sadb_flush_managed(struct sadb *sadb, int proto, const struct sadb_request *request)
{
	struct selection selection = { .sadb = sadb, .proto = proto, .managed = true };

	flush(&selection, request);
}

static bool dump_selected(struct sad_entry *entry, void *userdata)
{
	struct selection *selection = userdata;

	if (is_selected(selection, entry))
		selection->fn(entry, selection->userdata);
	return true;
}

void sadb_walk(struct sadb *sadb, struct sad_cursor *ret_cursor)
{
	sad_cursor_open(sadb->parts.sad, ret_cursor);
}

void sadb_dump(struct sadb *sadb, int proto, void (*fn)(struct sad_entry *entry, void *userdata),
	void *userdata)
{
	struct selection selection = { .proto = proto, .fn = fn, .userdata = userdata };

	sad_each(sadb->parts.sad, dump_selected, &selection);
}

/* One slot of the arena. What this build can no longer use is given up; the rest goes on. */
static int restore_entry(
	size_t slot, struct sa *sa, uint8_t directions, struct sa_run *run, void *userdata)
{
	struct sadb *sadb = userdata;
	struct sad_entry *entry = NULL;
	struct sadb_refusal refusal;
	int r = sadb_entry_make(sadb, sa, &entry, &refusal);

	sa_free(sa);
	if (r == 0) {
		r = sadb_entry_identify(sadb, entry, &refusal);
		if (r < 0)
			entry = sad_entry_free(entry);
	}
	if (r == -ENOMEM)
		return r;
	if (r == 0 && (arena_window(entry->sa->replay_window) != run->window || directions == 0 ||
			      sadb_keys_find(sadb, entry))) {
		entry = sad_entry_free(entry);
		r = -EBADMSG;
	}
	if (r < 0) {
		arena_remove(sadb->parts.arena, slot);
		return 0;
	}
	entry->directions = directions;
	entry->arena_slot = slot;
	entry->run = run;
	entry->control.seq_seen = atomic_load(&run->seq);
	/* A store that is younger than the arena must not grant these again. */
	if (directions & SA_OUTBOUND && sadb->parts.seqstore)
		r = seqstore_raise(sadb->parts.seqstore, entry->control.counter_id,
			atomic_load(&run->seq_reserved));
	sadb_window_restore(sadb, entry);
	if (r == 0)
		r = sadb_due_reserve(sadb, 1);
	if (r == 0)
		r = sadb_keys_add(sadb, entry);
	if (r == 0)
		r = sad_insert(sadb->parts.sad, entry);
	if (r < 0) {
		sadb_keys_remove(sadb, entry);
		sad_entry_free(entry);
		return r == -EEXIST ? 0 : r;
	}
	sadb_arm(sadb, entry);
	sad_raise(entry);
	return 0;
}

int sadb_restore(struct sadb *sadb)
{
	int r, r_commit = 0;

	if (sadb->parts.seqstore)
		seqstore_begin(sadb->parts.seqstore);
	r = arena_each(sadb->parts.arena, restore_entry, sadb);
	sadb_pair_all(sadb);
	if (sadb->parts.seqstore)
		r_commit = seqstore_commit(sadb->parts.seqstore);
	sadb_tick(sadb);
	return r < 0 ? r : r_commit;
}
