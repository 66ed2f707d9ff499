/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Groups: rules that stand under one prefix, in hash tables by what else they ask for. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "services/datapath/spd/classifier_build.h"

#define PORT_BITS 16U

/* A rule, or a part of its range of ports that is a number of leading bits. */
struct piece {
	struct group_key key;
	struct tuple tuple;
	const struct item *item;
	uint32_t slot;
};

struct pieces {
	struct vec list;
	bool cut_ranges; /* there are so many that a list of them would be long */
};

static bool is_range(const struct selector *s)
{
	return s->local_port_last != 0 || s->remote_port_last != 0;
}

static int add_piece(struct pieces *pieces, const struct piece *piece)
{
	struct piece *more = vec_extend(&pieces->list, 1);

	if (!more)
		return -ENOMEM;
	*more = *piece;
	return 0;
}

/* Leading bits that the ports from @first to at most @last have in common, as many as there are. */
static unsigned int block_bits(uint32_t first, uint32_t last)
{
	unsigned int bits = PORT_BITS;

	while (bits > 0) {
		uint32_t size = UINT32_C(1) << (PORT_BITS - bits + 1);

		if (first % size != 0 || first + size - 1 > last)
			break;
		bits--;
	}
	return bits;
}

static int cut_range(struct pieces *pieces, struct piece *piece, bool local, uint32_t last)
{
	uint32_t port = local ? piece->key.local_port : piece->key.remote_port;
	int r = 0;

	while (port <= last && r == 0) {
		unsigned int bits = block_bits(port, last);

		*(local ? &piece->key.local_port : &piece->key.remote_port) = (uint16_t)port;
		*(local ? &piece->tuple.local_bits : &piece->tuple.remote_bits) = (uint8_t)bits;
		r = add_piece(pieces, piece);
		port += UINT32_C(1) << (PORT_BITS - bits);
	}
	return r;
}

static int add_item(struct pieces *pieces, const struct builder *b, const struct item *item)
{
	const struct selector *s = &b->rules[item->rule]->selector;
	const struct prefix *other = item->under_remote ? &s->local : &s->remote;
	struct piece piece = { .item = item };

	piece.key.protocol = s->protocol;
	piece.tuple.with_protocol = s->protocol != 0;
	piece.tuple.first_rule = item->rule;
	/* Whoever stands under no prefix names none. */
	piece.tuple.other_bits = (uint8_t)(item->own_bits ? end_bits(other) : 0);
	if (piece.tuple.other_bits != 0)
		piece.key.other = wide_of(&other->addr);
	if (s->local_port_last == 0 && s->local_port != 0) {
		piece.key.local_port = s->local_port;
		piece.tuple.local_bits = PORT_BITS;
	}
	if (s->remote_port_last == 0 && s->remote_port != 0) {
		piece.key.remote_port = s->remote_port;
		piece.tuple.remote_bits = PORT_BITS;
	}
	if (!pieces->cut_ranges || !is_range(s))
		return add_piece(pieces, &piece);
	/* Of two ranges one is enough. */
	if (s->remote_port_last != 0) {
		piece.key.remote_port = s->remote_port;
		return cut_range(pieces, &piece, false, s->remote_port_last);
	}
	piece.key.local_port = s->local_port;
	return cut_range(pieces, &piece, true, s->local_port_last);
}

static bool tuples_agree(const struct tuple *a, const struct tuple *b)
{
	return a->with_protocol == b->with_protocol && a->local_bits == b->local_bits &&
	       a->remote_bits == b->remote_bits && a->other_bits == b->other_bits;
}

/* Pieces come in match order, so a tuple's first rule is that of the piece that brought it. */
static int add_tuples(struct builder *b, struct group *group, const struct pieces *pieces)
{
	const struct piece *list = (const struct piece *)(const void *)pieces->list.bytes;

	group->tuples = (uint32_t)b->tuples.count;
	for (size_t i = 0; i < pieces->list.count; i++) {
		struct tuple *tuple = (struct tuple *)(void *)b->tuples.bytes;
		uint32_t k = 0;

		while (k < group->n_tuples &&
			!tuples_agree(&tuple[group->tuples + k], &list[i].tuple))
			k++;
		if (k < group->n_tuples)
			continue;
		tuple = vec_extend(&b->tuples, 1);
		if (!tuple)
			return -ENOMEM;
		*tuple = list[i].tuple;
		group->n_tuples++;
	}
	return 0;
}

static uint32_t table_size(size_t n)
{
	uint32_t size = 2;

	while (size < 2 * n)
		size *= 2;
	return size;
}

/* Keys of one hash share a slot and its list: each record says for itself what it asks for. */
static void place_pieces(const struct group *group, struct slot *slots, struct pieces *pieces)
{
	struct piece *list = (struct piece *)(void *)pieces->list.bytes;

	for (size_t i = 0; i < pieces->list.count; i++) {
		uint64_t hash = group_hash(&list[i].tuple, &list[i].key);
		uint32_t at = hash_slot(hash, group->mask);

		while (slots[at].list != 0 && slots[at].tag != hash_tag(hash))
			at = (at + 1) & group->mask;
		slots[at].tag = hash_tag(hash);
		slots[at].list = 1; /* taken; its place is still to be found */
		list[i].slot = at;
	}
}

static unsigned int piece_cells(const struct builder *b, const struct piece *piece)
{
	UNINITIALISED union cell cells[2];

	return record_of(b, piece->item, cells);
}

/* From the last to the first, each in front of those of its slot that are written. */
static int write_lists(
	struct builder *b, struct slot *slots, uint32_t n_slots, const struct pieces *pieces)
{
	const struct piece *list = (const struct piece *)(const void *)pieces->list.bytes;
	CLEANUP(freep) uint32_t *ends = calloc(n_slots, sizeof(*ends));
	size_t at = b->cells.count, n = 0;
	union cell *cells;

	if (!ends)
		return -ENOMEM;
	for (size_t i = 0; i < pieces->list.count; i++) {
		unsigned int more = piece_cells(b, &list[i]);

		ends[list[i].slot] += more;
		n += more;
	}
	if (!vec_extend(&b->cells, n))
		return -ENOMEM;
	for (uint32_t i = 0; i < n_slots; i++) {
		at += ends[i];
		slots[i].list = ends[i] ? (uint32_t)at : 0;
		ends[i] = (uint32_t)at;
	}
	cells = (union cell *)(void *)b->cells.bytes;
	for (size_t i = pieces->list.count; i-- > 0;) {
		struct slot *slot = &slots[list[i].slot];
		UNINITIALISED union cell mine[2];
		unsigned int size = record_of(b, list[i].item, mine);

		if (slot->list == ends[list[i].slot])
			mine[0].record.flags |= RECORD_LAST;
		slot->list -= size;
		memcpy(&cells[slot->list], mine, size * sizeof(*mine));
	}
	return 0;
}

/* Most packets are in no slot; this costs them a bit instead of a cache line. */
static int write_filter(
	struct builder *b, struct group *group, uint32_t n_slots, const struct pieces *pieces)
{
	const struct piece *list = (const struct piece *)(const void *)pieces->list.bytes;
	uint64_t *filter;

	group->filter = (uint32_t)b->filters.count;
	filter = vec_extend(&b->filters, n_slots / 8 + 1);
	if (!filter)
		return -ENOMEM;
	for (size_t i = 0; i < pieces->list.count; i++) {
		uint64_t place = filter_place(
			group->mask, group_hash(&list[i].tuple, &list[i].key));

		filter[place / 64] |= UINT64_C(1) << place % 64;
	}
	return 0;
}

static int build(struct builder *b, struct pieces *pieces, struct group *group)
{
	uint32_t n_slots = table_size(pieces->list.count);
	struct slot *slots;
	int r = add_tuples(b, group, pieces);

	if (r < 0)
		return r;
	group->slots = (uint32_t)b->slots.count;
	group->mask = n_slots - 1;
	slots = vec_extend(&b->slots, n_slots);
	if (!slots)
		return -ENOMEM;
	place_pieces(group, slots, pieces);
	r = write_filter(b, group, n_slots, pieces);
	return r < 0 ? r : write_lists(b, slots, n_slots, pieces);
}

int group_build(struct builder *b, const struct item *items, size_t n, uint32_t *ret_group)
{
	struct pieces pieces = { .list = { .size = sizeof(struct piece) } };
	struct group group = { 0 }, *more;
	size_t ranges = 0;
	int r = 0;

	for (size_t i = 0; i < n; i++)
		ranges += is_range(&b->rules[items[i].rule]->selector);
	pieces.cut_ranges = ranges > CLASSIFIER_WINDOW;
	for (size_t i = 0; i < n && r == 0; i++)
		r = add_item(&pieces, b, &items[i]);
	if (r == 0)
		r = build(b, &pieces, &group);
	vec_done(&pieces.list);
	if (r < 0)
		return r;
	*ret_group = (uint32_t)b->groups.count;
	more = vec_extend(&b->groups, 1);
	if (!more)
		return -ENOMEM;
	*more = group;
	return 0;
}
