/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a worker's side of the wire is made of; only wire_receive.c and wire_send.c look inside. */
#ifndef DATAPATH_WIRE_PORT_H
#define DATAPATH_WIRE_PORT_H

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "services/datapath/io/wire.h"

#define WIRE_CONTROL_BYTES 512

struct wire_port {
	const struct wire *wire;
	struct path_mtu *mtus;
	struct path_copy *paths;
	uint32_t fragment_id;
	struct mmsghdr msgs[WIRE_BATCH];
	struct iovec iovs[WIRE_BATCH];
	union {
		struct sockaddr_in four;
		struct sockaddr_in6 six;
	} names[WIRE_BATCH];
	_Alignas(struct cmsghdr) uint8_t control[WIRE_BATCH][WIRE_CONTROL_BYTES];
	uint8_t fragment[PACKET_BUFFER];
};

#endif
