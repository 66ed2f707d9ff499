/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/steer/rtnl.h"

#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <string.h>

#define RTNL_MESSAGE_BYTES 512
#define MTU_USUAL	   1500
#define QUEUE_PACKETS	   4096 /* what waits while whoever reads the device has other work */

struct message {
	_Alignas(struct nlmsghdr) uint8_t bytes[RTNL_MESSAGE_BYTES];
	struct nlmsghdr *header;
};

static void *message_begin(struct message *msg, uint16_t type, uint16_t flags, size_t extra)
{
	msg->header = mnl_nlmsg_put_header(msg->bytes);
	msg->header->nlmsg_type = type;
	msg->header->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	return mnl_nlmsg_put_extra_header(msg->header, extra);
}

/* Nested {AF_INET {INET_CONF {src_valid_mark 1}}, AF_INET6 {addr_gen_mode none}}. */
static void put_family_settings(struct nlmsghdr *msg)
{
	struct nlattr *spec = mnl_attr_nest_start(msg, IFLA_AF_SPEC);
	struct nlattr *family = mnl_attr_nest_start(msg, AF_INET);
	struct nlattr *conf = mnl_attr_nest_start(msg, IFLA_INET_CONF);

	mnl_attr_put_u32(msg, IPV4_DEVCONF_SRC_VMARK, 1);
	mnl_attr_nest_end(msg, conf);
	mnl_attr_nest_end(msg, family);
	family = mnl_attr_nest_start(msg, AF_INET6);
	mnl_attr_put_u8(msg, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
	mnl_attr_nest_end(msg, family);
	mnl_attr_nest_end(msg, spec);
}

int rtnl_link_setup(struct netlink *nl, int ifindex, uint32_t mtu)
{
	struct message msg;
	struct ifinfomsg *link = message_begin(&msg, RTM_NEWLINK, 0, sizeof(*link));
	int r;

	link->ifi_index = ifindex;
	put_family_settings(msg.header);
	r = netlink_request(nl, msg.header);
	if (r < 0 && r != -EAFNOSUPPORT && r != -EOPNOTSUPP)
		return r; /* a kernel without IPv6 has no such settings, and needs none */
	link = message_begin(&msg, RTM_NEWLINK, 0, sizeof(*link));
	link->ifi_index = ifindex;
	link->ifi_flags = IFF_UP;
	link->ifi_change = IFF_UP;
	mnl_attr_put_u32(msg.header, IFLA_MTU, mtu);
	mnl_attr_put_u32(msg.header, IFLA_TXQLEN, QUEUE_PACKETS);
	return netlink_request(nl, msg.header);
}

int rtnl_link_quiet(struct netlink *nl, int ifindex)
{
	struct message msg;
	struct ifinfomsg *link = message_begin(&msg, RTM_NEWLINK, 0, sizeof(*link));

	link->ifi_index = ifindex;
	link->ifi_flags = 0;
	link->ifi_change = IFF_MULTICAST;
	return netlink_request(nl, msg.header);
}

int rtnl_link_alias(struct netlink *nl, int ifindex, const char *alias)
{
	struct message msg;
	struct ifinfomsg *link = message_begin(&msg, RTM_NEWLINK, 0, sizeof(*link));

	link->ifi_index = ifindex;
	mnl_attr_put_strz(msg.header, IFLA_IFALIAS, alias);
	return netlink_request(nl, msg.header);
}

#define STALE_MAX 64

struct stale {
	const char *alias;
	bool (*is_stale)(const char *name, void *userdata);
	void *userdata;
	int found[STALE_MAX];
	size_t n_found;
};

static int on_stale(const struct nlmsghdr *msg, void *userdata)
{
	const struct ifinfomsg *link = mnl_nlmsg_get_payload(msg);
	const char *name = "", *alias = "";
	const struct nlattr *attr;
	struct stale *stale = userdata;

	if (msg->nlmsg_type != RTM_NEWLINK || mnl_nlmsg_get_payload_len(msg) < sizeof(*link))
		return 0;
	NETLINK_EACH_ATTR(attr, msg, sizeof(*link))
	{
		if (mnl_attr_get_type(attr) == IFLA_IFNAME)
			name = mnl_attr_get_str(attr);
		if (mnl_attr_get_type(attr) == IFLA_IFALIAS)
			alias = mnl_attr_get_str(attr);
	}
	if (strcmp(alias, stale->alias) == 0 && stale->n_found < STALE_MAX &&
		stale->is_stale(name, stale->userdata))
		stale->found[stale->n_found++] = link->ifi_index;
	return 0;
}

static int delete_link(struct netlink *nl, int ifindex)
{
	struct message msg;
	struct ifinfomsg *link = message_begin(&msg, RTM_DELLINK, 0, sizeof(*link));

	link->ifi_index = ifindex;
	return netlink_request(nl, msg.header);
}

int rtnl_link_delete(struct netlink *nl, const char *alias,
	bool (*is_stale)(const char *name, void *userdata), void *userdata)
{
	struct stale stale = { .alias = alias, .is_stale = is_stale, .userdata = userdata };
	struct message msg;
	int r;

	(void)message_begin(&msg, RTM_GETLINK, NLM_F_DUMP, sizeof(struct ifinfomsg));
	r = netlink_dump(nl, msg.header, on_stale, &stale);
	for (size_t i = 0; i < stale.n_found && r == 0; i++)
		r = delete_link(nl, stale.found[i]);
	return r;
}

static int change_address(struct netlink *nl, struct message *msg, struct ifaddrmsg *ifa,
	const struct address *addr, uint8_t bits)
{
	ifa->ifa_family = addr->family;
	ifa->ifa_prefixlen = bits;
	ifa->ifa_flags = addr->family == AF_INET6 ? IFA_F_NODAD : 0;
	mnl_attr_put(msg->header, IFA_LOCAL, address_len(addr->family), addr->bytes);
	mnl_attr_put(msg->header, IFA_ADDRESS, address_len(addr->family), addr->bytes);
	return netlink_request(nl, msg->header);
}

int rtnl_address_add(struct netlink *nl, int ifindex, const struct address *addr, uint8_t bits)
{
	struct message msg;
	struct ifaddrmsg *ifa = message_begin(
		&msg, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, sizeof(*ifa));

	ifa->ifa_index = (uint32_t)ifindex;
	return change_address(nl, &msg, ifa, addr, bits);
}

int rtnl_address_delete(struct netlink *nl, int ifindex, const struct address *addr, uint8_t bits)
{
	struct message msg;
	struct ifaddrmsg *ifa = message_begin(&msg, RTM_DELADDR, 0, sizeof(*ifa));
	int r;

	ifa->ifa_index = (uint32_t)ifindex;
	r = change_address(nl, &msg, ifa, addr, bits);
	return r == -EADDRNOTAVAIL ? 0 : r;
}

static void route_begin(
	struct message *msg, uint16_t type, uint16_t flags, int family, uint32_t table)
{
	struct rtmsg *rtm = message_begin(msg, type, flags, sizeof(*rtm));

	rtm->rtm_family = (uint8_t)family;
	rtm->rtm_table = RT_TABLE_UNSPEC;
	rtm->rtm_protocol = RTPROT_STATIC;
	rtm->rtm_scope = RT_SCOPE_UNIVERSE;
	rtm->rtm_type = RTN_UNICAST;
	mnl_attr_put_u32(msg->header, RTA_TABLE, table);
}

int rtnl_route_default(struct netlink *nl, int family, int ifindex, uint32_t table)
{
	struct message msg;
	struct rtmsg *rtm;

	route_begin(&msg, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, family, table);
	rtm = mnl_nlmsg_get_payload(msg.header);
	if (family == AF_INET)
		rtm->rtm_scope = RT_SCOPE_LINK;
	mnl_attr_put_u32(msg.header, RTA_OIF, (uint32_t)ifindex);
	mnl_attr_put_u32(msg.header, RTA_PRIORITY, 1);
	return netlink_request(nl, msg.header);
}

int rtnl_route_prefix(struct netlink *nl, const struct prefix *prefix, int ifindex, uint32_t table)
{
	struct message msg;
	struct rtmsg *rtm;

	route_begin(&msg, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, prefix->addr.family, table);
	rtm = mnl_nlmsg_get_payload(msg.header);
	rtm->rtm_dst_len = prefix->bits;
	mnl_attr_put(msg.header, RTA_DST, address_len(prefix->addr.family), prefix->addr.bytes);
	mnl_attr_put_u32(msg.header, RTA_OIF, (uint32_t)ifindex);
	return netlink_request(nl, msg.header);
}

int rtnl_route_blackhole(struct netlink *nl, int family, uint32_t table, uint32_t metric)
{
	struct message msg;
	struct rtmsg *rtm;

	route_begin(&msg, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, family, table);
	rtm = mnl_nlmsg_get_payload(msg.header);
	rtm->rtm_type = RTN_BLACKHOLE;
	mnl_attr_put_u32(msg.header, RTA_PRIORITY, metric);
	return netlink_request(nl, msg.header);
}

int rtnl_route_flush(struct netlink *nl, int family, uint32_t table)
{
	int r;

	/* A deletion that names only the table takes one route at a time. */
	do {
		struct message msg;
		struct rtmsg *rtm;

		route_begin(&msg, RTM_DELROUTE, 0, family, table);
		rtm = mnl_nlmsg_get_payload(msg.header);
		rtm->rtm_protocol = RTPROT_UNSPEC;
		rtm->rtm_scope = RT_SCOPE_NOWHERE;
		rtm->rtm_type = RTN_UNSPEC;
		r = netlink_request(nl, msg.header);
	} while (r == 0);
	return r == -ESRCH || r == -ENOENT ? 0 : r;
}

static int rule_request(
	struct netlink *nl, uint16_t type, int family, const struct rtnl_mark_rule *rule)
{
	struct message msg;
	struct fib_rule_hdr *frh = message_begin(
		&msg, type, type == RTM_NEWRULE ? NLM_F_CREATE | NLM_F_EXCL : 0, sizeof(*frh));

	frh->family = (uint8_t)family;
	frh->action = FR_ACT_TO_TBL;
	mnl_attr_put_u32(msg.header, FRA_TABLE, rule->table);
	mnl_attr_put_u32(msg.header, FRA_PRIORITY, rule->priority);
	if (rule->out_interface) {
		mnl_attr_put_strz(msg.header, FRA_OIFNAME, rule->out_interface);
	} else {
		mnl_attr_put_u32(msg.header, FRA_FWMARK, rule->mark);
		mnl_attr_put_u32(msg.header, FRA_FWMASK, rule->mask);
	}
	return netlink_request(nl, msg.header);
}

int rtnl_rule_add(struct netlink *nl, int family, const struct rtnl_mark_rule *rule)
{
	int r = rule_request(nl, RTM_NEWRULE, family, rule);

	return r == -EEXIST ? 0 : r;
}

int rtnl_rule_delete(struct netlink *nl, int family, const struct rtnl_mark_rule *rule)
{
	int r = rule_request(nl, RTM_DELRULE, family, rule);

	return r == -ENOENT || r == -ESRCH ? 0 : r;
}

int rtnl_address_notice(const struct nlmsghdr *msg, rtnl_address_fn fn, void *userdata)
{
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(msg);
	const struct nlattr *attr, *found = NULL;
	struct address addr = { 0 };

	if (msg->nlmsg_type != RTM_NEWADDR && msg->nlmsg_type != RTM_DELADDR)
		return 0;
	if (mnl_nlmsg_get_payload_len(msg) < sizeof(*ifa) || !address_len(ifa->ifa_family))
		return 0;
	NETLINK_EACH_ATTR(attr, msg, sizeof(*ifa))
	{
		/* On a point-to-point link IFA_ADDRESS is the other end. */
		if (mnl_attr_get_type(attr) == IFA_LOCAL)
			found = attr;
		if (mnl_attr_get_type(attr) == IFA_ADDRESS && !found)
			found = attr;
	}
	if (!found || mnl_attr_get_payload_len(found) != address_len(ifa->ifa_family))
		return 0;
	addr.family = ifa->ifa_family;
	memcpy(addr.bytes, mnl_attr_get_payload(found), address_len(ifa->ifa_family));
	return fn(&addr, msg->nlmsg_type == RTM_NEWADDR, userdata);
}

struct address_dump {
	rtnl_address_fn fn;
	void *userdata;
};

static int on_address(const struct nlmsghdr *msg, void *userdata)
{
	const struct address_dump *dump = userdata;

	return rtnl_address_notice(msg, dump->fn, dump->userdata);
}

int rtnl_address_dump(struct netlink *nl, rtnl_address_fn fn, void *userdata)
{
	struct address_dump dump = { .fn = fn, .userdata = userdata };
	struct message msg;
	struct ifaddrmsg *ifa = message_begin(&msg, RTM_GETADDR, NLM_F_DUMP, sizeof(*ifa));

	ifa->ifa_family = AF_UNSPEC;
	return netlink_dump(nl, msg.header, on_address, &dump);
}

static int on_link(const struct nlmsghdr *msg, void *userdata)
{
	const struct ifinfomsg *link = mnl_nlmsg_get_payload(msg);
	uint32_t *smallest = userdata;
	const struct nlattr *attr;

	if (msg->nlmsg_type != RTM_NEWLINK || mnl_nlmsg_get_payload_len(msg) < sizeof(*link))
		return 0;
	if (!(link->ifi_flags & IFF_UP) || link->ifi_flags & IFF_LOOPBACK ||
		link->ifi_type == ARPHRD_NONE)
		return 0;
	NETLINK_EACH_ATTR(attr, msg, sizeof(*link))
	if (mnl_attr_get_type(attr) == IFLA_MTU && mnl_attr_get_payload_len(attr) == 4 &&
		(*smallest == 0 || mnl_attr_get_u32(attr) < *smallest))
		*smallest = mnl_attr_get_u32(attr);
	return 0;
}

int rtnl_smallest_mtu(struct netlink *nl, uint32_t *ret_mtu)
{
	struct message msg;
	struct ifinfomsg *link = message_begin(&msg, RTM_GETLINK, NLM_F_DUMP, sizeof(*link));
	uint32_t smallest = 0;
	int r;

	link->ifi_family = AF_UNSPEC;
	r = netlink_dump(nl, msg.header, on_link, &smallest);
	if (r < 0)
		return r;
	*ret_mtu = smallest ? smallest : MTU_USUAL;
	return 0;
}
