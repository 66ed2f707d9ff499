/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A hash table from tags to numbers, read under RCU while one thread writes. A bucket is one cache
 * line; what is looked for mostly stands in that of its tag, and a miss is told by it as well. Large
 * tables lie in huge pages, so that finding the line does not cost more than the line.
 */
#ifndef DATAPATH_SAD_INDEX_H
#define DATAPATH_SAD_INDEX_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/rcu.h"

#define SAD_INDEX_LINE	64U
#define SAD_INDEX_SLOTS 8U /* a bucket */
#define SAD_INDEX_NONE	0U /* no number */

struct sad_index_bucket {
	/* Tag, then number. All zeros: free, and nothing of this bucket stands in the next one. */
	_Alignas(SAD_INDEX_LINE) _Atomic uint64_t slots[SAD_INDEX_SLOTS];
};

struct sad_index_table {
	size_t mask;
	struct sad_index_bucket buckets[]; /* mask + 1 */
};

struct sad_index {
	struct rcu *rcu;
	RCU_POINTER(struct sad_index_table) table;
	/* Of the writer. */
	size_t tags; /* in the table */
	size_t gone; /* slots that were given up, but are not free: there is more behind them */
};

int sad_index_init(struct sad_index *index, struct rcu *rcu) MUST_CHECK; /* 0 or -ENOMEM */
void sad_index_done(struct sad_index *index); /* no reader left; zeroed is done already */

/* What stands for a hash in the table. */
static inline uint32_t sad_index_tag(uint64_t hash)
{
	uint32_t tag = (uint32_t)hash;

	/* These are of slots that are free or were given up. */
	return tag == 0 ? 1 : tag == UINT32_MAX ? UINT32_MAX - 1 : tag;
}

/* Any reader. The number that was set for the tag, or SAD_INDEX_NONE. */
uint32_t sad_index_find(const struct sad_index *index, uint32_t tag);
/* The same is asked soon. */
static inline void sad_index_ask(const struct sad_index *index, uint32_t tag)
{
	const struct sad_index_table *table = rcu_read(&index->table);

	__builtin_prefetch(&table->buckets[tag & table->mask]);
}

/* Writer. Is there room for one tag more? It grows when it should; where it cannot, it fills up. */
bool sad_index_reserve(struct sad_index *index);
/*
 * @number: another one than SAD_INDEX_NONE and UINT32_MAX. Readers find what was set before or this,
 * never neither. Return: 0, or -ENOMEM: no room, and nothing has changed.
 */
int sad_index_set(struct sad_index *index, uint32_t tag, uint32_t number) MUST_CHECK;
void sad_index_clear(struct sad_index *index, uint32_t tag);

#endif
