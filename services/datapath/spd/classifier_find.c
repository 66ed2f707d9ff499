/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Look-up: the lists of both ends' intervals and the group of rules without addresses. */
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

static uint32_t find_in_group(const struct probe *p, uint32_t number, uint32_t best)
{
	const struct classifier_arrays *a = &p->c->arrays;
	const struct group *group = &a->groups[number];
	const struct tuple *tuple = &a->tuples[group->tuples];
	const struct slot *slots = &a->slots[group->slots];

	for (uint32_t i = 0; i < group->n_tuples && tuple->first_rule < best; i++, tuple++) {
		uint64_t hash;
		uint32_t at;

		if ((tuple->local_bits | tuple->remote_bits) != 0 && !p->has_ports)
			continue;
		hash = group_hash(tuple, &p->key);
		at = hash_slot(hash, group->mask);
		while (slots[at].list != 0 && slots[at].tag != hash_tag(hash))
			at = (at + 1) & group->mask;
		if (slots[at].list != 0)
			best = scan_records(p, &a->records[slots[at].list], best);
	}
	return best;
}

static uint32_t find_in_list(const struct probe *p, uint32_t list, uint32_t best)
{
	while (list != NEVER) {
		const struct record *r = &p->c->arrays.records[list];
		uint32_t next = NEVER, next_first = CLASSIFIER_NONE;
		bool ended = false;

		for (; !ended && (r->flags & RECORD_LINK); r++) {
			ended = r->flags & RECORD_LAST;
			if (r->flags & RECORD_GROUP) {
				if (r->rule < best)
					best = find_in_group(p, r->other, best);
			} else {
				next = r->other;
				next_first = r->rule;
			}
		}
		if (!ended)
			best = scan_records(p, r, best);
		list = next_first < best ? next : NEVER;
	}
	return best;
}

static uint32_t descend4(const struct classifier *c, const struct tree *tree, uint32_t x)
{
	uint32_t at = 0;

	for (uint32_t l = 0; l < tree->n_levels; l++) {
		const uint32_t *node = &c->arrays.keys4[tree->at[l] + at * CLASSIFIER_FANOUT];
		uint32_t n = 0;

		for (uint32_t i = 0; i < CLASSIFIER_FANOUT; i++)
			n += node[i] <= x;
		at = at * CLASSIFIER_FANOUT + n - 1;
		if (at >= tree->count[l]) /* what fills the last node up is no key */
			at = tree->count[l] - 1;
	}
	return c->arrays.values[tree->values + at];
}

static uint32_t descend8(const struct classifier *c, const struct tree *tree, uint64_t x)
{
	uint32_t at = 0;

	for (uint32_t l = 0; l < tree->n_levels; l++) {
		const uint64_t *node = &c->arrays.keys8[tree->at[l] + at * CLASSIFIER_FANOUT];
		uint32_t n = 0;

		for (uint32_t i = 0; i < CLASSIFIER_FANOUT; i++)
			n += node[i] <= x;
		at = at * CLASSIFIER_FANOUT + n - 1;
		if (at >= tree->count[l])
			at = tree->count[l] - 1;
	}
	return c->arrays.values[tree->values + at];
}

/* The first of its starts is 0. */
static uint32_t descend_low(const struct classifier *c, uint32_t number, uint64_t x)
{
	const struct subtree *sub = &c->arrays.subtrees[number];
	const uint64_t *keys = &c->arrays.keys8[sub->at];
	uint32_t at = 0, n = sub->count;

	while (n > 1) {
		uint32_t half = n / 2;

		at += keys[at + half] <= x ? half : 0;
		n -= half;
	}
	return c->arrays.values[sub->values + at];
}

/* The list of the interval in which an address lies. */
static uint32_t find_interval(
	const struct classifier *c, const struct tree *tree, int family, const struct wide *x)
{
	uint32_t value;

	if (tree->n_levels == 0)
		return NEVER;
	if (family == AF_INET)
		return descend4(c, tree, (uint32_t)(x->high >> 32));
	value = descend8(c, tree, x->high);
	return value & CLASSIFIER_SUBTREE ? descend_low(c, value & ~CLASSIFIER_SUBTREE, x->low)
					  : value;
}

static void make_probe(const struct classifier *c, const struct flow *flow, struct probe *ret_probe)
{
	*ret_probe = (struct probe){
		.c = c,
		.flow = flow,
		.direction = (uint8_t)(1U << flow->direction),
		.has_ports = flow->has_ports,
		.key = { .protocol = flow->protocol,
			.local_port = flow->local_port,
			.remote_port = flow->remote_port },
	};
	ret_probe->values[RECORD_LOCAL_PORT] = flow->has_ports ? flow->local_port : HIDDEN;
	ret_probe->values[RECORD_REMOTE_PORT] = flow->has_ports ? flow->remote_port : HIDDEN;
	ret_probe->values[RECORD_ICMP_TYPE] = flow->has_icmp ? flow->icmp_type : HIDDEN;
}

uint32_t classifier_find(const struct classifier *classifier, int head, const struct flow *flow)
{
	const struct classifier *c = classifier;
	int family = flow->local.family;
	const struct part *part = &c->heads[head].parts[family == AF_INET ? 0 : 1];
	struct wide local = wide_of(&flow->local), remote = wide_of(&flow->remote);
	uint32_t under_remote = find_interval(c, &part->remote, family, &remote);
	uint32_t under_local = find_interval(c, &part->local, family, &local);
	uint32_t best = CLASSIFIER_NONE;
	struct probe p;

	/* Both are on their way while the group is searched. */
	__builtin_prefetch(&c->arrays.records[under_remote]);
	__builtin_prefetch(&c->arrays.records[under_local]);
	make_probe(c, flow, &p);
	if (part->any != 0)
		best = find_in_group(&p, part->any - 1, best);
	p.other = (uint32_t)(local.high >> 32);
	p.key.other = local;
	best = find_in_list(&p, under_remote, best);
	p.other = (uint32_t)(remote.high >> 32);
	p.key.other = remote;
	return find_in_list(&p, under_local, best);
}
