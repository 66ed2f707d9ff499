/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/io/groups.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>

/* A socket for each group: the kernel bounds how many groups one socket may join. */
struct membership {
	struct address group;
	int fd;
	bool named;
};

struct groups {
	int ifindex;
	struct membership *members;
	size_t n, room;
};

int groups_new(int ifindex, struct groups **ret_groups)
{
	struct groups *groups = calloc(1, sizeof(*groups));

	if (!groups)
		return -ENOMEM;
	groups->ifindex = ifindex;
	*ret_groups = groups;
	return 0;
}

struct groups *groups_free(struct groups *groups)
{
	if (!groups)
		return NULL;
	for (size_t i = 0; i < groups->n; i++)
		fd_closep(&groups->members[i].fd);
	free(groups->members);
	free(groups);
	return NULL;
}

static struct membership *find(const struct groups *groups, const struct address *group)
{
	for (size_t i = 0; i < groups->n; i++)
		if (address_equal(&groups->members[i].group, group))
			return &groups->members[i];
	return NULL;
}

static int join(int ifindex, const struct address *group, int *ret_fd)
{
	CLEANUP(fd_closep) int fd = socket(group->family, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_UDP);
	struct sockaddr_storage ss;
	struct group_req request = { .gr_interface = (uint32_t)ifindex };

	if (fd < 0)
		return -errno;
	(void)address_to_sockaddr(group, 0, &ss);
	request.gr_group = ss;
	if (setsockopt(fd, group->family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6, MCAST_JOIN_GROUP,
		    &request, sizeof(request)) < 0)
		return -errno;
	*ret_fd = STEAL_FD(fd);
	return 0;
}

static bool is_broadcast(const struct address *addr)
{
	return addr->family == AF_INET && addr->bytes[0] == 255;
}

int groups_join(struct groups *groups, const struct address *group)
{
	struct membership *member = find(groups, group);
	int r;

	if (member) {
		member->named = true;
		return 0;
	}
	if (!address_is_multicast(group) || is_broadcast(group))
		return 0;
	if (groups->n == groups->room) {
		size_t room = groups->room ? groups->room * 2 : 8;
		struct membership *more = reallocarray(groups->members, room, sizeof(*more));

		if (!more)
			return -ENOMEM;
		groups->members = more;
		groups->room = room;
	}
	member = &groups->members[groups->n];
	*member = (struct membership){ .group = *group, .fd = -1, .named = true };
	r = join(groups->ifindex, group, &member->fd);
	if (r == 0)
		groups->n++;
	return r;
}

void groups_unname(struct groups *groups)
{
	for (size_t i = 0; i < groups->n; i++)
		groups->members[i].named = false;
}

void groups_leave_unnamed(struct groups *groups)
{
	size_t kept = 0;

	for (size_t i = 0; i < groups->n; i++) {
		if (groups->members[i].named)
			groups->members[kept++] = groups->members[i];
		else
			fd_closep(&groups->members[i].fd);
	}
	groups->n = kept;
}
