/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A packet worker: one thread that takes batches from its TUN queues and from the wire, runs the
 * engine on them to completion and sends what comes out. Shares no lock with other workers.
 */
#ifndef DATAPATH_WORKER_H
#define DATAPATH_WORKER_H

#include <stdatomic.h>
#include <stddef.h>

#include "common/base/rcu.h"
#include "services/datapath/workers/budget.h"
#include "services/datapath/drops/drops.h"
#include "services/datapath/engine/engine.h"
#include "services/datapath/workers/handover.h"
#include "services/datapath/workers/mailbox.h"
#include "services/datapath/io/tun.h"
#include "services/datapath/io/wire.h"
#include "services/datapath/settings/tunables.h"

/* Everything is borrowed until worker_stop(). */
struct worker_setup {
	unsigned int index; /* also the number of its queue */
	struct rcu *rcu;
	RCU_POINTER(struct engine_view) const *view;
	const struct wire *wire;
	const struct tun *host; /* where host policy's packets come from */
	/* By slot of the tunnel table, ENGINE_MAX_TUNNELS of them; NULL: none there. May change. */
	RCU_POINTER(struct tun) const *tunnels;
	struct frag_store *const *fragments; /* one a tunnel */
	struct path_table *paths; /* what ICMP errors taught; shared by all workers */
	const struct tunables *tunables; /* may change */
	struct drops_ring *drops; /* of this worker alone */
	const _Atomic uint32_t *path_mtu; /* of outer packets; may change */
	struct counters *counters; /* of this worker alone */
	const _Atomic uint32_t
		*sync; /* ENGINE_SYNC_*: what goes to the control thread; may change */
	struct budget *budget; /* that all threads of the engine share */
	int wake_fd; /* eventfd of the control thread */
	struct sadb
		*sadb; /* the control thread's own station: it may wait for the disk; else NULL */
};

struct worker;

int worker_start(const struct worker_setup *setup, struct worker **ret_worker) MUST_CHECK;
/* Ends the thread, waits for it. */
struct worker *worker_stop(struct worker *worker);
DEFINE_CLEANUP(struct worker *, worker_stop)

/* Control thread: packets come from the device of this slot, or none any more. */
int worker_watch_tunnel(struct worker *worker, size_t slot) MUST_CHECK;
void worker_unwatch_tunnel(struct worker *worker, size_t slot);

struct mailbox *worker_mailbox(struct worker *worker);
struct handover *worker_handover(struct worker *worker);

#endif
