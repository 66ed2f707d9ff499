/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/steer/steer_ways.h"

#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#define GROUPS                                                                    \
	(RTMGRP_LINK | RTMGRP_IPV4_ROUTE | RTMGRP_IPV4_RULE | RTMGRP_IPV6_ROUTE | \
		1U << (RTNLGRP_IPV6_RULE - 1))

struct hearing {
	const struct steer_ways *ways;
	bool lost;
};

int steer_ways_open(struct steer_ways *ways)
{
	return netlink_open(NETLINK_ROUTE, GROUPS, &ways->notices);
}

void steer_ways_close(struct steer_ways *ways)
{
	netlink_close(&ways->notices);
}

/* Does the message say @value by this attribute? */
static bool says(const struct nlmsghdr *msg, size_t header, uint16_t type, uint32_t value)
{
	const struct nlattr *attr;

	if (mnl_nlmsg_get_payload_len(msg) < header)
		return false;
	NETLINK_EACH_ATTR(attr, msg, header)
	{
		if (mnl_attr_get_type(attr) == type && mnl_attr_validate(attr, MNL_TYPE_U32) >= 0 &&
			mnl_attr_get_u32(attr) == value)
			return true;
	}
	return false;
}

/* By what the notice says: when it is read, the interface may long be up again, without its routes. */
static bool is_lame(const struct steer_ways *ways, const struct nlmsghdr *msg)
{
	const struct ifinfomsg *link = mnl_nlmsg_get_payload(msg);

	if (mnl_nlmsg_get_payload_len(msg) < sizeof(*link) || link->ifi_index != ways->ifindex ||
		link->ifi_family != AF_UNSPEC)
		return false;
	return !(link->ifi_flags & IFF_UP) || !says(msg, sizeof(*link), IFLA_MTU, ways->mtu);
}

static int on_notice(const struct nlmsghdr *msg, void *userdata)
{
	struct hearing *hearing = userdata;
	const struct steer_ways *ways = hearing->ways;

	if (msg->nlmsg_type == RTM_DELRULE)
		hearing->lost |= says(
			msg, sizeof(struct fib_rule_hdr), FRA_PRIORITY, ways->priority);
	else if (msg->nlmsg_type == RTM_DELROUTE)
		hearing->lost |= says(msg, sizeof(struct rtmsg), RTA_TABLE, ways->table);
	else if (msg->nlmsg_type == RTM_NEWLINK)
		hearing->lost |= is_lame(ways, msg);
	return 0;
}

int steer_ways_hear(struct steer_ways *ways, bool *ret_lost)
{
	struct hearing hearing = { .ways = ways };
	int r = netlink_notices(&ways->notices, on_notice, &hearing);

	if (r == -ENOBUFS) {
		hearing.lost = true;
		r = 0;
	}
	*ret_lost = hearing.lost;
	return r;
}
