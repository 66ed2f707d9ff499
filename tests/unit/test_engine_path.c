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

int main(void)
{
	Suite *suite = suite_create("engine_path");
	TCase *tc = tcase_create("engine_path");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, errors, 0, (int)ARRAY_SIZE(cases));
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
