/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/io/wire.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "common/marks.h"
#include "services/datapath/io/wire_port.h"

#define BUFFER_BYTES (8 << 20)

void wire_force_buffer(int fd, int forced, int plain)
{
	int bytes = BUFFER_BYTES;

	/* Forcing needs rights over the first user namespace; what the limit allows is a second best. */
	if (setsockopt(fd, SOL_SOCKET, forced, &bytes, sizeof(bytes)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, plain, &bytes, sizeof(bytes));
}

int wire_set_option(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value)) < 0 ? -errno : 0;
}

int wire_ask_headers(int fd)
{
	static const int options[] = { IPV6_RECVPKTINFO, IPV6_RECVHOPLIMIT, IPV6_RECVTCLASS,
		IPV6_RECVHOPOPTS, IPV6_RECVRTHDR, IPV6_RECVDSTOPTS };
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(options) && r == 0; i++)
		r = wire_set_option(fd, IPPROTO_IPV6, options[i], 1);
	return r;
}

static int open_input(struct wire *wire, uint8_t family, uint8_t protocol)
{
	CLEANUP(fd_closep) int fd = socket(
		family, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
	int r;

	if (fd < 0)
		return errno == EAFNOSUPPORT ? 0 : -errno;
	wire_force_buffer(fd, SO_RCVBUFFORCE, SO_RCVBUF);
	r = family == AF_INET6 ? wire_ask_headers(fd) : 0;
	/* Errors about packets of ours come through the error queue. */
	if (r == 0)
		r = family == AF_INET6 ? wire_set_option(fd, IPPROTO_IPV6, IPV6_RECVERR, 1)
				       : wire_set_option(fd, IPPROTO_IP, IP_RECVERR, 1);
	/* The kernel would believe every one of them; which are true, only the SA can tell. */
	if (r == 0 && family == AF_INET)
		r = wire_set_option(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_INTERFACE);
	if (r < 0)
		return r;
	wire->inputs[wire->n_inputs++] =
		(struct wire_input){ .fd = STEAL_FD(fd), .family = family, .protocol = protocol };
	return 0;
}

static int open_output(int family, int *ret_fd)
{
	CLEANUP(fd_closep) int fd = socket(
		family, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_RAW);
	int r;

	if (fd < 0)
		return errno == EAFNOSUPPORT ? 0 : -errno;
	wire_force_buffer(fd, SO_SNDBUFFORCE, SO_SNDBUF);
	r = wire_set_option(fd, SOL_SOCKET, SO_MARK, (int)MARK_BYPASS);
	/* Probe: a smaller path MTU learnt for the inner connection must not refuse outer packets. */
	if (r == 0 && family == AF_INET)
		r = wire_set_option(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE);
	if (r == 0 && family == AF_INET6)
		r = wire_set_option(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_PROBE);
	/* Programs here get what they send to a group before it is sealed, and once is enough. */
	if (r == 0)
		r = family == AF_INET ? wire_set_option(fd, IPPROTO_IP, IP_MULTICAST_LOOP, 0)
				      : wire_set_option(fd, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 0);
	if (r < 0)
		return r;
	*ret_fd = STEAL_FD(fd);
	return 0;
}

int wire_open(bool tunnels, struct wire *ret_wire)
{
	static const uint8_t families[] = { AF_INET, AF_INET6 };
	static const uint8_t protocols[] = { IPPROTO_ESP, IPPROTO_AH, IPPROTO_IPIP, IPPROTO_IPV6 };
	CLEANUP(wire_close) struct wire wire = { .out4 = -1, .out6 = -1 };
	size_t n = tunnels ? 4 : 2;
	int r = 0;

	for (size_t f = 0; f < ARRAY_SIZE(families) && r == 0; f++)
		for (size_t p = 0; p < n && r == 0; p++)
			r = open_input(&wire, families[f], protocols[p]);
	if (r == 0)
		r = open_output(AF_INET, &wire.out4);
	if (r == 0)
		r = open_output(AF_INET6, &wire.out6);
	if (r < 0)
		return r;
	*ret_wire = wire;
	wire = (struct wire){ .out4 = -1, .out6 = -1 };
	return 0;
}

void wire_close(struct wire *wire)
{
	for (size_t i = 0; i < wire->n_inputs; i++)
		fd_closep(&wire->inputs[i].fd);
	fd_closep(&wire->out4);
	fd_closep(&wire->out6);
	*wire = (struct wire){ .out4 = -1, .out6 = -1 };
}
