/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * UDP port 4500, which key exchange shares with ESP in UDP: the datapath has it, and has sockets for who
 * exchanges keys that get what starts with the non-ESP marker. When a program binds a socket of its own
 * to that port, one of those takes its place, under the same number and with its options.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/libnetipsec-pfkey/preload.h"

#define NATT_PORT    4500
#define MAX_FAMILIES 2
#define FAMILY_V4    4
#define FAMILY_V6    6

/* An address of any kind, as programs hand it over. */
union any_address {
	struct sockaddr any;
	struct sockaddr_in four;
	struct sockaddr_in6 six;
};

/* Whole port or nothing: one of several addresses is not what the datapath shares. */
static bool is_natt(const union any_address *addr)
{
	if (addr->any.sa_family == AF_INET)
		return addr->four.sin_port == htons(NATT_PORT) &&
		       addr->four.sin_addr.s_addr == htonl(INADDR_ANY);
	return addr->any.sa_family == AF_INET6 && addr->six.sin6_port == htons(NATT_PORT) &&
	       IN6_IS_ADDR_UNSPECIFIED(&addr->six.sin6_addr);
}

static bool is_datagram(int fd)
{
	int type = 0;
	socklen_t len = sizeof(type);

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_DGRAM;
}

/* What it was told about addresses and errors so far. */
static void take_over_options(int from, int to, int family)
{
	static const struct {
		int family, level, name;
	} options[] = {
		{ AF_INET, IPPROTO_IP, IP_PKTINFO },
		{ AF_INET, IPPROTO_IP, IP_RECVORIGDSTADDR },
		{ AF_INET, IPPROTO_IP, IP_RECVTOS },
		{ AF_INET, IPPROTO_IP, IP_MTU_DISCOVER },
		{ AF_INET6, IPPROTO_IPV6, IPV6_RECVPKTINFO },
		{ AF_INET6, IPPROTO_IPV6, IPV6_RECVORIGDSTADDR },
		{ AF_INET6, IPPROTO_IPV6, IPV6_RECVTCLASS },
		{ AF_INET6, IPPROTO_IPV6, IPV6_MTU_DISCOVER },
	};

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		int value = 0;
		socklen_t len = sizeof(value);

		if (options[i].family == family &&
			getsockopt(from, options[i].level, options[i].name, &value, &len) == 0)
			(void)!setsockopt(to, options[i].level, options[i].name, &value, len);
	}
}

/* The sockets that came, the wanted one alone stays open. -1: it did not come. */
static int choose(const struct msghdr *msg, const uint8_t *families, size_t n, uint8_t wanted)
{
	const struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg);
	int fds[MAX_FAMILIES], chosen = -1;

	if (!cmsg || cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS ||
		cmsg->cmsg_len < CMSG_LEN(0))
		return -1;
	if (n > (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int))
		n = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	memcpy(fds, CMSG_DATA(cmsg), n * sizeof(int));
	for (size_t i = 0; i < n; i++) {
		if (families[i] == wanted && chosen < 0)
			chosen = fds[i];
		else
			(void)close(fds[i]);
	}
	return chosen;
}

static int ask_door(int door, uint8_t wanted)
{
	union {
		struct cmsghdr align;
		uint8_t room[CMSG_SPACE(MAX_FAMILIES * sizeof(int))];
	} control = { 0 };
	uint8_t families[MAX_FAMILIES];
	struct iovec part = { .iov_base = families, .iov_len = sizeof(families) };
	struct msghdr msg = { .msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control.room,
		.msg_controllen = sizeof(control.room) };
	ssize_t n = NEXT(recvmsg)(door, &msg, MSG_CMSG_CLOEXEC);

	return n > 0 ? choose(&msg, families, (size_t)n, wanted) : -1;
}

/* A socket on the port from the datapath. -1: there is none for us. */
static int open_shared(int family)
{
	union {
		struct sockaddr any;
		struct sockaddr_un un;
	} addr;
	int door, fd = -1;

	if (!preload_door(NATT_DOOR, &addr.un))
		return -1;
	door = NEXT(socket)(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (door < 0)
		return -1;
	if (connect(door, &addr.any, sizeof(addr.un)) == 0)
		fd = ask_door(door, family == AF_INET ? FAMILY_V4 : FAMILY_V6);
	(void)close(door);
	return fd;
}

/* In the place of @fd, whether it blocks and outlives exec() as before. */
static bool replace(int fd, int by)
{
	int status = fcntl(fd, F_GETFL), kept = fcntl(fd, F_GETFD);

	if (status < 0 || kept < 0 || fcntl(by, F_SETFL, status) < 0)
		return false;
	return dup3(by, fd, kept & FD_CLOEXEC ? O_CLOEXEC : 0) == fd;
}

PUBLIC int bind(int fd, __CONST_SOCKADDR_ARG addr, socklen_t len)
{
	union any_address wanted = { .any.sa_family = AF_UNSPEC };
	int shared, saved = errno;
	bool done = false;

	if (addr.__sockaddr__)
		memcpy(&wanted, addr.__sockaddr__, len < sizeof(wanted) ? len : sizeof(wanted));
	if (is_natt(&wanted) && is_datagram(fd)) {
		shared = open_shared(wanted.any.sa_family);
		if (shared >= 0) {
			take_over_options(fd, shared, wanted.any.sa_family);
			done = replace(fd, shared);
			(void)close(shared);
		}
	}
	errno = saved;
	return done ? 0 : NEXT(bind)(fd, addr, len);
}
