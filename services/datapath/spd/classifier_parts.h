/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Layout of a compiled classifier, between the files that build it and the one that searches it.
 *
 * Rules are sorted by where they stand: under the prefix of their remote end, under that of their
 * local end, or, when they name neither, in one group. The prefixes of an end cut the addresses into
 * intervals, found in a tree of sixteen-way nodes. Each interval has a place: a window of records and
 * which of them count there, those of all prefixes that contain it. So prefixes nested in each other
 * share the records of a window. What does not fit refers to the place of the next shorter prefix, or
 * to a group: hash tables by protocol, ports and leading bits of the other end, one for each
 * combination that occurs.
 */
#ifndef DATAPATH_CLASSIFIER_PARTS_H
#define DATAPATH_CLASSIFIER_PARTS_H

#include "common/base/bytes.h"
#include "services/datapath/spd/classifier.h"

#define CLASSIFIER_FAMILIES   2U /* IPv4, IPv6 */
#define CLASSIFIER_FANOUT     16U
#define CLASSIFIER_MAX_LEVELS 8U
#define CLASSIFIER_WINDOW     16U /* cells that a place can name */
#define CLASSIFIER_SUBTREE    UINT32_C(0x80000000) /* of a place: the low half decides */

/* What a range of a record is about. */
enum record_kind { RECORD_ANY, RECORD_LOCAL_PORT, RECORD_REMOTE_PORT, RECORD_ICMP_TYPE };
#define RECORD_KINDS 4

/* Flags of a record, above the bits of its directions: none for a link. */
#define RECORD_KIND_SHIFT 2U
#define RECORD_KIND_MASK  0x3U
#define RECORD_WIDE	  0x10U /* the next cell says more about it */
#define RECORD_VERIFY	  0x20U /* there is more in the rule's selector than the record says */
#define RECORD_LAST	  0x40U /* of a list */
#define LINK_GROUP	  0x20U /* a link to a group, not to a place */

/* What a rule asks for besides the prefix under which it stands; eight to a cache line. */
struct record {
	uint32_t rule; /* position in match order; of a link: the first that may be found there */
	uint16_t low; /* the port or type, or the first of a range */
	uint8_t protocol; /* 0: any */
	uint8_t flags; /* directions, kind, RECORD_* */
};

/* Behind a wide record. */
struct record_rest {
	uint32_t other; /* leading bits of the other end's prefix; of a link: its group */
	uint16_t high;
	uint8_t other_bits; /* 0 to 32 */
	uint8_t none;
};

/* The rules of an interval: which cells of a window are about them. */
struct place {
	uint32_t at; /* first cell of the window, or CLASSIFIER_SUBTREE and its number */
	uint16_t records; /* a bit a cell: those that say all in one */
	uint16_t others; /* those that are wide or to be verified, and links */
};

union cell {
	struct record record;
	struct record_rest rest;
	struct place place; /* behind a link */
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

/*
 * Starts of intervals, each with its place, a cache line of them. Those without use repeat the last.
 */
struct leaf4 {
	uint32_t keys[5];
	uint32_t none;
	struct place places[5];
};

struct leaf8 {
	uint64_t keys[4]; /* upper halves */
	struct place places[4];
};

/* Leaves, found in levels: each key is the first of a node in the next level, or of a leaf. */
struct tree {
	uint32_t n_levels; /* 0: a leaf at most */
	uint32_t at[CLASSIFIER_MAX_LEVELS], count[CLASSIFIER_MAX_LEVELS]; /* keys */
	uint32_t leaves, n_leaves; /* 0: empty */
};

/* IPv6 addresses that agree in their upper half. */
struct subtree {
	uint32_t at, count; /* starts in keys8 */
	uint32_t values; /* one a start */
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
	struct leaf4 *leaves4;
	struct leaf8 *leaves8;
	uint32_t *keys4;
	uint64_t *keys8;
	union cell *cells; /* the first is nobody's */
	struct place *values; /* of subtrees */
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
	void *block; /* owned pages */
	size_t block_size;
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

static inline unsigned int record_cells(const struct record *record)
{
	return record->flags & RECORD_WIDE ? 2 : 1;
}

static inline bool record_is_link(const struct record *record)
{
	return (record->flags & DIRECTION_BIT_BOTH) == 0;
}

static inline bool place_is_empty(const struct place *place)
{
	return (place->records | place->others) == 0;
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
