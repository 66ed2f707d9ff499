/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/esp.h"

#include "services/datapath/replay.h"
#include "tests/unit/packets.h"
#include "tests/unit/suite.h"

static const struct test_suite suites[] = { TEST_SUITES };

/* Transport, then the four family mixes of tunnel mode. */
static const struct shape {
	const char *name;
	enum sa_mode mode;
	const char *src, *dst; /* inner */
	const char *outer_src, *outer_dst;
	size_t keep, outer;
} shapes[] = {
	{ "transport 4", SA_MODE_TRANSPORT, "192.0.2.1", "192.0.2.2", "192.0.2.1", "192.0.2.2", 20, 0 },
	{ "transport 6", SA_MODE_TRANSPORT, "2001:db8::1", "2001:db8::2", "2001:db8::1",
		"2001:db8::2", 40, 0 },
	{ "tunnel 4 in 4", SA_MODE_TUNNEL, "10.1.0.1", "10.2.0.1", "192.0.2.1", "192.0.2.2", 0, 20 },
	{ "tunnel 6 in 4", SA_MODE_TUNNEL, "2001:db8:1::1", "2001:db8:2::1", "192.0.2.1",
		"192.0.2.2", 0, 20 },
	{ "tunnel 4 in 6", SA_MODE_TUNNEL, "10.1.0.1", "10.2.0.1", "2001:db8::1", "2001:db8::2", 0,
		40 },
	{ "tunnel 6 in 6", SA_MODE_TUNNEL, "2001:db8:1::1", "2001:db8:2::1", "2001:db8::1",
		"2001:db8::2", 0, 40 },
};

#define N_CASES (ARRAY_SIZE(suites) * ARRAY_SIZE(shapes))

static void make_pair(struct test_esp *t, const struct test_suite *suite, const struct shape *shape,
	uint32_t window)
{
	test_esp_init(t, test_sa(suite, shape->mode, shape->outer_src, shape->outer_dst), window);
}

static enum verdict open_packet(const struct test_esp *t, struct packet *pkt)
{
	struct packet_view view;

	ck_assert(packet_parse(pkt, &view));
	ck_assert_uint_eq(view.protocol, IPPROTO_ESP);
	return esp_open(&t->esp, pkt, &view);
}

static void expect_same(const struct packet *pkt, const struct packet *want, const char *what)
{
	ck_assert_msg(pkt->len == want->len, "%s: %zu octets, not %zu", what, pkt->len, want->len);
	ck_assert_msg(memcmp(pkt->data, want->data, want->len) == 0, "%s: other octets", what);
}

/* Every length of two blocks and more, both ways, and the sizes that were announced. */
START_TEST(round_trip)
{
	const struct test_suite *suite = &suites[(size_t)_i % ARRAY_SIZE(suites)];
	const struct shape *shape = &shapes[(size_t)_i / ARRAY_SIZE(suites)];
	static struct test_packet clear, sent;
	struct test_esp out, in;
	uint64_t seq = 0;

	make_pair(&out, suite, shape, 0);
	make_pair(&in, suite, shape, 64);
	for (size_t len = 0; len < 8000; len += len < 70 ? 1 : len < 1600 ? 97 : 1931) {
		size_t want;

		test_udp(&clear, shape->src, shape->dst, len);
		want = esp_sealed_len(out.sa, &out.suite, clear.pkt.len, shape->keep);
		test_copy(&sent, &clear);
		ck_assert_int_eq(esp_seal(&out.esp, &sent.pkt, NULL), VERDICT_OUT_PROTECTED);
		seq++;
		ck_assert_uint_eq(sent.pkt.len, want);
		ck_assert_uint_le(sent.pkt.len, clear.pkt.len + esp_overhead(out.sa, &out.suite));
		ck_assert_uint_eq(load_be32(sent.pkt.data + shape->keep + shape->outer), 0x1001);
		ck_assert_uint_eq(load_be32(sent.pkt.data + shape->keep + shape->outer + 4), seq);
		ck_assert_int_eq(open_packet(&in, &sent.pkt), VERDICT_IN_ACCEPTED);
		expect_same(&sent.pkt, &clear.pkt, suite->name);
	}
	ck_assert_uint_eq(atomic_load(&out.run->packets), seq);
	ck_assert_uint_eq(atomic_load(&in.run->packets), seq);
	ck_assert_uint_eq(atomic_load(&out.run->bytes), atomic_load(&in.run->bytes));
	ck_assert_uint_eq(in.run->top, seq);
	ck_assert_uint_ne(atomic_load(&in.run->first_use_usec), 0);
	test_esp_done(&out);
	test_esp_done(&in);
}
END_TEST

/* Each octet from the SPI on, changed: refused, and neither window nor counters of use move. */
START_TEST(each_wrong_octet)
{
	const struct test_suite *suite = &suites[(size_t)_i % ARRAY_SIZE(suites)];
	const struct shape *shape = &shapes[(size_t)_i / ARRAY_SIZE(suites)];
	static struct test_packet sent, copy;
	struct test_esp out, in;

	make_pair(&out, suite, shape, 0);
	make_pair(&in, suite, shape, 64);
	test_udp(&sent, shape->src, shape->dst, 29);
	ck_assert_int_eq(esp_seal(&out.esp, &sent.pkt, NULL), VERDICT_OUT_PROTECTED);
	for (size_t at = shape->keep + shape->outer; at < sent.pkt.len; at++) {
		test_copy(&copy, &sent);
		copy.pkt.data[at] ^= 0x40;
		ck_assert_msg(open_packet(&in, &copy.pkt) == VERDICT_ESP_BAD_AUTH,
			"%s, %s: octet %zu", suite->name, shape->name, at);
		ck_assert_uint_eq(in.run->top, 0);
		ck_assert_uint_eq(atomic_load(&in.run->packets), 0);
	}
	ck_assert_uint_eq(
		atomic_load(&in.run->errors), sent.pkt.len - shape->keep - shape->outer);
	ck_assert_int_eq(open_packet(&in, &sent.pkt), VERDICT_IN_ACCEPTED);
	test_esp_done(&out);
	test_esp_done(&in);
}
END_TEST

/* Cut anywhere: never accepted, never read beyond the end (the sanitizers look). */
START_TEST(each_runt)
{
	const struct test_suite *suite = &suites[(size_t)_i % ARRAY_SIZE(suites)];
	const struct shape *shape = &shapes[(size_t)_i / ARRAY_SIZE(suites)];
	size_t head = shape->keep + shape->outer;
	static struct test_packet sent, copy;
	struct test_esp out, in;

	make_pair(&out, suite, shape, 0);
	make_pair(&in, suite, shape, 64);
	test_udp(&sent, shape->src, shape->dst, 17);
	ck_assert_int_eq(esp_seal(&out.esp, &sent.pkt, NULL), VERDICT_OUT_PROTECTED);
	for (size_t len = head; len < sent.pkt.len; len++) {
		enum verdict verdict, want;

		test_copy(&copy, &sent);
		copy.pkt.len = len;
		packet_set_length(&copy.pkt);
		verdict = open_packet(&in, &copy.pkt);
		want = len - head >= 8 + suite->iv + suite->icv + suite->align &&
				       (len - head - 8 - suite->iv - suite->icv) % suite->align == 0 ?
			       VERDICT_ESP_BAD_AUTH :
			       VERDICT_ESP_RUNT;
		ck_assert_msg(verdict == want, "%s, %s: length %zu: %s", suite->name, shape->name,
			len, verdict_name(verdict));
	}
	test_esp_done(&out);
	test_esp_done(&in);
}
END_TEST

START_TEST(esn_over_the_edge)
{
	const struct test_suite *suite = &suites[_i];
	static struct test_packet clear, sent;
	struct test_esp out, in, plain;

	make_pair(&out, suite, &shapes[0], 0);
	make_pair(&in, suite, &shapes[0], 64);
	make_pair(&plain, suite, &shapes[0], 64);
	out.sa->flags |= SA_FLAG_ESN;
	in.sa->flags |= SA_FLAG_ESN;
	atomic_store(&out.run->seq, UINT32_MAX - 3ULL);
	replay_set_top(in.run, UINT32_MAX - 3ULL);
	for (int i = 0; i < 8; i++) {
		test_udp(&clear, shapes[0].src, shapes[0].dst, 30);
		test_copy(&sent, &clear);
		ck_assert_int_eq(esp_seal(&out.esp, &sent.pkt, NULL), VERDICT_OUT_PROTECTED);
		ck_assert_int_eq(open_packet(&in, &sent.pkt), VERDICT_IN_ACCEPTED);
		expect_same(&sent.pkt, &clear.pkt, suite->name);
	}
	ck_assert_uint_eq(in.run->top, UINT32_MAX + 5ULL);
	/* The high half is authenticated: who does not know it cannot open. */
	test_udp(&sent, shapes[0].src, shapes[0].dst, 30);
	ck_assert_int_eq(esp_seal(&out.esp, &sent.pkt, NULL), VERDICT_OUT_PROTECTED);
	ck_assert_int_eq(open_packet(&plain, &sent.pkt), VERDICT_ESP_BAD_AUTH);
	test_esp_done(&out);
	test_esp_done(&in);
	test_esp_done(&plain);
}
END_TEST

static const struct test_suite *const null_suite = &suites[2];
static const struct test_suite *const gcm_suite = &suites[11];
static const struct test_suite *const cbc_suite = &suites[6];

START_TEST(replayed_packet)
{
	static struct test_packet sent, copy;
	struct test_esp out, in;

	make_pair(&out, gcm_suite, &shapes[0], 0);
	make_pair(&in, gcm_suite, &shapes[0], 64);
	test_udp(&sent, shapes[0].src, shapes[0].dst, 5);
	ck_assert_int_eq(esp_seal(&out.esp, &sent.pkt, NULL), VERDICT_OUT_PROTECTED);
	test_copy(&copy, &sent);
	ck_assert_int_eq(open_packet(&in, &copy.pkt), VERDICT_IN_ACCEPTED);
	test_copy(&copy, &sent);
	ck_assert_int_eq(open_packet(&in, &copy.pkt), VERDICT_ESP_EARLY_REPLAY);
	in.run->window = 0;
	ck_assert_int_eq(open_packet(&in, &sent.pkt), VERDICT_IN_ACCEPTED);
	test_esp_done(&out);
	test_esp_done(&in);
}
END_TEST

/* Both copies in one batch pass the early check; the second falls after the ICV. */
START_TEST(replay_within_a_batch)
{
	static struct test_packet sent, copy;
	struct packet *pkts[2] = { &sent.pkt, &copy.pkt };
	struct packet_view views[2];
	enum verdict verdicts[2];
	struct test_esp out, in;

	make_pair(&out, cbc_suite, &shapes[1], 0);
	make_pair(&in, cbc_suite, &shapes[1], 64);
	test_udp(&sent, shapes[1].src, shapes[1].dst, 5);
	ck_assert_int_eq(esp_seal(&out.esp, &sent.pkt, NULL), VERDICT_OUT_PROTECTED);
	test_copy(&copy, &sent);
	ck_assert(packet_parse(&sent.pkt, &views[0]));
	ck_assert(packet_parse(&copy.pkt, &views[1]));
	esp_open_batch(&in.esp, pkts, views, 2, verdicts);
	ck_assert_int_eq(verdicts[0], VERDICT_IN_ACCEPTED);
	ck_assert_int_eq(verdicts[1], VERDICT_ESP_REPLAY);
	test_esp_done(&out);
	test_esp_done(&in);
}
END_TEST

static const struct {
	const char *name;
	bool esn;
	uint64_t seq, reserved;
	enum verdict want;
	uint32_t events;
} numbers[] = {
	{ "plenty", false, 0, UINT64_MAX, VERDICT_OUT_PROTECTED, 0 },
	{ "nothing reserved", false, 0, 0, VERDICT_ESP_SEQ_UNRESERVED, SA_EVENT_SEQ_HALF },
	{ "used up what was", false, 16384, 16384, VERDICT_ESP_SEQ_UNRESERVED, SA_EVENT_SEQ_HALF },
	{ "more than half left", false, 100, 16384, VERDICT_OUT_PROTECTED, 0 },
	{ "half is used", false, 8192, 16384, VERDICT_OUT_PROTECTED, SA_EVENT_SEQ_HALF },
	{ "last of the reservation", false, 16383, 16384, VERDICT_OUT_PROTECTED, SA_EVENT_SEQ_HALF },
	{ "last of 32 bits", false, UINT32_MAX - 1ULL, UINT64_MAX, VERDICT_OUT_PROTECTED,
		SA_EVENT_SEQ_END },
	{ "none after it", false, UINT32_MAX, UINT64_MAX, VERDICT_ESP_SEQ_EXHAUSTED,
		SA_EVENT_SEQ_END },
	{ "esn goes on", true, UINT32_MAX, UINT64_MAX, VERDICT_OUT_PROTECTED, 0 },
	{ "esn ends before 2^64", true, UINT64_MAX - 1, UINT64_MAX, VERDICT_ESP_SEQ_EXHAUSTED,
		SA_EVENT_SEQ_END },
};

START_TEST(sequence_numbers)
{
	static struct test_packet sent;
	struct test_esp out;
	enum verdict verdict;

	make_pair(&out, gcm_suite, &shapes[0], 0);
	out.sa->flags = numbers[_i].esn ? SA_FLAG_ESN : 0;
	atomic_store(&out.run->seq, numbers[_i].seq);
	atomic_store(&out.run->seq_reserved, numbers[_i].reserved);
	test_udp(&sent, shapes[0].src, shapes[0].dst, 5);
	verdict = esp_seal(&out.esp, &sent.pkt, NULL);
	ck_assert_msg(verdict == numbers[_i].want, "%s: %s", numbers[_i].name,
		verdict_name(verdict));
	ck_assert_msg(atomic_load(&out.run->events) == numbers[_i].events, "%s: events %#x",
		numbers[_i].name, (unsigned int)atomic_load(&out.run->events));
	ck_assert_uint_eq(atomic_load(&out.run->seq),
		numbers[_i].seq + (verdict == VERDICT_OUT_PROTECTED ? 1 : 0));
	test_esp_done(&out);
}
END_TEST

/* A batch that the reservation ends in: the first get numbers, no number is skipped or doubled. */
START_TEST(batch_beyond_reservation)
{
	static struct test_packet sent[5];
	struct packet *pkts[5];
	enum verdict verdicts[5];
	struct test_esp out;

	make_pair(&out, gcm_suite, &shapes[0], 0);
	atomic_store(&out.run->seq, 10);
	atomic_store(&out.run->seq_reserved, 13);
	for (size_t i = 0; i < 5; i++) {
		test_udp(&sent[i], shapes[0].src, shapes[0].dst, i);
		pkts[i] = &sent[i].pkt;
	}
	sent[1].pkt.len = 19; /* not a packet: takes no number */
	esp_seal_batch(&out.esp, pkts, 5, verdicts);
	ck_assert_int_eq(verdicts[0], VERDICT_OUT_PROTECTED);
	ck_assert_int_eq(verdicts[1], VERDICT_SPD_MALFORMED_PACKET);
	ck_assert_int_eq(verdicts[2], VERDICT_OUT_PROTECTED);
	ck_assert_int_eq(verdicts[3], VERDICT_OUT_PROTECTED);
	ck_assert_int_eq(verdicts[4], VERDICT_ESP_SEQ_UNRESERVED);
	ck_assert_uint_eq(load_be32(sent[0].pkt.data + 24), 11);
	ck_assert_uint_eq(load_be32(sent[2].pkt.data + 24), 12);
	ck_assert_uint_eq(load_be32(sent[3].pkt.data + 24), 13);
	test_esp_done(&out);
}
END_TEST

START_TEST(ivs)
{
	uint8_t last[16] = { 0 };
	static struct test_packet sent;
	struct test_esp out;

	make_pair(&out, gcm_suite, &shapes[0], 0);
	atomic_store(&out.run->seq, 0x01020304);
	test_udp(&sent, shapes[0].src, shapes[0].dst, 5);
	ck_assert_int_eq(esp_seal(&out.esp, &sent.pkt, NULL), VERDICT_OUT_PROTECTED);
	ck_assert_uint_eq(load_be32(sent.pkt.data + 28), 0); /* the 64-bit counter */
	ck_assert_uint_eq(load_be32(sent.pkt.data + 32), 0x01020305);
	test_esp_done(&out);
	make_pair(&out, cbc_suite, &shapes[0], 0);
	for (int i = 0; i < 100; i++) {
		unsigned int differing = 0;

		test_udp(&sent, shapes[0].src, shapes[0].dst, 5);
		ck_assert_int_eq(esp_seal(&out.esp, &sent.pkt, NULL), VERDICT_OUT_PROTECTED);
		for (size_t k = 0; k < 16; k++)
			differing += (unsigned int)__builtin_popcount(sent.pkt.data[28 + k] ^ last[k]);
		ck_assert_uint_gt(differing, 20); /* 64 are expected; 20 is 11 deviations off */
		memcpy(last, sent.pkt.data + 28, 16);
	}
	test_esp_done(&out);
}
END_TEST

static const struct {
	const char *name;
	const char *padding;
	enum esp_padding check;
	enum verdict want;
} paddings[] = {
	{ "none", "", ESP_PADDING_ALL, VERDICT_IN_ACCEPTED },
	{ "as it should be", "01020304", ESP_PADDING_ALL, VERDICT_IN_ACCEPTED },
	{ "first wrong", "02020304", ESP_PADDING_ALL, VERDICT_ESP_BAD_PADDING },
	{ "middle wrong", "01ff0304", ESP_PADDING_ALL, VERDICT_ESP_BAD_PADDING },
	{ "last wrong", "01020303", ESP_PADDING_ALL, VERDICT_ESP_BAD_PADDING },
	{ "zeros", "00000000", ESP_PADDING_ALL, VERDICT_ESP_BAD_PADDING },
	{ "last only, others wrong", "ffffff04", ESP_PADDING_LAST, VERDICT_IN_ACCEPTED },
	{ "last only, wrong", "01020305", ESP_PADDING_LAST, VERDICT_ESP_BAD_PADDING },
	{ "not looked at", "ffffffff", ESP_PADDING_NONE, VERDICT_IN_ACCEPTED },
	{ "not looked at, zeros", "00000000", ESP_PADDING_NONE, VERDICT_IN_ACCEPTED },
};

/* Payload of 2 octets and the trailer's 2 fill a word, so any multiple of four may be added. */
static void seal_padded(struct test_esp *out, struct test_packet *sent, const uint8_t *padding, size_t len)
{
	struct esp_choice choice = { .padding = padding, .padding_len = len };
	static const uint8_t two[2] = { 0xaa, 0xbb };

	test_packet_bytes(sent, two, 2);
	test_push_ip(&sent->pkt, 253, shapes[0].src, shapes[0].dst);
	ck_assert_int_eq(esp_seal(&out->esp, &sent->pkt, &choice), VERDICT_OUT_PROTECTED);
}

START_TEST(padding_contents)
{
	static struct test_packet sent;
	struct test_esp out, in;
	uint8_t padding[8];
	size_t len = test_hex(paddings[_i].padding, padding, sizeof(padding));
	enum verdict verdict;

	make_pair(&out, null_suite, &shapes[0], 0);
	make_pair(&in, null_suite, &shapes[0], 64);
	in.esp.padding = paddings[_i].check;
	seal_padded(&out, &sent, padding, len);
	verdict = open_packet(&in, &sent.pkt);
	ck_assert_msg(verdict == paddings[_i].want, "%s: %s", paddings[_i].name,
		verdict_name(verdict));
	test_esp_done(&out);
	test_esp_done(&in);
}
END_TEST

START_TEST(padding_lengths)
{
	uint8_t padding[UINT8_MAX];
	static struct test_packet sent;
	struct test_esp out, in;

	make_pair(&out, null_suite, &shapes[0], 0);
	make_pair(&in, null_suite, &shapes[0], 64);
	for (size_t i = 0; i < sizeof(padding); i++)
		padding[i] = (uint8_t)(i + 1);
	for (size_t len = 0; len <= UINT8_MAX; len += 4) {
		seal_padded(&out, &sent, padding, len);
		ck_assert_int_eq(open_packet(&in, &sent.pkt), VERDICT_IN_ACCEPTED);
		ck_assert_uint_eq(sent.pkt.len, 22);
	}
	test_esp_done(&out);
	test_esp_done(&in);
}
END_TEST

/* An authentic packet whose pad length reaches before the payload. */
START_TEST(padding_longer_than_packet)
{
	static const uint8_t trailer[] = { 0x01, 0x02 }; /* becomes pad octets; length says 2 */
	uint8_t forged[] = { 1, 2, 3, 4, 5, 6, 7, 200 };
	static struct test_packet sent;
	struct test_esp out, in;
	struct suite_job job;

	make_pair(&out, null_suite, &shapes[0], 0);
	make_pair(&in, null_suite, &shapes[0], 64);
	seal_padded(&out, &sent, trailer, 0);
	/* Rewrite the pad length octet and authenticate again, as a broken peer would. */
	ck_assert_ptr_nonnull(packet_append(&sent.pkt, sizeof(forged)));
	packet_set_length(&sent.pkt);
	memcpy(sent.pkt.data + 28 + 2, forged, sizeof(forged));
	sent.pkt.data[28 + 2 + sizeof(forged)] = 11;
	sent.pkt.data[28 + 3 + sizeof(forged)] = 253;
	job = (struct suite_job){ .esp = sent.pkt.data + 20, .text_len = 12 };
	suite_seal(out.context, &job, 1);
	ck_assert_int_eq(open_packet(&in, &sent.pkt), VERDICT_ESP_BAD_PADLEN);
	test_esp_done(&out);
	test_esp_done(&in);
}
END_TEST

static enum verdict open_inner(const uint8_t *inner, size_t len, uint8_t next_header, uint8_t outer_class)
{
	static struct test_packet sent;
	struct test_esp out, in;
	enum verdict verdict;

	/* A transport-mode sender puts anything behind ESP; the receiver's SA is one of tunnel mode. */
	make_pair(&out, cbc_suite, &shapes[0], 0);
	make_pair(&in, cbc_suite, &shapes[2], 64);
	test_packet_bytes(&sent, inner, len);
	test_push_ip(&sent.pkt, next_header, "192.0.2.1", "192.0.2.2");
	sent.pkt.data[1] = outer_class;
	ck_assert_int_eq(esp_seal(&out.esp, &sent.pkt, NULL), VERDICT_OUT_PROTECTED);
	verdict = open_packet(&in, &sent.pkt);
	if (verdict == VERDICT_IN_ACCEPTED)
		ck_assert_uint_eq(packet_checksum(sent.pkt.data, 20, 0), 0);
	test_esp_done(&out);
	test_esp_done(&in);
	return verdict;
}

START_TEST(inner_packets)
{
	static struct test_packet v4, v6;
	uint8_t tail[64 + 7] = { 0 };

	test_udp(&v4, "10.1.0.1", "10.2.0.1", 20);
	test_udp(&v6, "2001:db8:1::1", "2001:db8:2::1", 20);
	ck_assert_int_eq(open_inner(v4.pkt.data, v4.pkt.len, 4, 0), VERDICT_IN_ACCEPTED);
	ck_assert_int_eq(open_inner(v4.pkt.data, v4.pkt.len, 41, 0), VERDICT_ESP_BAD_INNER);
	ck_assert_int_eq(open_inner(v6.pkt.data, v6.pkt.len, 4, 0), VERDICT_ESP_BAD_INNER);
	ck_assert_int_eq(open_inner(v4.pkt.data, v4.pkt.len - 1, 4, 0), VERDICT_ESP_BAD_INNER);
	ck_assert_int_eq(open_inner(v4.pkt.data, 0, 4, 0), VERDICT_ESP_BAD_INNER);
	ck_assert_int_eq(open_inner(v4.pkt.data, v4.pkt.len, 17, 0), VERDICT_ESP_BAD_INNER);
	ck_assert_int_eq(open_inner(v4.pkt.data, v4.pkt.len, 59, 0), VERDICT_ESP_DUMMY);
	memcpy(tail, v4.pkt.data, v4.pkt.len); /* TFC padding behind the inner packet */
	ck_assert_int_eq(open_inner(tail, sizeof(tail), 4, 0), VERDICT_IN_ACCEPTED);
}
END_TEST

START_TEST(dummy_is_dropped_in_transport)
{
	static struct test_packet sent;
	struct test_esp out, in;

	make_pair(&out, gcm_suite, &shapes[1], 0);
	make_pair(&in, gcm_suite, &shapes[1], 64);
	packet_init(&sent.pkt, sent.buffer, sizeof(sent.buffer));
	ck_assert_ptr_nonnull(packet_append(&sent.pkt, 50));
	test_push_ip(&sent.pkt, 59, shapes[1].src, shapes[1].dst);
	ck_assert_int_eq(esp_seal(&out.esp, &sent.pkt, NULL), VERDICT_OUT_PROTECTED);
	ck_assert_int_eq(open_packet(&in, &sent.pkt), VERDICT_ESP_DUMMY);
	ck_assert_uint_eq(in.run->top, 1); /* it was authentic all the same */
	test_esp_done(&out);
	test_esp_done(&in);
}
END_TEST

/* RFC 6040 figure 4, whole: inner, outer, what comes out; -1: dropped. */
static const int8_t ecn[16] = {
	0, 0, 0, -1, /* Not-ECT */
	1, 1, 1, 3, /* ECT(1) */
	2, 1, 2, 3, /* ECT(0) */
	3, 3, 3, 3, /* CE */
};

START_TEST(congestion_marks)
{
	const struct shape *shape = &shapes[2 + (size_t)_i / 16];
	uint8_t inner = (uint8_t)(_i % 16 / 4), outer = (uint8_t)(_i % 4), dscp = 0xb8;
	bool v6_in = shape->src[0] == '2', v6_out = shape->outer == 40;
	static struct test_packet sent, clear;
	struct test_esp out, in;
	uint16_t word;

	make_pair(&out, cbc_suite, shape, 0);
	make_pair(&in, cbc_suite, shape, 64);
	test_udp(&clear, shape->src, shape->dst, 9);
	if (v6_in)
		store_be16(clear.pkt.data, (uint16_t)(0x6000 | (dscp | inner) << 4));
	else
		clear.pkt.data[1] = dscp | inner;
	packet_set_length(&clear.pkt);
	test_copy(&sent, &clear);
	ck_assert_int_eq(esp_seal(&out.esp, &sent.pkt, NULL), VERDICT_OUT_PROTECTED);
	/* Both DSCP and ECN were copied outward; the network then changes ECN, say, and DSCP. */
	ck_assert_uint_eq(packet_traffic_class(sent.pkt.data), dscp | inner);
	word = load_be16(sent.pkt.data);
	store_be16(sent.pkt.data, v6_out ? (uint16_t)((word & 0xf00f) | outer << 4) :
					   (uint16_t)((word & 0xff00) | outer));
	packet_set_length(&sent.pkt);
	if (ecn[_i % 16] < 0) {
		ck_assert_int_eq(open_packet(&in, &sent.pkt), VERDICT_ESP_ECN);
	} else {
		ck_assert_int_eq(open_packet(&in, &sent.pkt), VERDICT_IN_ACCEPTED);
		ck_assert_uint_eq(packet_traffic_class(sent.pkt.data), dscp | (uint8_t)ecn[_i % 16]);
		if (!v6_in)
			ck_assert_uint_eq(packet_checksum(sent.pkt.data, 20, 0), 0);
		ck_assert_int_eq(memcmp(sent.pkt.data + 12, clear.pkt.data + 12,
					 clear.pkt.len - 12), 0);
	}
	test_esp_done(&out);
	test_esp_done(&in);
}
END_TEST

START_TEST(outer_header)
{
	static struct test_packet sent;
	struct test_esp out;
	uint16_t id;

	make_pair(&out, gcm_suite, &shapes[2], 0);
	test_udp(&sent, shapes[2].src, shapes[2].dst, 9);
	ck_assert_int_eq(esp_seal(&out.esp, &sent.pkt, NULL), VERDICT_OUT_PROTECTED);
	ck_assert_uint_eq(sent.pkt.data[0], 0x45);
	ck_assert_uint_eq(load_be16(sent.pkt.data + 2), sent.pkt.len);
	id = load_be16(sent.pkt.data + 4);
	ck_assert_uint_eq(load_be16(sent.pkt.data + 6), 0);
	ck_assert_uint_eq(sent.pkt.data[8], 64); /* its own, not the inner packet's 61 */
	ck_assert_uint_eq(sent.pkt.data[9], IPPROTO_ESP);
	ck_assert_uint_eq(packet_checksum(sent.pkt.data, 20, 0), 0);
	ck_assert_int_eq(memcmp(sent.pkt.data + 12, "\xc0\0\2\1\xc0\0\2\2", 8), 0);
	test_udp(&sent, shapes[2].src, shapes[2].dst, 9);
	store_be16(sent.pkt.data + 6, 0x4000); /* DF comes along */
	packet_set_length(&sent.pkt);
	ck_assert_int_eq(esp_seal(&out.esp, &sent.pkt, NULL), VERDICT_OUT_PROTECTED);
	ck_assert_uint_eq(load_be16(sent.pkt.data + 6), 0x4000);
	ck_assert_uint_ne(load_be16(sent.pkt.data + 4), id);
	test_esp_done(&out);
}
END_TEST

/* Hop-by-hop, options for the routing stop, routing (used up), final options, UDP. */
static const char extended[] = "60000000 004a 00 40 20010db8000000000000000000000001 "
			       "20010db8000000000000000000000002 "
			       "3c00010400000000 2b00010400000000 "
			       "3c02020020010db8 0000000000000000 0000000300000000 "
			       "1100010400000000 12345678000a0000 aabb";

START_TEST(behind_extension_headers)
{
	uint8_t bytes[128];
	size_t len = test_hex(extended, bytes, sizeof(bytes));
	static struct test_packet sent, clear;
	struct test_esp out, in;

	store_be16(bytes + 4, (uint16_t)(len - 40));
	make_pair(&out, cbc_suite, &shapes[1], 0);
	make_pair(&in, cbc_suite, &shapes[1], 64);
	test_packet_bytes(&clear, bytes, len);
	test_copy(&sent, &clear);
	ck_assert_int_eq(esp_seal(&out.esp, &sent.pkt, NULL), VERDICT_OUT_PROTECTED);
	/* Everything up to the routing header stays; the final options are inside. */
	ck_assert_uint_eq(sent.pkt.data[6], 0);
	ck_assert_uint_eq(sent.pkt.data[40], 60);
	ck_assert_uint_eq(sent.pkt.data[48], 43);
	ck_assert_uint_eq(sent.pkt.data[56], IPPROTO_ESP);
	ck_assert_uint_eq(load_be32(sent.pkt.data + 80), 0x1001);
	ck_assert_int_eq(open_packet(&in, &sent.pkt), VERDICT_IN_ACCEPTED);
	expect_same(&sent.pkt, &clear.pkt, "extension headers");
	test_esp_done(&out);
	test_esp_done(&in);
}
END_TEST

START_TEST(behind_ipv4_options)
{
	static struct test_packet sent, clear;
	struct test_esp out, in;
	uint8_t bytes[64] = { 0 };

	make_pair(&out, gcm_suite, &shapes[0], 0);
	make_pair(&in, gcm_suite, &shapes[0], 64);
	bytes[0] = 0x46;
	bytes[8] = 9;
	bytes[9] = 253;
	memcpy(bytes + 12, "\xc0\0\2\1\xc0\0\2\2\x94\4\0\0", 12); /* router alert */
	test_packet_bytes(&clear, bytes, 40);
	packet_set_length(&clear.pkt);
	test_copy(&sent, &clear);
	ck_assert_int_eq(esp_seal(&out.esp, &sent.pkt, NULL), VERDICT_OUT_PROTECTED);
	ck_assert_uint_eq(sent.pkt.data[0], 0x46);
	ck_assert_uint_eq(load_be32(sent.pkt.data + 24), 0x1001);
	ck_assert_int_eq(open_packet(&in, &sent.pkt), VERDICT_IN_ACCEPTED);
	expect_same(&sent.pkt, &clear.pkt, "options");
	test_esp_done(&out);
	test_esp_done(&in);
}
END_TEST

START_TEST(fragments)
{
	static struct test_packet sent, copy;
	struct test_esp out, in;

	make_pair(&out, gcm_suite, &shapes[0], 0);
	make_pair(&in, gcm_suite, &shapes[0], 64);
	test_udp(&sent, shapes[0].src, shapes[0].dst, 9);
	test_copy(&copy, &sent);
	store_be16(copy.pkt.data + 6, 0x2000);
	ck_assert_int_eq(esp_seal(&out.esp, &copy.pkt, NULL), VERDICT_SPD_MALFORMED_FRAG);
	ck_assert_int_eq(esp_seal(&out.esp, &sent.pkt, NULL), VERDICT_OUT_PROTECTED);
	store_be16(sent.pkt.data + 6, 0x0001);
	ck_assert_int_eq(open_packet(&in, &sent.pkt), VERDICT_SPD_MALFORMED_FRAG);
	test_esp_done(&out);
	test_esp_done(&in);
	/* Tunnel mode carries them. */
	make_pair(&out, gcm_suite, &shapes[2], 0);
	make_pair(&in, gcm_suite, &shapes[2], 64);
	test_udp(&sent, shapes[2].src, shapes[2].dst, 9);
	store_be16(sent.pkt.data + 6, 0x2000);
	packet_set_length(&sent.pkt);
	ck_assert_int_eq(esp_seal(&out.esp, &sent.pkt, NULL), VERDICT_OUT_PROTECTED);
	ck_assert_uint_eq(load_be16(sent.pkt.data + 6), 0);
	ck_assert_int_eq(open_packet(&in, &sent.pkt), VERDICT_IN_ACCEPTED);
	test_esp_done(&out);
	test_esp_done(&in);
}
END_TEST

START_TEST(octet_limits)
{
	static struct test_packet sent;
	struct test_esp out, in;

	make_pair(&out, null_suite, &shapes[0], 0);
	make_pair(&in, null_suite, &shapes[0], 64);
	/* Each packet counts 8 + 18 + 2 pad octets and 2: 28 with the padding to four. */
	out.sa->soft.bytes = 50;
	out.sa->hard.bytes = 84;
	in.sa->hard.bytes = 56;
	for (int i = 0; i < 3; i++) {
		test_udp(&sent, shapes[0].src, shapes[0].dst, 18);
		ck_assert_int_eq(esp_seal(&out.esp, &sent.pkt, NULL),
			i < 2 ? VERDICT_OUT_PROTECTED : VERDICT_ESP_BYTES_EXPIRE);
		if (i == 0) {
			ck_assert_uint_eq(atomic_load(&out.run->bytes), 28);
			ck_assert_uint_eq(atomic_load(&out.run->events), 0);
			ck_assert_int_eq(open_packet(&in, &sent.pkt), VERDICT_IN_ACCEPTED);
		} else if (i == 1) {
			ck_assert_uint_eq(atomic_load(&out.run->events), SA_EVENT_SOFT_BYTES);
			ck_assert_int_eq(open_packet(&in, &sent.pkt), VERDICT_ESP_BYTES_EXPIRE);
		}
	}
	ck_assert_uint_eq(
		atomic_load(&out.run->events), SA_EVENT_SOFT_BYTES | SA_EVENT_HARD_BYTES);
	ck_assert_uint_eq(atomic_load(&out.run->state), SA_DEAD);
	ck_assert_uint_eq(atomic_load(&in.run->events), SA_EVENT_HARD_BYTES);
	ck_assert_uint_eq(atomic_load(&in.run->state), SA_DEAD);
	test_esp_done(&out);
	test_esp_done(&in);
}
END_TEST

START_TEST(longest_packets)
{
	static uint8_t buffer[PACKET_BUFFER];
	struct packet pkt;
	struct test_esp out;

	make_pair(&out, gcm_suite, &shapes[0], 0);
	for (size_t len = 65400; len <= 65515; len++) {
		bool fits = 20 + 8 + 8 + (len + 2 + 3) / 4 * 4 + 16 <= 65535;

		packet_init(&pkt, buffer, sizeof(buffer));
		ck_assert_ptr_nonnull(packet_append(&pkt, len));
		test_push_ip(&pkt, 253, shapes[0].src, shapes[0].dst);
		ck_assert_int_eq(esp_seal(&out.esp, &pkt, NULL),
			fits ? VERDICT_OUT_PROTECTED : VERDICT_ESP_TOO_BIG);
	}
	packet_init(&pkt, buffer, PACKET_HEADROOM + 50);
	ck_assert_ptr_nonnull(packet_append(&pkt, 40));
	test_push_ip(&pkt, 253, shapes[0].src, shapes[0].dst);
	ck_assert_int_eq(esp_seal(&out.esp, &pkt, NULL), VERDICT_ESP_NOMEM);
	test_esp_done(&out);
}
END_TEST

/* The clear MTU is the longest that fits, for every suite, mode and path. */
START_TEST(clear_mtu)
{
	const struct test_suite *suite = &suites[(size_t)_i % ARRAY_SIZE(suites)];
	const struct shape *shape = &shapes[(size_t)_i / ARRAY_SIZE(suites)];
	struct test_esp out;

	make_pair(&out, suite, shape, 0);
	for (size_t mtu = 200; mtu < 1600; mtu += 13) {
		size_t clear = esp_clear_mtu(out.sa, &out.suite, mtu, shape->keep);

		ck_assert_uint_ne(clear, 0);
		ck_assert_uint_le(esp_sealed_len(out.sa, &out.suite, clear, shape->keep), mtu);
		ck_assert_uint_gt(esp_sealed_len(out.sa, &out.suite, clear + 1, shape->keep), mtu);
	}
	ck_assert_uint_eq(esp_clear_mtu(out.sa, &out.suite, 30, shape->keep), 0);
	test_esp_done(&out);
}
END_TEST

START_TEST(udp_encapsulation)
{
	static struct test_packet sent, clear;
	struct packet_view view;
	struct test_esp out, in;

	make_pair(&out, gcm_suite, &shapes[_i], 0);
	make_pair(&in, gcm_suite, &shapes[_i], 64);
	out.sa->flags |= SA_FLAG_ENCAP;
	out.sa->natt_remote_port = 1024;
	test_udp(&clear, shapes[_i].src, shapes[_i].dst, 33);
	test_copy(&sent, &clear);
	ck_assert_int_eq(esp_seal(&out.esp, &sent.pkt, NULL), VERDICT_OUT_PROTECTED);
	ck_assert(packet_parse(&sent.pkt, &view));
	ck_assert_uint_eq(view.protocol, IPPROTO_UDP);
	ck_assert_uint_eq(load_be16(sent.pkt.data + view.upper), 4500);
	ck_assert_uint_eq(load_be16(sent.pkt.data + view.upper + 2), 1024);
	ck_assert_uint_eq(load_be16(sent.pkt.data + view.upper + 4), sent.pkt.len - view.upper);
	ck_assert_uint_eq(load_be32(sent.pkt.data + esp_offset(&view)), 0x1001);
	ck_assert_int_eq(esp_open(&in.esp, &sent.pkt, &view), VERDICT_IN_ACCEPTED);
	expect_same(&sent.pkt, &clear.pkt, shapes[_i].name);
	test_esp_done(&out);
	test_esp_done(&in);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("esp");
	TCase *tc = tcase_create("esp");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, round_trip, 0, (int)N_CASES);
	tcase_add_loop_test(tc, each_wrong_octet, 0, (int)N_CASES);
	tcase_add_loop_test(tc, each_runt, 0, (int)N_CASES);
	tcase_add_loop_test(tc, clear_mtu, 0, (int)N_CASES);
	tcase_add_loop_test(tc, esn_over_the_edge, 0, (int)ARRAY_SIZE(suites));
	tcase_add_loop_test(tc, sequence_numbers, 0, (int)ARRAY_SIZE(numbers));
	tcase_add_loop_test(tc, padding_contents, 0, (int)ARRAY_SIZE(paddings));
	tcase_add_loop_test(tc, congestion_marks, 0, 64);
	tcase_add_loop_test(tc, udp_encapsulation, 0, (int)ARRAY_SIZE(shapes));
	tcase_add_test(tc, replayed_packet);
	tcase_add_test(tc, replay_within_a_batch);
	tcase_add_test(tc, batch_beyond_reservation);
	tcase_add_test(tc, ivs);
	tcase_add_test(tc, padding_lengths);
	tcase_add_test(tc, padding_longer_than_packet);
	tcase_add_test(tc, inner_packets);
	tcase_add_test(tc, dummy_is_dropped_in_transport);
	tcase_add_test(tc, outer_header);
	tcase_add_test(tc, behind_extension_headers);
	tcase_add_test(tc, behind_ipv4_options);
	tcase_add_test(tc, fragments);
	tcase_add_test(tc, octet_limits);
	tcase_add_test(tc, longest_packets);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
