/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/esp/esp.h"

#include "tests/unit/esp_pair.h"
#include "tests/unit/suite.h"

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
	ck_assert_uint_eq(atomic_load(&in.run->errors), sent.pkt.len - shape->keep - shape->outer);
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
				       (len - head - 8 - suite->iv - suite->icv) % suite->align == 0
			       ? VERDICT_ESP_BAD_AUTH
			       : VERDICT_ESP_RUNT;
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
	esp_open_batch(
		&in.esp, pkts, (struct packet_view *[]){ &views[0], &views[1] }, 2, verdicts);
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
	{ "last of the reservation", false, 16383, 16384, VERDICT_OUT_PROTECTED,
		SA_EVENT_SEQ_HALF },
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
	uint32_t events;

	make_pair(&out, gcm_suite, &shapes[0], 0);
	out.sa->flags = numbers[_i].esn ? SA_FLAG_ESN : 0;
	atomic_store(&out.run->seq, numbers[_i].seq);
	atomic_store(&out.run->seq_reserved, numbers[_i].reserved);
	test_udp(&sent, shapes[0].src, shapes[0].dst, 5);
	verdict = esp_seal(&out.esp, &sent.pkt, NULL);
	ck_assert_msg(
		verdict == numbers[_i].want, "%s: %s", numbers[_i].name, verdict_name(verdict));
	events = atomic_load(&out.run->events) & SA_EVENT_URGENT;
	ck_assert_msg(events == numbers[_i].events, "%s: events %#x", numbers[_i].name, events);
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
			differing += (unsigned int)__builtin_popcount(
				sent.pkt.data[28 + k] ^ last[k]);
		ck_assert_uint_gt(differing, 20); /* 64 are expected; 20 is 11 deviations off */
		memcpy(last, sent.pkt.data + 28, 16);
	}
	test_esp_done(&out);
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
			ck_assert_uint_eq(atomic_load(&out.run->events) & SA_EVENT_URGENT, 0);
			ck_assert_int_eq(open_packet(&in, &sent.pkt), VERDICT_IN_ACCEPTED);
		} else if (i == 1) {
			ck_assert_uint_eq(atomic_load(&out.run->events) & SA_EVENT_URGENT,
				SA_EVENT_SOFT_BYTES);
			ck_assert_int_eq(open_packet(&in, &sent.pkt), VERDICT_ESP_BYTES_EXPIRE);
		}
	}
	ck_assert_uint_eq(atomic_load(&out.run->events) & SA_EVENT_URGENT,
		SA_EVENT_SOFT_BYTES | SA_EVENT_HARD_BYTES);
	ck_assert_uint_eq(atomic_load(&out.run->state), SA_DEAD);
	ck_assert_uint_eq(atomic_load(&in.run->events) & SA_EVENT_URGENT, SA_EVENT_HARD_BYTES);
	ck_assert_uint_eq(atomic_load(&in.run->state), SA_DEAD);
	test_esp_done(&out);
	test_esp_done(&in);
}
END_TEST

/* The last packet that may go goes, also in the middle of a batch. */
START_TEST(packet_limits)
{
	enum { SENT = 5 };
	static struct test_packet sent[SENT];
	struct packet *pkts[SENT];
	enum verdict verdicts[SENT];
	struct test_esp out, in;

	make_pair(&out, null_suite, &shapes[0], 0);
	make_pair(&in, null_suite, &shapes[0], 64);
	out.sa->soft.allocations = 2;
	out.sa->hard.allocations = 4;
	in.sa->hard.allocations = 3;
	for (int i = 0; i < SENT; i++) {
		test_udp(&sent[i], shapes[0].src, shapes[0].dst, 18);
		pkts[i] = &sent[i].pkt;
	}
	ck_assert_int_eq(esp_seal(&out.esp, pkts[0], NULL), VERDICT_OUT_PROTECTED);
	ck_assert_uint_eq(atomic_load(&out.run->events) & SA_EVENT_URGENT, 0);
	esp_seal_batch(&out.esp, pkts + 1, SENT - 1, verdicts + 1);
	for (int i = 1; i < SENT; i++)
		ck_assert_int_eq(
			verdicts[i], i < 4 ? VERDICT_OUT_PROTECTED : VERDICT_ESP_BYTES_EXPIRE);
	ck_assert_uint_eq(atomic_load(&out.run->packets), 4);
	ck_assert_uint_eq(atomic_load(&out.run->events) & SA_EVENT_URGENT,
		SA_EVENT_SOFT_BYTES | SA_EVENT_HARD_BYTES);
	ck_assert_uint_eq(atomic_load(&out.run->state), SA_DEAD);
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(open_packet(&in, pkts[i]),
			i < 3 ? VERDICT_IN_ACCEPTED : VERDICT_ESP_BYTES_EXPIRE);
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
	tcase_add_test(tc, replayed_packet);
	tcase_add_test(tc, replay_within_a_batch);
	tcase_add_test(tc, batch_beyond_reservation);
	tcase_add_test(tc, ivs);
	tcase_add_test(tc, octet_limits);
	tcase_add_test(tc, packet_limits);
	tcase_add_test(tc, longest_packets);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
