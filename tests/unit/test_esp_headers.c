/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What ESP does around the text: padding, next header, outer and extension headers. */
#include "tests/unit/esp_pair.h"
#include "tests/unit/suite.h"

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
static void seal_padded(
	struct test_esp *out, struct test_packet *sent, const uint8_t *padding, size_t len)
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
	ck_assert_msg(
		verdict == paddings[_i].want, "%s: %s", paddings[_i].name, verdict_name(verdict));
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

static enum verdict open_inner(
	const uint8_t *inner, size_t len, uint8_t next_header, uint8_t outer_class)
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
	uint32_t word;

	make_pair(&out, cbc_suite, shape, 0);
	make_pair(&in, cbc_suite, shape, 64);
	test_udp(&clear, shape->src, shape->dst, 9);
	if (v6_in)
		store_be16(clear.pkt.data, (uint16_t)(0x6000U | (unsigned int)(dscp | inner) << 4));
	else
		clear.pkt.data[1] = dscp | inner;
	packet_set_length(&clear.pkt);
	test_copy(&sent, &clear);
	ck_assert_int_eq(esp_seal(&out.esp, &sent.pkt, NULL), VERDICT_OUT_PROTECTED);
	/* Both DSCP and ECN were copied outward; the network then changes ECN, say, and DSCP. */
	ck_assert_uint_eq(packet_traffic_class(sent.pkt.data), dscp | inner);
	word = load_be16(sent.pkt.data);
	word = v6_out ? (word & 0xf00fU) | (uint32_t)outer << 4 : (word & 0xff00U) | outer;
	store_be16(sent.pkt.data, (uint16_t)word);
	packet_set_length(&sent.pkt);
	if (ecn[_i % 16] < 0) {
		ck_assert_int_eq(open_packet(&in, &sent.pkt), VERDICT_ESP_ECN);
	} else {
		ck_assert_int_eq(open_packet(&in, &sent.pkt), VERDICT_IN_ACCEPTED);
		ck_assert_uint_eq(
			packet_traffic_class(sent.pkt.data), dscp | (uint8_t)ecn[_i % 16]);
		if (!v6_in)
			ck_assert_uint_eq(packet_checksum(sent.pkt.data, 20, 0), 0);
		ck_assert_int_eq(
			memcmp(sent.pkt.data + 12, clear.pkt.data + 12, clear.pkt.len - 12), 0);
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
	Suite *suite = suite_create("esp_headers");
	TCase *tc = tcase_create("esp_headers");

	tcase_add_loop_test(tc, padding_contents, 0, (int)ARRAY_SIZE(paddings));
	tcase_add_loop_test(tc, congestion_marks, 0, 64);
	tcase_add_loop_test(tc, udp_encapsulation, 0, (int)ARRAY_SIZE(shapes));
	tcase_add_test(tc, padding_lengths);
	tcase_add_test(tc, padding_longer_than_packet);
	tcase_add_test(tc, inner_packets);
	tcase_add_test(tc, dummy_is_dropped_in_transport);
	tcase_add_test(tc, outer_header);
	tcase_add_test(tc, behind_extension_headers);
	tcase_add_test(tc, behind_ipv4_options);
	tcase_add_test(tc, fragments);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
