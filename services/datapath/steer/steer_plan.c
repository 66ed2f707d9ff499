/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/steer/steer_plan.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "services/datapath/steer/steer_cells.h"

struct builder {
	const struct steer_lines *lines;
	struct steer_plan *plan;
	bool outbound;
	size_t lines_room, keys_room;
};

bool steer_layer_has_th(const struct steer_layer *layer)
{
	static const uint8_t none[STEER_TH_LEN];

	return memcmp(layer->th_mask, none, sizeof(none)) != 0;
}

static int reserve(struct builder *b, size_t key_bytes)
{
	struct steer_plan *plan = b->plan;

	if (plan->n_lines == b->lines_room) {
		size_t room = b->lines_room ? b->lines_room * 2 : 256;
		uint32_t *more = reallocarray(plan->lines, room, sizeof(*more));

		if (!more)
			return -ENOMEM;
		plan->lines = more;
		b->lines_room = room;
	}
	if (b->keys_room - plan->n_keys < key_bytes) {
		size_t room = b->keys_room ? b->keys_room * 2 : 256 * (size_t)STEER_KEY_MAX;
		uint8_t *more = realloc(plan->keys, room);

		if (!more)
			return -ENOMEM;
		plan->keys = more;
		b->keys_room = room;
	}
	return 0;
}

static size_t put_key(uint8_t *key, const struct steer_layer *layer, const struct cell_key *cell,
	const uint8_t remote[static 16])
{
	size_t len = address_len(layer->family), at = 0;

	if (layer->has_protocol) {
		memset(key, 0, 4);
		key[0] = cell->protocol;
		at = 4;
	}
	if (steer_layer_has_th(layer)) {
		memcpy(key + at, cell->th, STEER_TH_LEN);
		at += STEER_TH_LEN;
	}
	if (layer->local_bits) {
		memcpy(key + at, cell->local, len);
		at += len;
	}
	if (layer->remote_bits) {
		memcpy(key + at, remote, len);
		at += len;
	}
	if (at > 0)
		return at;
	/* A line about all packets of its family; a map has to have a key. */
	memset(key, 0, STEER_KEY_FAMILY);
	key[0] = layer->family;
	return STEER_KEY_FAMILY;
}

/* The next key; from the last one to all zero. */
static void increment(uint8_t *key, size_t len)
{
	while (len-- > 0)
		if (++key[len] != 0)
			return;
}

static int add_element(
	struct builder *b, struct steer_layer *layer, const struct cell_key *cell, uint32_t line)
{
	struct steer_plan *plan = b->plan;
	int r = reserve(b, layer->key_len);

	if (r < 0)
		return r;
	plan->n_keys += put_key(plan->keys + plan->n_keys, layer, cell, cell->remote);
	plan->lines[plan->n_lines++] = line;
	layer->count++;
	return 0;
}

static bool is_same_effect(const struct builder *b, uint32_t x, uint32_t y)
{
	const struct steer_line *lines = b->lines->lines;

	if (x != y && b->lines->effects && b->lines->effects[x] != b->lines->effects[y])
		return false;
	/* The engine counts what it is given. */
	return x == y || (lines[x].verdict == STEER_PROTECT && lines[y].verdict == STEER_PROTECT);
}

/* From @first to @last, both included. A range that goes on as the one before ended makes that longer. */
static int add_range(struct builder *b, struct steer_layer *layer, const struct cell_key *cell,
	const struct cell_range *range)
{
	struct steer_plan *plan = b->plan;
	size_t len = layer->key_len;
	uint8_t *key;
	int r = reserve(b, 2 * len);

	if (r < 0)
		return r;
	key = plan->keys + plan->n_keys;
	(void)put_key(key, layer, cell, range->first);
	(void)put_key(key + len, layer, cell, range->last);
	increment(key + len, len);
	if (layer->count && is_same_effect(b, plan->lines[plan->n_lines - 1], range->line) &&
		memcmp(key - len, key, len) == 0) {
		memcpy(key - len, key + len, len);
		return 0;
	}
	plan->n_keys += 2 * len;
	plan->lines[plan->n_lines++] = range->line;
	layer->count++;
	return 0;
}

struct range_call {
	struct builder *builder;
	struct steer_layer *layer;
	const struct cell_key *cell;
};

static int on_range(const struct cell_range *range, void *userdata)
{
	const struct range_call *call = userdata;

	return add_range(call->builder, call->layer, call->cell, range);
}

static int fill_ranges(
	struct builder *b, struct steer_layer *layer, const struct cell *cells, size_t count)
{
	for (size_t i = 0, end; i < count; i = end) {
		struct range_call call = { .builder = b, .layer = layer, .cell = &cells[i].key };
		int r;

		for (end = i + 1; end < count && cells_same_group(&cells[i], &cells[end]); end++)
			;
		r = cells_flatten(&cells[i], end - i, on_range, &call);
		if (r < 0)
			return r;
	}
	return 0;
}

static int fill_keys(
	struct builder *b, struct steer_layer *layer, const struct cell *cells, size_t count)
{
	int r = 0;

	for (size_t i = 0; i < count && r == 0; i++)
		if (i == 0 || memcmp(&cells[i - 1].key, &cells[i].key, sizeof(cells->key)) != 0)
			r = add_element(b, layer, &cells[i].key, cells[i].line);
	return r;
}

/* All @cells have one shape. */
static int add_layer(struct builder *b, const struct cell *cells, size_t count)
{
	const struct cell_key *first = &cells[0].key;
	struct steer_plan *plan = b->plan;
	struct steer_layer *layer = &plan->layers[plan->n_layers++];
	uint8_t scrap[STEER_KEY_MAX];

	*layer = (struct steer_layer){ .family = first->family,
		.has_protocol = first->has_protocol,
		.local_bits = first->local_bits,
		.remote_bits = first->remote_bits,
		.lines_at = plan->n_lines,
		.keys_at = plan->n_keys };
	memcpy(layer->th_mask, first->th_mask, sizeof(layer->th_mask));
	for (size_t i = 1; i < count; i++)
		if (cells[i].key.remote_bits != first->remote_bits)
			layer->ranges = true;
	if (layer->ranges)
		layer->remote_bits = (uint8_t)address_bits(layer->family);
	layer->key_len = put_key(scrap, layer, first, first->remote);
	return layer->ranges ? fill_ranges(b, layer, cells, count)
			     : fill_keys(b, layer, cells, count);
}

/* Too many shapes for layers: then all lines stand in a list, slow but right. */
static int add_layers(struct builder *b, const struct cell *cells, size_t count)
{
	struct steer_plan *plan = b->plan;
	size_t n = 0;
	int r = 0;

	for (size_t i = 0; i < count; i++)
		if (i == 0 || !cells_same_shape(&cells[i - 1], &cells[i]))
			n++;
	if (n > STEER_LAYERS_MAX) {
		plan->list_from = 0;
		return 0;
	}
	plan->layers = calloc(n ? n : 1, sizeof(*plan->layers));
	if (!plan->layers)
		return -ENOMEM;
	for (size_t i = 0, end; i < count && r == 0; i = end) {
		for (end = i + 1; end < count && cells_same_shape(&cells[i], &cells[end]); end++)
			;
		r = add_layer(b, &cells[i], end - i);
	}
	return r;
}

int steer_plan_new(const struct steer_lines *lines, bool outbound, struct steer_plan **ret_plan)
{
	CLEANUP(steer_plan_freep) struct steer_plan *plan = calloc(1, sizeof(*plan));
	CLEANUP(cells_done) struct cells cells = { 0 };
	struct builder b = { .lines = lines, .plan = plan, .outbound = outbound };
	int r = 0;

	if (!plan)
		return -ENOMEM;
	if (lines->count > STEER_LIST_MAX || (lines->effects && lines->count)) {
		r = cells_make(lines, outbound, &cells, &plan->list_from);
		if (r == 0)
			r = add_layers(&b, cells.cells, cells.count);
	}
	if (r < 0)
		return r;
	*ret_plan = STEAL(plan);
	return 0;
}

struct steer_plan *steer_plan_free(struct steer_plan *plan)
{
	if (!plan)
		return NULL;
	free(plan->layers);
	free(plan->lines);
	free(plan->keys);
	free(plan);
	return NULL;
}
