/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/ah/ah.h"

#include "tests/unit/ah_pair.h"
#include "tests/unit/suite.h"

/* What a router may do to a packet, and what nobody may. Offsets from the IP header. */
static const struct {
	const char *name;
	bool v6;
	size_t at;
	uint8_t flip;
	bool may;
} changes[] = {
	{ "DSCP", false, 1, 0xb8, true },
	{ "ECN", false, 1, 0x03, true },
	{ "identification", false, 4, 0x01, false },
	{ "DF", false, 6, 0x40, true },
	{ "TTL", false, 8, 0x3f, true },
	{ "checksum", false, 10, 0xff, true },
	{ "source", false, 15, 0x10, false },
	{ "destination", false, 19, 0x10, false },
	{ "next header", false, 20, 0x10, false },
	{ "reserved", false, 22, 0x01, false },
	{ "SPI", false, 24, 0x01, false },
	{ "sequence number", false, 31, 0x10, false },
	{ "ICV", false, 32, 0x01, false },
	{ "last octet of the ICV", false, 47, 0x80, false },
	{ "payload", false, 48, 0x01, false },
	{ "last octet", false, 75, 0x01, false },
	{ "traffic class", true, 0, 0x0f, true },
	{ "traffic class, flow label", true, 1, 0xff, true },
	{ "flow label", true, 3, 0xff, true },
	{ "hop limit", true, 7, 0x3f, true },
	{ "source", true, 23, 0x01, false },
	{ "destination", true, 39, 0x01, false },
	{ "reserved", true, 43, 0x01, false },
	{ "ICV padding", true, 40 + 28, 0x01, false },
	{ "payload", true, 40 + 32, 0x01, false },
};

START_TEST(changes_on_the_way)
{
	static struct test_packet sent;
	bool v6 = changes[_i].v6;
	enum verdict want = changes[_i].may ? VERDICT_IN_ACCEPTED : VERDICT_AH_BAD_AUTH;
	struct test_ah t;

	test_ah_init(&t,
		test_ah_sa(ALG_AUTH_HMAC_SHA256, SA_MODE_TRANSPORT, v6 ? A6 : A4, v6 ? B6 : B4),
		64);
	test_udp(&sent, v6 ? A6 : A4, v6 ? B6 : B4, 20);
	expect_verdict(ah_seal(&t.ah, &sent.pkt, NULL), VERDICT_OUT_PROTECTED, changes[_i].name);
	sent.pkt.data[changes[_i].at] ^= changes[_i].flip;
	expect_verdict(test_ah_open(&t, &sent.pkt), want, changes[_i].name);
	ck_assert_uint_eq(t.run->top, changes[_i].may ? 1 : 0);
	ck_assert_uint_eq(atomic_load(&t.run->errors), changes[_i].may ? 0 : 1);
	test_ah_done(&t);
}
END_TEST

/* IPv4 options as they stand in the header, and what becomes of them in the sum. */
static const struct {
	const char *name, *options, *masked;
	enum verdict verdict;
} options4[] = {
	{ "end and padding", "00000000", "00000000", VERDICT_OUT_PROTECTED },
	{ "no operation", "01010100", "01010100", VERDICT_OUT_PROTECTED },
	{ "security", "8204abcd", "8204abcd", VERDICT_OUT_PROTECTED },
	{ "extended security", "8504abcd", "8504abcd", VERDICT_OUT_PROTECTED },
	{ "commercial security", "8604abcd", "8604abcd", VERDICT_OUT_PROTECTED },
	{ "router alert", "94040000", "94040000", VERDICT_OUT_PROTECTED },
	{ "several destinations", "9504abcd", "9504abcd", VERDICT_OUT_PROTECTED },
	{ "record route",
		"07070400000000"
		"00",
		"0000000000000000", VERDICT_OUT_PROTECTED },
	{ "timestamp", "44080500 11223344", "0000000000000000", VERDICT_OUT_PROTECTED },
	{ "traceroute", "520cabcd 11223344 55667788", "000000000000000000000000",
		VERDICT_OUT_PROTECTED },
	{ "unknown", "5e04abcd", "00000000", VERDICT_OUT_PROTECTED },
	{ "one that goes, one that stays", "5e04abcd 94040000", "0000000094040000",
		VERDICT_OUT_PROTECTED },
	{ "behind the end", "00070701", "00070701", VERDICT_OUT_PROTECTED },
	{ "length 0", "5e00abcd", "", VERDICT_AH_BAD_V4_OPTS },
	{ "length 1", "5e01abcd", "", VERDICT_AH_BAD_V4_OPTS },
	{ "past the header", "5e05abcd", "", VERDICT_AH_BAD_V4_OPTS },
	{ "no length", "0101015e", "", VERDICT_AH_BAD_V4_OPTS },
};

START_TEST(masked_ipv4_options)
{
	uint8_t header[60] = { 0x46, 0xb8, 0, 99, 1, 2, 0x40, 0, 61, IPPROTO_AH, 7, 7, 192, 0, 2, 1,
		192, 0, 2, 2 };
	uint8_t want[40];
	size_t len = test_hex(options4[_i].options, header + 20, 40), masked;
	struct packet_view view = { .family = AF_INET, .final_dst = test_address(B4) };

	expect_verdict(ah_mask(header, 20 + len, &view), options4[_i].verdict, options4[_i].name);
	if (options4[_i].verdict != VERDICT_OUT_PROTECTED)
		return;
	masked = test_hex(options4[_i].masked, want, sizeof(want));
	ck_assert_uint_eq(masked, len);
	ck_assert_msg(memcmp(header + 20, want, len) == 0, "%s", options4[_i].name);
	ck_assert_mem_eq(header, "\x46\0\0\x63\x01\x02\0\0\0\x33\0\0", 12);
}
END_TEST

/* A source route: sealed at its start, opened at its end. */
START_TEST(source_routed_ipv4)
{
	static struct test_packet sent;
	uint8_t *p;
	struct test_ah t;

	test_ah_init(&t, test_ah_sa(ALG_AUTH_HMAC_SHA1, SA_MODE_TRANSPORT, A4, B4), 64);
	test_udp(&sent, A4, "198.51.100.9", 20);
	p = packet_push(&sent.pkt, 8);
	ck_assert_ptr_nonnull(p);
	memmove(p, p + 8, 20);
	p[0] = 0x47;
	ck_assert_uint_eq(test_hex("83070400000000"
				   "00",
				  p + 20, 8),
		8);
	memcpy(p + 23, test_address(B4).bytes, 4);
	packet_set_length(&sent.pkt);
	expect_verdict(ah_seal(&t.ah, &sent.pkt, NULL), VERDICT_OUT_PROTECTED, "sealed");
	p = sent.pkt.data; /* as the last router leaves it */
	memcpy(p + 23, p + 16, 4);
	memcpy(p + 16, test_address(B4).bytes, 4);
	p[22] = 8;
	packet_set_length(&sent.pkt);
	expect_verdict(test_ah_open(&t, &sent.pkt), VERDICT_IN_ACCEPTED, "opened");
	test_ah_done(&t);
}
END_TEST

/* Extension headers before AH: first next header, octets, what they are in the sum. */
static const struct {
	const char *name;
	uint8_t first;
	const char *headers, *masked;
	enum verdict verdict;
} headers6[] = {
	{ "padding", IPPROTO_HOPOPTS, "3300 0100 0000 0000", "3300 0100 0000 0000",
		VERDICT_OUT_PROTECTED },
	{ "an option that stays", IPPROTO_HOPOPTS, "3300 0502 abcd 0100", "3300 0502 abcd 0100",
		VERDICT_OUT_PROTECTED },
	{ "an option that changes", IPPROTO_HOPOPTS, "3300 3e04 abcd 1234", "3300 3e04 0000 0000",
		VERDICT_OUT_PROTECTED },
	{ "the same for the destination", IPPROTO_DSTOPTS, "3300 3e02 abcd 0100",
		"3300 3e02 0000 0100", VERDICT_OUT_PROTECTED },
	{ "two headers", IPPROTO_HOPOPTS, "3c00 3e02 abcd 0100 3300 1e02 abcd 0100",
		"3c00 3e02 0000 0100 3300 1e02 abcd 0100", VERDICT_OUT_PROTECTED },
	{ "option past its header", IPPROTO_HOPOPTS, "3300 3e05 abcd 1234", "",
		VERDICT_AH_BAD_V6_HDRS },
	{ "option without length", IPPROTO_HOPOPTS, "3300 0103 0000 0005", "",
		VERDICT_AH_BAD_V6_HDRS },
	{ "header past AH", IPPROTO_HOPOPTS, "3301 0104 0000 0000", "", VERDICT_AH_BAD_V6_HDRS },
	{ "routing, used up", IPPROTO_ROUTING,
		"3302 0000 0000 0000 20010db8000000000000000000000007",
		"3302 0000 0000 0000 20010db8000000000000000000000007", VERDICT_OUT_PROTECTED },
	{ "routing of another kind, used up", IPPROTO_ROUTING, "3300 fd00 1122 3344",
		"3300 fd00 1122 3344", VERDICT_OUT_PROTECTED },
	{ "routing of another kind", IPPROTO_ROUTING, "3300 fd01 1122 3344", "",
		VERDICT_AH_BAD_V6_HDRS },
	{ "more stops than addresses", IPPROTO_ROUTING,
		"3302 0002 0000 0000 20010db8000000000000000000000007", "",
		VERDICT_AH_BAD_V6_HDRS },
	{ "a fragment", IPPROTO_FRAGMENT, "3300 0008 1122 3344", "", VERDICT_AH_BAD_V6_HDRS },
};

START_TEST(masked_ipv6_headers)
{
	uint8_t header[40 + 64] = { 0x6a, 0xbc, 0xde, 0xf0, 0, 99, headers6[_i].first, 61 };
	uint8_t want[64];
	size_t len = test_hex(headers6[_i].headers, header + 40, 64);
	struct packet_view view = { .family = AF_INET6 };

	expect_verdict(ah_mask(header, 40 + len, &view), headers6[_i].verdict, headers6[_i].name);
	if (headers6[_i].verdict != VERDICT_OUT_PROTECTED)
		return;
	ck_assert_uint_eq(test_hex(headers6[_i].masked, want, sizeof(want)), len);
	ck_assert_msg(memcmp(header + 40, want, len) == 0, "%s", headers6[_i].name);
	ck_assert_mem_eq(header, "\x60\0\0\0\0\x63", 6);
	ck_assert_uint_eq(header[7], 0);
}
END_TEST

/* Three addresses, one already passed: each stop that is left swaps itself with the destination. */
START_TEST(predicted_route)
{
	uint8_t header[40 + 56] = { 0x60, 0, 0, 0, 0, 56, IPPROTO_ROUTING, 64 };
	uint8_t *route = header + 40;
	struct packet_view view = { .family = AF_INET6 };

	header[24 + 15] = 0xd0; /* destination */
	route[0] = IPPROTO_AH;
	route[1] = 6;
	route[3] = 2;
	for (size_t i = 0; i < 3; i++)
		route[8 + 16 * i + 15] = (uint8_t)(0xa1 + i);
	expect_verdict(ah_mask(header, sizeof(header), &view), VERDICT_OUT_PROTECTED, "route");
	ck_assert_uint_eq(header[24 + 15], 0xa3);
	ck_assert_uint_eq(route[3], 0);
	ck_assert_uint_eq(route[8 + 15], 0xa1);
	ck_assert_uint_eq(route[8 + 31], 0xd0);
	ck_assert_uint_eq(route[8 + 47], 0xa2);
}
END_TEST

/* IPv6 with @headers before its UDP. */
static void with_headers(struct test_packet *t, uint8_t first, const char *headers)
{
	uint8_t bytes[128], *p;
	size_t len = test_hex(headers, bytes, sizeof(bytes));

	test_udp(t, A6, B6, 20);
	p = packet_push(&t->pkt, len);
	ck_assert_ptr_nonnull(p);
	memmove(p, p + len, 40);
	memcpy(p + 40, bytes, len);
	p[6] = first;
	packet_set_length(&t->pkt);
}

/* AH stands behind what is for the way, before options that are for the destination. */
static const struct {
	const char *name;
	uint8_t first;
	const char *headers;
	size_t at;
	uint8_t next;
} places[] = {
	{ "none", IPPROTO_UDP, "", 40, IPPROTO_UDP },
	{ "hop by hop", IPPROTO_HOPOPTS, "1100 0104 0000 0000", 48, IPPROTO_UDP },
	{ "for the destination", IPPROTO_DSTOPTS, "1100 0104 0000 0000", 40, IPPROTO_DSTOPTS },
	{ "both", IPPROTO_HOPOPTS, "3c00 0104 0000 0000 1100 0104 0000 0000", 48, IPPROTO_DSTOPTS },
	{ "routing", IPPROTO_ROUTING, "1102 0000 0000 0000 20010db8000000000000000000000007", 64,
		IPPROTO_UDP },
	{ "an atomic fragment is none", IPPROTO_FRAGMENT, "1100 0000 1122 3344", 40, IPPROTO_UDP },
	{ "behind options too", IPPROTO_HOPOPTS, "2c00 0104 0000 0000 1100 0000 1122 3344", 48,
		IPPROTO_UDP },
};

START_TEST(places_of_the_header)
{
	static struct test_packet sent;
	struct packet_view view;
	struct test_ah t;

	test_ah_init(&t, test_ah_sa(ALG_AUTH_HMAC_SHA512, SA_MODE_TRANSPORT, A6, B6), 64);
	with_headers(&sent, places[_i].first, places[_i].headers);
	expect_verdict(ah_seal(&t.ah, &sent.pkt, NULL), VERDICT_OUT_PROTECTED, places[_i].name);
	ck_assert(packet_parse(&sent.pkt, &view));
	ck_assert_uint_eq(view.protocol, IPPROTO_AH);
	ck_assert_uint_eq(view.upper, places[_i].at);
	ck_assert_uint_eq(sent.pkt.data[view.upper], places[_i].next);
	expect_verdict(ah_open(&t.ah, &sent.pkt, &view), VERDICT_IN_ACCEPTED, places[_i].name);
	ck_assert_uint_eq(view.protocol, IPPROTO_UDP);
	test_ah_done(&t);
}
END_TEST

/* A fragment header that a reassembler left is no part of the sum. */
START_TEST(atomic_fragment_on_the_way)
{
	static struct test_packet sent;
	uint8_t *p;
	struct test_ah t;

	test_ah_init(&t, test_ah_sa(ALG_AUTH_HMAC_SHA256, SA_MODE_TRANSPORT, A6, B6), 64);
	test_udp(&sent, A6, B6, 20);
	expect_verdict(ah_seal(&t.ah, &sent.pkt, NULL), VERDICT_OUT_PROTECTED, "sealed");
	p = packet_push(&sent.pkt, 8);
	ck_assert_ptr_nonnull(p);
	memmove(p, p + 8, 40);
	memset(p + 40, 0, 8);
	p[40] = p[6];
	p[6] = IPPROTO_FRAGMENT;
	packet_set_length(&sent.pkt);
	expect_verdict(test_ah_open(&t, &sent.pkt), VERDICT_IN_ACCEPTED, "opened");
	test_ah_done(&t);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ah_mutable");
	TCase *tc = tcase_create("ah_mutable");

	tcase_add_loop_test(tc, changes_on_the_way, 0, (int)ARRAY_SIZE(changes));
	tcase_add_loop_test(tc, masked_ipv4_options, 0, (int)ARRAY_SIZE(options4));
	tcase_add_test(tc, source_routed_ipv4);
	tcase_add_loop_test(tc, masked_ipv6_headers, 0, (int)ARRAY_SIZE(headers6));
	tcase_add_test(tc, predicted_route);
	tcase_add_loop_test(tc, places_of_the_header, 0, (int)ARRAY_SIZE(places));
	tcase_add_test(tc, atomic_fragment_on_the_way);
	suite_add_tcase(s, tc);
	return suite_main(s);
}
