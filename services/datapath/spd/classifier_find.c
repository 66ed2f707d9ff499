/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Look-up: the places of both ends' intervals and the group of rules without addresses. */
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
			best = scan_list(p, list, best);
	}
	return best;
}

uint32_t probe_place(const struct probe *p, const struct place *place, bool known, uint32_t best)
{
	for (const struct place *next; place; place = next, known = false) {
		uint32_t next_first = CLASSIFIER_NONE;

		next = NULL;
		best = scan_records(p, place, best);
		for (uint32_t left = place->others; left != 0; left &= left - 1) {
			const union cell *cell = other_cell(p->c, place, left);
			const struct record *r = &cell[0].record;

			if (r->rule >= best)
				continue;
			if (!record_is_link(r)) {
				best = record_matches(p, cell) ? r->rule : best;
			} else if (!(r->flags & LINK_GROUP)) {
				next = &cell[1].place;
				next_first = r->rule;
			} else if (!known) {
				best = probe_group(p, cell[1].rest.other, best);
			}
		}
		if (next_first >= best)
			next = NULL;
	}
	return best;
}

/* The first of its starts is 0. */
struct place probe_subtree(const struct classifier *c, uint32_t number, uint64_t x)
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

/* The place of the interval in which an address lies. */
static struct place find_interval(
	const struct classifier *c, const struct tree *tree, int family, const struct wide *x)
{
	struct place place = { 0 };
	uint32_t at = 0;

	if (tree->n_leaves == 0)
		return place;
	for (uint32_t l = 0; l < tree->n_levels; l++)
		at = step(c, tree, family, l, at, x->high);
	place = read_leaf(c, family, tree->leaves + at, x->high);
	return place.at & CLASSIFIER_SUBTREE
		       ? probe_subtree(c, place.at & ~CLASSIFIER_SUBTREE, x->low)
		       : place;
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

/* With the places of both intervals: the group first, since it needs neither. */
static uint32_t decide(struct probe *p, const struct part *part, const struct wide ends[static 2],
	const struct place places[static 2])
{
	uint32_t best = CLASSIFIER_NONE;

	if (part->any != 0)
		best = probe_group(p, part->any - 1, best);
	look_at(p, ends, REMOTE);
	best = probe_place(p, &places[REMOTE], false, best);
	look_at(p, ends, LOCAL);
	return probe_place(p, &places[LOCAL], false, best);
}

uint32_t classifier_find(const struct classifier *classifier, int head, const struct flow *flow)
{
	const struct classifier *c = classifier;
	int family = flow->local.family;
	const struct part *part = &c->heads[head].parts[family == AF_INET ? 0 : 1];
	const struct wide ends[] = { wide_of(&flow->remote), wide_of(&flow->local) };
	struct place places[2];
	UNINITIALISED struct probe p;

	probe_make(c, flow, &p);
	for (unsigned int end = 0; end < 2; end++) {
		places[end] = find_interval(c, &part->trees[end], family, &ends[end]);
		/* On its way while the other tree and the group are searched. */
		prefetch_place(c, &places[end]);
	}
	return decide(&p, part, ends, places);
}
