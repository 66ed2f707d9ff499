/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/steer/steer.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netfilter/nfnetlink.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/text.h"
#include "common/marks.h"
#include "services/datapath/steer/rtnl.h"
#include "services/datapath/steer/steer_group.h"
#include "services/datapath/steer/steer_lid.h"

#define LIDS		 2
#define LOAD_TRIES	 3
#define OWNED_TABLE	 "netipsec-own"
#define BLACKHOLE_METRIC 9999

struct steer {
	struct steer_options options;
	char interface[IFNAMSIZ];
	struct netlink route, notify;
	struct lid lids[LIDS];
	size_t n_lids;
	struct steer_program *program; /* what was loaded last; NULL: nothing yet */
	struct steer_own *own; /* of it; NULL: a list, which needs none */
	struct address *addresses; /* of this machine, sorted, owned */
	size_t n_addresses;
	const struct tunnel_table *tunnels;
	struct steer_tunables tunables;
	bool no_sockets; /* the kernel has no matches on sockets */
	bool no_log; /* nor nflog */
};

static int open_lids(struct steer *steer)
{
	struct lid *first = &steer->lids[0];
	int r = lid_open(
		first, STEER_TABLE, NFT_FLAG_OWNER | NFT_FLAG_PERSIST, steer->options.owner_fd);

	if (r < 0)
		return r;
	steer->n_lids = 1;
	first->counts = true;
	r = steer->options.two_tables ? -EOPNOTSUPP : lid_try(first);
	if (r == 0 || r == -EPERM)
		return r;
	/* An older kernel: the flag is unknown, or the plain table stands there already. */
	steer->lids[1] = *first;
	steer->lids[1].table = OWNED_TABLE;
	steer->lids[1].flags = NFT_FLAG_OWNER;
	steer->lids[1].counts = false;
	steer->n_lids = LIDS;
	r = lid_open(first, STEER_TABLE, 0, -1);
	first->counts = true;
	return r < 0 ? r : lid_try(first);
}

int steer_new(const struct steer_options *options, struct steer **ret_steer)
{
	CLEANUP(steer_freep) struct steer *steer = calloc(1, sizeof(*steer));
	int r;

	if (!steer)
		return -ENOMEM;
	steer->options = *options;
	steer->tunables = (struct steer_tunables){ true, true, true };
	steer->route.fd = steer->notify.fd = -1;
	for (size_t i = 0; i < LIDS; i++)
		steer->lids[i].nl.fd = -1;
	/* Settings come and go while the program is loaded again and again. */
	r = text_copy(steer->interface, sizeof(steer->interface), options->interface);
	steer->options.interface = steer->interface;
	if (r >= 0)
		r = netlink_open(NETLINK_ROUTE, 0, &steer->route);
	if (r == 0)
		r = netlink_open(NETLINK_NETFILTER, 1U << (NFNLGRP_NFTABLES - 1), &steer->notify);
	if (r == 0)
		r = open_lids(steer);
	if (r < 0)
		return r;
	*ret_steer = STEAL(steer);
	return 0;
}

struct steer *steer_free(struct steer *steer)
{
	if (!steer)
		return NULL;
	netlink_close(&steer->route);
	netlink_close(&steer->notify);
	for (size_t i = 0; i < LIDS; i++)
		netlink_close(&steer->lids[i].nl);
	steer_program_free(steer->program);
	steer_own_free(steer->own);
	free(steer->addresses);
	free(steer);
	return NULL;
}

static const int families[] = { AF_INET, AF_INET6 };

static bool is_family_absent(int family, int error)
{
	return family == AF_INET6 && (error == -EAFNOSUPPORT || error == -EOPNOTSUPP);
}

int steer_routes(struct steer *steer)
{
	struct rtnl_mark_rule rule = { .mark = MARK_PROTECT,
		.mask = MARK_PROTECT,
		.table = steer->options.route_table,
		.priority = steer->options.rule_priority };
	unsigned int ifindex = if_nametoindex(steer->options.interface);

	/* The blackhole first: from here on nothing marked can take another way. */
	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		int r = rtnl_route_blackhole(
			&steer->route, families[i], rule.table, BLACKHOLE_METRIC);

		if (is_family_absent(families[i], r))
			continue;
		if (r == 0)
			r = rtnl_rule_add(&steer->route, families[i], &rule);
		if (r == 0 && ifindex)
			r = rtnl_route_default(
				&steer->route, families[i], (int)ifindex, rule.table);
		if (r == 0 && ifindex)
			r = steer_group_routes(&steer->route, families[i], steer->options.interface,
				rule.table, rule.priority);
		if (r < 0)
			return r;
	}
	return 0;
}

int steer_present(struct steer *steer, bool *ret_present)
{
	int r = 0;

	*ret_present = false;
	for (size_t i = 0; i < steer->n_lids && r == 0; i++) {
		bool exists = false;

		r = lid_exists(&steer->lids[i], &exists);
		*ret_present |= exists;
	}
	return r;
}

int steer_held(bool *ret_held)
{
	struct lid lid;
	int r = lid_open(&lid, STEER_TABLE, 0, -1);

	*ret_held = false;
	if (r == 0)
		r = lid_exists(&lid, ret_held);
	netlink_close(&lid.nl);
	return r;
}

static struct steer_image image_of(const struct steer *steer)
{
	return (struct steer_image){ .program = steer->program,
		.own = steer->own,
		.frame = { .options = &steer->options,
			.tunnels = steer->tunnels,
			.diverts = steer->program->diverts,
			.log_group = steer->no_log ? 0 : steer->options.log_group,
			.no_sockets = steer->no_sockets },
		.tunables = &steer->tunables };
}

static int load_lid(const struct steer *steer, struct lid *lid)
{
	struct steer_image image = image_of(steer);

	return lid_load(lid, &image);
}

static int load_each(struct steer *steer, const bool wanted[static LIDS])
{
	int r = 0;

	for (size_t i = 0; i < steer->n_lids && r == 0; i++)
		if (wanted[i])
			r = load_lid(steer, &steer->lids[i]);
	if (r == 0 && wanted[0])
		r = steer_group_load(&steer->lids[0], steer->options.interface);
	return r;
}

static uint32_t transactions(const struct steer *steer)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < steer->n_lids; i++)
		sum += steer->lids[i].transactions;
	return sum;
}

/*
 * Each element that is loaded would be told to whoever listens: we do not, and look afterwards
 * whether there were more transactions than ours.
 */
static int load_lids(struct steer *steer, const bool wanted[static LIDS])
{
	struct netlink *nl = &steer->lids[0].nl;
	int r = 0;

	for (int tries = 0; tries < LOAD_TRIES && r == 0; tries++) {
		uint32_t before, after, ours = transactions(steer);
		int heard;

		r = nft_generation(nl, &before);
		if (r == 0)
			r = netlink_listen(&steer->notify, NFNLGRP_NFTABLES, false);
		if (r < 0)
			return r;
		r = load_each(steer, wanted);
		heard = netlink_listen(&steer->notify, NFNLGRP_NFTABLES, true);
		if (r == 0)
			r = heard;
		if (r == 0)
			r = nft_generation(nl, &after);
		if (r == 0 && after - before == transactions(steer) - ours)
			break;
	}
	return r;
}

/* A list decides by itself; a program in maps needs lines for the own addresses beside it. */
static int find_own(
	const struct steer *steer, const struct steer_program *program, struct steer_own **ret_own)
{
	*ret_own = NULL;
	if (program->out_plan->n_layers == 0 && program->in_plan->n_layers == 0)
		return 0;
	return steer_own_new(program, steer->addresses, steer->n_addresses, ret_own);
}

int steer_load(struct steer *steer, const struct spd *spd, const struct tunnel_table *tunnels)
{
	static const bool all[LIDS] = { true, true };
	const struct tunnel_table *former_tunnels = steer->tunnels;
	CLEANUP(steer_program_freep) struct steer_program *next = NULL;
	CLEANUP(steer_own_freep) struct steer_own *own = NULL;
	int r = steer_compile(spd, &next);

	if (r == 0)
		r = find_own(steer, next, &own);
	if (r < 0)
		return r;
	SWAP(steer->program, next);
	SWAP(steer->own, own);
	steer->tunnels = tunnels;
	r = load_lids(steer, all);
	if (r == -ENOENT && !steer->no_log) {
		/* A kernel without nflog: its drops are counted, and nothing tells of them. */
		steer->no_log = true;
		r = load_lids(steer, all);
	}
	if (r == -ENOENT && !steer->no_sockets) {
		/* A kernel without matches on sockets: ESP in UDP needs a bypass rule there. */
		steer->no_sockets = true;
		r = load_lids(steer, all);
	}
	if (r < 0) {
		/* The kernel still holds the former program in every lid that was not reached. */
		SWAP(steer->program, next);
		SWAP(steer->own, own);
		steer->tunnels = former_tunnels;
	}
	return r;
}

int steer_set_own(struct steer *steer, const struct address *addresses, size_t count)
{
	CLEANUP(freep) struct address *next = calloc(count + 1, sizeof(*next));
	CLEANUP(steer_own_freep) struct steer_own *own = NULL;
	struct steer_image image;
	int r = 0;

	if (!next)
		return -ENOMEM;
	if (count)
		memcpy(next, addresses, count * sizeof(*next));
	SWAP(steer->addresses, next);
	steer->n_addresses = count;
	if (steer->own)
		r = steer_own_new(steer->program, steer->addresses, count, &own);
	if (r < 0 || !steer->own)
		return r;
	SWAP(steer->own, own);
	image = image_of(steer);
	for (size_t i = 0; i < steer->n_lids && r == 0; i++)
		r = lid_load_own(&steer->lids[i], &image);
	return r;
}

int steer_set_tunables(struct steer *steer, const struct steer_tunables *tunables)
{
	int r = 0;

	if (memcmp(&steer->tunables, tunables, sizeof(*tunables)) == 0)
		return 0;
	steer->tunables = *tunables;
	for (size_t i = 0; steer->program && i < steer->n_lids && r == 0; i++)
		r = lid_exempt(&steer->lids[i], tunables);
	return r;
}

int steer_notify_fd(const struct steer *steer)
{
	return steer->notify.fd;
}

struct watch {
	const struct steer *steer;
	bool touched[LIDS];
};

static int on_notice(const struct nlmsghdr *msg, void *userdata)
{
	struct watch *watch = userdata;

	for (size_t i = 0; i < watch->steer->n_lids; i++) {
		const struct lid *lid = &watch->steer->lids[i];

		if (nft_notice_is_foreign(msg, lid->table, lid->nl.portid))
			watch->touched[i] = true;
	}
	return 0;
}

int steer_on_notify(struct steer *steer, bool *ret_restored)
{
	struct watch watch = { .steer = steer };
	int r = netlink_notices(&steer->notify, on_notice, &watch);

	*ret_restored = false;
	if (r == -ENOBUFS)
		watch.touched[0] = watch.touched[1] = true;
	else if (r < 0)
		return r;
	if (!steer->program)
		return 0;
	if (!watch.touched[0] && !watch.touched[1])
		return 0;
	r = load_lids(steer, watch.touched);
	*ret_restored = r == 0;
	return r;
}

int steer_owner_fd(const struct steer *steer)
{
	return steer->lids[steer->n_lids - 1].nl.fd;
}

unsigned int steer_lacks(const struct steer *steer)
{
	unsigned int lacks = 0;

	if (steer->n_lids > 1)
		lacks |= STEER_LACKS_PERSISTENCE;
	if (steer->no_sockets)
		lacks |= STEER_LACKS_SOCKETS;
	if (steer->no_log)
		lacks |= STEER_LACKS_LOG;
	return lacks;
}

struct count_call {
	void (*fn)(const struct steer_count *count, void *userdata);
	void *userdata;
};

static int on_counter(const char *name, uint64_t packets, uint64_t bytes, void *userdata)
{
	const struct count_call *call = userdata;
	struct steer_count count = { .packets = packets, .bytes = bytes };

	if (steer_counter_parse(name, &count.outbound, &count.verdict, &count.rule_id))
		call->fn(&count, call->userdata);
	return 0;
}

int steer_counters(struct steer *steer, void (*fn)(const struct steer_count *count, void *userdata),
	void *userdata)
{
	struct count_call call = { .fn = fn, .userdata = userdata };

	return lid_counters(&steer->lids[0], on_counter, &call);
}

int steer_remove(struct steer *steer)
{
	struct rtnl_mark_rule rule = { .mark = MARK_PROTECT,
		.mask = MARK_PROTECT,
		.table = steer->options.route_table,
		.priority = steer->options.rule_priority };
	int r = 0;

	for (size_t i = 0; i < steer->n_lids && (r == 0 || r == -ENOENT); i++) {
		CLEANUP(nft_done) struct nft_batch batch;

		nft_begin(&batch, steer->lids[i].table);
		nft_table_delete(&batch);
		r = nft_commit(&batch, &steer->lids[i].nl);
	}
	if (r < 0 && r != -ENOENT)
		return r;
	r = steer_group_remove(&steer->lids[0]);
	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		r = rtnl_rule_delete(&steer->route, families[i], &rule);
		if (is_family_absent(families[i], r))
			continue;
		if (r == 0)
			r = steer_group_unroute(&steer->route, families[i],
				steer->options.interface, rule.table, rule.priority);
		if (r == 0)
			r = rtnl_route_flush(&steer->route, families[i], rule.table);
		if (r < 0)
			return r;
	}
	return 0;
}
