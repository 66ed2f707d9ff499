/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The anti-replay window of one inbound SA (RFC 4303 section 3.4.3, appendix A2). */
#ifndef DATAPATH_REPLAY_H
#define DATAPATH_REPLAY_H

#include <stdbool.h>
#include <stdint.h>

#include "services/datapath/replay/sa_run.h"

enum replay_verdict {
	REPLAY_OK,
	REPLAY_SEEN,
	REPLAY_STALE,
	REPLAY_AHEAD /* of what the disk knows: taken now, it could be replayed when memory is lost */
};

/**
 * replay_check() - would this sequence number be accepted?
 * @run:     run state; not changed. The caller holds its lock.
 * @esn:     64-bit numbers
 * @seq_low: low 32 bits from the packet, host order
 * @ret_seq: the 64-bit number to verify the ICV with; written on REPLAY_OK only. Without a window
 *           every number but an exhausted one is fine, and the high half is inferred from top.
 *
 * Call before the ICV check and replay_accept() after it: a packet that is not authentic must
 * never move the window.
 */
enum replay_verdict replay_check(
	const struct sa_run *run, bool esn, uint32_t seq_low, uint64_t *ret_seq);
/*
 * The number is authentic: move the window. REPLAY_SEEN when another worker was faster. REPLAY_AHEAD:
 * the window stays where it is, and the control thread is asked to reserve more.
 */
enum replay_verdict replay_accept(struct sa_run *run, uint64_t seq);
/* Of a thread that may wait for the disk: makes room for this number. False: there is none to be had. */
struct replay_room {
	bool (*make)(void *userdata, uint64_t seq);
	void *userdata;
};
/* The same with @room made where the window has none; NULL: by nobody. The lock is dropped meanwhile. */
enum replay_verdict replay_accept_with(
	struct sa_run *run, uint64_t seq, const struct replay_room *room);
/*
 * Of a number that nobody vouches for yet, without lock: is it above what the disk knows of? With
 * @esn also true of numbers that are far too old.
 */
bool replay_is_ahead(const struct sa_run *run, bool esn, uint32_t seq_low);
/* Without a window: the low half of the highest authentic number; else 0, nobody asks. */
uint32_t replay_top(struct sa_run *run);
/* What an earlier life or key management knows: everything up to @top counts as seen. */
void replay_set_top(struct sa_run *run, uint64_t top);
/* A lock held for one batch; whoever restores a run state from the arena must clear it first. */
void replay_lock(struct sa_run *run);
void replay_unlock(struct sa_run *run);

#endif
