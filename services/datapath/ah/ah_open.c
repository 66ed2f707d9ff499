/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inbound AH: RFC 4302 section 3.4, in its order. */
#include <netinet/in.h>
#include <openssl/crypto.h>
#include <string.h>

#include "common/base/bytes.h"
#include "common/base/checked.h"
#include "services/datapath/ah/ah.h"
#include "services/datapath/replay/replay.h"
#include "services/datapath/replay/sa_use.h"

/*
 * Length of the header in octets, 0: it is wrong. IPv6 pads to 8 octets; for IPv4, stacks that do so
 * too are heard, since the padding is authenticated.
 */
static size_t header_len(
	const struct ah_sa *ah, const struct packet *pkt, const struct packet_view *view)
{
	size_t left = view->total_len - view->upper, least = ah_len(ah->suite, view->family), len;

	if (left < least)
		return 0;
	len = ((size_t)pkt->data[view->upper + 1] + 2) * 4;
	if ((len != least && len != round_up(least, 8U)) || len > left)
		return 0;
	return len;
}

static enum verdict check_replay(const struct ah_sa *ah, const uint8_t *p, uint64_t *ret_seq)
{
	bool esn = (ah->sa->flags & SA_FLAG_ESN) != 0;
	enum replay_verdict replay;

	replay_lock(ah->run);
	replay = replay_check(ah->run, esn, load_be32(p + 8), ret_seq);
	replay_unlock(ah->run);
	return replay == REPLAY_OK ? VERDICT_IN_ACCEPTED : VERDICT_AH_EARLY_REPLAY;
}

static enum verdict check_icv(const struct ah_sa *ah, const struct packet *pkt,
	const struct packet_view *view, uint64_t seq)
{
	const uint8_t *sent = pkt->data + view->upper + AH_HEADER + ah->suite->iv_bytes;
	uint8_t icv[SUITE_MAX_ICV];
	enum verdict verdict = ah_sum(ah, pkt, view, view->upper, seq, icv);

	if (verdict != VERDICT_OUT_PROTECTED)
		return verdict;
	return CRYPTO_memcmp(icv, sent, ah->suite->icv_bytes) == 0 ? VERDICT_IN_ACCEPTED
								   : VERDICT_AH_BAD_AUTH;
}

static enum verdict move_window(const struct ah_sa *ah, uint64_t seq)
{
	enum replay_verdict replay;

	replay_lock(ah->run);
	replay = replay_accept_with(ah->run, seq, ah->room);
	replay_unlock(ah->run);
	if (replay == REPLAY_AHEAD)
		return VERDICT_AH_WINDOW_UNRESERVED;
	return replay == REPLAY_OK ? VERDICT_IN_ACCEPTED : VERDICT_AH_REPLAY;
}

static enum verdict charge(const struct ah_sa *ah, uint64_t octets)
{
	uint64_t total = atomic_fetch_add_explicit(&ah->run->bytes, octets, memory_order_relaxed);

	if (!sa_use_within(ah->sa, ah->run, total + octets, sa_use_packets(ah->run) + 1))
		return VERDICT_AH_BYTES_EXPIRE;
	sa_use_note(ah->run, 1, ah->now_usec);
	return VERDICT_IN_ACCEPTED;
}

static enum verdict finish_tunnel(struct packet *pkt, struct packet_view *view, size_t len)
{
	uint8_t outer_class = packet_traffic_class(pkt->data), next = pkt->data[view->upper];

	(void)packet_pull(pkt, view->upper + len); /* lengths were checked */
	if (pkt->len == 0 || pkt->data[0] >> 4 != (next == IPPROTO_IPIP ? 4 : 6) ||
		!packet_parse(pkt, view))
		return VERDICT_AH_BAD_INNER;
	return packet_merge_ecn(pkt, outer_class) ? VERDICT_IN_ACCEPTED : VERDICT_AH_ECN;
}

static enum verdict finish_transport(struct packet *pkt, struct packet_view *view, size_t len)
{
	pkt->data[view->protocol_at] = pkt->data[view->upper];
	memmove(pkt->data + len, pkt->data, view->upper);
	(void)packet_pull(pkt, len);
	packet_set_length(pkt);
	return packet_parse(pkt, view) ? VERDICT_IN_ACCEPTED : VERDICT_AH_BAD_INNER;
}

static enum verdict finish(
	const struct ah_sa *ah, struct packet *pkt, struct packet_view *view, size_t len)
{
	uint8_t next_header = pkt->data[view->upper];

	/* Tunnel mode with ESP inside: one outer header for both, which ESP takes away. */
	if (ah->sa->mode == SA_MODE_TRANSPORT || next_header == IPPROTO_ESP)
		return finish_transport(pkt, view, len);
	if (next_header != IPPROTO_IPIP && next_header != IPPROTO_IPV6)
		return VERDICT_AH_BAD_INNER;
	return finish_tunnel(pkt, view, len);
}

enum verdict ah_open(const struct ah_sa *ah, struct packet *pkt, struct packet_view *view)
{
	enum verdict verdict;
	uint64_t seq = 0;
	size_t len;

	if (view->is_fragment)
		return VERDICT_SPD_MALFORMED_FRAG;
	if (!ah_drop_atomic_fragment(pkt, view))
		return VERDICT_SPD_MALFORMED_PACKET;
	len = header_len(ah, pkt, view);
	if (len == 0)
		return VERDICT_AH_BAD_LENGTH;
	verdict = check_replay(ah, pkt->data + view->upper, &seq);
	if (verdict == VERDICT_IN_ACCEPTED)
		verdict = check_icv(ah, pkt, view, seq);
	if (verdict == VERDICT_IN_ACCEPTED)
		verdict = move_window(ah, seq);
	if (verdict != VERDICT_IN_ACCEPTED) {
		(void)atomic_fetch_add_explicit(&ah->run->errors, 1, memory_order_relaxed);
		return verdict;
	}
	verdict = charge(ah, pkt->len - view->upper - len);
	return verdict == VERDICT_IN_ACCEPTED ? finish(ah, pkt, view, len) : verdict;
}
