/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an SA must be before it may be added: kernel-semantics of the original, section 10.1. */
#include <errno.h>
#include <string.h>

#include "common/model/des_key.h"
#include "services/datapath/ah/ah.h"
#include "services/datapath/sad/sadb_parts.h"

static const struct algorithm *algorithm_of(const struct sadb *sadb, uint8_t proto, uint8_t number)
{
	return sadb->algorithms ? alg_find(sadb->algorithms, proto, number) : NULL;
}

/* Published by ipsecalgsd, if it published anything, and within the engine's means. */
static bool is_cipher_known(const struct sadb *sadb, uint8_t number)
{
	return suite_cipher_row(number) &&
	       (!sadb->algorithms || algorithm_of(sadb, ALG_PROTO_ESP, number));
}

static bool is_auth_known(const struct sadb *sadb, uint8_t number)
{
	return suite_auth_row(number) &&
	       (!sadb->algorithms || algorithm_of(sadb, ALG_PROTO_AH, number));
}

/* RFC 2367 has keys with wrong parity refused; the original puts it right, and so is one key one key. */
static int set_parity(struct sa *sa)
{
	uint8_t bytes[3 * DES_KEY_BYTES];
	size_t len = secret_len(sa->encr_key);
	struct secret *fixed = NULL;
	int r;

	if ((sa->encr != ALG_ENCR_DES && sa->encr != ALG_ENCR_3DES) || len > sizeof(bytes) ||
		len == 0)
		return 0;
	memcpy(bytes, secret_bytes(sa->encr_key), len);
	des_key_set_parity(bytes, len);
	r = secret_new(bytes, len, &fixed);
	secret_wipe(bytes, sizeof(bytes));
	if (r < 0)
		return r;
	secret_unref(sa->encr_key);
	sa->encr_key = fixed;
	return 0;
}

int sadb_settle_sa(const struct sadb *sadb, struct sa *sa, struct sadb_refusal *ret_refusal)
{
	const struct suite_cipher *cipher = suite_cipher_row(sa->encr);

	(void)sadb;
	if (address_is_unspecified(&sa->src))
		sa->src = address_any(sa->dst.family);
	/* Several senders cannot share a window. */
	if (address_is_unspecified(&sa->src) || address_is_multicast(&sa->dst))
		sa->replay_window = 0;
	if (cipher && cipher->salt_bytes && sa->encr_key &&
		pfkey_split_salt(sa, (uint16_t)(cipher->salt_bytes * 8)) < 0)
		return sadb_refuse(ret_refusal, EINVAL, PFKEY_DIAG_BAD_EKEYBITS);
	if (set_parity(sa) < 0)
		return sadb_refuse(ret_refusal, ENOMEM, PFKEY_DIAG_NONE);
	sa_normalise(sa);
	return 0;
}

static bool is_zero(const struct secret *key)
{
	const uint8_t *bytes = secret_bytes(key);
	uint8_t seen = 0;

	for (size_t i = 0; i < secret_len(key); i++)
		seen |= bytes[i];
	return seen == 0;
}

static bool is_weak(const struct sa *sa)
{
	const uint8_t *key = secret_bytes(sa->encr_key);
	size_t len = secret_len(sa->encr_key);

	if (is_zero(sa->encr_key))
		return true;
	if (sa->encr == ALG_ENCR_DES)
		return len == DES_KEY_BYTES && des_key_is_weak(key);
	return sa->encr == ALG_ENCR_3DES && len == 3 * DES_KEY_BYTES && des_key_is_weak_triple(key);
}

static int check_addresses(const struct sa *sa, struct sadb_refusal *refusal)
{
	struct pfkey_fault fault;

	if (sa->dst.family == AF_UNSPEC)
		return sadb_refuse(refusal, EINVAL, PFKEY_DIAG_MISSING_DST);
	if (sa->mode == SA_MODE_TUNNEL && sa->inner_src.addr.family == AF_UNSPEC)
		return sadb_refuse(refusal, EINVAL, PFKEY_DIAG_MISSING_INNER_SRC);
	if (sa->mode == SA_MODE_TUNNEL && sa->inner_dst.addr.family == AF_UNSPEC)
		return sadb_refuse(refusal, EINVAL, PFKEY_DIAG_MISSING_INNER_DST);
	if (pfkey_check_addresses(sa, pfkey_extensions_of(sa, false), &fault) < 0)
		return sadb_refuse(refusal, fault.error, fault.diagnostic);
	return 0;
}

static int check_cipher(const struct sadb *sadb, const struct sa *sa, struct sadb_refusal *refusal)
{
	const struct algorithm *alg = algorithm_of(sadb, ALG_PROTO_ESP, sa->encr);

	if (sa->proto == SA_PROTO_AH && sa->encr != ALG_ENCR_NONE)
		return sadb_refuse(refusal, EINVAL, PFKEY_DIAG_ENCR_NOTSUPP);
	if (sa->proto == SA_PROTO_AH)
		return sa->encr_key ? sadb_refuse(refusal, EINVAL, PFKEY_DIAG_EKEY_PRESENT) : 0;
	if (!is_cipher_known(sadb, sa->encr))
		return sadb_refuse(refusal, EINVAL, PFKEY_DIAG_BAD_EALG);
	if (sa->encr == ALG_ENCR_NULL)
		return sa->encr_key ? sadb_refuse(refusal, EINVAL, PFKEY_DIAG_BAD_EKEYBITS) : 0;
	if (!sa->encr_key)
		return sadb_refuse(refusal, EINVAL, PFKEY_DIAG_MISSING_EKEY);
	if (alg && !alg_takes_key(alg, sa->encr_key_bits))
		return sadb_refuse(refusal, EINVAL, PFKEY_DIAG_BAD_EKEYBITS);
	if (is_weak(sa))
		return sadb_refuse(refusal, EINVAL, PFKEY_DIAG_WEAK_EKEY);
	return 0;
}

static int check_auth(const struct sadb *sadb, const struct sa *sa, struct sadb_refusal *refusal)
{
	const struct algorithm *alg = algorithm_of(sadb, ALG_PROTO_AH, sa->auth);

	if (sa->auth == ALG_AUTH_NONE) {
		if (sa->auth_key)
			return sadb_refuse(refusal, EINVAL, PFKEY_DIAG_AKEY_PRESENT);
		/*
		 * RFC 4301 section 4.2: neither secret nor authentic is no protection. RFC 3686
		 * section 3: without integrity anybody can turn over the bits of his choice.
		 */
		if (sa->encr == ALG_ENCR_NULL || sa->encr == ALG_ENCR_AES_CTR ||
			sa->proto == SA_PROTO_AH)
			return sadb_refuse(refusal, EINVAL, PFKEY_DIAG_BAD_AALG);
		return 0;
	}
	if (!is_auth_known(sadb, sa->auth) ||
		(sa->proto == SA_PROTO_ESP && alg_is_ah_only(sa->auth)))
		return sadb_refuse(refusal, EINVAL, PFKEY_DIAG_BAD_AALG);
	if (!sa->auth_key)
		return sadb_refuse(refusal, EINVAL, PFKEY_DIAG_MISSING_AKEY);
	if ((alg && !alg_takes_key(alg, sa->auth_key_bits)) ||
		sa->auth_key_bits != suite_auth_row(sa->auth)->key_bytes * 8)
		return sadb_refuse(refusal, EINVAL, PFKEY_DIAG_BAD_AKEYBITS);
	if (is_zero(sa->auth_key))
		return sadb_refuse(refusal, EINVAL, PFKEY_DIAG_WEAK_AKEY);
	return 0;
}

/* Does the lower limit lie above the higher one? Absent ones never do. */
static bool above(uint64_t low, uint64_t high)
{
	return low && high && low > high;
}

int sadb_check_limits(const struct sa *sa, struct sadb_refusal *refusal)
{
	const struct sa_limits *soft = &sa->soft, *hard = &sa->hard;

	if (above(soft->allocations, hard->allocations))
		return sadb_refuse(refusal, EINVAL, PFKEY_DIAG_ALLOC_HSERR);
	if (above(soft->bytes, hard->bytes))
		return sadb_refuse(refusal, EINVAL, PFKEY_DIAG_BYTES_HSERR);
	if (above(soft->add_sec, hard->add_sec) || above(sa->idle_add_sec, soft->add_sec) ||
		above(sa->idle_add_sec, hard->add_sec))
		return sadb_refuse(refusal, EINVAL, PFKEY_DIAG_ADDTIME_HSERR);
	if (above(soft->use_sec, hard->use_sec) || above(sa->idle_use_sec, soft->use_sec) ||
		above(sa->idle_use_sec, hard->use_sec))
		return sadb_refuse(refusal, EINVAL, PFKEY_DIAG_USETIME_HSERR);
	return 0;
}

static int check_suite(const struct sa *sa, struct suite *ret_suite, struct sadb_refusal *refusal)
{
	bool ah = sa->proto == SA_PROTO_AH;

	switch (ah ? ah_suite_of(sa, ret_suite) : suite_of(sa, ret_suite)) {
	case 0:
		return 0;
	case -ENOTSUP:
		return sadb_refuse(refusal, EINVAL, ah ? PFKEY_DIAG_BAD_AALG : PFKEY_DIAG_BAD_EALG);
	default:
		if (ah)
			return sadb_refuse(refusal, EINVAL, PFKEY_DIAG_BAD_AKEYBITS);
		/* A combined cipher brings its own integrity; else the key has no size of the cipher. */
		return sadb_refuse(refusal, EINVAL,
			sa->auth && suite_cipher_row(sa->encr)->icv_bytes
				? PFKEY_DIAG_BAD_AALG
				: PFKEY_DIAG_BAD_EKEYBITS);
	}
}

int sadb_check_sa(const struct sadb *sadb, const struct sa *sa, struct suite *ret_suite,
	struct sadb_refusal *ret_refusal)
{
	int r;

	if (sa->spi < SA_LEAST_SPI)
		return sadb_refuse(ret_refusal, EINVAL, PFKEY_DIAG_MALFORMED_SA);
	r = check_addresses(sa, ret_refusal);
	if (r < 0)
		return r;
	if (sa->state != SA_MATURE)
		return sadb_refuse(ret_refusal, EINVAL, PFKEY_DIAG_BAD_SASTATE);
	if (sa->replay_window > SA_RUN_WINDOW_MAX)
		return sadb_refuse(ret_refusal, EINVAL, PFKEY_DIAG_MALFORMED_SA);
	if (sa->replay_value > sadb_seq_limit(sa))
		return sadb_refuse(ret_refusal, EOPNOTSUPP, PFKEY_DIAG_INVALID_REPLAY);
	/* RFC 4303 sections 2.6 and 2.7: only where what is inside tells how long it is. */
	if ((sa->tfc_pad != 0 || sa->tfc_dummy_msec != 0) &&
		(sa->proto != SA_PROTO_ESP || sa->mode != SA_MODE_TUNNEL))
		return sadb_refuse(ret_refusal, EINVAL, PFKEY_DIAG_MALFORMED_SA);
	r = sadb_check_natt(sadb, sa, ret_refusal);
	if (r < 0)
		return r;
	r = check_cipher(sadb, sa, ret_refusal);
	if (r == 0)
		r = check_auth(sadb, sa, ret_refusal);
	if (r == 0)
		r = check_suite(sa, ret_suite, ret_refusal);
	return r < 0 ? r : sadb_check_limits(sa, ret_refusal);
}

uint8_t sadb_directions(const struct sadb *sadb, const struct sa *sa)
{
	const struct sadb_parts *parts = &sadb->parts;
	bool dst_ours, src_ours, src_named = !address_is_unspecified(&sa->src);

	if (sa->directions)
		return sa->directions;
	if (address_is_multicast(&sa->dst))
		return SA_INBOUND | SA_OUTBOUND;
	dst_ours = parts->is_local && parts->is_local(&sa->dst, parts->is_local_userdata);
	src_ours = src_named && parts->is_local &&
		   parts->is_local(&sa->src, parts->is_local_userdata);
	if (dst_ours && src_named && !src_ours)
		return SA_INBOUND;
	if (!dst_ours && src_ours)
		return SA_OUTBOUND;
	return SA_INBOUND | SA_OUTBOUND;
}

static struct pfkey_algorithm cipher_row(const struct sadb *sadb, const struct suite_cipher *row)
{
	const struct algorithm *alg = algorithm_of(sadb, ALG_PROTO_ESP, row->encr);
	struct pfkey_algorithm out = { .number = row->encr,
		.iv_bits = (uint8_t)(row->iv_bytes * 8),
		.salt_bits = (uint8_t)(row->salt_bytes * 8) };

	out.min_bits = row->sizes[0].bits;
	out.max_bits = out.min_bits;
	for (size_t i = 0; i < SUITE_KEY_SIZES && row->sizes[i].bits != 0; i++)
		out.max_bits = row->sizes[i].bits;
	if (alg && alg->key_min_bits) {
		out.min_bits = alg->key_min_bits;
		out.max_bits = alg->key_max_bits;
	}
	out.increment_bits = out.max_bits > out.min_bits ? 64 : 0;
	return out;
}

size_t sadb_supported(const struct sadb *sadb, enum sa_proto proto, uint8_t alg_proto,
	struct pfkey_algorithm *ret_rows)
{
	size_t n = 0;

	for (unsigned int number = 1; number <= UINT8_MAX && n < PFKEY_MAX_ALGORITHMS; number++) {
		if (alg_proto == ALG_PROTO_AH && proto == SA_PROTO_ESP &&
			alg_is_ah_only((uint8_t)number))
			continue;
		if (alg_proto == ALG_PROTO_ESP && is_cipher_known(sadb, (uint8_t)number)) {
			ret_rows[n++] = cipher_row(sadb, suite_cipher_row((uint8_t)number));
		} else if (alg_proto == ALG_PROTO_AH && is_auth_known(sadb, (uint8_t)number)) {
			uint16_t bits = (uint16_t)(suite_auth_row((uint8_t)number)->key_bytes * 8);

			ret_rows[n++] = (struct pfkey_algorithm){
				.number = (uint8_t)number, .min_bits = bits, .max_bits = bits
			};
		}
	}
	return n;
}
