/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which SAs are to send dummy packets, and when. */
#include <errno.h>

#include "tests/unit/sadb_fixture.h"

static struct sa *dummy_sa(uint32_t spi, uint32_t msec)
{
	struct sa *sa = fixture_sa(spi);

	sa->mode = SA_MODE_TUNNEL;
	sa->inner_src = prefix_host(&sa->src);
	sa->inner_dst = prefix_host(&sa->dst);
	sa->tfc_dummy_msec = msec;
	return sa;
}

/* As the seal path does: what is sent was the last use. */
static void count(struct sad_entry *entry, void *userdata)
{
	unsigned int *sent = userdata;

	ck_assert_uint_eq(entry->sa->spi, 0x1001);
	(*sent)++;
}

static unsigned int pass(struct sadb_fixture *f, uint64_t sec)
{
	unsigned int sent = 0;

	fixture_pass(f, sec);
	sadb_break_silence(f->sadb, count, &sent);
	return sent;
}

START_TEST(silent_ones_speak)
{
	struct sadb_fixture *f = fixture_new();
	struct sad_entry *entry = fixture_add(f, dummy_sa(0x1001, 4500));

	ck_assert_uint_eq(pass(f, 4), 0);
	ck_assert_uint_eq(pass(f, 1), 1);
	atomic_store(&entry->run->last_use_usec, f->now);
	ck_assert_uint_eq(pass(f, 4), 0);
	atomic_store(&entry->run->last_use_usec, f->now);
	ck_assert_uint_eq(pass(f, 4), 0); /* traffic does the same */
	ck_assert_uint_eq(pass(f, 1), 1);
	atomic_store(&entry->run->state, SA_DYING);
	ck_assert_uint_eq(pass(f, 5), 1);
	atomic_store(&entry->run->state, SA_DEAD);
	ck_assert_uint_eq(pass(f, 5), 0);
	fixture_done(f);
}
END_TEST

/* Nobody asked for them, what only comes in, and what does not know its own address. */
START_TEST(others_are_quiet)
{
	struct sadb_fixture *f = fixture_new();
	struct sa *in = fixture_sa_in(0x1002), *open = dummy_sa(0x1004, 1000);

	in->mode = SA_MODE_TUNNEL;
	in->inner_src = prefix_host(&in->src);
	in->inner_dst = prefix_host(&in->dst);
	in->tfc_dummy_msec = 1000;
	open->src = fixture_addr("0.0.0.0");
	open->directions = SA_OUTBOUND;
	(void)fixture_add(f, in);
	(void)fixture_add(f, dummy_sa(0x1003, 0));
	(void)fixture_add(f, open);
	ck_assert_uint_eq(pass(f, 100), 0);
	/* And with one among them that is not. */
	(void)fixture_add(f, dummy_sa(0x1001, 1000));
	ck_assert_uint_eq(pass(f, 100), 1);
	fixture_done(f);
}
END_TEST

START_TEST(tunnel_mode_alone)
{
	struct sadb_fixture *f = fixture_new();
	struct sadb_refusal refusal = { 0 };
	struct sa *sa = fixture_sa(0x1001);

	sa->tfc_dummy_msec = 1000;
	ck_assert_int_eq(sadb_add(f->sadb, sa, NULL, &refusal), -EINVAL);
	ck_assert_uint_eq(refusal.diagnostic, PFKEY_DIAG_MALFORMED_SA);
	sa_free(sa);
	fixture_done(f);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sadb_dummy");
	TCase *tc = tcase_create("sadb_dummy");

	tcase_add_test(tc, silent_ones_speak);
	tcase_add_test(tc, others_are_quiet);
	tcase_add_test(tc, tunnel_mode_alone);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
