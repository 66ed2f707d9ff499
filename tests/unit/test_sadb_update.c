/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reserved SPIs, and SAs that change while they live. */
#include "services/datapath/sad/sadb.h"

#include <errno.h>

#include "services/datapath/replay/replay.h"
#include "tests/unit/sadb_fixture.h"

#define HARD_BIT   PFKEY_BIT(PFKEY_EXT_LIFETIME_HARD)
#define SOFT_BIT   PFKEY_BIT(PFKEY_EXT_LIFETIME_SOFT)
#define COOKIE_BIT PFKEY_BIT(PFKEY_EXT_KM_COOKIE)
#define REPLAY_BIT PFKEY_BIT(PFKEY_EXT_REPLAY_VALUE)

/* A larval SA between the ends of fixture_sa_in(); its SPI. */
static uint32_t reserve(
	struct sadb_fixture *f, uint32_t min, uint32_t max, int error, uint16_t diag)
{
	CLEANUP(sa_freep) struct sa *ends = sa_new();
	struct sadb_range range = { min, max };
	struct sadb_request request = { .owner = 1, .seq = 77, .pid = 8 };
	struct sadb_refusal refusal = { 0 };

	ends->proto = SA_PROTO_ESP;
	ends->src = fixture_addr("192.0.2.17");
	ends->dst = fixture_addr("192.0.2.1");
	f->n_events = 0;
	ck_assert_int_eq(sadb_getspi(f->sadb, ends, &range, &request, &refusal), -error);
	ck_assert_int_eq(refusal.diagnostic, diag);
	if (error) {
		ck_assert_uint_eq(f->n_events, 0);
		return 0;
	}
	ck_assert_uint_eq(f->n_events, 1);
	ck_assert_int_eq(f->events[0], SADB_EVENT_RESERVED);
	ck_assert_uint_eq(f->event_seqs[0], 77);
	return f->event_spis[0];
}

static void update(
	struct sadb_fixture *f, const struct sa *sa, uint64_t present, int error, uint16_t diag)
{
	struct sadb_wish wish = { .sa = sa, .present = present };
	struct sadb_refusal refusal = { 0 };
	int r = sadb_update(f->sadb, &wish, &refusal);

	ck_assert_msg(r == -error && refusal.diagnostic == diag, "%d, diagnostic %u", r,
		refusal.diagnostic);
}

START_TEST(spi_is_of_the_range)
{
	struct sadb_fixture *f = fixture_new();
	uint32_t spi;

	for (int i = 0; i < 200; i++) {
		spi = reserve(f, 0x1000, UINT32_MAX, 0, 0);
		ck_assert_uint_ge(spi, 0x1000);
	}
	ck_assert_uint_eq(reserve(f, 0x999, 0x999, 0, 0), 0x999);
	(void)reserve(f, 0x999, 0x999, EEXIST, 0);
	/* Numbers that IANA keeps are not handed out. */
	ck_assert_uint_eq(reserve(f, 1, 256, 0, 0), 256);
	(void)reserve(f, 1, 255, EINVAL, PFKEY_DIAG_MALFORMED_RANGE);
	(void)reserve(f, 9000, 8000, EINVAL, PFKEY_DIAG_MALFORMED_RANGE);
	fixture_done(f);
}
END_TEST

START_TEST(larval_takes_no_packets_and_goes)
{
	struct sadb_fixture *f = fixture_new();
	struct address src = fixture_addr("192.0.2.17"), dst = fixture_addr("192.0.2.1");
	uint32_t spi = reserve(f, 0x1000, 0x2000, 0, 0);

	ck_assert_uint_eq(fixture_find(f, spi)->run->state, SA_LARVAL);
	ck_assert_ptr_null(sad_find_inbound(f->sad, SA_PROTO_ESP, spi, &dst, &src));
	/* Neither deleted by its ends nor expired. */
	ck_assert_uint_eq(sadb_delete_between(
				  f->sadb, SA_PROTO_ESP, &(struct sadb_match){ .src = &src }, NULL),
		0);
	f->n_events = 0;
	fixture_pass(f, 89);
	ck_assert_ptr_nonnull(fixture_find(f, spi));
	fixture_pass(f, 1);
	ck_assert_ptr_null(fixture_find(f, spi));
	ck_assert_uint_eq(f->n_events, 0);
	rcu_barrier(f->rcu);
	ck_assert_uint_eq(arena_count(f->arena), 0);
	fixture_done(f);
}
END_TEST

START_TEST(larval_does_not_outlive_the_daemon)
{
	struct sadb_fixture *f = fixture_new();

	(void)reserve(f, 0x1000, 0x2000, 0, 0);
	fixture_crash(f, true);
	ck_assert_uint_eq(sad_count(f->sad), 0);
	ck_assert_uint_eq(arena_count(f->arena), 0);
	fixture_done(f);
}
END_TEST

START_TEST(larval_is_filled)
{
	struct sadb_fixture *f = fixture_new();
	uint32_t spi = reserve(f, 0x1000, 0x2000, 0, 0);
	CLEANUP(sa_freep) struct sa *sa = fixture_sa_in(spi);
	struct address src = fixture_addr("192.0.2.17"), dst = fixture_addr("192.0.2.1");
	struct sad_entry *entry;

	/* A bad one leaves it as it was. */
	sa->encr_key_bits = 120;
	update(f, sa, 0, EINVAL, PFKEY_DIAG_BAD_EKEYBITS);
	ck_assert_uint_eq(fixture_find(f, spi)->run->state, SA_LARVAL);
	sa->encr_key_bits = 128;
	f->n_events = 0;
	update(f, sa, 0, 0, 0);
	ck_assert_int_eq(f->events[0], SADB_EVENT_UPDATED);
	entry = sad_find_inbound(f->sad, SA_PROTO_ESP, spi, &dst, &src);
	ck_assert_ptr_nonnull(entry);
	ck_assert_uint_eq(entry->run->window, 64);
	ck_assert_ptr_nonnull(sad_context(entry, 0));
	rcu_barrier(f->rcu);
	ck_assert_uint_eq(arena_count(f->arena), 1);
	fixture_pass(f, 200); /* no time-out is left over */
	ck_assert_ptr_nonnull(fixture_find(f, spi));
	fixture_done(f);
}
END_TEST

START_TEST(living_keeps_all_but_its_limits)
{
	struct sadb_fixture *f = fixture_new();
	struct sa *wanted = fixture_sa(0x1001);
	struct sad_entry *entry;
	struct sa_run *run;

	wanted->hard.bytes = 1000;
	entry = fixture_add(f, sa_copy(wanted));
	run = entry->run;
	atomic_store(&run->seq, 33);
	atomic_store(&run->bytes, 700);
	update(f, wanted, HARD_BIT | PFKEY_BIT(PFKEY_EXT_KEY_AUTH), EINVAL,
		PFKEY_DIAG_AKEY_PRESENT);
	update(f, wanted, PFKEY_BIT(PFKEY_EXT_KEY_ENCRYPT), EINVAL, PFKEY_DIAG_EKEY_PRESENT);
	wanted->state = SA_DYING;
	update(f, wanted, HARD_BIT, EINVAL, PFKEY_DIAG_BAD_SASTATE);
	wanted->state = SA_MATURE;
	wanted->hard.bytes = 0;
	wanted->hard.add_sec = 500;
	wanted->soft.bytes = 5000; /* clipped to the hard limit that stands */
	update(f, wanted, SOFT_BIT, 0, 0);
	entry = fixture_find(f, 0x1001);
	ck_assert_ptr_eq(entry->run, run);
	ck_assert_uint_eq(entry->sa->hard.bytes, 1000);
	ck_assert_uint_eq(entry->sa->soft.bytes, 1000);
	ck_assert_uint_eq(run->seq, 33);
	ck_assert_ptr_nonnull(sad_context(entry, 0));
	wanted->soft.bytes = 3;
	wanted->hard.bytes = 2;
	update(f, wanted, SOFT_BIT | HARD_BIT, EINVAL, PFKEY_DIAG_BYTES_HSERR);
	ck_assert_uint_eq(fixture_find(f, 0x1001)->sa->hard.bytes, 1000);
	/* It is the new limits that count, also after a restart. */
	wanted->soft.bytes = 0;
	wanted->hard.bytes = 800;
	update(f, wanted, HARD_BIT, 0, 0);
	fixture_crash(f, true);
	ck_assert_uint_eq(fixture_find(f, 0x1001)->sa->hard.bytes, 800);
	ck_assert_uint_eq(fixture_find(f, 0x1001)->run->seq, 33);
	wanted->spi = 0x4444;
	update(f, wanted, HARD_BIT, ESRCH, PFKEY_DIAG_SA_NOTFOUND);
	sa_free(wanted);
	fixture_done(f);
}
END_TEST

START_TEST(cookie_is_named_once)
{
	struct sadb_fixture *f = fixture_new();
	CLEANUP(sa_freep) struct sa *wanted = fixture_sa(0x1001);

	(void)fixture_add(f, sa_copy(wanted));
	wanted->km_protocol = 1;
	wanted->km_cookie = 9;
	update(f, wanted, COOKIE_BIT, 0, 0);
	ck_assert_uint_eq(fixture_find(f, 0x1001)->sa->km_cookie, 9);
	update(f, wanted, COOKIE_BIT, 0, 0);
	wanted->km_cookie = 10;
	update(f, wanted, COOKIE_BIT, EINVAL, PFKEY_DIAG_DUPLICATE_KMC);
	wanted->km_protocol = 2;
	update(f, wanted, COOKIE_BIT, EINVAL, PFKEY_DIAG_DUPLICATE_KMP);
	ck_assert_uint_eq(fixture_find(f, 0x1001)->sa->km_protocol, 1);
	fixture_done(f);
}
END_TEST

START_TEST(replay_value_of_a_dying_one)
{
	struct sadb_fixture *f = fixture_new();
	CLEANUP(sa_freep) struct sa *wanted = fixture_sa_in(0x1001);
	struct sad_entry *entry = fixture_add(f, sa_copy(wanted));

	wanted->replay_value = 100;
	update(f, wanted, REPLAY_BIT, EINVAL, PFKEY_DIAG_BAD_SASTATE);
	atomic_store(&entry->run->state, SA_DYING);
	update(f, wanted, REPLAY_BIT, 0, 0);
	entry = fixture_find(f, 0x1001);
	ck_assert_uint_eq(entry->run->top, 100);
	update(f, wanted, REPLAY_BIT, EINVAL, PFKEY_DIAG_INVALID_REPLAY);
	wanted->replay_value = 20; /* behind the window */
	update(f, wanted, REPLAY_BIT, EINVAL, PFKEY_DIAG_INVALID_REPLAY);
	ck_assert_uint_eq(entry->run->top, 100);
	atomic_store(&entry->run->state, SA_DEAD);
	update(f, wanted, 0, EINVAL, PFKEY_DIAG_BAD_SASTATE);
	fixture_done(f);
}
END_TEST

/* Two ends must not ask for keys at once; what the key file says stands as it was written. */
START_TEST(soft_limit_is_shortened)
{
	struct sadb_fixture *f = fixture_new();
	struct sa *sa = fixture_sa(0x1001), *in = fixture_sa_in(0x1002), *keys = fixture_sa(0x1003);
	struct sa *tiny = fixture_sa(0x1004);

	f->jitter = 11;
	sa->soft.add_sec = in->soft.add_sec = keys->soft.add_sec = 100;
	tiny->soft.add_sec = 5;
	keys->origin = SA_ORIGIN_KEYS;
	ck_assert_uint_eq(fixture_add(f, sa)->sa->soft.add_sec, 89);
	ck_assert_uint_eq(fixture_add(f, in)->sa->soft.add_sec, 100);
	ck_assert_uint_eq(fixture_add(f, keys)->sa->soft.add_sec, 100);
	ck_assert_uint_eq(fixture_add(f, tiny)->sa->soft.add_sec, 5);
	fixture_crash(f, true); /* not once more */
	ck_assert_uint_eq(fixture_find(f, 0x1001)->sa->soft.add_sec, 89);
	f->n_events = 0;
	fixture_pass(f, 89);
	ck_assert_uint_eq(f->event_spis[0], 0x1001);
	fixture_done(f);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sadb_update");
	TCase *tc = tcase_create("sadb_update");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, spi_is_of_the_range);
	tcase_add_test(tc, larval_takes_no_packets_and_goes);
	tcase_add_test(tc, larval_does_not_outlive_the_daemon);
	tcase_add_test(tc, larval_is_filled);
	tcase_add_test(tc, living_keeps_all_but_its_limits);
	tcase_add_test(tc, cookie_is_named_once);
	tcase_add_test(tc, replay_value_of_a_dying_one);
	tcase_add_test(tc, soft_limit_is_shortened);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
