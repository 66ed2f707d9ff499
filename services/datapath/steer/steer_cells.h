/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lines cut into cells: one family, every field a value and a mask. Sorted, cells of one shape lie
 * together, and shapes stand in the order in which a packet must meet them.
 */
#ifndef DATAPATH_STEER_CELLS_H
#define DATAPATH_STEER_CELLS_H

#include "services/datapath/steer/steer_program.h"

/* Compared as octets: shape first, then the fields that are looked up whole, then the remote prefix. */
struct cell_key {
	uint8_t stage; /* the lower is met first */
	uint8_t family;
	uint8_t has_protocol;
	uint8_t th_mask[4];
	uint8_t local_bits;
	uint8_t remote_kind; /* a host, a net, anything */
	uint8_t protocol; /* from here on not of the shape */
	uint8_t th[4];
	uint8_t local[16];
	uint8_t remote[16];
	uint8_t remote_bits;
};

struct cell {
	struct cell_key key;
	uint32_t line;
};

struct cells {
	struct cell *cells; /* owned */
	size_t count, room;
};

/*
 * Sorted cells of all lines before *ret_placed; those from there on change too often between letting
 * through and not, in places where they overlap, and are to be tried one by one behind the others.
 */
int cells_make(const struct steer_lines *lines, bool outbound, struct cells *ret_cells,
	size_t *ret_placed) MUST_CHECK;
void cells_done(struct cells *cells);
bool cells_same_shape(const struct cell *a, const struct cell *b);
/* Of one shape: do they differ in their remote prefixes at most? */
bool cells_same_group(const struct cell *a, const struct cell *b);

/* Addresses from @first to @last, for which @line is the first that matches. */
struct cell_range {
	uint8_t first[16], last[16];
	uint32_t line;
};
typedef int (*cell_range_fn)(const struct cell_range *range, void *userdata);
/* Nested prefixes of one group as ranges that do not overlap, in ascending order. */
int cells_flatten(
	const struct cell *cells, size_t count, cell_range_fn fn, void *userdata) MUST_CHECK;

#endif
