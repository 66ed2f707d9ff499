/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whole packets to raw sockets, in batches of one family. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "common/base/clock.h"
#include "common/base/bytes.h"
#include "services/datapath/packet/fragment.h"
#include "services/datapath/io/wire_port.h"

#define IPV4_DST_AT 16
#define IPV6_DST_AT 24

int wire_port_new(const struct wire *wire, struct path_mtu *mtus, struct path_copy *paths,
	struct wire_port **ret_port)
{
	CLEANUP(wire_port_freep) struct wire_port *port = calloc(1, sizeof(*port));

	if (!port)
		return -ENOMEM;
	port->wire = wire;
	port->mtus = mtus;
	port->paths = paths;
	if (getrandom(&port->fragment_id, sizeof(port->fragment_id), 0) < 0)
		return -errno;
	*ret_port = STEAL(port);
	return 0;
}

struct wire_port *wire_port_free(struct wire_port *port)
{
	free(port);
	return NULL;
}

static bool is_ipv4(const struct packet *pkt)
{
	return pkt->data[0] >> 4 == 4;
}

static struct address destination(const struct packet *pkt)
{
	return is_ipv4(pkt) ? address_v4(pkt->data + IPV4_DST_AT)
			    : address_v6(pkt->data + IPV6_DST_AT);
}

/* By the interface that the sender chose: the kernel looks for a group's in its routes else. */
static void choose_device(struct wire_port *port, size_t i, const struct packet *pkt)
{
	struct msghdr *msg = &port->msgs[i].msg_hdr;
	struct cmsghdr *cmsg = (void *)port->control[i];
	struct in_pktinfo info4 = { .ipi_ifindex = pkt->out_device };
	struct in6_pktinfo info6 = { .ipi6_ifindex = pkt->out_device };
	bool ipv4 = is_ipv4(pkt);

	*cmsg = (struct cmsghdr){ .cmsg_level = ipv4 ? IPPROTO_IP : IPPROTO_IPV6,
		.cmsg_type = ipv4 ? IP_PKTINFO : IPV6_PKTINFO,
		.cmsg_len = ipv4 ? CMSG_LEN(sizeof(info4)) : CMSG_LEN(sizeof(info6)) };
	if (ipv4)
		memcpy(CMSG_DATA(cmsg), &info4, sizeof(info4));
	else
		memcpy(CMSG_DATA(cmsg), &info6, sizeof(info6));
	msg->msg_control = cmsg;
	msg->msg_controllen = ipv4 ? CMSG_SPACE(sizeof(info4)) : CMSG_SPACE(sizeof(info6));
}

static void prepare(struct wire_port *port, size_t i, struct packet *pkt)
{
	struct msghdr *msg = &port->msgs[i].msg_hdr;

	packet_fill_checksum(pkt);
	port->iovs[i] = (struct iovec){ .iov_base = pkt->data, .iov_len = pkt->len };
	*msg = (struct msghdr){
		.msg_iov = &port->iovs[i], .msg_iovlen = 1, .msg_name = &port->names[i]
	};
	if (is_ipv4(pkt)) {
		port->names[i].four = (struct sockaddr_in){ .sin_family = AF_INET };
		memcpy(&port->names[i].four.sin_addr, pkt->data + IPV4_DST_AT, 4);
		msg->msg_namelen = sizeof(port->names[i].four);
	} else {
		port->names[i].six = (struct sockaddr_in6){ .sin6_family = AF_INET6 };
		memcpy(&port->names[i].six.sin6_addr, pkt->data + IPV6_DST_AT, 16);
		msg->msg_namelen = sizeof(port->names[i].six);
	}
	if (pkt->out_device)
		choose_device(port, i, pkt);
}

static bool send_one(struct wire_port *port, int fd, struct packet *pkt)
{
	ssize_t n;

	prepare(port, 0, pkt);
	do
		n = sendmsg(fd, &port->msgs[0].msg_hdr, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	return n >= 0;
}

static uint32_t fragment_id(struct wire_port *port, const struct packet *pkt)
{
	if (is_ipv4(pkt) && pkt->data[9] == IPPROTO_AH) /* which covers it */
		return load_be16(pkt->data + 4);
	/* The identification of IPv4 has 16 bits, of which 0 would be replaced. */
	port->fragment_id++;
	if ((port->fragment_id & 0xffff) == 0)
		port->fragment_id++;
	return port->fragment_id;
}

static bool send_fragments(struct wire_port *port, int fd, struct packet *pkt, uint32_t mtu)
{
	struct packet out = { .buffer = port->fragment, .size = sizeof(port->fragment) };
	struct fragment_plan plan;

	if (!fragment_plan(pkt, mtu, fragment_id(port, pkt), &plan))
		return false;
	for (size_t i = 0; i < plan.count; i++) {
		fragment_make(&plan, i, &out);
		out.out_device = pkt->out_device;
		if (!send_one(port, fd, &out))
			return false;
	}
	return true;
}

/* The kernel refuses a packet with its header that is longer than the device takes. */
static bool send_refused(struct wire_port *port, int fd, struct packet *pkt)
{
	struct address dst = destination(pkt);

	path_mtu_forget(port->mtus, &dst);
	return send_fragments(port, fd, pkt, path_mtu_get(port->mtus, &dst));
}

/* IPv6 has no routers that would cut what a further link does not take. True: it was cut here. */
static bool cut_for_path(struct wire_port *port, struct packet *pkt, bool *ret_sent)
{
	struct address dst;
	uint32_t mtu;

	if (is_ipv4(pkt) || pkt->len <= PATH_FLOOR_6 || !path_copy_any(port->paths))
		return false;
	dst = destination(pkt);
	mtu = path_copy_get(port->paths, &dst, clock_boot_usec());
	if (mtu == 0 || pkt->len <= mtu)
		return false;
	*ret_sent = send_fragments(port, port->wire->out6, pkt, mtu);
	return true;
}

/* A run of packets of one family. */
static void send_run(
	struct wire_port *port, int fd, struct packet *const *pkts, size_t n, bool *ret_sent)
{
	size_t done = 0;

	while (done < n) {
		int got;

		for (size_t i = 0; i < n - done; i++)
			prepare(port, i, pkts[done + i]);
		got = sendmmsg(fd, port->msgs, (unsigned int)(n - done), MSG_DONTWAIT);
		if (got < 0 && errno == EINTR)
			continue;
		for (int i = 0; i < got; i++)
			ret_sent[done + (size_t)i] = true;
		if (got < 0) {
			/* The first of them was refused; the others may still go. */
			ret_sent[done] = errno == EMSGSIZE && send_refused(port, fd, pkts[done]);
			got = 1;
		}
		done += (size_t)got;
	}
}

void wire_send(struct wire_port *port, struct packet *const *pkts, size_t n, bool *ret_sent)
{
	memset(ret_sent, 0, n * sizeof(*ret_sent));
	for (size_t i = 0; i < n;) {
		bool ipv4 = is_ipv4(pkts[i]);
		int fd = ipv4 ? port->wire->out4 : port->wire->out6;
		size_t run = 1;

		if (cut_for_path(port, pkts[i], &ret_sent[i])) {
			i++;
			continue;
		}
		while (i + run < n && run < WIRE_BATCH && is_ipv4(pkts[i + run]) == ipv4 &&
			(ipv4 || pkts[i + run]->len <= PATH_FLOOR_6 || !path_copy_any(port->paths)))
			run++;
		if (fd >= 0)
			send_run(port, fd, pkts + i, run, ret_sent + i);
		i += run;
	}
}
