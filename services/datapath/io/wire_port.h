/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a worker's side of the wire is made of, and what the files of the wire share. */
#ifndef DATAPATH_WIRE_PORT_H
#define DATAPATH_WIRE_PORT_H

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "services/datapath/io/wire.h"

#define WIRE_CONTROL_BYTES 512

/* Where a packet came from; the port is in the same place in both. */
struct wire_from {
	union {
		struct sockaddr_in four;
		struct sockaddr_in6 six;
	};
};

struct wire_port {
	const struct wire *wire;
	struct path_mtu *mtus;
	struct path_copy *paths;
	uint32_t fragment_id;
	struct mmsghdr msgs[WIRE_BATCH];
	struct iovec iovs[WIRE_BATCH];
	struct wire_from names[WIRE_BATCH];
	_Alignas(struct cmsghdr) uint8_t control[WIRE_BATCH][WIRE_CONTROL_BYTES];
	uint8_t fragment[PACKET_BUFFER];
};

/* wire.c */
int wire_set_option(int fd, int level, int option, int value) MUST_CHECK;
int wire_ask_headers(int fd) MUST_CHECK; /* of IPv6 packets */
void wire_force_buffer(int fd, int forced, int plain);

/* wire_natt.c: the headers before a UDP payload in @pkt; false: they cannot be told. */
bool wire_restore_udp(
	const struct wire *wire, struct packet *pkt, const struct wire_from *from, int ifindex);
bool wire_restore_ipv4(const struct wire *wire, struct packet *pkt, const struct wire_from *from,
	struct msghdr *msg);

#endif
