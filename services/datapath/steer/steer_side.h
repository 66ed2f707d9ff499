/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lines of one direction on their way into a table: maps filled in chunks where nothing leads to,
 * and the chains that ask them.
 */
#ifndef DATAPATH_STEER_SIDE_H
#define DATAPATH_STEER_SIDE_H

#include "services/datapath/steer/steer_former.h"
#include "services/datapath/steer/steer_lid.h"
#include "services/datapath/steer/steer_plan.h"

/* One program on its way into one table; all borrowed. */
struct loading {
	struct lid *lid;
	struct nft_batch *batch;
	struct former *former;
	struct former_count *wanted; /* named counters that the program uses; owned, sorted */
	size_t n_wanted;
};

/* Chains and maps have names that begin alike. */
struct side {
	const struct steer_lines *lines;
	const struct steer_plan *plan;
	const char *chain;
	const char *then; /* where packets go that no line knows; NULL: back */
	bool outbound;
	/* Where the lines lead, by effect: a chain, "" is accept. NULL: where their verdicts do. */
	char (*targets)[STEER_NAME_MAX];
	bool uncounted;
};

int loading_commit(struct loading *loading) MUST_CHECK;
int loading_commit_when_full(struct loading *loading) MUST_CHECK;
/* What the kernel counted for a name so far; the first who asks goes on from it. */
void loading_take_count(
	struct loading *loading, const char *name, uint64_t *packets, uint64_t *bytes);
/* The name of a part of a chain, or of the map of one of its layers. */
void steer_side_name_part(char ret_name[static STEER_NAME_MAX], const char *chain, size_t number);
/* Where a line leads; NULL: accept. */
const char *steer_side_target(const struct side *side, size_t line);
/* The counter of a line; NULL: it has none here. */
const char *steer_side_counter(const struct loading *loading, const struct side *side, size_t line,
	char ret_name[static STEER_COUNTER_MAX]);
/* Return: 0 or negative errno; not all may be sent yet. */
int steer_side_add(struct loading *loading, const struct side *side) MUST_CHECK;
/* Behind the lines of a side those of the audit rules, if there are any. */
int steer_side_add_with(struct loading *loading, const struct side *side,
	const struct steer_side *audit) MUST_CHECK;

#endif
