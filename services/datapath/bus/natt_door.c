/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/bus/natt_door.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/listen.h"
#include "services/datapath/io/wire.h"

#define WAITING_MAX 8

struct natt_door {
	struct natt_door_setup setup;
	int fd, spare;
	sd_event_source *io;
};

static bool is_welcome(const struct natt_door *door, int fd)
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

/* The message has an octet for each socket that comes with it: 4 or 6. */
static void hand_over(int to, const int *fds, const uint8_t *families, size_t n)
{
	union {
		struct cmsghdr align;
		uint8_t room[CMSG_SPACE(2 * sizeof(int))];
	} control = { 0 };
	struct iovec part = { .iov_base = (void *)(uintptr_t)families, .iov_len = n };
	struct msghdr msg = { .msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control.room,
		.msg_controllen = CMSG_SPACE(n * sizeof(int)) };
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	if (!cmsg)
		return; /* there is room, which the compiler does not see */
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(n * sizeof(int));
	memcpy(CMSG_DATA(cmsg), fds, n * sizeof(int));
	(void)sendmsg(to, &msg, MSG_DONTWAIT | MSG_NOSIGNAL); /* it may be gone, and asks again */
}

static int on_knock(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	static const uint8_t wanted[] = { AF_INET, AF_INET6 };
	struct natt_door *door = userdata;
	CLEANUP(fd_closep) int visitor = listen_accept(fd, &door->spare);
	uint8_t families[2];
	int fds[2] = { -1, -1 };
	size_t n = 0;

	(void)source;
	(void)revents;
	if (visitor < 0 || !is_welcome(door, visitor))
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
		if (wire_share_natt(wanted[i], &fds[n]) < 0)
			continue; /* that family is not here */
		families[n++] = wanted[i] == AF_INET ? 4 : 6;
	}
	if (n > 0)
		hand_over(visitor, fds, families, n);
	/* Only who holds them keeps them in the port's group: when he dies we get all again. */
	for (size_t i = 0; i < n; i++)
		fd_closep(&fds[i]);
	return 0;
}

int natt_door_new(const struct natt_door_setup *setup, struct natt_door **ret_door)
{
	CLEANUP(natt_door_freep) struct natt_door *door = calloc(1, sizeof(*door));
	int r;

	if (!door)
		return -ENOMEM;
	door->setup = *setup;
	door->fd = door->spare = -1;
	r = listen_open(&(struct listen_at){ .path = setup->path,
				.mode = 0666,
				.group = (gid_t)-1,
				.backlog = WAITING_MAX },
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

struct natt_door *natt_door_free(struct natt_door *door)
{
	if (!door)
		return NULL;
	door->io = sd_event_source_disable_unref(door->io);
	fd_closep(&door->fd);
	fd_closep(&door->spare);
	free(door);
	return NULL;
}
