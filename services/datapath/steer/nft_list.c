/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the kernel holds of a table, and what it says when somebody touches it. */
#include "services/datapath/steer/nft_set.h"

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
	const char *map; /* NULL: all of the table */
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

/* The lid's own tables are of the first. */
static bool is_our_family(uint8_t family)
{
	return family == NFPROTO_INET || family == NFPROTO_IPV4 || family == NFPROTO_IPV6;
}

static bool is_of_table(const struct nlmsghdr *msg, uint16_t type, const char *table)
{
	const struct nfgenmsg *nfg = mnl_nlmsg_get_payload(msg);
	const char *name;

	if (mnl_nlmsg_get_payload_len(msg) < sizeof(*nfg) || !is_our_family(nfg->nfgen_family))
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

static int on_map(const struct nlmsghdr *msg, void *userdata)
{
	const struct listing *listing = userdata;
	const char *name;

	if (!is_of_table(msg, NFTA_SET_TABLE, listing->table))
		return 0;
	name = find_string(msg, NFTA_SET_NAME);
	return name ? listing->on_name(name, listing->userdata) : 0;
}

/* Attributes inside another one. */
#define EACH_NESTED(attr, nest)                                                               \
	for ((attr) = mnl_attr_get_payload(nest); mnl_attr_ok(                                \
		     (attr), (int)((const char *)mnl_attr_get_payload(nest) +                 \
				     mnl_attr_get_payload_len(nest) - (const char *)(attr))); \
		(attr) = mnl_attr_next(attr))

static const struct nlattr *find_nested(const struct nlattr *nest, uint16_t type)
{
	const struct nlattr *attr;

	EACH_NESTED(attr, nest)
	if (mnl_attr_get_type(attr) == type)
		return attr;
	return NULL;
}

static int on_element(const struct nlattr *element, const struct listing *listing)
{
	const struct nlattr *remark = find_nested(element, NFTA_SET_ELEM_USERDATA);
	const struct nlattr *expr = find_nested(element, NFTA_SET_ELEM_EXPR), *data;
	char name[NFT_ELEMENT_NAME_MAX] = "";
	size_t len = remark ? mnl_attr_get_payload_len(remark) : 0;

	data = expr ? find_nested(expr, NFTA_EXPR_DATA) : NULL;
	if (len < 3 || len > sizeof(name) + 2 || !data)
		return 0;
	memcpy(name, (const char *)mnl_attr_get_payload(remark) + 2, len - 2);
	name[sizeof(name) - 1] = '\0';
	return listing->on_counter(name, counter_value(data, NFTA_COUNTER_PACKETS),
		counter_value(data, NFTA_COUNTER_BYTES), listing->userdata);
}

static int on_elements(const struct nlmsghdr *msg, void *userdata)
{
	const struct listing *listing = userdata;
	const struct nlattr *attr, *element;
	int r = 0;

	NETLINK_EACH_ATTR(attr, msg, sizeof(struct nfgenmsg))
	{
		if (mnl_attr_get_type(attr) != NFTA_SET_ELEM_LIST_ELEMENTS)
			continue;
		EACH_NESTED(element, attr)
		{
			r = on_element(element, listing);
			if (r < 0)
				return r;
		}
	}
	return r;
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
		if (listing->map)
			mnl_attr_put_strz(msg, NFTA_SET_ELEM_LIST_SET, listing->map);
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

int nft_list_maps(struct netlink *nl, const char *table, nft_name_fn fn, void *userdata)
{
	struct listing listing = { .table = table, .on_name = fn, .userdata = userdata };

	return list(nl, NFT_MSG_GETSET, NFTA_SET_TABLE, on_map, &listing);
}

int nft_list_elements(
	struct netlink *nl, const char *table, const char *map, nft_counter_fn fn, void *userdata)
{
	struct listing listing = {
		.table = table, .map = map, .on_counter = fn, .userdata = userdata
	};

	return list(nl, NFT_MSG_GETSETELEM, NFTA_SET_ELEM_LIST_TABLE, on_elements, &listing);
}

static int on_generation(const struct nlmsghdr *msg, void *userdata)
{
	uint32_t *generation = userdata;
	const struct nlattr *attr;

	NETLINK_EACH_ATTR(attr, msg, sizeof(struct nfgenmsg))
	if (mnl_attr_get_type(attr) == NFTA_GEN_ID && mnl_attr_validate(attr, MNL_TYPE_U32) >= 0)
		*generation = ntohl(mnl_attr_get_u32(attr));
	return 0;
}

int nft_generation(struct netlink *nl, uint32_t *ret_generation)
{
	_Alignas(struct nlmsghdr) char buffer[REQUEST_BYTES];
	struct nlmsghdr *msg = nftnl_nlmsg_build_hdr(buffer, NFT_MSG_GETGEN, NFPROTO_UNSPEC, 0, 0);

	*ret_generation = 0;
	return netlink_dump(nl, msg, on_generation, ret_generation);
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
	case NFT_MSG_NEWSET:
	case NFT_MSG_DELSET:
		attr = NFTA_SET_TABLE;
		break;
	case NFT_MSG_NEWSETELEM:
	case NFT_MSG_DELSETELEM:
		attr = NFTA_SET_ELEM_LIST_TABLE;
		break;
	default:
		return false;
	}
	return is_of_table(msg, attr, table);
}
