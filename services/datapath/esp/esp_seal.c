/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Outbound ESP: RFC 4303 section 3.3, in its order, a batch of one SA at a time. */
#include <assert.h>
#include <netinet/in.h>
#include <string.h>

#include "common/base/bytes.h"
#include "common/base/checked.h"
#include "services/datapath/esp/esp.h"
#include "services/datapath/replay/sa_use.h"

/* One packet on its way: where its pieces are once room was made. */
struct seal_place {
	size_t keep; /* octets that stay before ESP */
	size_t outer_len;
	size_t padding;
	size_t protocol_at; /* transport mode: the octet that will name ESP */
	uint8_t next_header;
	struct packet_outer outer; /* tunnel mode */
};

static bool fits_ip(const struct packet *pkt)
{
	return pkt->len <= PACKET_MAX_LEN + (pkt->data[0] >> 4 == 6 ? 40U : 0U);
}

static uint8_t outer_protocol(const struct sa *sa)
{
	return (sa->flags & SA_FLAG_ENCAP) != 0 ? IPPROTO_UDP : IPPROTO_ESP;
}

static enum verdict find_padding(const struct esp_sa *esp, const struct packet *pkt,
	const struct esp_choice *choice, struct seal_place *place)
{
	size_t text = pkt->len - place->keep + ESP_TRAILER;

	place->padding = choice && choice->padding ? choice->padding_len
						   : round_up(text, esp->suite->align) - text;
	return place->padding > UINT8_MAX ? VERDICT_ESP_BAD_PADLEN : VERDICT_OUT_PROTECTED;
}

/* What goes where; the packet is not changed yet. */
static enum verdict find_places(const struct esp_sa *esp, const struct packet *pkt,
	const struct packet_view *view, const struct esp_choice *choice, struct seal_place *place)
{
	const struct sa *sa = esp->sa;

	*place = (struct seal_place){ 0 };
	if (sa->mode == SA_MODE_TUNNEL) {
		packet_outer_of(pkt, view, esp->outer_src ? esp->outer_src : &sa->src, &sa->dst,
			&place->outer);
		if (esp->outer_rules)
			packet_outer_rule(&place->outer, esp->outer_rules, pkt);
		place->next_header = place->outer.protocol;
		place->outer.protocol = outer_protocol(sa);
		place->outer_len = packet_outer_len(&sa->dst);
	} else {
		if (view->is_fragment) /* RFC 4303 section 3.3.4: whole datagrams only */
			return VERDICT_SPD_MALFORMED_FRAG;
		place->keep = view->esp_at;
		place->protocol_at = view->esp_protocol_at;
		place->next_header = view->esp_protocol;
	}
	return find_padding(esp, pkt, choice, place);
}

/* RFC 3948 section 2.1; zero checksums are right for IPv4 and, RFC 6935, for tunnels over IPv6. */
static void write_udp(const struct esp_sa *esp, uint8_t *p, size_t len)
{
	store_be16(p, esp_local_port(esp->sa));
	store_be16(p + 2, esp_peer_port(esp->sa, esp->run));
	store_be16(p + 4, (uint16_t)len);
	store_be16(p + 6, 0);
}

static void write_trailer(uint8_t *p, const struct seal_place *place, const uint8_t *padding)
{
	for (size_t i = 0; i < place->padding; i++)
		p[i] = padding ? padding[i] : (uint8_t)(i + 1);
	p[place->padding] = (uint8_t)place->padding;
	p[place->padding + 1] = place->next_header;
}

/* RFC 4303 section 2.7: the inner header tells the receiver where the packet ends. */
static bool pad_traffic_flow(const struct esp_sa *esp, struct packet *pkt)
{
	size_t len = esp->pad_to > pkt->len ? esp->pad_to - pkt->len : 0;
	uint8_t *at;

	if (len == 0 || esp->sa->mode != SA_MODE_TUNNEL)
		return true;
	at = packet_append(pkt, len);
	if (at)
		memset(at, 0, len);
	return at != NULL;
}

/* Room, headers and trailer; only number, IV and cryptography are missing then. */
static enum verdict make_room(const struct esp_sa *esp, struct packet *pkt,
	const struct seal_place *place, const struct esp_choice *choice, struct suite_job *job)
{
	size_t udp = (esp->sa->flags & SA_FLAG_ENCAP) != 0 ? ESP_UDP_HEADER : 0;
	size_t front = udp + ESP_HEADER + esp->suite->iv_bytes;
	size_t payload = pkt->len - place->keep, before = place->outer_len + place->keep;
	uint8_t *trailer = packet_append(pkt, place->padding + ESP_TRAILER + esp->suite->icv_bytes);

	if (!trailer || !packet_push(pkt, front + place->outer_len))
		return VERDICT_ESP_NOMEM;
	if (place->outer_len == 0) {
		memmove(pkt->data, pkt->data + front, place->keep);
		pkt->data[place->protocol_at] = outer_protocol(esp->sa);
	} else {
		packet_write_outer(pkt->data, &place->outer);
	}
	if (!fits_ip(pkt))
		return VERDICT_ESP_TOO_BIG;
	write_trailer(trailer, place, choice ? choice->padding : NULL);
	if (udp != 0)
		write_udp(esp, pkt->data + before, pkt->len - before);
	*job = (struct suite_job){
		.esp = pkt->data + before + udp,
		.text_len = payload + place->padding + ESP_TRAILER,
		.esn = (esp->sa->flags & SA_FLAG_ESN) != 0,
	};
	store_be32(job->esp, esp->sa->spi);
	return VERDICT_OUT_PROTECTED;
}

static enum verdict lay_out(const struct esp_sa *esp, struct packet *pkt,
	const struct esp_choice *choice, struct suite_job *job)
{
	struct seal_place place;
	UNINITIALISED struct packet_view view;
	enum verdict verdict;

	if (!packet_parse(pkt, &view))
		return VERDICT_SPD_MALFORMED_PACKET;
	if (!pad_traffic_flow(esp, pkt))
		return VERDICT_ESP_NOMEM;
	verdict = find_places(esp, pkt, &view, choice, &place);
	if (verdict != VERDICT_OUT_PROTECTED)
		return verdict;
	return make_room(esp, pkt, &place, choice, job);
}

static enum verdict no_number(const struct esp_sa *esp)
{
	return sa_use_is_exhausted(esp->sa, esp->run) ? VERDICT_ESP_SEQ_EXHAUSTED
						      : VERDICT_ESP_SEQ_UNRESERVED;
}

static void number_job(
	const struct esp_sa *esp, struct suite_job *job, uint64_t seq, const uint8_t *iv)
{
	uint8_t *iv_at = job->esp + ESP_HEADER;

	job->seq = seq;
	store_be32(job->esp + 4, (uint32_t)seq);
	if (iv) {
		memcpy(iv_at, iv, esp->suite->iv_bytes);
		job->iv_given = true;
	} else if (esp->suite->cipher->iv == SUITE_IV_COUNTER) {
		store_be64(iv_at, seq);
	}
}

/* What is left of the batch, moved together; at[i] is where the job's packet stands in it. */
struct seal_run {
	struct suite_job jobs[ESP_BATCH];
	uint8_t at[ESP_BATCH];
	size_t n;
};

/* Lifetimes in octets: IV, data, padding, 2. */
static void charge_all(const struct esp_sa *esp, struct seal_run *batch, enum verdict *verdicts)
{
	uint64_t sum = 0, total, packets = sa_use_packets(esp->run);
	size_t kept = 0;

	for (size_t i = 0; i < batch->n; i++)
		sum += esp->suite->iv_bytes + batch->jobs[i].text_len;
	total = atomic_fetch_add_explicit(&esp->run->bytes, sum, memory_order_relaxed);
	for (size_t i = 0; i < batch->n; i++) {
		total += esp->suite->iv_bytes + batch->jobs[i].text_len;
		if (!sa_use_within(esp->sa, esp->run, total, packets + kept + 1)) {
			verdicts[batch->at[i]] = VERDICT_ESP_BYTES_EXPIRE;
			continue;
		}
		if (kept != i) {
			batch->jobs[kept] = batch->jobs[i];
			batch->at[kept] = batch->at[i];
		}
		kept++;
	}
	batch->n = kept;
}

static void seal_all(const struct esp_sa *esp, struct packet *const *pkts, struct seal_run *batch,
	const struct esp_choice *choice, enum verdict *verdicts)
{
	uint64_t first = 0;
	size_t numbered = batch->n, done = 0;

	if (choice && choice->seq != 0)
		first = choice->seq;
	else
		numbered = sa_use_numbers(esp->sa, esp->run, batch->n, &first);
	for (size_t i = numbered; i < batch->n; i++)
		verdicts[batch->at[i]] = no_number(esp);
	for (size_t i = 0; i < numbered; i++)
		number_job(esp, &batch->jobs[i], first + i, choice ? choice->iv : NULL);
	suite_seal(esp->context, batch->jobs, numbered);
	for (size_t i = 0; i < numbered; i++) {
		struct packet *pkt = pkts[batch->at[i]];

		if (!batch->jobs[i].ok) {
			verdicts[batch->at[i]] = VERDICT_ESP_CRYPTO_FAILED;
			continue;
		}
		/* The reassembler's key: different for the packets of one SA, apart between SAs. */
		if (esp->sa->mode == SA_MODE_TUNNEL && pkt->data[0] >> 4 == 4)
			store_be16(pkt->data + 4, (uint16_t)(first + i + esp->sa->spi));
		packet_set_length(pkt);
		done++;
	}
	if (done > 0)
		sa_use_note(esp->run, done, esp->now_usec);
}

static void seal_batch(const struct esp_sa *esp, struct packet *const *pkts, size_t n,
	const struct esp_choice *choice, enum verdict *verdicts)
{
	UNINITIALISED struct seal_run batch;

	assert(n <= ESP_BATCH);
	batch.n = 0;
	for (size_t i = 0; i < n; i++) {
		verdicts[i] = lay_out(esp, pkts[i], choice, &batch.jobs[batch.n]);
		if (verdicts[i] == VERDICT_OUT_PROTECTED)
			batch.at[batch.n++] = (uint8_t)i;
	}
	if (batch.n > 0)
		charge_all(esp, &batch, verdicts);
	if (batch.n > 0)
		seal_all(esp, pkts, &batch, choice, verdicts);
}

void esp_seal_batch(
	const struct esp_sa *esp, struct packet *const *pkts, size_t n, enum verdict *ret_verdicts)
{
	seal_batch(esp, pkts, n, NULL, ret_verdicts);
}

enum verdict esp_seal(const struct esp_sa *esp, struct packet *pkt, const struct esp_choice *choice)
{
	enum verdict verdict;

	seal_batch(esp, &pkt, 1, choice, &verdict);
	return verdict;
}

enum verdict esp_seal_dummy(const struct esp_sa *esp, struct packet *pkt)
{
	const struct sa *sa = esp->sa;
	struct seal_place place = {
		.next_header = ESP_NEXT_DUMMY,
		.outer_len = packet_outer_len(&sa->dst),
		.outer = { .src = &sa->src, .dst = &sa->dst, .protocol = outer_protocol(sa) },
	};
	UNINITIALISED struct seal_run batch;
	enum verdict verdict = find_padding(esp, pkt, NULL, &place);

	/* As far as nothing inside has a say in it; or the header would tell what is no traffic. */
	if (esp->outer_rules) {
		place.outer.dont_fragment = esp->outer_rules->df == PACKET_DF_SET;
		place.outer.hop_limit = esp->outer_rules->hop_limit;
		if (esp->outer_rules->set_dscp)
			place.outer.traffic_class = (uint8_t)(esp->outer_rules->dscp << 2);
	}
	if (verdict == VERDICT_OUT_PROTECTED)
		verdict = make_room(esp, pkt, &place, NULL, &batch.jobs[0]);
	if (verdict != VERDICT_OUT_PROTECTED)
		return verdict;
	batch.at[0] = 0;
	batch.n = 1;
	charge_all(esp, &batch, &verdict);
	if (batch.n > 0)
		seal_all(esp, &pkt, &batch, NULL, &verdict);
	return verdict;
}
