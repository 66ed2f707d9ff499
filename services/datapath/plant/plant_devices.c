/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/plant/plant_devices.h"

#include <errno.h>
#include <string.h>

#include "common/daemon/log.h"
#include "services/datapath/io/wire_plain.h"
#include "services/datapath/plant/plant.h"
#include "services/datapath/steer/rtnl.h"

#define TUNNEL_ALIAS	   "netipsec tunnel"
#define TUNNEL_MTU_DEFAULT 1400

static uint32_t mtu_of(const struct tunnel *tunnel)
{
	return tunnel->mtu ? tunnel->mtu : TUNNEL_MTU_DEFAULT;
}

static int set_up(struct netlink *route, const struct tun *tun, const struct tunnel *tunnel)
{
	int r = rtnl_link_setup(route, tun->ifindex, mtu_of(tunnel));

	for (size_t i = 0; i < tunnel->n_addresses && r == 0; i++)
		r = rtnl_address_add(
			route, tun->ifindex, &tunnel->address_hosts[i], tunnel->addresses[i].bits);
	return r;
}

int plant_device_open(const struct plant *plant, struct netlink *route, const struct tunnel *tunnel,
	struct tun **ret_tun)
{
	struct tun *tun = calloc(1, sizeof(*tun));
	int r = tun ? tun_open(tunnel->name, plant->settings->workers, true, tun) : -ENOMEM;

	if (r < 0) {
		free(tun);
		return r;
	}
	r = rtnl_link_alias(route, tun->ifindex, TUNNEL_ALIAS);
	if (r == 0)
		r = set_up(route, tun, tunnel);
	if (r < 0) {
		plant_device_close(tun, true);
		return r;
	}
	*ret_tun = tun;
	return 0;
}

void plant_device_close(struct tun *tun, bool remove)
{
	if (!tun)
		return;
	if (remove)
		tun_forget(tun);
	tun_close(tun);
	free(tun);
}

static bool has_address(const struct tunnel *tunnel, const struct tunnel *of, size_t i)
{
	for (size_t k = 0; k < tunnel->n_addresses; k++)
		if (address_equal(&tunnel->address_hosts[k], &of->address_hosts[i]) &&
			tunnel->addresses[k].bits == of->addresses[i].bits)
			return true;
	return false;
}

int plant_device_adjust(struct netlink *route, const struct tun *tun, const struct tunnel *former,
	const struct tunnel *next)
{
	int r = 0;

	for (size_t i = 0; i < former->n_addresses && r == 0; i++)
		if (!has_address(next, former, i))
			r = rtnl_address_delete(route, tun->ifindex, &former->address_hosts[i],
				former->addresses[i].bits);
	return r < 0 ? r : set_up(route, tun, next);
}

static bool is_stale(const char *name, void *userdata)
{
	struct plant *plant = userdata;

	for (size_t i = 0; i < ENGINE_MAX_TUNNELS; i++) {
		const struct tun *tun = rcu_read(&plant->tunnels.tuns[i]);

		if (tun && strcmp(tun->name, name) == 0)
			return false;
	}
	return true;
}

int plant_devices_forget_stale(struct plant *plant, struct netlink *route)
{
	return rtnl_link_delete(route, TUNNEL_ALIAS, is_stale, plant);
}

void plant_devices_tell_wire(struct plant *plant)
{
	const struct tunnel_table *table = &plant->tunnels.list->table;
	struct wire_ends ends[ENGINE_MAX_TUNNELS];
	int r;

	for (size_t i = 0; i < ENGINE_MAX_TUNNELS; i++) {
		const struct tun *tun = rcu_read(&plant->tunnels.tuns[i]);

		wire_set_tun(&plant->wire, i + 1, tun ? tun->ifindex : 0);
	}
	wire_set_tun(&plant->wire, 0, plant->host.ifindex);
	for (size_t i = 0; i < table->count; i++)
		ends[i] = (struct wire_ends){ &table->tunnels[i].src, &table->tunnels[i].dst };
	r = wire_admit_plain(&plant->wire, ends, table->count);
	if (r < 0)
		log_warning("plain IP in IP is not told apart: %s", strerror(-r));
}
