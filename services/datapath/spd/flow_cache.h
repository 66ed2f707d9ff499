/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What one worker found for the packets it saw last: the rule, and room for what its user chose by
 * it. Fixed in size; a packet that finds no room takes that of another flow, so a stranger who makes
 * up flows costs look-ups and no more.
 */
#ifndef DATAPATH_FLOW_CACHE_H
#define DATAPATH_FLOW_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/cleanup.h"
#include "common/model/selector.h"

#define FLOW_CACHE_SETS 512U
#define FLOW_CACHE_WAYS 8U

/* All that makes a packet the same to policy, head included; no padding, compared as bytes. */
struct flow_key {
	uint64_t local[2], remote[2];
	uint16_t local_port, remote_port;
	uint8_t protocol, icmp_type, icmp_code, family;
	uint32_t head;
	uint32_t bits; /* direction, what is visible */
};

/* Of one flow. What is behind `rule` is its user's; zero while the flow is new. */
struct flow_note {
	struct flow_key key;
	uint32_t stamp; /* another once the note was given to another flow */
	uint32_t rule; /* position in match order, CLASSIFIER_NONE: none */
	uint64_t sad_generation; /* of the choice; 0: none was made */
	void *esp, *ah;
};

struct flow_cache;

struct flow_cache *flow_cache_new(void); /* NULL: no memory */
struct flow_cache *flow_cache_free(struct flow_cache *cache);
DEFINE_CLEANUP(struct flow_cache *, flow_cache_free)

/* Nothing noted under another @version counts from here on. */
void flow_cache_begin(struct flow_cache *cache, uint64_t version);
/*
 * The note of this flow under this head. @ret_known false: it is new, and its rule for the caller to
 * write. The pointer lives as long as the cache, the note as long as its stamp.
 */
struct flow_note *flow_cache_get(
	struct flow_cache *cache, const struct flow *flow, int head, bool *ret_known);

#endif
