/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/ah/ah.h"

#include <errno.h>

#include "tests/unit/ah_pair.h"
#include "tests/unit/suite.h"

/* RFC 4302 section 2.2: words less two. Columns: octets of AH over IPv4 and IPv6. */
static const struct {
	const char *name;
	uint8_t auth;
	size_t v4, v6;
} sizes[] = {
	{ "md5", ALG_AUTH_HMAC_MD5, 24, 24 },
	{ "sha1", ALG_AUTH_HMAC_SHA1, 24, 24 },
	{ "sha256", ALG_AUTH_HMAC_SHA256, 28, 32 },
	{ "sha384", ALG_AUTH_HMAC_SHA384, 36, 40 },
	{ "sha512", ALG_AUTH_HMAC_SHA512, 44, 48 },
	{ "xcbc", ALG_AUTH_AES_XCBC, 24, 24 },
	{ "cmac", ALG_AUTH_AES_CMAC, 24, 24 },
	{ "gmac-128", ALG_AUTH_AES_GMAC128, 36, 40 },
	{ "gmac-192", ALG_AUTH_AES_GMAC192, 36, 40 },
	{ "gmac-256", ALG_AUTH_AES_GMAC256, 36, 40 },
};

/* Transport, then the four family mixes of tunnel mode. */
static const struct {
	const char *name;
	enum sa_mode mode;
	const char *src, *dst, *outer_src, *outer_dst;
} shapes[] = {
	{ "transport 4", SA_MODE_TRANSPORT, A4, B4, A4, B4 },
	{ "transport 6", SA_MODE_TRANSPORT, A6, B6, A6, B6 },
	{ "4 in 4", SA_MODE_TUNNEL, "10.1.0.1", "10.2.0.1", A4, B4 },
	{ "6 in 4", SA_MODE_TUNNEL, "2001:db8:1::1", "2001:db8:2::1", A4, B4 },
	{ "4 in 6", SA_MODE_TUNNEL, "10.1.0.1", "10.2.0.1", A6, B6 },
	{ "6 in 6", SA_MODE_TUNNEL, "2001:db8:1::1", "2001:db8:2::1", A6, B6 },
};

#define N_ROUND_TRIPS ((int)(ARRAY_SIZE(sizes) * ARRAY_SIZE(shapes)))

START_TEST(round_trips)
{
	static struct test_packet sent, want;
	size_t row = (size_t)_i % ARRAY_SIZE(sizes), shape = (size_t)_i / ARRAY_SIZE(sizes);
	bool v6 = strchr(shapes[shape].outer_src, ':') != NULL;
	size_t len = v6 ? sizes[row].v6 : sizes[row].v4, before, outer = v6 ? 40 : 20;
	struct packet_view view;
	struct test_ah t;

	test_ah_init(&t,
		test_ah_sa(sizes[row].auth, shapes[shape].mode, shapes[shape].outer_src,
			shapes[shape].outer_dst),
		64);
	for (uint32_t seq = 1; seq <= 3; seq++) {
		test_udp(&sent, shapes[shape].src, shapes[shape].dst, 20 + seq);
		test_copy(&want, &sent);
		before = sent.pkt.len;
		expect_verdict(
			ah_seal(&t.ah, &sent.pkt, NULL), VERDICT_OUT_PROTECTED, shapes[shape].name);
		if (shapes[shape].mode == SA_MODE_TUNNEL)
			before += outer;
		ck_assert_uint_eq(sent.pkt.len, before + len);
		ck_assert_uint_eq(ah_clear_mtu(t.sa, &t.suite, sent.pkt.len, false), want.pkt.len);
		ck_assert(packet_parse(&sent.pkt, &view));
		ck_assert_uint_eq(view.protocol, IPPROTO_AH);
		ck_assert_uint_eq(sent.pkt.data[view.upper + 1], len / 4 - 2);
		ck_assert_uint_eq(load_be16(sent.pkt.data + view.upper + 2), 0);
		ck_assert_uint_eq(load_be32(sent.pkt.data + view.upper + 4), 0x2002);
		ck_assert_uint_eq(load_be32(sent.pkt.data + view.upper + 8), seq);
		expect_verdict(
			ah_open(&t.ah, &sent.pkt, &view), VERDICT_IN_ACCEPTED, shapes[shape].name);
		ck_assert_uint_eq(view.protocol, IPPROTO_UDP);
		ck_assert_uint_eq(sent.pkt.len, want.pkt.len);
		ck_assert_mem_eq(sent.pkt.data, want.pkt.data, want.pkt.len);
	}
	ck_assert_uint_eq(t.run->top, 3);
	test_ah_done(&t);
}
END_TEST

START_TEST(fragments_are_refused)
{
	static struct test_packet sent;
	struct packet_view view;
	struct test_ah t;

	test_ah_init(&t, test_ah_sa(ALG_AUTH_HMAC_SHA1, SA_MODE_TRANSPORT, A4, B4), 64);
	test_udp(&sent, A4, B4, 20);
	sent.pkt.data[6] = 0x20; /* more follow */
	packet_set_length(&sent.pkt);
	expect_verdict(ah_seal(&t.ah, &sent.pkt, NULL), VERDICT_SPD_MALFORMED_FRAG, "sealed");
	test_udp(&sent, A4, B4, 20);
	expect_verdict(ah_seal(&t.ah, &sent.pkt, NULL), VERDICT_OUT_PROTECTED, "whole");
	sent.pkt.data[6] = 0x20;
	ck_assert(packet_parse(&sent.pkt, &view));
	expect_verdict(ah_open(&t.ah, &sent.pkt, &view), VERDICT_SPD_MALFORMED_FRAG, "opened");
	test_ah_done(&t);
}
END_TEST

/* Lengths that the header may claim; over IPv4 others pad to eight octets, and that is heard. */
START_TEST(claimed_lengths)
{
	static struct test_packet sent, again;
	struct packet_view view;
	struct test_ah t;

	test_ah_init(&t, test_ah_sa(ALG_AUTH_HMAC_SHA256, SA_MODE_TRANSPORT, A4, B4), 0);
	for (unsigned int words = 0; words <= UINT8_MAX; words++) {
		enum verdict verdict;

		test_udp(&sent, A4, B4, 20);
		expect_verdict(ah_seal(&t.ah, &sent.pkt, NULL), VERDICT_OUT_PROTECTED, "sealed");
		ck_assert_uint_eq(sent.pkt.data[21], 5);
		sent.pkt.data[21] = (uint8_t)words;
		ck_assert(packet_parse(&sent.pkt, &view));
		verdict = ah_open(&t.ah, &sent.pkt, &view);
		if (words == 5)
			ck_assert_uint_eq(verdict, VERDICT_IN_ACCEPTED);
		else
			ck_assert_uint_eq(
				verdict, words == 6 ? VERDICT_AH_BAD_AUTH : VERDICT_AH_BAD_LENGTH);
	}
	test_udp(&again, A4, B4, 0);
	expect_verdict(ah_seal(&t.ah, &again.pkt, NULL), VERDICT_OUT_PROTECTED, "empty");
	for (size_t len = 20; len < 48; len++) {
		test_copy(&sent, &again);
		sent.pkt.len = len;
		packet_set_length(&sent.pkt);
		ck_assert(packet_parse(&sent.pkt, &view));
		expect_verdict(ah_open(&t.ah, &sent.pkt, &view), VERDICT_AH_BAD_LENGTH, "cut");
	}
	test_ah_done(&t);
}
END_TEST

/* Twelve octets and a sum, padded to eight by the sender. */
START_TEST(wide_padding_over_ipv4)
{
	static struct test_packet sent;
	struct packet_view view;
	struct test_ah t;
	uint8_t *p;

	test_ah_init(&t, test_ah_sa(ALG_AUTH_HMAC_SHA256, SA_MODE_TRANSPORT, A4, B4), 64);
	test_udp(&sent, A4, B4, 20);
	ck_assert(packet_parse(&sent.pkt, &view));
	p = packet_push(&sent.pkt, 32);
	ck_assert_ptr_nonnull(p);
	memmove(p, p + 32, 20);
	memset(p + 20, 0, 32);
	p[9] = IPPROTO_AH;
	p[20] = IPPROTO_UDP;
	p[21] = 6;
	store_be32(p + 24, 0x2002);
	store_be32(p + 28, 1);
	packet_set_length(&sent.pkt);
	ck_assert(packet_parse(&sent.pkt, &view));
	expect_verdict(
		ah_sum(&t.ah, &sent.pkt, &view, 20, 1, p + 32), VERDICT_OUT_PROTECTED, "sum");
	expect_verdict(ah_open(&t.ah, &sent.pkt, &view), VERDICT_IN_ACCEPTED, "opened");
	ck_assert_uint_eq(sent.pkt.len, 48);
	test_ah_done(&t);
}
END_TEST

START_TEST(replays)
{
	static struct test_packet sent, copy;
	struct test_ah t;

	test_ah_init(&t, test_ah_sa(ALG_AUTH_HMAC_SHA1, SA_MODE_TRANSPORT, A4, B4), 64);
	test_udp(&sent, A4, B4, 20);
	expect_verdict(ah_seal(&t.ah, &sent.pkt, NULL), VERDICT_OUT_PROTECTED, "sealed");
	test_copy(&copy, &sent);
	copy.pkt.data[60] ^= 1; /* not authentic: moves nothing */
	expect_verdict(test_ah_open(&t, &copy.pkt), VERDICT_AH_BAD_AUTH, "spoilt");
	test_copy(&copy, &sent);
	expect_verdict(test_ah_open(&t, &copy.pkt), VERDICT_IN_ACCEPTED, "first");
	test_copy(&copy, &sent);
	expect_verdict(test_ah_open(&t, &copy.pkt), VERDICT_AH_EARLY_REPLAY, "second");
	ck_assert_uint_eq(atomic_load(&t.run->errors), 2);
	ck_assert_uint_eq(atomic_load(&t.run->packets), 2);
	test_ah_done(&t);
}
END_TEST

/* A number that is authentic, and above what the disk knows of. */
START_TEST(windows_that_are_not_reserved)
{
	static struct test_packet sent, copy;
	struct test_ah t;

	test_ah_init(&t, test_ah_sa(ALG_AUTH_HMAC_SHA1, SA_MODE_TRANSPORT, A4, B4), 64);
	test_udp(&sent, A4, B4, 20);
	expect_verdict(ah_seal(&t.ah, &sent.pkt, NULL), VERDICT_OUT_PROTECTED, "sealed");
	atomic_store(&t.run->top_end, 1);
	test_copy(&copy, &sent);
	expect_verdict(test_ah_open(&t, &copy.pkt), VERDICT_AH_WINDOW_UNRESERVED, "beyond");
	atomic_store(&t.run->top_end, 2);
	test_copy(&copy, &sent);
	expect_verdict(test_ah_open(&t, &copy.pkt), VERDICT_IN_ACCEPTED, "within");
	test_ah_done(&t);
}
END_TEST

/* Each mode, in a buffer without room for the header. */
START_TEST(no_room)
{
	static const enum sa_mode modes[] = { SA_MODE_TRANSPORT, SA_MODE_TUNNEL };

	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		static struct test_packet sent;
		struct test_ah t;

		test_ah_init(&t, test_ah_sa(ALG_AUTH_HMAC_SHA1, modes[i], A4, B4), 64);
		test_udp(&sent, A4, B4, 20);
		while (packet_push(&sent.pkt, 4)) {
			memmove(sent.pkt.data, sent.pkt.data + 4, 48);
			sent.pkt.len -= 4;
		}
		expect_verdict(ah_seal(&t.ah, &sent.pkt, NULL), VERDICT_AH_NOMEM, "no room");
		test_ah_done(&t);
	}
}
END_TEST

/* The high half is part of the sum and not of the packet. */
START_TEST(extended_numbers)
{
	static struct test_packet sent, copy;
	struct ah_choice choice = { .seq = UINT64_C(0x500000000) };
	struct test_ah t;
	struct sa *sa = test_ah_sa(ALG_AUTH_HMAC_SHA256, SA_MODE_TRANSPORT, A4, B4);

	sa->flags |= SA_FLAG_ESN;
	test_ah_init(&t, sa, 64);
	test_udp(&sent, A4, B4, 20);
	expect_verdict(ah_seal(&t.ah, &sent.pkt, &choice), VERDICT_OUT_PROTECTED, "sealed");
	ck_assert_uint_eq(load_be32(sent.pkt.data + 28), 0);
	test_copy(&copy, &sent);
	replay_set_top(t.run, UINT64_C(0x3fffffff0));
	expect_verdict(test_ah_open(&t, &copy.pkt), VERDICT_AH_BAD_AUTH, "another high half");
	replay_set_top(t.run, UINT64_C(0x4fffffff0));
	expect_verdict(test_ah_open(&t, &sent.pkt), VERDICT_IN_ACCEPTED, "this one");
	ck_assert_uint_eq(t.run->top, choice.seq);
	test_ah_done(&t);
}
END_TEST

START_TEST(numbers_and_octets_end)
{
	static struct test_packet sent;
	struct test_ah t;

	test_ah_init(&t, test_ah_sa(ALG_AUTH_HMAC_SHA1, SA_MODE_TRANSPORT, A4, B4), 64);
	atomic_store(&t.run->seq, UINT32_MAX - 1);
	test_udp(&sent, A4, B4, 20);
	expect_verdict(ah_seal(&t.ah, &sent.pkt, NULL), VERDICT_OUT_PROTECTED, "the last");
	ck_assert_uint_ne(atomic_load(&t.run->events) & SA_EVENT_SEQ_END, 0);
	test_udp(&sent, A4, B4, 20);
	expect_verdict(ah_seal(&t.ah, &sent.pkt, NULL), VERDICT_AH_SEQ_EXHAUSTED, "one more");
	atomic_store(&t.run->seq, 5);
	atomic_store(&t.run->seq_reserved, 5);
	test_udp(&sent, A4, B4, 20);
	expect_verdict(ah_seal(&t.ah, &sent.pkt, NULL), VERDICT_AH_SEQ_UNRESERVED, "not reserved");
	atomic_store(&t.run->seq_reserved, 100);
	atomic_store(&t.run->bytes, 0);
	t.sa->hard.bytes = 28 * 2; /* the packet that reaches the limit is lost */
	test_udp(&sent, A4, B4, 20);
	expect_verdict(ah_seal(&t.ah, &sent.pkt, NULL), VERDICT_OUT_PROTECTED, "within");
	expect_verdict(test_ah_open(&t, &sent.pkt), VERDICT_AH_BYTES_EXPIRE, "at the limit");
	test_udp(&sent, A4, B4, 20);
	expect_verdict(ah_seal(&t.ah, &sent.pkt, NULL), VERDICT_AH_BYTES_EXPIRE, "beyond");
	ck_assert_uint_eq(atomic_load(&t.run->state), SA_DEAD);
	t.sa->hard.bytes = 0;
	t.sa->hard.allocations = (uint32_t)atomic_load(&t.run->packets) + 1;
	test_udp(&sent, A4, B4, 20);
	expect_verdict(ah_seal(&t.ah, &sent.pkt, NULL), VERDICT_OUT_PROTECTED, "the last one");
	test_udp(&sent, A4, B4, 20);
	expect_verdict(ah_seal(&t.ah, &sent.pkt, NULL), VERDICT_AH_BYTES_EXPIRE, "one too many");
	test_ah_done(&t);
}
END_TEST

/* The kernel would write an identification over zero, and AH covers it. */
START_TEST(identification_is_never_zero)
{
	static struct test_packet sent;
	struct test_ah t;

	test_ah_init(&t, test_ah_sa(ALG_AUTH_HMAC_SHA1, SA_MODE_TRANSPORT, A4, B4), 64);
	t.sa->spi = 0xffff;
	test_udp(&sent, A4, B4, 20);
	store_be16(sent.pkt.data + 4, 0);
	packet_set_length(&sent.pkt);
	expect_verdict(ah_seal(&t.ah, &sent.pkt, NULL), VERDICT_OUT_PROTECTED, "sealed");
	ck_assert_uint_ne(load_be16(sent.pkt.data + 4), 0);
	expect_verdict(test_ah_open(&t, &sent.pkt), VERDICT_IN_ACCEPTED, "opened");
	test_ah_done(&t);
}
END_TEST

/* What a tunnel-mode SA carries must be IP, and as its header says. */
START_TEST(tunnel_contents)
{
	static struct test_packet sent;
	struct packet_view view;
	struct test_ah t, transport;

	test_ah_init(&t, test_ah_sa(ALG_AUTH_HMAC_SHA1, SA_MODE_TUNNEL, A4, B4), 0);
	test_ah_init(&transport, test_ah_sa(ALG_AUTH_HMAC_SHA1, SA_MODE_TRANSPORT, A4, B4), 0);
	test_udp(&sent, A4, B4, 20);
	expect_verdict(ah_seal(&transport.ah, &sent.pkt, NULL), VERDICT_OUT_PROTECTED, "UDP");
	expect_verdict(test_ah_open(&t, &sent.pkt), VERDICT_AH_BAD_INNER, "UDP");
	test_udp(&sent, A4, B4, 20);
	sent.pkt.data[9] = IPPROTO_IPV6;
	packet_set_length(&sent.pkt);
	expect_verdict(ah_seal(&transport.ah, &sent.pkt, NULL), VERDICT_OUT_PROTECTED, "no IPv6");
	expect_verdict(test_ah_open(&t, &sent.pkt), VERDICT_AH_BAD_INNER, "no IPv6");
	test_udp(&sent, "10.1.0.1", "10.2.0.1", 20);
	expect_verdict(ah_seal(&t.ah, &sent.pkt, NULL), VERDICT_OUT_PROTECTED, "tunnel");
	sent.pkt.data[1] = 3; /* congestion, and the inner sender is deaf to it */
	expect_verdict(test_ah_open(&t, &sent.pkt), VERDICT_AH_ECN, "congestion");
	test_udp(&sent, A4, B4, 20);
	sent.pkt.data[9] = IPPROTO_ESP; /* sealed already: no second outer header */
	packet_set_length(&sent.pkt);
	t.ah.wrapped = true;
	expect_verdict(ah_seal(&t.ah, &sent.pkt, NULL), VERDICT_OUT_PROTECTED, "around ESP");
	ck_assert(packet_parse(&sent.pkt, &view));
	ck_assert_uint_eq(sent.pkt.data[view.upper], IPPROTO_ESP);
	expect_verdict(ah_open(&t.ah, &sent.pkt, &view), VERDICT_IN_ACCEPTED, "around ESP");
	ck_assert_uint_eq(view.protocol, IPPROTO_ESP);
	test_ah_done(&t);
	test_ah_done(&transport);
}
END_TEST

START_TEST(sizes_that_are_refused)
{
	struct sa *sa = test_ah_sa(ALG_AUTH_HMAC_SHA1, SA_MODE_TRANSPORT, A4, B4);
	struct suite suite;

	sa->auth_key_bits = 128;
	ck_assert_int_eq(ah_suite_of(sa, &suite), -EINVAL);
	sa->auth_key_bits = 160;
	sa->proto = SA_PROTO_ESP;
	ck_assert_int_eq(ah_suite_of(sa, &suite), -ENOTSUP);
	sa->proto = SA_PROTO_AH;
	sa->auth = ALG_AUTH_NONE;
	ck_assert_int_eq(ah_suite_of(sa, &suite), -ENOTSUP);
	(void)sa_free(sa);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ah");
	TCase *tc = tcase_create("ah");

	tcase_add_loop_test(tc, round_trips, 0, N_ROUND_TRIPS);
	tcase_add_test(tc, fragments_are_refused);
	tcase_add_test(tc, claimed_lengths);
	tcase_add_test(tc, wide_padding_over_ipv4);
	tcase_add_test(tc, replays);
	tcase_add_test(tc, windows_that_are_not_reserved);
	tcase_add_test(tc, no_room);
	tcase_add_test(tc, extended_numbers);
	tcase_add_test(tc, numbers_and_octets_end);
	tcase_add_test(tc, identification_is_never_zero);
	tcase_add_test(tc, tunnel_contents);
	tcase_add_test(tc, sizes_that_are_refused);
	suite_add_tcase(s, tc);
	return suite_main(s);
}
