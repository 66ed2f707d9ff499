/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/bus/keys_door.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "common/base/bytes.h"
#include "common/base/clock.h"
#include "common/base/listen.h"
#include "common/base/text.h"
#include "common/daemon/keys_door.h"

#define VISITORS_MAX 8
#define PATIENCE     (5 * USEC_PER_SEC)

/* A connection that has not said anything yet. */
struct visitor {
	struct keys_door *door;
	int fd; /* -1: the place is free */
	sd_event_source *io, *timer;
};

struct keys_door {
	struct keys_door_setup setup;
	int fd, spare;
	sd_event_source *io;
	struct visitor visitors[VISITORS_MAX];
	int memfd; /* handed over, waiting for its call; -1: none */
	uint64_t generation;
	uint8_t hash[MEMFD_HASH_BYTES];
};

static void visitor_leave(struct visitor *visitor)
{
	visitor->io = sd_event_source_disable_unref(visitor->io);
	visitor->timer = sd_event_source_disable_unref(visitor->timer);
	fd_closep(&visitor->fd);
	visitor->fd = -1;
}

static bool is_welcome(const struct keys_door *door, int fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return false;
	for (size_t i = 0; i < door->setup.n_uids; i++)
		if (door->setup.uids[i] == peer.uid)
			return true;
	return false;
}

/* The descriptor that came with a message; others are closed. */
static int received_fd(struct msghdr *msg)
{
	int found = -1;

	for (struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg); cmsg; cmsg = CMSG_NXTHDR(msg, cmsg)) {
		size_t n;

		if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS)
			continue;
		n = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(cmsg) + i * sizeof(int), sizeof(fd));
			fd_closep(&found);
			found = fd;
		}
	}
	return found;
}

static bool take_message(struct keys_door *door, const uint8_t *bytes, size_t len, int memfd)
{
	struct reader rd;
	uint8_t magic[KEYS_DOOR_MAGIC_BYTES], hash[MEMFD_HASH_BYTES];
	uint32_t version = 0;
	uint64_t generation = 0;

	reader_init(&rd, bytes, len);
	(void)read_bytes(&rd, magic, sizeof(magic)); /* a failure is seen at the end */
	(void)read_le32(&rd, &version);
	(void)read_le64(&rd, &generation);
	(void)read_bytes(&rd, hash, sizeof(hash));
	if (rd.failed || reader_left(&rd) || memfd < 0 || version != KEYS_DOOR_VERSION ||
		memcmp(magic, KEYS_DOOR_MAGIC, sizeof(magic)) != 0)
		return false;
	fd_closep(&door->memfd);
	door->memfd = memfd;
	door->generation = generation;
	memcpy(door->hash, hash, sizeof(hash));
	return true;
}

static int on_message(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	union {
		struct cmsghdr align;
		uint8_t room[CMSG_SPACE(4 * sizeof(int))];
	} control = { 0 };
	uint8_t bytes[KEYS_DOOR_BYTES + 1], answer = KEYS_DOOR_REFUSED;
	struct iovec part = { .iov_base = bytes, .iov_len = sizeof(bytes) };
	struct msghdr msg = { .msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control.room,
		.msg_controllen = sizeof(control.room) };
	struct visitor *visitor = userdata;
	ssize_t n = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	int memfd;

	(void)source;
	(void)revents;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	memfd = n < 0 ? -1 : received_fd(&msg);
	if (n > 0 && take_message(visitor->door, bytes, (size_t)n, memfd))
		answer = KEYS_DOOR_TAKEN;
	else
		fd_closep(&memfd);
	if (n > 0)
		(void)send(fd, &answer, sizeof(answer),
			MSG_DONTWAIT | MSG_NOSIGNAL); /* it may be gone */
	visitor_leave(visitor);
	return 0;
}

static int on_silence(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source;
	(void)usec;
	visitor_leave(userdata);
	return 0;
}

static int visitor_come(struct visitor *visitor, int fd)
{
	sd_event *event = visitor->door->setup.event;
	int r = sd_event_add_io(event, &visitor->io, fd, EPOLLIN, on_message, visitor);

	if (r >= 0)
		r = sd_event_add_time_relative(
			event, &visitor->timer, CLOCK_MONOTONIC, PATIENCE, 0, on_silence, visitor);
	visitor->fd = fd;
	return r < 0 ? r : 0;
}

static int on_knock(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct keys_door *door = userdata;
	CLEANUP(fd_closep) int visitor_fd = listen_accept(fd, &door->spare);

	(void)source;
	(void)revents;
	if (visitor_fd < 0 || !is_welcome(door, visitor_fd))
		return 0;
	for (size_t i = 0; i < VISITORS_MAX; i++) {
		struct visitor *visitor = &door->visitors[i];

		if (visitor->fd >= 0)
			continue;
		if (visitor_come(visitor, STEAL_FD(visitor_fd)) < 0)
			visitor_leave(visitor);
		return 0;
	}
	return 0;
}

int keys_door_new(const struct keys_door_setup *setup, struct keys_door **ret_door)
{
	CLEANUP(keys_door_freep) struct keys_door *door = calloc(1, sizeof(*door));
	int r;

	if (!door)
		return -ENOMEM;
	door->setup = *setup;
	door->fd = door->spare = door->memfd = -1;
	for (size_t i = 0; i < VISITORS_MAX; i++)
		door->visitors[i] = (struct visitor){ .door = door, .fd = -1 };
	r = listen_open(&(struct listen_at){ .path = setup->path,
				.mode = setup->group == (gid_t)-1 ? 0600 : 0660,
				.group = setup->group,
				.backlog = VISITORS_MAX },
		&door->fd);
	if (r == 0)
		door->spare = listen_spare(door->fd);
	if (r == 0)
		r = sd_event_add_io(setup->event, &door->io, door->fd, EPOLLIN, on_knock, door);
	if (r < 0)
		return r;
	door->setup.path = NULL; /* not needed any more */
	*ret_door = STEAL(door);
	return 0;
}

struct keys_door *keys_door_free(struct keys_door *door)
{
	if (!door)
		return NULL;
	door->io = sd_event_source_disable_unref(door->io);
	for (size_t i = 0; i < VISITORS_MAX; i++)
		visitor_leave(&door->visitors[i]);
	fd_closep(&door->fd);
	fd_closep(&door->spare);
	fd_closep(&door->memfd);
	free(door);
	return NULL;
}

int keys_door_take(
	struct keys_door *door, uint64_t generation, const uint8_t hash[static MEMFD_HASH_BYTES])
{
	if (door->memfd < 0 || door->generation != generation ||
		memcmp(door->hash, hash, sizeof(door->hash)) != 0)
		return -1;
	return STEAL_FD(door->memfd);
}
