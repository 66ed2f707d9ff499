/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Outbound AH: RFC 4302 section 3.3. */
#include <netinet/in.h>
#include <string.h>

#include "common/base/bytes.h"
#include "services/datapath/ah/ah.h"
#include "services/datapath/replay/sa_use.h"

#define IPV4_ID 4U

static bool fits_ip(const struct packet *pkt)
{
	return pkt->len <= PACKET_MAX_LEN + (pkt->data[0] >> 4 == 6 ? 40U : 0U);
}

/* The outer header of tunnel mode; the view is then of the outer packet. */
static enum verdict wrap(const struct ah_sa *ah, struct packet *pkt, struct packet_view *view)
{
	const struct sa *sa = ah->sa;
	struct packet_outer outer;

	packet_outer_of(pkt, view, ah->outer_src ? ah->outer_src : &sa->src, &sa->dst, &outer);
	if (ah->outer_rules)
		packet_outer_rule(&outer, ah->outer_rules, pkt);
	if (!packet_push(pkt, packet_outer_len(&sa->dst)))
		return VERDICT_AH_NOMEM;
	packet_write_outer(pkt->data, &outer);
	if (!fits_ip(pkt))
		return VERDICT_ESP_TOO_BIG;
	packet_set_length(pkt);
	return packet_parse(pkt, view) ? VERDICT_OUT_PROTECTED : VERDICT_SPD_MALFORMED_PACKET;
}

/* Room and header; number and ICV are missing then. */
static enum verdict insert(
	const struct ah_sa *ah, struct packet *pkt, struct packet_view *view, size_t *ret_at)
{
	size_t len = ah_len(ah->suite, view->family), at = view->esp_at;
	uint8_t next_header = view->esp_protocol, *p;

	if (!packet_push(pkt, len))
		return VERDICT_AH_NOMEM;
	memmove(pkt->data, pkt->data + len, at);
	pkt->data[view->esp_protocol_at] = IPPROTO_AH;
	if (!fits_ip(pkt))
		return VERDICT_ESP_TOO_BIG;
	p = pkt->data + at;
	memset(p, 0, len);
	p[0] = next_header;
	p[1] = (uint8_t)(len / 4 - 2);
	store_be32(p + 4, ah->sa->spi);
	*ret_at = at;
	return VERDICT_OUT_PROTECTED;
}

/* Octets of headers that AH brings are not charged: the lifetime counts what it authenticates. */
static enum verdict number(const struct ah_sa *ah, const struct packet *pkt, size_t at,
	const struct ah_choice *choice, uint64_t *ret_seq)
{
	uint64_t octets = pkt->len - at -
			  ah_len(ah->suite, pkt->data[0] >> 4 == 6 ? AF_INET6 : AF_INET);
	uint64_t total = atomic_fetch_add_explicit(&ah->run->bytes, octets, memory_order_relaxed);

	if (!sa_use_within(ah->sa, ah->run, total + octets, sa_use_packets(ah->run) + 1))
		return VERDICT_AH_BYTES_EXPIRE;
	if (choice && choice->seq != 0) {
		*ret_seq = choice->seq;
		return VERDICT_OUT_PROTECTED;
	}
	if (sa_use_numbers(ah->sa, ah->run, 1, ret_seq) == 1)
		return VERDICT_OUT_PROTECTED;
	return sa_use_is_exhausted(ah->sa, ah->run) ? VERDICT_AH_SEQ_EXHAUSTED
						    : VERDICT_AH_SEQ_UNRESERVED;
}

/*
 * The kernel fills in an identification that is zero, and AH covers it. One is made here: for outer
 * headers as the reassembler's key, else for packets that may have any (RFC 6864 section 4.1).
 */
static void identify(const struct ah_sa *ah, struct packet *pkt, bool ours, uint64_t seq)
{
	uint16_t id = (uint16_t)(seq + ah->sa->spi);

	if (pkt->data[0] >> 4 == 4 && (ours || load_be16(pkt->data + IPV4_ID) == 0))
		store_be16(pkt->data + IPV4_ID, id != 0 ? id : UINT16_MAX);
}

static void write_iv(const struct ah_sa *ah, uint8_t *iv, uint64_t seq, const uint8_t *given)
{
	if (given) {
		memcpy(iv, given, ah->suite->iv_bytes);
	} else if (ah->suite->iv_bytes != 0) {
		store_be32(iv, (uint32_t)(seq >> 32));
		store_be32(iv + 4, (uint32_t)seq);
	}
}

enum verdict ah_seal(const struct ah_sa *ah, struct packet *pkt, const struct ah_choice *choice)
{
	bool outer = ah->sa->mode == SA_MODE_TUNNEL && !ah->wrapped;
	enum verdict verdict = VERDICT_OUT_PROTECTED;
	struct packet_view view;
	uint64_t seq = 0;
	size_t at = 0;
	uint8_t *p;

	if (!packet_parse(pkt, &view))
		return VERDICT_SPD_MALFORMED_PACKET;
	if (outer)
		verdict = wrap(ah, pkt, &view);
	else if (view.is_fragment) /* RFC 4302 section 3.3.4: whole datagrams only */
		return VERDICT_SPD_MALFORMED_FRAG;
	else if (!ah_drop_atomic_fragment(pkt, &view))
		return VERDICT_SPD_MALFORMED_PACKET;
	if (verdict == VERDICT_OUT_PROTECTED)
		verdict = insert(ah, pkt, &view, &at);
	if (verdict == VERDICT_OUT_PROTECTED)
		verdict = number(ah, pkt, at, choice, &seq);
	if (verdict != VERDICT_OUT_PROTECTED)
		return verdict;
	p = pkt->data + at;
	store_be32(p + 8, (uint32_t)seq);
	write_iv(ah, p + AH_HEADER, seq, choice ? choice->iv : NULL);
	if (!choice)
		identify(ah, pkt, outer, seq);
	else if (outer && view.family == AF_INET)
		store_be16(pkt->data + IPV4_ID, choice->id);
	packet_set_length(pkt);
	verdict = ah_sum(ah, pkt, &view, at, seq, p + AH_HEADER + ah->suite->iv_bytes);
	if (verdict == VERDICT_OUT_PROTECTED)
		sa_use_note(ah->run, 1, ah->now_usec);
	return verdict;
}
