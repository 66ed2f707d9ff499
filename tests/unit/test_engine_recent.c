/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an engine keeps from one packet to the next serves no packet that is another's. */
#include "tests/unit/engine_host.h"
#include "tests/unit/suite.h"

#define SPI 0x1001

static void add_inbound_rule(struct host *host)
{
	add_rule(host, "", 0, esp_action(ALG_ENCR_AES_GCM16, ALG_AUTH_NONE), NULL);
}

static void sender_init(struct host *host, uint32_t spi, uint8_t key_octet)
{
	struct sa *sa;

	host_init(host);
	add_inbound_rule(host);
	sa = add_sa(host, &gcm, spi, SA_MODE_TRANSPORT, HERE, THERE);
	(void)secret_unref(sa->encr_key);
	ck_assert_int_eq(secret_new((const uint8_t[20]){ key_octet }, 20, &sa->encr_key), 0);
	host_start(host, HERE, HERE6);
}

static void receiver_init(struct host *host, unsigned int n_sas)
{
	host_init(host);
	add_inbound_rule(host);
	for (unsigned int i = 0; i < n_sas; i++) {
		struct sa *sa = add_sa(host, &gcm, SPI + i, SA_MODE_TRANSPORT, HERE, THERE);

		(void)secret_unref(sa->encr_key);
		ck_assert_int_eq(
			secret_new((const uint8_t[20]){ (uint8_t)i }, 20, &sa->encr_key), 0);
	}
	host_start(host, THERE, THERE6);
}

static void seal_one(struct host *host, struct test_packet *packet)
{
	test_udp(packet, HERE, THERE, 20);
	expect(send_one(host, &packet->pkt, -1), ENGINE_TO_WIRE, VERDICT_OUT_PROTECTED, "sealed");
}

/* Between the same two hosts, each with a key of its own. */
START_TEST(sas_in_turn)
{
	enum { PACKETS = 6 };
	static struct host senders[2], receiver;
	static struct test_packet packets[PACKETS];
	struct packet *pkts[PACKETS];
	struct engine_result results[PACKETS];

	receiver_init(&receiver, 2);
	for (unsigned int i = 0; i < 2; i++)
		sender_init(&senders[i], SPI + i, (uint8_t)i);
	for (size_t i = 0; i < PACKETS; i++) {
		seal_one(&senders[i % 3 == 1], &packets[i]);
		pkts[i] = &packets[i].pkt;
	}
	engine_inbound(receiver.engine, pkts, PACKETS, results);
	for (size_t i = 0; i < PACKETS; i++)
		expect(results[i], ENGINE_TO_HOST, VERDICT_IN_ACCEPTED, "in turn");
	/* The batch after that begins with the SA that came last, then with the other one. */
	seal_one(&senders[1], &packets[0]);
	expect(receive_one(&receiver, &packets[0].pkt), ENGINE_TO_HOST, VERDICT_IN_ACCEPTED, "one");
	seal_one(&senders[0], &packets[0]);
	expect(receive_one(&receiver, &packets[0].pkt), ENGINE_TO_HOST, VERDICT_IN_ACCEPTED,
		"other");
	for (unsigned int i = 0; i < 2; i++)
		host_done(&senders[i]);
	host_done(&receiver);
}
END_TEST

START_TEST(sas_come_and_go)
{
	static struct host sender, receiver;
	static struct test_packet packet;
	struct sad_entry *entry;

	sender_init(&sender, SPI + 1, 1);
	receiver_init(&receiver, 1);
	seal_one(&sender, &packet);
	expect(receive_one(&receiver, &packet.pkt), ENGINE_DROP, VERDICT_ESP_NO_SA, "not yet");

	(void)add_sa(&receiver, &gcm, SPI + 1, SA_MODE_TRANSPORT, HERE, THERE);
	entry = receiver.entries[1];
	(void)secret_unref(entry->sa->encr_key);
	ck_assert_int_eq(secret_new((const uint8_t[20]){ 1 }, 20, &entry->sa->encr_key), 0);
	entry->directions = SA_INBOUND;
	ck_assert_int_eq(sad_insert(receiver.sad, entry), 0);
	seal_one(&sender, &packet);
	expect(receive_one(&receiver, &packet.pkt), ENGINE_TO_HOST, VERDICT_IN_ACCEPTED, "came");

	sad_remove(receiver.sad, entry, NULL, NULL);
	seal_one(&sender, &packet);
	expect(receive_one(&receiver, &packet.pkt), ENGINE_DROP, VERDICT_ESP_NO_SA, "gone");
	host_done(&sender);
	host_done(&receiver);
}
END_TEST

/* One flow, to which two tunnels say different things. */
START_TEST(tunnels_in_turn)
{
	static struct test_packet packet;
	static struct host host;

	host_init(&host);
	(void)add_tunnel(&host, "ip.tun0", HERE, THERE);
	(void)add_tunnel(&host, "ip.tun1", HERE, "192.0.2.3");
	add_rule(&host, "ip.tun0", 0, plain_action(ACTION_BYPASS), NULL);
	add_rule(&host, "ip.tun1", 0, plain_action(ACTION_DISCARD), NULL);
	host_start(&host, HERE, HERE6);
	for (unsigned int i = 0; i < 3; i++) {
		test_udp(&packet, "10.0.0.1", "10.0.0.2", 20);
		expect(send_one(&host, &packet.pkt, 0), ENGINE_TO_WIRE, VERDICT_OUT_ENCAPSULATED,
			"bypass");
		test_udp(&packet, "10.0.0.1", "10.0.0.2", 20);
		expect(send_one(&host, &packet.pkt, 1), ENGINE_DROP, VERDICT_SPD_EXPLICIT, "drop");
	}
	host_done(&host);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("engine_recent");
	TCase *tc = tcase_create("engine_recent");

	tcase_add_test(tc, sas_in_turn);
	tcase_add_test(tc, sas_come_and_go);
	tcase_add_test(tc, tunnels_in_turn);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
