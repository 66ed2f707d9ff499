/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Of a program that stands in maps, the lines that packets of this machine with itself can meet:
 * those whose two ends both have room for one of its own addresses. They are few in most policies,
 * and they decide exactly, by the action and not only by the verdict. Knows no netlink.
 */
#ifndef DATAPATH_STEER_OWN_H
#define DATAPATH_STEER_OWN_H

#include "services/datapath/steer/steer_program.h"

enum own_effect {
	OWN_ACCEPT,
	OWN_DROP,
	OWN_ACTION
}; /* of lines outbound; + number of the action */
#define OWN_OUT_EFFECTS (OWN_ACTION + STEER_ACTION_OTHER + 1)

struct steer_own {
	/* Packets whose source, and whose destination, is one of ours: a line an address. */
	struct steer_side from, to;
	struct steer_side out, in;
	/* Of each effect inbound, a line that has it: one for each combination of alternatives. */
	uint32_t *models; /* owned */
	size_t n_models;
};

/* @addresses: sorted; loopback and groups belong to them anyhow. Return: 0 or -ENOMEM. */
int steer_own_new(const struct steer_program *program, const struct address *addresses,
	size_t count, struct steer_own **ret_own) MUST_CHECK;
struct steer_own *steer_own_free(struct steer_own *own);
DEFINE_CLEANUP(struct steer_own *, steer_own_free)

#endif
