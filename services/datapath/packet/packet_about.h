/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ICMP errors and the packets that they are about, which host policy judges them by. */
#ifndef DATAPATH_PACKET_ABOUT_H
#define DATAPATH_PACKET_ABOUT_H

#include "services/datapath/packet/packet.h"

enum packet_subject {
	PACKET_ITSELF, /* no error: policy looks at the packet */
	PACKET_ANOTHER, /* an error: policy looks at the packet inside, reversed */
	PACKET_UNREADABLE, /* an error that does not show all of what rules may name */
};

/* An ICMP error that brings back a part of the packet that caused it; redirects are none. */
bool packet_is_error(const struct packet *pkt, const struct packet_view *view);
/*
 * Selector fields of what host policy is to look at: those of packet_flow(), or, with PACKET_ANOTHER,
 * those of the enclosed packet as if it went the way of the error.
 */
enum packet_subject packet_subject(const struct packet *pkt, const struct packet_view *view,
	enum direction direction, struct flow *ret_flow);
/*
 * Does the error say that the packet it brings back was too long, and was it longer than what it says
 * would have fitted? *ret_mtu: that, as told; nobody has signed it.
 */
bool packet_was_too_big(
	const struct packet *pkt, const struct packet_view *view, uint32_t *ret_mtu);

#endif
