/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The fragment store: whatever comes, a datagram that comes out begins at 0, has no hole and no
 * overlap, and every fragment that went in came out, is held, or was counted as lost.
 *
 * Input: records of length (2 octets), seconds to wait (1), and the fragment.
 */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/bytes.h"
#include "services/datapath/packet/frag_store.h"

#define USEC 1000000U

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void require(bool promise)
{
	if (!promise)
		abort();
}

/* Return: fragments in it. */
static size_t check_train(struct frag_train *train)
{
	size_t n = 0, next = 0, size = PACKET_BUFFER;
	struct packet pkt = { .buffer = malloc(size), .size = size };
	bool more = true;

	require(pkt.buffer != NULL);
	for (; frag_train_next(train, &pkt); n++) {
		struct packet_view view;
		size_t at, offset;

		require(more && packet_parse(&pkt, &view) && view.is_fragment);
		require(view.is_first_fragment == (n == 0));
		at = view.family == AF_INET ? view.header_len : view.fragment_at + 8;
		offset = view.family == AF_INET
				 ? (load_be16(pkt.data + 6) & 0x1fffU) * 8U
				 : load_be16(pkt.data + view.fragment_at + 2) & 0xfff8U;
		more = view.family == AF_INET ? (pkt.data[6] & 0x20) != 0
					      : (pkt.data[view.fragment_at + 3] & 1) != 0;
		require(offset == next);
		next += view.total_len - at;
	}
	require(n > 0 && !more && next <= PACKET_MAX_LEN);
	free(pkt.buffer);
	return n;
}

static uint64_t lost(struct counters *counters)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < VERDICT_COUNT; i++)
		sum += atomic_load(&counters->packets[i]);
	return sum;
}

/* Add one; return: whether it was taken. */
static bool add(struct frag_store *store, struct counters *counters, struct packet *pkt,
	uint64_t now, size_t *came_out)
{
	struct packet_view view;
	struct frag_arrival arrival = { .pkt = pkt, .view = &view, .now_usec = now };
	struct frag_train *train;
	enum verdict verdict;

	if (!packet_parse(pkt, &view) || !view.is_fragment)
		return false;
	verdict = frag_store_add(store, &arrival, counters, &train);
	require(!train || verdict == VERDICT_IN_HELD);
	require(verdict == VERDICT_IN_HELD || verdict_is_drop(verdict));
	require(frag_store_count(store) <= FRAG_STORE_DATAGRAMS);
	if (train)
		*came_out += check_train(train);
	frag_train_free(train);
	return verdict == VERDICT_IN_HELD;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct frag_store *store = frag_store_new();
	struct counters counters = { 0 };
	size_t went_in = 0, came_out = 0;
	uint64_t now = USEC;

	require(store != NULL);
	while (len > 3) {
		size_t n = load_be16(bytes) < len - 3 ? load_be16(bytes) : len - 3;
		struct packet pkt;
		uint8_t *buffer = malloc(PACKET_HEADROOM + n);

		require(buffer != NULL);
		now += bytes[2] * (uint64_t)USEC / 16;
		packet_init(&pkt, buffer, PACKET_HEADROOM + n);
		require(packet_append(&pkt, n) != NULL);
		memcpy(pkt.data, bytes + 3, n);
		went_in += add(store, &counters, &pkt, now, &came_out);
		require(came_out + lost(&counters) <= went_in);
		free(buffer);
		bytes += 3 + n;
		len -= 3 + n;
	}
	frag_store_free(store);
	return 0;
}
