/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the searches for one packet and for several side by side share. */
#ifndef DATAPATH_CLASSIFIER_SEARCH_H
#define DATAPATH_CLASSIFIER_SEARCH_H

#include "services/datapath/spd/classifier_parts.h"

#define HIDDEN 0x10000U /* lies in no range */
#define NEVER  0 /* list 0 */
/* gcc drops calls of functions that do nothing else, unless they are part of their caller. */
#define PREFETCHES static inline __attribute__((always_inline))

/* A packet as records and groups look at it. */
struct probe {
	const struct classifier *c;
	const struct flow *flow;
	uint32_t values[RECORD_KINDS];
	uint32_t other; /* leading bits of the end that the tree is not about */
	uint8_t direction; /* bit */
	bool has_ports;
	struct group_key key;
};

/* What a record says besides direction and protocol. */
static inline bool rest_matches(const struct probe *p, const union cell *cell)
{
	const struct record *r = &cell[0].record;
	const struct record_rest *rest = &cell[1].rest;
	uint32_t value = p->values[r->flags >> RECORD_KIND_SHIFT & RECORD_KIND_MASK];

	if (r->flags & RECORD_WIDE) {
		uint64_t differs = (uint64_t)(p->other ^ rest->other) >> (32 - rest->other_bits);

		if (value - r->low > (uint32_t)(rest->high - r->low) || differs != 0)
			return false;
	} else if (value != r->low) {
		return false;
	}
	return !(r->flags & RECORD_VERIFY) ||
	       selector_match(&p->c->rules[r->rule]->selector, p->flow);
}

static inline bool record_matches(const struct probe *p, const union cell *cell)
{
	const struct record *r = &cell->record;

	return (r->flags & p->direction) != 0 &&
	       (r->protocol == 0 || r->protocol == p->key.protocol) && rest_matches(p, cell);
}

/* A list, in match order. */
static inline uint32_t scan_list(const struct probe *p, uint32_t list, uint32_t best)
{
	for (const union cell *cell = &p->c->arrays.cells[list];;
		cell += record_cells(&cell->record)) {
		if (cell->record.rule >= best)
			return best;
		if (record_matches(p, cell))
			return cell->record.rule;
		if (cell->record.flags & RECORD_LAST)
			return best;
	}
}

/*
 * The short records of a place, in no order. All are looked at: which of them match is not to be
 * foreseen, and a jump that was guessed wrong costs more than the few that are left.
 */
static inline uint32_t scan_records(const struct probe *p, const struct place *place, uint32_t best)
{
	const union cell *cells = &p->c->arrays.cells[place->at];
	uint32_t protocol = p->key.protocol, direction = p->direction;

	for (uint32_t left = place->records; left != 0; left &= left - 1) {
		const struct record r = cells[__builtin_ctz(left)].record;
		uint32_t value = p->values[r.flags >> RECORD_KIND_SHIFT & RECORD_KIND_MASK];
		uint32_t other_protocol = (uint32_t)(r.protocol != 0) & (r.protocol != protocol);
		uint32_t other_way = (r.flags & direction) == 0;
		uint32_t no = (value ^ r.low) | other_protocol | other_way;
		uint32_t rule = r.rule | (0 - (uint32_t)(no != 0)); /* else CLASSIFIER_NONE */

		best = rule < best ? rule : best;
	}
	return best;
}

/* The first of the others of a place that are @left. */
static inline const union cell *other_cell(
	const struct classifier *c, const struct place *place, uint32_t left)
{
	return &c->arrays.cells[place->at + (uint32_t)__builtin_ctz(left)];
}

/* The list under a key, or NEVER. */
static inline uint32_t find_slot(
	const struct classifier *c, const struct group *group, uint64_t hash)
{
	const struct slot *slots = &c->arrays.slots[group->slots];
	uint32_t at = hash_slot(hash, group->mask);

	while (slots[at].list != NEVER && slots[at].tag != hash_tag(hash))
		at = (at + 1) & group->mask;
	return slots[at].list;
}

/* What fills the last node of a level up is no key. */
static inline uint32_t last_key(const struct tree *tree, uint32_t l, uint32_t at)
{
	return at < tree->count[l] ? at : tree->count[l] - 1;
}

/* One level down: the last key of the node that is not above @x. Of four first, then between them. */
static inline uint32_t step4(
	const struct classifier *c, const struct tree *tree, uint32_t l, uint32_t at, uint32_t x)
{
	const uint32_t *node = c->arrays.keys4 + tree->at[l] + at * CLASSIFIER_FANOUT;
	uint32_t n = (node[4] <= x ? 4U : 0U) + (node[8] <= x ? 4U : 0U) +
		     (node[12] <= x ? 4U : 0U);

	for (uint32_t i = 1, first = n; i < 4; i++)
		n += node[first + i] <= x;
	return last_key(tree, l, at * CLASSIFIER_FANOUT + n);
}

static inline uint32_t step8(
	const struct classifier *c, const struct tree *tree, uint32_t l, uint32_t at, uint64_t x)
{
	const uint64_t *node = c->arrays.keys8 + tree->at[l] + at * CLASSIFIER_FANOUT;
	uint32_t n = (node[4] <= x ? 4U : 0U) + (node[8] <= x ? 4U : 0U) +
		     (node[12] <= x ? 4U : 0U);

	for (uint32_t i = 1, first = n; i < 4; i++)
		n += node[first + i] <= x;
	return last_key(tree, l, at * CLASSIFIER_FANOUT + n);
}

/* From one level to another: which node of it, or which leaf, an address is in. */
static inline uint32_t step(const struct classifier *c, const struct tree *tree, int family,
	uint32_t l, uint32_t at, uint64_t x)
{
	return family == AF_INET ? step4(c, tree, l, at, (uint32_t)(x >> 32))
				 : step8(c, tree, l, at, x);
}

PREFETCHES void prefetch_node(
	const struct classifier *c, const struct tree *tree, int family, uint32_t l, uint32_t at)
{
	at = tree->at[l] + at * CLASSIFIER_FANOUT;
	if (family == AF_INET) {
		__builtin_prefetch(&c->arrays.keys4[at]);
	} else {
		__builtin_prefetch(&c->arrays.keys8[at]);
		__builtin_prefetch(&c->arrays.keys8[at] + CLASSIFIER_FANOUT / 2);
	}
}

PREFETCHES void prefetch_leaf(const struct classifier *c, int family, uint32_t leaf)
{
	__builtin_prefetch(family == AF_INET ? (const void *)&c->arrays.leaves4[leaf]
					     : (const void *)&c->arrays.leaves8[leaf]);
}

/* Its first key is not above @x. */
static inline struct place read_leaf(
	const struct classifier *c, int family, uint32_t leaf, uint64_t x)
{
	uint32_t n = 0;

	if (family == AF_INET) {
		const struct leaf4 *leaf4 = &c->arrays.leaves4[leaf];

		for (uint32_t i = 1; i < ARRAY_SIZE(leaf4->keys); i++)
			n += leaf4->keys[i] <= (uint32_t)(x >> 32);
		return leaf4->places[n];
	}
	for (uint32_t i = 1; i < ARRAY_SIZE(c->arrays.leaves8->keys); i++)
		n += c->arrays.leaves8[leaf].keys[i] <= x;
	return c->arrays.leaves8[leaf].places[n];
}

/* The cache lines in which its first and its last cell lie: a window has two. */
PREFETCHES void prefetch_place(const struct classifier *c, const struct place *place)
{
	uint32_t all = place->records | place->others | 1U; /* no jump, should there be none */
	const union cell *cells = &c->arrays.cells[place->at & ~CLASSIFIER_SUBTREE];

	__builtin_prefetch(&cells[__builtin_ctz(all)]);
	__builtin_prefetch(&cells[31 - __builtin_clz(all)]);
}

/* Records under one end are held against the other. */
static inline void look_at(struct probe *p, const struct wide ends[static 2], unsigned int end)
{
	p->key.other = ends[!end];
	p->other = (uint32_t)(ends[!end].high >> 32);
}

/* Of the packet all but what it has at the other end. */
void probe_make(const struct classifier *c, const struct flow *flow, struct probe *ret_probe);
/* The best rule so far against what a group, or a place and all that it refers to, may have. */
uint32_t probe_group(const struct probe *p, uint32_t number, uint32_t best);
/* @known: what the groups of the place itself have is in @best already. */
uint32_t probe_place(const struct probe *p, const struct place *place, bool known, uint32_t best);
/* The place of an IPv6 address whose upper half has subtree @number, by its lower half. */
struct place probe_subtree(const struct classifier *c, uint32_t number, uint64_t x);

#endif
