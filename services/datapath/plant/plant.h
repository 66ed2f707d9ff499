/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The machinery behind the control thread: databases, devices, sockets, the lid and the workers,
 * put together in the order in which nothing leaks. Knows no bus and no sections.
 */
#ifndef DATAPATH_PLANT_H
#define DATAPATH_PLANT_H

#include <stdatomic.h>
#include <stdint.h>

#include "services/datapath/counter_store.h"
#include "services/datapath/fdstore.h"
#include "services/datapath/io/groups.h"
#include "services/datapath/locals.h"
#include "services/datapath/plant/plant_annex.h"
#include "services/datapath/plant/plant_tunnels.h"
#include "services/datapath/sad/sadb.h"
#include "services/datapath/settings/settings.h"
#include "services/datapath/steer/nflog.h"
#include "services/datapath/steer/steer.h"
#include "services/datapath/steer/steer_ways.h"
#include "services/datapath/workers/control_lane.h"
#include "services/datapath/workers/worker.h"

struct plant {
	const struct datapath_settings *settings; /* borrowed */
	struct rcu *rcu;
	struct arena *arena;
	struct seqstore *seqstore; /* NULL: the state directory is unusable, */
	int seqstore_error; /* for this reason */
	struct sad *sad;
	struct sadb *sadb;
	struct locals *locals;
	struct steer *steer;
	struct steer_ways ways;
	struct tun host;
	struct groups *groups; /* that it is a member of, */
	bool groups_stale; /* perhaps of some too many */
	struct plant_tunnels tunnels;
	struct plant_annex annex; /* rules beside the policy section */
	struct wire wire;
	struct path_table *paths;
	int natt_error; /* why nobody takes UDP on port 4500, 0: we do */
	int wake_fd; /* readable when a mailbox holds something */
	_Atomic uint32_t path_mtu;
	RCU_POINTER(struct engine_view) view; /* never NULL once open */
	struct counter_store counters;
	struct tunables tunables;
	struct netlink nflog; /* hears of what nftables drops; fd -1: does not */
	struct drops *drops; /* one writer a worker, the control thread's lane, nflog */
	int drops_fd; /* readable when a drop came after drops_arm() */
	struct worker *workers[SAD_MAX_WORKERS];
	size_t n_workers;
	struct control_lane *lane; /* the control thread's own part in working packets */
	_Atomic uint32_t sync; /* ENGINE_SYNC_*: protocols that go there */
	struct budget budget; /* of all these threads */
	unsigned int told_lacks; /* of the kernel's, bits of steer_lack */
	bool was_lidded; /* the kernel held a lid when we came, */
	bool loaded; /* and it was replaced since */
	uint64_t enforced_usec; /* CLOCK_BOOTTIME of the last change of policy */
};

/*
 * Everything but the workers and the policy. What a former life left is taken up: SAs from the
 * arena, the lid as it stands. *ret_fault, when the result is negative: static text, what failed.
 */
int plant_open(const struct datapath_settings *settings, struct fdstore *store,
	struct plant **ret_plant, const char **ret_fault) MUST_CHECK;
/* What the lid is made with, by the daemon and before it; strings are borrowed from @settings. */
void plant_steer_options(
	const struct datapath_settings *settings, struct steer_options *ret_options);
/* Stops the workers; the lid stays. */
struct plant *plant_free(struct plant *plant);
DEFINE_CLEANUP(struct plant *, plant_free)
int plant_start(struct plant *plant) MUST_CHECK;

/*
 * Put a policy in force: the engine first, then the lid, so that a packet that is steered to us
 * finds its rule. @spd: consumed in any case; NULL: none, everything passes but what the annex says.
 */
int plant_enforce(struct plant *plant, struct spd *spd, uint64_t generation) MUST_CHECK;
/* Where packets are worked from here on, and how much of the CPUs that may take. */
void plant_set_execution(struct plant *plant, const struct alg_execution *execution);
/*
 * The policy stays, tunnels are these from now on. @slots: as workers see them, borrowed until they
 * are replaced; @dense: the same without gaps for the kernel's lid. Both as before on failure.
 */
int plant_enforce_tunnels(struct plant *plant, const struct tunnel_table *slots,
	const struct tunnel_table *dense) MUST_CHECK;
/* Once a second: lifetimes, memory of former versions, the end of a change of policy. */
void plant_tick(struct plant *plant);
/* The policy in force; control thread. */
const struct engine_view *plant_view(const struct plant *plant);
/* Does the kernel still hold the lid of a former life, whose policy we do not have? */
bool plant_holds_lid(const struct plant *plant);
/* What workers have to say: acquires go to the SADB. True: run states raised events. */
bool plant_hear(struct plant *plant);
/* A device is gone: the plant must be built anew. */
bool plant_is_broken(const struct plant *plant);
/* Links or addresses changed. */
int plant_follow_links(struct plant *plant) MUST_CHECK;
/* One packet count a verdict, over all workers and the kernel's lines. */
int plant_counters(struct plant *plant, uint64_t ret_packets[static VERDICT_COUNT]) MUST_CHECK;
/* plant_words.c: names of what drops and acquires carry as numbers; the rules in force count. */
const struct rule *plant_find_rule(const struct plant *plant, uint64_t id); /* NULL: not any more */
/* "/etc/inet/ipsecinit.conf:3"; nothing when the rule is not in force any more. */
void plant_rule_place(const struct plant *plant, uint64_t id, struct text *text);
void plant_tunnel_name(const struct plant *plant, int tunnel, struct text *text); /* -1: nothing */
/* Return: 0 or -ERANGE. */
int plant_set_tunable(struct plant *plant, enum tunable which, uint64_t value) MUST_CHECK;
/* A clean stop: what was reserved ahead is given back. Workers are stopped first. */
int plant_settle(struct plant *plant) MUST_CHECK;

#endif
