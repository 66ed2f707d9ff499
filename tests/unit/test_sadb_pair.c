/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pairs: how they are made, who dies with whom, who stays behind. */
#include "services/datapath/sad/sadb.h"

#include <errno.h>

#include "tests/unit/sadb_fixture.h"

#define OUT 0x1001U
#define IN  0x2001U

/* The outbound SA first, the inbound one names it. */
static void make_pair(struct sadb_fixture *f, uint64_t out_hard_sec, uint64_t in_hard_sec)
{
	struct sa *out = fixture_sa(OUT), *in = fixture_sa_in(IN);

	out->hard.add_sec = out_hard_sec;
	in->hard.add_sec = in_hard_sec;
	in->pair_spi = OUT;
	(void)fixture_add(f, out);
	(void)fixture_add(f, in);
	ck_assert_uint_eq(fixture_find(f, OUT)->control.pair_spi, IN);
	ck_assert_uint_eq(fixture_find(f, IN)->control.pair_spi, OUT);
	f->n_events = 0;
}

START_TEST(third_wheel)
{
	struct sadb_fixture *f = fixture_new();
	struct sa *other = fixture_sa_in(0x2002);
	struct sadb_refusal refusal = { 0 };

	make_pair(f, 0, 0);
	other->pair_spi = OUT;
	ck_assert_int_eq(sadb_add(f->sadb, other, NULL, &refusal), -EINVAL);
	ck_assert_uint_eq(refusal.diagnostic, PFKEY_DIAG_PAIR_ALREADY);
	other->pair_spi = IN; /* goes the same way */
	ck_assert_int_eq(sadb_add(f->sadb, other, NULL, &refusal), -EINVAL);
	ck_assert_uint_eq(refusal.diagnostic, PFKEY_DIAG_PAIR_INAPPROPRIATE);
	sa_free(other);
	ck_assert_uint_eq(sad_count(f->sad), 2);
	fixture_done(f);
}
END_TEST

START_TEST(inbound_goes_in_silence)
{
	struct sadb_fixture *f = fixture_new();

	make_pair(f, 10, 0);
	fixture_pass(f, 10);
	ck_assert_uint_eq(f->n_events, 1);
	ck_assert_int_eq(f->events[0], SADB_EVENT_HARD);
	ck_assert_uint_eq(f->event_spis[0], OUT);
	ck_assert_uint_eq(fixture_find(f, IN)->run->state, SA_DEAD);
	fixture_pass(f, 2);
	ck_assert_uint_eq(sad_count(f->sad), 0);
	ck_assert_uint_eq(f->n_events, 1);
	fixture_done(f);
}
END_TEST

START_TEST(outbound_is_told)
{
	struct sadb_fixture *f = fixture_new();

	make_pair(f, 0, 10);
	fixture_pass(f, 10);
	ck_assert_uint_eq(f->n_events, 2);
	ck_assert_uint_eq(f->event_spis[0], IN);
	ck_assert_uint_eq(f->event_spis[1], OUT);
	ck_assert_int_eq(f->events[1], SADB_EVENT_HARD);
	ck_assert_uint_eq(fixture_find(f, OUT)->run->state, SA_DEAD);
	fixture_done(f);
}
END_TEST

START_TEST(octets_take_nobody_along)
{
	struct sadb_fixture *f = fixture_new();
	struct sad_entry *out;

	make_pair(f, 0, 0);
	out = fixture_find(f, OUT);
	atomic_store(&out->run->state, SA_DEAD);
	atomic_store(&out->run->events, SA_EVENT_HARD_BYTES);
	fixture_pass(f, 1);
	ck_assert_uint_eq(f->n_events, 1);
	ck_assert_uint_eq(fixture_find(f, IN)->run->state, SA_MATURE);
	fixture_pass(f, 2);
	ck_assert_ptr_null(fixture_find(f, OUT));
	ck_assert_uint_eq(fixture_find(f, IN)->control.pair_spi, 0);
	fixture_done(f);
}
END_TEST

START_TEST(deleted_alone)
{
	struct sadb_fixture *f = fixture_new();
	struct sa_key key = { SA_PROTO_ESP, IN, fixture_addr("192.0.2.1") };
	struct sadb_refusal refusal = { 0 };

	make_pair(f, 0, 0);
	ck_assert_int_eq(sadb_delete(f->sadb, &key, NULL, NULL, &refusal), 0);
	ck_assert_uint_eq(fixture_find(f, OUT)->control.pair_spi, 0);
	fixture_done(f);
}
END_TEST

START_TEST(deleted_together)
{
	struct sadb_fixture *f = fixture_new();
	struct sa_key key = { SA_PROTO_ESP, IN, fixture_addr("192.0.2.1") };
	struct sadb_refusal refusal = { 0 };

	ck_assert_int_eq(sadb_delete_pair(f->sadb, &key, NULL, NULL, &refusal), -ESRCH);
	ck_assert_uint_eq(refusal.diagnostic, PFKEY_DIAG_SA_NOTFOUND);
	make_pair(f, 0, 0);
	ck_assert_int_eq(sadb_delete_pair(f->sadb, &key, NULL, NULL, &refusal), 0);
	ck_assert_uint_eq(sad_count(f->sad), 0);
	ck_assert_uint_eq(f->event_spis[0], IN);
	ck_assert_uint_eq(f->event_spis[1], OUT);
	/* Without a partner it goes all the same, and the answer says so. */
	(void)fixture_add(f, fixture_sa_in(IN));
	ck_assert_int_eq(sadb_delete_pair(f->sadb, &key, NULL, NULL, &refusal), -ESRCH);
	ck_assert_uint_eq(refusal.diagnostic, PFKEY_DIAG_PAIR_SA_NOTFOUND);
	ck_assert_uint_eq(sad_count(f->sad), 0);
	fixture_done(f);
}
END_TEST

START_TEST(by_state)
{
	struct sadb_fixture *f = fixture_new();
	CLEANUP(sa_freep) struct sa *wanted = fixture_sa(0);
	struct sadb_wish wish = { .sa = wanted };

	make_pair(f, 0, 0);
	(void)fixture_add(f, fixture_sa(0x1002));
	(void)fixture_add(f, fixture_sa_in(0x2002));
	wanted->state = SA_DYING;
	ck_assert_uint_eq(sadb_delete_pair_state(f->sadb, 0, &wish), 0);
	atomic_store(&fixture_find(f, OUT)->run->state, SA_DYING);
	ck_assert_uint_eq(sadb_delete_pair_state(f->sadb, SA_PROTO_AH, &wish), 0);
	ck_assert_uint_eq(sadb_delete_pair_state(f->sadb, 0, &wish), 1);
	ck_assert_ptr_null(fixture_find(f, OUT));
	ck_assert_ptr_null(fixture_find(f, IN));
	ck_assert_uint_eq(sad_count(f->sad), 2);
	fixture_done(f);
}
END_TEST

START_TEST(both_are_changed)
{
	struct sadb_fixture *f = fixture_new();
	CLEANUP(sa_freep) struct sa *wanted = fixture_sa(OUT);
	struct sadb_wish wish = { .sa = wanted,
		.present = PFKEY_BIT(PFKEY_EXT_LIFETIME_HARD) | PFKEY_BIT(PFKEY_EXT_PAIR) };
	struct sadb_refusal refusal = { 0 };

	make_pair(f, 0, 0);
	wanted->hard.add_sec = 4000;
	ck_assert_int_eq(sadb_update_pair(f->sadb, &wish, &refusal), 0);
	ck_assert_uint_eq(fixture_find(f, OUT)->sa->hard.add_sec, 4000);
	ck_assert_uint_eq(fixture_find(f, IN)->sa->hard.add_sec, 4000);
	ck_assert_uint_eq(fixture_find(f, IN)->control.pair_spi, OUT);
	sadb_flush(f->sadb, 0, NULL);
	(void)fixture_add(f, fixture_sa(OUT));
	wanted->hard.add_sec = 5000;
	ck_assert_int_eq(sadb_update_pair(f->sadb, &wish, &refusal), -ESRCH);
	ck_assert_uint_eq(refusal.diagnostic, PFKEY_DIAG_PAIR_SA_NOTFOUND);
	ck_assert_uint_eq(fixture_find(f, OUT)->sa->hard.add_sec, 5000);
	fixture_done(f);
}
END_TEST

/* Made by an UPDATE, found again after a restart. */
START_TEST(paired_later)
{
	struct sadb_fixture *f = fixture_new();
	CLEANUP(sa_freep) struct sa *wanted = fixture_sa(OUT);
	struct sadb_wish wish = { .sa = wanted, .present = PFKEY_BIT(PFKEY_EXT_PAIR) };
	struct sadb_refusal refusal = { 0 };

	(void)fixture_add(f, fixture_sa(OUT));
	(void)fixture_add(f, fixture_sa_in(IN));
	wanted->pair_spi = 0x7777;
	ck_assert_int_eq(sadb_update(f->sadb, &wish, &refusal), -EINVAL);
	ck_assert_uint_eq(refusal.diagnostic, PFKEY_DIAG_PAIR_INAPPROPRIATE);
	wanted->pair_spi = IN;
	ck_assert_int_eq(sadb_update(f->sadb, &wish, &refusal), 0);
	ck_assert_uint_eq(fixture_find(f, IN)->control.pair_spi, OUT);
	fixture_crash(f, true);
	ck_assert_uint_eq(fixture_find(f, IN)->control.pair_spi, OUT);
	ck_assert_uint_eq(fixture_find(f, OUT)->control.pair_spi, IN);
	fixture_done(f);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sadb_pair");
	TCase *tc = tcase_create("sadb_pair");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, third_wheel);
	tcase_add_test(tc, inbound_goes_in_silence);
	tcase_add_test(tc, outbound_is_told);
	tcase_add_test(tc, octets_take_nobody_along);
	tcase_add_test(tc, deleted_alone);
	tcase_add_test(tc, deleted_together);
	tcase_add_test(tc, by_state);
	tcase_add_test(tc, both_are_changed);
	tcase_add_test(tc, paired_later);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
