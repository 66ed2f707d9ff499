/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the searches for one packet and for several side by side share. */
#ifndef DATAPATH_CLASSIFIER_SEARCH_H
#define DATAPATH_CLASSIFIER_SEARCH_H

#include "services/datapath/spd/classifier_parts.h"

#define HIDDEN 0x10000U /* lies in no range */
#define NEVER  0 /* list 0 */

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

static inline bool record_matches(const struct probe *p, const struct record *r)
{
	uint32_t value = p->values[r->directions_kind >> 2];
	uint64_t differs = (uint64_t)(p->other ^ r->other) >> (32 - r->other_bits);
	bool meets = (r->directions_kind & p->direction) != 0 &&
		     (r->protocol == 0 || r->protocol == p->key.protocol) &&
		     value - r->low <= (uint32_t)(r->high - r->low) && differs == 0;
	if (!meets)
		return false;
	return !(r->flags & RECORD_VERIFY) ||
	       selector_match(&p->c->rules[r->rule]->selector, p->flow);
}

/* Records without links in front of them. */
static inline uint32_t scan_records(const struct probe *p, const struct record *r, uint32_t best)
{
	for (;; r++) {
		if (r->rule >= best)
			return best;
		if (record_matches(p, r))
			return r->rule;
		if (r->flags & RECORD_LAST)
			return best;
	}
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

/* One level down: the last key of the node that is not above @x. */
static inline uint32_t step4(
	const struct classifier *c, const struct tree *tree, uint32_t l, uint32_t at, uint32_t x)
{
	const uint32_t *node = &c->arrays.keys4[tree->at[l] + at * CLASSIFIER_FANOUT];
	uint32_t n = 0;

	for (uint32_t i = 0; i < CLASSIFIER_FANOUT; i++)
		/* cppcheck-suppress objectIndex; an array in the block, not one key */
		n += node[i] <= x;
	at = at * CLASSIFIER_FANOUT + n - 1;
	/* What fills the last node up is no key. */
	return at < tree->count[l] ? at : tree->count[l] - 1;
}

static inline uint32_t step8(
	const struct classifier *c, const struct tree *tree, uint32_t l, uint32_t at, uint64_t x)
{
	const uint64_t *node = &c->arrays.keys8[tree->at[l] + at * CLASSIFIER_FANOUT];
	uint32_t n = 0;

	for (uint32_t i = 0; i < CLASSIFIER_FANOUT; i++)
		/* cppcheck-suppress objectIndex; an array in the block, not one key */
		n += node[i] <= x;
	at = at * CLASSIFIER_FANOUT + n - 1;
	return at < tree->count[l] ? at : tree->count[l] - 1;
}

/* Its two cache lines. */
static inline void prefetch_node8(const uint64_t *node)
{
	__builtin_prefetch(node);
	__builtin_prefetch(node + CLASSIFIER_FANOUT / 2);
}

/* Two cache lines of it: few packets need more. */
static inline void prefetch_list(const struct classifier *c, uint32_t list)
{
	__builtin_prefetch(&c->arrays.records[list]);
	__builtin_prefetch(&c->arrays.records[list] + 4);
}

/* Records under one end are held against the other. */
static inline void look_at(struct probe *p, const struct wide ends[static 2], unsigned int end)
{
	p->key.other = ends[!end];
	p->other = (uint32_t)(ends[!end].high >> 32);
}

/* Of the packet all but what it has at the other end. */
void probe_make(const struct classifier *c, const struct flow *flow, struct probe *ret_probe);
/* The best rule so far against what a group, or a list and all that it refers to, may have. */
uint32_t probe_group(const struct probe *p, uint32_t number, uint32_t best);
/* @known: what the groups of the list itself have is in @best already. */
uint32_t probe_list(const struct probe *p, uint32_t list, bool known, uint32_t best);
/* The list of an IPv6 address whose upper half has subtree @number, by its lower half. */
uint32_t probe_subtree(const struct classifier *c, uint32_t number, uint64_t x);

#endif
