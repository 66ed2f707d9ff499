/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Windows: the records of prefixes nested in each other side by side, each written once if they fit. */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "services/datapath/spd/classifier_build.h"

#define LINE_CELLS 8U
#define LINK_CELLS 2U

/* Protocols that most rules are about. */
enum protocol_class { CLASS_ANY, CLASS_TCP, CLASS_UDP, CLASS_OTHER, N_CLASSES };

/* What a prefix adds to those around it. */
struct draft {
	union cell cells[CLASSIFIER_WINDOW];
	unsigned int n;
	struct place place; /* of what it adds, as if the window began with it */
	struct place around; /* what is left of it */
	uint32_t first_rule;
	/* By direction: the first rule that takes every packet, of one protocol or of any. What an
	 * earlier rule takes whole can never decide. */
	uint32_t closed[2][N_CLASSES];
};

static enum protocol_class class_of(uint8_t protocol)
{
	return protocol == 0		 ? CLASS_ANY
	       : protocol == IPPROTO_TCP ? CLASS_TCP
	       : protocol == IPPROTO_UDP ? CLASS_UDP
					 : CLASS_OTHER;
}

static void note_closed(struct draft *draft, const struct record *record)
{
	unsigned int more = record->flags & ~(DIRECTION_BIT_BOTH | RECORD_LAST);
	enum protocol_class class = class_of(record->protocol);

	if (record_is_link(record) || class == CLASS_OTHER ||
		more != RECORD_ANY << RECORD_KIND_SHIFT)
		return;
	for (unsigned int d = DIRECTION_IN; d <= DIRECTION_OUT; d++)
		if ((record->flags & 1U << d) && record->rule < draft->closed[d][class])
			draft->closed[d][class] = record->rule;
}

/* Every packet that it takes is taken by an earlier rule. */
static bool is_hidden(const struct draft *draft, const struct record *record)
{
	enum protocol_class class = class_of(record->protocol);
	bool link = record_is_link(record);

	for (unsigned int d = DIRECTION_IN; d <= DIRECTION_OUT; d++) {
		const uint32_t *closed = draft->closed[d];

		if (!link && !(record->flags & 1U << d))
			continue;
		if (record->rule <= closed[CLASS_ANY] && (link || record->rule <= closed[class]))
			return false;
	}
	return true;
}

static union cell *window_cells(const struct builder *b, uint32_t at)
{
	return (union cell *)(void *)b->cells.bytes + at;
}

/* Those of @bits that still count. */
static uint16_t still_seen(
	const struct draft *draft, const union cell *cells, uint16_t bits, uint32_t *first_rule)
{
	uint16_t left = 0;

	for (unsigned int i = 0; i < CLASSIFIER_WINDOW; i++) {
		if (!(bits & 1U << i) || is_hidden(draft, &cells[i].record))
			continue;
		left |= (uint16_t)(1U << i);
		if (cells[i].record.rule < *first_rule)
			*first_rule = cells[i].record.rule;
	}
	return left;
}

static void draft_add(struct draft *draft, const union cell *cells)
{
	const struct record *record = &cells[0].record;
	unsigned int size = record_cells(record);
	uint16_t bit = (uint16_t)(1U << draft->n);

	memcpy(&draft->cells[draft->n], cells, size * sizeof(*cells));
	draft->n += size;
	if (record->flags & (RECORD_WIDE | RECORD_VERIFY))
		draft->place.others |= bit;
	else
		draft->place.records |= bit;
	if (record->rule < draft->first_rule)
		draft->first_rule = record->rule;
}

/* False: they are too many for a window that may have to refer to what is around, too. */
static bool draft_records(
	struct draft *draft, const struct builder *b, const struct item *items, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		UNINITIALISED union cell cells[2];
		unsigned int size = record_of(b, &items[i], cells);

		if (draft->n + size > CLASSIFIER_WINDOW - LINK_CELLS)
			return false;
		draft_add(draft, cells);
	}
	return true;
}

static int draft_group(struct draft *draft, struct builder *b, const struct item *items, size_t n)
{
	union cell link[LINK_CELLS] = {
		{ .record = { .rule = items[0].rule, .flags = RECORD_WIDE | LINK_GROUP } }
	};
	uint32_t group;
	int r = group_build(b, items, n, &group);

	if (r < 0)
		return r;
	link[1].rest = (struct record_rest){ .other = group };
	draft->n = 0;
	draft->place = (struct place){ 0 };
	draft->first_rule = CLASSIFIER_NONE;
	draft_add(draft, link);
	return 0;
}

/* Moves those that can decide to the front; returns how many they are. */
static size_t sift_items(struct draft *draft, const struct builder *b, struct item *items, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++) {
		UNINITIALISED union cell cells[2];

		(void)record_of(b, &items[i], cells); /* how many cells is told again elsewhere */
		if (is_hidden(draft, &cells[0].record))
			continue;
		note_closed(draft, &cells[0].record);
		items[kept++] = items[i];
	}
	return kept;
}

static void look_around(struct draft *draft, const struct builder *b, const struct place *around)
{
	const union cell *cells = window_cells(b, around->at);

	for (unsigned int i = 0; i < CLASSIFIER_WINDOW; i++)
		if (around->records & 1U << i)
			note_closed(draft, &cells[i].record);
}

/* What is left of the place around, for a window of its own; or a link to it. */
static void draft_around(
	struct draft *draft, const struct builder *b, const struct window_node *around)
{
	const union cell *cells = window_cells(b, draft->around.at);
	uint16_t all = draft->around.records | draft->around.others;
	union cell link[LINK_CELLS] = {
		{ .record = { .rule = around->first_rule, .flags = RECORD_WIDE } }
	};
	unsigned int size = 0;

	for (unsigned int i = 0; i < CLASSIFIER_WINDOW; i++)
		if (all & 1U << i)
			size += record_cells(&cells[i].record);
	if (draft->n + size > CLASSIFIER_WINDOW) {
		link[1].place = draft->around;
		draft_add(draft, link);
		return;
	}
	for (unsigned int i = 0; i < CLASSIFIER_WINDOW; i++)
		if (all & 1U << i)
			draft_add(draft, &cells[i]);
}

/* Another one, at the beginning of a cache line. */
static int window_begin(struct builder *b, struct window *window)
{
	size_t odd = b->cells.count % LINE_CELLS;

	if (odd != 0 && !vec_extend(&b->cells, LINE_CELLS - odd))
		return -ENOMEM;
	*window = (struct window){ .at = (uint32_t)b->cells.count };
	return 0;
}

static bool has_room(
	const struct builder *b, const struct window *window, const struct draft *draft)
{
	return window->used > 0 && window->at + window->used == b->cells.count &&
	       window->used + draft->n <= CLASSIFIER_WINDOW &&
	       (place_is_empty(&draft->around) || draft->around.at == window->at);
}

static int window_write(struct builder *b, struct window *window, const struct draft *draft,
	struct place *ret_place)
{
	union cell *out = vec_extend(&b->cells, draft->n);
	unsigned int shift = window->used;

	if (!out)
		return -ENOMEM;
	memcpy(out, draft->cells, draft->n * sizeof(*out));
	*ret_place = (struct place){ .at = window->at,
		.records = (uint16_t)(draft->place.records << shift),
		.others = (uint16_t)(draft->place.others << shift) };
	window->used += draft->n;
	return 0;
}

int window_place(struct builder *b, struct window *window, struct item *items, size_t n,
	const struct window_node *around, struct window_node *ret_node)
{
	struct draft draft = { .first_rule = CLASSIFIER_NONE };
	uint32_t first_around = CLASSIFIER_NONE;
	bool joins;
	int r = 0;

	memset(draft.closed, 0xff, sizeof(draft.closed)); /* by no rule */
	look_around(&draft, b, &around->place);
	n = sift_items(&draft, b, items, n);
	if (!draft_records(&draft, b, items, n))
		r = draft_group(&draft, b, items, n);
	if (r < 0)
		return r;
	draft.around = around->place;
	draft.around.records = still_seen(
		&draft, window_cells(b, around->place.at), around->place.records, &first_around);
	draft.around.others = still_seen(
		&draft, window_cells(b, around->place.at), around->place.others, &first_around);
	if (draft.n == 0) {
		*ret_node = (struct window_node){ draft.around, first_around };
		return 0;
	}
	joins = has_room(b, window, &draft);
	if (!joins) {
		if (!place_is_empty(&draft.around))
			draft_around(&draft, b, around);
		r = window_begin(b, window);
	}
	if (r == 0)
		r = window_write(b, window, &draft, &ret_node->place);
	if (r < 0)
		return r;
	if (joins) {
		ret_node->place.records |= draft.around.records;
		ret_node->place.others |= draft.around.others;
	}
	ret_node->first_rule = first_around < draft.first_rule ? first_around : draft.first_rule;
	return 0;
}
