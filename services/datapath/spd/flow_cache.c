/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/spd/flow_cache.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/hash.h"

#define WORDS (sizeof(struct flow_key) / sizeof(uint64_t))

_Static_assert(sizeof(struct flow_key) == 6 * sizeof(uint64_t), "no padding to compare");

struct flow_cache {
	uint64_t version;
	uint64_t secrets[WORDS]; /* whoever makes up flows cannot choose their set */
	uint16_t tags[FLOW_CACHE_SETS][FLOW_CACHE_WAYS]; /* 0: empty */
	uint8_t next[FLOW_CACHE_SETS]; /* way that is given away next */
	struct flow_note notes[FLOW_CACHE_SETS][FLOW_CACHE_WAYS];
};

struct flow_cache *flow_cache_new(void)
{
	struct flow_cache *cache = calloc(1, sizeof(*cache));
	struct hash_key key;

	for (size_t i = 0; cache && i < WORDS; i += 2) {
		hash_key_random(&key);
		cache->secrets[i] = key.k0;
		cache->secrets[i + 1] = key.k1;
	}
	return cache;
}

struct flow_cache *flow_cache_free(struct flow_cache *cache)
{
	free(cache);
	return NULL;
}

void flow_cache_begin(struct flow_cache *cache, uint64_t version)
{
	if (cache->version == version)
		return;
	cache->version = version;
	memset(cache->tags, 0, sizeof(cache->tags));
}

static struct flow_key key_of(const struct flow *flow, int head)
{
	struct flow_key key = {
		.protocol = flow->protocol,
		.family = flow->local.family,
		.head = (uint32_t)head,
		.bits = (flow->direction == DIRECTION_OUT ? 1U : 0) | (flow->has_ports ? 2U : 0) |
			(flow->has_icmp ? 4U : 0),
	};

	memcpy(key.local, flow->local.bytes, sizeof(key.local));
	memcpy(key.remote, flow->remote.bytes, sizeof(key.remote));
	if (flow->has_ports) {
		key.local_port = flow->local_port;
		key.remote_port = flow->remote_port;
	}
	if (flow->has_icmp) {
		key.icmp_type = flow->icmp_type;
		key.icmp_code = flow->icmp_code;
	}
	return key;
}

__extension__ typedef unsigned __int128 product;

static inline uint64_t fold(uint64_t a, uint64_t b)
{
	product p = (product)a * b;

	return (uint64_t)p ^ (uint64_t)(p >> 64);
}

static uint64_t hash_of(const struct flow_cache *cache, const struct flow_key *key)
{
	const uint64_t *s = cache->secrets;
	uint64_t w[WORDS];

	memcpy(w, key, sizeof(w));
	return fold(fold(w[0] ^ s[0], w[1] ^ s[1]) ^ fold(w[2] ^ s[2], w[3] ^ s[3]) ^ s[0],
		fold(w[4] ^ s[4], w[5] ^ s[5]) ^ s[3]);
}

struct flow_note *flow_cache_get(
	struct flow_cache *cache, const struct flow *flow, int head, bool *ret_known)
{
	struct flow_key key = key_of(flow, head);
	uint64_t hash = hash_of(cache, &key);
	size_t set = hash % FLOW_CACHE_SETS;
	uint16_t tag = (uint16_t)(hash >> 48 | 1);
	uint16_t *tags = cache->tags[set];
	struct flow_note *note;

	*ret_known = true;
	for (size_t i = 0; i < FLOW_CACHE_WAYS; i++) {
		note = &cache->notes[set][i];
		if (tags[i] == tag && memcmp(&note->key, &key, sizeof(key)) == 0)
			return note;
	}
	*ret_known = false;
	note = &cache->notes[set][cache->next[set]];
	tags[cache->next[set]] = tag;
	cache->next[set] = (uint8_t)((cache->next[set] + 1U) % FLOW_CACHE_WAYS);
	*note = (struct flow_note){ .key = key, .stamp = note->stamp + 1 };
	return note;
}
