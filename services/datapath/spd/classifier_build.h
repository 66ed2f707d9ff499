/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files that compile a classifier share: arrays under way, rules as the compiler sees them. */
#ifndef DATAPATH_CLASSIFIER_BUILD_H
#define DATAPATH_CLASSIFIER_BUILD_H

#include "services/datapath/spd/classifier_parts.h"

/* A growing array of one kind of element. */
struct vec {
	uint8_t *bytes; /* owned */
	size_t size; /* of an element */
	size_t count, room;
};

void vec_done(struct vec *vec);
/* Room for @n more, zeroed; NULL: no memory (or more than an index can say). */
void *vec_extend(struct vec *vec, size_t n) MUST_CHECK;

struct builder {
	struct rule *const *rules;
	size_t n_rules;
	struct vec leaves4, leaves8, keys4, keys8, cells, values, slots, subtrees, groups, tuples,
		filters;
};

/* One rule of a head, for one family and the end under which it stands. */
struct item {
	struct wide own; /* prefix of that end */
	uint8_t own_bits; /* 0: it names no address */
	bool under_remote;
	uint32_t rule;
};

/*
 * The record of an item: what it asks for besides @item->own. Flags but RECORD_LAST are set.
 * Return: how many cells it takes, one or two.
 */
unsigned int record_of(
	const struct builder *b, const struct item *item, union cell ret_cells[static 2]);
/* The prefix of an end as a number of bits; 0: any. */
unsigned int end_bits(const struct prefix *prefix);

/*
 * A group of @items, which stand under one prefix, or under none. Return: 0 or -ENOMEM.
 */
int group_build(
	struct builder *b, const struct item *items, size_t n, uint32_t *ret_group) MUST_CHECK;
/* Windows under way. What was written last may grow, as long as it is the last of the cells. */
struct window {
	uint32_t at, used; /* cells */
};

/* A place, and the first rule that is found there. */
struct window_node {
	struct place place;
	uint32_t first_rule;
};
/*
 * The place of @n items in match order that stand under one prefix, on top of @around, that of the
 * next shorter one (may be empty). Items that can never decide are lost. Return: 0 or -ENOMEM.
 */
int window_place(struct builder *b, struct window *window, struct item *items, size_t n,
	const struct window_node *around, struct window_node *ret_node) MUST_CHECK;
/*
 * The tree of @items under one of their ends; sorts them. @family: AF_INET or AF_INET6.
 * Return: 0 or -ENOMEM.
 */
int tree_build(struct builder *b, struct item *items, size_t n, int family,
	struct tree *ret_tree) MUST_CHECK;

#endif
