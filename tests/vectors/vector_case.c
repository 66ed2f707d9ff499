/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One packet that somebody else made: opened, sealed anew, and forged octet by octet. */
#include <netinet/in.h>
#include <string.h>

#include "common/base/bytes.h"
#include "services/datapath/ah/ah.h"
#include "services/datapath/esp/esp.h"
#include "tests/vectors/vectors.h"

#define NATT_MARKER 4 /* octets of zero before IKE, RFC 3948 section 2.2 */

/* One vector, decoded. */
struct vector {
	const char *id, *expect;
	struct sa *sa;
	struct octets plain, payload, sealed, iv, padding;
	bool whole; /* sealed is what was on the wire; else its IP header is ours */
	uint64_t seq;
	int next_header; /* -1: not given */
};

static bool is_ah(const struct vector *v)
{
	return v->sa->proto == SA_PROTO_AH;
}

/* Ends of a packet of which only what is behind its header is known. */
struct ends {
	struct address src, dst;
};

static bool read_ends(struct json_object *object, bool v6, struct ends *ret)
{
	const char *src = vector_text(object, "tunnel_src"),
		   *dst = vector_text(object, "tunnel_dst");

	return address_parse(src  ? src
			     : v6 ? "2001:db8::1"
				  : "192.0.2.1",
		       &ret->src) == 0 &&
	       address_parse(dst  ? dst
			     : v6 ? "2001:db8::2"
				  : "192.0.2.2",
		       &ret->dst) == 0;
}

static bool wrap(struct octets *octets, const struct ends *ends, uint8_t protocol)
{
	const struct packet_outer outer = {
		.src = &ends->src, .dst = &ends->dst, .protocol = protocol
	};
	size_t len = packet_outer_len(&ends->dst);
	struct packet pkt = { .data = octets->bytes };

	if (octets->len > OCTETS_MAX - len)
		return false;
	memmove(octets->bytes + len, octets->bytes, octets->len);
	octets->len += len;
	pkt.len = octets->len;
	packet_write_outer(octets->bytes, &outer);
	packet_set_length(&pkt);
	return true;
}

static bool is_v6(struct json_object *object)
{
	const char *family = vector_text(object, "outer_family");

	if (!family)
		family = vector_text(object, "family");
	return family && strcmp(family, "ipv6") == 0;
}

/* Transport mode: behind the header that the protected packet has, but for length and protocol. */
static bool wrap_payload(struct vector *v, const struct ends *ends)
{
	struct packet pkt;

	v->plain = v->payload;
	if (!wrap(&v->plain, ends, (uint8_t)v->next_header))
		return false;
	if (v->plain.bytes[0] >> 4 != v->sealed.bytes[0] >> 4)
		return false;
	pkt = (struct packet){ .data = v->plain.bytes, .len = v->plain.len };
	if (pkt.data[0] >> 4 == 6) {
		memcpy(pkt.data, v->sealed.bytes, 4);
		memcpy(pkt.data + 7, v->sealed.bytes + 7, 33);
	} else {
		memcpy(pkt.data + 1, v->sealed.bytes + 1, 1);
		memcpy(pkt.data + 4, v->sealed.bytes + 4, 5);
		memcpy(pkt.data + 12, v->sealed.bytes + 12, 8);
	}
	packet_set_length(&pkt);
	return true;
}

static bool read_packets(struct json_object *object, struct vector *v)
{
	static struct octets esp;
	struct ends ends;

	if (!octets_get(object, "plain_packet", &v->plain) ||
		!octets_get(object, "payload", &v->payload) ||
		!octets_get(object, "protected_packet", &v->sealed) ||
		!octets_get(object, "iv", &v->iv) || !octets_get(object, "pad", &v->padding) ||
		!octets_get(object, "esp", &esp) || !read_ends(object, is_v6(object), &ends))
		return false;
	v->whole = v->sealed.given;
	if (!v->whole) {
		if (!esp.given)
			return false;
		v->sealed = esp;
		if (!wrap(&v->sealed, &ends, is_ah(v) ? IPPROTO_AH : IPPROTO_ESP))
			return false;
	}
	if (v->sa->mode == SA_MODE_TRANSPORT && !v->plain.given && v->payload.given &&
		v->next_header >= 0 && (v->sealed.bytes[0] == 0x45 || v->sealed.bytes[0] >> 4 == 6))
		return wrap_payload(v, &ends);
	return true;
}

/* False: it is none of ours, or broken (then why is set). */
static bool read_vector(struct json_object *object, struct vector *v, struct tally *tally)
{
	const char *proto = vector_text(object, "proto"), *encr = vector_text(object, "encr"),
		   *auth = vector_text(object, "auth");
	int64_t esn_high = vector_number(object, "esn_hi", -1);
	struct suite suite;

	v->id = vector_text(object, "id");
	v->expect = vector_text(object, "expect");
	if (!v->expect)
		return vectors_fail(tally, "no expect");
	if (encr && strcmp(encr, "cast-cbc") == 0)
		return vectors_fail(tally, "skip: %s", encr);
	if (!proto || (strcmp(proto, "esp") != 0 && strcmp(proto, "ah") != 0) ||
		!vector_has_suite(object))
		return vectors_fail(tally, "no suite is called %s %s %s", proto ? proto : "?",
			encr ? encr : "-", auth ? auth : "-");
	if (!vector_sa(object, v->sa))
		return vectors_fail(tally, "keys do not read");
	v->seq = (uint64_t)vector_number(object, "seq", 0);
	v->next_header = (int)vector_number(object, "next_header", -1);
	if (esn_high >= 0)
		v->seq |= (uint64_t)esn_high << 32;
	if (!read_packets(object, v))
		return vectors_fail(tally, "octets do not read");
	return (is_ah(v) ? ah_suite_of(v->sa, &suite) : suite_of(v->sa, &suite)) == 0 ||
	       vectors_fail(tally, "no suite of ours takes these keys");
}

/* Everything that sealing and opening want, and a packet to work on. */
struct bench {
	struct esp_sa esp;
	struct ah_sa ah;
	struct suite_mac *mac;
	struct suite suite;
	enum suite_choice choice;
	struct suite_context *context;
	struct sa_run *run; /* no window: its bitmap is empty */
	struct packet pkt;
	uint8_t buffer[PACKET_HEADROOM + OCTETS_MAX + PACKET_TAILROOM];
};

static bool bench_init_ah(struct bench *bench, const struct vector *v)
{
	if (ah_suite_of(v->sa, &bench->suite) < 0 ||
		suite_mac_new(bench->suite.auth, secret_bytes(v->sa->auth_key),
			secret_len(v->sa->auth_key), &bench->mac) < 0)
		return false;
	bench->ah = (struct ah_sa){
		.sa = v->sa, .suite = &bench->suite, .mac = bench->mac, .run = bench->run
	};
	return true;
}

static void bench_done(struct bench *bench)
{
	bench->context = suite_context_free(bench->context);
	bench->mac = suite_mac_free(bench->mac);
}

static bool bench_init(struct bench *bench, const struct vector *v, const struct octets *octets)
{
	uint8_t *p;

	memset(bench->run, 0, sizeof(*bench->run));
	bench->run->top = (v->sa->flags & SA_FLAG_ESN) != 0 ? v->seq : 0; /* tells the high half */
	atomic_store(&bench->run->seq_reserved, UINT64_MAX);
	packet_init(&bench->pkt, bench->buffer, sizeof(bench->buffer));
	p = packet_append(&bench->pkt, octets->len);
	if (!p)
		return false;
	memcpy(p, octets->bytes, octets->len);
	if (is_ah(v))
		return bench_init_ah(bench, v);
	if (suite_of(v->sa, &bench->suite) < 0 ||
		suite_context_new_by(suite_provider_for(bench->choice, &bench->suite),
			&bench->suite, v->sa, NULL, &bench->context) < 0)
		return false;
	bench->esp = (struct esp_sa){
		.sa = v->sa, .suite = &bench->suite, .context = bench->context, .run = bench->run
	};
	return true;
}

static enum verdict transform(struct bench *bench, const struct vector *v, struct packet_view *view)
{
	uint8_t want = (v->sa->flags & SA_FLAG_ENCAP) != 0 ? IPPROTO_UDP : IPPROTO_ESP;
	struct packet_view clear = *view;

	if (is_ah(v))
		return view->protocol == IPPROTO_AH ? ah_open(&bench->ah, &bench->pkt, &clear)
						    : VERDICT_AH_NO_SA;
	return view->protocol == want ? esp_open(&bench->esp, &bench->pkt, view)
				      : VERDICT_ESP_NO_SA;
}

/* @view: of the packet as it came. */
static enum verdict open_octets(
	struct bench *bench, const struct vector *v, struct packet_view *view, size_t flip)
{
	enum verdict verdict = VERDICT_SPD_MALFORMED_PACKET;

	if (!bench_init(bench, v, &v->sealed))
		return VERDICT_ESP_NOMEM;
	if (flip != 0)
		bench->pkt.data[flip] ^= 1;
	if (packet_parse(&bench->pkt, view))
		verdict = transform(bench, v, view);
	bench_done(bench);
	return verdict;
}

static bool check_opened(const struct bench *bench, const struct vector *v,
	const struct packet_view *view, struct tally *tally)
{
	bool tunnel = v->sa->mode == SA_MODE_TUNNEL;
	size_t at = tunnel ? 0 : view->upper, len = bench->pkt.len - at;

	/* Behind a packet in a tunnel the payload may have padding for secrecy of its length. */
	if (v->payload.given &&
		(tunnel ? len > v->payload.len || (len < v->payload.len && !v->plain.given)
			: len != v->payload.len ||
					memcmp(bench->pkt.data + at, v->payload.bytes, len) != 0))
		return vectors_fail(tally, "opened: another payload (%zu octets, not %zu)", len,
			v->payload.len);
	if (v->plain.given && (bench->pkt.len != v->plain.len ||
				      memcmp(bench->pkt.data, v->plain.bytes, v->plain.len) != 0))
		return vectors_fail(tally, "opened: another packet");
	return true;
}

/* One bit changed, in every fifth octet: none is accepted. */
static bool run_forged(
	struct bench *bench, const struct vector *v, size_t first, struct tally *tally)
{
	struct packet_view view;

	for (size_t at = first; at < v->sealed.len; at += 5) {
		enum verdict verdict = open_octets(bench, v, &view, at);

		if (verdict != VERDICT_ESP_BAD_AUTH && verdict != VERDICT_AH_BAD_AUTH &&
			verdict != VERDICT_AH_BAD_LENGTH)
			return vectors_fail(
				tally, "octet %zu changed: %s", at, verdict_name(verdict));
	}
	return true;
}

/* What port 4500 has besides ESP: RFC 3948 sections 2.2 and 2.3. NULL: nothing that is known. */
static const char *beside_esp(const struct vector *v, const struct packet_view *view)
{
	static const uint8_t marker[NATT_MARKER];
	size_t at = esp_offset(view);
	const uint8_t *p = v->sealed.bytes + at;

	if (view->protocol != IPPROTO_UDP || at >= view->total_len)
		return NULL;
	if (view->total_len - at == 1 && p[0] == 0xff)
		return "discard";
	return view->total_len - at >= NATT_MARKER && memcmp(p, marker, NATT_MARKER) == 0 ? "ike"
											  : NULL;
}

static bool run_open(struct bench *bench, const struct vector *v, struct tally *tally)
{
	bool accept = strcmp(v->expect, "accept") == 0, discard = strcmp(v->expect, "discard") == 0;
	bool dummy = v->next_header == ESP_NEXT_DUMMY && (accept || discard);
	struct packet_view view = { .upper = 0 };
	enum verdict verdict = open_octets(bench, v, &view, 0);
	const char *beside = beside_esp(v, &view);

	if (strcmp(v->expect, "ike") == 0 || (discard && !dummy))
		return (beside && strcmp(beside, v->expect) == 0) ||
		       vectors_fail(tally, "told as %s", beside ? beside : verdict_name(verdict));
	if (!accept && !dummy)
		return (verdict != VERDICT_IN_ACCEPTED && verdict != VERDICT_ESP_DUMMY) ||
		       vectors_fail(tally, "opened: accepted");
	if (verdict != (dummy ? VERDICT_ESP_DUMMY : VERDICT_IN_ACCEPTED))
		return vectors_fail(tally, "opened: %s", verdict_name(verdict));
	if (!dummy && !check_opened(bench, v, &view, tally))
		return false;
	return bench->suite.icv_bytes == 0 || run_forged(bench, v, esp_offset(&view), tally);
}

/* Some published packets have a header checksum that is wrong: it says nothing then. */
static void excuse_checksum(struct packet *sealed, const struct packet *ours)
{
	size_t len = (size_t)(sealed->data[0] & 0x0f) * 4;

	if (sealed->data[0] >> 4 == 4 && packet_checksum(sealed->data, len, 0) != 0)
		memcpy(sealed->data + 10, ours->data + 10, 2);
}

static bool run_seal(struct bench *bench, struct vector *v, struct tally *tally)
{
	const struct esp_choice choice = { .seq = v->seq,
		.iv = v->iv.bytes,
		.padding = v->padding.bytes,
		.padding_len = v->padding.len };
	struct ah_choice ah_choice = { .seq = v->seq, .iv = v->iv.bytes };
	struct packet sealed = { .data = v->sealed.bytes, .len = v->sealed.len };
	struct packet_view want, got;
	enum verdict verdict;
	size_t at;

	if (!v->plain.given || v->plain.len == 0 || !(v->padding.given || is_ah(v)) ||
		!packet_parse(&sealed, &want))
		return true; /* nothing to seal is written there */
	if (v->payload.len > v->plain.len)
		return true; /* with padding that only its sender knew the length of */
	v->sa->src = want.src;
	v->sa->dst = want.dst;
	if (!bench_init(bench, v, &v->plain))
		return vectors_fail(tally, "no memory");
	ah_choice.id = load_be16(sealed.data + 4); /* that AH covers */
	verdict = is_ah(v) ? ah_seal(&bench->ah, &bench->pkt, &ah_choice)
			   : esp_seal(&bench->esp, &bench->pkt, &choice);
	bench_done(bench);
	if (verdict != VERDICT_OUT_PROTECTED)
		return vectors_fail(tally, "sealed: %s", verdict_name(verdict));
	if (!packet_parse(&bench->pkt, &got) || got.protocol != want.protocol ||
		!address_equal(&got.src, &want.src) || !address_equal(&got.dst, &want.dst))
		return vectors_fail(tally, "sealed: another outer header");
	/* An outer header has numbers of its maker's choice; in transport mode there are none. */
	at = v->whole && v->sa->mode == SA_MODE_TRANSPORT ? 0 : esp_offset(&want);
	if (bench->pkt.len != sealed.len || esp_offset(&got) != esp_offset(&want))
		return vectors_fail(
			tally, "sealed: %zu octets, not %zu", bench->pkt.len, sealed.len);
	excuse_checksum(&sealed, &bench->pkt);
	if (memcmp(bench->pkt.data + at, sealed.data + at, sealed.len - at) != 0)
		return vectors_fail(tally, "sealed: other octets");
	return true;
}

bool vectors_run_case(struct json_object *object, struct tally *tally)
{
	static struct bench bench;
	static struct vector v;
	bool ok;

	memset(&v, 0, sizeof(v));
	v.sa = sa_new();
	bench.run = calloc(1, sizeof(*bench.run));
	bench.choice = tally->choice;
	ok = v.sa && bench.run && read_vector(object, &v, tally) && run_open(&bench, &v, tally) &&
	     (strcmp(v.expect, "accept") != 0 || run_seal(&bench, &v, tally));
	(void)sa_free(v.sa);
	free(bench.run);
	return ok;
}
