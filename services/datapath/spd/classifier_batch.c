/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Look-ups side by side: all ask for the memory that they need next before the first of them looks at
 * it. A step of all of them is a wait for memory of one.
 */
#include "services/datapath/spd/classifier_search.h"

#define TOGETHER 16U /* searches side by side: about as many loads as a core has under way */
#define MAX_HITS 4U /* few packets have more */

/* A key of a group that its filter does not deny, then the list behind it. */
struct hit {
	const struct group *group;
	uint64_t hash;
	uint32_t list;
	uint32_t other; /* as of the probe */
};

/* One of several searches that go on side by side, so that each waits for memory while the others
 * do. */
struct search {
	struct probe probe;
	const struct part *part;
	struct wide ends[2];
	uint32_t at[2]; /* place in the level of the tree, then the list */
	bool known[2]; /* what the groups of each end's list have is in hits */
	bool any_known; /* so is that of the group without addresses */
	unsigned int n_hits, n_read;
	struct hit hits[MAX_HITS];
};

static void begin_search(
	const struct classifier *c, const struct classifier_query *query, struct search *ret)
{
	const struct flow *flow = query->flow;
	const struct part *part =
		&c->heads[query->head].parts[flow->local.family == AF_INET ? 0 : 1];

	probe_make(c, flow, &ret->probe);
	ret->part = part;
	ret->ends[REMOTE] = wide_of(&flow->remote);
	ret->ends[LOCAL] = wide_of(&flow->local);
	ret->at[REMOTE] = ret->at[LOCAL] = 0;
	ret->known[REMOTE] = ret->known[LOCAL] = true;
	ret->n_hits = ret->n_read = 0;
}

static inline uint32_t step(const struct classifier *c, const struct search *s, unsigned int end,
	uint32_t l, uint32_t at)
{
	const struct tree *tree = &s->part->trees[end];
	const struct wide *x = &s->ends[end];

	return s->probe.flow->local.family == AF_INET
		       ? step4(c, tree, l, at, (uint32_t)(x->high >> 32))
		       : step8(c, tree, l, at, x->high);
}

/* All levels but the last, which are small enough to be in the cache. */
static void descend(const struct classifier *c, struct search *s, unsigned int end)
{
	const struct tree *tree = &s->part->trees[end];
	uint32_t at = 0, last = tree->n_levels - 1;

	if (tree->n_levels == 0)
		return;
	for (uint32_t l = 0; l < last; l++)
		at = step(c, s, end, l, at);
	s->at[end] = at;
	at *= CLASSIFIER_FANOUT;
	if (s->probe.flow->local.family == AF_INET)
		__builtin_prefetch(&c->arrays.keys4[tree->at[last] + at]);
	else
		prefetch_node8(&c->arrays.keys8[tree->at[last] + at]);
	__builtin_prefetch(&c->arrays.values[tree->values + at]);
}

/* From the node in the last level to its value. */
static void read_value(const struct classifier *c, struct search *s, unsigned int end)
{
	const struct tree *tree = &s->part->trees[end];

	if (tree->n_levels == 0)
		return;
	s->at[end] =
		c->arrays.values[tree->values + step(c, s, end, tree->n_levels - 1, s->at[end])];
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
	s->at[end] = probe_subtree(c, s->at[end] & ~CLASSIFIER_SUBTREE, s->ends[end].low);
	prefetch_list(c, s->at[end]);
}

/* The keys of a packet in a group. False: there are more than a search has room for. */
static bool ask_group(const struct classifier *c, struct search *s, uint32_t number)
{
	const struct group *group = &c->arrays.groups[number];
	const struct tuple *tuple = &c->arrays.tuples[group->tuples];
	const struct probe *p = &s->probe;

	for (uint32_t i = 0; i < group->n_tuples; i++, tuple++) {
		struct hit *hit = &s->hits[s->n_hits];

		if ((tuple->local_bits | tuple->remote_bits) != 0 && !p->has_ports)
			continue;
		if (s->n_hits == MAX_HITS)
			return false;
		hit->group = group;
		hit->hash = group_hash(tuple, &p->key);
		hit->other = p->other;
		__builtin_prefetch(
			&c->arrays.slots[group->slots + hash_slot(hit->hash, group->mask)]);
		/* No jump hangs on it: nobody could foresee it. */
		s->n_hits += filter_has(&c->arrays.filters[group->filter], group->mask, hit->hash);
	}
	return true;
}

/* From keys to their lists. */
static void read_hits(const struct classifier *c, struct search *s)
{
	for (; s->n_read < s->n_hits; s->n_read++) {
		struct hit *hit = &s->hits[s->n_read];

		hit->list = find_slot(c, hit->group, hit->hash);
		__builtin_prefetch(&c->arrays.records[hit->list]);
	}
}

/* What the list of an end refers to. */
static void ask_links(const struct classifier *c, struct search *s, unsigned int end)
{
	const struct record *r = &c->arrays.records[s->at[end]];

	if (s->at[end] == NEVER || !(r->flags & RECORD_LINK))
		return;
	look_at(&s->probe, s->ends, end);
	for (; r->flags & RECORD_LINK; r++) {
		if (!(r->flags & RECORD_GROUP))
			prefetch_list(c, r->other);
		else if (!ask_group(c, s, r->other))
			s->known[end] = false;
		if (r->flags & RECORD_LAST)
			break;
	}
}

static uint32_t decide_search(const struct classifier *c, struct search *s)
{
	uint32_t best = CLASSIFIER_NONE;

	if (!s->any_known)
		best = probe_group(&s->probe, s->part->any - 1, best);
	for (unsigned int i = 0; i < s->n_hits; i++) {
		s->probe.other = s->hits[i].other;
		if (s->hits[i].list != NEVER)
			best = scan_records(&s->probe, &c->arrays.records[s->hits[i].list], best);
	}
	for (unsigned int end = 0; end < 2; end++) {
		if (s->at[end] == NEVER)
			continue;
		look_at(&s->probe, s->ends, end);
		best = probe_list(&s->probe, s->at[end], s->known[end], best);
	}
	return best;
}

static void descend_together(const struct classifier *c, struct search *searches, size_t n)
{
	bool halves = false;

	for (size_t i = 0; i < n; i++) {
		read_value(c, &searches[i], REMOTE);
		read_value(c, &searches[i], LOCAL);
		read_hits(c, &searches[i]);
		halves = halves ||
			 (searches[i].at[REMOTE] | searches[i].at[LOCAL]) & CLASSIFIER_SUBTREE;
	}
	if (!halves)
		return;
	for (size_t i = 0; i < n; i++) {
		ask_subtree(c, &searches[i], REMOTE);
		ask_subtree(c, &searches[i], LOCAL);
	}
	for (size_t i = 0; i < n; i++) {
		read_subtree(c, &searches[i], REMOTE);
		read_subtree(c, &searches[i], LOCAL);
	}
}

static void find_together(const struct classifier *c, struct classifier_query *queries, size_t n)
{
	UNINITIALISED struct search searches[TOGETHER];

	for (size_t i = 0; i < n; i++) {
		struct search *s = &searches[i];

		begin_search(c, &queries[i], s);
		descend(c, s, REMOTE);
		descend(c, s, LOCAL);
		s->any_known = s->part->any == 0 || ask_group(c, s, s->part->any - 1);
	}
	descend_together(c, searches, n);
	for (size_t i = 0; i < n; i++) {
		ask_links(c, &searches[i], REMOTE);
		ask_links(c, &searches[i], LOCAL);
	}
	for (size_t i = 0; i < n; i++)
		read_hits(c, &searches[i]);
	for (size_t i = 0; i < n; i++)
		queries[i].rule = decide_search(c, &searches[i]);
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
