/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/plant/plant_ways.h"

#include "services/datapath/plant/plant.h"
#include "services/datapath/steer/rtnl.h"

/* Listening begins first, so that nothing goes unheard. */
int plant_ways_open(struct plant *plant)
{
	struct steer_ways *ways = &plant->ways;
	int r;

	ways->table = (uint32_t)plant->settings->route_table;
	ways->priority = (uint32_t)plant->settings->rule_priority;
	ways->ifindex = plant->host.ifindex;
	ways->mtu = TUN_MTU;
	r = steer_ways_open(ways);
	return r < 0 ? r : steer_routes(plant->steer);
}

int plant_ways_follow(struct plant *plant, bool *ret_restored)
{
	CLEANUP(netlink_close) struct netlink route = { .fd = -1 };
	int r = steer_ways_hear(&plant->ways, ret_restored);

	if (r < 0 || !*ret_restored)
		return r;
	r = netlink_open(NETLINK_ROUTE, 0, &route);
	if (r == 0)
		r = rtnl_link_setup(&route, plant->host.ifindex, TUN_MTU);
	return r < 0 ? r : steer_routes(plant->steer);
}
