/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tree of one end: nested prefixes become intervals that refer to windows of records. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "services/datapath/spd/classifier_build.h"

#define MAX_DEPTH  129U
#define LEAF4_KEYS ARRAY_SIZE(((struct leaf4 *)NULL)->keys)
#define LEAF8_KEYS ARRAY_SIZE(((struct leaf8 *)NULL)->keys)

/* A prefix that some rule names. */
struct node {
	struct wide start;
	unsigned int bits;
	struct window_node found; /* in it: its rules, and those of the prefixes around it */
};

/* Where an interval starts, and the place that holds from there on. */
struct start {
	struct wide at;
	struct place place;
};

struct tree_builder {
	struct builder *b;
	struct vec starts;
	struct window window;
	struct node stack[MAX_DEPTH]; /* the prefixes around the one in work, shortest first */
	size_t depth;
};

static int compare_wide(const struct wide *a, const struct wide *b)
{
	if (a->high != b->high)
		return a->high < b->high ? -1 : 1;
	return (a->low > b->low) - (a->low < b->low);
}

static int compare_items(const void *x, const void *y)
{
	const struct item *a = x, *b = y;
	int r = compare_wide(&a->own, &b->own);

	if (r == 0)
		r = a->own_bits - b->own_bits;
	return r ? r : (a->rule > b->rule) - (a->rule < b->rule);
}

/* No prefix is around them. */
static const struct window_node *top(const struct tree_builder *t)
{
	static const struct window_node nothing = { .first_rule = CLASSIFIER_NONE };

	return t->depth > 0 ? &t->stack[t->depth - 1].found : &nothing;
}

static bool places_agree(const struct place *a, const struct place *b)
{
	return a->at == b->at && a->records == b->records && a->others == b->others;
}

static int add_start(struct tree_builder *t, struct wide at, const struct place *place)
{
	struct start *last = (struct start *)(void *)t->starts.bytes, *more;

	if (t->starts.count > 0) {
		last += t->starts.count - 1;
		if (compare_wide(&last->at, &at) == 0) {
			last->place = *place;
			return 0;
		}
		if (places_agree(&last->place, place))
			return 0;
	}
	more = vec_extend(&t->starts, 1);
	if (!more)
		return -ENOMEM;
	*more = (struct start){ at, *place };
	return 0;
}

/* False: nothing is behind it. */
static bool behind(const struct node *node, struct wide *ret)
{
	struct wide end = node->start;
	unsigned int bits = node->bits;
	uint64_t step = UINT64_C(1) << (bits > 64 ? 128 - bits : 64 - bits) % 64;

	if (bits > 64) {
		end.low += step;
		if (end.low == 0)
			end.high++;
		*ret = end;
		return end.low != 0 || end.high != 0;
	}
	end.high += step;
	*ret = end;
	return end.high != 0;
}

/* Leave the prefixes that do not contain @at; NULL: all. */
static int leave(struct tree_builder *t, const struct item *next)
{
	while (t->depth > 0) {
		const struct node *last = &t->stack[t->depth - 1];
		struct wide at = { 0, 0 };
		int r = 0;

		if (next) {
			at = wide_prefix(next->own, last->bits);
			if (compare_wide(&at, &last->start) == 0)
				return 0;
		}
		t->depth--;
		if (behind(last, &at))
			r = add_start(t, at, &top(t)->place);
		if (r < 0)
			return r;
	}
	return 0;
}

static int find_intervals(struct tree_builder *t, struct item *items, size_t n)
{
	size_t end;
	int r = add_start(t, (struct wide){ 0, 0 }, &top(t)->place);

	for (size_t i = 0; i < n && r == 0; i = end) {
		struct node node = { .start = items[i].own, .bits = items[i].own_bits };

		for (end = i + 1; end < n; end++)
			if (items[end].own_bits != items[i].own_bits ||
				compare_wide(&items[end].own, &items[i].own) != 0)
				break;
		r = leave(t, &items[i]);
		if (r == 0)
			r = window_place(t->b, &t->window, &items[i], end - i, top(t), &node.found);
		if (r < 0)
			return r;
		t->stack[t->depth++] = node;
		r = add_start(t, node.start, &node.found.place);
	}
	return r < 0 ? r : leave(t, NULL);
}

/* Levels above the last, each with the first key of every node of the one below. */
static int add_levels(struct vec *keys, const uint8_t *last, size_t n, struct tree *tree)
{
	size_t counts[CLASSIFIER_MAX_LEVELS], stride = 1;
	uint32_t levels = 1;

	counts[0] = n;
	while (counts[levels - 1] > CLASSIFIER_FANOUT) {
		if (levels == CLASSIFIER_MAX_LEVELS)
			return -ENOMEM;
		counts[levels] = (counts[levels - 1] + CLASSIFIER_FANOUT - 1) / CLASSIFIER_FANOUT;
		levels++;
	}
	tree->n_levels = levels;
	for (uint32_t i = 1; i < levels; i++)
		stride *= CLASSIFIER_FANOUT;
	for (uint32_t l = 0; l < levels; l++, stride /= CLASSIFIER_FANOUT) {
		size_t count = counts[levels - 1 - l];
		size_t room = (count + CLASSIFIER_FANOUT - 1) / CLASSIFIER_FANOUT *
			      CLASSIFIER_FANOUT;
		uint8_t *out;

		tree->at[l] = (uint32_t)keys->count;
		tree->count[l] = (uint32_t)count;
		out = vec_extend(keys, room);
		if (!out)
			return -ENOMEM;
		memset(out, 0xff, room * keys->size);
		for (size_t i = 0; i < count; i++)
			memcpy(out + i * keys->size, last + i * stride * keys->size, keys->size);
	}
	return 0;
}

/* What the leaves are made of. */
struct bottom {
	struct vec keys, values;
};

static int add_key(struct bottom *bottom, uint64_t key, const struct place *value)
{
	uint64_t *k = vec_extend(&bottom->keys, 1);
	struct place *v = vec_extend(&bottom->values, 1);

	if (!k || !v)
		return -ENOMEM;
	*k = key;
	*v = *value;
	return 0;
}

/* @n starts that agree in their upper half; @before: what holds before them. */
static int add_subtree(struct builder *b, const struct start *starts, size_t n,
	const struct place *before, struct place *ret)
{
	bool fill = starts[0].at.low != 0;
	struct subtree *sub = vec_extend(&b->subtrees, 1);
	uint64_t *keys = vec_extend(&b->keys8, n + fill);
	struct place *values = vec_extend(&b->values, n + fill);

	if (!sub || !keys || !values)
		return -ENOMEM;
	*sub = (struct subtree){ .at = (uint32_t)(b->keys8.count - n - fill),
		.count = (uint32_t)(n + fill),
		.values = (uint32_t)(b->values.count - n - fill) };
	if (fill) {
		*keys++ = 0;
		*values++ = *before;
	}
	for (size_t i = 0; i < n; i++) {
		keys[i] = starts[i].at.low;
		values[i] = starts[i].place;
	}
	*ret = (struct place){ .at = CLASSIFIER_SUBTREE | (uint32_t)(b->subtrees.count - 1) };
	return 0;
}

static int split_halves(struct tree_builder *t, struct bottom *bottom)
{
	const struct start *starts = (const struct start *)(const void *)t->starts.bytes;
	size_t n = t->starts.count, end;
	struct place before = { 0 }, sub;
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i = end) {
		uint64_t high = starts[i].at.high;

		for (end = i + 1; end < n && starts[end].at.high == high;)
			end++;
		if (end == i + 1 && starts[i].at.low == 0) {
			r = add_key(bottom, high, &starts[i].place);
		} else {
			r = add_subtree(t->b, &starts[i], end - i, &before, &sub);
			if (r == 0)
				r = add_key(bottom, high, &sub);
			if (r == 0 && high != UINT64_MAX &&
				(end == n || starts[end].at.high != high + 1))
				r = add_key(bottom, high + 1, &starts[end - 1].place);
		}
		before = starts[end - 1].place;
	}
	return r;
}

static void fill_leaf4(
	struct leaf4 *leaf, const uint64_t *keys, const struct place *values, size_t n)
{
	for (size_t i = 0; i < ARRAY_SIZE(leaf->keys); i++) {
		leaf->keys[i] = i < n ? (uint32_t)(keys[i] >> 32) : UINT32_MAX;
		leaf->places[i] = values[i < n ? i : n - 1];
	}
}

static void fill_leaf8(
	struct leaf8 *leaf, const uint64_t *keys, const struct place *values, size_t n)
{
	for (size_t i = 0; i < ARRAY_SIZE(leaf->keys); i++) {
		leaf->keys[i] = i < n ? keys[i] : UINT64_MAX;
		leaf->places[i] = values[i < n ? i : n - 1];
	}
}

/* Also the first key of each leaf, as the levels have them. */
static int write_leaves(struct builder *b, const struct bottom *bottom, int family,
	struct tree *tree, uint8_t *firsts)
{
	bool v4 = family == AF_INET;
	struct vec *leaves = v4 ? &b->leaves4 : &b->leaves8;
	size_t room = v4 ? LEAF4_KEYS : LEAF8_KEYS, count = bottom->keys.count;
	const uint64_t *keys = (const uint64_t *)(const void *)bottom->keys.bytes;
	const struct place *values = (const struct place *)(const void *)bottom->values.bytes;
	void *out;

	tree->leaves = (uint32_t)leaves->count;
	tree->n_leaves = (uint32_t)((count + room - 1) / room);
	out = vec_extend(leaves, tree->n_leaves);
	if (!out)
		return -ENOMEM;
	for (size_t i = 0, at = 0; at < count; i++, at += room) {
		size_t n = count - at < room ? count - at : room;
		uint32_t half = (uint32_t)(keys[at] >> 32);

		if (v4) {
			fill_leaf4((struct leaf4 *)out + i, &keys[at], &values[at], n);
			memcpy(firsts + i * sizeof(half), &half, sizeof(half));
		} else {
			fill_leaf8((struct leaf8 *)out + i, &keys[at], &values[at], n);
			memcpy(firsts + i * sizeof(*keys), &keys[at], sizeof(*keys));
		}
	}
	return 0;
}

static int write_tree(struct tree_builder *t, int family, struct tree *ret_tree)
{
	struct vec *keys = family == AF_INET ? &t->b->keys4 : &t->b->keys8;
	struct bottom bottom = { .keys = { .size = sizeof(uint64_t) },
		.values = { .size = sizeof(struct place) } };
	const struct start *starts = (const struct start *)(const void *)t->starts.bytes;
	CLEANUP(freep) uint8_t *firsts = NULL;
	struct tree tree = { 0 };
	int r = 0;

	if (family == AF_INET6)
		r = split_halves(t, &bottom);
	for (size_t i = 0; family == AF_INET && i < t->starts.count && r == 0; i++)
		r = add_key(&bottom, starts[i].at.high, &starts[i].place);
	firsts = calloc(bottom.keys.count + 1, keys->size);
	if (r == 0)
		r = firsts ? write_leaves(t->b, &bottom, family, &tree, firsts) : -ENOMEM;
	if (r == 0 && tree.n_leaves > 1)
		r = add_levels(keys, firsts, tree.n_leaves, &tree);
	vec_done(&bottom.keys);
	vec_done(&bottom.values);
	*ret_tree = tree;
	return r;
}

int tree_build(struct builder *b, struct item *items, size_t n, int family, struct tree *ret_tree)
{
	CLEANUP(freep) struct tree_builder *t = NULL;
	int r;

	*ret_tree = (struct tree){ 0 };
	if (n == 0)
		return 0;
	t = calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	t->b = b;
	t->starts.size = sizeof(struct start);
	qsort(items, n, sizeof(*items), compare_items);
	r = find_intervals(t, items, n);
	if (r == 0)
		r = write_tree(t, family, ret_tree);
	vec_done(&t->starts);
	return r;
}
