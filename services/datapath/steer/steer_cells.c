/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/steer/steer_cells.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "services/datapath/steer/steer_strata.h"

#define BLOCKS_MAX 30 /* of a range of 16 bits */
#define SHAPE_LEN  offsetof(struct cell_key, protocol)
#define GROUP_LEN  offsetof(struct cell_key, remote)

enum remote_kind { REMOTE_HOST, REMOTE_NET, REMOTE_ANY };

/* A range as values with masks. */
struct block {
	uint16_t value, mask;
};

/* @high below @low: anything. */
static size_t cut_range(
	uint32_t low, uint32_t high, unsigned int width, struct block ret_blocks[static BLOCKS_MAX])
{
	uint32_t all = (1U << width) - 1;
	size_t n = 0;

	if (low > high || (low == 0 && high == all)) {
		ret_blocks[0] = (struct block){ 0, 0 };
		return 1;
	}
	while (low <= high) {
		uint32_t size = low ? low & -low : 1U << (width - 1);

		while (size > high - low + 1)
			size /= 2;
		ret_blocks[n++] = (struct block){ (uint16_t)low, (uint16_t)(all & ~(size - 1)) };
		low += size;
	}
	return n;
}

static int add_cell(struct cells *cells, const struct cell *cell)
{
	if (cells->count == cells->room) {
		size_t room = cells->room ? cells->room * 2 : 1024;
		struct cell *more = reallocarray(cells->cells, room, sizeof(*more));

		if (!more)
			return -ENOMEM;
		cells->cells = more;
		cells->room = room;
	}
	cells->cells[cells->count++] = *cell;
	return 0;
}

static void put_blocks(
	struct cell_key *key, bool icmp, const struct block *a, const struct block *b)
{
	if (icmp) {
		key->th[0] = (uint8_t)a->value;
		key->th_mask[0] = (uint8_t)a->mask;
		key->th[1] = (uint8_t)b->value;
		key->th_mask[1] = (uint8_t)b->mask;
		return;
	}
	key->th[0] = (uint8_t)(a->value >> 8);
	key->th[1] = (uint8_t)a->value;
	key->th[2] = (uint8_t)(b->value >> 8);
	key->th[3] = (uint8_t)b->value;
	key->th_mask[0] = (uint8_t)(a->mask >> 8);
	key->th_mask[1] = (uint8_t)a->mask;
	key->th_mask[2] = (uint8_t)(b->mask >> 8);
	key->th_mask[3] = (uint8_t)b->mask;
}

/* The transport header's part: as many cells as its ranges have blocks. */
static int cut_transport(struct cells *cells, const struct steer_line *line, struct cell *cell)
{
	struct block first[BLOCKS_MAX], second[BLOCKS_MAX];
	bool icmp = line->has_type || line->has_code;
	size_t n_first, n_second;
	int r = 0;

	if (icmp) {
		n_first = cut_range(line->has_type ? line->type_low : 1, line->type_high, 8, first);
		n_second = cut_range(
			line->has_code ? line->code_low : 1, line->code_high, 8, second);
		if (!line->has_type)
			first[0] = (struct block){ 0, 0 };
		if (!line->has_code)
			second[0] = (struct block){ 0, 0 };
	} else {
		n_first = cut_range(line->sport ? line->sport : 1,
			line->sport ? steer_port_last(line->sport, line->sport_last) : 0, 16,
			first);
		n_second = cut_range(line->dport ? line->dport : 1,
			line->dport ? steer_port_last(line->dport, line->dport_last) : 0, 16,
			second);
	}
	for (size_t i = 0; i < n_first && r == 0; i++)
		for (size_t k = 0; k < n_second && r == 0; k++) {
			put_blocks(&cell->key, icmp, &first[i], &second[k]);
			r = add_cell(cells, cell);
		}
	return r;
}

static uint8_t remote_kind(const struct prefix *remote)
{
	if (remote->bits == 0)
		return REMOTE_ANY;
	return prefix_is_host(remote) ? REMOTE_HOST : REMOTE_NET;
}

static int cut_line(struct cells *cells, const struct steer_line *line, bool outbound,
	const struct cell *template)
{
	static const uint8_t families[] = { AF_INET, AF_INET6 };
	const struct prefix *local = outbound ? &line->src : &line->dst;
	const struct prefix *remote = outbound ? &line->dst : &line->src;
	struct cell cell = *template;
	int r = 0;

	cell.key.has_protocol = line->protocol != 0;
	cell.key.protocol = line->protocol;
	cell.key.local_bits = local->bits;
	memcpy(cell.key.local, local->addr.bytes, sizeof(cell.key.local));
	cell.key.remote_bits = remote->bits;
	cell.key.remote_kind = remote_kind(remote);
	memcpy(cell.key.remote, remote->addr.bytes, sizeof(cell.key.remote));
	for (size_t i = 0; i < ARRAY_SIZE(families) && r == 0; i++) {
		if (line->family != AF_UNSPEC && line->family != families[i])
			continue;
		cell.key.family = families[i];
		r = cut_transport(cells, line, &cell);
	}
	return r;
}

static int compare_cells(const void *x, const void *y)
{
	const struct cell *a = x, *b = y;
	int r = memcmp(&a->key, &b->key, sizeof(a->key));

	return r ? r : (a->line > b->line) - (a->line < b->line);
}

int cells_make(
	const struct steer_lines *lines, bool outbound, struct cells *ret_cells, size_t *ret_placed)
{
	CLEANUP(freep) uint8_t *strata = NULL;
	int r = steer_strata(lines, &strata, ret_placed);

	for (size_t i = 0; i < *ret_placed && r == 0; i++) {
		const struct steer_line *line = &lines->lines[i];
		bool last = outbound && !lines->effects && line->verdict == STEER_DROP;
		struct cell cell = { .line = (uint32_t)i };

		/*
		 * What some line wants protected goes to the engine, whatever line stands first: it
		 * decides exactly. What only such lines match as drop is dropped here.
		 */
		cell.key.stage = (uint8_t)(strata[i] * 2 + last);
		r = cut_line(ret_cells, line, outbound, &cell);
	}
	if (r == 0 && ret_cells->count)
		qsort(ret_cells->cells, ret_cells->count, sizeof(struct cell), compare_cells);
	return r;
}

void cells_done(struct cells *cells)
{
	free(cells->cells);
}

bool cells_same_shape(const struct cell *a, const struct cell *b)
{
	return memcmp(&a->key, &b->key, SHAPE_LEN) == 0;
}

bool cells_same_group(const struct cell *a, const struct cell *b)
{
	return memcmp(&a->key, &b->key, GROUP_LEN) == 0;
}

/* A prefix that began and has not ended. */
struct nested {
	uint8_t last[16];
	uint32_t line;
};

/* Those that are open: each lies in the one before it. */
struct nest {
	struct nested open[130];
	size_t depth, len; /* len: of an address */
	uint8_t at[16]; /* up to here all was told */
	bool full; /* there is no address behind the last that was told */
	cell_range_fn fn;
	void *userdata;
};

static void range_of(const struct cell *cell, size_t len, struct cell_range *ret_range)
{
	memcpy(ret_range->first, cell->key.remote, sizeof(ret_range->first));
	memcpy(ret_range->last, cell->key.remote, sizeof(ret_range->last));
	for (size_t bit = cell->key.remote_bits; bit < len * 8; bit++)
		ret_range->last[bit / 8] |= (uint8_t)(0x80U >> bit % 8);
	ret_range->line = cell->line;
}

/* The innermost open prefix decides from `at` to @last. */
static int tell(struct nest *nest, const uint8_t last[static 16])
{
	struct cell_range range = { .line = nest->open[nest->depth - 1].line };
	size_t i = nest->len;

	if (nest->full || memcmp(nest->at, last, nest->len) > 0)
		return 0;
	memcpy(range.first, nest->at, sizeof(range.first));
	memcpy(range.last, last, sizeof(range.last));
	memcpy(nest->at, last, sizeof(nest->at));
	while (i > 0 && ++nest->at[i - 1] == 0)
		i--;
	nest->full = i == 0;
	return nest->fn(&range, nest->userdata);
}

/* Close what ends before @first; NULL: everything. */
static int close_before(struct nest *nest, const uint8_t *first)
{
	int r = 0;

	while (nest->depth && r == 0) {
		const struct nested *top = &nest->open[nest->depth - 1];

		if (first && memcmp(top->last, first, nest->len) >= 0)
			break;
		r = tell(nest, top->last);
		nest->depth--;
	}
	return r;
}

static int open_cell(struct nest *nest, const struct cell_range *range)
{
	uint8_t before[16];
	size_t i = nest->len;
	int r = close_before(nest, range->first);

	if (r < 0)
		return r;
	if (nest->depth) {
		const struct nested *top = &nest->open[nest->depth - 1];

		/* Sorted by length and line: what is the same prefix again, or later, changes nothing. */
		if (top->line < range->line)
			return 0;
		memcpy(before, range->first, sizeof(before));
		while (i > 0 && before[i - 1]-- == 0)
			i--;
		if (i > 0)
			r = tell(nest, before);
	}
	memcpy(nest->at, range->first, sizeof(nest->at));
	memcpy(nest->open[nest->depth].last, range->last, sizeof(range->last));
	nest->open[nest->depth++].line = range->line;
	return r;
}

int cells_flatten(const struct cell *cells, size_t count, cell_range_fn fn, void *userdata)
{
	struct nest nest = {
		.len = address_len(cells[0].key.family), .fn = fn, .userdata = userdata
	};
	int r = 0;

	for (size_t i = 0; i < count && r == 0; i++) {
		struct cell_range range;

		range_of(&cells[i], nest.len, &range);
		r = open_cell(&nest, &range);
	}
	return r < 0 ? r : close_before(&nest, NULL);
}
