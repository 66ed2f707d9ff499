/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The keys section: from a list of SAs to the difference against the SAD. First everything that can
 * fail is done aside, then the tables change in steps that cannot.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "services/datapath/sad/sadb_parts.h"

struct change {
	const struct sa *wanted;
	struct sad_entry *fresh; /* NULL: what is there stays */
	struct sad_entry *old; /* that it replaces or that stays; NULL: none */
	bool shares_run; /* fresh goes on with the run state of old */
};

struct plan {
	struct sadb *sadb;
	struct change *changes;
	size_t n;
	uint64_t mark;
	bool partial; /* what the list does not name stays */
	bool flush; /* whoever brought it, it goes */
	/* Every entry that there would be, for the search for keys used twice. */
	const struct sad_entry **counters;
	size_t n_counters;
	size_t n_going; /* SAs that will not be there any more */
};

static int explain(const struct sa *sa, const struct sadb_refusal *refusal, struct text *why)
{
	sa_print(sa, why);
	if (refusal->diagnostic != PFKEY_DIAG_NONE)
		text_addf(why, ": %s", pfkey_diagnostic_text(refusal->diagnostic));
	else
		text_addf(why, ": %s", strerrordesc_np(refusal->error));
	return -refusal->error;
}

/* May a run state be carried over? Only if packets on the wire mean the same to both. */
static bool same_keys(const struct sad_entry *a, const struct sad_entry *b)
{
	bool encr = secret_equal(a->sa->encr_key, b->sa->encr_key);
	bool auth = secret_equal(a->sa->auth_key, b->sa->auth_key);

	return encr && auth && a->sa->encr == b->sa->encr && a->sa->auth == b->sa->auth &&
	       a->sa->encr_key_bits == b->sa->encr_key_bits &&
	       a->sa->salt_bits == b->sa->salt_bits && a->directions == b->directions &&
	       a->sa->flags == b->sa->flags && address_equal(&a->sa->src, &b->sa->src) &&
	       arena_window(a->sa->replay_window) == arena_window(b->sa->replay_window);
}

/* One SA of the list against what is there. */
static int plan_one(struct plan *plan, struct change *change, struct text *why)
{
	struct sadb *sadb = plan->sadb;
	struct sadb_refusal refusal;
	struct sad_entry *old, *fresh;
	bool dead = false;

	if (sadb_entry_make(sadb, change->wanted, &change->fresh, &refusal) < 0)
		return explain(change->wanted, &refusal, why);
	fresh = change->fresh;
	fresh->sa->origin = SA_ORIGIN_KEYS;
	old = change->old = sad_find_same(sadb->parts.sad, fresh->sa);
	if (old) {
		old->control.mark = plan->mark;
		dead = atomic_load(&old->run->state) == SA_DEAD;
		if (!dead && old->sa->origin == SA_ORIGIN_KEYS && sa_equal(old->sa, fresh->sa)) {
			change->fresh = sad_entry_free(fresh);
			return 0;
		}
	}
	if (sadb_entry_identify(sadb, fresh, &refusal) < 0)
		return explain(change->wanted, &refusal, why);
	if (old && !dead && same_keys(old, fresh) &&
		arena_fits(sadb->parts.arena, old->arena_slot, fresh->sa)) {
		change->shares_run = true;
		fresh->run = old->run;
		fresh->arena_slot = old->arena_slot;
	}
	return 0;
}

static int compare_keys(const void *a, const void *b)
{
	const struct sa *x = *(const struct sa *const *)a, *y = *(const struct sa *const *)b;

	if (x->spi != y->spi)
		return x->spi < y->spi ? -1 : 1;
	if (x->proto != y->proto)
		return x->proto < y->proto ? -1 : 1;
	/* Of one group there may be one for each source. */
	if (address_compare(&x->dst, &y->dst) != 0 || !address_is_multicast(&x->dst))
		return address_compare(&x->dst, &y->dst);
	return address_compare(&x->src, &y->src);
}

static int refuse_twins(const struct sa_list *list, struct text *why)
{
	CLEANUP(freep) const struct sa **sorted = calloc(list->count + 1, sizeof(*sorted));

	if (!sorted)
		return -ENOMEM;
	for (size_t i = 0; i < list->count; i++)
		sorted[i] = list->sas[i];
	qsort(sorted, list->count, sizeof(*sorted), compare_keys);
	for (size_t i = 1; i < list->count; i++) {
		if (compare_keys(&sorted[i - 1], &sorted[i]) == 0) {
			sa_print(sorted[i], why);
			text_add(why, ": there twice");
			return -EEXIST;
		}
	}
	return 0;
}

static int compare_counters(const void *a, const void *b)
{
	const struct sad_entry *const *x = a, *const *y = b;

	return memcmp((*x)->control.counter_id, (*y)->control.counter_id, SEQSTORE_ID_BYTES);
}

/* Entries of other doors stay as they are, unless the list takes their place. */
static bool collect_counter(struct sad_entry *entry, void *userdata)
{
	struct plan *plan = userdata;

	if (entry->control.counter_mode && entry->control.mark != plan->mark && !plan->flush &&
		(entry->sa->origin != SA_ORIGIN_KEYS || plan->partial))
		plan->counters[plan->n_counters++] = entry;
	return true;
}

/* One counter-mode key and salt for two SAs would use every counter value twice. */
static int refuse_shared_counters(struct plan *plan, struct text *why)
{
	size_t room = plan->n + sad_count(plan->sadb->parts.sad);

	plan->counters = calloc(room + 1, sizeof(*plan->counters));
	if (!plan->counters)
		return -ENOMEM;
	for (size_t i = 0; i < plan->n; i++) {
		const struct change *change = &plan->changes[i];
		const struct sad_entry *entry = change->fresh ? change->fresh : change->old;

		if (entry->control.counter_mode)
			plan->counters[plan->n_counters++] = entry;
	}
	sad_each(plan->sadb->parts.sad, collect_counter, plan);
	qsort(plan->counters, plan->n_counters, sizeof(struct sad_entry *), compare_counters);
	for (size_t i = 1; i < plan->n_counters; i++) {
		if (compare_counters(&plan->counters[i - 1], &plan->counters[i]) == 0) {
			sa_print(plan->counters[i]->sa, why);
			text_add(why, ": counter-mode key and salt are also those of ");
			sa_print(plan->counters[i - 1]->sa, why);
			return -EINVAL;
		}
	}
	return 0;
}

static bool goes(const struct plan *plan, const struct sad_entry *entry)
{
	return (plan->flush || entry->sa->origin == SA_ORIGIN_KEYS) &&
	       entry->control.mark != plan->mark;
}

static bool count_going(struct sad_entry *entry, void *userdata)
{
	struct plan *plan = userdata;

	plan->n_going += goes(plan, entry);
	return true;
}

/* As it will be in the end: the old and the new stand side by side for a moment only. */
static int refuse_too_many(struct plan *plan, struct text *why)
{
	const struct sadb *sadb = plan->sadb;
	size_t count = sad_count(sadb->parts.sad);

	if (sadb->limit == 0)
		return 0;
	if (!plan->partial)
		sad_each(sadb->parts.sad, count_going, plan);
	count -= plan->n_going;
	for (size_t i = 0; i < plan->n; i++)
		count += !plan->changes[i].old;
	/* What are more than that already may still be replaced, and become fewer. */
	if (count <= sadb->limit || count <= sad_count(sadb->parts.sad))
		return 0;
	text_addf(why, "there would be %zu SAs: %s", count, PFKEY_DIAG_SAD_FULL_TEXT);
	return -ENOSPC;
}

static int equip_all(struct plan *plan, struct text *why)
{
	struct seqstore *store = plan->sadb->parts.seqstore;
	struct sadb_refusal refusal;
	int r = 0;

	if (store)
		seqstore_begin(store);
	for (size_t i = 0; r == 0 && i < plan->n; i++) {
		struct change *change = &plan->changes[i];

		if (!change->fresh || change->shares_run)
			continue;
		r = sadb_entry_equip(plan->sadb, change->fresh, &refusal);
		if (r < 0)
			r = explain(change->wanted, &refusal, why);
	}
	/* Also when an SA was refused: what was given out and taken back went to the file. */
	if (store) {
		int r_disk = seqstore_commit(store);

		if (r == 0 && r_disk < 0) {
			text_addf(why, "sequence numbers: %s", strerrordesc_np(-r_disk));
			r = r_disk;
		}
	}
	return r;
}

static int make_plan(struct plan *plan, const struct sa_list *list, struct text *why)
{
	int r = 0;

	plan->changes = calloc(list->count + 1, sizeof(*plan->changes));
	if (!plan->changes)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < list->count; i++) {
		plan->changes[i].wanted = list->sas[i];
		plan->n++;
		r = plan_one(plan, &plan->changes[i], why);
	}
	if (r == 0)
		r = refuse_twins(list, why);
	if (r == 0)
		r = refuse_shared_counters(plan, why);
	if (r == 0)
		r = refuse_too_many(plan, why);
	if (r == 0)
		r = sadb_due_reserve(plan->sadb, plan->n);
	return r < 0 ? r : equip_all(plan, why);
}

static void commit_change(struct plan *plan, struct change *change)
{
	struct sadb *sadb = plan->sadb;
	struct sad_entry *fresh = STEAL(change->fresh), *old = change->old;
	int r = 0;

	if (!fresh)
		return;
	if (!change->shares_run)
		sadb_entry_grant(fresh);
	if (old && (!change->shares_run || old->sa->pair_spi != fresh->sa->pair_spi))
		sadb_pair_unlink(sadb, old);
	if (change->shares_run)
		sadb_entry_inherit(fresh, old);
	if (old)
		sadb_keys_remove(sadb, old);
	/* Without memory for its first bucket the list of keys lacks one: checked again at each apply. */
	(void)!sadb_keys_add(sadb, fresh);
	if (change->shares_run) {
		(void)!arena_update(sadb->parts.arena, fresh->arena_slot, fresh->sa); /* it fits */
		r = sad_replace(sadb->parts.sad, old, fresh, NULL, NULL);
	} else if (old) {
		sadb_window_succeed(sadb, old, fresh);
		r = sad_replace(sadb->parts.sad, old, fresh, sadb_entry_released, sadb);
	} else {
		r = sad_insert(sadb->parts.sad, fresh);
	}
	if (r < 0) /* keys are known to be free or equal */
		abort();
	if (old)
		sadb_left(sadb, old);
	sadb_arm(sadb, fresh);
	fresh->control.mark = plan->mark;
	sadb_emit_entry(sadb, old ? SADB_EVENT_UPDATED : SADB_EVENT_ADDED, fresh, NULL);
}

static bool remove_unmarked(struct sad_entry *entry, void *userdata)
{
	struct plan *plan = userdata;

	if (goes(plan, entry)) {
		sadb_emit_entry(plan->sadb, SADB_EVENT_DELETED, entry, NULL);
		sadb_entry_remove(plan->sadb, entry);
	}
	return true;
}

static void plan_done(struct plan *plan)
{
	for (size_t i = 0; i < plan->n; i++)
		if (plan->changes[i].fresh)
			sadb_entry_drop(
				plan->sadb, plan->changes[i].fresh, !plan->changes[i].shares_run);
	free(plan->changes);
	free(plan->counters);
}

int sadb_apply_keys(struct sadb *sadb, const struct sa_list *list, struct text *ret_why)
{
	struct plan plan = { .sadb = sadb,
		.mark = ++sadb->marks,
		.partial = list->partial,
		.flush = list->flush && !list->partial };
	int r = make_plan(&plan, list, ret_why);

	if (r == 0) {
		for (size_t i = 0; i < plan.n; i++)
			commit_change(&plan, &plan.changes[i]);
		if (!plan.partial)
			sad_each(sadb->parts.sad, remove_unmarked, &plan);
		sadb_pair_all(sadb);
		(void)rcu_poll(sad_rcu(sadb->parts.sad));
	}
	plan_done(&plan);
	return r;
}
