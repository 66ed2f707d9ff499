/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which packets come to us, and what happens while nobody is there: nftables tables (the lid), ip
 * rules and routes. Over-approximation is allowed toward the engine only.
 */
#ifndef DATAPATH_STEER_H
#define DATAPATH_STEER_H

#include <stdint.h>
#include <sys/types.h>

#include "common/base/cleanup.h"
#include "common/base/text.h"
#include "common/spd/spd.h"
#include "services/datapath/engine.h"

struct steer;

struct steer_options {
	const char *interface; /* "ipsec0" */
	uint32_t route_table; /* 0x4950 */
	uint32_t rule_priority;
	uid_t bypass_uid; /* whose bypass mark counts */
	int owner_fd; /* netlink socket of a former life from the fd store, consumed; -1: none */
};

int steer_new(const struct steer_options *options, struct steer **ret_steer) MUST_CHECK;
/* Leaves everything in place: what is protected is dropped until somebody is back. */
struct steer *steer_free(struct steer *steer);
DEFINE_CLEANUP(struct steer *, steer_free)
/* ip rules, blackhole and TUN routes. Idempotent; call when the TUN is up. */
int steer_routes(struct steer *steer) MUST_CHECK;
/*
 * Compile and load in one transaction, replacing what was there. @spd NULL: no policy (withdrawn);
 * everything passes and the lid is lifted.
 */
int steer_load(struct steer *steer, const struct spd *spd, const struct tunnel_table *tunnels)
	MUST_CHECK;
/* The netlink sockets to poll for the table-deleted notice, and what to call when readable. */
int steer_notify_fd(const struct steer *steer);
int steer_on_notify(struct steer *steer) MUST_CHECK; /* restores a table that somebody removed */
/* For FDSTORE: socket that owns the second table; -1 when persist is there. */
int steer_owner_fd(const struct steer *steer);
/* Packets and bytes that the kernel counted for a rule id (bypass, drop, inbound clear). */
int steer_counters(struct steer *steer,
	void (*fn)(uint64_t rule_id, const char *what, uint64_t packets, uint64_t bytes, void *userdata),
	void *userdata) MUST_CHECK;
/* Take everything away: the explicit lifting of the lid. */
int steer_remove(struct steer *steer) MUST_CHECK;

#endif
