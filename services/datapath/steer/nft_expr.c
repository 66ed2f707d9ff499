/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Matches and statements of one rule; every load goes through the first 128-bit register. */
#include "services/datapath/steer/nft.h"

#include <arpa/inet.h>
#include <libnftnl/expr.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <net/if.h>
#include <string.h>

#define LOG_OCTETS  128 /* headers and the first of the payload */
#define IPV4_SUM_AT 10
#define IPV4_SRC_AT 12
#define IPV4_DST_AT 16
#define IPV6_SRC_AT 8
#define IPV6_DST_AT 24

/* NULL, with the batch failed, when there is no memory. Goes to the end of the rule. */
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

static void set_bytes(struct nft_batch *batch, struct nftnl_expr *expr, uint16_t attr,
	const void *bytes, size_t len)
{
	if (nftnl_expr_set(expr, attr, bytes, (uint32_t)len) < 0)
		batch->failed = true;
}

static void load_meta(struct nft_batch *batch, uint32_t key)
{
	struct nftnl_expr *expr = add(batch, "meta");

	if (!expr)
		return;
	nftnl_expr_set_u32(expr, NFTNL_EXPR_META_KEY, key);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_META_DREG, NFT_REG_1);
}

static void load_payload(struct nft_batch *batch, uint32_t base, uint32_t offset, uint32_t len)
{
	struct nftnl_expr *expr = add(batch, "payload");

	if (!expr)
		return;
	nftnl_expr_set_u32(expr, NFTNL_EXPR_PAYLOAD_BASE, base);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_PAYLOAD_OFFSET, offset);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_PAYLOAD_LEN, len);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_PAYLOAD_DREG, NFT_REG_1);
}

static void compare(struct nft_batch *batch, uint32_t op, const void *bytes, size_t len)
{
	struct nftnl_expr *expr = add(batch, "cmp");

	if (!expr)
		return;
	nftnl_expr_set_u32(expr, NFTNL_EXPR_CMP_SREG, NFT_REG_1);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_CMP_OP, op);
	set_bytes(batch, expr, NFTNL_EXPR_CMP_DATA, bytes, len);
}

/* register = (register & mask) ^ flip */
static void bitwise(struct nft_batch *batch, const void *mask, const void *flip, size_t len)
{
	struct nftnl_expr *expr = add(batch, "bitwise");

	if (!expr)
		return;
	nftnl_expr_set_u32(expr, NFTNL_EXPR_BITWISE_SREG, NFT_REG_1);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_BITWISE_DREG, NFT_REG_1);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_BITWISE_OP, NFT_BITWISE_BOOL);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_BITWISE_LEN, (uint32_t)len);
	set_bytes(batch, expr, NFTNL_EXPR_BITWISE_MASK, mask, len);
	set_bytes(batch, expr, NFTNL_EXPR_BITWISE_XOR, flip, len);
}

void nft_match_family(struct nft_batch *batch, int family)
{
	uint8_t proto = family == AF_INET ? NFPROTO_IPV4 : NFPROTO_IPV6;

	load_meta(batch, NFT_META_NFPROTO);
	compare(batch, NFT_CMP_EQ, &proto, sizeof(proto));
}

void nft_match_protocol(struct nft_batch *batch, uint8_t protocol)
{
	load_meta(batch, NFT_META_L4PROTO);
	compare(batch, NFT_CMP_EQ, &protocol, sizeof(protocol));
}

void nft_match_interface(struct nft_batch *batch, bool in, const char *name, enum nft_way way)
{
	char padded[IFNAMSIZ] = "";

	memcpy(padded, name, strnlen(name, sizeof(padded) - 1));
	load_meta(batch, in ? NFT_META_IIFNAME : NFT_META_OIFNAME);
	compare(batch, way == NFT_IS ? NFT_CMP_EQ : NFT_CMP_NEQ, padded, sizeof(padded));
}

void nft_match_mark(struct nft_batch *batch, uint32_t mask, uint32_t value)
{
	uint32_t zero = 0;

	load_meta(batch, NFT_META_MARK);
	bitwise(batch, &mask, &zero, sizeof(mask));
	compare(batch, NFT_CMP_EQ, &value, sizeof(value));
}

void nft_match_socket_mark(struct nft_batch *batch, uint32_t mask, uint32_t value)
{
	struct nftnl_expr *expr = add(batch, "socket");
	uint32_t zero = 0;

	if (!expr)
		return;
	nftnl_expr_set_u32(expr, NFTNL_EXPR_SOCKET_KEY, NFT_SOCKET_MARK);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_SOCKET_DREG, NFT_REG_1);
	bitwise(batch, &mask, &zero, sizeof(mask));
	compare(batch, NFT_CMP_EQ, &value, sizeof(value));
}

void nft_match_uid(struct nft_batch *batch, uid_t uid)
{
	uint32_t value = uid;

	load_meta(batch, NFT_META_SKUID);
	compare(batch, NFT_CMP_EQ, &value, sizeof(value));
}

static void match_prefix(
	struct nft_batch *batch, uint32_t base, uint32_t at, const struct prefix *prefix)
{
	static const uint8_t none[16];
	uint8_t mask[16] = { 0 };
	size_t len = address_len(prefix->addr.family);

	if (prefix->bits == 0)
		return;
	load_payload(batch, base, at, (uint32_t)len);
	if (prefix->bits < len * 8) {
		memset(mask, 0xff, prefix->bits / 8U);
		if (prefix->bits % 8)
			mask[prefix->bits / 8] = (uint8_t)(0xff00U >> prefix->bits % 8);
		bitwise(batch, mask, none, len);
	}
	compare(batch, NFT_CMP_EQ, prefix->addr.bytes, len);
}

void nft_match_prefix(struct nft_batch *batch, bool source, const struct prefix *prefix)
{
	uint32_t at;

	if (prefix->addr.family == AF_INET)
		at = source ? IPV4_SRC_AT : IPV4_DST_AT;
	else
		at = source ? IPV6_SRC_AT : IPV6_DST_AT;
	match_prefix(batch, NFT_PAYLOAD_NETWORK_HEADER, at, prefix);
}

void nft_match_enclosed_prefix(
	struct nft_batch *batch, uint32_t offset, const struct prefix *prefix)
{
	match_prefix(batch, NFT_PAYLOAD_TRANSPORT_HEADER, offset, prefix);
}

void nft_match_bits(struct nft_batch *batch, uint32_t offset, uint16_t bits)
{
	static const uint8_t none[2];
	uint16_t mask = htons(bits);

	load_payload(batch, NFT_PAYLOAD_TRANSPORT_HEADER, offset, sizeof(mask));
	bitwise(batch, &mask, none, sizeof(mask));
	compare(batch, NFT_CMP_NEQ, none, sizeof(none));
}

void nft_match_ports(struct nft_batch *batch, uint32_t offset, uint16_t first, uint16_t last)
{
	uint16_t first_be = htons(first), last_be = htons(last);

	load_payload(batch, NFT_PAYLOAD_TRANSPORT_HEADER, offset, sizeof(first_be));
	if (first == last) {
		compare(batch, NFT_CMP_EQ, &first_be, sizeof(first_be));
		return;
	}
	compare(batch, NFT_CMP_GTE, &first_be, sizeof(first_be));
	compare(batch, NFT_CMP_LTE, &last_be, sizeof(last_be));
}

void nft_match_octet(struct nft_batch *batch, uint32_t offset, uint8_t low, uint8_t high)
{
	load_payload(batch, NFT_PAYLOAD_TRANSPORT_HEADER, offset, 1);
	if (low == high) {
		compare(batch, NFT_CMP_EQ, &low, 1);
		return;
	}
	compare(batch, NFT_CMP_GTE, &low, 1);
	compare(batch, NFT_CMP_LTE, &high, 1);
}

struct header_part {
	uint32_t op;
	uint8_t type;
	uint32_t offset, len;
	uint32_t flags; /* NFT_EXTHDR_F_PRESENT: not the octets, but whether it is there */
};

static void load_header(struct nft_batch *batch, const struct header_part *part)
{
	struct nftnl_expr *expr = add(batch, "exthdr");

	if (!expr)
		return;
	nftnl_expr_set_u32(expr, NFTNL_EXPR_EXTHDR_DREG, NFT_REG_1);
	nftnl_expr_set_u8(expr, NFTNL_EXPR_EXTHDR_TYPE, part->type);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_EXTHDR_OFFSET, part->offset);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_EXTHDR_LEN, part->len);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_EXTHDR_FLAGS, part->flags);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_EXTHDR_OP, part->op);
}

/* @flags: whether the option or header is there, or 0: its first octet. */
static void match_header(
	struct nft_batch *batch, uint32_t op, uint8_t type, uint32_t flags, uint8_t value)
{
	struct header_part part = { .op = op, .type = type, .len = 1, .flags = flags };

	load_header(batch, &part);
	compare(batch, NFT_CMP_EQ, &value, sizeof(value));
}

void nft_match_ipv4_option(struct nft_batch *batch, uint8_t option)
{
	nft_match_family(batch, AF_INET);
	match_header(batch, NFT_EXTHDR_OP_IPV4, option, NFT_EXTHDR_F_PRESENT, 1);
}

void nft_match_ipv6_header(struct nft_batch *batch, uint8_t header)
{
	nft_match_family(batch, AF_INET6);
	match_header(batch, NFT_EXTHDR_OP_IPV6, header, NFT_EXTHDR_F_PRESENT, 1);
}

void nft_match_ipv6_fragment_of(struct nft_batch *batch, uint8_t protocol)
{
	nft_match_family(batch, AF_INET6);
	match_header(batch, NFT_EXTHDR_OP_IPV6, IPPROTO_FRAGMENT, 0, protocol);
}

void nft_match_ipv6_later_fragment(struct nft_batch *batch)
{
	static const struct header_part offset = {
		.op = NFT_EXTHDR_OP_IPV6, .type = IPPROTO_FRAGMENT, .offset = 2, .len = 2
	};
	static const uint8_t mask[2] = { 0xff, 0xf8 }, zero[2];

	nft_match_family(batch, AF_INET6);
	load_header(batch, &offset);
	bitwise(batch, mask, zero, sizeof(mask));
	compare(batch, NFT_CMP_NEQ, zero, sizeof(zero));
}

void nft_set_mark(struct nft_batch *batch, uint32_t mask, uint32_t value)
{
	uint32_t keep = ~mask;
	struct nftnl_expr *expr;

	load_meta(batch, NFT_META_MARK);
	bitwise(batch, &keep, &value, sizeof(keep));
	expr = add(batch, "meta");
	if (!expr)
		return;
	nftnl_expr_set_u32(expr, NFTNL_EXPR_META_KEY, NFT_META_MARK);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_META_SREG, NFT_REG_1);
}

static void write_payload(struct nft_batch *batch, uint32_t offset, uint32_t len, bool checksum)
{
	struct nftnl_expr *expr = add(batch, "payload");

	if (!expr)
		return;
	nftnl_expr_set_u32(expr, NFTNL_EXPR_PAYLOAD_SREG, NFT_REG_1);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_PAYLOAD_BASE, NFT_PAYLOAD_NETWORK_HEADER);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_PAYLOAD_OFFSET, offset);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_PAYLOAD_LEN, len);
	if (!checksum)
		return;
	nftnl_expr_set_u32(expr, NFTNL_EXPR_PAYLOAD_CSUM_TYPE, NFT_PAYLOAD_CSUM_INET);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_PAYLOAD_CSUM_OFFSET, IPV4_SUM_AT);
}

void nft_tag_interface(struct nft_batch *batch, int family, uint32_t offset)
{
	uint32_t shift = 16; /* the low half is the one that comes first in network order then */
	struct nftnl_expr *expr;

	load_meta(batch, NFT_META_OIF);
	expr = add(batch, "bitwise");
	if (expr) {
		nftnl_expr_set_u32(expr, NFTNL_EXPR_BITWISE_SREG, NFT_REG_1);
		nftnl_expr_set_u32(expr, NFTNL_EXPR_BITWISE_DREG, NFT_REG_1);
		nftnl_expr_set_u32(expr, NFTNL_EXPR_BITWISE_OP, NFT_BITWISE_LSHIFT);
		nftnl_expr_set_u32(expr, NFTNL_EXPR_BITWISE_LEN, sizeof(shift));
		set_bytes(batch, expr, NFTNL_EXPR_BITWISE_DATA, &shift, sizeof(shift));
	}
	expr = add(batch, "byteorder");
	if (expr) {
		nftnl_expr_set_u32(expr, NFTNL_EXPR_BYTEORDER_SREG, NFT_REG_1);
		nftnl_expr_set_u32(expr, NFTNL_EXPR_BYTEORDER_DREG, NFT_REG_1);
		nftnl_expr_set_u32(expr, NFTNL_EXPR_BYTEORDER_OP, NFT_BYTEORDER_HTON);
		nftnl_expr_set_u32(expr, NFTNL_EXPR_BYTEORDER_LEN, sizeof(shift));
		nftnl_expr_set_u32(expr, NFTNL_EXPR_BYTEORDER_SIZE, sizeof(shift));
	}
	write_payload(batch, offset, sizeof(uint16_t), family == AF_INET);
}

static void load_constant(struct nft_batch *batch, uint32_t reg, const void *bytes, size_t len)
{
	struct nftnl_expr *expr = add(batch, "immediate");

	if (!expr)
		return;
	nftnl_expr_set_u32(expr, NFTNL_EXPR_IMM_DREG, reg);
	set_bytes(batch, expr, NFTNL_EXPR_IMM_DATA, bytes, len);
}

void nft_duplicate(struct nft_batch *batch, const struct address *next_hop, uint32_t ifindex)
{
	struct nftnl_expr *expr;

	load_constant(batch, NFT_REG_1, next_hop->bytes, address_len(next_hop->family));
	load_constant(batch, NFT_REG_2, &ifindex, sizeof(ifindex));
	expr = add(batch, "dup");
	if (!expr)
		return;
	nftnl_expr_set_u32(expr, NFTNL_EXPR_DUP_SREG_ADDR, NFT_REG_1);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_DUP_SREG_DEV, NFT_REG_2);
}

void nft_write_header(struct nft_batch *batch, uint32_t offset, const void *bytes, size_t len)
{
	load_constant(batch, NFT_REG_1, bytes, len);
	write_payload(batch, offset, (uint32_t)len, false);
}

void nft_count(struct nft_batch *batch, const char *counter)
{
	struct nftnl_expr *expr = add(batch, "objref");

	if (!expr)
		return;
	nftnl_expr_set_u32(expr, NFTNL_EXPR_OBJREF_IMM_TYPE, NFT_OBJECT_COUNTER);
	if (nftnl_expr_set_str(expr, NFTNL_EXPR_OBJREF_IMM_NAME, counter) < 0)
		batch->failed = true;
}

void nft_log(struct nft_batch *batch, uint16_t group, const char *prefix, uint64_t rate)
{
	struct nftnl_expr *expr = add(batch, "limit");

	if (!expr)
		return;
	nftnl_expr_set_u64(expr, NFTNL_EXPR_LIMIT_RATE, rate);
	nftnl_expr_set_u64(expr, NFTNL_EXPR_LIMIT_UNIT, 1);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_LIMIT_BURST, (uint32_t)rate);
	expr = add(batch, "log");
	if (!expr)
		return;
	nftnl_expr_set_u16(expr, NFTNL_EXPR_LOG_GROUP, group);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_LOG_SNAPLEN, LOG_OCTETS);
	nftnl_expr_set_u16(expr, NFTNL_EXPR_LOG_QTHRESHOLD, 1);
	if (nftnl_expr_set_str(expr, NFTNL_EXPR_LOG_PREFIX, prefix) < 0)
		batch->failed = true;
}

static struct nftnl_expr *add_verdict(struct nft_batch *batch, uint32_t verdict)
{
	struct nftnl_expr *expr = add(batch, "immediate");

	if (!expr)
		return NULL;
	nftnl_expr_set_u32(expr, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_IMM_VERDICT, verdict);
	return expr;
}

void nft_accept(struct nft_batch *batch)
{
	(void)add_verdict(batch, NF_ACCEPT); /* the batch remembers a failure */
}

void nft_drop(struct nft_batch *batch)
{
	(void)add_verdict(batch, NF_DROP);
}

static void lead_to(struct nft_batch *batch, uint32_t verdict, const char *chain)
{
	struct nftnl_expr *expr = add_verdict(batch, verdict);

	if (expr && nftnl_expr_set_str(expr, NFTNL_EXPR_IMM_CHAIN, chain) < 0)
		batch->failed = true;
}

void nft_jump(struct nft_batch *batch, const char *chain)
{
	lead_to(batch, (uint32_t)NFT_JUMP, chain);
}

void nft_goto(struct nft_batch *batch, const char *chain)
{
	lead_to(batch, (uint32_t)NFT_GOTO, chain);
}
