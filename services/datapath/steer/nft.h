/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Words of nftables as netlink messages: tables, chains, named counters and rules made of small
 * matches, gathered in a buffer that is sent as one transaction. Built on libnftnl; no program.
 */
#ifndef DATAPATH_NFT_H
#define DATAPATH_NFT_H

#include <libnftnl/rule.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/model/address.h"
#include "services/datapath/steer/netlink.h"

/* linux/netfilter/nf_tables.h of kernels before 6.9 does not know it. */
#define NFT_FLAG_OWNER	 0x2U
#define NFT_FLAG_PERSIST 0x4U

/* One transaction on one table; remembers running out of memory. */
struct nft_batch {
	struct netlink_buffer buf;
	const char *table; /* borrowed */
	struct nftnl_rule *rule; /* in the making, owned */
	uint32_t seq;
	uint8_t family; /* of the table; NFPROTO_INET unless said otherwise */
	size_t messages; /* of this transaction */
	bool failed;
};

void nft_begin(struct nft_batch *batch, const char *table);
/*
 * Send, and be ready for the next transaction; an empty one is not sent. Return: 0 or the first
 * message's error.
 */
int nft_commit(struct nft_batch *batch, struct netlink *nl) MUST_CHECK;
void nft_done(struct nft_batch *batch);
/* For the parts of this interface: one message; NULL when there is no memory. */
struct nlmsghdr *nft_message_begin(struct nft_batch *batch, uint16_t type, uint16_t flags);
void nft_message_end(struct nft_batch *batch, const struct nlmsghdr *msg);

void nft_table_add(struct nft_batch *batch, uint32_t flags);
void nft_table_delete(struct nft_batch *batch);
void nft_ruleset_flush(struct nft_batch *batch); /* every table that nobody else owns */
void nft_chain_add(struct nft_batch *batch, const char *chain);
struct nft_hook {
	const char *chain;
	const char *type; /* "filter", "route" */
	uint32_t hook; /* NF_INET_* */
	int32_t priority;
};
void nft_hook_add(struct nft_batch *batch, const struct nft_hook *hook);
void nft_chain_flush(struct nft_batch *batch, const char *chain);
void nft_chain_delete(struct nft_batch *batch, const char *chain); /* with its rules */
/* One that is there keeps what it counted. */
void nft_counter_add(
	struct nft_batch *batch, const char *counter, uint64_t packets, uint64_t bytes);
void nft_counter_delete(struct nft_batch *batch, const char *counter);

/* A rule: begin, matches, statements, end. */
void nft_rule_begin(struct nft_batch *batch, const char *chain);
void nft_rule_end(struct nft_batch *batch);

enum nft_way { NFT_IS, NFT_IS_NOT };
void nft_match_family(struct nft_batch *batch, int family);
void nft_match_protocol(struct nft_batch *batch, uint8_t protocol);
void nft_match_interface(struct nft_batch *batch, bool in, const char *name, enum nft_way way);
void nft_match_mark(struct nft_batch *batch, uint32_t mask, uint32_t value);
/* The mark of the socket that would take the packet; no socket: no match. */
void nft_match_socket_mark(struct nft_batch *batch, uint32_t mask, uint32_t value);
void nft_match_uid(struct nft_batch *batch, uid_t uid);
void nft_match_prefix(struct nft_batch *batch, bool source, const struct prefix *prefix);
/* @offset 0: source port, 2: destination port. Behind nft_match_protocol(). */
void nft_match_ports(struct nft_batch *batch, uint32_t offset, uint16_t first, uint16_t last);
/* One octet of the transport header between two values: ICMP type at 0, code at 1. */
void nft_match_octet(struct nft_batch *batch, uint32_t offset, uint8_t low, uint8_t high);
/* That octet of the transport header, or what lies behind it, is there at all. */
static inline void nft_match_reaches(struct nft_batch *batch, uint32_t offset)
{
	nft_match_octet(batch, offset, 0, UINT8_MAX);
}
/* Any of these bits of two octets of the transport header. */
void nft_match_bits(struct nft_batch *batch, uint32_t offset, uint16_t bits);
/* An address of a packet inside, at this offset of the transport header. */
void nft_match_enclosed_prefix(
	struct nft_batch *batch, uint32_t offset, const struct prefix *prefix);
/* An IPv4 option of that kind. */
void nft_match_ipv4_option(struct nft_batch *batch, uint8_t option);
/* Any IPv6 extension header of that kind. */
void nft_match_ipv6_header(struct nft_batch *batch, uint8_t header);
/* An IPv6 fragment whose fragment header names that protocol. */
void nft_match_ipv6_fragment_of(struct nft_batch *batch, uint8_t protocol);
/* Any but the first of them. Behind nft_match_protocol(). */
void nft_match_ipv6_later_fragment(struct nft_batch *batch);

void nft_set_mark(struct nft_batch *batch, uint32_t mask, uint32_t value); /* only these bits */
/* The number of the outgoing interface into two octets of the IP header; below 65536. */
void nft_tag_interface(struct nft_batch *batch, int family, uint32_t offset);
/* A copy to another interface, as if to that next hop; for tables of one family. */
void nft_duplicate(struct nft_batch *batch, const struct address *next_hop, uint32_t ifindex);
/* Octets of the IP header, whose checksum is left as it is. */
void nft_write_header(struct nft_batch *batch, uint32_t offset, const void *bytes, size_t len);
void nft_count(struct nft_batch *batch, const char *counter);
/* To listeners of an nflog group, the first octets of the packet and a word; at most @rate a second. */
void nft_log(struct nft_batch *batch, uint16_t group, const char *prefix, uint64_t rate);
void nft_accept(struct nft_batch *batch);
void nft_drop(struct nft_batch *batch);
void nft_jump(struct nft_batch *batch, const char *chain);
void nft_goto(struct nft_batch *batch, const char *chain);

/* What is there: called with names; the table absent: nothing. */
typedef int (*nft_name_fn)(const char *name, void *userdata);
int nft_list_chains(
	struct netlink *nl, const char *table, nft_name_fn fn, void *userdata) MUST_CHECK;
typedef int (*nft_counter_fn)(const char *name, uint64_t packets, uint64_t bytes, void *userdata);
int nft_list_counters(
	struct netlink *nl, const char *table, nft_counter_fn fn, void *userdata) MUST_CHECK;
/* A number that every transaction of anybody raises by one. */
int nft_generation(struct netlink *nl, uint32_t *ret_generation) MUST_CHECK;
/* Is the notice about this table being deleted, emptied or changed, and by somebody else than @portid? */
bool nft_notice_is_foreign(const struct nlmsghdr *msg, const char *table, uint32_t portid);

#endif
