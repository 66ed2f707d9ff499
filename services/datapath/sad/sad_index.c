/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/sad/sad_index.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#define MIN_BUCKETS 8U
#define HUGE_PAGE   (UINT64_C(1) << 21)
#define FREE	    UINT64_C(0)
#define GONE	    UINT64_MAX

static uint64_t slot_of(uint32_t tag, uint32_t number)
{
	return (uint64_t)tag << 32 | number;
}

static struct sad_index_table *table_new(size_t buckets)
{
	size_t size = sizeof(struct sad_index_table) + buckets * sizeof(struct sad_index_bucket);
	size_t align = size >= HUGE_PAGE ? HUGE_PAGE : SAD_INDEX_LINE;
	struct sad_index_table *table;

	size = (size + align - 1) / align * align;
	table = aligned_alloc(align, size);
	if (!table)
		return NULL;
	if (align == HUGE_PAGE) /* small pages do too */
		(void)madvise(table, size, MADV_HUGEPAGE);
	memset(table, 0, size);
	table->mask = buckets - 1;
	return table;
}

int sad_index_init(struct sad_index *index, struct rcu *rcu)
{
	*index = (struct sad_index){ .rcu = rcu };
	index->table = table_new(MIN_BUCKETS);
	return index->table ? 0 : -ENOMEM;
}

void sad_index_done(struct sad_index *index)
{
	free(index->table);
	index->table = NULL;
}

/*
 * The number of @tag in one bucket. All of it is looked at: where the tag stands is not to be
 * foreseen, and a jump that was guessed wrong costs more than the few that are left.
 */
static inline uint32_t look(const struct sad_index_bucket *bucket, uint32_t tag, bool *ret_more)
{
	uint64_t found = FREE;
	bool more = true;

	for (unsigned int i = 0; i < SAD_INDEX_SLOTS; i++) {
		uint64_t slot = atomic_load_explicit(&bucket->slots[i], memory_order_acquire);

		found = (uint32_t)(slot >> 32) == tag ? slot : found;
		more = more && slot != FREE;
	}
	*ret_more = more;
	return (uint32_t)found;
}

uint32_t sad_index_find(const struct sad_index *index, uint32_t tag)
{
	const struct sad_index_table *table = rcu_read(&index->table);
	uint32_t number = SAD_INDEX_NONE;
	bool more = true;

	for (size_t i = 0; i <= table->mask && more && number == SAD_INDEX_NONE; i++)
		number = look(&table->buckets[(tag + i) & table->mask], tag, &more);
	return number;
}

struct place {
	struct sad_index_bucket *bucket; /* NULL: there is none */
	unsigned int slot;
};

static uint64_t slot_read(const struct place *at)
{
	return atomic_load_explicit(&at->bucket->slots[at->slot], memory_order_relaxed);
}

/* Where the tag stands, or else, with @room, the first slot that may become its own. */
static struct place place(struct sad_index_table *table, uint32_t tag, bool room)
{
	struct place first = { NULL, 0 };
	bool more = true;

	for (size_t b = 0; b <= table->mask && more; b++) {
		struct place at = { &table->buckets[(tag + b) & table->mask], 0 };

		for (; at.slot < SAD_INDEX_SLOTS; at.slot++) {
			uint64_t slot = slot_read(&at);

			if (slot >> 32 == tag)
				return at;
			if (room && !first.bucket && (slot == FREE || slot == GONE))
				first = at;
			more = more && slot != FREE;
		}
	}
	return first;
}

/* The tags of @old in a table of its own size or twice that. */
static void copy(const struct sad_index_table *old, struct sad_index_table *next)
{
	for (size_t b = 0; b <= old->mask; b++)
		for (unsigned int i = 0; i < SAD_INDEX_SLOTS; i++) {
			uint64_t slot = atomic_load_explicit(
				&old->buckets[b].slots[i], memory_order_relaxed);
			struct place at;

			if (slot == FREE || slot == GONE)
				continue;
			at = place(next, (uint32_t)(slot >> 32), true);
			atomic_store_explicit(
				&at.bucket->slots[at.slot], slot, memory_order_relaxed);
		}
}

static void rebuild(struct sad_index *index, size_t buckets)
{
	struct sad_index_table *old = index->table, *next = table_new(buckets);

	if (!next)
		return;
	copy(old, next);
	index->gone = 0;
	rcu_publish(&index->table, next);
	if (rcu_defer(index->rcu, free, old) < 0) {
		rcu_barrier(index->rcu); /* runs what is deferred, which gives memory back */
		(void)!rcu_defer(index->rcu, free, old); /* failing again it leaks */
	}
}

/* Half full, a bucket in fifty has no room for its own. */
bool sad_index_reserve(struct sad_index *index)
{
	size_t buckets = index->table->mask + 1, slots = buckets * SAD_INDEX_SLOTS;

	if (index->tags >= slots / 16 * 9)
		rebuild(index, 2 * buckets);
	else if (index->gone >= slots / 8)
		rebuild(index, buckets);
	slots = (index->table->mask + 1) * SAD_INDEX_SLOTS;
	return index->tags < slots - SAD_INDEX_SLOTS;
}

int sad_index_set(struct sad_index *index, uint32_t tag, uint32_t number)
{
	struct place at = place(index->table, tag, true);
	uint64_t before;

	if (!at.bucket)
		return -ENOMEM;
	before = slot_read(&at);
	index->tags += before == FREE || before == GONE;
	index->gone -= before == GONE;
	atomic_store_explicit(
		&at.bucket->slots[at.slot], slot_of(tag, number), memory_order_release);
	return 0;
}

/* Such a bucket has nothing behind it, so that one more does no harm. */
static bool has_free(const struct sad_index_bucket *bucket)
{
	bool more;

	(void)look(bucket, SAD_INDEX_NONE, &more);
	return !more;
}

void sad_index_clear(struct sad_index *index, uint32_t tag)
{
	struct place at = place(index->table, tag, false);
	bool is_free;

	if (!at.bucket)
		return;
	is_free = has_free(at.bucket);
	index->tags--;
	index->gone += !is_free;
	atomic_store_explicit(
		&at.bucket->slots[at.slot], is_free ? FREE : GONE, memory_order_release);
}
