/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PF_KEY messages from either side: what is accepted can be written again, and reads back as the
 * same; what is refused has an errno that is the result, and a diagnostic that has a name.
 */
#include <string.h>

#include "common/pfkey/pfkey.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Kept as lengths only, never written. */
#define UNWRITTEN (PFKEY_BIT(PFKEY_EXT_SENSITIVITY) | PFKEY_BIT(PFKEY_EXT_OUTER_SENS))

static void require(bool condition)
{
	if (!condition)
		abort();
}

static bool limits_equal(const struct sa_limits *a, const struct sa_limits *b)
{
	return a->bytes == b->bytes && a->add_sec == b->add_sec && a->use_sec == b->use_sec &&
	       a->allocations == b->allocations;
}

static bool comb_equal(const struct pfkey_comb *a, const struct pfkey_comb *b)
{
	return a->auth == b->auth && a->encrypt == b->encrypt && a->flags == b->flags &&
	       a->auth_min_bits == b->auth_min_bits && a->auth_max_bits == b->auth_max_bits &&
	       a->encrypt_min_bits == b->encrypt_min_bits &&
	       a->encrypt_max_bits == b->encrypt_max_bits && a->salt_bits == b->salt_bits &&
	       limits_equal(&a->soft, &b->soft) && limits_equal(&a->hard, &b->hard);
}

static void compare_eprops(const struct pfkey_eprop *a, const struct pfkey_eprop *b)
{
	require(!a == !b);
	if (!a)
		return;
	require(a->replay == b->replay && a->n_ecombs == b->n_ecombs);
	for (size_t i = 0; i < a->n_ecombs; i++) {
		const struct pfkey_ecomb *x = &a->ecombs[i], *y = &b->ecombs[i];

		require(x->flags == y->flags && x->n_algs == y->n_algs);
		require(limits_equal(&x->soft, &y->soft) && limits_equal(&x->hard, &y->hard));
		require(memcmp(x->algs, y->algs, sizeof(x->algs)) == 0);
	}
}

static void compare(const struct pfkey_message *a, const struct pfkey_message *b)
{
	require(a->type == b->type && a->satype == b->satype && a->error == b->error);
	require(a->seq == b->seq && a->pid == b->pid && a->diagnostic == b->diagnostic);
	require(a->present == b->present);
	require(sa_equal(a->sa, b->sa));
	require(a->sa->state == b->sa->state);
	require(a->spi_min == b->spi_min && a->spi_max == b->spi_max);
	require(a->km_cookie == b->km_cookie && a->dump_idle_sec == b->dump_idle_sec);
	require(a->current.allocations == b->current.allocations);
	require(a->current.bytes == b->current.bytes);
	require(a->current.add_wall_sec == b->current.add_wall_sec);
	require(a->current.use_wall_sec == b->current.use_wall_sec);
	require(strcmp(a->identity_src.value, b->identity_src.value) == 0);
	require(strcmp(a->identity_dst.value, b->identity_dst.value) == 0);
	require(a->n_combs == b->n_combs && a->n_auth == b->n_auth && a->n_encrypt == b->n_encrypt);
	for (size_t i = 0; i < a->n_combs; i++)
		require(comb_equal(&a->combs[i], &b->combs[i]));
	compare_eprops(a->eprop, b->eprop);
	require(memcmp(a->auth, b->auth, sizeof(a->auth)) == 0);
	require(memcmp(a->encrypt, b->encrypt, sizeof(a->encrypt)) == 0);
}

/*
 * Flags that only the database may judge come back as they were in an answer; in a request only
 * those that a client may set are written, so the message is cut down to them first.
 */
static void settle(struct pfkey_message *msg, enum pfkey_side side)
{
	msg->present &= ~UNWRITTEN;
	if (side == PFKEY_REQUEST)
		msg->sa_flags &= PFKEY_SAF_SETTABLE;
}

static void round_trip(struct pfkey_message *msg, enum pfkey_side side)
{
	CLEANUP(pfkey_message_freep) struct pfkey_message *first = NULL, *second = NULL;
	uint8_t bytes[PFKEY_MAX_BYTES];
	struct pfkey_fault fault;
	size_t len;

	settle(msg, side);
	/* Two long lists and two long keys together need not fit what this side ever writes. */
	if (pfkey_encode(msg, side, bytes, sizeof(bytes), &len) < 0)
		return;
	require(len % PFKEY_UNIT == 0 && len >= PFKEY_BASE_BYTES && len <= sizeof(bytes));
	/* What follows from the rest (a flag from an address) is there after one turn. */
	if (pfkey_decode(bytes, len, side, &first, &fault) < 0)
		abort();
	settle(first, side);
	if (pfkey_encode(first, side, bytes, sizeof(bytes), &len) < 0 ||
		pfkey_decode(bytes, len, side, &second, &fault) < 0)
		abort();
	compare(first, second);
}

static void one_side(const uint8_t *data, size_t size, enum pfkey_side side)
{
	CLEANUP(pfkey_message_freep) struct pfkey_message *msg = NULL;
	struct pfkey_fault fault = { 0 };
	int r = pfkey_decode(data, size, side, &msg, &fault);

	if (r < 0) {
		require(fault.error == -r && !msg);
		require(pfkey_diagnostic_name(fault.diagnostic) != NULL);
		return;
	}
	require(msg->sa != NULL);
	round_trip(msg, side);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	one_side(data, size, PFKEY_REQUEST);
	one_side(data, size, PFKEY_ANSWER);
	return 0;
}
