/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Self-encapsulation: a tunnel-mode SA between two hosts serves their transport-mode policy. */
#include "tests/unit/engine_host.h"
#include "tests/unit/suite.h"

#define SPI_SELF 0x3001

static void close_to_ends(struct sa *sa)
{
	sa->inner_src = prefix_host(&sa->src);
	sa->inner_dst = prefix_host(&sa->dst);
}

static void make_host(struct host *host, const char *src, const char *dst, bool has_rule)
{
	host_init(host);
	if (has_rule)
		add_rule(host, "", 0, esp_action(ALG_ENCR_AES_GCM16, ALG_AUTH_NONE), NULL);
	close_to_ends(add_sa(host, &gcm, SPI_SELF, SA_MODE_TUNNEL, src, dst));
}

static void begin(struct host *sender, struct host *receiver)
{
	host_start(sender, HERE, HERE6);
	host_start(receiver, THERE, THERE6);
}

static const struct {
	const char *src, *dst;
	bool options;
	size_t header;
} ways[] = {
	{ HERE, THERE, false, 20 },
	{ HERE, THERE, true, 20 },
	{ HERE6, THERE6, false, 40 },
};

/* Options of IPv4, here a router alert, are inside and so nobody sees them. */
static void add_option(struct packet *pkt)
{
	uint8_t header[20];

	memcpy(header, pkt->data, sizeof(header));
	ck_assert_ptr_nonnull(packet_push(pkt, 4));
	memcpy(pkt->data, header, sizeof(header));
	memcpy(pkt->data + 20, "\x94\x04\0\0", 4);
	pkt->data[0] = 0x46;
	packet_set_length(pkt);
}

START_TEST(both_ways)
{
	static struct test_packet sent, clear;
	static struct host sender, receiver;
	size_t header = ways[_i].header, ends_at = header == 20 ? 12 : 8, ends = header - ends_at;
	struct engine_result result;

	make_host(&sender, ways[_i].src, ways[_i].dst, true);
	make_host(&receiver, ways[_i].src, ways[_i].dst, true);
	begin(&sender, &receiver);
	test_udp(&sent, ways[_i].src, ways[_i].dst, 40);
	if (ways[_i].options)
		add_option(&sent.pkt);
	test_copy(&clear, &sent);
	for (unsigned int n = 0; n < 2; n++) { /* the second time from the cache */
		test_copy(&sent, &clear);
		expect(send_one(&sender, &sent.pkt, -1), ENGINE_TO_WIRE, VERDICT_OUT_PROTECTED,
			"sent");
		ck_assert_uint_eq(sent.pkt.data[0], header == 20 ? 0x45 : 0x60);
		ck_assert_uint_eq(sent.pkt.data[header == 20 ? 9 : 6], IPPROTO_ESP);
		ck_assert_mem_eq(sent.pkt.data + ends_at, clear.pkt.data + ends_at, ends);
		ck_assert_uint_ge(sent.pkt.len, header + 8 + 8 + clear.pkt.len + 2 + 16);
		result = receive_one(&receiver, &sent.pkt);
		expect(result, ENGINE_TO_HOST, VERDICT_IN_ACCEPTED, "received");
		ck_assert_int_eq(result.tunnel, -1);
		ck_assert_uint_eq(sent.pkt.len, clear.pkt.len);
		ck_assert_mem_eq(sent.pkt.data, clear.pkt.data, clear.pkt.len);
	}
	ck_assert_uint_eq(sender.n_asked, 0);
	host_done(&sender);
	host_done(&receiver);
}
END_TEST

/* Who has both keeps to transport mode. */
START_TEST(transport_comes_first)
{
	static struct test_packet sent;
	static struct host sender;

	make_host(&sender, HERE, THERE, true);
	add_sa(&sender, &gcm, 0x4001, SA_MODE_TRANSPORT, HERE, THERE);
	host_start(&sender, HERE, HERE6);
	test_udp(&sent, HERE, THERE, 40);
	expect(send_one(&sender, &sent.pkt, -1), ENGINE_TO_WIRE, VERDICT_OUT_PROTECTED, "sent");
	ck_assert_uint_eq(load_be32(sent.pkt.data + 20), 0x4001);
	host_done(&sender);
}
END_TEST

/* The SA of two gateways is for the networks behind them; transport mode is asked for instead. */
START_TEST(gateways_are_no_hosts)
{
	static struct test_packet sent;
	static struct host sender;
	struct sa *sa;

	host_init(&sender);
	add_rule(&sender, "", 0, esp_action(ALG_ENCR_AES_GCM16, ALG_AUTH_NONE), NULL);
	sa = add_sa(&sender, &gcm, SPI_SELF, SA_MODE_TUNNEL, HERE, THERE);
	ck_assert_int_eq(prefix_make(&sa->src, 24, &sa->inner_src), 0);
	ck_assert_int_eq(prefix_make(&sa->dst, 24, &sa->inner_dst), 0);
	host_start(&sender, HERE, HERE6);
	test_udp(&sent, HERE, THERE, 40);
	expect(send_one(&sender, &sent.pkt, -1), ENGINE_DROP, VERDICT_SADB_ACQUIRE, "sent");
	ck_assert_int_eq(sender.asked.mode, SA_MODE_TRANSPORT);
	host_done(&sender);
}
END_TEST

enum spoil { NOTHING, FRAGMENT, IP_IN_IP, SOURCE_ROUTE, OTHER_SOURCE, OTHER_DESTINATION };
static const struct {
	const char *name;
	enum spoil spoil;
	bool has_rule;
	enum verdict in;
} refused[] = {
	{ "sound", NOTHING, true, VERDICT_IN_ACCEPTED },
	{ "nobody asks for protection", NOTHING, false, VERDICT_SPD_GOT_SECURE },
	{ "a fragment", FRAGMENT, true, VERDICT_ESP_BAD_INNER },
	{ "a second level", IP_IN_IP, true, VERDICT_ESP_BAD_INNER },
	{ "on its way elsewhere", SOURCE_ROUTE, true, VERDICT_ESP_BAD_INNER },
	{ "from somebody else", OTHER_SOURCE, true, VERDICT_SPD_GOT_SECURE },
	{ "to somebody else", OTHER_DESTINATION, true, VERDICT_SPD_GOT_SECURE },
};

static void spoil(struct test_packet *t, enum spoil how)
{
	test_udp(t, how == OTHER_SOURCE ? "192.0.2.9" : HERE,
		how == OTHER_DESTINATION ? "192.0.2.9" : THERE, 40);
	switch (how) {
	case FRAGMENT:
		store_be16(t->pkt.data + 6, 0x2000);
		break;
	case IP_IN_IP:
		test_push_ip(&t->pkt, IPPROTO_IPIP, HERE, THERE);
		break;
	case SOURCE_ROUTE: {
		uint8_t header[20];

		memcpy(header, t->pkt.data, sizeof(header));
		ck_assert_ptr_nonnull(packet_push(&t->pkt, 8));
		memcpy(t->pkt.data, header, sizeof(header));
		memcpy(t->pkt.data + 20, "\x83\x07\x04\xc0\0\2\x09\0", 8);
		t->pkt.data[0] = 0x47;
		break;
	}
	case NOTHING:
	case OTHER_SOURCE:
	case OTHER_DESTINATION:
		break;
	}
	packet_set_length(&t->pkt);
}

/* Authentic all the same: the peer has the key. */
START_TEST(what_is_refused)
{
	static struct test_packet sent;
	static struct host receiver;
	struct sa *sa = test_sa(&gcm, SA_MODE_TUNNEL, HERE, THERE);
	struct test_esp peer;

	make_host(&receiver, HERE, THERE, refused[_i].has_rule);
	host_start(&receiver, THERE, THERE6);
	sa->spi = SPI_SELF;
	test_esp_init(&peer, sa, 0);
	spoil(&sent, refused[_i].spoil);
	ck_assert_int_eq(esp_seal(&peer.esp, &sent.pkt, NULL), VERDICT_OUT_PROTECTED);
	expect(receive_one(&receiver, &sent.pkt),
		refused[_i].in == VERDICT_IN_ACCEPTED ? ENGINE_TO_HOST : ENGINE_DROP,
		refused[_i].in, refused[_i].name);
	test_esp_done(&peer);
	host_done(&receiver);
}
END_TEST

/* What the receiver would refuse is not sent. */
START_TEST(what_is_not_sent)
{
	static const enum spoil spoils[] = { FRAGMENT, IP_IN_IP };
	static struct test_packet sent;
	static struct host sender;

	make_host(&sender, HERE, THERE, true);
	host_start(&sender, HERE, HERE6);
	spoil(&sent, spoils[_i]);
	expect(send_one(&sender, &sent.pkt, -1), ENGINE_DROP, VERDICT_ESP_BAD_INNER, "refused");
	host_done(&sender);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("engine_self");
	TCase *tc = tcase_create("engine_self");

	tcase_add_loop_test(tc, both_ways, 0, (int)ARRAY_SIZE(ways));
	tcase_add_test(tc, transport_comes_first);
	tcase_add_test(tc, gateways_are_no_hosts);
	tcase_add_loop_test(tc, what_is_refused, 0, (int)ARRAY_SIZE(refused));
	tcase_add_loop_test(tc, what_is_not_sent, 0, 2);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
