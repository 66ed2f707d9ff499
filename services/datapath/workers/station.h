/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a thread that works packets has around it: an engine of its own, ways out, a mailbox to the
 * control thread. Packet workers have one each, and so has the control thread itself.
 */
#ifndef DATAPATH_STATION_H
#define DATAPATH_STATION_H

#include "services/datapath/workers/worker.h"

struct station;

int station_new(const struct worker_setup *setup, struct station **ret_station) MUST_CHECK;
struct station *station_free(struct station *station);
DEFINE_CLEANUP(struct station *, station_free)

/* All borrowed. */
struct engine *station_engine(struct station *station);
struct wire_port *station_port(struct station *station);
struct mailbox *station_mailbox(struct station *station);

/* Once a round: what changed around the engine. */
void station_refresh(struct station *station);
/*
 * Send what became of a batch, n <= ENGINE_BATCH, except what is left to the control thread.
 * @pkts: their buffers are free for the fragments that follow.
 */
void station_deliver(struct station *station, struct packet *const *pkts,
	struct engine_result *results, size_t n, enum direction direction);

#endif
