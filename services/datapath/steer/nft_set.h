/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Maps from packet fields to verdicts: made, filled in bulk, asked by a rule, read for what their
 * elements counted. A part of nft.h's transactions.
 */
#ifndef DATAPATH_NFT_SET_H
#define DATAPATH_NFT_SET_H

#include "services/datapath/steer/nft.h"

#define NFT_ELEMENT_NAME_MAX 24

struct nft_map {
	const char *name;
	uint32_t key_len; /* octets */
	bool ranges;
};
void nft_map_add(struct nft_batch *batch, const struct nft_map *map);
void nft_map_delete(struct nft_batch *batch, const char *map);

struct nft_element {
	const uint8_t *key;
	size_t key_len;
	bool is_end; /* of the range that the element before begins: the first key outside */
	const char *chain; /* where to go; NULL: accept */
	const char *name; /* remark by which its counter is known; NULL: it has none */
	uint64_t packets, bytes; /* that the counter begins with */
};
/* Elements of one map: begin, add, end; in as many messages as it takes. */
struct nft_elements {
	struct nft_batch *batch;
	const char *map;
	struct nlmsghdr *msg; /* in the making */
	struct nlattr *list;
	uint32_t n;
};
void nft_elements_begin(struct nft_elements *elements, struct nft_batch *batch, const char *map);
void nft_elements_add(struct nft_elements *elements, const struct nft_element *element);
void nft_elements_end(struct nft_elements *elements);

/* A rule's key: fields one behind the other, each in registers of four octets. */
struct nft_key {
	uint32_t len;
};
void nft_key_protocol(struct nft_batch *batch, struct nft_key *key);
void nft_key_family(struct nft_batch *batch, struct nft_key *key); /* AF_INET or AF_INET6 */
/* @mask: @len octets, a multiple of four then; NULL: all of the field. */
void nft_key_network(struct nft_batch *batch, struct nft_key *key, uint32_t offset, uint32_t len,
	const uint8_t *mask);
void nft_key_transport(struct nft_batch *batch, struct nft_key *key, uint32_t offset, uint32_t len,
	const uint8_t *mask);
/*
 * Two ports at @offset of the transport header, in the other order than they stand there; @mask: as
 * for nft_key_transport(), in the order of the key. False, with nothing loaded: both are wanted, and
 * this machine's octet order leaves no way to exchange them.
 */
bool nft_key_ports_swapped(struct nft_batch *batch, struct nft_key *key, uint32_t offset,
	const uint8_t mask[static 4]);
/* What the map says about the key; no element: the rule does not match. */
void nft_decide(struct nft_batch *batch, const char *map);

/* A set that packets fill: keys are forgotten after a while, and no more than so many are kept. */
struct nft_memory {
	const char *name;
	uint32_t key_len, size;
	uint64_t msec;
};
void nft_memory_add(struct nft_batch *batch, const struct nft_memory *memory);
void nft_remember(struct nft_batch *batch, const struct nft_memory *memory);
/* The key is in the set; else the rule does not match. */
void nft_among(struct nft_batch *batch, const char *set);

int nft_list_maps(struct netlink *nl, const char *table, nft_name_fn fn, void *userdata) MUST_CHECK;
/* Those elements of a map that have a name. */
int nft_list_elements(struct netlink *nl, const char *table, const char *map, nft_counter_fn fn,
	void *userdata) MUST_CHECK;

#endif
