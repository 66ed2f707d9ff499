/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SAs that go on between other ends: with their keys, SPI, numbers, window and what they have used. */
#include <errno.h>
#include <stdlib.h>

#include "services/datapath/sad/sadb_parts.h"

struct step {
	struct sad_entry *old, *next;
	bool in_place; /* the destination stays: one takes the other's place */
	bool inserted;
};

struct journey {
	struct sadb *sadb;
	const struct sadb_move *moves;
	size_t n_moves;
	struct step *steps;
	size_t n, room;
	int error;
	struct sadb_refusal *refusal;
};

static bool is_meant(const struct sadb_move *move, const struct sad_entry *entry)
{
	uint32_t state = atomic_load(&entry->run->state);
	const struct sa *sa = entry->sa;

	return (state == SA_MATURE || state == SA_DYING) && sa->origin == SA_ORIGIN_PFKEY &&
	       sa->proto == move->proto && sa->mode == move->mode &&
	       (move->reqid == 0 || sa->reqid == move->reqid) &&
	       address_equal(&sa->src, &move->src) && address_equal(&sa->dst, &move->dst);
}

/* Which way it goes stays; ends that are nobody's here yet, or both ours, say nothing about that. */
static bool turns_round(const struct sadb *sadb, const struct sad_entry *old, const struct sa *sa)
{
	struct sa asked = { .src = sa->src, .dst = sa->dst };
	uint8_t found = sadb_directions(sadb, &asked);

	return found != (SA_INBOUND | SA_OUTBOUND) && found != old->directions;
}

static int make_next(struct journey *way, const struct sadb_move *move, struct step *step)
{
	struct sad_entry *old = step->old, *next = NULL, *there;
	CLEANUP(sa_freep) struct sa *sa = sa_copy(old->sa);
	int r;

	if (!sa)
		return sadb_refuse(way->refusal, ENOMEM, PFKEY_DIAG_NONE);
	sa->src = move->new_src;
	sa->dst = move->new_dst;
	if (turns_round(way->sadb, old, sa))
		return sadb_refuse(way->refusal, EINVAL, PFKEY_DIAG_NONE);
	r = sadb_entry_make(way->sadb, sa, &next, way->refusal);
	if (r < 0)
		return r;
	sadb_entry_inherit(next, old);
	r = sadb_entry_identify(way->sadb, next, way->refusal);
	there = sad_find_same(way->sadb->parts.sad, next->sa);
	if (r == 0 && there && there != old)
		r = sadb_refuse(way->refusal, EEXIST, PFKEY_DIAG_NONE);
	if (r < 0) {
		sad_entry_free(next);
		return r;
	}
	step->next = next;
	step->in_place = there == old;
	return 0;
}

static bool plan(struct sad_entry *entry, void *userdata)
{
	struct journey *way = userdata;
	const struct sadb_move *move = way->moves, *end = move + way->n_moves;
	struct step *steps;

	while (move < end && !is_meant(move, entry))
		move++;
	if (move == end)
		return true;
	if (way->n == way->room) {
		steps = reallocarray(way->steps, 2 * way->room + 8, sizeof(*steps));
		if (!steps) {
			way->error = sadb_refuse(way->refusal, ENOMEM, PFKEY_DIAG_NONE);
			return false;
		}
		way->steps = steps;
		way->room = 2 * way->room + 8;
	}
	way->steps[way->n] = (struct step){ .old = entry };
	way->error = make_next(way, move, &way->steps[way->n]);
	if (way->error == 0)
		way->n++;
	return way->error == 0;
}

/* From here on either entry is found; they share all that counts. */
static int set_out(struct journey *way)
{
	struct sadb *sadb = way->sadb;
	int r = 0;

	if (sadb_due_reserve(sadb, way->n) < 0)
		return sadb_refuse(way->refusal, ENOMEM, PFKEY_DIAG_NONE);
	for (size_t i = 0; i < way->n && r == 0; i++) {
		struct step *step = &way->steps[i];
		struct sad_entry *next = step->next;

		r = arena_update(sadb->parts.arena, next->arena_slot, next->sa);
		if (r == 0 && !step->in_place)
			r = sad_insert(sadb->parts.sad, next);
		step->inserted = r == 0 && !step->in_place;
		if (r < 0)
			(void)sadb_refuse(way->refusal, -r, PFKEY_DIAG_NONE);
	}
	return r;
}

static void turn_back(struct journey *way)
{
	struct sadb *sadb = way->sadb;

	for (size_t i = 0; i < way->n; i++) {
		struct step *step = &way->steps[i];

		/* What was there before fits again. */
		(void)!arena_update(sadb->parts.arena, step->old->arena_slot, step->old->sa);
		if (step->inserted)
			sad_remove(sadb->parts.sad, step->next, NULL, NULL);
		else
			sad_entry_free(step->next);
	}
}

static void arrive(struct sadb *sadb, struct step *step)
{
	struct sad_entry *old = step->old, *next = step->next;
	struct sa_run *run = next->run;

	sadb_pair_unlink(sadb, old);
	next->control.pair_spi = 0;
	sadb_keys_remove(sadb, old);
	(void)!sadb_keys_add(sadb, next); /* it takes the room that the other left */
	/* Its window is known to the disk under another name; without room there packets wait for it. */
	if (run->window && next->directions & SA_INBOUND)
		(void)!sadb_window_reach(sadb, next, run->top);
	sadb_emit_entry(sadb, SADB_EVENT_DELETED, old, NULL);
	sadb_left(sadb, old);
	if (!step->in_place)
		sad_remove(sadb->parts.sad, old, NULL, NULL);
	else if (sad_replace(sadb->parts.sad, old, next, NULL, NULL) < 0) /* they have one key */
		abort();
	sadb_arm(sadb, next);
	sadb_emit_entry(sadb, SADB_EVENT_ADDED, next, NULL);
}

int sadb_move(struct sadb *sadb, const struct sadb_moves *moves, struct sadb_refusal *ret_refusal)
{
	struct journey way = {
		.sadb = sadb, .moves = moves->moves, .n_moves = moves->n, .refusal = ret_refusal
	};
	int r;

	*ret_refusal = (struct sadb_refusal){ 0 };
	sad_each(sadb->parts.sad, plan, &way);
	r = way.error;
	if (r == 0)
		r = set_out(&way);
	if (r == 0) {
		r = moves->agree(moves->userdata);
		if (r < 0)
			(void)sadb_refuse(ret_refusal, -r, PFKEY_DIAG_NONE);
	}
	if (r < 0)
		turn_back(&way);
	for (size_t i = 0; i < way.n && r == 0; i++)
		arrive(sadb, &way.steps[i]);
	for (size_t i = 0; i < way.n && r == 0; i++)
		sadb_pair_link(sadb, way.steps[i].next);
	free(way.steps);
	return r;
}
