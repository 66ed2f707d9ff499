/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a table holds before it is replaced: names to delete, counts to go on from. */
#ifndef DATAPATH_STEER_FORMER_H
#define DATAPATH_STEER_FORMER_H

#include "services/datapath/steer/nft.h"
#include "services/datapath/steer/steer_program.h"

#define STEER_NAME_MAX 32 /* of our chains and maps */
#define OUT_PREFIX     "out-"
#define IN_PREFIX      "in-"
#define OWN_PREFIX     "lo-" /* of lines for our own addresses beside maps */

struct former_count {
	char name[STEER_COUNTER_MAX];
	uint64_t packets, bytes;
	bool taken; /* by an element of the next program */
};

struct former {
	char (*chains)[STEER_NAME_MAX], (*maps)[STEER_NAME_MAX];
	char (*own_chains)[STEER_NAME_MAX], (*own_maps)[STEER_NAME_MAX];
	size_t n_chains, n_maps, n_own_chains, n_own_maps;
	struct former_count *named,
		*counted; /* named counters; those and elements, summed up; sorted */
	size_t n_named, n_counted;
	uint32_t serial; /* highest number of its policy chains */
	uint32_t own_serial; /* and of those for own addresses */
};

enum former_counts { FORMER_NO_COUNTS, FORMER_COUNTS, FORMER_OWN_COUNTS };
int former_read(struct netlink *nl, const char *table, enum former_counts counts,
	struct former *former) MUST_CHECK;
void former_done(struct former *former);
/* NULL: there is none of this name. */
struct former_count *former_find(struct former_count *counts, size_t n, const char *name);

#endif
