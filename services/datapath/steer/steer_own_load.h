/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lines for this machine's own addresses in the kernel, beside the maps for everything else. */
#ifndef DATAPATH_STEER_OWN_LOAD_H
#define DATAPATH_STEER_OWN_LOAD_H

#include "services/datapath/steer/steer_side.h"

/* What decides the rest, and where packets on `lo` shall go. */
struct own_chains {
	const char *out_chain, *in_chain; /* of the program in maps */
	char own_out[STEER_NAME_MAX], own_in[STEER_NAME_MAX]; /* filled in */
};

/* Not all may be sent yet. */
int steer_own_add(struct loading *loading, const struct steer_program *program,
	const struct steer_own *own, struct own_chains *chains) MUST_CHECK;
/* Former ones, to which nothing leads any more: taken away with the next transaction. */
void steer_own_retire(struct loading *loading);

#endif
