/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tree of one end: nested prefixes become lists of records, and intervals that refer to them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "services/datapath/spd/classifier_build.h"

#define MAX_LINKS 2U /* to a group of its own and to the next shorter prefix */
#define MAX_DEPTH 129U

/* A prefix that some rule names. */
struct node {
	struct wide start;
	unsigned int bits;
	uint32_t list; /* its records, and those of the prefixes around it */
	uint32_t first_rule; /* that the list can find */
	uint32_t n_links, n_records; /* as they were written */
};

/* A list before it is written. */
struct draft {
	struct record links[MAX_LINKS], records[CLASSIFIER_LIST_MAX];
	uint32_t n_links, n_records;
	unsigned int closed; /* directions in which nothing behind what it holds can match */
};

/* Where an interval starts, and the list that holds from there on. */
struct start {
	struct wide at;
	uint32_t list;
};

struct tree_builder {
	struct builder *b;
	struct vec starts;
	struct node stack[MAX_DEPTH]; /* the prefixes around the one in work, shortest first */
	size_t depth;
};

static struct record *records_of(const struct builder *b)
{
	return (struct record *)(void *)b->records.bytes;
}

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

static bool matches_all(const struct record *record)
{
	return record->protocol == 0 && record->other_bits == 0 &&
	       (record->directions_kind >> 2) == RECORD_ANY && !(record->flags & RECORD_VERIFY);
}

static void draft_record(struct draft *draft, const struct record *record)
{
	unsigned int directions = record->directions_kind & DIRECTION_BIT_BOTH;

	if ((directions & ~draft->closed) == 0)
		return;
	if (matches_all(record))
		draft->closed |= directions;
	draft->records[draft->n_records++] = *record;
	draft->records[draft->n_records - 1].flags &= RECORD_VERIFY;
}

static void draft_link(struct draft *draft, uint32_t to, uint32_t first_rule, uint8_t flags)
{
	draft->links[draft->n_links++] =
		(struct record){ .rule = first_rule, .other = to, .flags = RECORD_LINK | flags };
}

static int draft_write(struct builder *b, struct draft *draft, struct node *node)
{
	size_t n = draft->n_links + draft->n_records;
	struct record *out = vec_extend(&b->records, n);

	if (!out)
		return -ENOMEM;
	memcpy(out, draft->links, draft->n_links * sizeof(*out));
	memcpy(out + draft->n_links, draft->records, draft->n_records * sizeof(*out));
	out[n - 1].flags |= RECORD_LAST;
	node->list = (uint32_t)(b->records.count - n);
	node->n_links = draft->n_links;
	node->n_records = draft->n_records;
	node->first_rule = UINT32_MAX;
	for (size_t i = 0; i < n && i <= draft->n_links; i++)
		if (out[i].rule < node->first_rule)
			node->first_rule = out[i].rule;
	return 0;
}

/* Both in match order; what the shorter prefix refers to is referred to again. */
static void merge(const struct builder *b, const struct item *items, size_t n,
	const struct node *around, struct draft *draft)
{
	const struct record *outer = records_of(b) + (around ? around->list : 0);
	size_t n_outer = 0, i = 0, k = 0;

	if (around) {
		memcpy(draft->links, outer, around->n_links * sizeof(*outer));
		draft->n_links = around->n_links;
		for (uint32_t l = 0; l < draft->n_links; l++)
			draft->links[l].flags &= (uint8_t)~RECORD_LAST;
		outer += around->n_links;
		n_outer = around->n_records;
	}
	while ((i < n || k < n_outer) && draft->closed != DIRECTION_BIT_BOTH) {
		if (k == n_outer || (i < n && items[i].rule < outer[k].rule)) {
			struct record record = record_of(b, &items[i++]);

			draft_record(draft, &record);
		} else {
			draft_record(draft, &outer[k++]);
		}
	}
}

/* The rules of one prefix, on top of those around it. */
static int add_node(
	struct tree_builder *t, const struct item *items, size_t n, struct node *ret_node)
{
	const struct node *around = t->depth > 0 ? &t->stack[t->depth - 1] : NULL;
	struct draft draft = { .n_links = 0 };
	uint32_t group;
	int r;

	*ret_node = (struct node){ .start = items[0].own, .bits = items[0].own_bits };
	if (n > CLASSIFIER_LIST_MAX) {
		r = group_build(t->b, items, n, &group);
		if (r < 0)
			return r;
		draft_link(&draft, group, items[0].rule, RECORD_GROUP);
		if (around)
			draft_link(&draft, around->list, around->first_rule, 0);
	} else if (around && n + around->n_links + around->n_records > CLASSIFIER_LIST_MAX) {
		draft_link(&draft, around->list, around->first_rule, 0);
		merge(t->b, items, n, NULL, &draft);
	} else {
		merge(t->b, items, n, around, &draft);
	}
	return draft_write(t->b, &draft, ret_node);
}

static int add_start(struct tree_builder *t, struct wide at, uint32_t list)
{
	struct start *last = (struct start *)(void *)t->starts.bytes, *more;

	if (t->starts.count > 0) {
		last += t->starts.count - 1;
		if (compare_wide(&last->at, &at) == 0) {
			last->list = list;
			return 0;
		}
		if (last->list == list)
			return 0;
	}
	more = vec_extend(&t->starts, 1);
	if (!more)
		return -ENOMEM;
	*more = (struct start){ at, list };
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
		const struct node *top = &t->stack[t->depth - 1];
		struct wide at = { 0, 0 };
		int r = 0;

		if (next) {
			at = wide_prefix(next->own, top->bits);
			if (compare_wide(&at, &top->start) == 0)
				return 0;
		}
		t->depth--;
		if (behind(top, &at))
			r = add_start(t, at, t->depth > 0 ? t->stack[t->depth - 1].list : 0);
		if (r < 0)
			return r;
	}
	return 0;
}

static int find_intervals(struct tree_builder *t, const struct item *items, size_t n)
{
	size_t end;
	int r = add_start(t, (struct wide){ 0, 0 }, 0);

	for (size_t i = 0; i < n && r == 0; i = end) {
		struct node node = { .list = 0 };

		for (end = i + 1; end < n; end++)
			if (items[end].own_bits != items[i].own_bits ||
				compare_wide(&items[end].own, &items[i].own) != 0)
				break;
		r = leave(t, &items[i]);
		if (r == 0)
			r = add_node(t, &items[i], end - i, &node);
		if (r < 0)
			return r;
		t->stack[t->depth++] = node;
		r = add_start(t, node.start, node.list);
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

/* The keys and values of a tree's last level. */
struct bottom {
	struct vec keys, values;
};

static int add_key(struct bottom *bottom, uint64_t key, uint32_t value)
{
	uint8_t *k = vec_extend(&bottom->keys, 1);
	uint32_t *v = vec_extend(&bottom->values, 1);
	uint32_t half = (uint32_t)(key >> 32);

	if (!k || !v)
		return -ENOMEM;
	if (bottom->keys.size == sizeof(half))
		memcpy(k, &half, sizeof(half));
	else
		memcpy(k, &key, sizeof(key));
	*v = value;
	return 0;
}

/* @n starts that agree in their upper half; @list: what holds before them. */
static int add_subtree(
	struct builder *b, const struct start *starts, size_t n, uint32_t list, uint32_t *ret)
{
	bool fill = starts[0].at.low != 0;
	struct subtree *sub = vec_extend(&b->subtrees, 1);
	uint64_t *keys = vec_extend(&b->keys8, n + fill);
	uint32_t *values = vec_extend(&b->values, n + fill);

	if (!sub || !keys || !values)
		return -ENOMEM;
	*sub = (struct subtree){ .at = (uint32_t)(b->keys8.count - n - fill),
		.count = (uint32_t)(n + fill),
		.values = (uint32_t)(b->values.count - n - fill) };
	if (fill) {
		*keys++ = 0;
		*values++ = list;
	}
	for (size_t i = 0; i < n; i++) {
		keys[i] = starts[i].at.low;
		values[i] = starts[i].list;
	}
	*ret = (uint32_t)(b->subtrees.count - 1);
	return 0;
}

static int split_halves(struct tree_builder *t, struct bottom *bottom)
{
	const struct start *starts = (const struct start *)(const void *)t->starts.bytes;
	size_t n = t->starts.count, end;
	uint32_t before = 0, sub;
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i = end) {
		uint64_t high = starts[i].at.high;

		for (end = i + 1; end < n && starts[end].at.high == high;)
			end++;
		if (end == i + 1 && starts[i].at.low == 0) {
			r = add_key(bottom, high, starts[i].list);
		} else {
			r = add_subtree(t->b, &starts[i], end - i, before, &sub);
			if (r == 0)
				r = add_key(bottom, high, CLASSIFIER_SUBTREE | sub);
			if (r == 0 && high != UINT64_MAX &&
				(end == n || starts[end].at.high != high + 1))
				r = add_key(bottom, high + 1, starts[end - 1].list);
		}
		before = starts[end - 1].list;
	}
	return r;
}

static int write_tree(struct tree_builder *t, int family, struct tree *ret_tree)
{
	struct vec *keys = family == AF_INET ? &t->b->keys4 : &t->b->keys8;
	struct bottom bottom = { .keys = { .size = keys->size },
		.values = { .size = sizeof(uint32_t) } };
	const struct start *starts = (const struct start *)(const void *)t->starts.bytes;
	struct tree tree = { 0 };
	uint32_t *values;
	int r = 0;

	if (family == AF_INET6)
		r = split_halves(t, &bottom);
	for (size_t i = 0; family == AF_INET && i < t->starts.count && r == 0; i++)
		r = add_key(&bottom, starts[i].at.high, starts[i].list);
	if (r == 0)
		r = add_levels(keys, bottom.keys.bytes, bottom.keys.count, &tree);
	if (r == 0) {
		tree.values = (uint32_t)t->b->values.count;
		values = vec_extend(&t->b->values, bottom.values.count);
		if (values && bottom.values.bytes)
			memcpy(values, bottom.values.bytes, bottom.values.count * sizeof(*values));
		else
			r = -ENOMEM;
	}
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
