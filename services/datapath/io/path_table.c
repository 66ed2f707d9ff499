/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/io/path_table.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/hash.h"

#define SLOTS 256 /* one place each: who comes later takes it */

struct slot {
	struct address dst;
	uint32_t mtu;
	uint64_t until_usec;
};

struct path_table {
	struct hash_key key;
	uint64_t age_usec;
	pthread_mutex_t lock; /* of the slots */
	struct slot slots[SLOTS];
	_Atomic uint64_t changes;
};

struct path_copy {
	struct path_table *table;
	uint64_t changes;
	struct slot slots[SLOTS];
};

struct path_table *path_table_new(uint64_t age_sec)
{
	struct path_table *table = calloc(1, sizeof(*table));

	if (!table)
		return NULL;
	if (pthread_mutex_init(&table->lock, NULL) != 0) {
		free(table);
		return NULL;
	}
	table->age_usec = age_sec * USEC_PER_SEC;
	hash_key_random(&table->key);
	return table;
}

struct path_table *path_table_free(struct path_table *table)
{
	if (!table)
		return NULL;
	(void)pthread_mutex_destroy(&table->lock); /* nobody holds it */
	free(table);
	return NULL;
}

static size_t place_of(const struct path_table *table, const struct address *dst)
{
	return hash_keyed(&table->key, dst->bytes, sizeof(dst->bytes)) % SLOTS;
}

bool path_table_learn(
	struct path_table *table, const struct address *dst, uint32_t mtu, uint64_t now_usec)
{
	struct slot *slot = &table->slots[place_of(table, dst)];
	bool known, learn;

	if (mtu < (dst->family == AF_INET ? PATH_FLOOR_4 : PATH_FLOOR_6) || mtu > UINT16_MAX)
		return false;
	(void)pthread_mutex_lock(&table->lock); /* it cannot fail for a plain mutex */
	known = slot->until_usec > now_usec && address_equal(&slot->dst, dst);
	/* An error may shorten the path, and prolong the time for which it counts; only age widens it. */
	learn = !known || mtu <= slot->mtu;
	if (learn) {
		*slot = (struct slot){
			.dst = *dst, .mtu = mtu, .until_usec = now_usec + table->age_usec
		};
		(void)atomic_fetch_add_explicit(&table->changes, 1, memory_order_release);
	}
	(void)pthread_mutex_unlock(&table->lock);
	return learn;
}

struct path_copy *path_copy_new(struct path_table *table)
{
	struct path_copy *copy = calloc(1, sizeof(*copy));

	if (copy)
		copy->table = table;
	return copy;
}

struct path_copy *path_copy_free(struct path_copy *copy)
{
	free(copy);
	return NULL;
}

bool path_copy_any(struct path_copy *copy)
{
	struct path_table *table = copy->table;

	if (atomic_load_explicit(&table->changes, memory_order_acquire) != copy->changes) {
		(void)pthread_mutex_lock(&table->lock);
		memcpy(copy->slots, table->slots, sizeof(copy->slots));
		copy->changes = atomic_load_explicit(&table->changes, memory_order_relaxed);
		(void)pthread_mutex_unlock(&table->lock);
	}
	return copy->changes != 0;
}

uint32_t path_copy_get(struct path_copy *copy, const struct address *dst, uint64_t now_usec)
{
	const struct slot *slot;

	if (!path_copy_any(copy))
		return 0;
	slot = &copy->slots[place_of(copy->table, dst)];
	return slot->until_usec > now_usec && address_equal(&slot->dst, dst) ? slot->mtu : 0;
}
