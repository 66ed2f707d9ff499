/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Extended proposals: what AH and ESP together have to be, one combination for each alternative. */
#include <errno.h>
#include <stdlib.h>

#include "common/base/bytes.h"
#include "common/pfkey/wire.h"

static void load_ecomb(const uint8_t *at, struct pfkey_ecomb *ret)
{
	ret->n_algs = at[0];
	ret->flags = load_host16(at + 2);
	load_limit_pair(at + 8, &ret->soft, &ret->hard);
}

static void load_algdesc(const uint8_t *at, struct pfkey_algdesc *ret)
{
	ret->satype = at[0];
	ret->kind = at[1];
	ret->number = at[2];
	ret->salt_bits = at[3];
	ret->min_bits = load_host16(at + 4);
	ret->max_bits = load_host16(at + 6);
}

/* The descriptors behind one combination. Return: octets used, 0: they do not fit. */
static size_t load_one(const uint8_t *at, size_t left, struct pfkey_ecomb *ret)
{
	size_t size = PFKEY_ECOMB_BYTES;

	if (left < size)
		return 0;
	load_ecomb(at, ret);
	if (ret->n_algs > PFKEY_MAX_ALGDESCS || left - size < ret->n_algs * PFKEY_ALGDESC_BYTES)
		return 0;
	for (size_t i = 0; i < ret->n_algs; i++, size += PFKEY_ALGDESC_BYTES)
		load_algdesc(at + size, &ret->algs[i]);
	return size;
}

int pfkey_decode_eprop(
	struct pfkey_decoding *in, const struct pfkey_row *row, const uint8_t *ext, size_t len)
{
	struct pfkey_eprop *eprop = calloc(1, sizeof(*eprop));
	size_t at = PFKEY_PROPOSAL_BYTES, used;

	if (!eprop)
		return pfkey_refuse(&in->fault, ENOMEM, PFKEY_DIAG_NONE);
	in->msg->eprop = eprop;
	eprop->replay = ext[4];
	eprop->n_ecombs = load_host16(ext + 6);
	if (eprop->n_ecombs > PFKEY_MAX_COMBS)
		return pfkey_refuse(&in->fault, EINVAL, row->malformed);
	for (size_t i = 0; i < eprop->n_ecombs; i++, at += used) {
		used = load_one(ext + at, len - at, &eprop->ecombs[i]);
		if (used == 0)
			return pfkey_refuse(&in->fault, EINVAL, row->malformed);
	}
	return at == len ? 0 : pfkey_refuse(&in->fault, EINVAL, row->malformed);
}

static void encode_ecomb(struct writer *wr, const struct pfkey_ecomb *ecomb)
{
	(void)write_u8(wr, (uint8_t)ecomb->n_algs);
	(void)write_u8(wr, 0);
	write_host16(wr, ecomb->flags);
	(void)write_zeros(wr, 4);
	write_limit_pair(wr, &ecomb->soft, &ecomb->hard);
	for (size_t i = 0; i < ecomb->n_algs; i++) {
		const struct pfkey_algdesc *alg = &ecomb->algs[i];

		(void)write_u8(wr, alg->satype);
		(void)write_u8(wr, alg->kind);
		(void)write_u8(wr, alg->number);
		(void)write_u8(wr, alg->salt_bits);
		write_host16(wr, alg->min_bits);
		write_host16(wr, alg->max_bits);
	}
}

int pfkey_encode_eprop(struct writer *wr, const struct pfkey_eprop *eprop)
{
	size_t bytes = PFKEY_PROPOSAL_BYTES;
	uint16_t head[2] = { 0, PFKEY_EXT_EPROP }, n;

	if (!eprop || eprop->n_ecombs > PFKEY_MAX_COMBS)
		return -EINVAL;
	for (size_t i = 0; i < eprop->n_ecombs; i++) {
		if (eprop->ecombs[i].n_algs > PFKEY_MAX_ALGDESCS)
			return -EINVAL;
		bytes += PFKEY_ECOMB_BYTES + eprop->ecombs[i].n_algs * PFKEY_ALGDESC_BYTES;
	}
	head[0] = (uint16_t)(bytes / PFKEY_UNIT);
	n = (uint16_t)eprop->n_ecombs;
	(void)write_bytes(wr, head, sizeof(head));
	(void)write_u8(wr, eprop->replay);
	(void)write_u8(wr, 0);
	(void)write_bytes(wr, &n, sizeof(n));
	for (size_t i = 0; i < eprop->n_ecombs; i++)
		encode_ecomb(wr, &eprop->ecombs[i]);
	return 0;
}
