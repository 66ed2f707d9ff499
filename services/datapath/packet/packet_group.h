/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Multicast packets of programs here, which must leave by the interface that the program chose. */
#ifndef DATAPATH_PACKET_GROUP_H
#define DATAPATH_PACKET_GROUP_H

#include "services/datapath/packet/packet.h"

/*
 * The number that nftables wrote into the identification or the flow label becomes pkt->out_device,
 * and the header is whole again. Nobody may be told that a packet to a group is too big (RFC 1122
 * section 3.2.2), so IPv4 routers may cut it. What goes to no group is left alone.
 */
void packet_take_device(struct packet *pkt, uint16_t id);

#endif
