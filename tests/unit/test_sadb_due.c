/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What time alone brings: nobody uses these SAs, so nobody but the clock speaks for them. */
#include "services/datapath/sad/sadb.h"

#include "tests/unit/sadb_fixture.h"

static size_t saw(const struct sadb_fixture *f, enum sadb_event_kind kind)
{
	size_t n = 0;

	for (size_t i = 0; i < f->n_events; i++)
		n += f->events[i] == kind;
	return n;
}

START_TEST(each_limit_once)
{
	struct sadb_fixture *f = fixture_new();
	struct sa *sa = fixture_sa(0x1001);

	sa->soft.add_sec = 10;
	sa->hard.add_sec = 20;
	(void)fixture_add(f, sa);
	for (unsigned int sec = 1; sec <= 40; sec++) {
		fixture_wait(f, 1);
		ck_assert_uint_eq(saw(f, SADB_EVENT_SOFT), sec >= 10);
		ck_assert_uint_eq(saw(f, SADB_EVENT_HARD), sec >= 20);
		ck_assert_uint_eq(sad_count(f->sad), sec < 21);
	}
	fixture_done(f);
}
END_TEST

/* A limit from first use waits for the first packet, of which the worker tells. */
START_TEST(use_limits_begin_with_use)
{
	struct sadb_fixture *f = fixture_new();
	struct sa *sa = fixture_sa(0x1001);
	struct sad_entry *entry;

	sa->soft.use_sec = 5;
	sa->hard.use_sec = 6;
	entry = fixture_add(f, sa);
	fixture_wait(f, 1000);
	ck_assert_uint_eq(entry->run->state, SA_MATURE);
	atomic_store(&entry->run->first_use_usec, f->now);
	atomic_store(&entry->run->last_use_usec, f->now);
	sad_raise(entry);
	fixture_wait(f, 1);
	fixture_wait(f, 3);
	ck_assert_uint_eq(saw(f, SADB_EVENT_SOFT), 0);
	fixture_wait(f, 1);
	ck_assert_uint_eq(saw(f, SADB_EVENT_SOFT), 1);
	fixture_wait(f, 1);
	ck_assert_uint_eq(saw(f, SADB_EVENT_HARD), 1);
	fixture_done(f);
}
END_TEST

START_TEST(idle_is_told_while_it_lasts)
{
	struct sadb_fixture *f = fixture_new();
	struct sa *sa = fixture_sa(0x1001);
	struct sad_entry *entry;

	sa->idle_add_sec = 30;
	entry = fixture_add(f, sa);
	fixture_wait(f, 29);
	ck_assert_uint_eq(saw(f, SADB_EVENT_IDLE), 0);
	/* It is used meanwhile: the clock begins again, though nobody looked. */
	atomic_store(&entry->run->last_use_usec, f->now);
	fixture_wait(f, 1);
	ck_assert_uint_eq(saw(f, SADB_EVENT_IDLE), 0);
	fixture_wait(f, 29);
	ck_assert_uint_eq(saw(f, SADB_EVENT_IDLE), 1);
	for (int i = 0; i < 16; i++)
		fixture_wait(f, 1);
	ck_assert_uint_eq(saw(f, SADB_EVENT_IDLE), 3); /* every 8 seconds */
	fixture_done(f);
}
END_TEST

/* Limits that an UPDATE brings count from then on. */
START_TEST(other_limits)
{
	struct sadb_fixture *f = fixture_new();
	CLEANUP(sa_freep) struct sa *wanted = fixture_sa(0x1001);
	struct sadb_wish wish = { .sa = wanted, .present = PFKEY_BIT(PFKEY_EXT_LIFETIME_HARD) };
	struct sadb_refusal refusal;

	(void)fixture_add(f, fixture_sa(0x1001));
	(void)fixture_add(f, fixture_sa(0x1002));
	wanted->hard.add_sec = 50;
	ck_assert_int_eq(sadb_update(f->sadb, &wish, &refusal), 0);
	wanted->hard.add_sec = 70;
	ck_assert_int_eq(sadb_update(f->sadb, &wish, &refusal), 0);
	fixture_wait(f, 69);
	ck_assert_uint_eq(saw(f, SADB_EVENT_HARD), 0);
	fixture_wait(f, 1);
	ck_assert_uint_eq(saw(f, SADB_EVENT_HARD), 1);
	fixture_crash(f, true); /* what is due is known in the next life, too */
	fixture_wait(f, 2);
	ck_assert_uint_eq(sad_count(f->sad), 1);
	fixture_done(f);
}
END_TEST

/* Many with times all over, and half of them removed: each goes in its second. */
START_TEST(many)
{
	struct sadb_fixture *f = fixture_new();
	unsigned int left[64] = { 0 }, alive = 0;

	for (uint32_t i = 0; i < 3000; i++) {
		struct sa *sa = fixture_sa(0x1000 + i);

		sa->hard.add_sec = 1 + (i * 7919U) % 50;
		left[sa->hard.add_sec]++;
		(void)fixture_add(f, sa);
	}
	for (uint32_t i = 0; i < 3000; i += 2) {
		struct sa_key key = { SA_PROTO_ESP, 0x1000 + i, fixture_addr("192.0.2.17") };
		struct sadb_refusal refusal;

		ck_assert_int_eq(sadb_delete(f->sadb, &key, NULL, NULL, &refusal), 0);
		left[1 + (i * 7919U) % 50]--;
	}
	alive = 1500;
	for (unsigned int sec = 1; sec <= 51; sec++) {
		fixture_wait(f, 1);
		alive -= sec > 1 ? left[sec - 1] : 0; /* dead for a second, then gone */
		ck_assert_uint_eq(sad_count(f->sad), alive);
	}
	ck_assert_uint_eq(alive, 0);
	fixture_done(f);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sadb_due");
	TCase *tc = tcase_create("sadb_due");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, each_limit_once);
	tcase_add_test(tc, use_limits_begin_with_use);
	tcase_add_test(tc, idle_is_told_while_it_lasts);
	tcase_add_test(tc, other_limits);
	tcase_add_test(tc, many);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
