/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The keys section against the SAD: a difference, all or nothing. */
#include "services/datapath/sad/sadb.h"

#include <errno.h>

#include "tests/unit/sadb_fixture.h"

/* Consumes its SAs; the list ends with NULL. */
static int apply(struct sadb_fixture *f, struct sa *const *sas, struct text *why)
{
	CLEANUP(sa_list_freep) struct sa_list *list = sa_list_new(4);

	ck_assert_ptr_nonnull(list);
	for (; *sas; sas++)
		ck_assert_int_eq(sa_list_add(list, *sas), 0);
	f->n_events = 0;
	return sadb_apply_keys(f->sadb, list, why);
}

static void apply_ok(struct sadb_fixture *f, struct sa *const *sas)
{
	struct text why = { 0 };
	int r = apply(f, sas, &why);

	ck_assert_msg(r == 0, "%s", why.str ? why.str : "");
	ck_assert_ptr_null(why.str);
	rcu_barrier(f->rcu);
}

static void apply_fails(struct sadb_fixture *f, struct sa *const *sas, int error, const char *text)
{
	struct text why = { 0 };

	ck_assert_int_eq(apply(f, sas, &why), error);
	ck_assert_ptr_nonnull(why.str);
	ck_assert_str_eq(why.str, text);
	ck_assert_uint_eq(f->n_events, 0);
	text_done(&why);
	rcu_barrier(f->rcu);
}

#define LIST(...) ((struct sa *const[]){ __VA_ARGS__, NULL })

START_TEST(exactly_these)
{
	struct sadb_fixture *f = fixture_new();

	apply_ok(f, LIST(fixture_sa(0x1001), fixture_sa_in(0x1002), fixture_sa_gcm(0x1003, 9)));
	ck_assert_uint_eq(sad_count(f->sad), 3);
	ck_assert_uint_eq(f->n_events, 3);
	ck_assert_int_eq((int)fixture_find(f, 0x1001)->sa->origin, SA_ORIGIN_KEYS);
	/* The order of the file is that of addition. */
	ck_assert_uint_gt(fixture_find(f, 0x1003)->serial, fixture_find(f, 0x1001)->serial);
	apply_ok(f, LIST(fixture_sa_in(0x1002), fixture_sa(0x1004)));
	ck_assert_uint_eq(sad_count(f->sad), 2);
	ck_assert_ptr_nonnull(fixture_find(f, 0x1002));
	ck_assert_ptr_nonnull(fixture_find(f, 0x1004));
	ck_assert_uint_eq(arena_count(f->arena), 2);
	apply_ok(f, LIST(NULL));
	ck_assert_uint_eq(sad_count(f->sad), 0);
	ck_assert_uint_eq(arena_count(f->arena), 0);
	fixture_done(f);
}
END_TEST

/* Some lines of the file were wrong: what they named, or no line names any more, stays. */
START_TEST(partial_list_ends_nothing)
{
	struct sadb_fixture *f = fixture_new();
	struct text why = { 0 };
	CLEANUP(sa_list_freep) struct sa_list *list = sa_list_new(1);

	apply_ok(f, LIST(fixture_sa(0x1001), fixture_sa_gcm(0x1003, 9)));
	ck_assert_ptr_nonnull(list);
	ck_assert_int_eq(sa_list_add(list, fixture_sa(0x1004)), 0);
	list->partial = true;
	ck_assert_int_eq(sadb_apply_keys(f->sadb, list, &why), 0);
	ck_assert_uint_eq(sad_count(f->sad), 3);
	ck_assert_ptr_nonnull(fixture_find(f, 0x1001));
	ck_assert_ptr_nonnull(fixture_find(f, 0x1004));
	/* What stays still owns its counter values. */
	sa_list_free(STEAL(list));
	list = sa_list_new(1);
	ck_assert_ptr_nonnull(list);
	ck_assert_int_eq(sa_list_add(list, fixture_sa_gcm(0x1005, 9)), 0);
	list->partial = true;
	ck_assert_int_lt(sadb_apply_keys(f->sadb, list, &why), 0);
	ck_assert_uint_eq(sad_count(f->sad), 3);
	text_done(&why);
	fixture_done(f);
}
END_TEST

START_TEST(unchanged_is_untouched)
{
	struct sadb_fixture *f = fixture_new();
	struct sad_entry *entry;

	apply_ok(f, LIST(fixture_sa(0x1001), fixture_sa_gcm(0x1003, 9)));
	entry = fixture_find(f, 0x1001);
	atomic_store(&entry->run->seq, 77);
	apply_ok(f, LIST(fixture_sa(0x1001), fixture_sa_gcm(0x1003, 9)));
	ck_assert_ptr_eq(fixture_find(f, 0x1001), entry); /* not even the entry is another */
	ck_assert_uint_eq(entry->run->seq, 77);
	ck_assert_uint_eq(f->n_events, 0);
	fixture_done(f);
}
END_TEST

START_TEST(other_lifetime_same_run_state)
{
	struct sadb_fixture *f = fixture_new();
	struct sa *changed = fixture_sa_in(0x1002);
	struct sad_entry *entry;
	struct sa_run *run;

	apply_ok(f, LIST(fixture_sa_in(0x1002)));
	run = fixture_find(f, 0x1002)->run;
	run->top = 500;
	run->bytes = 12345;
	changed->hard.bytes = 1000000;
	apply_ok(f, LIST(changed));
	entry = fixture_find(f, 0x1002);
	ck_assert_ptr_eq(entry->run, run);
	ck_assert_uint_eq(entry->sa->hard.bytes, 1000000);
	ck_assert_uint_eq(arena_count(f->arena), 1);
	ck_assert_int_eq(f->events[0], SADB_EVENT_UPDATED);
	/* Also for the next life. */
	fixture_crash(f, true);
	entry = fixture_find(f, 0x1002);
	ck_assert_uint_eq(entry->sa->hard.bytes, 1000000);
	ck_assert_uint_eq(entry->run->top, 500);
	fixture_done(f);
}
END_TEST

START_TEST(other_key_other_run_state)
{
	struct sadb_fixture *f = fixture_new();
	struct sa *changed = fixture_sa_in(0x1002);
	uint8_t key[16] = { 99 };
	struct sad_entry *entry;

	apply_ok(f, LIST(fixture_sa_in(0x1002)));
	fixture_find(f, 0x1002)->run->top = 50;
	secret_unref(changed->encr_key);
	ck_assert_int_eq(secret_new(key, sizeof(key), &changed->encr_key), 0);
	apply_ok(f, LIST(changed));
	entry = fixture_find(f, 0x1002);
	ck_assert_uint_eq(entry->run->top, 0);
	ck_assert_uint_eq(arena_count(f->arena), 1);
	/* And back: what the first key saw is not accepted again. */
	apply_ok(f, LIST(fixture_sa_in(0x1002)));
	ck_assert_uint_eq(fixture_find(f, 0x1002)->run->top, 50);
	fixture_done(f);
}
END_TEST

/* Reload after `ipseckey flush` brings everything back. */
START_TEST(flushed_comes_back)
{
	struct sadb_fixture *f = fixture_new();

	apply_ok(f, LIST(fixture_sa(0x1001), fixture_sa_gcm(0x1003, 9)));
	atomic_store(&fixture_find(f, 0x1003)->run->seq, 44);
	sadb_flush(f->sadb, 0, NULL);
	rcu_barrier(f->rcu);
	apply_ok(f, LIST(fixture_sa(0x1001), fixture_sa_gcm(0x1003, 9)));
	ck_assert_uint_eq(sad_count(f->sad), 2);
	ck_assert_uint_eq(fixture_find(f, 0x1003)->run->seq, 44);
	fixture_done(f);
}
END_TEST

START_TEST(other_doors_keep_theirs)
{
	struct sadb_fixture *f = fixture_new();

	(void)fixture_add(f, fixture_sa(0x100a));
	apply_ok(f, LIST(fixture_sa(0x1001)));
	ck_assert_uint_eq(sad_count(f->sad), 2);
	/* The file names what PF_KEY added: it becomes the file's, and runs on. */
	atomic_store(&fixture_find(f, 0x100a)->run->seq, 5);
	apply_ok(f, LIST(fixture_sa(0x1001), fixture_sa(0x100a)));
	ck_assert_uint_eq(sad_count(f->sad), 2);
	ck_assert_uint_eq(fixture_find(f, 0x100a)->run->seq, 5);
	ck_assert_int_eq((int)fixture_find(f, 0x100a)->sa->origin, SA_ORIGIN_KEYS);
	apply_ok(f, LIST(NULL));
	ck_assert_uint_eq(sad_count(f->sad), 0);
	fixture_done(f);
}
END_TEST

/* As the original does, when it is asked to: what nobody named again goes. */
START_TEST(flush_takes_all_others)
{
	struct sadb_fixture *f = fixture_new();
	struct sa_list *list = sa_list_new(2);
	struct sadb_range range = { 0x2000, 0x2fff };
	struct sadb_refusal refusal;
	struct sa *ends = fixture_sa_in(0);
	struct text why = { 0 };
	uint64_t serial;

	ck_assert_int_eq(sa_list_add(list, fixture_sa(0x1001)), 0);
	ck_assert_int_eq(sa_list_add(list, fixture_sa_gcm(0x1003, 9)), 0);
	/* One of key management that the file says as well, one that has its key, one that is larval. */
	serial = fixture_add(f, fixture_sa(0x1001))->serial;
	(void)fixture_add(f, fixture_sa_gcm(0x1010, 9));
	ck_assert_int_eq(sadb_getspi(f->sadb, ends, &range, NULL, &refusal), 0);
	sa_free(ends);
	atomic_store(&fixture_find(f, 0x1001)->run->seq, 44);
	list->partial = list->flush = true;
	ck_assert_int_eq(sadb_apply_keys(f->sadb, list, &why), -EINVAL); /* the key is in use */
	text_done(&why);
	list->partial = false;
	f->n_events = 0;
	ck_assert_int_eq(sadb_apply_keys(f->sadb, list, &why), 0);
	sa_list_free(list);
	ck_assert_uint_eq(sad_count(f->sad), 2);
	ck_assert_uint_eq(fixture_find(f, 0x1001)->serial, serial);
	ck_assert_uint_eq(fixture_find(f, 0x1001)->run->seq, 44);
	ck_assert_ptr_nonnull(fixture_find(f, 0x1003));
	ck_assert_ptr_null(fixture_find(f, 0x1010));
	ck_assert_int_eq(f->events[f->n_events - 1], SADB_EVENT_DELETED);
	text_done(&why);
	fixture_done(f);
}
END_TEST

START_TEST(all_or_nothing)
{
	struct sadb_fixture *f = fixture_new();
	struct sa *bad = fixture_sa(0x1005);
	struct sad_entry *kept;
	uint64_t reserved;

	apply_ok(f, LIST(fixture_sa(0x1001), fixture_sa(0x1002)));
	kept = fixture_find(f, 0x1001);
	reserved = kept->run->seq_reserved;
	bad->encr = 200;
	apply_fails(f, LIST(fixture_sa(0x1003), fixture_sa_gcm(0x1004, 4), bad), -EINVAL,
		"esp spi 0x1005 192.0.2.1 > 192.0.2.17 transport: Unsupported encryption "
		"algorithm");
	ck_assert_uint_eq(sad_count(f->sad), 2);
	ck_assert_uint_eq(arena_count(f->arena), 2);
	ck_assert_ptr_eq(fixture_find(f, 0x1001), kept);
	ck_assert_uint_eq(kept->run->seq_reserved, reserved);
	apply_fails(f, LIST(fixture_sa(0x1003), fixture_sa(0x1004), fixture_sa(0x1003)), -EEXIST,
		"esp spi 0x1003 192.0.2.1 > 192.0.2.17 transport: there twice");
	apply_fails(f,
		LIST(fixture_sa_gcm(0x1003, 7), fixture_sa_gcm(0x1004, 8),
			fixture_sa_gcm(0x1005, 7)),
		-EINVAL,
		"esp spi 0x1005 192.0.2.1 > 192.0.2.17 transport: counter-mode key and salt are "
		"also "
		"those of esp spi 0x1003 192.0.2.1 > 192.0.2.17 transport");
	ck_assert_uint_eq(sad_count(f->sad), 2);
	ck_assert_uint_eq(arena_count(f->arena), 2);
	/* Numbers that the failed ones had taken are there again. */
	apply_ok(f, LIST(fixture_sa(0x1003)));
	ck_assert_uint_eq(fixture_find(f, 0x1003)->run->seq, 0);
	fixture_done(f);
}
END_TEST

START_TEST(counter_key_of_another_door)
{
	struct sadb_fixture *f = fixture_new();
	struct text why = { 0 };

	(void)fixture_add(f, fixture_sa_gcm(0x100a, 7));
	ck_assert_int_eq(apply(f, LIST(fixture_sa_gcm(0x1003, 7)), &why), -EINVAL);
	text_done(&why);
	ck_assert_uint_eq(sad_count(f->sad), 1);
	fixture_done(f);
}
END_TEST

/* A counter-mode key that moves to another SPI in one step: the old SA makes room in the same apply. */
START_TEST(counter_key_moves)
{
	struct sadb_fixture *f = fixture_new();
	struct sadb_refusal refusal = { 0 };
	struct sa *twin = fixture_sa_gcm(0x1005, 7);

	apply_ok(f, LIST(fixture_sa_gcm(0x1003, 7)));
	atomic_store(&fixture_find(f, 0x1003)->run->seq, 9);
	apply_ok(f, LIST(fixture_sa_gcm(0x1004, 7)));
	ck_assert_ptr_null(fixture_find(f, 0x1003));
	ck_assert_uint_ge(fixture_find(f, 0x1004)->run->seq, 9);
	ck_assert_int_eq(sadb_add(f->sadb, twin, NULL, &refusal), -EINVAL);
	sa_free(twin);
	fixture_done(f);
}
END_TEST

START_TEST(dead_ones_are_made_anew)
{
	struct sadb_fixture *f = fixture_new();
	struct sa *sa = fixture_sa(0x1001), *same = sa_copy(sa);

	sa->hard.add_sec = same->hard.add_sec = 10;
	apply_ok(f, LIST(sa));
	fixture_pass(f, 10);
	ck_assert_uint_eq(fixture_find(f, 0x1001)->run->state, SA_DEAD);
	apply_ok(f, LIST(same));
	ck_assert_uint_eq(fixture_find(f, 0x1001)->run->state, SA_MATURE);
	fixture_pass(f, 5);
	ck_assert_uint_eq(sad_count(f->sad), 1);
	fixture_done(f);
}
END_TEST

START_TEST(many)
{
	struct sadb_fixture *f = fixture_new();
	struct sa_list *list = sa_list_new(5000);
	struct text why = { 0 };

	for (uint32_t i = 1; i <= 5000; i++)
		ck_assert_int_eq(sa_list_add(list, i % 2 ? fixture_sa(0x1000 + i)
							 : fixture_sa_in(0x1000 + i)),
			0);
	ck_assert_int_eq(sadb_apply_keys(f->sadb, list, &why), 0);
	ck_assert_uint_eq(sad_count(f->sad), 5000);
	fixture_crash(f, true);
	ck_assert_uint_eq(sad_count(f->sad), 5000);
	f->n_events = 0;
	ck_assert_int_eq(sadb_apply_keys(f->sadb, list, &why), 0);
	ck_assert_uint_eq(f->n_events, 0); /* all of them as they were */
	sa_list_free(list);
	fixture_done(f);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sadb_keys");
	TCase *tc = tcase_create("sadb_keys");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, exactly_these);
	tcase_add_test(tc, partial_list_ends_nothing);
	tcase_add_test(tc, unchanged_is_untouched);
	tcase_add_test(tc, other_lifetime_same_run_state);
	tcase_add_test(tc, other_key_other_run_state);
	tcase_add_test(tc, flushed_comes_back);
	tcase_add_test(tc, other_doors_keep_theirs);
	tcase_add_test(tc, flush_takes_all_others);
	tcase_add_test(tc, all_or_nothing);
	tcase_add_test(tc, counter_key_of_another_door);
	tcase_add_test(tc, counter_key_moves);
	tcase_add_test(tc, dead_ones_are_made_anew);
	tcase_add_test(tc, many);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
