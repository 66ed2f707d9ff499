/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Look-up: the lists of both ends' intervals and the group of rules without addresses. */
#include "services/datapath/spd/classifier_search.h"

uint32_t probe_group(const struct probe *p, uint32_t number, uint32_t best)
{
	const struct classifier_arrays *a = &p->c->arrays;
	const struct group *group = &a->groups[number];
	const struct tuple *tuple = &a->tuples[group->tuples];

	for (uint32_t i = 0; i < group->n_tuples && tuple->first_rule < best; i++, tuple++) {
		uint64_t hash;
		uint32_t list;

		if ((tuple->local_bits | tuple->remote_bits) != 0 && !p->has_ports)
			continue;
		hash = group_hash(tuple, &p->key);
		if (!filter_has(&a->filters[group->filter], group->mask, hash))
			continue;
		list = find_slot(p->c, group, hash);
		if (list != NEVER)
			best = scan_records(p, &a->records[list], best);
	}
	return best;
}

uint32_t probe_list(const struct probe *p, uint32_t list, bool known, uint32_t best)
{
	for (; list != NEVER; known = false) {
		const struct record *r = &p->c->arrays.records[list];
		uint32_t next = NEVER, next_first = CLASSIFIER_NONE;
		bool ended = false;

		for (; !ended && (r->flags & RECORD_LINK); r++) {
			ended = r->flags & RECORD_LAST;
			if (r->flags & RECORD_GROUP) {
				if (!known && r->rule < best)
					best = probe_group(p, r->other, best);
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

/* The first of its starts is 0. */
uint32_t probe_subtree(const struct classifier *c, uint32_t number, uint64_t x)
{
	const struct subtree *sub = &c->arrays.subtrees[number];
	const uint64_t *keys = &c->arrays.keys8[sub->at];
	uint32_t at = 0, n = sub->count;

	while (n > 1) {
		uint32_t half = n / 2;

		/* cppcheck-suppress objectIndex; an array in the block, not one key */
		at += keys[at + half] <= x ? half : 0;
		n -= half;
	}
	return c->arrays.values[sub->values + at];
}

/* The list of the interval in which an address lies. */
static uint32_t find_interval(
	const struct classifier *c, const struct tree *tree, int family, const struct wide *x)
{
	uint32_t at = 0, value;

	if (tree->n_levels == 0)
		return NEVER;
	for (uint32_t l = 0; l < tree->n_levels; l++) {
		if (l + 1 == tree->n_levels) /* of the keys of a node, one cache line */
			__builtin_prefetch(
				&c->arrays.values[tree->values + at * CLASSIFIER_FANOUT]);
		at = family == AF_INET ? step4(c, tree, l, at, (uint32_t)(x->high >> 32))
				       : step8(c, tree, l, at, x->high);
	}
	value = c->arrays.values[tree->values + at];
	return value & CLASSIFIER_SUBTREE ? probe_subtree(c, value & ~CLASSIFIER_SUBTREE, x->low)
					  : value;
}

void probe_make(const struct classifier *c, const struct flow *flow, struct probe *ret_probe)
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

/* With the lists of both intervals: the group first, since it needs neither. */
static uint32_t decide(struct probe *p, const struct part *part, const struct wide ends[static 2],
	const uint32_t lists[static 2])
{
	uint32_t best = CLASSIFIER_NONE;

	if (part->any != 0)
		best = probe_group(p, part->any - 1, best);
	look_at(p, ends, REMOTE);
	best = probe_list(p, lists[REMOTE], false, best);
	look_at(p, ends, LOCAL);
	return probe_list(p, lists[LOCAL], false, best);
}

uint32_t classifier_find(const struct classifier *classifier, int head, const struct flow *flow)
{
	const struct classifier *c = classifier;
	int family = flow->local.family;
	const struct part *part = &c->heads[head].parts[family == AF_INET ? 0 : 1];
	const struct wide ends[] = { wide_of(&flow->remote), wide_of(&flow->local) };
	uint32_t lists[2];
	UNINITIALISED struct probe p;

	probe_make(c, flow, &p);
	for (unsigned int end = 0; end < 2; end++) {
		lists[end] = find_interval(c, &part->trees[end], family, &ends[end]);
		/* On its way while the other tree and the group are searched. */
		prefetch_list(c, lists[end]);
	}
	return decide(&p, part, ends, lists);
}
