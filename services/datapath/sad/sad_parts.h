/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Between the files of the SAD: its tables, the shapes of its outbound SAs, and what workers and
 * walkers leave with it.
 */
#ifndef DATAPATH_SAD_PARTS_H
#define DATAPATH_SAD_PARTS_H

#include "common/base/hash.h"
#include "services/datapath/sad/sad.h"
#include "services/datapath/sad/sad_card.h"
#include "services/datapath/sad/sad_index.h"

/*
 * Outbound SAs are found by what they ask of a packet: which of its fields they name, and how many
 * bits of the inner addresses, is an SA's shape. A look-up tries each shape that there is, and in each
 * only those SAs that name just these values. More shapes than these share one that names nothing.
 */
#define SAD_MAX_SHAPES 256U
#define SAD_SHAPE_FREE UINT64_MAX

struct sad_shapes {
	_Atomic size_t n; /* in use, free ones among them included */
	_Atomic uint64_t codes[SAD_MAX_SHAPES];
	size_t counts[SAD_MAX_SHAPES]; /* of the writer */
};

struct sad {
	struct rcu *rcu;
	struct hash_key hash_key, flow_key;
	struct sad_index by_key, by_names; /* every SA; outbound ones by what they name */
	struct sad_shapes shapes;
	size_t count;
	uint64_t next_serial;
	_Atomic uint64_t generation;
	_Atomic bool oldest_first, managed;
	struct sad_entry *oldest, *newest;
	_Atomic(struct sad_entry *) raised; /* by workers, the last one first */
	struct sad_entry *gathered; /* of those, what the control thread has not seen to */
	struct sad_cursor *cursors;
	struct suite_lane *lanes[SAD_MAX_WORKERS]; /* of each worker, made by it */
	struct sad_cards cards;
};

/* sad_shape.c */
/* The code under which this SA counts from here on. */
uint64_t sad_shape_take(struct sad *sad, const struct sa *sa);
void sad_shape_drop(struct sad *sad, uint64_t code);
/* Of the values that an SA of this shape names. */
uint64_t sad_shape_hash(const struct sad *sad, uint64_t code, const struct sa *sa);
/* Where those with the fields of what is looked for stand. False: no SA of the shape can fit. */
bool sad_shape_probe(
	const struct sad *sad, uint64_t code, const struct sad_query *query, uint32_t *ret_tag);

/* May packets use the SA? */
static inline bool sad_run_is_usable(const struct sa_run *run)
{
	uint32_t state = atomic_load_explicit(&run->state, memory_order_relaxed);

	return state == SA_MATURE || state == SA_DYING;
}

/* sad_key.c: under which an SA with this key stands in the table. */
uint32_t sad_key_tag(
	const struct sad *sad, enum sa_proto proto, uint32_t spi, const struct address *dst);
/* What makes a flow itself, as a number that is not 0. */
uint64_t sad_flow_hash(const struct sad *sad, const struct flow *flow);

/* sad_list.c: an entry leaves; @next stands in its place, or nobody. */
void sad_cursors_pass(struct sad *sad, const struct sad_entry *entry, struct sad_entry *next);
void sad_raised_forget(struct sad_entry *entry);

#endif
