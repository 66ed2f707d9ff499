/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One line in the journal about a dropped packet, so seldom as the tunable wants it; how many went
 * without is told by the next one.
 */
#ifndef DATAPATH_POLICY_LOG_H
#define DATAPATH_POLICY_LOG_H

#include "services/datapath/drops/drops.h"
#include "services/datapath/plant/plant.h"

/* Lets one pass in an interval. */
struct drop_limit {
	bool begun;
	uint64_t last_usec; /* when one passed */
	uint64_t held; /* since then */
};

/* True: this one passes; *ret_held: how many did not since the last that did. */
bool drop_limit_pass(
	struct drop_limit *limit, uint64_t interval_usec, uint64_t now_usec, uint64_t *ret_held);
/* Does the tunable want to hear of such drops at all? */
bool policy_log_wants(const struct tunables *tunables, const struct drop *drop);
/* To the journal, as often as `_ipsec_policy_log_interval` allows. */
void policy_log_drop(const struct plant *plant, struct drop_limit *limit, const struct drop *drop);

/* "esp 192.0.2.7 > 192.0.2.1 spi 0x00000100", in packet direction; nothing when it is not known. */
void drop_print_flow(const struct drop *drop, struct text *text);

#endif
