/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packets of protocols that are executed synchronously: workers hand them over, the control thread
 * works them between its other tasks, with a station of its own.
 */
#ifndef DATAPATH_CONTROL_LANE_H
#define DATAPATH_CONTROL_LANE_H

#include "services/datapath/workers/handover.h"
#include "services/datapath/workers/worker.h"

struct control_lane;

/* @setup: of the control thread; its index is SAD_CONTROL_WORKER. */
int control_lane_new(const struct worker_setup *setup, struct control_lane **ret_lane) MUST_CHECK;
struct control_lane *control_lane_free(struct control_lane *lane);
DEFINE_CLEANUP(struct control_lane *, control_lane_free)

/* A packet that waited for its SA: work it here and now. False: it is too long for a buffer. */
bool control_lane_put(
	struct control_lane *lane, const uint8_t *bytes, size_t len, struct handover_way way);

/* Send a dummy packet of this SA. */
void control_lane_dummy(struct control_lane *lane, struct sad_entry *entry);

struct mailbox *control_lane_mailbox(struct control_lane *lane);
/* Work some of what one worker has handed over; raises the wake_fd again when more is there. */
void control_lane_run(struct control_lane *lane, struct handover *handover);

#endif
