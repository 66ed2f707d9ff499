/* SPDX-License-Identifier: GPL-2.0-or-later */
/* TUN devices: where packets that are to be protected come from, and opened ones go to. */
#ifndef DATAPATH_TUN_H
#define DATAPATH_TUN_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/cleanup.h"
#include "services/datapath/packet/packet.h"

#define TUN_MTU 65535

/* One device; each queue is read and written by one worker. */
struct tun {
	char name[IFNAMSIZ];
	int ifindex;
	size_t n_queues;
	int *queues; /* descriptors, non-blocking; owned */
};

/*
 * Make the device @name with this many queues, or take it up where it stands without a process; it is
 * down until rtnl_link_setup(). @lasting: it outlives the process, with its addresses and routes.
 * -EBUSY: somebody else has it.
 */
int tun_open(const char *name, size_t n_queues, bool lasting, struct tun *ret_tun) MUST_CHECK;
void tun_close(struct tun *tun);
/* With its last queue it goes too. */
void tun_forget(struct tun *tun);

/*
 * Read up to @n packets, each into its buffer (packet_init() done by the caller).
 * Return: how many, 0 when nothing is there, negative errno when the device is gone.
 */
int tun_read(int queue, struct packet **pkts, size_t n) MUST_CHECK;
/* Write packets to the local stack. Return: how many the kernel took. */
size_t tun_write(int queue, struct packet *const *pkts, size_t n);

#endif
