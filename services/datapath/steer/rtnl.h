/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Links, addresses, routes and rules over rtnetlink; never through /proc/sys. */
#ifndef DATAPATH_RTNL_H
#define DATAPATH_RTNL_H

#include <stdbool.h>
#include <stdint.h>

#include "common/model/address.h"
#include "services/datapath/steer/netlink.h"

/* Up, with this MTU, no IPv6 link-local address of its own, marks counted in reverse path checks. */
int rtnl_link_setup(struct netlink *nl, int ifindex, uint32_t mtu) MUST_CHECK;
/* Not for groups: the kernel then has no listeners of its own to report there. */
int rtnl_link_quiet(struct netlink *nl, int ifindex) MUST_CHECK;
/* A remark on an interface, by which it is known again. */
int rtnl_link_alias(struct netlink *nl, int ifindex, const char *alias) MUST_CHECK;
/* Delete the interfaces with this remark that @is_stale says yes to. */
int rtnl_link_delete(struct netlink *nl, const char *alias,
	bool (*is_stale)(const char *name, void *userdata), void *userdata) MUST_CHECK;
/* An address with its prefix length on an interface; 0 also when it is there already. */
int rtnl_address_add(
	struct netlink *nl, int ifindex, const struct address *addr, uint8_t bits) MUST_CHECK;
/* 0 also when it is not there. */
int rtnl_address_delete(
	struct netlink *nl, int ifindex, const struct address *addr, uint8_t bits) MUST_CHECK;
/* "default dev IFINDEX table TABLE"; replaces its like. */
int rtnl_route_default(struct netlink *nl, int family, int ifindex, uint32_t table) MUST_CHECK;
/* "PREFIX dev IFINDEX table TABLE"; replaces its like. */
int rtnl_route_prefix(
	struct netlink *nl, const struct prefix *prefix, int ifindex, uint32_t table) MUST_CHECK;
/* "blackhole default metric METRIC table TABLE". */
int rtnl_route_blackhole(
	struct netlink *nl, int family, uint32_t table, uint32_t metric) MUST_CHECK;
/* All routes of @table that we put there. */
int rtnl_route_flush(struct netlink *nl, int family, uint32_t table) MUST_CHECK;
struct rtnl_mark_rule {
	uint32_t mark, mask, table, priority;
	const char
		*out_interface; /* NULL: by the mark; else what is bound for there, marked or not */
};
/* "fwmark MARK/MASK lookup TABLE priority PRIORITY"; adding what is there is fine, so is deleting what is not. */
int rtnl_rule_add(struct netlink *nl, int family, const struct rtnl_mark_rule *rule) MUST_CHECK;
int rtnl_rule_delete(struct netlink *nl, int family, const struct rtnl_mark_rule *rule) MUST_CHECK;

/* @added: false for an address that went. */
typedef int (*rtnl_address_fn)(const struct address *addr, bool added, void *userdata);
int rtnl_address_dump(struct netlink *nl, rtnl_address_fn fn, void *userdata) MUST_CHECK;
/* From a notice of RTMGRP_IPV4_IFADDR or RTMGRP_IPV6_IFADDR; other messages are passed over. */
int rtnl_address_notice(const struct nlmsghdr *msg, rtnl_address_fn fn, void *userdata) MUST_CHECK;
/* The smallest MTU of the interfaces that are up, loopback and TUNs apart; 1500 when there is none. */
int rtnl_smallest_mtu(struct netlink *nl, uint32_t *ret_mtu) MUST_CHECK;

#endif
