/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ways to the TUN: ip rules, routes, and the interface being up. Without them what is protected
 * goes nowhere, which leaks nothing and helps nobody. Others take them away: network managers drop
 * rules that they did not make, and routes go with an interface that was down for a moment.
 */
#ifndef DATAPATH_STEER_WAYS_H
#define DATAPATH_STEER_WAYS_H

#include <stdbool.h>
#include <stdint.h>

#include "services/datapath/steer/netlink.h"

struct steer_ways {
	struct netlink notices;
	uint32_t table, priority; /* of our rules and routes */
	int ifindex; /* the TUN, */
	uint32_t mtu; /* which has this */
};

/* Notices come from here on. @ways: all but the socket is filled in. */
int steer_ways_open(struct steer_ways *ways) MUST_CHECK;
void steer_ways_close(struct steer_ways *ways);
/* What was told since the last time. *ret_lost: something of ours went, or it cannot be known. */
int steer_ways_hear(struct steer_ways *ways, bool *ret_lost) MUST_CHECK;

#endif
