/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The interface of one tunnel, as the kernel has it; and what is kept of tunnels between lives. */
#ifndef DATAPATH_PLANT_DEVICES_H
#define DATAPATH_PLANT_DEVICES_H

#include "services/datapath/plant/plant_tunnels.h"
#include "services/datapath/steer/netlink.h"

/* Up, with its addresses. What stands there from a former life is taken up. */
int plant_device_open(const struct plant *plant, struct netlink *route, const struct tunnel *tunnel,
	struct tun **ret_tun) MUST_CHECK;
/* @remove: it shall not outlive this process. NULL allowed. */
void plant_device_close(struct tun *tun, bool remove);
/* From one description to another of the same name. */
int plant_device_adjust(struct netlink *route, const struct tun *tun, const struct tunnel *former,
	const struct tunnel *next) MUST_CHECK;
/* Devices of a former life that no slot has. */
int plant_devices_forget_stale(struct plant *plant, struct netlink *route) MUST_CHECK;
/* Which devices are ours, and between which ends IP in IP comes to us. */
void plant_devices_tell_wire(struct plant *plant);

/* plant_tunnels_store.c: tunnels that were added over the bus, in the descriptor store. */
void plant_tunnels_remember(const struct plant *plant);
void plant_tunnels_recall(struct fdstore *store, struct tunnel_list *ret_list);

#endif
