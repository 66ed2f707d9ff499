/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lifetimes: what ends an SA, when, and that it is told once. */
#include "services/datapath/sad/sadb.h"

#include "tests/unit/sadb_fixture.h"

static bool saw(const struct sadb_fixture *f, enum sadb_event_kind kind, size_t times)
{
	size_t n = 0;

	for (size_t i = 0; i < f->n_events; i++)
		n += f->events[i] == kind;
	return n == times;
}

START_TEST(add_time)
{
	struct sadb_fixture *f = fixture_new();
	struct sa *sa = fixture_sa(0x1001);
	struct sad_entry *entry;

	sa->soft.add_sec = 10;
	sa->hard.add_sec = 20;
	entry = fixture_add(f, sa);
	fixture_pass(f, 9);
	ck_assert_uint_eq(entry->run->state, SA_MATURE);
	fixture_pass(f, 1);
	ck_assert_uint_eq(entry->run->state, SA_DYING);
	fixture_pass(f, 5);
	ck_assert(saw(f, SADB_EVENT_SOFT, 1)); /* once */
	fixture_pass(f, 5);
	ck_assert_uint_eq(entry->run->state, SA_DEAD);
	ck_assert(saw(f, SADB_EVENT_HARD, 1));
	fixture_pass(f, 1);
	ck_assert_uint_eq(sad_count(f->sad), 0);
	ck_assert(saw(f, SADB_EVENT_HARD, 1));
	fixture_done(f);
}
END_TEST

START_TEST(use_time)
{
	struct sadb_fixture *f = fixture_new();
	struct sa *sa = fixture_sa(0x1001);
	struct sad_entry *entry;

	sa->hard.use_sec = 5;
	entry = fixture_add(f, sa);
	fixture_pass(f, 100);
	ck_assert_uint_eq(entry->run->state, SA_MATURE);
	atomic_store(&entry->run->first_use_usec, f->now);
	fixture_pass(f, 4);
	ck_assert_uint_eq(entry->run->state, SA_MATURE);
	fixture_pass(f, 1);
	ck_assert_uint_eq(entry->run->state, SA_DEAD);
	fixture_done(f);
}
END_TEST

START_TEST(byte_limits)
{
	struct sadb_fixture *f = fixture_new();
	struct sa *sa = fixture_sa(0x1001);
	struct sad_entry *entry;

	sa->soft.bytes = 1000;
	sa->hard.bytes = 2000;
	entry = fixture_add(f, sa);
	atomic_store(&entry->run->bytes, 999);
	fixture_pass(f, 1);
	ck_assert_uint_eq(entry->run->state, SA_MATURE);
	atomic_store(&entry->run->bytes, 1000); /* reached counts */
	(void)atomic_fetch_or(&entry->run->events, SA_EVENT_SOFT_BYTES);
	sad_raise(entry);
	sadb_tick(f->sadb);
	ck_assert(saw(f, SADB_EVENT_SOFT, 1));
	/* A worker notices the hard limit by itself and closes the SA at once. */
	atomic_store(&entry->run->bytes, 2000);
	atomic_store(&entry->run->state, SA_DEAD);
	(void)atomic_fetch_or(&entry->run->events, SA_EVENT_HARD_BYTES);
	sad_raise(entry);
	sadb_tick(f->sadb);
	ck_assert(saw(f, SADB_EVENT_HARD, 1));
	fixture_pass(f, 1);
	ck_assert_uint_eq(sad_count(f->sad), 0);
	fixture_done(f);
}
END_TEST

/* Also where a limit came below what an SA has carried already. */
START_TEST(packet_limits)
{
	struct sadb_fixture *f = fixture_new();
	struct sa *sa = fixture_sa(0x1001);
	struct sad_entry *entry;

	sa->soft.allocations = 10;
	sa->hard.allocations = 20;
	entry = fixture_add(f, sa);
	atomic_store(&entry->run->packets, 9);
	fixture_pass(f, 1);
	ck_assert_uint_eq(entry->run->state, SA_MATURE);
	atomic_store(&entry->run->packets, 10);
	fixture_pass(f, 1);
	ck_assert_uint_eq(entry->run->state, SA_DYING);
	fixture_pass(f, 1);
	ck_assert(saw(f, SADB_EVENT_SOFT, 1));
	atomic_store(&entry->run->packets, 20);
	fixture_pass(f, 1);
	ck_assert(saw(f, SADB_EVENT_SOFT, 1) && saw(f, SADB_EVENT_HARD, 1));
	fixture_pass(f, 1);
	ck_assert_uint_eq(sad_count(f->sad), 0);
	fixture_done(f);
}
END_TEST

/* The newest is used, and as it goes, by hand or by age, those before it take over. */
START_TEST(three_generations)
{
	struct sadb_fixture *f = fixture_new();
	struct sad_query query = { .proto = SA_PROTO_ESP,
		.src = fixture_addr("192.0.2.1"),
		.dst = fixture_addr("192.0.2.17") };
	struct flow flow = { .direction = DIRECTION_OUT, .local = query.src, .remote = query.dst };
	struct sa *second = fixture_sa(0x1002), *third = fixture_sa(0x1003);
	struct sadb_refusal refusal;
	struct sad_entry *first;
	struct sa_key key = sa_key_of(third);

	query.flow = &flow;
	second->hard.add_sec = 30;
	first = fixture_add(f, fixture_sa(0x1001));
	ck_assert_ptr_eq(sad_find_outbound(f->sad, &query), first);
	(void)fixture_add(f, second);
	ck_assert_uint_eq(sad_find_outbound(f->sad, &query)->sa->spi, 0x1002);
	(void)fixture_add(f, third);
	ck_assert_uint_eq(sad_find_outbound(f->sad, &query)->sa->spi, 0x1003);
	ck_assert_int_eq(sadb_delete(f->sadb, &key, NULL, NULL, &refusal), 0);
	ck_assert_uint_eq(sad_find_outbound(f->sad, &query)->sa->spi, 0x1002);
	fixture_wait(f, 30);
	ck_assert_ptr_eq(sad_find_outbound(f->sad, &query), first);
	fixture_wait(f, 10);
	ck_assert_uint_eq(sad_count(f->sad), 1);
	fixture_done(f);
}
END_TEST

START_TEST(soft_equals_hard)
{
	struct sadb_fixture *f = fixture_new();
	struct sa *sa = fixture_sa(0x1001);

	sa->soft.add_sec = sa->hard.add_sec = 10;
	(void)fixture_add(f, sa);
	fixture_pass(f, 10);
	ck_assert(saw(f, SADB_EVENT_SOFT, 0));
	ck_assert(saw(f, SADB_EVENT_HARD, 1));
	fixture_done(f);
}
END_TEST

START_TEST(idle)
{
	struct sadb_fixture *f = fixture_new();
	struct sa *sa = fixture_sa(0x1001);
	struct sad_entry *entry;

	sa->idle_add_sec = 10;
	entry = fixture_add(f, sa);
	fixture_pass(f, 9);
	ck_assert(saw(f, SADB_EVENT_IDLE, 0));
	fixture_pass(f, 1);
	ck_assert(saw(f, SADB_EVENT_IDLE, 1));
	fixture_pass(f, 1);
	ck_assert(saw(f, SADB_EVENT_IDLE, 1));
	fixture_pass(f, 8);
	ck_assert(saw(f, SADB_EVENT_IDLE, 2));
	atomic_store(&entry->run->last_use_usec, f->now);
	fixture_pass(f, 9);
	ck_assert(saw(f, SADB_EVENT_IDLE, 2));
	ck_assert_uint_eq(entry->run->state, SA_MATURE);
	fixture_done(f);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sadb_limits");
	TCase *tc = tcase_create("sadb_limits");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, add_time);
	tcase_add_test(tc, use_time);
	tcase_add_test(tc, byte_limits);
	tcase_add_test(tc, packet_limits);
	tcase_add_test(tc, three_generations);
	tcase_add_test(tc, soft_equals_hard);
	tcase_add_test(tc, idle);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
