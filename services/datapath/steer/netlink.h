/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Netlink conversations: messages are put together in a growing buffer, sent as one, and the
 * kernel's answers are read at once, since it has worked through a request when send returns.
 */
#ifndef DATAPATH_NETLINK_H
#define DATAPATH_NETLINK_H

#include <libmnl/libmnl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/cleanup.h"

#define NETLINK_MESSAGE_MAX 8192 /* no single message of ours is longer */

/* Messages on their way; all zero is empty. Remembers running out of memory. */
struct netlink_buffer {
	uint8_t *bytes; /* owned */
	size_t len, size;
	bool failed;
};

/* Room for one message of NETLINK_MESSAGE_MAX bytes; NULL (and failed set) when there is none. */
void *netlink_buffer_room(struct netlink_buffer *buf);
/* The message that was put into the room is complete. */
void netlink_buffer_added(struct netlink_buffer *buf, const struct nlmsghdr *msg);
void netlink_buffer_reset(struct netlink_buffer *buf);
void netlink_buffer_done(struct netlink_buffer *buf);

/* Attributes of a message behind its family's header of @offset bytes. */
static inline bool netlink_attr_ok(const struct nlmsghdr *msg, const struct nlattr *attr)
{
	const char *tail = mnl_nlmsg_get_payload_tail(msg);

	return mnl_attr_ok(attr, (int)(tail - (const char *)attr));
}
#define NETLINK_EACH_ATTR(attr, msg, offset)                         \
	for ((attr) = mnl_nlmsg_get_payload_offset((msg), (offset)); \
		netlink_attr_ok((msg), (attr)); (attr) = mnl_attr_next(attr))

struct netlink {
	int fd;
	uint32_t portid, seq;
};

/* @protocol: NETLINK_ROUTE, NETLINK_NETFILTER. @groups: bit mask of the first 32 groups. */
int netlink_open(int protocol, uint32_t groups, struct netlink *ret) MUST_CHECK;
/* A socket of a former life, consumed on success. -EBADMSG: no bound socket of that protocol. */
int netlink_adopt(int fd, int protocol, struct netlink *ret) MUST_CHECK;
void netlink_close(struct netlink *nl);
/* Notices of a group come from here on, or no longer do. */
int netlink_listen(struct netlink *nl, unsigned int group, bool on) MUST_CHECK;

typedef int (*netlink_fn)(const struct nlmsghdr *msg, void *userdata);
/* One request with NLM_F_ACK. Return: 0 or the kernel's errno. */
int netlink_request(struct netlink *nl, struct nlmsghdr *msg) MUST_CHECK;
/* A dump: @fn for each message; its first negative answer ends it. */
int netlink_dump(
	struct netlink *nl, struct nlmsghdr *msg, netlink_fn fn, void *userdata) MUST_CHECK;
/*
 * A batch without acknowledgements; the first error of any message is returned, with its sequence
 * number in *ret_seq (may be NULL).
 */
int netlink_send_batch(
	struct netlink *nl, const struct netlink_buffer *buf, uint32_t *ret_seq) MUST_CHECK;
/*
 * Notices that are there, without waiting. Return: 0; -ENOBUFS when some were lost.
 */
int netlink_notices(struct netlink *nl, netlink_fn fn, void *userdata) MUST_CHECK;

#endif
