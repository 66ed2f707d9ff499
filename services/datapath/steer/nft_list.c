/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the kernel holds of a table, and what it says when somebody touches it. */
#include "services/datapath/steer/nft.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <libnftnl/common.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>

#define REQUEST_BYTES 256

struct listing {
	const char *table;
	nft_name_fn on_name;
	nft_counter_fn on_counter;
	void *userdata;
};

/* A string attribute, or NULL when it is absent or not terminated. */
static const char *find_string(const struct nlmsghdr *msg, uint16_t type)
{
	const struct nlattr *attr;

	NETLINK_EACH_ATTR(attr, msg, sizeof(struct nfgenmsg))
	if (mnl_attr_get_type(attr) == type)
		return mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) < 0 ? NULL
									: mnl_attr_get_str(attr);
	return NULL;
}

static bool is_of_table(const struct nlmsghdr *msg, uint16_t type, const char *table)
{
	const struct nfgenmsg *nfg = mnl_nlmsg_get_payload(msg);
	const char *name;

	if (mnl_nlmsg_get_payload_len(msg) < sizeof(*nfg) || nfg->nfgen_family != NFPROTO_INET)
		return false;
	name = find_string(msg, type);
	return name && strcmp(name, table) == 0;
}

static int on_chain(const struct nlmsghdr *msg, void *userdata)
{
	const struct listing *listing = userdata;
	const char *name;

	if (!is_of_table(msg, NFTA_CHAIN_TABLE, listing->table))
		return 0;
	name = find_string(msg, NFTA_CHAIN_NAME);
	return name ? listing->on_name(name, listing->userdata) : 0;
}

static uint64_t counter_value(const struct nlattr *nest, uint16_t type)
{
	const char *at = mnl_attr_get_payload(nest);
	const char *end = at + mnl_attr_get_payload_len(nest);
	uint64_t value_be;

	for (const struct nlattr *attr = (const void *)at;
		mnl_attr_ok(attr, (int)(end - (const char *)attr)); attr = mnl_attr_next(attr)) {
		if (mnl_attr_get_type(attr) != type ||
			mnl_attr_get_payload_len(attr) != sizeof(value_be))
			continue;
		memcpy(&value_be, mnl_attr_get_payload(attr), sizeof(value_be));
		return be64toh(value_be);
	}
	return 0;
}

static int on_object(const struct nlmsghdr *msg, void *userdata)
{
	const struct listing *listing = userdata;
	const struct nlattr *attr;
	const char *name;

	if (!is_of_table(msg, NFTA_OBJ_TABLE, listing->table))
		return 0;
	name = find_string(msg, NFTA_OBJ_NAME);
	if (!name)
		return 0;
	NETLINK_EACH_ATTR(attr, msg, sizeof(struct nfgenmsg))
	if (mnl_attr_get_type(attr) == NFTA_OBJ_DATA)
		return listing->on_counter(name, counter_value(attr, NFTA_COUNTER_PACKETS),
			counter_value(attr, NFTA_COUNTER_BYTES), listing->userdata);
	return 0;
}

static int list(struct netlink *nl, uint16_t type, uint16_t table_attr, netlink_fn fn,
	struct listing *listing)
{
	_Alignas(struct nlmsghdr) char buffer[REQUEST_BYTES];
	int r;

	/* A change under our reading makes the kernel say so: read again. */
	for (int tries = 0; tries < 8; tries++) {
		struct nlmsghdr *msg = nftnl_nlmsg_build_hdr(
			buffer, type, NFPROTO_INET, NLM_F_DUMP, 0);

		mnl_attr_put_strz(msg, table_attr, listing->table);
		r = netlink_dump(nl, msg, fn, listing);
		if (r != -EINTR)
			return r == -ENOENT ? 0 : r;
	}
	return r;
}

int nft_list_chains(struct netlink *nl, const char *table, nft_name_fn fn, void *userdata)
{
	struct listing listing = { .table = table, .on_name = fn, .userdata = userdata };

	return list(nl, NFT_MSG_GETCHAIN, NFTA_CHAIN_TABLE, on_chain, &listing);
}

int nft_list_counters(struct netlink *nl, const char *table, nft_counter_fn fn, void *userdata)
{
	struct listing listing = { .table = table, .on_counter = fn, .userdata = userdata };

	return list(nl, NFT_MSG_GETOBJ, NFTA_OBJ_TABLE, on_object, &listing);
}

bool nft_notice_is_foreign(const struct nlmsghdr *msg, const char *table, uint32_t portid)
{
	uint16_t attr;

	if (msg->nlmsg_pid == portid || msg->nlmsg_type >> 8 != NFNL_SUBSYS_NFTABLES)
		return false;
	switch (msg->nlmsg_type & 0xff) {
	case NFT_MSG_DELTABLE:
		attr = NFTA_TABLE_NAME;
		break;
	case NFT_MSG_NEWRULE:
	case NFT_MSG_DELRULE:
		attr = NFTA_RULE_TABLE;
		break;
	case NFT_MSG_NEWCHAIN:
	case NFT_MSG_DELCHAIN:
		attr = NFTA_CHAIN_TABLE;
		break;
	case NFT_MSG_DELOBJ:
		attr = NFTA_OBJ_TABLE;
		break;
	default:
		return false;
	}
	return is_of_table(msg, attr, table);
}
