/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What nftables drops by policy, as it tells: a word for the reason and the head of the packet. Each
 * reason comes at most some hundred times a second; counters have all of them.
 */
#ifndef DATAPATH_NFLOG_H
#define DATAPATH_NFLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "services/datapath/packet/counters.h"
#include "services/datapath/steer/netlink.h"

/* Listens to a group. -EBUSY: somebody else does. */
int nflog_open(uint16_t group, struct netlink *ret_nl) MUST_CHECK;

struct nflog_drop {
	enum verdict verdict;
	bool outbound;
	const uint8_t *packet; /* borrowed; from the IP header on, perhaps not all of it */
	size_t len;
};
typedef void (*nflog_fn)(const struct nflog_drop *drop, void *userdata);
/* One message, as the kernel sends it; others are passed over. */
void nflog_message(const struct nlmsghdr *msg, nflog_fn fn, void *userdata);
/* Those that are there, without waiting. 0, also when some were lost. */
int nflog_read(struct netlink *nl, nflog_fn fn, void *userdata) MUST_CHECK;

#endif
