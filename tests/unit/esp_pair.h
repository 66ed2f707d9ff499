/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Suites and shapes of ESP packets, and the two ends of an SA, for the suites of esp. */
#ifndef UNIT_ESP_PAIR_H
#define UNIT_ESP_PAIR_H

#include "services/datapath/replay/replay.h"
#include "tests/unit/packets.h"

static const struct test_suite suites[] = { TEST_SUITES };

/* Transport, then the four family mixes of tunnel mode. */
static const struct shape {
	const char *name;
	enum sa_mode mode;
	const char *src, *dst; /* inner */
	const char *outer_src, *outer_dst;
	size_t keep, outer;
} shapes[] = {
	{ "transport 4", SA_MODE_TRANSPORT, "192.0.2.1", "192.0.2.2", "192.0.2.1", "192.0.2.2", 20,
		0 },
	{ "transport 6", SA_MODE_TRANSPORT, "2001:db8::1", "2001:db8::2", "2001:db8::1",
		"2001:db8::2", 40, 0 },
	{ "tunnel 4 in 4", SA_MODE_TUNNEL, "10.1.0.1", "10.2.0.1", "192.0.2.1", "192.0.2.2", 0,
		20 },
	{ "tunnel 6 in 4", SA_MODE_TUNNEL, "2001:db8:1::1", "2001:db8:2::1", "192.0.2.1",
		"192.0.2.2", 0, 20 },
	{ "tunnel 4 in 6", SA_MODE_TUNNEL, "10.1.0.1", "10.2.0.1", "2001:db8::1", "2001:db8::2", 0,
		40 },
	{ "tunnel 6 in 6", SA_MODE_TUNNEL, "2001:db8:1::1", "2001:db8:2::1", "2001:db8::1",
		"2001:db8::2", 0, 40 },
};

#define N_CASES (ARRAY_SIZE(suites) * ARRAY_SIZE(shapes))

static inline void make_pair(struct test_esp *t, const struct test_suite *suite,
	const struct shape *shape, uint32_t window)
{
	test_esp_init(t, test_sa(suite, shape->mode, shape->outer_src, shape->outer_dst), window);
}

static inline enum verdict open_packet(const struct test_esp *t, struct packet *pkt)
{
	struct packet_view view;

	ck_assert(packet_parse(pkt, &view));
	ck_assert_uint_eq(view.protocol, IPPROTO_ESP);
	return esp_open(&t->esp, pkt, &view);
}

static inline void expect_same(
	const struct packet *pkt, const struct packet *want, const char *what)
{
	ck_assert_msg(pkt->len == want->len, "%s: %zu octets, not %zu", what, pkt->len, want->len);
	ck_assert_msg(memcmp(pkt->data, want->data, want->len) == 0, "%s: other octets", what);
}

#define null_suite (&suites[2])
#define gcm_suite  (&suites[11])
#define cbc_suite  (&suites[6])

#endif
