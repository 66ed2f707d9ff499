/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the store knows in memory, and the order in which it reaches the disk. */
#include "services/datapath/sad/seqstore.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>

#include "services/datapath/sad/seqstore_file.h"

#define MIN_ROOM      64U
#define PAIRS_AT_ONCE 16U

/* One counter; its place in the array is its pair in the file. Number 0 is the count of pairs. */
struct counter {
	struct seqstore_record last; /* the newer record; version 0: nothing written */
	uint8_t next; /* which of the pair is written next */
};

struct seqstore {
	struct seqstore_file file;
	struct counter *counters;
	size_t n_counters, room;
	uint32_t *
		index; /* open addressing: pair number, 0 empty; a power of two, at most half full */
	size_t index_size;
	bool batch; /* between begin and commit */
	bool dirty; /* something written that the disk may not have */
	bool broken; /* the disk failed to take what it was given: only a restart can tell what it has */
};

/* Ids are already the output of a keyed hash. */
static size_t index_start(const struct seqstore *store, const uint8_t *id)
{
	uint64_t x;

	memcpy(&x, id, sizeof(x));
	return (size_t)x & (store->index_size - 1);
}

/* The place of an id in the index, or the empty one where it would stand. */
static size_t index_find(const struct seqstore *store, const uint8_t *id)
{
	size_t i = index_start(store, id);

	while (store->index[i] &&
		memcmp(store->counters[store->index[i]].last.id, id, SEQSTORE_ID_BYTES) != 0)
		i = (i + 1) & (store->index_size - 1);
	return i;
}

static struct counter *find(const struct seqstore *store, const uint8_t *id)
{
	uint32_t pair = store->index[index_find(store, id)];

	return pair ? &store->counters[pair] : NULL;
}

/* Room for one counter more in memory. */
static int make_room(struct seqstore *store)
{
	struct counter *counters;
	uint32_t *index;
	size_t room;

	if (store->n_counters < store->room)
		return 0;
	room = store->room ? store->room * 2 : MIN_ROOM;
	if (room > UINT32_MAX / 4)
		return -ENOSPC;
	counters = reallocarray(store->counters, room, sizeof(*counters));
	if (!counters)
		return -ENOMEM;
	store->counters = counters;
	index = calloc(room * 2, sizeof(*index));
	if (!index)
		return -ENOMEM;
	free(store->index);
	store->index = index;
	store->index_size = room * 2;
	store->room = room;
	for (size_t i = 1; i < store->n_counters; i++)
		index[index_find(store, counters[i].last.id)] = (uint32_t)i;
	return 0;
}

/* The next version of a counter goes over the older record; memory follows when that worked. */
static int counter_write(
	struct seqstore *store, struct counter *counter, const struct seqstore_record *values)
{
	struct seqstore_record record = *values;
	size_t pair = (size_t)(counter - store->counters);
	int r = store->broken ? -EIO : 0;

	record.version = counter->last.version + 1;
	if (r == 0)
		r = seqstore_file_write(&store->file, pair, counter->next, &record);
	if (r == 0) {
		store->dirty = true;
		counter->last = record;
		counter->next ^= 1;
	} else if (counter->last.version == 0) {
		/* It was made for this write, as the last one: nobody has probed past it since. */
		store->index[index_find(store, counter->last.id)] = 0;
		store->n_counters--;
	}
	return r;
}

static int disk_wait(struct seqstore *store)
{
	if (!store->dirty)
		return 0;
	if (fdatasync(store->file.fd) < 0) {
		store->broken = true;
		return -errno;
	}
	store->dirty = false;
	return 0;
}

int seqstore_sync(struct seqstore *store)
{
	struct counter *count = &store->counters[0];
	struct seqstore_record next = count->last;
	int r = store->broken ? -EIO : disk_wait(store);

	if (r < 0 || count->last.reserved == store->n_counters - 1)
		return r;
	next.reserved = store->n_counters - 1;
	r = counter_write(store, count, &next);
	return r < 0 ? r : disk_wait(store);
}

void seqstore_begin(struct seqstore *store)
{
	store->batch = true;
}

int seqstore_commit(struct seqstore *store)
{
	store->batch = false;
	return seqstore_sync(store);
}

int seqstore_end(struct seqstore *store)
{
	store->batch = false;
	/* Counters that are not counted would be lost with all they say. */
	return store->counters[0].last.reserved == store->n_counters - 1 ? 0 : seqstore_sync(store);
}

static int sync_unless_batch(struct seqstore *store)
{
	return store->batch ? 0 : seqstore_sync(store);
}

/* The counter of an id, made when there is none; the caller has to write it at once. */
static int obtain(struct seqstore *store, const uint8_t *id, struct counter **ret_counter)
{
	struct counter *counter = find(store, id);
	int r;

	if (!counter) {
		r = make_room(store);
		if (r < 0)
			return r;
		counter = &store->counters[store->n_counters];
		*counter = (struct counter){ 0 };
		memcpy(counter->last.id, id, SEQSTORE_ID_BYTES);
		store->index[index_find(store, id)] = (uint32_t)store->n_counters++;
	}
	*ret_counter = counter;
	return 0;
}

static int mark_exhausted(struct seqstore *store, struct counter *counter)
{
	struct seqstore_record next = counter->last;
	int r = 0;

	next.flags |= SEQSTORE_EXHAUSTED;
	if (!(counter->last.flags & SEQSTORE_EXHAUSTED))
		r = counter_write(store, counter, &next);
	if (r == 0)
		r = sync_unless_batch(store);
	return r < 0 ? r : -ERANGE;
}

int seqstore_reserve(struct seqstore *store, const uint8_t id[static SEQSTORE_ID_BYTES],
	uint64_t count, uint64_t limit, struct seqstore_range *ret_range)
{
	struct seqstore_range range;
	struct seqstore_record next;
	struct counter *counter;
	int r = obtain(store, id, &counter);

	if (r < 0)
		return r;
	next = counter->last;
	if (next.flags & SEQSTORE_EXHAUSTED || next.reserved >= limit)
		return mark_exhausted(store, counter);
	next.reserved += count < limit - next.reserved ? count : limit - next.reserved;
	range = (struct seqstore_range){ counter->last.reserved + 1, next.reserved };
	r = counter_write(store, counter, &next);
	if (r == 0)
		r = sync_unless_batch(store);
	if (r == 0)
		*ret_range = range;
	return r;
}

int seqstore_raise(
	struct seqstore *store, const uint8_t id[static SEQSTORE_ID_BYTES], uint64_t last)
{
	struct seqstore_record next;
	struct counter *counter;
	int r;

	if (last <= seqstore_reserved(store, id))
		return 0;
	r = obtain(store, id, &counter);
	if (r < 0)
		return r;
	next = counter->last;
	next.reserved = last;
	r = counter_write(store, counter, &next);
	return r < 0 ? r : sync_unless_batch(store);
}

int seqstore_settle(struct seqstore *store, const uint8_t id[static SEQSTORE_ID_BYTES],
	uint64_t reserved, uint64_t last)
{
	struct counter *counter = find(store, id);
	struct seqstore_record next;

	if (!counter || counter->last.reserved != reserved || last >= reserved ||
		counter->last.flags & SEQSTORE_EXHAUSTED)
		return 0;
	next = counter->last;
	next.reserved = last;
	return counter_write(store, counter, &next);
}

int seqstore_set_top(
	struct seqstore *store, const uint8_t id[static SEQSTORE_ID_BYTES], uint64_t top)
{
	struct seqstore_record next;
	struct counter *counter;
	int r;

	if (top <= seqstore_top(store, id))
		return sync_unless_batch(store); /* the disk may have refused it */
	r = obtain(store, id, &counter);
	if (r < 0)
		return r;
	next = counter->last;
	next.top = top;
	next.flags &= ~SEQSTORE_EXACT;
	r = counter_write(store, counter, &next);
	return r < 0 ? r : sync_unless_batch(store);
}

int seqstore_lower_top(struct seqstore *store, const uint8_t id[static SEQSTORE_ID_BYTES],
	uint64_t top, bool exact)
{
	struct counter *counter = find(store, id);
	struct seqstore_record next;

	if (!counter || top > counter->last.top)
		return 0;
	next = counter->last;
	next.top = top;
	next.flags = exact ? next.flags | SEQSTORE_EXACT : next.flags & ~SEQSTORE_EXACT;
	return counter_write(store, counter, &next);
}

bool seqstore_top_is_exact(const struct seqstore *store, const uint8_t id[static SEQSTORE_ID_BYTES])
{
	const struct counter *counter = find(store, id);

	return !counter || counter->last.top == 0 || counter->last.flags & SEQSTORE_EXACT;
}

uint64_t seqstore_top(const struct seqstore *store, const uint8_t id[static SEQSTORE_ID_BYTES])
{
	const struct counter *counter = find(store, id);

	return counter ? counter->last.top : 0;
}

uint64_t seqstore_reserved(const struct seqstore *store, const uint8_t id[static SEQSTORE_ID_BYTES])
{
	const struct counter *counter = find(store, id);

	return counter ? counter->last.reserved : 0;
}

bool seqstore_exhausted(const struct seqstore *store, const uint8_t id[static SEQSTORE_ID_BYTES])
{
	const struct counter *counter = find(store, id);

	return counter && counter->last.flags & SEQSTORE_EXHAUSTED;
}

/* @label keeps the two kinds of id apart, and has a fixed length of what follows it. */
static int identify(const struct seqstore *store, const char *label, const struct sa *sa,
	const uint8_t *more, size_t more_len, uint8_t *ret_id)
{
	static const uint8_t no_secret[SEQSTORE_SECRET_BYTES];
	const struct secret *key = sa->encr_key ? sa->encr_key : sa->auth_key;
	uint8_t text[SECRET_MAX_BYTES + 64], digest[EVP_MAX_MD_SIZE];
	size_t label_len = strlen(label), len = label_len + more_len, key_len;
	unsigned int digest_len = 0;
	unsigned char *done;

	/* Salt included; the initial IV behind it is no part of the key. */
	key_len = sa->encr_key ? ((size_t)sa->encr_key_bits + sa->salt_bits + 7) / 8
			       : secret_len(key);
	if (key_len == 0 || key_len > secret_len(key) || len + key_len > sizeof(text))
		return -EIO;
	memcpy(text, label, label_len);
	if (more_len)
		memcpy(text + label_len, more, more_len);
	memcpy(text + len, secret_bytes(key), key_len);
	done = HMAC(EVP_sha256(), store ? store->file.secret : no_secret, SEQSTORE_SECRET_BYTES,
		text, len + key_len, digest, &digest_len);
	secret_wipe(text, sizeof(text));
	if (!done || digest_len < SEQSTORE_ID_BYTES)
		return -EIO;
	memcpy(ret_id, digest, SEQSTORE_ID_BYTES);
	return 0;
}

int seqstore_id(
	const struct seqstore *store, const struct sa *sa, uint8_t ret_id[static SEQSTORE_ID_BYTES])
{
	return identify(store, "counter", sa, NULL, 0, ret_id);
}

int seqstore_window_id(
	const struct seqstore *store, const struct sa *sa, uint8_t ret_id[static SEQSTORE_ID_BYTES])
{
	uint8_t more[7 + 2 * sizeof(sa->dst.bytes)];

	more[0] = (uint8_t)sa->proto;
	memcpy(more + 1, &sa->spi, sizeof(sa->spi));
	more[5] = sa->dst.family;
	more[6] = sa->src.family;
	memcpy(more + 7, sa->dst.bytes, sizeof(sa->dst.bytes));
	memcpy(more + 7 + sizeof(sa->dst.bytes), sa->src.bytes, sizeof(sa->src.bytes));
	return identify(store, "window", sa, more, sizeof(more), ret_id);
}

static bool is_blank(const struct seqstore_record *record)
{
	static const struct seqstore_record blank;

	return memcmp(record, &blank, sizeof(blank)) == 0;
}

/*
 * The newer of a pair; false: none can be read. @ret_doubt: there was another one, of which nobody
 * can say whether it was torn before anything was granted, or rotted after.
 */
static bool pair_choose(const struct seqstore *store, const struct seqstore_record pair[2],
	struct counter *ret_counter, bool *ret_doubt)
{
	bool first = seqstore_record_is_sound(&store->file, &pair[0]);
	bool second = seqstore_record_is_sound(&store->file, &pair[1]);
	unsigned int newer = first && (!second || pair[0].version > pair[1].version) ? 0 : 1;

	if (!first && !second)
		return false;
	if (first && second && memcmp(pair[0].id, pair[1].id, SEQSTORE_ID_BYTES) != 0)
		return false;
	ret_counter->last = pair[newer];
	ret_counter->next = (uint8_t)!newer;
	*ret_doubt = first != second && !is_blank(&pair[!newer]);
	return true;
}

static uint64_t further(uint64_t granted)
{
	return granted > UINT64_MAX - SEQSTORE_CHUNK_MAX ? UINT64_MAX
							 : granted + SEQSTORE_CHUNK_MAX;
}

static int pair_load(struct seqstore *store, const struct seqstore_record pair[2])
{
	struct counter counter;
	bool doubt;
	size_t place;
	int r;

	if (!pair_choose(store, pair, &counter, &doubt))
		return -EBADMSG;
	if (doubt) /* no more than this can have been granted by the other */
		counter.last.reserved = further(counter.last.reserved);
	if (doubt && counter.last.top)
		counter.last.top = further(counter.last.top);
	r = make_room(store);
	if (r < 0)
		return r;
	place = index_find(store, counter.last.id);
	if (store->index[place])
		return -EBADMSG;
	store->index[place] = (uint32_t)store->n_counters;
	store->counters[store->n_counters++] = counter;
	return 0;
}

/* The first pair: how many others count. In doubt all that can be read do. */
static int count_load(struct seqstore *store, off_t size, uint64_t *ret_count, bool *ret_doubt)
{
	struct seqstore_record pair[1][2] = { 0 };
	struct counter *count;
	int r = make_room(store);

	if (r == 0)
		r = seqstore_file_read(&store->file, 0, 1, pair);
	if (r < 0)
		return r;
	count = &store->counters[0];
	if (!pair_choose(store, pair[0], count, ret_doubt))
		return -EBADMSG;
	store->n_counters = 1;
	*ret_count = count->last.reserved;
	if (*ret_count > UINT32_MAX / 4 || seqstore_file_size((size_t)*ret_count + 1) > size)
		return -EBADMSG;
	if (*ret_doubt)
		*ret_count = (uint64_t)(size - seqstore_file_size(1)) / (2 * sizeof(pair[0][0]));
	return 0;
}

static int counters_load(struct seqstore *store, off_t size)
{
	struct seqstore_record pairs[PAIRS_AT_ONCE][2] = { 0 };
	uint64_t left;
	bool doubt = false;
	int r = count_load(store, size, &left, &doubt);

	while (r == 0 && left > 0) {
		size_t n = left < PAIRS_AT_ONCE ? (size_t)left : PAIRS_AT_ONCE;

		r = seqstore_file_read(&store->file, store->n_counters, n, pairs);
		for (size_t i = 0; r == 0 && i < n; i++)
			r = pair_load(store, pairs[i]);
		left -= n;
	}
	if (r == -EBADMSG && doubt && store->n_counters > store->counters[0].last.reserved)
		r = 0; /* behind those that count for sure, the first torn one is the end */
	if (r < 0)
		return r;
	/* Pairs that do not count were never granted anything; what is left of them would confuse. */
	if (size > seqstore_file_size(store->n_counters) &&
		(ftruncate(store->file.fd, seqstore_file_size(store->n_counters)) < 0 ||
			fdatasync(store->file.fd) < 0))
		return -errno;
	return 0;
}

int seqstore_open(const char *directory, struct seqstore **ret_store)
{
	CLEANUP(seqstore_freep) struct seqstore *store = calloc(1, sizeof(*store));
	off_t size = 0;
	int r;

	if (!store)
		return -ENOMEM;
	r = seqstore_file_open(&store->file, directory, &size);
	if (r == 0)
		r = counters_load(store, size);
	if (r == 0)
		r = seqstore_sync(store); /* the count, if it was in doubt */
	if (r < 0)
		return r;
	*ret_store = STEAL(store);
	return 0;
}

struct seqstore *seqstore_free(struct seqstore *store)
{
	if (!store)
		return NULL;
	seqstore_file_done(&store->file);
	free(store->counters);
	free(store->index);
	free(store);
	return NULL;
}
