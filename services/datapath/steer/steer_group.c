/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/steer/steer_group.h"

#include <errno.h>
#include <linux/netfilter.h>
#include <net/if.h>
#include <sys/socket.h>

#include "common/marks.h"
#include "services/datapath/steer/rtnl.h"

#define IPV4_ID_AT    4 /* for the number of the interface that the sender chose */
#define IPV4_TTL_AT   8
#define IPV4_DST_AT   16
#define IPV6_LABEL_AT 2
#define IPV6_DST_AT   24

/* Behind the chains of the lids, one of which may have waited for the other. */
static const struct nft_hook hook = { "groups", "route", NF_INET_LOCAL_OUT, -140 };

struct family {
	int family;
	uint8_t table_family;
	struct prefix groups;
	/* All hosts of a link: as the next hop it makes the kernel give local members their copy. */
	struct address all_hosts;
	uint32_t tag_at, dst_at;
	/* To here the kernel sends nothing, and says that it did. */
	struct address nowhere;
};

static const struct family families[] = {
	{ AF_INET, NFPROTO_IPV4, { { .family = AF_INET, .bytes = { 224 } }, 4 },
		{ .family = AF_INET, .bytes = { 224, 0, 0, 1 } }, IPV4_ID_AT, IPV4_DST_AT,
		{ .family = AF_INET, .bytes = { 224, 0, 0, 1 } } },
	{ AF_INET6, NFPROTO_IPV6, { { .family = AF_INET6, .bytes = { 0xff } }, 8 },
		{ .family = AF_INET6, .bytes = { 0xff, 2, [15] = 1 } }, IPV6_LABEL_AT, IPV6_DST_AT,
		{ .family = AF_INET6, .bytes = { 0xff, 1, [14] = 0x4e, 0x45 } } },
};

int steer_group_routes(
	struct netlink *nl, int family, const char *interface, uint32_t table, uint32_t priority)
{
	struct rtnl_mark_rule rule = {
		.table = table, .priority = priority, .out_interface = interface
	};
	int r = rtnl_rule_add(nl, family, &rule);

	/* IPv4 takes a group for on-link. */
	if (r < 0 || family == AF_INET)
		return r;
	return rtnl_route_prefix(nl, &families[1].groups, (int)if_nametoindex(interface), table);
}

int steer_group_unroute(
	struct netlink *nl, int family, const char *interface, uint32_t table, uint32_t priority)
{
	struct rtnl_mark_rule rule = {
		.table = table, .priority = priority, .out_interface = interface
	};

	return rtnl_rule_delete(nl, family, &rule);
}

/*
 * A drop would tell the sender that it failed. IPv6 keeps what is for the interface itself (ff01::/16)
 * to the host; IPv4 what has no hops left, where the link is a member, as each is of all hosts. The
 * copy that its own members would get of it ends at the guard.
 */
static void go_nowhere(struct nft_batch *batch, const struct family *family)
{
	static const uint8_t no_hops = 0;

	if (family->family == AF_INET)
		nft_write_header(batch, IPV4_TTL_AT, &no_hops, sizeof(no_hops));
	nft_write_header(batch, family->dst_at, family->nowhere.bytes, address_len(family->family));
	nft_accept(batch);
}

static void add_divert(
	struct nft_batch *batch, const struct family *family, const char *interface, int ifindex)
{
	nft_rule_begin(batch, hook.chain);
	nft_match_interface(batch, false, interface, NFT_IS_NOT);
	nft_match_mark(batch, MARK_PROTECT, MARK_PROTECT);
	nft_match_prefix(batch, false, &family->groups);
	nft_tag_interface(batch, family->family, family->tag_at);
	nft_duplicate(batch, &family->all_hosts, (uint32_t)ifindex);
	go_nowhere(batch, family);
	nft_rule_end(batch);
}

void steer_group_pass(struct nft_batch *batch, const char *chain)
{
	struct prefix nowhere = prefix_host(&families[1].nowhere);

	nft_rule_begin(batch, chain);
	nft_match_family(batch, AF_INET6);
	nft_match_prefix(batch, false, &nowhere);
	nft_accept(batch);
	nft_rule_end(batch);
}

static int commit(struct nft_batch *batch, struct lid *lid)
{
	int r = nft_commit(batch, &lid->nl);

	if (r == 0)
		lid->transactions++;
	return r;
}

int steer_group_load(struct lid *lid, const char *interface)
{
	int ifindex = (int)if_nametoindex(interface), r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(families) && ifindex && r == 0; i++) {
		CLEANUP(nft_done) struct nft_batch batch;

		nft_begin(&batch, lid->table);
		batch.family = families[i].table_family;
		nft_table_add(&batch, lid->flags);
		nft_hook_add(&batch, &hook);
		nft_chain_flush(&batch, hook.chain);
		add_divert(&batch, &families[i], interface, ifindex);
		r = commit(&batch, lid);
		if (r == -ENOENT || r == -EOPNOTSUPP || r == -EAFNOSUPPORT)
			r = 0; /* no such statement or family here */
	}
	return r;
}

int steer_group_remove(struct lid *lid)
{
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(families) && r == 0; i++) {
		CLEANUP(nft_done) struct nft_batch batch;

		nft_begin(&batch, lid->table);
		batch.family = families[i].table_family;
		nft_table_delete(&batch);
		r = commit(&batch, lid);
		if (r == -ENOENT || r == -EOPNOTSUPP || r == -EAFNOSUPPORT)
			r = 0;
	}
	return r;
}
