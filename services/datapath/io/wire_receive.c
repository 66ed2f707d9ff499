/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packets from raw sockets; IPv6 ones come without their headers, which are made again here. */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "common/base/bytes.h"
#include "services/datapath/io/wire_port.h"

#define IPV6_HEADER    40
#define HOP_LIMIT_ELSE 64

/* More than that in front of AH or ESP is nobody's but an attacker's. */
#define MAX_EXTENSIONS 8

struct extension {
	uint8_t number;
	const uint8_t *bytes;
	size_t len;
};

/* Ancillary data of one IPv6 packet. */
struct headers {
	struct in6_addr dst;
	int hop_limit, traffic_class, ifindex;
	struct extension
		extensions[MAX_EXTENSIONS]; /* as they stood: the kernel tells in that order */
	size_t n_extensions;
	bool too_many;
};

static void read_int(const struct cmsghdr *cmsg, int *ret)
{
	if (cmsg->cmsg_len >= CMSG_LEN(sizeof(*ret)))
		memcpy(ret, CMSG_DATA(cmsg), sizeof(*ret));
}

static void read_extension(const struct cmsghdr *cmsg, uint8_t number, struct headers *headers)
{
	struct extension extension = {
		.number = number, .bytes = CMSG_DATA(cmsg), .len = cmsg->cmsg_len - CMSG_LEN(0)
	};

	if (headers->n_extensions == MAX_EXTENSIONS || extension.len < 8)
		headers->too_many = true;
	else
		headers->extensions[headers->n_extensions++] = extension;
}

static void read_control(struct msghdr *msg, struct headers *headers)
{
	struct in6_pktinfo info;

	for (struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg); cmsg; cmsg = CMSG_NXTHDR(msg, cmsg)) {
		if (cmsg->cmsg_level != IPPROTO_IPV6)
			continue;
		switch (cmsg->cmsg_type) {
		case IPV6_PKTINFO:
			if (cmsg->cmsg_len >= CMSG_LEN(sizeof(info))) {
				memcpy(&info, CMSG_DATA(cmsg), sizeof(info));
				headers->dst = info.ipi6_addr;
				headers->ifindex = (int)info.ipi6_ifindex;
			}
			break;
		case IPV6_HOPLIMIT:
			read_int(cmsg, &headers->hop_limit);
			break;
		case IPV6_TCLASS:
			read_int(cmsg, &headers->traffic_class);
			break;
		case IPV6_HOPOPTS:
			read_extension(cmsg, IPPROTO_HOPOPTS, headers);
			break;
		case IPV6_RTHDR:
			read_extension(cmsg, IPPROTO_ROUTING, headers);
			break;
		case IPV6_DSTOPTS:
			read_extension(cmsg, IPPROTO_DSTOPTS, headers);
			break;
		default:
			break;
		}
	}
}

/* The headers before the payload in @pkt. */
static bool restore_ipv6(const struct wire *wire, struct packet *pkt, uint8_t protocol,
	const struct wire_from *from, struct msghdr *msg)
{
	struct headers headers = { .hop_limit = HOP_LIMIT_ELSE };
	uint8_t next = protocol, *at;

	if (msg->msg_flags & (MSG_TRUNC | MSG_CTRUNC))
		return false;
	read_control(msg, &headers);
	if (headers.too_many)
		return false;
	if (protocol == IPPROTO_UDP && !wire_restore_udp(wire, pkt, from, headers.ifindex))
		return false;
	for (size_t i = headers.n_extensions; i-- > 0;) {
		const struct extension *extension = &headers.extensions[i];

		at = packet_push(pkt, extension->len);
		if (!at)
			return false;
		memcpy(at, extension->bytes, extension->len);
		at[0] = next;
		next = extension->number;
	}
	at = packet_push(pkt, IPV6_HEADER);
	if (!at)
		return false;
	memset(at, 0, IPV6_HEADER);
	store_be32(at, UINT32_C(6) << 28 | ((uint32_t)headers.traffic_class & 0xff) << 20);
	at[6] = next;
	at[7] = (uint8_t)headers.hop_limit;
	memcpy(at + 8, &from->six.sin6_addr, 16);
	memcpy(at + 24, &headers.dst, 16);
	packet_set_length(pkt);
	return true;
}

static void prepare(struct wire_port *port, bool headless, struct packet **pkts, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct msghdr *msg = &port->msgs[i].msg_hdr;

		port->iovs[i] = (struct iovec){ .iov_base = pkts[i]->data,
			.iov_len = PACKET_MAX_LEN };
		*msg = (struct msghdr){ .msg_iov = &port->iovs[i], .msg_iovlen = 1 };
		if (!headless)
			continue;
		msg->msg_name = &port->names[i];
		msg->msg_namelen = sizeof(port->names[i]);
		msg->msg_control = port->control[i];
		msg->msg_controllen = sizeof(port->control[i]);
	}
}

int wire_receive(struct wire_port *port, size_t input, struct packet **pkts, size_t n)
{
	const struct wire_input *from = &port->wire->inputs[input];
	bool ipv6 = from->family == AF_INET6;
	int got;

	n = n < WIRE_BATCH ? n : WIRE_BATCH;
	prepare(port, ipv6 || from->protocol == IPPROTO_UDP, pkts, n);
	do
		got = recvmmsg(from->fd, port->msgs, (unsigned int)n, MSG_DONTWAIT, NULL);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return errno == EAGAIN ? 0 : -errno;
	for (int i = 0; i < got; i++) {
		struct msghdr *msg = &port->msgs[i].msg_hdr;

		pkts[i]->len = msg->msg_flags & MSG_TRUNC ? 0 : port->msgs[i].msg_len;
		if (ipv6 ? !restore_ipv6(port->wire, pkts[i], from->protocol, &port->names[i], msg)
			 : from->protocol == IPPROTO_UDP && !wire_restore_ipv4(port->wire, pkts[i],
								    &port->names[i], msg))
			pkts[i]->len = 0;
	}
	return got;
}
