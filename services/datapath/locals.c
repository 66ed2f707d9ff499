/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/locals.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>

#include "services/datapath/steer/rtnl.h"

struct addresses {
	struct address *list; /* sorted, owned */
	size_t count, room;
};

struct locals {
	struct netlink ask, notices;
	struct addresses addresses;
	uint32_t mtu;
	uint64_t version;
};

int locals_new(struct locals **ret_locals)
{
	CLEANUP(locals_freep) struct locals *locals = calloc(1, sizeof(*locals));
	int r;

	if (!locals)
		return -ENOMEM;
	locals->ask.fd = locals->notices.fd = -1;
	r = netlink_open(NETLINK_ROUTE, 0, &locals->ask);
	if (r == 0)
		r = netlink_open(NETLINK_ROUTE,
			RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_LINK, &locals->notices);
	if (r == 0)
		r = locals_refresh(locals);
	if (r < 0)
		return r;
	*ret_locals = STEAL(locals);
	return 0;
}

struct locals *locals_free(struct locals *locals)
{
	if (!locals)
		return NULL;
	netlink_close(&locals->ask);
	netlink_close(&locals->notices);
	free(locals->addresses.list);
	free(locals);
	return NULL;
}

int locals_fd(const struct locals *locals)
{
	return locals->notices.fd;
}

static int add_address(const struct address *addr, bool added, void *userdata)
{
	struct addresses *addresses = userdata;

	if (!added)
		return 0;
	if (addresses->count == addresses->room) {
		size_t room = addresses->room ? addresses->room * 2 : 16;
		struct address *more = reallocarray(addresses->list, room, sizeof(*more));

		if (!more)
			return -ENOMEM;
		addresses->list = more;
		addresses->room = room;
	}
	addresses->list[addresses->count++] = *addr;
	return 0;
}

static int compare(const void *a, const void *b)
{
	return address_compare(a, b);
}

/* What a notice says is not needed: everything is read again. */
static int on_notice(const struct nlmsghdr *msg, void *userdata)
{
	(void)msg;
	(void)userdata;
	return 0;
}

static bool same(const struct addresses *a, const struct addresses *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (!address_equal(&a->list[i], &b->list[i]))
			return false;
	return true;
}

int locals_refresh(struct locals *locals)
{
	struct addresses next = { 0 };
	int r = netlink_notices(&locals->notices, on_notice, NULL);

	if (r < 0 && r != -ENOBUFS)
		return r;
	r = rtnl_smallest_mtu(&locals->ask, &locals->mtu);
	if (r == 0)
		r = rtnl_address_dump(&locals->ask, add_address, &next);
	if (r == -EINTR)
		r = 0; /* it changed while it was read: another notice follows, what is there is used */
	if (r < 0) {
		free(next.list);
		return r;
	}
	if (next.count)
		qsort(next.list, next.count, sizeof(*next.list), compare);
	if (!same(&locals->addresses, &next))
		locals->version++;
	free(locals->addresses.list);
	locals->addresses = next;
	return 0;
}

bool locals_has(const struct locals *locals, const struct address *addr)
{
	return locals->addresses.count && bsearch(addr, locals->addresses.list,
						  locals->addresses.count, sizeof(*addr), compare);
}

const struct address *locals_list(const struct locals *locals, size_t *ret_count)
{
	*ret_count = locals->addresses.count;
	return locals->addresses.list;
}

uint64_t locals_version(const struct locals *locals)
{
	return locals->version;
}

uint32_t locals_smallest_mtu(const struct locals *locals)
{
	return locals->mtu;
}
