/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One table of the lid: a program loaded into it in place of the former one, and what its counters
 * say. Used by steer.c, which knows how many tables there must be.
 */
#ifndef DATAPATH_STEER_LID_H
#define DATAPATH_STEER_LID_H

#include "services/datapath/steer/nft.h"
#include "services/datapath/steer/steer_own.h"
#include "services/datapath/steer/steer_rules.h"

/* The one whose flags say owner is owned by `nl`. */
struct lid {
	const char *table;
	uint32_t flags;
	bool counts; /* packets that pass several lids are counted in the first */
	struct netlink nl;
	uint32_t transactions; /* sent and taken so far */
	size_t chunk; /* octets that one transaction may have; 0: not asked yet */
};

/* What is to be loaded; all borrowed. */
struct steer_image {
	const struct steer_program *program;
	/* Lines for this machine's own addresses, for a program in maps; NULL: one that is a list. */
	const struct steer_own *own;
	const struct steer_tunables *tunables;
	struct steer_frame frame; /* its chains and delay are filled in for each lid */
};

/* @owner_fd: consumed. -1: none. */
int lid_open(struct lid *lid, const char *table, uint32_t flags, int owner_fd) MUST_CHECK;
/* A probe: can this table, made or adopted, have these flags? */
int lid_try(struct lid *lid) MUST_CHECK;
int lid_exists(struct lid *lid, bool *ret_exists) MUST_CHECK;
int lid_load(struct lid *lid, const struct steer_image *image) MUST_CHECK;
/* The same program with other own addresses: only what stands for them is replaced. */
int lid_load_own(struct lid *lid, const struct steer_image *image) MUST_CHECK;
/* Sent as one transaction, and counted. */
int lid_commit(struct lid *lid, struct nft_batch *batch) MUST_CHECK;
/* Other tunables for what was loaded. */
int lid_exempt(struct lid *lid, const struct steer_tunables *tunables) MUST_CHECK;
/* What counters and elements say, summed up by name. */
int lid_counters(struct lid *lid, nft_counter_fn fn, void *userdata) MUST_CHECK;

#endif
