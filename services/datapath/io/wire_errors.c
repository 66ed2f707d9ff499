/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ICMP errors about protected packets, from the error queues of the sockets that take such packets. */
#include <errno.h>
#include <linux/errqueue.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <string.h>

#include "services/datapath/io/wire_port.h"

#define ICMP6_TOO_BIG 2

static const struct sock_extended_err *find_error(struct msghdr *msg)
{
	for (struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg); cmsg; cmsg = CMSG_NXTHDR(msg, cmsg)) {
		bool v4 = cmsg->cmsg_level == IPPROTO_IP && cmsg->cmsg_type == IP_RECVERR;
		bool v6 = cmsg->cmsg_level == IPPROTO_IPV6 && cmsg->cmsg_type == IPV6_RECVERR;

		if ((v4 || v6) && cmsg->cmsg_len >= CMSG_LEN(sizeof(struct sock_extended_err)))
			return (const void *)CMSG_DATA(cmsg);
	}
	return NULL;
}

static bool says_too_big(const struct sock_extended_err *err)
{
	if (err->ee_origin == SO_EE_ORIGIN_ICMP)
		return err->ee_type == ICMP_UNREACH && err->ee_code == ICMP_UNREACH_NEEDFRAG;
	return err->ee_origin == SO_EE_ORIGIN_ICMP6 && err->ee_type == ICMP6_TOO_BIG;
}

bool wire_next_error(struct wire_port *port, size_t input, struct wire_error *ret_error)
{
	const struct wire_input *from = &port->wire->inputs[input];
	const struct sock_extended_err *err;
	struct iovec iov = { .iov_base = ret_error->bytes, .iov_len = sizeof(ret_error->bytes) };
	struct msghdr msg = {
		.msg_name = &port->names[0],
		.msg_namelen = sizeof(port->names[0]),
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = port->control[0],
		.msg_controllen = sizeof(port->control[0]),
	};
	ssize_t n;

	do
		n = recvmsg(from->fd, &msg, MSG_ERRQUEUE | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return false;
	/* What an error about UDP brings back begins behind that header. */
	ret_error->protocol = from->protocol == IPPROTO_UDP ? IPPROTO_ESP : from->protocol;
	ret_error->len = (size_t)n < sizeof(ret_error->bytes) ? (size_t)n
							      : sizeof(ret_error->bytes);
	/* Where the packet was going to. */
	ret_error->dst = from->family == AF_INET
				 ? address_v4((const uint8_t *)&port->names[0].four.sin_addr)
				 : address_v6((const uint8_t *)&port->names[0].six.sin6_addr);
	err = find_error(&msg);
	ret_error->mtu = err && says_too_big(err) ? err->ee_info : 0;
	return true;
}
