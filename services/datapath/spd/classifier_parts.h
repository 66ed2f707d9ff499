/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Layout of a compiled classifier, between the files that build it and the one that searches it.
 *
 * Rules are sorted by where they stand: under the prefix of their remote end, under that of their
 * local end, or, when they name neither, in one group. The prefixes of an end cut the addresses into
 * intervals, found in a tree of sixteen-way nodes. For each interval there is one list of records:
 * what the rules of all prefixes that contain it ask for besides, in match order. Lists that would
 * grow too long refer to the list of the next shorter prefix, or to a group: hash tables by
 * protocol, ports and leading bits of the other end, one for each combination that occurs.
 */
#ifndef DATAPATH_CLASSIFIER_PARTS_H
#define DATAPATH_CLASSIFIER_PARTS_H

#include "common/base/bytes.h"
#include "services/datapath/spd/classifier.h"

#define CLASSIFIER_FAMILIES   2U /* IPv4, IPv6 */
#define CLASSIFIER_FANOUT     16U
#define CLASSIFIER_MAX_LEVELS 8U
#define CLASSIFIER_LIST_MAX   16U /* records that are written out for one interval */
#define CLASSIFIER_SUBTREE    UINT32_C(0x80000000) /* of a value: the low half decides */

/* What a range of a record is about. */
enum record_kind { RECORD_ANY, RECORD_LOCAL_PORT, RECORD_REMOTE_PORT, RECORD_ICMP_TYPE };
#define RECORD_KINDS 4

#define RECORD_LAST   0x1U
#define RECORD_VERIFY 0x2U /* there is more in the rule's selector than the record says */
#define RECORD_LINK   0x4U /* go on elsewhere; these come first in a list */
#define RECORD_GROUP  0x8U /* a link to a group, not to a list */

/* What a rule asks for besides the prefix under which it stands; four to a cache line. */
struct record {
	uint32_t rule; /* position in match order; of a link: the first that may be found there */
	uint32_t other; /* leading bits of the other end's prefix; of a link: where it goes */
	uint16_t low, high;
	uint8_t protocol; /* 0: any */
	uint8_t other_bits; /* 0 to 32 */
	uint8_t directions_kind; /* directions, kind << 2 */
	uint8_t flags;
};

/* One sort of key in a group: which parts of a packet are hashed. */
struct tuple {
	uint32_t first_rule;
	uint8_t with_protocol, local_bits, remote_bits; /* ports: 0 to 16 leading bits */
	uint8_t other_bits; /* of the other end: 0 to 128 */
};

struct slot {
	uint32_t tag; /* rest of the hash */
	uint32_t list; /* 0: empty */
};

struct group {
	uint32_t tuples, n_tuples; /* in order of their first rule */
	uint32_t slots, mask;
	uint32_t filter; /* a few bits a slot that say `no` without a look at it */
};

/* Starts of intervals, in levels: each key of a level is the first of a node in the next. */
struct tree {
	uint32_t n_levels; /* 0: empty */
	uint32_t at[CLASSIFIER_MAX_LEVELS], count[CLASSIFIER_MAX_LEVELS]; /* keys */
	uint32_t values; /* one a key of the last level: a list, 0 for none */
};

/* IPv6 addresses that agree in their upper half. */
struct subtree {
	uint32_t at, count; /* starts in keys8 */
	uint32_t values;
};

enum { REMOTE, LOCAL };

/* One address family of one head. */
struct part {
	struct tree trees[2]; /* of the remote end, of the local end */
	uint32_t any; /* group + 1; 0: none */
};

struct head {
	char name[RULE_TUNNEL_MAX];
	enum tunnel_mode mode;
	bool names_ports;
	struct part parts[CLASSIFIER_FAMILIES];
};

/* The arrays, in the order in which they lie in memory. */
struct classifier_arrays {
	uint32_t *keys4;
	uint64_t *keys8;
	struct record *records; /* the first is nobody's */
	uint32_t *values;
	struct slot *slots;
	struct subtree *subtrees;
	struct group *groups;
	struct tuple *tuples;
	uint64_t *filters;
};

struct classifier {
	struct rule *const *rules;
	struct classifier_arrays arrays; /* in `block` */
	size_t n_heads;
	struct head *heads; /* owned */
	size_t bytes; /* of all */
	void *block; /* owned */
};

/* An address or prefix as a number: IPv4 in the leading bits. */
struct wide {
	uint64_t high, low;
};

static inline struct wide wide_of(const struct address *addr)
{
	const uint8_t *p = addr->bytes;

	return (struct wide){ (uint64_t)load_be32(p) << 32 | load_be32(p + 4),
		(uint64_t)load_be32(p + 8) << 32 | load_be32(p + 12) };
}

static inline uint64_t wide_mask(unsigned int bits)
{
	return bits == 0 ? 0 : bits >= 64 ? UINT64_MAX : ~(UINT64_MAX >> bits);
}

static inline struct wide wide_prefix(struct wide x, unsigned int bits)
{
	return (struct wide){ x.high & wide_mask(bits),
		x.low & (bits > 64 ? wide_mask(bits - 64) : 0) };
}

/* What a group hashes of a packet or of a rule. */
struct group_key {
	uint8_t protocol;
	uint16_t local_port, remote_port;
	struct wide other;
};

static inline uint64_t group_hash(const struct tuple *tuple, const struct group_key *key)
{
	uint64_t h = (uint64_t)(tuple->with_protocol ? key->protocol + 1U : 0) |
		     (uint64_t)tuple->local_bits << 9 | (uint64_t)tuple->remote_bits << 14 |
		     (uint64_t)tuple->other_bits << 19 |
		     (uint64_t)(key->local_port & ~(0xffffU >> tuple->local_bits)) << 27 |
		     (uint64_t)(key->remote_port & ~(0xffffU >> tuple->remote_bits)) << 43;

	h = (h ^ h >> 32) * UINT64_C(0xd6e8feb86659fd93);
	if (tuple->other_bits != 0) {
		struct wide other = wide_prefix(key->other, tuple->other_bits);

		h = (h ^ h >> 32 ^ other.high) * UINT64_C(0x9e3779b97f4a7c15);
		h = (h ^ h >> 32 ^ other.low) * UINT64_C(0xd6e8feb86659fd93);
	}
	return h ^ h >> 32;
}

static inline uint32_t hash_slot(uint64_t hash, uint32_t mask)
{
	return (uint32_t)(hash >> 32) & mask;
}

static inline uint32_t hash_tag(uint64_t hash)
{
	return (uint32_t)hash;
}

/* A group's filter has eight bits a slot. */
static inline uint64_t filter_place(uint32_t mask, uint64_t hash)
{
	return hash >> 29 & (8 * (uint64_t)mask + 7);
}

static inline bool filter_has(const uint64_t *filter, uint32_t mask, uint64_t hash)
{
	uint64_t place = filter_place(mask, hash);

	return filter[place / 64] >> place % 64 & 1;
}

#endif
