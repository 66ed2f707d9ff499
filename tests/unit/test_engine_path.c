/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which ICMP errors are about packets of ours. */
#include "tests/unit/engine_host.h"
#include "tests/unit/suite.h"

#define SENT 100000

static struct host host;

static void setup(void)
{
	host_init(&host);
	(void)add_sa(&host, &gcm, 0x3001, SA_MODE_TRANSPORT, HERE, THERE);
	(void)add_sa(&host, &gcm, 0x3002, SA_MODE_TRANSPORT, THERE, HERE);
	(void)add_sa(&host, &gcm, 0x3003, SA_MODE_TRANSPORT, HERE6, THERE6);
	host_start(&host, HERE, HERE6);
	for (size_t i = 0; i < 3; i++)
		atomic_store(&host.runs[i]->seq, SENT);
	/* The low half has just begun anew. */
	atomic_store(&host.runs[2]->seq, (UINT64_C(1) << 32) + 10);
}

static void teardown(void)
{
	host_done(&host);
}

static const struct {
	const char *name, *dst;
	uint8_t protocol;
	uint32_t spi, seq;
	size_t len;
	bool known;
} cases[] = {
	{ "the last one", THERE, IPPROTO_ESP, 0x3001, SENT, 8, true },
	{ "more of it", THERE, IPPROTO_ESP, 0x3001, SENT, 16, true },
	{ "the oldest that counts", THERE, IPPROTO_ESP, 0x3001, SENT - 65535, 8, true },
	{ "an older one", THERE, IPPROTO_ESP, 0x3001, SENT - 65536, 8, false },
	{ "none that was sent", THERE, IPPROTO_ESP, 0x3001, SENT + 1, 8, false },
	{ "zero", THERE, IPPROTO_ESP, 0x3001, 0, 8, false },
	{ "another SPI", THERE, IPPROTO_ESP, 0x3009, SENT, 8, false },
	{ "another destination", "192.0.2.7", IPPROTO_ESP, 0x3001, SENT, 8, false },
	{ "an SA of the peer's", HERE, IPPROTO_ESP, 0x3002, SENT, 8, false },
	{ "too short", THERE, IPPROTO_ESP, 0x3001, SENT, 7, false },
	{ "nothing", THERE, IPPROTO_ESP, 0x3001, SENT, 0, false },
	{ "AH without such an SA", THERE, IPPROTO_AH, 0x3001, SENT, 16, false },
	{ "IPv6, behind 2^32", THERE6, IPPROTO_ESP, 0x3003, 10, 8, true },
	{ "IPv6, before 2^32", THERE6, IPPROTO_ESP, 0x3003, UINT32_MAX, 8, true },
	{ "IPv6, ahead", THERE6, IPPROTO_ESP, 0x3003, 11, 8, false },
};

START_TEST(errors)
{
	uint8_t bytes[16] = { 0 };
	struct engine_report report = { .protocol = cases[_i].protocol,
		.dst = test_address(cases[_i].dst),
		.bytes = bytes,
		.len = cases[_i].len };
	size_t at = cases[_i].protocol == IPPROTO_AH ? 4 : 0;

	store_be32(bytes + at, cases[_i].spi);
	store_be32(bytes + at + 4, cases[_i].seq);
	ck_assert_msg(engine_knows(host.engine, &report) == cases[_i].known, "%s", cases[_i].name);
	ck_assert_uint_eq(atomic_load(&host.counters.packets[VERDICT_ESP_ICMP]), 1);
}
END_TEST

/* The packet that an error brings back; the error goes from HERE to THERE. */
static const struct {
	const char *name, *src, *dst;
	uint8_t type;
	size_t len; /* of what is brought back */
	enum verdict verdict;
} enclosed[] = {
	{ "of the way back", THERE, HERE, 3, 28, VERDICT_IN_ACCEPTED },
	{ "time exceeded", THERE, HERE, 11, 28, VERDICT_IN_ACCEPTED },
	{ "of this way", HERE, THERE, 3, 28, VERDICT_SPD_ESP_INNERMISMATCH },
	{ "to somebody else", THERE, "192.0.2.9", 3, 28, VERDICT_SPD_ESP_INNERMISMATCH },
	{ "from somebody else", "192.0.2.9", HERE, 3, 28, VERDICT_SPD_ESP_INNERMISMATCH },
	{ "cut", THERE, HERE, 3, 19, VERDICT_SPD_ESP_INNERMISMATCH },
	{ "no error", "192.0.2.9", HERE, 8, 28, VERDICT_IN_ACCEPTED },
};

START_TEST(errors_through_an_sa)
{
	static struct test_packet sent, about;
	struct test_esp out;

	host_init(&host);
	add_rule(&host, "", 0, esp_action(ALG_ENCR_AES_GCM16, ALG_AUTH_NONE), NULL);
	(void)add_sa(&host, &gcm, 0x1001, SA_MODE_TRANSPORT, HERE, THERE);
	host_start(&host, THERE, THERE6);
	test_esp_init(&out, test_sa(&gcm, SA_MODE_TRANSPORT, HERE, THERE), 0);
	test_udp(&about, enclosed[_i].src, enclosed[_i].dst, 0);
	test_udp(&sent, HERE, THERE, enclosed[_i].len);
	sent.pkt.data[9] = IPPROTO_ICMP;
	sent.pkt.data[20] = enclosed[_i].type;
	memcpy(sent.pkt.data + 28, about.pkt.data, enclosed[_i].len);
	packet_set_length(&sent.pkt);
	ck_assert_int_eq(esp_seal(&out.esp, &sent.pkt, NULL), VERDICT_OUT_PROTECTED);
	expect(receive_one(&host, &sent.pkt),
		enclosed[_i].verdict == VERDICT_IN_ACCEPTED ? ENGINE_TO_HOST : ENGINE_DROP,
		enclosed[_i].verdict, enclosed[_i].name);
	test_esp_done(&out);
	host_done(&host);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("engine_path");
	TCase *tc = tcase_create("engine_path");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, errors, 0, (int)ARRAY_SIZE(cases));
	suite_add_tcase(suite, tc);
	tc = tcase_create("enclosed");
	tcase_add_loop_test(tc, errors_through_an_sa, 0, (int)ARRAY_SIZE(enclosed));
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
