/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/steer/nft_set.h"

#include <arpa/inet.h>
#include <endian.h>
#include <libnftnl/common.h>
#include <libnftnl/expr.h>
#include <libnftnl/udata.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <string.h>
#include <sys/socket.h>

#define TYPE_INTEGER 4U /* what `nft list` takes keys for */
#define ELEMENT_MAX  256 /* octets of one element in a message, at most */

static void put_u32(struct nlmsghdr *msg, uint16_t type, uint32_t value)
{
	mnl_attr_put_u32(msg, type, htonl(value));
}

void nft_map_add(struct nft_batch *batch, const struct nft_map *map)
{
	struct nlmsghdr *msg = nft_message_begin(batch, NFT_MSG_NEWSET, NLM_F_CREATE);

	if (!msg)
		return;
	mnl_attr_put_strz(msg, NFTA_SET_TABLE, batch->table);
	mnl_attr_put_strz(msg, NFTA_SET_NAME, map->name);
	put_u32(msg, NFTA_SET_FLAGS, NFT_SET_MAP | (map->ranges ? NFT_SET_INTERVAL : 0U));
	put_u32(msg, NFTA_SET_KEY_TYPE, TYPE_INTEGER);
	put_u32(msg, NFTA_SET_KEY_LEN, map->key_len);
	put_u32(msg, NFTA_SET_DATA_TYPE, NFT_DATA_VERDICT);
	put_u32(msg, NFTA_SET_ID, 1);
	nft_message_end(batch, msg);
}

void nft_map_delete(struct nft_batch *batch, const char *map)
{
	struct nlmsghdr *msg = nft_message_begin(batch, NFT_MSG_DELSET, 0);

	if (!msg)
		return;
	mnl_attr_put_strz(msg, NFTA_SET_TABLE, batch->table);
	mnl_attr_put_strz(msg, NFTA_SET_NAME, map);
	nft_message_end(batch, msg);
}

static void open_elements(struct nft_elements *elements)
{
	struct nlmsghdr *msg = nft_message_begin(elements->batch, NFT_MSG_NEWSETELEM, NLM_F_CREATE);

	elements->msg = msg;
	if (!msg)
		return;
	mnl_attr_put_strz(msg, NFTA_SET_ELEM_LIST_TABLE, elements->batch->table);
	mnl_attr_put_strz(msg, NFTA_SET_ELEM_LIST_SET, elements->map);
	elements->list = mnl_attr_nest_start(msg, NFTA_SET_ELEM_LIST_ELEMENTS);
}

void nft_elements_begin(struct nft_elements *elements, struct nft_batch *batch, const char *map)
{
	*elements = (struct nft_elements){ .batch = batch, .map = map };
}

void nft_elements_end(struct nft_elements *elements)
{
	if (!elements->msg)
		return;
	mnl_attr_nest_end(elements->msg, elements->list);
	nft_message_end(elements->batch, elements->msg);
	elements->msg = NULL;
}

static void put_verdict(struct nlmsghdr *msg, const char *chain)
{
	struct nlattr *data = mnl_attr_nest_start(msg, NFTA_SET_ELEM_DATA);
	struct nlattr *verdict = mnl_attr_nest_start(msg, NFTA_DATA_VERDICT);

	put_u32(msg, NFTA_VERDICT_CODE, chain ? (uint32_t)NFT_GOTO : NF_ACCEPT);
	if (chain)
		mnl_attr_put_strz(msg, NFTA_VERDICT_CHAIN, chain);
	mnl_attr_nest_end(msg, verdict);
	mnl_attr_nest_end(msg, data);
}

/* The name as a comment, as `nft` writes one. */
static void put_counter(struct nlmsghdr *msg, const struct nft_element *element)
{
	uint8_t remark[2 + NFT_ELEMENT_NAME_MAX] = { NFTNL_UDATA_SET_ELEM_COMMENT };
	size_t len = strnlen(element->name, NFT_ELEMENT_NAME_MAX - 1) + 1;
	struct nlattr *expr, *data;

	remark[1] = (uint8_t)len;
	memcpy(remark + 2, element->name, len - 1);
	mnl_attr_put(msg, NFTA_SET_ELEM_USERDATA, len + 2, remark);
	expr = mnl_attr_nest_start(msg, NFTA_SET_ELEM_EXPR);
	mnl_attr_put_strz(msg, NFTA_EXPR_NAME, "counter");
	data = mnl_attr_nest_start(msg, NFTA_EXPR_DATA);
	mnl_attr_put_u64(msg, NFTA_COUNTER_BYTES, htobe64(element->bytes));
	mnl_attr_put_u64(msg, NFTA_COUNTER_PACKETS, htobe64(element->packets));
	mnl_attr_nest_end(msg, data);
	mnl_attr_nest_end(msg, expr);
}

void nft_elements_add(struct nft_elements *elements, const struct nft_element *element)
{
	struct nlattr *item, *key;

	if (elements->msg && elements->msg->nlmsg_len > NETLINK_MESSAGE_MAX - ELEMENT_MAX)
		nft_elements_end(elements);
	if (!elements->msg)
		open_elements(elements);
	if (!elements->msg)
		return;
	item = mnl_attr_nest_start(elements->msg, NFTA_LIST_ELEM);
	if (element->is_end)
		put_u32(elements->msg, NFTA_SET_ELEM_FLAGS, NFT_SET_ELEM_INTERVAL_END);
	key = mnl_attr_nest_start(elements->msg, NFTA_SET_ELEM_KEY);
	mnl_attr_put(elements->msg, NFTA_DATA_VALUE, element->key_len, element->key);
	mnl_attr_nest_end(elements->msg, key);
	if (!element->is_end)
		put_verdict(elements->msg, element->chain);
	if (element->name)
		put_counter(elements->msg, element);
	mnl_attr_nest_end(elements->msg, item);
}

static struct nftnl_expr *add(struct nft_batch *batch, const char *name)
{
	struct nftnl_expr *expr = batch->failed ? NULL : nftnl_expr_alloc(name);

	if (!expr) {
		batch->failed = true;
		return NULL;
	}
	nftnl_rule_add_expr(batch->rule, expr);
	return expr;
}

static uint32_t next_register(const struct nft_key *key)
{
	return NFT_REG32_00 + key->len / 4;
}

static void key_meta(struct nft_batch *batch, struct nft_key *key, uint32_t what)
{
	struct nftnl_expr *expr = add(batch, "meta");

	if (!expr)
		return;
	nftnl_expr_set_u32(expr, NFTNL_EXPR_META_KEY, what);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_META_DREG, next_register(key));
	key->len += 4;
}

void nft_key_protocol(struct nft_batch *batch, struct nft_key *key)
{
	key_meta(batch, key, NFT_META_L4PROTO);
}

void nft_key_family(struct nft_batch *batch, struct nft_key *key)
{
	/* netfilter's numbers for the two are those of the sockets. */
	_Static_assert(NFPROTO_IPV4 == AF_INET && NFPROTO_IPV6 == AF_INET6, "families");
	key_meta(batch, key, NFT_META_NFPROTO);
}

static void mask_field(
	struct nft_batch *batch, const struct nft_key *key, uint32_t len, const uint8_t *mask)
{
	static const uint8_t none[16];
	struct nftnl_expr *expr = add(batch, "bitwise");

	if (!expr)
		return;
	nftnl_expr_set_u32(expr, NFTNL_EXPR_BITWISE_SREG, next_register(key));
	nftnl_expr_set_u32(expr, NFTNL_EXPR_BITWISE_DREG, next_register(key));
	nftnl_expr_set_u32(expr, NFTNL_EXPR_BITWISE_OP, NFT_BITWISE_BOOL);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_BITWISE_LEN, len);
	if (nftnl_expr_set(expr, NFTNL_EXPR_BITWISE_MASK, mask, len) < 0 ||
		nftnl_expr_set(expr, NFTNL_EXPR_BITWISE_XOR, none, len) < 0)
		batch->failed = true;
}

static struct nftnl_expr *load(struct nft_batch *batch, const struct nft_key *key, uint32_t base)
{
	struct nftnl_expr *expr = add(batch, "payload");

	if (!expr)
		return NULL;
	nftnl_expr_set_u32(expr, NFTNL_EXPR_PAYLOAD_BASE, base);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_PAYLOAD_DREG, next_register(key));
	return expr;
}

void nft_key_network(struct nft_batch *batch, struct nft_key *key, uint32_t offset, uint32_t len,
	const uint8_t *mask)
{
	struct nftnl_expr *expr = load(batch, key, NFT_PAYLOAD_NETWORK_HEADER);

	if (!expr)
		return;
	nftnl_expr_set_u32(expr, NFTNL_EXPR_PAYLOAD_OFFSET, offset);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_PAYLOAD_LEN, len);
	if (mask)
		mask_field(batch, key, len, mask);
	key->len += len;
}

void nft_key_transport(struct nft_batch *batch, struct nft_key *key, uint32_t offset, uint32_t len,
	const uint8_t *mask)
{
	struct nftnl_expr *expr = load(batch, key, NFT_PAYLOAD_TRANSPORT_HEADER);

	if (!expr)
		return;
	nftnl_expr_set_u32(expr, NFTNL_EXPR_PAYLOAD_OFFSET, offset);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_PAYLOAD_LEN, len);
	if (mask)
		mask_field(batch, key, len, mask);
	key->len += (len + 3) / 4 * 4;
}

/* Octets of each group of @size into reverse order. */
static void reverse(struct nft_batch *batch, const struct nft_key *key, uint32_t size)
{
	struct nftnl_expr *expr = add(batch, "byteorder");

	if (!expr)
		return;
	nftnl_expr_set_u32(expr, NFTNL_EXPR_BYTEORDER_SREG, next_register(key));
	nftnl_expr_set_u32(expr, NFTNL_EXPR_BYTEORDER_DREG, next_register(key));
	nftnl_expr_set_u32(expr, NFTNL_EXPR_BYTEORDER_OP, NFT_BYTEORDER_HTON);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_BYTEORDER_LEN, 4);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_BYTEORDER_SIZE, size);
}

bool nft_key_ports_swapped(
	struct nft_batch *batch, struct nft_key *key, uint32_t offset, const uint8_t mask[static 4])
{
	bool first = mask[0] || mask[1], second = mask[2] || mask[3];
	struct nftnl_expr *expr;

	if (first && second && htons(1) == 1)
		return false;
	expr = load(batch, key, NFT_PAYLOAD_TRANSPORT_HEADER);
	if (!expr)
		return true;
	/* Of one port alone: where the other would lie, something that the mask takes away. */
	if (first != second)
		offset = first ? offset + 2 : offset - 2;
	nftnl_expr_set_u32(expr, NFTNL_EXPR_PAYLOAD_OFFSET, offset);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_PAYLOAD_LEN, 4);
	if (first && second) {
		reverse(batch, key, 4);
		reverse(batch, key, 2);
	}
	mask_field(batch, key, 4, mask);
	key->len += 4;
	return true;
}

void nft_decide(struct nft_batch *batch, const char *map)
{
	struct nftnl_expr *expr = add(batch, "lookup");

	if (!expr)
		return;
	nftnl_expr_set_u32(expr, NFTNL_EXPR_LOOKUP_SREG, NFT_REG32_00);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_LOOKUP_DREG, NFT_REG_VERDICT);
	if (nftnl_expr_set_str(expr, NFTNL_EXPR_LOOKUP_SET, map) < 0)
		batch->failed = true;
}

void nft_memory_add(struct nft_batch *batch, const struct nft_memory *memory)
{
	struct nlmsghdr *msg = nft_message_begin(batch, NFT_MSG_NEWSET, NLM_F_CREATE);
	struct nlattr *desc;

	if (!msg)
		return;
	mnl_attr_put_strz(msg, NFTA_SET_TABLE, batch->table);
	mnl_attr_put_strz(msg, NFTA_SET_NAME, memory->name);
	put_u32(msg, NFTA_SET_FLAGS, NFT_SET_EVAL | NFT_SET_TIMEOUT);
	put_u32(msg, NFTA_SET_KEY_TYPE, TYPE_INTEGER);
	put_u32(msg, NFTA_SET_KEY_LEN, memory->key_len);
	put_u32(msg, NFTA_SET_ID, 1);
	mnl_attr_put_u64(msg, NFTA_SET_TIMEOUT, htobe64(memory->msec));
	desc = mnl_attr_nest_start(msg, NFTA_SET_DESC);
	put_u32(msg, NFTA_SET_DESC_SIZE, memory->size);
	mnl_attr_nest_end(msg, desc);
	nft_message_end(batch, msg);
}

void nft_remember(struct nft_batch *batch, const struct nft_memory *memory)
{
	struct nftnl_expr *expr = add(batch, "dynset");

	if (!expr)
		return;
	nftnl_expr_set_u32(expr, NFTNL_EXPR_DYNSET_SREG_KEY, NFT_REG32_00);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_DYNSET_OP, NFT_DYNSET_OP_UPDATE);
	nftnl_expr_set_u64(expr, NFTNL_EXPR_DYNSET_TIMEOUT, memory->msec);
	if (nftnl_expr_set_str(expr, NFTNL_EXPR_DYNSET_SET_NAME, memory->name) < 0)
		batch->failed = true;
}

void nft_among(struct nft_batch *batch, const char *set)
{
	struct nftnl_expr *expr = add(batch, "lookup");

	if (!expr)
		return;
	nftnl_expr_set_u32(expr, NFTNL_EXPR_LOOKUP_SREG, NFT_REG32_00);
	if (nftnl_expr_set_str(expr, NFTNL_EXPR_LOOKUP_SET, set) < 0)
		batch->failed = true;
}
