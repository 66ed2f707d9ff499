/* SPDX-License-Identifier: GPL-2.0-or-later */
/* UDP encapsulation: what port 4500 takes, whose port is followed, checksums across translators. */
#include "services/datapath/engine/engine_internal.h"
#include "tests/unit/engine_host.h"
#include "tests/unit/suite.h"

#define OUTSIDE "198.51.100.1" /* what the translator makes of its inside */
#define INSIDE	"10.0.0.2"

/* Payloads of datagrams to port 4500; with an SA for SPI 0x1001. */
static const struct {
	const char *name;
	const char *payload; /* hex */
	int lie; /* added to the length in the UDP header */
	bool decrypted;
	enum verdict verdict;
} datagrams[] = {
	{ "keep-alive", "ff", 0, false, VERDICT_ESP_NAT_T_KA },
	{ "keep-alive out of an SA", "ff", 0, true, VERDICT_ESP_NAT_T_KA },
	{ "another octet", "00", 0, false, VERDICT_ESP_NAT_T_KA },
	{ "nothing", "", 0, false, VERDICT_ESP_NAT_T_KA },
	{ "three octets", "000000", 0, false, VERDICT_ESP_NAT_T_KA },
	{ "marker alone", "00000000", 0, false, VERDICT_ESP_NAT_T_IKE },
	{ "marker and more", "00000000 0102030405060708", 0, false, VERDICT_ESP_NAT_T_IKE },
	{ "SPI alone", "00001001", 0, false, VERDICT_ESP_NO_SA },
	{ "SPI that nobody has", "00000001 00000001 00000000", 0, false, VERDICT_ESP_NO_SA },
	{ "header alone", "00001001 00000001", 0, false, VERDICT_ESP_RUNT },
	{ "ESP without an ICV that holds",
		"00001001 00000001 0001020304050607 00010203 00112233445566778899aabbccddeeff", 0,
		false, VERDICT_ESP_BAD_AUTH },
	{ "ESP out of an SA", "00001001 00000001", 0, true, VERDICT_ESP_NAT_T_IPSEC },
	{ "longer than it says", "ffffffffff", -1, false, VERDICT_SPD_MALFORMED_PACKET },
	{ "shorter than it says", "ff", 1, false, VERDICT_SPD_MALFORMED_PACKET },
	{ "length less than a header", "", -1, false, VERDICT_SPD_MALFORMED_PACKET },
};

static void make_datagram(
	struct test_packet *t, const uint8_t *payload, size_t len, const char *src, const char *dst)
{
	uint8_t *p;

	test_udp(t, src, dst, len);
	p = t->pkt.data + (t->pkt.data[0] >> 4 == 4 ? 20 : 40);
	store_be16(p, ESP_NATT_PORT);
	store_be16(p + 2, ESP_NATT_PORT);
	memcpy(p + 8, payload, len);
}

START_TEST(demultiplexing)
{
	static const char *ends[][2] = { { THERE, HERE }, { THERE6, HERE6 } };
	static struct host host;
	static struct test_packet t;
	uint8_t payload[64];
	size_t len = test_hex(datagrams[_i].payload, payload, sizeof(payload));

	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		uint8_t *udp;

		host_init(&host);
		add_rule(&host, "", 0, esp_action(ALG_ENCR_AES_GCM16, ALG_AUTH_NONE), NULL);
		add_sa(&host, &gcm, 0x1001, SA_MODE_TRANSPORT, ends[i][0], ends[i][1])->flags |=
			SA_FLAG_ENCAP;
		host_start(&host, HERE, HERE6);
		make_datagram(&t, payload, len, ends[i][0], ends[i][1]);
		udp = t.pkt.data + (i == 0 ? 20 : 40);
		store_be16(udp + 4, (uint16_t)(load_be16(udp + 4) + datagrams[_i].lie));
		t.pkt.decrypted = datagrams[_i].decrypted;
		expect(receive_one(&host, &t.pkt), ENGINE_DROP, datagrams[_i].verdict,
			datagrams[_i].name);
		/* No sign of life, whatever it was. */
		ck_assert_uint_eq(atomic_load(&host.runs[0]->last_use_usec), 0);
		host_done(&host);
	}
}
END_TEST

/* Plain ESP for an SA in UDP, and the other way round, are for no SA at all. */
static const struct {
	bool sent, wanted;
	enum verdict verdict;
} mixes[] = {
	{ false, false, VERDICT_IN_ACCEPTED },
	{ true, true, VERDICT_IN_ACCEPTED },
	{ false, true, VERDICT_ESP_NO_SA },
	{ true, false, VERDICT_ESP_NO_SA },
};

START_TEST(encapsulation_is_the_sas)
{
	static struct host host;
	static struct test_packet t;
	struct test_esp out;

	host_init(&host);
	add_rule(&host, "", 0, esp_action(ALG_ENCR_AES_GCM16, ALG_AUTH_NONE), NULL);
	if (mixes[_i].wanted)
		add_sa(&host, &gcm, 0x1001, SA_MODE_TRANSPORT, THERE, HERE)->flags |= SA_FLAG_ENCAP;
	else
		(void)add_sa(&host, &gcm, 0x1001, SA_MODE_TRANSPORT, THERE, HERE);
	host_start(&host, HERE, HERE6);
	test_esp_init(&out, test_sa(&gcm, SA_MODE_TRANSPORT, THERE, HERE), 0);
	if (mixes[_i].sent)
		out.sa->flags |= SA_FLAG_ENCAP;
	test_udp(&t, THERE, HERE, 20);
	ck_assert_int_eq(esp_seal(&out.esp, &t.pkt, NULL), VERDICT_OUT_PROTECTED);
	expect(receive_one(&host, &t.pkt),
		mixes[_i].verdict == VERDICT_IN_ACCEPTED ? ENGINE_TO_HOST : ENGINE_DROP,
		mixes[_i].verdict, "mix");
	test_esp_done(&out);
	host_done(&host);
}
END_TEST

/* SAs of a peer behind a translator; what comes with a sound ICV from port 40000. */
static const struct {
	const char *name;
	bool paired, ours_translated, spoilt, partner_plain, partner_in;
	uint16_t configured, port, want;
} moves[] = {
	{ "followed", true, false, false, false, false, 0, 40000, 40000 },
	{ "the default port is known", true, false, false, false, false, 0, 4500, 4500 },
	{ "so is the configured one", true, false, false, false, false, 1024, 1024, 1024 },
	{ "back to the default", true, false, false, false, false, 1024, 4500, 4500 },
	{ "no pair", false, false, false, false, false, 0, 40000, 4500 },
	{ "we are behind a NAT", true, true, false, false, false, 0, 40000, 4500 },
	{ "bad ICV", true, false, true, false, false, 0, 40000, 4500 },
	{ "the pair is plain ESP", true, false, false, true, false, 0, 40000, 4500 },
	{ "the pair comes in too", true, false, false, false, true, 0, 40000, 4500 },
	{ "port 0", true, false, false, false, false, 0, 0, 4500 },
};

START_TEST(port_of_the_peer)
{
	static struct host host;
	static struct test_packet t, back;
	struct packet_view view;
	struct test_esp out;
	struct sa *in, *pair;
	bool moved = moves[_i].want != 4500 && moves[_i].configured == 0;

	host_init(&host);
	add_rule(&host, "", 0, esp_action(ALG_ENCR_AES_GCM16, ALG_AUTH_NONE), NULL);
	in = add_sa(&host, &gcm, 0x1001, SA_MODE_TRANSPORT, OUTSIDE, HERE);
	pair = add_sa(&host, &gcm, 0x1002, SA_MODE_TRANSPORT, HERE, OUTSIDE);
	in->flags |= SA_FLAG_ENCAP;
	pair->flags |= moves[_i].partner_plain ? 0 : SA_FLAG_ENCAP;
	in->natt_remote_port = pair->natt_remote_port = moves[_i].configured;
	if (moves[_i].paired)
		in->pair_spi = 0x1002;
	if (moves[_i].ours_translated)
		in->natt_local = test_address("203.0.113.9");
	host_start(&host, HERE, HERE6);
	if (moves[_i].partner_in)
		host.entries[1]->directions = SA_INBOUND;
	test_esp_init(&out, test_sa(&gcm, SA_MODE_TRANSPORT, OUTSIDE, HERE), 0);
	out.sa->flags |= SA_FLAG_ENCAP;
	test_udp(&t, OUTSIDE, HERE, 20);
	ck_assert_int_eq(esp_seal(&out.esp, &t.pkt, NULL), VERDICT_OUT_PROTECTED);
	store_be16(t.pkt.data + 20, moves[_i].port);
	if (moves[_i].spoilt)
		t.pkt.data[t.pkt.len - 1] ^= 1;
	expect(receive_one(&host, &t.pkt), moves[_i].spoilt ? ENGINE_DROP : ENGINE_TO_HOST,
		moves[_i].spoilt ? VERDICT_ESP_BAD_AUTH : VERDICT_IN_ACCEPTED, moves[_i].name);
	ck_assert_uint_eq(esp_peer_port(pair, host.runs[1]), moves[_i].want);
	if (moves[_i].configured == 1024 && moves[_i].port == 4500)
		moved = true;
	/* Key management hears of it whether or not we follow by ourselves. */
	ck_assert_int_eq((atomic_load(&host.runs[0]->events) & SA_EVENT_MAPPING) != 0,
		!moves[_i].spoilt && !moves[_i].ours_translated && moves[_i].port != 0 &&
			moves[_i].port != esp_peer_port(in, &(struct sa_run){ .seq = 0 }));
	ck_assert_uint_eq(
		atomic_load(&host.counters.packets[VERDICT_SA_PORT_RENUMBERS]), moved ? 1 : 0);
	if (!moves[_i].partner_plain && !moves[_i].partner_in) {
		/* What we answer goes there. */
		test_udp(&back, HERE, OUTSIDE, 5);
		expect(send_one(&host, &back.pkt, -1), ENGINE_TO_WIRE, VERDICT_OUT_PROTECTED,
			moves[_i].name);
		ck_assert(packet_parse(&back.pkt, &view));
		ck_assert_uint_eq(load_be16(back.pkt.data + 20), 4500);
		ck_assert_uint_eq(load_be16(back.pkt.data + 22), moves[_i].want);
	}
	test_esp_done(&out);
	host_done(&host);
}
END_TEST

/* Without a replay window an old packet is accepted again, but not as news of where the peer is. */
START_TEST(old_packets_move_nobody)
{
	static const struct {
		unsigned int which; /* of the sealed packets */
		uint16_t port, want;
	} steps[] = {
		{ 0, 40000, 40000 },
		{ 1, 40001, 40001 },
		{ 0, 50000, 40001 },
		{ 1, 50000, 40001 },
		{ 2, 40002, 40002 },
	};
	static struct test_packet sealed[3], t;
	static struct host host;
	struct test_esp out;
	struct sa *pair;

	host_init(&host);
	add_rule(&host, "", 0, esp_action(ALG_ENCR_AES_GCM16, ALG_AUTH_NONE), NULL);
	add_sa(&host, &gcm, 0x1001, SA_MODE_TRANSPORT, OUTSIDE, HERE)->pair_spi = 0x1002;
	pair = add_sa(&host, &gcm, 0x1002, SA_MODE_TRANSPORT, HERE, OUTSIDE);
	host.entries[0]->sa->flags |= SA_FLAG_ENCAP;
	pair->flags |= SA_FLAG_ENCAP;
	host.runs[0]->window = 0;
	host_start(&host, HERE, HERE6);
	test_esp_init(&out, test_sa(&gcm, SA_MODE_TRANSPORT, OUTSIDE, HERE), 0);
	out.sa->flags |= SA_FLAG_ENCAP;
	for (size_t i = 0; i < ARRAY_SIZE(sealed); i++) {
		test_udp(&sealed[i], OUTSIDE, HERE, 20);
		ck_assert_int_eq(esp_seal(&out.esp, &sealed[i].pkt, NULL), VERDICT_OUT_PROTECTED);
	}
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		test_copy(&t, &sealed[steps[i].which]);
		store_be16(t.pkt.data + 20, steps[i].port);
		expect(receive_one(&host, &t.pkt), ENGINE_TO_HOST, VERDICT_IN_ACCEPTED, "taken");
		ck_assert_uint_eq(esp_peer_port(pair, host.runs[1]), steps[i].want);
	}
	test_esp_done(&out);
	host_done(&host);
}
END_TEST

/* RFC 793 and 768 in full: pseudo header and segment. 0 when the checksum in it holds. */
static uint16_t full_checksum(const struct packet *pkt, const char *src_text, const char *dst_text)
{
	struct address src = test_address(src_text), dst = test_address(dst_text);
	size_t len = pkt->len - 20;
	uint8_t pseudo[12];

	memcpy(pseudo, src.bytes, 4);
	memcpy(pseudo + 4, dst.bytes, 4);
	pseudo[8] = 0;
	pseudo[9] = pkt->data[9];
	store_be16(pseudo + 10, (uint16_t)len);
	return packet_checksum(
		pkt->data + 20, len, (uint16_t)~packet_checksum(pseudo, sizeof(pseudo), 0));
}

/* A TCP or UDP packet whose checksum holds between two addresses. */
static void make_segment(
	struct test_packet *t, uint8_t protocol, const char *src, const char *dst, size_t len)
{
	size_t at = protocol == IPPROTO_TCP ? 16 : 6;
	uint16_t sum;

	test_udp(t, src, dst, len);
	t->pkt.data[9] = protocol;
	store_be16(t->pkt.data + 20 + at, 0);
	packet_set_length(&t->pkt);
	sum = full_checksum(&t->pkt, src, dst);
	store_be16(t->pkt.data + 20 + at, protocol == IPPROTO_UDP && sum == 0 ? 0xffff : sum);
	ck_assert_uint_eq(full_checksum(&t->pkt, src, dst), 0);
}

static const uint8_t transports[] = { IPPROTO_TCP, IPPROTO_UDP };

/* Source, destination or both were translated on the way: after the SA the checksum holds again. */
START_TEST(checksums_are_repaired)
{
	static struct host host;
	static struct test_packet t;
	const char *src = _i & 1 ? INSIDE : OUTSIDE, *dst = _i & 2 ? "203.0.113.9" : HERE;
	uint8_t protocol = transports[_i >> 2 & 1];
	struct test_esp out;
	struct sa *in;

	for (size_t len = 20; len < 60; len += 7) {
		host_init(&host);
		add_rule(&host, "", 0, esp_action(ALG_ENCR_AES_GCM16, ALG_AUTH_NONE), NULL);
		in = add_sa(&host, &gcm, 0x1001, SA_MODE_TRANSPORT, OUTSIDE, HERE);
		in->flags |= SA_FLAG_ENCAP;
		if (_i & 1)
			in->natt_remote = test_address(INSIDE);
		if (_i & 2)
			in->natt_local = test_address("203.0.113.9");
		host_start(&host, HERE, HERE6);
		test_esp_init(&out, test_sa(&gcm, SA_MODE_TRANSPORT, src, dst), 0);
		out.sa->flags |= SA_FLAG_ENCAP;
		make_segment(&t, protocol, src, dst, len);
		ck_assert_int_eq(esp_seal(&out.esp, &t.pkt, NULL), VERDICT_OUT_PROTECTED);
		memcpy(t.pkt.data + 12, in->src.bytes, 4); /* what translators do */
		memcpy(t.pkt.data + 16, in->dst.bytes, 4);
		packet_set_length(&t.pkt);
		expect(receive_one(&host, &t.pkt), ENGINE_TO_HOST, VERDICT_IN_ACCEPTED, "repair");
		ck_assert_uint_eq(full_checksum(&t.pkt, OUTSIDE, HERE), 0);
		test_esp_done(&out);
		host_done(&host);
	}
}
END_TEST

/* What must stay as it is. */
START_TEST(checksums_that_stay)
{
	struct address src = test_address(INSIDE), dst = test_address(HERE);
	struct address other = test_address(HERE6);
	static struct test_packet t, want;
	struct packet_view view;

	make_segment(&t, IPPROTO_UDP, OUTSIDE, HERE, 11);
	store_be16(t.pkt.data + 26, 0); /* left out */
	test_copy(&want, &t);
	ck_assert(packet_parse(&t.pkt, &view));
	packet_move_checksum(&t.pkt, &view, &src, &dst);
	ck_assert_int_eq(memcmp(t.pkt.data, want.pkt.data, want.pkt.len), 0);
	/* ICMP covers no addresses, a cut header has no checksum, a family is no other. */
	for (int how = 0; how < 3; how++) {
		make_segment(&t, IPPROTO_TCP, OUTSIDE, HERE, 20);
		if (how == 0)
			t.pkt.data[9] = IPPROTO_ICMP;
		if (how == 1)
			t.pkt.len = 20 + 17;
		packet_set_length(&t.pkt);
		test_copy(&want, &t);
		ck_assert(packet_parse(&t.pkt, &view));
		packet_move_checksum(&t.pkt, &view, how == 2 ? &other : &src, &dst);
		ck_assert_int_eq(memcmp(t.pkt.data, want.pkt.data, want.pkt.len), 0);
	}
	/* A wrong one is not made right. */
	make_segment(&t, IPPROTO_TCP, INSIDE, HERE, 20);
	t.pkt.data[30] ^= 0x40;
	ck_assert(packet_parse(&t.pkt, &view));
	view.src = test_address(OUTSIDE);
	packet_move_checksum(&t.pkt, &view, &src, &dst);
	ck_assert_uint_ne(full_checksum(&t.pkt, OUTSIDE, HERE), 0);
}
END_TEST

/* Over IPv6 others need not take a datagram without a checksum. */
START_TEST(ipv6_gets_its_checksum)
{
	static struct test_packet t, want;
	struct packet_view view;
	struct address src = test_address(HERE6), dst = test_address(THERE6);
	uint8_t pseudo[40] = { 0 };
	size_t len;

	test_udp(&t, HERE6, THERE6, (size_t)_i + 1);
	packet_fill_checksum(&t.pkt);
	len = t.pkt.len - 40;
	memcpy(pseudo, src.bytes, 16);
	memcpy(pseudo + 16, dst.bytes, 16);
	store_be32(pseudo + 32, (uint32_t)len);
	pseudo[39] = IPPROTO_UDP;
	ck_assert_uint_ne(load_be16(t.pkt.data + 46), 0);
	ck_assert_uint_eq(packet_checksum(t.pkt.data + 40, len,
				  (uint16_t)~packet_checksum(pseudo, sizeof(pseudo), 0)),
		0);
	test_copy(&want, &t); /* one that is there stays */
	packet_fill_checksum(&t.pkt);
	ck_assert_int_eq(memcmp(t.pkt.data, want.pkt.data, want.pkt.len), 0);
	test_udp(&t, HERE, THERE, 5); /* IPv4 may do without */
	packet_fill_checksum(&t.pkt);
	ck_assert_uint_eq(load_be16(t.pkt.data + 26), 0);
	ck_assert(packet_parse(&t.pkt, &view));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("natt");
	TCase *tc = tcase_create("natt");

	tcase_add_loop_test(tc, demultiplexing, 0, (int)ARRAY_SIZE(datagrams));
	tcase_add_loop_test(tc, encapsulation_is_the_sas, 0, (int)ARRAY_SIZE(mixes));
	tcase_add_loop_test(tc, port_of_the_peer, 0, (int)ARRAY_SIZE(moves));
	tcase_add_test(tc, old_packets_move_nobody);
	tcase_add_loop_test(tc, checksums_are_repaired, 0, 8);
	tcase_add_test(tc, checksums_that_stay);
	tcase_add_loop_test(tc, ipv6_gets_its_checksum, 0, 9);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
