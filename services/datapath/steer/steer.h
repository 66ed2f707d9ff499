/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which packets come to us, and what happens while nobody is there: nftables tables (the lid), ip
 * rules and routes. Over-approximation is allowed toward the engine only.
 *
 * Where the kernel has tables that survive their owner (6.9 and later), one table is enough: others
 * can neither flush nor change it. Before, the lid stands in two tables, a plain one and an owned
 * one; losing either leaks nothing, and both are restored when the kernel tells of the loss.
 */
#ifndef DATAPATH_STEER_H
#define DATAPATH_STEER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/base/cleanup.h"
#include "common/spd/spd.h"
#include "services/datapath/engine/engine.h"
#include "services/datapath/steer/steer_program.h"

#define STEER_MAX_UIDS 4
#define STEER_TABLE    "netipsec"

struct steer;

struct steer_options {
	const char *interface; /* "ipsec0"; copied */
	uint32_t route_table;
	uint32_t rule_priority;
	uid_t uids[STEER_MAX_UIDS]; /* whose bypass mark counts, and who may send from port 500 */
	size_t n_uids;
	bool two_tables; /* do as on a kernel before 6.9 */
	uint16_t log_group; /* nflog group that hears of drops, 0: none */
	int owner_fd; /* netlink socket of a former life from the fd store, consumed; -1: none */
};

/* What may come in clear against policy; all of it until steer_set_tunables() says otherwise. */
struct steer_tunables {
	bool icmp_accept_clear, igmp_accept_clear, pim_accept_clear;
};

int steer_new(const struct steer_options *options, struct steer **ret_steer) MUST_CHECK;
/* Leaves everything in place: what is protected is dropped until somebody is back. */
struct steer *steer_free(struct steer *steer);
DEFINE_CLEANUP(struct steer *, steer_free)
/* ip rules, blackhole and TUN routes. Idempotent; call when the TUN is up. */
int steer_routes(struct steer *steer) MUST_CHECK;
/* Does the kernel hold a lid, of a former life or ours? */
int steer_present(struct steer *steer, bool *ret_present) MUST_CHECK;
/* The same of tables that are somebody's own, who lets nobody else in: steer_new() says -EPERM. */
int steer_held(bool *ret_held) MUST_CHECK;
/*
 * Compile and load, replacing what was there in one transaction. @spd NULL: no policy (withdrawn);
 * everything passes and the lid is lifted. @tunnels: borrowed until others are loaded.
 */
int steer_load(
	struct steer *steer, const struct spd *spd, const struct tunnel_table *tunnels) MUST_CHECK;
/* In force at once, without loading the program again. */
int steer_set_tunables(struct steer *steer, const struct steer_tunables *tunables) MUST_CHECK;
/*
 * The addresses of this machine, sorted; copied. Until then it has those of its loopback alone, and a
 * long policy drops what it protects between others. In force for what is loaded when this returns.
 */
int steer_set_own(struct steer *steer, const struct address *addresses, size_t count) MUST_CHECK;
/* Readable when somebody changed nftables. */
int steer_notify_fd(const struct steer *steer);
/* Restores what somebody took away. *ret_restored: was there anything to restore? */
int steer_on_notify(struct steer *steer, bool *ret_restored) MUST_CHECK;
/* For FDSTORE: the socket that owns a table, so that it stays owned while nobody is there. */
int steer_owner_fd(const struct steer *steer);
/* What the kernel counted for the lines of a rule; nothing counted may mean nothing told. */
struct steer_count {
	uint64_t rule_id;
	bool outbound;
	enum steer_verdict verdict;
	uint64_t packets, bytes;
};
int steer_counters(struct steer *steer, void (*fn)(const struct steer_count *count, void *userdata),
	void *userdata) MUST_CHECK;
/* What the kernel's nftables lack, and so is done in another way or not at all. */
enum steer_lack {
	STEER_LACKS_PERSISTENCE = 1 << 0, /* an owned table goes with its owner: two are kept */
	STEER_LACKS_SOCKETS = 1 << 1, /* ESP in UDP needs a bypass rule */
	STEER_LACKS_LOG = 1 << 2, /* drops are counted, and nothing tells of them */
};
/* Those that are known, bits of steer_lack: all once something was loaded. */
unsigned int steer_lacks(const struct steer *steer);
/* Take everything away: the explicit lifting of the lid. */
int steer_remove(struct steer *steer) MUST_CHECK;

#endif
