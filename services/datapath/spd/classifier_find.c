/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Look-up: the lists of both ends' intervals and the group of rules without addresses. */
#include "services/datapath/spd/classifier_parts.h"

#define HIDDEN 0x10000U /* lies in no range */
#define NEVER  0 /* list 0 */

#define TOGETHER     16U /* searches side by side: about as many loads as a core has under way */
#define ASKED_TUPLES 4U

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
		if (!filter_has(&a->filters[group->filter], group->mask, hash))
			continue;
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

/* The first of its starts is 0. */
static uint32_t descend_low(const struct classifier *c, uint32_t number, uint64_t x)
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
	return value & CLASSIFIER_SUBTREE ? descend_low(c, value & ~CLASSIFIER_SUBTREE, x->low)
					  : value;
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

/* With the lists of both intervals: the group first, since it needs neither. */
static uint32_t decide(struct probe *p, const struct part *part, const struct wide ends[static 2],
	const uint32_t lists[static 2])
{
	uint32_t best = CLASSIFIER_NONE;

	if (part->any != 0)
		best = find_in_group(p, part->any - 1, best);
	p->other = (uint32_t)(ends[LOCAL].high >> 32);
	p->key.other = ends[LOCAL];
	best = find_in_list(p, lists[REMOTE], best);
	p->other = (uint32_t)(ends[REMOTE].high >> 32);
	p->key.other = ends[REMOTE];
	return find_in_list(p, lists[LOCAL], best);
}

uint32_t classifier_find(const struct classifier *classifier, int head, const struct flow *flow)
{
	const struct classifier *c = classifier;
	int family = flow->local.family;
	const struct part *part = &c->heads[head].parts[family == AF_INET ? 0 : 1];
	const struct wide ends[] = { wide_of(&flow->remote), wide_of(&flow->local) };
	uint32_t lists[2];
	UNINITIALISED struct probe p;

	make_probe(c, flow, &p);
	for (unsigned int end = 0; end < 2; end++) {
		lists[end] = find_interval(c, &part->trees[end], family, &ends[end]);
		/* On its way while the other tree and the group are searched. */
		prefetch_list(c, lists[end]);
	}
	return decide(&p, part, ends, lists);
}

/* One of several searches that go on side by side, so that each waits for memory while the others
 * do. */
struct search {
	struct probe probe;
	const struct part *part;
	struct wide ends[2];
	uint32_t at[2]; /* place in the level of the tree, then the list */
};

static void begin_search(
	const struct classifier *c, const struct classifier_query *query, struct search *ret)
{
	const struct flow *flow = query->flow;
	const struct part *part =
		&c->heads[query->head].parts[flow->local.family == AF_INET ? 0 : 1];

	make_probe(c, flow, &ret->probe);
	ret->part = part;
	ret->ends[REMOTE] = wide_of(&flow->remote);
	ret->ends[LOCAL] = wide_of(&flow->local);
	ret->at[REMOTE] = ret->at[LOCAL] = 0;
}

/* One level of one tree; what the next one needs is asked for. False: there is none. */
static bool descend(const struct classifier *c, struct search *s, unsigned int end, uint32_t l)
{
	const struct tree *tree = &s->part->trees[end];
	bool v4 = s->probe.flow->local.family == AF_INET;
	uint32_t at, next = l + 1;

	if (l >= tree->n_levels)
		return false;
	at = v4 ? step4(c, tree, l, s->at[end], (uint32_t)(s->ends[end].high >> 32))
		: step8(c, tree, l, s->at[end], s->ends[end].high);
	s->at[end] = at;
	if (next == tree->n_levels)
		return false;
	if (v4)
		__builtin_prefetch(&c->arrays.keys4[tree->at[next] + at * CLASSIFIER_FANOUT]);
	else
		prefetch_node8(&c->arrays.keys8[tree->at[next] + at * CLASSIFIER_FANOUT]);
	if (next + 1 == tree->n_levels)
		__builtin_prefetch(&c->arrays.values[tree->values + at * CLASSIFIER_FANOUT]);
	return true;
}

/* From the place in the tree to its value. */
static void read_value(const struct classifier *c, struct search *s, unsigned int end)
{
	const struct tree *tree = &s->part->trees[end];

	s->at[end] = tree->n_levels ? c->arrays.values[tree->values + s->at[end]] : NEVER;
	if (s->at[end] & CLASSIFIER_SUBTREE)
		__builtin_prefetch(&c->arrays.subtrees[s->at[end] & ~CLASSIFIER_SUBTREE]);
	else
		prefetch_list(c, s->at[end]);
}

static void ask_subtree(const struct classifier *c, const struct search *s, unsigned int end)
{
	const struct subtree *sub;

	if (!(s->at[end] & CLASSIFIER_SUBTREE))
		return;
	sub = &c->arrays.subtrees[s->at[end] & ~CLASSIFIER_SUBTREE];
	__builtin_prefetch(&c->arrays.keys8[sub->at + sub->count / 2]);
	__builtin_prefetch(&c->arrays.values[sub->values]);
}

static void read_subtree(const struct classifier *c, struct search *s, unsigned int end)
{
	if (!(s->at[end] & CLASSIFIER_SUBTREE))
		return;
	s->at[end] = descend_low(c, s->at[end] & ~CLASSIFIER_SUBTREE, s->ends[end].low);
	prefetch_list(c, s->at[end]);
}

/* The first tuples of the group without addresses: @deep their lists, else their slots. */
static void ask_group(const struct probe *p, const struct part *part, bool deep)
{
	const struct classifier *c = p->c;
	const struct group *group;
	const struct tuple *tuple;

	if (part->any == 0)
		return;
	group = &c->arrays.groups[part->any - 1];
	tuple = &c->arrays.tuples[group->tuples];
	for (uint32_t i = 0; i < group->n_tuples && i < ASKED_TUPLES; i++) {
		uint64_t hash = group_hash(&tuple[i], &p->key);
		const struct slot *slot =
			&c->arrays.slots[group->slots + hash_slot(hash, group->mask)];

		if (!filter_has(&c->arrays.filters[group->filter], group->mask, hash))
			continue;
		if (!deep)
			__builtin_prefetch(slot);
		else if (slot->tag == hash_tag(hash))
			__builtin_prefetch(&c->arrays.records[slot->list]);
	}
}

static void find_together(const struct classifier *c, struct classifier_query *queries, size_t n)
{
	UNINITIALISED struct search searches[TOGETHER];
	bool deeper = true;

	for (size_t i = 0; i < n; i++) {
		begin_search(c, &queries[i], &searches[i]);
		ask_group(&searches[i].probe, searches[i].part, false);
	}
	for (uint32_t l = 0; deeper; l++) {
		deeper = false;
		for (size_t i = 0; i < n; i++) {
			bool remote = descend(c, &searches[i], REMOTE, l);

			deeper = descend(c, &searches[i], LOCAL, l) || remote || deeper;
		}
	}
	for (size_t i = 0; i < n; i++) {
		read_value(c, &searches[i], REMOTE);
		read_value(c, &searches[i], LOCAL);
		ask_group(&searches[i].probe, searches[i].part, true);
	}
	for (size_t i = 0; i < n; i++) {
		ask_subtree(c, &searches[i], REMOTE);
		ask_subtree(c, &searches[i], LOCAL);
	}
	for (size_t i = 0; i < n; i++) {
		read_subtree(c, &searches[i], REMOTE);
		read_subtree(c, &searches[i], LOCAL);
	}
	for (size_t i = 0; i < n; i++)
		queries[i].rule = decide(
			&searches[i].probe, searches[i].part, searches[i].ends, searches[i].at);
}

void classifier_find_batch(
	const struct classifier *classifier, struct classifier_query *queries, size_t n)
{
	size_t together;

	for (size_t i = 0; i < n; i += together) {
		together = n - i < TOGETHER ? n - i : TOGETHER;
		find_together(classifier, &queries[i], together);
	}
}
