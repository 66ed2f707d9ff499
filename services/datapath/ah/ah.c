/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sizes, and the sum that sealing and opening share. */
#include "services/datapath/ah/ah.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "common/base/bytes.h"
#include "common/base/checked.h"

int ah_suite_of(const struct sa *sa, struct suite *ret_suite)
{
	const struct suite_auth *row = suite_auth_row(sa->auth);

	if (sa->proto != SA_PROTO_AH || !row)
		return -ENOTSUP;
	if (sa->auth_key_bits != row->key_bytes * 8U || secret_len(sa->auth_key) != row->key_bytes)
		return -EINVAL;
	*ret_suite = (struct suite){
		.auth = row,
		.iv_bytes = row->iv_bytes,
		.icv_bytes = row->icv_bytes,
	};
	return 0;
}

size_t ah_len(const struct suite *suite, uint8_t family)
{
	size_t len = AH_HEADER + (size_t)suite->iv_bytes + suite->icv_bytes;

	return round_up(len, family == AF_INET6 ? 8U : 4U);
}

size_t ah_clear_mtu(const struct sa *sa, const struct suite *suite, size_t mtu, bool wrapped)
{
	size_t taken = ah_len(suite, sa->dst.family);

	if (sa->mode == SA_MODE_TUNNEL && !wrapped)
		taken += packet_outer_len(&sa->dst);
	return mtu > taken ? mtu - taken : 0;
}

enum verdict ah_sum(const struct ah_sa *ah, const struct packet *pkt,
	const struct packet_view *view, size_t at, uint64_t seq, uint8_t *ret_icv)
{
	static const uint8_t zeros[SUITE_MAX_ICV];
	const struct suite *suite = ah->suite;
	const uint8_t *p = pkt->data + at, *iv = p + AH_HEADER;
	const uint8_t *behind = iv + suite->iv_bytes + suite->icv_bytes;
	uint8_t headers[AH_BEFORE_MAX], high[4];
	enum verdict verdict;

	if (at > sizeof(headers))
		return VERDICT_AH_BAD_V6_HDRS;
	memcpy(headers, pkt->data, at);
	verdict = ah_mask(headers, at, view);
	if (verdict != VERDICT_OUT_PROTECTED)
		return verdict;
	store_be32(high, (uint32_t)(seq >> 32));
	const struct suite_part parts[] = {
		{ headers, at },
		{ p, AH_HEADER + (size_t)suite->iv_bytes },
		{ zeros, suite->icv_bytes },
		{ behind, (size_t)(pkt->data + pkt->len - behind) },
		{ high, (ah->sa->flags & SA_FLAG_ESN) != 0 ? sizeof(high) : 0 },
	};

	return suite_mac_sum(ah->mac, iv, parts, ARRAY_SIZE(parts), ret_icv)
		       ? VERDICT_OUT_PROTECTED
		       : VERDICT_AH_CRYPTO_FAILED;
}
