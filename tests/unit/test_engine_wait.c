/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packets that wait for an SA which somebody is to bring, out and in. */
#include "tests/unit/engine_host.h"
#include "tests/unit/suite.h"

static bool hold(const struct sadb_acquire *acquire, const struct packet *pkt,
	struct engine_waiting waiting, void *userdata)
{
	struct host *host = userdata;

	ck_assert_uint_gt(pkt->len, 0);
	ck_assert(waiting.inbound == (acquire->spi != 0));
	host->n_asked++;
	return host->n_asked == 1; /* there is room for one */
}

static void let_wait(struct host *host)
{
	struct engine_setup setup = { .view = &host->view,
		.counters = &host->counters,
		.on_acquire = on_acquire,
		.hold = hold,
		.userdata = host };

	(void)engine_free(host->engine);
	ck_assert_int_eq(engine_new(&setup, &host->engine), 0);
	host->n_asked = 0;
}

/* Packets in want of an SA that somebody is to bring: kept while there is room, else dropped. */
START_TEST(packets_wait)
{
	static struct test_packet sent;
	static struct host host, peer;

	host_init(&host);
	add_rule(&host, "", IPPROTO_UDP, esp_action(ALG_ENCR_AES_GCM16, ALG_AUTH_NONE), NULL);
	add_sa(&host, &gcm, 0x1001, SA_MODE_TRANSPORT, THERE, HERE);
	host_start(&host, HERE, HERE6);
	let_wait(&host);
	sad_set_managed(host.sad, true);
	for (size_t i = 0; i < 2; i++) {
		test_udp(&sent, HERE, THERE, 20);
		expect(send_one(&host, &sent.pkt, -1), i ? ENGINE_DROP : ENGINE_HELD,
			i ? VERDICT_SADB_ACQUIRE : VERDICT_OUT_WAITING, "out");
	}
	/* The peer is faster than the key manager that gave it the number. */
	host_init(&peer);
	add_rule(&peer, "", IPPROTO_UDP, esp_action(ALG_ENCR_AES_GCM16, ALG_AUTH_NONE), NULL);
	add_sa(&peer, &gcm, 0x1001, SA_MODE_TRANSPORT, THERE, HERE);
	host_start(&peer, THERE, THERE6);
	atomic_store(&host.entries[0]->run->state, SA_LARVAL);
	let_wait(&host);
	for (size_t i = 0; i < 2; i++) {
		test_udp(&sent, THERE, HERE, 20);
		expect(send_one(&peer, &sent.pkt, -1), ENGINE_TO_WIRE, VERDICT_OUT_PROTECTED,
			"sealed");
		expect(receive_one(&host, &sent.pkt), i ? ENGINE_DROP : ENGINE_HELD,
			i ? VERDICT_ESP_NO_SA : VERDICT_IN_WAITING, "in");
	}
	host_done(&host);
	host_done(&peer);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("engine_wait");
	TCase *tc = tcase_create("engine_wait");

	tcase_add_test(tc, packets_wait);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
