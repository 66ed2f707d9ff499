/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Cutting an IP packet into fragments (RFC 791 section 3.2, RFC 8200 section 4.5); no devices. */
#ifndef DATAPATH_FRAGMENT_H
#define DATAPATH_FRAGMENT_H

#include "services/datapath/packet/packet.h"

/* The kernel does not fragment packets that come with their header, so we do. */
struct fragment_plan {
	const struct packet *pkt; /* borrowed; whole, sound */
	struct packet_view view;
	size_t mtu;
	uint32_t id; /* the same for all fragments; not 0 */
	size_t kept; /* header bytes that every fragment carries, fragment header apart */
	size_t step; /* payload bytes of each fragment but the last, a multiple of 8 */
	size_t count;
};

/*
 * Return: false when the packet must not or cannot be cut: DF, a fragment already, MTU too small.
 */
bool fragment_plan(struct packet *pkt, size_t mtu, uint32_t id, struct fragment_plan *ret_plan);
/* Fragment @i (< count) into @out, which is initialised here on its own buffer of PACKET_BUFFER. */
void fragment_make(const struct fragment_plan *plan, size_t i, struct packet *out);

#endif
