/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What goes to a multicast group under a protecting rule. The kernel does not route it by its mark:
 * it follows the link that its sender chose. So a copy of it is given to the TUN, and the packet
 * itself goes nowhere, without its sender being told of an error. The statement for that exists in tables of one family only.
 */
#ifndef DATAPATH_STEER_GROUP_H
#define DATAPATH_STEER_GROUP_H

#include <stdint.h>

#include "services/datapath/steer/steer_lid.h"

/* Groups reach the TUN by a table of their own: ip rules and routes. Idempotent. */
int steer_group_routes(struct netlink *nl, int family, const char *interface, uint32_t table,
	uint32_t priority) MUST_CHECK;
int steer_group_unroute(struct netlink *nl, int family, const char *interface, uint32_t table,
	uint32_t priority) MUST_CHECK;
/*
 * Tables of the lid's name and flags beside it. A kernel without the statement, or without the
 * interface, goes without them: then the guard drops what is sent to groups.
 */
int steer_group_load(struct lid *lid, const char *interface) MUST_CHECK;
/* For the guard: what the kernel will not let out of the host may pass it. */
void steer_group_pass(struct nft_batch *batch, const char *chain);
int steer_group_remove(struct lid *lid) MUST_CHECK;

#endif
