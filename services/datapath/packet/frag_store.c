/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Limits, life and counters are those of the original (kernel-semantics, section 6.1). */
#include "services/datapath/packet/frag_store.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/bytes.h"
#include "common/base/hash.h"
#include "services/datapath/packet/frag_train.h"

#define BUCKETS	      256
#define DATAGRAM_MAX  65535U
#define OFFSET_TINY   8U /* a fragment that begins so early hides what the first one says, RFC 1858 */
#define PORTS_BYTES   4U
#define FRAGMENT_HEAD 8U

/* Same members for every byte of it, so that it may be hashed and compared as memory. */
struct key {
	uint8_t src[16], dst[16];
	uint64_t tag;
	uint32_t id;
	uint8_t family, protocol, direction, zero;
};

struct datagram {
	struct key key;
	struct datagram *next; /* in its bucket */
	struct datagram *older, *newer;
	uint64_t until_usec;
	struct frag_train *train; /* NULL: it is spoilt, */
	enum verdict spoilt; /* and what comes of it is dropped with this */
	size_t held, total; /* payload octets; total 0: the last fragment has not come */
};

struct frag_store {
	pthread_mutex_t lock;
	struct hash_key hash_key;
	struct datagram *buckets[BUCKETS];
	struct datagram *oldest, *newest;
	size_t n;
};

struct frag_store *frag_store_new(void)
{
	struct frag_store *store = calloc(1, sizeof(*store));

	if (!store)
		return NULL;
	if (pthread_mutex_init(&store->lock, NULL) != 0) {
		free(store);
		return NULL;
	}
	hash_key_random(&store->hash_key);
	return store;
}

static struct datagram **bucket_of(struct frag_store *store, const struct key *key)
{
	return &store->buckets[hash_keyed(&store->hash_key, key, sizeof(*key)) % BUCKETS];
}

/* Unlink and free; the train goes with it unless it was taken. */
static void forget(struct frag_store *store, struct datagram *datagram)
{
	struct datagram **link = bucket_of(store, &datagram->key);

	while (*link != datagram)
		link = &(*link)->next;
	*link = datagram->next;
	*(datagram->older ? &datagram->older->newer : &store->oldest) = datagram->newer;
	*(datagram->newer ? &datagram->newer->older : &store->newest) = datagram->older;
	store->n--;
	(void)frag_train_free(datagram->train);
	free(datagram);
}

struct frag_store *frag_store_free(struct frag_store *store)
{
	if (!store)
		return NULL;
	while (store->oldest)
		forget(store, store->oldest);
	(void)pthread_mutex_destroy(&store->lock); /* nobody holds it */
	free(store);
	return NULL;
}

static void lose(struct frag_store *store, struct datagram *datagram, struct counters *counters,
	enum verdict why)
{
	for (size_t i = frag_train_left(datagram->train); i > 0; i--)
		counters_add(counters, why);
	forget(store, datagram);
}

/* From now on its fragments are dropped as they come, until its time is up. */
static enum verdict spoil(struct datagram *datagram, struct counters *counters, enum verdict why)
{
	for (size_t i = frag_train_left(datagram->train); i > 0; i--)
		counters_add(counters, why);
	datagram->train = frag_train_free(datagram->train);
	datagram->spoilt = why;
	return why;
}

static struct key key_of(const struct frag_arrival *arrival)
{
	const struct packet_view *view = arrival->view;
	struct key key;

	memset(&key, 0, sizeof(key));
	memcpy(key.src, view->src.bytes, sizeof(key.src));
	memcpy(key.dst, view->dst.bytes, sizeof(key.dst));
	key.tag = arrival->tag;
	key.id = view->fragment_id;
	key.family = view->family;
	/* RFC 8200 section 4.5: the identification is unique without the protocol. */
	key.protocol = view->family == AF_INET ? view->protocol : 0;
	key.direction = (uint8_t)arrival->direction;
	return key;
}

static struct datagram *find_datagram(struct frag_store *store, const struct key *key)
{
	struct datagram *datagram = *bucket_of(store, key);

	while (datagram && memcmp(&datagram->key, key, sizeof(*key)) != 0)
		datagram = datagram->next;
	return datagram;
}

static struct datagram *begin_datagram(struct frag_store *store, const struct key *key,
	uint64_t now_usec, struct counters *counters)
{
	struct datagram *datagram, **bucket = bucket_of(store, key);

	if (store->n == FRAG_STORE_DATAGRAMS && store->oldest)
		lose(store, store->oldest, counters, VERDICT_SPD_NOMEM);
	datagram = calloc(1, sizeof(*datagram));
	if (!datagram)
		return NULL;
	datagram->train = calloc(1, sizeof(*datagram->train));
	if (!datagram->train) {
		free(datagram);
		return NULL;
	}
	datagram->key = *key;
	datagram->until_usec = now_usec + FRAG_STORE_LIFE_USEC;
	datagram->next = *bucket;
	*bucket = datagram;
	datagram->older = store->newest;
	*(store->newest ? &store->newest->newer : &store->oldest) = datagram;
	store->newest = datagram;
	store->n++;
	return datagram;
}

/* What the fragment says of its place. */
struct place {
	size_t offset, payload, payload_at;
	bool more;
};

static enum verdict find_place(const struct frag_arrival *arrival, struct place *ret_place)
{
	const struct packet_view *view = arrival->view;
	const uint8_t *p = arrival->pkt->data;
	struct place place;

	if (view->family == AF_INET) {
		place.payload_at = view->header_len;
		place.offset = (load_be16(p + 6) & 0x1fffU) * 8U;
		place.more = (load_be16(p + 6) & 0x2000) != 0;
	} else {
		size_t at = view->fragment_at;

		place.payload_at = at + FRAGMENT_HEAD;
		place.offset = load_be16(p + at + 2) & 0xfff8U;
		place.more = (p[at + 3] & 1) != 0;
	}
	place.payload = view->total_len - place.payload_at;
	if (place.payload == 0 || (place.more && place.payload % 8 != 0) ||
		(place.offset > 0 && place.offset <= OFFSET_TINY))
		return VERDICT_SPD_MALFORMED_FRAG;
	if (place.offset == 0 && view->total_len - view->upper < PORTS_BYTES)
		return VERDICT_SPD_MALFORMED_FRAG;
	if (place.payload_at + place.offset + place.payload > DATAGRAM_MAX)
		return VERDICT_SPD_EVIL_FRAG;
	*ret_place = place;
	return VERDICT_IN_HELD;
}

/* Do both say the same where they speak of the same octets? */
static bool agree(const struct frag_piece *piece, const struct place *place, const uint8_t *bytes)
{
	size_t from = piece->offset > place->offset ? piece->offset : place->offset;
	size_t end = piece->offset + piece->payload, other = place->offset + place->payload;

	end = end < other ? end : other;
	return memcmp(piece->bytes + piece->payload_at + (from - piece->offset),
		       bytes + place->payload_at + (from - place->offset), end - from) == 0;
}

/*
 * Where it goes among the others. Data that is held already earns nothing, and other data in its
 * place means that somebody wants two readings of one datagram.
 */
static enum verdict find_link(const struct datagram *datagram, const struct place *place,
	const uint8_t *bytes, struct frag_piece ***ret_link)
{
	struct frag_piece **link = &datagram->train->first;
	bool repeated = false;

	for (; *link && (*link)->offset < place->offset + place->payload; link = &(*link)->next) {
		if ((*link)->offset + (*link)->payload > place->offset) {
			if (!agree(*link, place, bytes))
				return VERDICT_SPD_OVERLAP_FRAG;
			repeated = true;
		} else {
			*ret_link = &(*link)->next;
		}
	}
	return repeated ? VERDICT_SPD_EVIL_FRAG : VERDICT_IN_HELD;
}

/* Two ends, or data behind the end. */
static bool contradicts_end(const struct datagram *datagram, const struct place *place)
{
	size_t end = place->offset + place->payload;

	if (datagram->total != 0)
		return end > datagram->total || (!place->more && end != datagram->total);
	if (place->more)
		return false;
	for (const struct frag_piece *piece = datagram->train->first; piece; piece = piece->next)
		if (piece->offset + piece->payload > end)
			return true;
	return false;
}

static enum verdict keep(struct datagram *datagram, const struct frag_arrival *arrival,
	const struct place *place, struct counters *counters)
{
	struct frag_train *train = datagram->train;
	struct frag_piece **link = &train->first, *piece;
	enum verdict verdict = find_link(datagram, place, arrival->pkt->data, &link);

	if (verdict == VERDICT_SPD_OVERLAP_FRAG || contradicts_end(datagram, place))
		return spoil(datagram, counters, VERDICT_SPD_OVERLAP_FRAG);
	if (verdict != VERDICT_IN_HELD)
		return verdict;
	if (train->n == FRAG_STORE_PIECES)
		return spoil(datagram, counters, VERDICT_SPD_MAX_FRAGS);
	piece = frag_piece_new(arrival->pkt->data, arrival->view->total_len);
	if (!piece)
		return VERDICT_SPD_NOMEM;
	piece->offset = place->offset;
	piece->payload = place->payload;
	piece->payload_at = place->payload_at;
	piece->next = *link;
	*link = piece;
	train->n++;
	datagram->held += place->payload;
	if (!place->more)
		datagram->total = place->offset + place->payload;
	return VERDICT_IN_HELD;
}

static enum verdict add(struct frag_store *store, const struct frag_arrival *arrival,
	struct counters *counters, struct frag_train **ret_train)
{
	struct key key = key_of(arrival);
	struct datagram *datagram;
	struct place place;
	enum verdict verdict = find_place(arrival, &place);

	while (store->oldest && store->oldest->until_usec <= arrival->now_usec)
		lose(store, store->oldest, counters, VERDICT_SPD_EXPIRED_FRAGS);
	if (verdict != VERDICT_IN_HELD)
		return verdict;
	datagram = find_datagram(store, &key);
	if (!datagram)
		datagram = begin_datagram(store, &key, arrival->now_usec, counters);
	if (!datagram)
		return VERDICT_SPD_NOMEM;
	if (!datagram->train)
		return datagram->spoilt;
	verdict = keep(datagram, arrival, &place, counters);
	/* Nothing overlaps, so as many octets as the end says means all of them. */
	if (verdict == VERDICT_IN_HELD && datagram->total != 0 &&
		datagram->held == datagram->total) {
		*ret_train = datagram->train;
		datagram->train = NULL;
		forget(store, datagram);
	}
	return verdict;
}

enum verdict frag_store_add(struct frag_store *store, const struct frag_arrival *arrival,
	struct counters *counters, struct frag_train **ret_train)
{
	enum verdict verdict;

	*ret_train = NULL;
	(void)pthread_mutex_lock(&store->lock); /* it cannot fail for a plain mutex */
	verdict = add(store, arrival, counters, ret_train);
	(void)pthread_mutex_unlock(&store->lock);
	return verdict == VERDICT_IN_HELD && arrival->direction == DIRECTION_OUT ? VERDICT_OUT_HELD
										 : verdict;
}

size_t frag_store_count(struct frag_store *store)
{
	size_t n;

	(void)pthread_mutex_lock(&store->lock);
	n = store->n;
	(void)pthread_mutex_unlock(&store->lock);
	return n;
}
