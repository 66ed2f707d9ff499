/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An AH SA with everything that the transform needs, for the suites of AH. */
#ifndef UNIT_AH_PAIR_H
#define UNIT_AH_PAIR_H

#include "services/datapath/ah/ah.h"
#include "services/datapath/replay/replay.h"
#include "tests/unit/packets.h"

#define A4 "192.0.2.1"
#define B4 "192.0.2.2"
#define A6 "2001:db8::1"
#define B6 "2001:db8::2"

struct test_ah {
	struct ah_sa ah;
	struct suite suite;
	struct sa *sa;
	struct sa_run *run;
	struct suite_mac *mac;
};

static inline void expect_verdict(enum verdict got, enum verdict want, const char *what)
{
	ck_assert_msg(got == want, "%s: %s", what, verdict_name(got));
}

static inline struct sa *test_ah_sa(
	uint8_t auth, enum sa_mode mode, const char *src, const char *dst)
{
	const struct suite_auth *row = suite_auth_row(auth);
	struct sa *sa = sa_new();

	ck_assert_ptr_nonnull(sa);
	ck_assert_ptr_nonnull(row);
	sa->proto = SA_PROTO_AH;
	sa->spi = 0x2002;
	sa->mode = mode;
	sa->src = test_address(src);
	sa->dst = test_address(dst);
	sa->auth = auth;
	sa->auth_key_bits = (uint16_t)(row->key_bytes * 8);
	sa->auth_key = test_key(row->key_bytes, 17);
	sa->state = SA_MATURE;
	return sa;
}

static inline void test_ah_init(struct test_ah *t, struct sa *sa, uint32_t window)
{
	memset(t, 0, sizeof(*t));
	t->sa = sa;
	t->run = test_run(window);
	ck_assert_int_eq(ah_suite_of(sa, &t->suite), 0);
	ck_assert_int_eq(suite_mac_new(t->suite.auth, secret_bytes(sa->auth_key),
				 secret_len(sa->auth_key), &t->mac),
		0);
	t->ah = (struct ah_sa){ .sa = sa, .suite = &t->suite, .mac = t->mac, .run = t->run };
}

static inline void test_ah_done(struct test_ah *t)
{
	(void)sa_free(t->sa);
	free(t->run);
	(void)suite_mac_free(t->mac);
}

static inline enum verdict test_ah_open(const struct test_ah *t, struct packet *pkt)
{
	struct packet_view view;

	ck_assert(packet_parse(pkt, &view));
	ck_assert_uint_eq(view.protocol, IPPROTO_AH);
	return ah_open(&t->ah, pkt, &view);
}

#endif
