/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/steer/nft.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <libnftnl/common.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>

/* In network order, as every number in nftables' messages. */
static void put_u32(struct nlmsghdr *msg, uint16_t type, uint32_t value)
{
	mnl_attr_put_u32(msg, type, htonl(value));
}

struct nlmsghdr *nft_message_begin(struct nft_batch *batch, uint16_t type, uint16_t flags)
{
	char *room = batch->failed ? NULL : netlink_buffer_room(&batch->buf);

	if (!room) {
		batch->failed = true;
		return NULL;
	}
	return nftnl_nlmsg_build_hdr(room, type, batch->family, flags, batch->seq++);
}

void nft_message_end(struct nft_batch *batch, const struct nlmsghdr *msg)
{
	netlink_buffer_added(&batch->buf, msg);
	batch->messages++;
}

static void open_transaction(struct nft_batch *batch)
{
	void *room = netlink_buffer_room(&batch->buf);

	if (room)
		netlink_buffer_added(&batch->buf, nftnl_batch_begin(room, batch->seq++));
}

void nft_begin(struct nft_batch *batch, const char *table)
{
	*batch = (struct nft_batch){ .table = table, .seq = 1, .family = NFPROTO_INET };
	open_transaction(batch);
}

void nft_done(struct nft_batch *batch)
{
	if (batch->rule)
		nftnl_rule_free(batch->rule);
	netlink_buffer_done(&batch->buf);
}

int nft_commit(struct nft_batch *batch, struct netlink *nl)
{
	void *room = netlink_buffer_room(&batch->buf);
	int r;

	if (!room || batch->failed)
		return -ENOMEM;
	if (batch->messages == 0)
		return 0;
	batch->messages = 0;
	netlink_buffer_added(&batch->buf, nftnl_batch_end(room, batch->seq++));
	r = netlink_send_batch(nl, &batch->buf, NULL);
	netlink_buffer_reset(&batch->buf);
	open_transaction(batch);
	return r;
}

void nft_table_add(struct nft_batch *batch, uint32_t flags)
{
	struct nlmsghdr *msg = nft_message_begin(batch, NFT_MSG_NEWTABLE, NLM_F_CREATE);

	if (!msg)
		return;
	mnl_attr_put_strz(msg, NFTA_TABLE_NAME, batch->table);
	put_u32(msg, NFTA_TABLE_FLAGS, flags);
	nft_message_end(batch, msg);
}

void nft_table_delete(struct nft_batch *batch)
{
	struct nlmsghdr *msg = nft_message_begin(batch, NFT_MSG_DELTABLE, 0);

	if (!msg)
		return;
	mnl_attr_put_strz(msg, NFTA_TABLE_NAME, batch->table);
	nft_message_end(batch, msg);
}

void nft_ruleset_flush(struct nft_batch *batch)
{
	struct nlmsghdr *msg = nft_message_begin(batch, NFT_MSG_DELTABLE, 0);
	struct nfgenmsg *nfg;

	if (!msg)
		return;
	nfg = mnl_nlmsg_get_payload(msg);
	nfg->nfgen_family = NFPROTO_UNSPEC;
	nft_message_end(batch, msg);
}

/* Everything whose message is a table name and an own name. */
static struct nlmsghdr *begin_named(struct nft_batch *batch, uint16_t type, uint16_t flags,
	const uint16_t attrs[static 2], const char *name)
{
	struct nlmsghdr *msg = nft_message_begin(batch, type, flags);

	if (!msg)
		return NULL;
	mnl_attr_put_strz(msg, attrs[0], batch->table);
	mnl_attr_put_strz(msg, attrs[1], name);
	return msg;
}

static const uint16_t chain_attrs[2] = { NFTA_CHAIN_TABLE, NFTA_CHAIN_NAME };
static const uint16_t rule_attrs[2] = { NFTA_RULE_TABLE, NFTA_RULE_CHAIN };
static const uint16_t object_attrs[2] = { NFTA_OBJ_TABLE, NFTA_OBJ_NAME };

void nft_chain_add(struct nft_batch *batch, const char *chain)
{
	struct nlmsghdr *msg = begin_named(
		batch, NFT_MSG_NEWCHAIN, NLM_F_CREATE, chain_attrs, chain);

	if (msg)
		nft_message_end(batch, msg);
}

void nft_hook_add(struct nft_batch *batch, const struct nft_hook *hook)
{
	struct nlmsghdr *msg = begin_named(
		batch, NFT_MSG_NEWCHAIN, NLM_F_CREATE, chain_attrs, hook->chain);
	struct nlattr *nest;

	if (!msg)
		return;
	nest = mnl_attr_nest_start(msg, NFTA_CHAIN_HOOK);
	put_u32(msg, NFTA_HOOK_HOOKNUM, hook->hook);
	put_u32(msg, NFTA_HOOK_PRIORITY, (uint32_t)hook->priority);
	mnl_attr_nest_end(msg, nest);
	mnl_attr_put_strz(msg, NFTA_CHAIN_TYPE, hook->type);
	nft_message_end(batch, msg);
}

void nft_chain_flush(struct nft_batch *batch, const char *chain)
{
	struct nlmsghdr *msg = begin_named(batch, NFT_MSG_DELRULE, 0, rule_attrs, chain);

	if (msg)
		nft_message_end(batch, msg);
}

void nft_chain_delete(struct nft_batch *batch, const char *chain)
{
	struct nlmsghdr *msg = begin_named(batch, NFT_MSG_DELCHAIN, 0, chain_attrs, chain);

	if (msg)
		nft_message_end(batch, msg);
}

void nft_counter_add(struct nft_batch *batch, const char *counter, uint64_t packets, uint64_t bytes)
{
	struct nlmsghdr *msg = begin_named(
		batch, NFT_MSG_NEWOBJ, NLM_F_CREATE, object_attrs, counter);
	struct nlattr *nest;

	if (!msg)
		return;
	put_u32(msg, NFTA_OBJ_TYPE, NFT_OBJECT_COUNTER);
	nest = mnl_attr_nest_start(msg, NFTA_OBJ_DATA);
	mnl_attr_put_u64(msg, NFTA_COUNTER_BYTES, htobe64(bytes));
	mnl_attr_put_u64(msg, NFTA_COUNTER_PACKETS, htobe64(packets));
	mnl_attr_nest_end(msg, nest);
	nft_message_end(batch, msg);
}

void nft_counter_delete(struct nft_batch *batch, const char *counter)
{
	struct nlmsghdr *msg = begin_named(batch, NFT_MSG_DELOBJ, 0, object_attrs, counter);

	if (!msg)
		return;
	put_u32(msg, NFTA_OBJ_TYPE, NFT_OBJECT_COUNTER);
	nft_message_end(batch, msg);
}

void nft_rule_begin(struct nft_batch *batch, const char *chain)
{
	if (batch->rule)
		nftnl_rule_free(batch->rule);
	batch->rule = nftnl_rule_alloc();
	if (!batch->rule || nftnl_rule_set_str(batch->rule, NFTNL_RULE_TABLE, batch->table) < 0 ||
		nftnl_rule_set_str(batch->rule, NFTNL_RULE_CHAIN, chain) < 0) {
		batch->failed = true;
		return;
	}
	nftnl_rule_set_u32(batch->rule, NFTNL_RULE_FAMILY, batch->family);
}

void nft_rule_end(struct nft_batch *batch)
{
	struct nlmsghdr *msg = nft_message_begin(
		batch, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND);

	if (msg) {
		nftnl_rule_nlmsg_build_payload(msg, batch->rule);
		nft_message_end(batch, msg);
	}
	if (batch->rule)
		nftnl_rule_free(batch->rule);
	batch->rule = NULL;
}
