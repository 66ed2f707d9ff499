/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/steer/netlink.h"

#include <errno.h>
#include <linux/netlink.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/base/checked.h"

#define RECEIVE_BYTES 32768
#define RECEIVE_MSEC  5000
#define SEND_BYTES    (4 << 20)
#define NOTICE_BYTES  (1 << 20)

void *netlink_buffer_room(struct netlink_buffer *buf)
{
	if (buf->failed)
		return NULL;
	if (buf->size - buf->len < NETLINK_MESSAGE_MAX) {
		size_t size = buf->size ? buf->size * 2 : 4 * (size_t)NETLINK_MESSAGE_MAX;
		uint8_t *bytes = realloc(buf->bytes, size);

		if (!bytes) {
			buf->failed = true;
			return NULL;
		}
		buf->bytes = bytes;
		buf->size = size;
	}
	return buf->bytes + buf->len;
}

void netlink_buffer_added(struct netlink_buffer *buf, const struct nlmsghdr *msg)
{
	buf->len += round_up(msg->nlmsg_len, NLMSG_ALIGNTO);
}

void netlink_buffer_reset(struct netlink_buffer *buf)
{
	buf->len = 0;
}

void netlink_buffer_done(struct netlink_buffer *buf)
{
	free(buf->bytes);
	*buf = (struct netlink_buffer){ 0 };
}

static int read_portid(struct netlink *nl)
{
	struct sockaddr_nl addr = { 0 };
	socklen_t len = sizeof(addr);

	if (getsockname(nl->fd, (struct sockaddr *)&addr, &len) < 0)
		return -errno;
	if (len != sizeof(addr) || addr.nl_family != AF_NETLINK || addr.nl_pid == 0)
		return -EBADMSG;
	nl->portid = addr.nl_pid;
	return 0;
}

/* The forced variants need CAP_NET_ADMIN in the first user namespace; the plain ones are a second best. */
static void set_buffers(int fd)
{
	int send_bytes = SEND_BYTES, receive_bytes = NOTICE_BYTES, on = 1;

	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &send_bytes, sizeof(send_bytes)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &send_bytes, sizeof(send_bytes));
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &receive_bytes, sizeof(receive_bytes)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof(receive_bytes));
	/* Errors need not carry the request back. */
	(void)setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on));
}

int netlink_open(int protocol, uint32_t groups, struct netlink *ret)
{
	struct sockaddr_nl addr = { .nl_family = AF_NETLINK, .nl_groups = groups };
	struct netlink nl = { .fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol),
		.seq = 1 };
	int r;

	if (nl.fd < 0)
		return -errno;
	set_buffers(nl.fd);
	r = bind(nl.fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ? -errno : 0;
	if (r == 0)
		r = read_portid(&nl);
	if (r < 0) {
		netlink_close(&nl);
		return r;
	}
	*ret = nl;
	return 0;
}

int netlink_adopt(int fd, int protocol, struct netlink *ret)
{
	struct netlink nl = { .fd = fd, .seq = 1 };
	int domain = 0, is = 0;
	socklen_t len = sizeof(domain);

	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) < 0 || domain != AF_NETLINK)
		return -EBADMSG;
	len = sizeof(is);
	if (getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &is, &len) < 0 || is != protocol)
		return -EBADMSG;
	if (read_portid(&nl) < 0)
		return -EBADMSG;
	*ret = nl;
	return 0;
}

void netlink_close(struct netlink *nl)
{
	if (nl->fd >= 0)
		(void)close(nl->fd); /* nothing is left to be done about a failed close */
	nl->fd = -1;
}

int netlink_listen(struct netlink *nl, unsigned int group, bool on)
{
	return setsockopt(nl->fd, SOL_NETLINK,
		       on ? NETLINK_ADD_MEMBERSHIP : NETLINK_DROP_MEMBERSHIP, &group,
		       sizeof(group)) < 0
		       ? -errno
		       : 0;
}

static int send_all(struct netlink *nl, const void *bytes, size_t len)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	ssize_t n;

	do
		n = sendto(nl->fd, bytes, len, 0, (struct sockaddr *)&kernel, sizeof(kernel));
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -EIO;
}

/* Answers of an earlier request that was given up must not be taken for ours. */
static void drain(struct netlink *nl)
{
	uint8_t scrap[256];
	ssize_t n;

	do
		n = recv(nl->fd, scrap, sizeof(scrap), MSG_DONTWAIT | MSG_TRUNC);
	while (n >= 0 || errno == EINTR || errno == ENOBUFS);
}

/* 0 when nothing is there and @wait is not asked for. */
static ssize_t receive(struct netlink *nl, uint8_t *buffer, size_t size, bool wait)
{
	ssize_t n;

	for (;;) {
		struct pollfd pfd = { .fd = nl->fd, .events = POLLIN };

		n = recv(nl->fd, buffer, size, MSG_DONTWAIT | MSG_TRUNC);
		if (n >= 0)
			return (size_t)n > size ? -EMSGSIZE : n;
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			return -errno;
		if (!wait)
			return 0;
		n = poll(&pfd, 1, RECEIVE_MSEC);
		if (n == 0)
			return -ETIMEDOUT;
		if (n < 0 && errno != EINTR)
			return -errno;
	}
}

static int message_error(const struct nlmsghdr *msg)
{
	const struct nlmsgerr *err = mnl_nlmsg_get_payload(msg);

	if (mnl_nlmsg_get_payload_len(msg) < sizeof(int))
		return -EBADMSG;
	return err->error;
}

int netlink_request(struct netlink *nl, struct nlmsghdr *msg)
{
	_Alignas(struct nlmsghdr) uint8_t buffer[RECEIVE_BYTES / 16];
	int r;

	drain(nl);
	msg->nlmsg_seq = ++nl->seq;
	msg->nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
	r = send_all(nl, msg, msg->nlmsg_len);
	if (r < 0)
		return r;
	for (;;) {
		ssize_t n = receive(nl, buffer, sizeof(buffer), true);
		int left = (int)n;

		if (n < 0)
			return (int)n;
		for (const struct nlmsghdr *at = (void *)buffer; mnl_nlmsg_ok(at, left);
			at = mnl_nlmsg_next(at, &left))
			if (at->nlmsg_seq == nl->seq && at->nlmsg_type == NLMSG_ERROR)
				return message_error(at);
	}
}

/* Return: 1 at the end of the dump, 0 to go on. */
static int dump_part(
	struct netlink *nl, const uint8_t *buffer, ssize_t n, netlink_fn fn, void *userdata)
{
	int left = (int)n, r;

	for (const struct nlmsghdr *at = (const void *)buffer; mnl_nlmsg_ok(at, left);
		at = mnl_nlmsg_next(at, &left)) {
		if (at->nlmsg_seq != nl->seq)
			continue;
		if (at->nlmsg_type == NLMSG_ERROR)
			return message_error(at) < 0 ? message_error(at) : 1;
		if (at->nlmsg_type == NLMSG_DONE)
			return 1;
		if (at->nlmsg_flags & NLM_F_DUMP_INTR)
			return -EINTR;
		r = fn(at, userdata);
		if (r < 0)
			return r;
		if (!(at->nlmsg_flags & NLM_F_MULTI))
			return 1;
	}
	return 0;
}

int netlink_dump(struct netlink *nl, struct nlmsghdr *msg, netlink_fn fn, void *userdata)
{
	CLEANUP(freep) uint8_t *buffer = malloc(RECEIVE_BYTES);
	int r;

	if (!buffer)
		return -ENOMEM;
	drain(nl);
	msg->nlmsg_seq = ++nl->seq;
	msg->nlmsg_flags |= NLM_F_REQUEST;
	r = send_all(nl, msg, msg->nlmsg_len);
	while (r == 0) {
		ssize_t n = receive(nl, buffer, RECEIVE_BYTES, true);

		r = n < 0 ? (int)n : dump_part(nl, buffer, n, fn, userdata);
	}
	return r < 0 ? r : 0;
}

int netlink_send_batch(struct netlink *nl, const struct netlink_buffer *buf, uint32_t *ret_seq)
{
	CLEANUP(freep) uint8_t *buffer = malloc(RECEIVE_BYTES);
	int r, first = 0;

	if (!buffer || buf->failed)
		return -ENOMEM;
	drain(nl);
	r = send_all(nl, buf->bytes, buf->len);
	if (r < 0)
		return r;
	for (;;) {
		ssize_t n = receive(nl, buffer, RECEIVE_BYTES, false);
		int left = (int)n;

		if (n < 0)
			return first < 0 ? first : (int)n;
		if (n == 0)
			return first;
		for (const struct nlmsghdr *at = (void *)buffer; mnl_nlmsg_ok(at, left);
			at = mnl_nlmsg_next(at, &left)) {
			if (at->nlmsg_type != NLMSG_ERROR || message_error(at) >= 0 || first < 0)
				continue;
			first = message_error(at);
			if (ret_seq)
				*ret_seq = at->nlmsg_seq;
		}
	}
}

int netlink_notices(struct netlink *nl, netlink_fn fn, void *userdata)
{
	CLEANUP(freep) uint8_t *buffer = malloc(RECEIVE_BYTES);
	int lost = 0;

	if (!buffer)
		return -ENOMEM;
	for (;;) {
		ssize_t n = receive(nl, buffer, RECEIVE_BYTES, false);
		int left = (int)n;

		if (n == -ENOBUFS || n == -EMSGSIZE) {
			lost = -ENOBUFS;
			continue;
		}
		if (n < 0)
			return (int)n;
		if (n == 0)
			return lost;
		for (const struct nlmsghdr *at = (void *)buffer; mnl_nlmsg_ok(at, left);
			at = mnl_nlmsg_next(at, &left)) {
			int r = fn(at, userdata);

			if (r < 0)
				return r;
		}
	}
}
