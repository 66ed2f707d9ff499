/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packets on their way from a worker to the control thread: a bounded ring with one writer and one
 * reader. Nothing is lost in it; who finds it full waits, and so the devices' queues fill instead.
 */
#ifndef DATAPATH_HANDOVER_H
#define DATAPATH_HANDOVER_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/cleanup.h"
#include "services/datapath/packet/packet.h"

#define HANDOVER_ROOM 128U /* packets; a power of two */

struct handover;

/* @wake_fd: eventfd of the reader; borrowed. */
int handover_new(int wake_fd, struct handover **ret_handover) MUST_CHECK;
struct handover *handover_free(struct handover *handover);
DEFINE_CLEANUP(struct handover *, handover_free)

/* Which way a packet goes, beside what it is. */
struct handover_way {
	bool inbound;
	int tunnel; /* outbound: that it came from */
};

/* Writer. The packet is copied. False: there is no room. */
bool handover_put(struct handover *handover, const struct packet *pkt, struct handover_way way);
/* Writer: tell the reader what was put. */
void handover_tell(const struct handover *handover);
/* Writer: wait until @room packets fit. False: @stop_fd became readable before that. */
bool handover_wait(struct handover *handover, size_t room, int stop_fd);

/* Writer: has everything that was put gone? */
bool handover_is_empty(const struct handover *handover);

/*
 * Reader: up to @n packets that go one way, in their order and in the ring's own buffers, where they
 * may be worked on until handover_done(). Return: how many.
 */
size_t handover_take(struct handover *handover, struct packet **ret_pkts, size_t n,
	struct handover_way *ret_way);
/* Reader: the first @n have gone. */
void handover_done(struct handover *handover, size_t n);

#endif
