/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inbound ESP: RFC 4303 section 3.4, in its order, a batch of one SA at a time. */
#include <assert.h>
#include <netinet/in.h>
#include <string.h>

#include "common/base/bytes.h"
#include "services/datapath/esp/esp.h"
#include "services/datapath/replay/replay.h"
#include "services/datapath/replay/sa_use.h"

struct open_run {
	struct suite_job jobs[ESP_BATCH];
	uint8_t at[ESP_BATCH]; /* where the job's packet stands in the batch */
	size_t n;
};

/* Lengths, before anything is computed. */
static enum verdict find_job(const struct esp_sa *esp, struct packet *pkt,
	const struct packet_view *view, struct suite_job *job)
{
	const struct suite *suite = esp->suite;
	size_t at = esp_offset(view),
	       fixed = ESP_HEADER + (size_t)suite->iv_bytes + suite->icv_bytes;
	size_t len;

	if (view->is_fragment)
		return VERDICT_SPD_MALFORMED_FRAG;
	if (at > view->total_len || view->total_len - at < fixed + ESP_TRAILER)
		return VERDICT_ESP_RUNT;
	len = view->total_len - at - fixed;
	if (len % suite->align != 0)
		return VERDICT_ESP_RUNT;
	*job = (struct suite_job){
		.esp = pkt->data + at,
		.text_len = len,
		.esn = (esp->sa->flags & SA_FLAG_ESN) != 0,
	};
	return VERDICT_IN_ACCEPTED;
}

/* Keep job i as number *kept unless it has failed. */
static void keep_job(struct open_run *batch, size_t i, size_t *kept)
{
	if (*kept != i) {
		batch->jobs[*kept] = batch->jobs[i];
		batch->at[*kept] = batch->at[i];
	}
	(*kept)++;
}

static size_t check_replays(
	const struct esp_sa *esp, struct open_run *batch, enum verdict *verdicts)
{
	size_t kept = 0, n = batch->n;

	replay_lock(esp->run);
	for (size_t i = 0; i < n; i++) {
		struct suite_job *job = &batch->jobs[i];

		if (replay_check(esp->run, job->esn, load_be32(job->esp + 4), &job->seq) ==
			REPLAY_OK)
			keep_job(batch, i, &kept);
		else
			verdicts[batch->at[i]] = VERDICT_ESP_EARLY_REPLAY;
	}
	replay_unlock(esp->run);
	batch->n = kept;
	return n - kept;
}

static size_t check_icvs(const struct esp_sa *esp, struct open_run *batch, enum verdict *verdicts)
{
	size_t kept = 0, n = batch->n;

	suite_open(esp->context, batch->jobs, n);
	for (size_t i = 0; i < n; i++) {
		if (batch->jobs[i].ok)
			keep_job(batch, i, &kept);
		else
			verdicts[batch->at[i]] = VERDICT_ESP_BAD_AUTH;
	}
	batch->n = kept;
	return n - kept;
}

static size_t move_window(const struct esp_sa *esp, struct open_run *batch, enum verdict *verdicts)
{
	size_t kept = 0, n = batch->n;

	if (esp->suite->icv_bytes == 0) /* nobody vouches for these numbers */
		return 0;
	replay_lock(esp->run);
	for (size_t i = 0; i < n; i++) {
		enum replay_verdict replay = replay_accept_with(
			esp->run, batch->jobs[i].seq, esp->room);

		if (replay == REPLAY_OK)
			keep_job(batch, i, &kept);
		else
			verdicts[batch->at[i]] = replay == REPLAY_AHEAD
							 ? VERDICT_ESP_WINDOW_UNRESERVED
							 : VERDICT_ESP_REPLAY;
	}
	replay_unlock(esp->run);
	batch->n = kept;
	return n - kept;
}

/* The octets of padding and its length say the same; *ret_payload: what is before them. */
static enum verdict strip_padding(
	const struct esp_sa *esp, const uint8_t *text, size_t len, size_t *ret_payload)
{
	size_t padding = text[len - 2], first = len - ESP_TRAILER - padding;

	if (padding + ESP_TRAILER > len)
		return VERDICT_ESP_BAD_PADLEN;
	*ret_payload = first;
	if (padding == 0 || esp->padding == ESP_PADDING_NONE)
		return VERDICT_IN_ACCEPTED;
	if (text[len - ESP_TRAILER - 1] != padding)
		return VERDICT_ESP_BAD_PADDING;
	for (size_t i = 0; esp->padding == ESP_PADDING_ALL && i < padding; i++) {
		if (text[first + i] != i + 1)
			return VERDICT_ESP_BAD_PADDING;
	}
	return VERDICT_IN_ACCEPTED;
}

static enum verdict finish_tunnel(struct packet *pkt, struct packet_view *view, size_t before,
	size_t payload, uint8_t next_header)
{
	uint8_t outer_class = packet_traffic_class(pkt->data);

	if ((next_header != IPPROTO_IPIP && next_header != IPPROTO_IPV6) || payload == 0)
		return VERDICT_ESP_BAD_INNER;
	(void)packet_pull(pkt, before); /* lengths were checked */
	pkt->len = payload;
	if (pkt->data[0] >> 4 != (next_header == IPPROTO_IPIP ? 4 : 6) || !packet_parse(pkt, view))
		return VERDICT_ESP_BAD_INNER;
	return packet_merge_ecn(pkt, outer_class) ? VERDICT_IN_ACCEPTED : VERDICT_ESP_ECN;
}

static enum verdict finish_transport(struct packet *pkt, struct packet_view *view, size_t before,
	size_t payload, uint8_t next_header)
{
	size_t gap = before - view->upper;

	pkt->data[view->protocol_at] = next_header;
	memmove(pkt->data + gap, pkt->data, view->upper);
	(void)packet_pull(pkt, gap);
	pkt->len = view->upper + payload;
	packet_set_length(pkt);
	return packet_parse(pkt, view) ? VERDICT_IN_ACCEPTED : VERDICT_ESP_BAD_INNER;
}

static enum verdict finish(const struct esp_sa *esp, struct packet *pkt, struct packet_view *view,
	const struct suite_job *job)
{
	const uint8_t *text = job->esp + ESP_HEADER + esp->suite->iv_bytes;
	uint8_t next_header = text[job->text_len - 1];
	size_t before = (size_t)(text - pkt->data), payload = 0;
	enum verdict verdict = strip_padding(esp, text, job->text_len, &payload);

	if (verdict != VERDICT_IN_ACCEPTED)
		return verdict;
	if (next_header == ESP_NEXT_DUMMY)
		return VERDICT_ESP_DUMMY;
	if (esp->sa->mode == SA_MODE_TUNNEL)
		return finish_tunnel(pkt, view, before, payload, next_header);
	return finish_transport(pkt, view, before, payload, next_header);
}

/* Counters of authentic packets. The one that reaches the hard limit in octets is dropped. */
static void charge(const struct esp_sa *esp, struct open_run *batch, enum verdict *verdicts)
{
	uint64_t sum = 0, total, packets = sa_use_packets(esp->run);
	size_t kept = 0;

	for (size_t i = 0; i < batch->n; i++)
		sum += esp->suite->iv_bytes + batch->jobs[i].text_len;
	total = atomic_fetch_add_explicit(&esp->run->bytes, sum, memory_order_relaxed);
	for (size_t i = 0; i < batch->n; i++) {
		total += esp->suite->iv_bytes + batch->jobs[i].text_len;
		if (sa_use_within(esp->sa, esp->run, total, packets + kept + 1))
			keep_job(batch, i, &kept);
		else
			verdicts[batch->at[i]] = VERDICT_ESP_BYTES_EXPIRE;
	}
	batch->n = kept;
	sa_use_note(esp->run, kept, esp->now_usec);
}

void esp_open_batch(const struct esp_sa *esp, struct packet *const *pkts,
	struct packet_view *const *views, size_t n, enum verdict *ret_verdicts)
{
	UNINITIALISED struct open_run batch; /* jobs are written before they are read */
	size_t failed;

	assert(n <= ESP_BATCH);
	batch.n = 0;
	for (size_t i = 0; i < n; i++) {
		ret_verdicts[i] = find_job(esp, pkts[i], views[i], &batch.jobs[batch.n]);
		if (ret_verdicts[i] == VERDICT_IN_ACCEPTED)
			batch.at[batch.n++] = (uint8_t)i;
	}
	failed = check_replays(esp, &batch, ret_verdicts);
	failed += check_icvs(esp, &batch, ret_verdicts);
	failed += move_window(esp, &batch, ret_verdicts);
	if (failed > 0)
		(void)atomic_fetch_add_explicit(&esp->run->errors, failed, memory_order_relaxed);
	if (batch.n == 0)
		return;
	charge(esp, &batch, ret_verdicts);
	for (size_t i = 0; i < batch.n; i++) {
		uint8_t at = batch.at[i];

		ret_verdicts[at] = finish(esp, pkts[at], views[at], &batch.jobs[i]);
	}
}

enum verdict esp_open(const struct esp_sa *esp, struct packet *pkt, const struct packet_view *view)
{
	struct packet_view clear = *view, *clear_at = &clear;
	enum verdict verdict;

	esp_open_batch(esp, &pkt, &clear_at, 1, &verdict);
	return verdict;
}
