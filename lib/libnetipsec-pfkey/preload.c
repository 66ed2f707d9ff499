/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * To be preloaded into programs that speak PF_KEY: socket(PF_KEY, SOCK_RAW, PF_KEY_V2) becomes a
 * connection to ipsec-datapathd, whose packets are PF_KEY messages, so that read, write and poll mean
 * what they did. Two habits of the kernel's socket are kept beside: the answer to a message is there
 * when the write returns, and the socket never ends while the program runs.
 *
 * Keeps no state: a socket is one of ours if its peer has the path, in whichever process it is by now.
 */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <linux/sockios.h>
#include <linux/udp.h>

#include "lib/libnetipsec-pfkey/preload.h"

#define PF_KEY_V2   2
#define ANSWER_MSEC 5000
#define LOOK_NSEC   200000
#define NSEC_MSEC   1000000LL

#define POLICY_BYTES   16
#define POLICY_TYPE_AT 4
#define POLICY_BYPASS  4

#define RUNTIME_DIR "/run/netipsec"
/* What the name of an instance may be made of. */
#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_"

bool preload_door(const char *door, struct sockaddr_un *ret)
{
	const char *root = secure_getenv("NETIPSEC_ROOT");
	const char *instance = secure_getenv("NETIPSEC_INSTANCE");
	const char *parts[] = { root ? root : "", RUNTIME_DIR, instance ? "@" : "",
		instance ? instance : "", door };
	size_t used = 0;

	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (instance && (instance[0] == '\0' || instance[strspn(instance, LETTERS)] != '\0'))
		return false;
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		size_t len = strlen(parts[i]);

		if (used + len >= sizeof(ret->sun_path))
			return false;
		memcpy(ret->sun_path + used, parts[i], len);
		used += len;
	}
	return true;
}

static bool is_at(const struct sockaddr_un *addr, const char *door)
{
	struct sockaddr_un wanted;

	return preload_door(door, &wanted) && strcmp(addr->sun_path, wanted.sun_path) == 0;
}

static bool is_ours(int fd)
{
	union {
		struct sockaddr any;
		struct sockaddr_un un;
	} peer = { 0 };
	socklen_t len = sizeof(peer.un) - 1; /* the last octet stays a NUL */
	int saved = errno;
	bool ours = getpeername(fd, &peer.any, &len) == 0 && peer.any.sa_family == AF_UNIX &&
		    (is_at(&peer.un, LINUX_DOOR) || is_at(&peer.un, SOLARIS_DOOR));

	errno = saved;
	return ours;
}

static int waiting_bytes(int fd)
{
	int n = 0;

	return ioctl(fd, SIOCINQ, &n) < 0 ? -1 : n;
}

static int64_t now_nsec(void)
{
	struct timespec now = { 0 };

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 * NSEC_MSEC + now.tv_nsec;
}

/* Until more is there to be read than @before; others may wait in front of the answer. */
static void wait_for_answer(int fd, int before)
{
	const struct timespec pause = { .tv_nsec = LOOK_NSEC };
	int64_t end = now_nsec() + ANSWER_MSEC * NSEC_MSEC;
	struct pollfd wanted = { .fd = fd, .events = POLLIN };
	int saved = errno;

	if (before <= 0) {
		(void)!poll(&wanted, 1, ANSWER_MSEC);
	} else {
		while (waiting_bytes(fd) == before && now_nsec() < end)
			(void)nanosleep(&pause, NULL);
	}
	errno = saved;
}

/*
 * The kernel's socket never ends, so that programs do not look for it and would read an end again and
 * again. Without the datapath a key manager has nothing to do: its supervisor starts it again.
 */
static ssize_t received(int fd, ssize_t n, size_t wanted)
{
	if (n != 0 || wanted == 0 || !is_ours(fd))
		return n;
	(void)kill(getpid(), SIGTERM);
	errno = ECONNRESET;
	return -1;
}

static int open_door(int flags)
{
	const char *numbering = secure_getenv("NETIPSEC_PFKEY");
	bool solaris = numbering && strcmp(numbering, "solaris") == 0;
	union {
		struct sockaddr any;
		struct sockaddr_un un;
	} door;
	int fd, saved;

	if (!preload_door(solaris ? SOLARIS_DOOR : LINUX_DOOR, &door.un)) {
		errno = EINVAL;
		return -1;
	}
	fd = NEXT(socket)(AF_UNIX, SOCK_SEQPACKET | flags, 0);
	if (fd < 0)
		return -1;
	if (connect(fd, &door.any, sizeof(door.un)) < 0) {
		saved = errno;
		(void)close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

PUBLIC int socket(int domain, int type, int protocol)
{
	int flags = type & (SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (domain != PF_KEY || (type & ~flags) != SOCK_RAW || protocol != PF_KEY_V2)
		return NEXT(socket)(domain, type, protocol);
	return open_door(flags);
}

/* A struct sadb_x_policy that lets a socket's packets pass, as key managers want for their own. */
static bool is_bypass(const void *value, socklen_t len)
{
	uint16_t type = 0;

	if (!value || len < POLICY_BYTES)
		return false;
	memcpy(&type, (const uint8_t *)value + POLICY_TYPE_AT, sizeof(type));
	return type == POLICY_BYPASS;
}

/* ESP in UDP is the datapath's: a socket with this in the kernel's hands would only lose packets. */
static bool is_encapsulation(const void *value, socklen_t len)
{
	int type = 0;

	if (!value || len < sizeof(type))
		return false;
	memcpy(&type, value, sizeof(type));
	return type == UDP_ENCAP_ESPINUDP;
}

/*
 * The kernel knows policies of sockets as part of an IPsec that is not in use, and mostly not there.
 * What key exchange needs, the datapath grants by user and port (ike_user in datapath.cfg).
 */
PUBLIC int setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	if (((level == IPPROTO_IP && name == IP_IPSEC_POLICY) ||
		    (level == IPPROTO_IPV6 && name == IPV6_IPSEC_POLICY)) &&
		is_bypass(value, len))
		return 0;
	if (level == IPPROTO_UDP && name == UDP_ENCAP && is_encapsulation(value, len))
		return 0;
	return NEXT(setsockopt)(fd, level, name, value, len);
}

/* A call that writes, and then waits if it was to us. */
#define WRITING(fd, call)                                    \
	do {                                                 \
		bool ours_ = is_ours(fd);                    \
		int before_ = ours_ ? waiting_bytes(fd) : 0; \
		ssize_t n_ = (call);                         \
		if (ours_ && n_ > 0)                         \
			wait_for_answer(fd, before_);        \
		return n_;                                   \
	} while (0)

PUBLIC ssize_t write(int fd, const void *bytes, size_t n)
{
	WRITING(fd, NEXT(write)(fd, bytes, n));
}

PUBLIC ssize_t writev(int fd, const struct iovec *parts, int n)
{
	WRITING(fd, NEXT(writev)(fd, parts, n));
}

PUBLIC ssize_t send(int fd, const void *bytes, size_t n, int flags)
{
	WRITING(fd, NEXT(send)(fd, bytes, n, flags));
}

/* PF_KEY knows no addresses; programs give one all the same. */
PUBLIC ssize_t sendto(
	int fd, const void *bytes, size_t n, int flags, __CONST_SOCKADDR_ARG to, socklen_t to_len)
{
	if (is_ours(fd))
		return send(fd, bytes, n, flags);
	return NEXT(sendto)(fd, bytes, n, flags, to, to_len);
}

PUBLIC ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
	WRITING(fd, NEXT(sendmsg)(fd, message, flags));
}

PUBLIC ssize_t read(int fd, void *bytes, size_t n)
{
	return received(fd, NEXT(read)(fd, bytes, n), n);
}

PUBLIC ssize_t readv(int fd, const struct iovec *parts, int n)
{
	return received(fd, NEXT(readv)(fd, parts, n), n > 0);
}

PUBLIC ssize_t recv(int fd, void *bytes, size_t n, int flags)
{
	return received(fd, NEXT(recv)(fd, bytes, n, flags), n);
}

PUBLIC ssize_t recvfrom(
	int fd, void *bytes, size_t n, int flags, __SOCKADDR_ARG from, socklen_t *from_len)
{
	return received(fd, NEXT(recvfrom)(fd, bytes, n, flags, from, from_len), n);
}

PUBLIC ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
	return received(fd, NEXT(recvmsg)(fd, message, flags), message->msg_iovlen);
}
