/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Look-ups side by side: all ask for the memory that they need next before the first of them looks at
 * it. A step of all of them is a wait for memory of one.
 */
#include "services/datapath/spd/classifier_search.h"

#define TOGETHER 16U /* searches side by side: about as many loads as a core has under way */
#define SMALL	 (UINT32_C(1) << 16) /* octets that stay in the cache: nothing to wait for */
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
	uint32_t nodes[2]; /* in the last level, then the leaf */
	struct place places[2];
	bool known[2]; /* what the groups of each end's place have is in hits */
	bool any_known; /* so is that of the group without addresses */
	unsigned int n_hits, n_sifted, n_read;
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
	ret->places[REMOTE] = ret->places[LOCAL] = (struct place){ 0 };
	ret->known[REMOTE] = ret->known[LOCAL] = true;
	ret->n_hits = ret->n_sifted = ret->n_read = 0;
}

/* All levels but the last: those are small enough to be in the cache. */
static void descend(const struct classifier *c, struct search *s, unsigned int end)
{
	const struct tree *tree = &s->part->trees[end];
	int family = s->probe.flow->local.family;
	uint32_t at = 0;

	for (uint32_t l = 0; l + 1 < tree->n_levels; l++)
		at = step(c, tree, family, l, at, s->ends[end].high);
	s->nodes[end] = at;
	if (tree->n_levels > 0)
		prefetch_node(c, tree, family, tree->n_levels - 1, at);
}

static void find_leaf(const struct classifier *c, struct search *s, unsigned int end)
{
	const struct tree *tree = &s->part->trees[end];
	int family = s->probe.flow->local.family;

	if (tree->n_leaves == 0)
		return;
	if (tree->n_levels > 0)
		s->nodes[end] = step(
			c, tree, family, tree->n_levels - 1, s->nodes[end], s->ends[end].high);
	s->nodes[end] += tree->leaves;
	prefetch_leaf(c, family, s->nodes[end]);
}

static void read_value(const struct classifier *c, struct search *s, unsigned int end)
{
	if (s->part->trees[end].n_leaves == 0)
		return;
	s->places[end] = read_leaf(
		c, s->probe.flow->local.family, s->nodes[end], s->ends[end].high);
	if (s->places[end].at & CLASSIFIER_SUBTREE)
		__builtin_prefetch(&c->arrays.subtrees[s->places[end].at & ~CLASSIFIER_SUBTREE]);
	else
		prefetch_place(c, &s->places[end]);
}

PREFETCHES void ask_subtree(const struct classifier *c, const struct search *s, unsigned int end)
{
	const struct subtree *sub;

	if (!(s->places[end].at & CLASSIFIER_SUBTREE))
		return;
	sub = &c->arrays.subtrees[s->places[end].at & ~CLASSIFIER_SUBTREE];
	__builtin_prefetch(&c->arrays.keys8[sub->at + sub->count / 2]);
	__builtin_prefetch(&c->arrays.values[sub->values]);
}

static void read_subtree(const struct classifier *c, struct search *s, unsigned int end)
{
	if (!(s->places[end].at & CLASSIFIER_SUBTREE))
		return;
	s->places[end] = probe_subtree(
		c, s->places[end].at & ~CLASSIFIER_SUBTREE, s->ends[end].low);
	prefetch_place(c, &s->places[end]);
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
		__builtin_prefetch(&c->arrays.filters[group->filter +
						      filter_place(group->mask, hit->hash) / 64]);
		s->n_hits++;
	}
	return true;
}

/* Of the keys since then those that the filter does not deny. */
static void sift_hits(const struct classifier *c, struct search *s)
{
	unsigned int kept = s->n_sifted;

	for (unsigned int i = s->n_sifted; i < s->n_hits; i++) {
		const struct hit hit = s->hits[i];
		const struct group *group = hit.group;
		bool has = filter_has(&c->arrays.filters[group->filter], group->mask, hit.hash);

		/* No jump hangs on it: nobody could foresee it. */
		__builtin_prefetch(
			&c->arrays.slots[group->slots +
					 (hash_slot(hit.hash, group->mask) & (0 - (uint32_t)has))]);
		s->hits[kept] = hit;
		kept += has;
	}
	s->n_hits = s->n_sifted = kept;
}

/* From keys to their lists. */
static void read_hits(const struct classifier *c, struct search *s)
{
	for (; s->n_read < s->n_hits; s->n_read++) {
		struct hit *hit = &s->hits[s->n_read];

		hit->list = find_slot(c, hit->group, hit->hash);
		__builtin_prefetch(&c->arrays.cells[hit->list]);
	}
}

/* What the place of an end refers to. */
static void ask_links(const struct classifier *c, struct search *s, unsigned int end)
{
	const struct place *place = &s->places[end];
	uint32_t left = place->others;

	if (left == 0)
		return;
	look_at(&s->probe, s->ends, end);
	for (; left != 0; left &= left - 1) {
		const union cell *cell = other_cell(c, place, left);

		if (!record_is_link(&cell[0].record))
			continue;
		if (!(cell[0].record.flags & LINK_GROUP))
			prefetch_place(c, &cell[1].place);
		else if (!ask_group(c, s, cell[1].rest.other))
			s->known[end] = false;
	}
}

static uint32_t decide_search(struct search *s)
{
	uint32_t best = CLASSIFIER_NONE;

	if (!s->any_known)
		best = probe_group(&s->probe, s->part->any - 1, best);
	for (unsigned int i = 0; i < s->n_hits; i++) {
		s->probe.other = s->hits[i].other;
		if (s->hits[i].list != NEVER)
			best = scan_list(&s->probe, s->hits[i].list, best);
	}
	for (unsigned int end = 0; end < 2; end++) {
		if (place_is_empty(&s->places[end]))
			continue;
		look_at(&s->probe, s->ends, end);
		best = probe_place(&s->probe, &s->places[end], s->known[end], best);
	}
	return best;
}

/* What places of some say that other places say: subtrees, then links. */
static void follow_together(const struct classifier *c, struct search *searches, size_t n)
{
	bool halves = false, links = false;

	for (size_t i = 0; i < n; i++) {
		const struct place *places = searches[i].places;

		halves = halves || (places[REMOTE].at | places[LOCAL].at) & CLASSIFIER_SUBTREE;
	}
	for (size_t i = 0; halves && i < n; i++) {
		ask_subtree(c, &searches[i], REMOTE);
		ask_subtree(c, &searches[i], LOCAL);
	}
	for (size_t i = 0; halves && i < n; i++) {
		read_subtree(c, &searches[i], REMOTE);
		read_subtree(c, &searches[i], LOCAL);
	}
	for (size_t i = 0; i < n; i++) {
		ask_links(c, &searches[i], REMOTE);
		ask_links(c, &searches[i], LOCAL);
		links = links || searches[i].n_hits > searches[i].n_sifted;
	}
	for (size_t i = 0; links && i < n; i++)
		sift_hits(c, &searches[i]);
	for (size_t i = 0; i < n; i++)
		read_hits(c, &searches[i]);
}

/* Those of one family behind those of the other, so that the jumps that hang on it are foreseen. */
static void order_by_family(
	struct classifier_query *queries, size_t n, struct classifier_query **ret_order)
{
	size_t first = 0, last = n;

	for (size_t i = 0; i < n; i++) {
		bool v4 = queries[i].flow->local.family == AF_INET;

		ret_order[v4 ? first : last - 1] = &queries[i];
		first += v4;
		last -= !v4;
	}
}

static void find_together(const struct classifier *c, struct classifier_query *queries, size_t n)
{
	UNINITIALISED struct search searches[TOGETHER];
	struct classifier_query *order[TOGETHER] = { NULL };

	order_by_family(queries, n, order);
	for (size_t i = 0; i < n; i++) {
		struct search *s = &searches[i];

		begin_search(c, order[i], s);
		s->any_known = s->part->any == 0 || ask_group(c, s, s->part->any - 1);
		descend(c, s, REMOTE);
		descend(c, s, LOCAL);
	}
	for (size_t i = 0; i < n; i++) {
		sift_hits(c, &searches[i]);
		find_leaf(c, &searches[i], REMOTE);
		find_leaf(c, &searches[i], LOCAL);
	}
	for (size_t i = 0; i < n; i++) {
		read_value(c, &searches[i], REMOTE);
		read_value(c, &searches[i], LOCAL);
		read_hits(c, &searches[i]);
	}
	follow_together(c, searches, n);
	for (size_t i = 0; i < n; i++)
		order[i]->rule = decide_search(&searches[i]);
}

void classifier_find_staged(
	const struct classifier *classifier, struct classifier_query *queries, size_t n)
{
	size_t together;

	for (size_t i = 0; i < n; i += together) {
		together = n - i < TOGETHER ? n - i : TOGETHER;
		find_together(classifier, &queries[i], together);
	}
}

void classifier_find_batch(
	const struct classifier *classifier, struct classifier_query *queries, size_t n)
{
	if (classifier->bytes > SMALL) {
		classifier_find_staged(classifier, queries, n);
		return;
	}
	for (size_t i = 0; i < n; i++)
		queries[i].rule = classifier_find(classifier, queries[i].head, queries[i].flow);
}
