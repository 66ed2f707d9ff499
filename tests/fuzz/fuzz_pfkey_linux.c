/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PF_KEY messages in the Linux numbering, from either side: what is accepted can be written again, and
 * is written the same way once more; what is refused has an errno that is the result.
 */
#include <stdlib.h>
#include <string.h>

#include "common/pfkey/linux.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
	if (!condition)
		abort();
}

static void compare(const struct pfkey_message *a, const struct pfkey_message *b)
{
	require(a->type == b->type && a->satype == b->satype && a->error == b->error);
	require(a->seq == b->seq && a->pid == b->pid && a->present == b->present);
	require(sa_equal(a->sa, b->sa) && a->sa->state == b->sa->state);
	require(a->sa->reqid == b->sa->reqid && a->sa->flags == b->sa->flags);
	require(a->spi_min == b->spi_min && a->spi_max == b->spi_max);
	require(a->natt_src_port == b->natt_src_port && a->natt_dst_port == b->natt_dst_port);
	require(a->policy.n_requests == b->policy.n_requests);
	require(a->policy.id == b->policy.id && a->policy.priority == b->policy.priority);
	require(a->policy.protocol == b->policy.protocol);
	require(a->policy.src.bits == b->policy.src.bits);
	require(a->policy.dst.bits == b->policy.dst.bits);
	for (size_t i = 0; i < a->policy.n_requests; i++)
		require(a->policy.requests[i].reqid == b->policy.requests[i].reqid &&
			a->policy.requests[i].mode == b->policy.requests[i].mode);
}

/* One turn takes out what is passed over and fills in what goes without saying; then it stays. */
static void round_trip(const struct pfkey_message *msg, enum pfkey_side side)
{
	CLEANUP(pfkey_message_freep) struct pfkey_message *first = NULL, *second = NULL;
	uint8_t bytes[PFKEY_MAX_BYTES], *again = malloc(PFKEY_MAX_BYTES);
	struct pfkey_fault fault;
	size_t len, len_again;

	require(again != NULL);
	if (pfkey_linux_encode(msg, side, bytes, sizeof(bytes), &len) < 0) {
		free(again);
		return;
	}
	require(len % PFKEY_UNIT == 0 && len >= PFKEY_BASE_BYTES && len <= sizeof(bytes));
	if (pfkey_linux_decode(bytes, len, side, &first, &fault) < 0)
		abort();
	if (pfkey_linux_encode(first, side, again, PFKEY_MAX_BYTES, &len_again) < 0)
		abort();
	require(len == len_again && memcmp(bytes, again, len) == 0);
	if (pfkey_linux_decode(again, len_again, side, &second, &fault) < 0)
		abort();
	compare(first, second);
	free(again);
}

static void one_side(const uint8_t *data, size_t size, enum pfkey_side side)
{
	CLEANUP(pfkey_message_freep) struct pfkey_message *msg = NULL;
	struct pfkey_fault fault = { 0 };
	int r = pfkey_linux_decode(data, size, side, &msg, &fault);

	if (r < 0) {
		require(fault.error == -r && !msg);
		return;
	}
	require(msg->sa != NULL && msg->policy.n_requests <= PFKEY_MAX_REQUESTS);
	require(msg->policy.src.bits <= 128 && msg->policy.dst.bits <= 128);
	round_trip(msg, side);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	one_side(data, size, PFKEY_REQUEST);
	one_side(data, size, PFKEY_ANSWER);
	return 0;
}
