/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/sad/sadb.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>

#include "tests/unit/sadb_fixture.h"

#define SEC UINT64_C(1000000)

START_TEST(added)
{
	struct sadb_fixture *f = fixture_new();
	struct sad_entry *entry = fixture_add(f, fixture_sa(0x1001));
	struct sadb_refusal refusal = { 0 };
	struct sa *twin = fixture_sa(0x1001);

	ck_assert_uint_eq(entry->directions, SA_OUTBOUND);
	ck_assert_uint_eq(entry->run->state, SA_MATURE);
	ck_assert_uint_eq(entry->run->seq, 0);
	ck_assert_uint_eq(entry->run->seq_reserved, SEQSTORE_CHUNK_MIN);
	ck_assert_uint_eq(f->n_events, 1);
	ck_assert_int_eq(f->events[0], SADB_EVENT_ADDED);
	ck_assert_uint_eq(f->event_seqs[0], 7);
	ck_assert_int_eq(sadb_add(f->sadb, twin, NULL, &refusal), -EEXIST);
	ck_assert_uint_eq(refusal.diagnostic, 0);
	sa_free(twin);
	ck_assert_uint_eq(sad_count(f->sad), 1);
	ck_assert_uint_eq(arena_count(f->arena), 1);
	fixture_done(f);
}
END_TEST

START_TEST(deleted)
{
	struct sadb_fixture *f = fixture_new();
	struct sa_key key = { SA_PROTO_ESP, 0x1001, fixture_addr("192.0.2.17") };
	struct address src = fixture_addr("192.0.2.1"), other = fixture_addr("192.0.2.2");
	struct sadb_refusal refusal = { 0 };

	ck_assert_int_eq(sadb_delete(f->sadb, &key, NULL, NULL, &refusal), -ESRCH);
	ck_assert_uint_eq(refusal.diagnostic, PFKEY_DIAG_SA_NOTFOUND);
	(void)fixture_add(f, fixture_sa(0x1001));
	ck_assert_int_eq(sadb_delete(f->sadb, &key, &other, NULL, &refusal), -ESRCH);
	ck_assert_ptr_nonnull(sadb_get(f->sadb, &key, &src));
	ck_assert_int_eq(sadb_delete(f->sadb, &key, &src, NULL, &refusal), 0);
	ck_assert_uint_eq(sad_count(f->sad), 0);
	rcu_barrier(f->rcu);
	ck_assert_uint_eq(arena_count(f->arena), 0);
	(void)fixture_add(f, fixture_sa(0x1001));
	(void)fixture_add(f, fixture_sa(0x1002));
	(void)fixture_add(f, fixture_sa_in(0x1003));
	ck_assert_uint_eq(sadb_delete_between(
				  f->sadb, SA_PROTO_ESP, &(struct sadb_match){ .src = &src }, NULL),
		2);
	ck_assert_ptr_nonnull(fixture_find(f, 0x1003));
	sadb_flush(f->sadb, SA_PROTO_AH, NULL);
	ck_assert_uint_eq(sad_count(f->sad), 1);
	sadb_flush(f->sadb, 0, NULL);
	ck_assert_uint_eq(sad_count(f->sad), 0);
	ck_assert_int_eq(f->events[f->n_events - 1], SADB_EVENT_FLUSHED);
	fixture_done(f);
}
END_TEST

START_TEST(generation_follows_every_change)
{
	struct sadb_fixture *f = fixture_new();
	struct sa *sa = fixture_sa(0x1001);
	uint64_t last = sad_generation(f->sad);
	struct sad_entry *entry;

	sa->soft.add_sec = 100;
	sa->hard.add_sec = 200;
	entry = fixture_add(f, sa);
	ck_assert_uint_ne(sad_generation(f->sad), last);
	ck_assert(sad_is_usable(entry));
	last = sad_generation(f->sad);
	fixture_pass(f, 1);
	ck_assert_uint_eq(sad_generation(f->sad), last);
	fixture_pass(f, 100);
	ck_assert_uint_ne(sad_generation(f->sad), last);
	ck_assert(sad_is_usable(entry));
	last = sad_generation(f->sad);
	fixture_pass(f, 100);
	ck_assert_uint_ne(sad_generation(f->sad), last);
	ck_assert(!sad_is_usable(entry));
	last = sad_generation(f->sad);
	fixture_pass(f, 2);
	ck_assert_uint_ne(sad_generation(f->sad), last);
	fixture_done(f);
}
END_TEST

/* The same key again, after a delete and after a crash of the machine: numbers go on. */
START_TEST(numbers_go_on)
{
	struct sadb_fixture *f = fixture_new();
	struct sad_entry *entry = fixture_add(f, fixture_sa(0x1001));

	atomic_store(&entry->run->seq, 100);
	sadb_flush(f->sadb, 0, NULL);
	rcu_barrier(f->rcu);
	entry = fixture_add(f, fixture_sa(0x1001));
	ck_assert_uint_eq(entry->run->seq, 100); /* the rest came back */
	atomic_store(&entry->run->seq, 200);
	fixture_crash(f, false);
	ck_assert_uint_eq(sad_count(f->sad), 0);
	entry = fixture_add(f, fixture_sa(0x1001));
	ck_assert_uint_eq(entry->run->seq, 100 + SEQSTORE_CHUNK_MIN);
	/* A clean stop is exact. */
	atomic_store(&entry->run->seq, 100 + SEQSTORE_CHUNK_MIN + 5);
	ck_assert_int_eq(sadb_settle(f->sadb), 0);
	fixture_crash(f, false);
	entry = fixture_add(f, fixture_sa(0x1001));
	ck_assert_uint_eq(entry->run->seq, 105 + SEQSTORE_CHUNK_MIN);
	fixture_done(f);
}
END_TEST

/* A reader holds the old SA while the key is added again: both have numbers of their own. */
START_TEST(old_and_new_side_by_side)
{
	struct sadb_fixture *f = fixture_new();
	struct sad_entry *old = fixture_add(f, fixture_sa(0x1001)), *fresh;
	unsigned int slot;

	ck_assert_int_eq(rcu_register(f->rcu, &slot), 0);
	sadb_flush(f->sadb, 0, NULL);
	fresh = fixture_add(f, fixture_sa(0x1001));
	ck_assert_uint_ge(fresh->run->seq, old->run->seq_reserved);
	atomic_store(&old->run->seq, 50);
	atomic_store(&fresh->run->seq, fresh->run->seq + 7);
	rcu_quiescent(f->rcu, slot);
	rcu_unregister(f->rcu, slot);
	rcu_barrier(f->rcu);
	/* The old one gave nothing back, since somebody had reserved behind it. */
	ck_assert_uint_eq(seqstore_reserved(f->seqstore, fresh->control.counter_id),
		fresh->run->seq_reserved);
	fixture_done(f);
}
END_TEST

/* Two SAs with one key that is no counter-mode key: allowed, and no number is in both. */
/* One more than may be: refused at every way in, and nothing has changed. */
START_TEST(no_more_than_the_limit)
{
	enum { LIMIT = 256 };
	struct sadb_fixture *f = fixture_new();
	struct sadb_range range = { 0x8000, 0x8fff };
	struct sadb_refusal refusal = { 0 };
	CLEANUP(sa_freep) struct sa *surplus = fixture_sa(0x7000), *ends = fixture_sa_in(0);
	CLEANUP(sa_list_freep) struct sa_list *list = sa_list_new(LIMIT + 1);
	CLEANUP(text_done) struct text why = { 0 };
	struct sa_key key = { SA_PROTO_ESP, 0x1001, fixture_addr("192.0.2.17") };

	sadb_set_limit(f->sadb, LIMIT);
	for (uint32_t i = 1; i < LIMIT; i++)
		(void)fixture_add(f, fixture_sa(0x1000 + i));
	ck_assert_int_eq(sadb_getspi(f->sadb, ends, &range, NULL, &refusal), 0);
	ck_assert_uint_eq(sad_count(f->sad), LIMIT);
	ck_assert_int_eq(sadb_add(f->sadb, surplus, NULL, &refusal), -ENOSPC);
	ck_assert_uint_eq(refusal.diagnostic, PFKEY_DIAG_SAD_FULL);
	ck_assert_int_eq(sadb_getspi(f->sadb, ends, &range, NULL, &refusal), -ENOSPC);
	ck_assert_uint_eq(refusal.diagnostic, PFKEY_DIAG_SAD_FULL);
	ck_assert_uint_eq(sad_count(f->sad), LIMIT);
	ck_assert_uint_eq(arena_count(f->arena), LIMIT);
	/* A list: what it takes the place of makes room, what it only adds to does not. */
	ck_assert_int_eq(sa_list_add(list, fixture_sa(0x1001)), 0);
	ck_assert_int_eq(sadb_apply_keys(f->sadb, list, &why), 0);
	ck_assert_int_eq(sa_list_add(list, fixture_sa(0x7000)), 0);
	ck_assert_int_eq(sadb_apply_keys(f->sadb, list, &why), -ENOSPC);
	ck_assert_str_eq(
		why.str, "there would be 257 SAs: There are as many SAs as sa_limit allows");
	ck_assert_uint_eq(sad_count(f->sad), LIMIT);
	/* Below a limit that came later things get better step by step. */
	sadb_set_limit(f->sadb, 2);
	ck_assert_int_eq(sadb_delete(f->sadb, &key, NULL, NULL, &refusal), 0);
	ck_assert_int_eq(sadb_add(f->sadb, surplus, NULL, &refusal), -ENOSPC);
	sadb_set_limit(f->sadb, LIMIT);
	(void)fixture_add(f, fixture_sa(0x7000));
	fixture_done(f);
}
END_TEST

START_TEST(shared_key)
{
	struct sadb_fixture *f = fixture_new();
	struct sa *sa = fixture_sa(0x1001);
	struct sad_entry *a = fixture_add(f, fixture_sa(0x1001)), *b;

	sa->spi = 0x1002;
	b = fixture_add(f, sa);
	ck_assert_uint_eq(b->run->seq, a->run->seq_reserved);
	atomic_store(&a->run->seq, SEQSTORE_CHUNK_MIN - 1);
	fixture_pass(f, 1);
	ck_assert_uint_ge(a->run->seq, b->run->seq_reserved);
	ck_assert_uint_gt(a->run->seq_reserved, a->run->seq);
	fixture_done(f);
}
END_TEST

START_TEST(counter_keys)
{
	struct sadb_fixture *f = fixture_new();
	struct sad_entry *entry = fixture_add(f, fixture_sa_gcm(0x1001, 5));
	struct sa *twin = fixture_sa_gcm(0x1002, 5), *in = fixture_sa_gcm(0x1003, 5);
	struct sadb_refusal refusal = { 0 };
	struct sa_key key = { SA_PROTO_ESP, 0x1001, fixture_addr("192.0.2.17") };

	ck_assert_uint_eq(entry->sa->encr_key_bits, 128);
	ck_assert_uint_eq(entry->sa->salt_bits, 32);
	ck_assert_int_eq(sadb_add(f->sadb, twin, NULL, &refusal), -EINVAL);
	ck_assert_uint_eq(refusal.diagnostic, PFKEY_DIAG_BAD_CTX);
	/* Not in the other direction either: the peer would count from the same number. */
	in->src = fixture_addr("192.0.2.17");
	in->dst = fixture_addr("192.0.2.1");
	ck_assert_int_eq(sadb_add(f->sadb, in, NULL, &refusal), -EINVAL);
	sa_free(in);
	(void)fixture_add(f, fixture_sa_gcm(0x1004, 6));
	ck_assert_int_eq(sadb_delete(f->sadb, &key, NULL, NULL, &refusal), 0);
	ck_assert_int_eq(sadb_add(f->sadb, twin, NULL, &refusal), 0);
	fixture_done(f);
}
END_TEST

START_TEST(many_counter_keys)
{
	struct sadb_fixture *f = fixture_new();
	struct sadb_refusal refusal = { 0 };

	for (uint32_t i = 1; i <= 250; i++)
		(void)fixture_add(f, fixture_sa_gcm(0x1000 + i, (uint8_t)i));
	for (uint32_t i = 1; i <= 250; i++) {
		CLEANUP(sa_freep) struct sa *twin = fixture_sa_gcm(0x2000 + i, (uint8_t)i);

		ck_assert_int_eq(sadb_add(f->sadb, twin, NULL, &refusal), -EINVAL);
	}
	fixture_done(f);
}
END_TEST

START_TEST(initial_values)
{
	struct sadb_fixture *f = fixture_new();
	struct sa *sa = fixture_sa(0x1001), *in = fixture_sa_in(0x1002);
	struct sad_entry *entry;

	sa->replay_value = 4000;
	entry = fixture_add(f, sa);
	ck_assert_uint_eq(entry->run->seq, 4000);
	in->replay_value = 900;
	entry = fixture_add(f, in);
	ck_assert_uint_eq(entry->run->top, 900);
	ck_assert(entry->run->bitmap[0] == UINT64_MAX);
	/* Later installations of the key do not start over. */
	sadb_flush(f->sadb, 0, NULL);
	rcu_barrier(f->rcu);
	sa = fixture_sa(0x1001);
	sa->replay_value = 10;
	ck_assert_uint_eq(fixture_add(f, sa)->run->seq, 4000);
	fixture_done(f);
}
END_TEST

START_TEST(window_top_is_remembered)
{
	struct sadb_fixture *f = fixture_new();
	struct sad_entry *entry = fixture_add(f, fixture_sa_in(0x1002));

	entry->run->top = 27;
	sadb_flush(f->sadb, 0, NULL);
	rcu_barrier(f->rcu);
	entry = fixture_add(f, fixture_sa_in(0x1002));
	ck_assert_uint_eq(entry->run->top, 27);
	ck_assert(entry->run->bitmap[0] == UINT64_MAX);
	entry->run->top = 59;
	ck_assert_int_eq(sadb_settle(f->sadb), 0); /* a clean stop is exact */
	fixture_crash(f, false);
	ck_assert_uint_eq(fixture_add(f, fixture_sa_in(0x1002))->run->top, 59);
	fixture_done(f);
}
END_TEST

START_TEST(restored)
{
	struct sadb_fixture *f = fixture_new();
	struct sad_entry *entry = fixture_add(f, fixture_sa(0x1001));

	(void)fixture_add(f, fixture_sa_in(0x1002));
	(void)fixture_add(f, fixture_sa_gcm(0x1003, 9));
	atomic_store(&entry->run->seq, 321);
	entry->run->bytes = 5555;
	fixture_crash(f, true);
	ck_assert_uint_eq(sad_count(f->sad), 3);
	entry = fixture_find(f, 0x1001);
	ck_assert_uint_eq(entry->run->seq, 321);
	ck_assert_uint_eq(entry->run->seq_reserved, SEQSTORE_CHUNK_MIN);
	ck_assert_uint_eq(entry->run->bytes, 5555);
	ck_assert_uint_eq(entry->directions, SA_OUTBOUND);
	ck_assert_uint_eq(fixture_find(f, 0x1002)->directions, SA_INBOUND);
	ck_assert_uint_eq(fixture_find(f, 0x1003)->sa->salt_bits, 32);
	fixture_done(f);
}
END_TEST

START_TEST(no_state_directory)
{
	struct sadb_fixture *f = fixture_new();
	struct sadb_parts parts = {
		.sad = f->sad, .arena = f->arena, .is_local = fixture_is_local
	};
	CLEANUP(sadb_freep) struct sadb *sadb = NULL;
	struct sadb_refusal refusal = { 0 };
	struct sa *out = fixture_sa(0x1001);

	ck_assert_int_eq(sadb_new(&parts, &sadb), 0);
	ck_assert_int_eq(sadb_add(sadb, out, NULL, &refusal), -EIO);
	sa_free(out);
	ck_assert_uint_eq(arena_count(f->arena), 0);
	ck_assert_int_eq(sadb_add(sadb, fixture_sa_in(0x1002), NULL, &refusal), 0);
	sadb_tick(sadb);
	ck_assert_int_eq(sadb_settle(sadb), 0);
	sadb = sadb_free(sadb);
	fixture_done(f);
}
END_TEST

START_TEST(provider_as_set)
{
	struct sadb_fixture *f = fixture_new();
	struct sadb_parts parts = { .sad = f->sad,
		.arena = f->arena,
		.is_local = fixture_is_local,
		.provider = SUITE_CHOICE_OPENSSL };
	CLEANUP(sadb_freep) struct sadb *sadb = NULL;
	struct sad_entry *entry = fixture_add(f, fixture_sa_in(0x1001));
	struct sadb_refusal refusal = { 0 };

	ck_assert_ptr_eq(entry->provider, suite_provider_for(SUITE_CHOICE_AUTO, &entry->suite));
	ck_assert_int_eq(sadb_new(&parts, &sadb), 0);
	ck_assert_int_eq(sadb_add(sadb, fixture_sa_in(0x1002), NULL, &refusal), 0);
	ck_assert_ptr_eq(fixture_find(f, 0x1002)->provider, &suite_openssl);
	ck_assert_ptr_nonnull(sad_context(fixture_find(f, 0x1002), 0));
	sadb = sadb_free(sadb);
	fixture_done(f);
}
END_TEST

/* What the disk does not take is not granted, and told; it is asked again. */
START_TEST(refill_without_a_disk)
{
	struct sadb_fixture *f = fixture_new();
	struct sad_entry *entry = fixture_add(f, fixture_sa(0x1001));
	struct rlimit limit;

	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
	ck_assert(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
	limit.rlim_cur = 0;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	atomic_store(&entry->run->seq, SEQSTORE_CHUNK_MIN / 2);
	fixture_pass(f, 1);
	ck_assert_uint_eq(entry->run->seq_reserved, SEQSTORE_CHUNK_MIN);
	ck_assert_int_eq(sadb_disk_error(f->sadb), -EFBIG);
	limit.rlim_cur = limit.rlim_max;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	fixture_pass(f, 1);
	ck_assert_uint_gt(entry->run->seq_reserved, SEQSTORE_CHUNK_MIN);
	ck_assert_int_eq(sadb_disk_error(f->sadb), 0);
	fixture_done(f);
}
END_TEST

START_TEST(refilled)
{
	struct sadb_fixture *f = fixture_new();
	struct sad_entry *entry = fixture_add(f, fixture_sa(0x1001));
	uint64_t reserved;

	fixture_pass(f, 1);
	ck_assert_uint_eq(entry->run->seq_reserved, SEQSTORE_CHUNK_MIN);
	atomic_store(&entry->run->seq, SEQSTORE_CHUNK_MIN / 2);
	fixture_pass(f, 1);
	reserved = entry->run->seq_reserved;
	ck_assert_uint_ge(reserved, 2 * SEQSTORE_CHUNK_MIN);
	/* Two seconds of traffic, at most 2^20. */
	atomic_store(&entry->run->seq, reserved);
	fixture_pass(f, 1);
	ck_assert_uint_gt(entry->run->seq_reserved - reserved, SEQSTORE_CHUNK_MIN);
	atomic_store(&entry->run->seq, entry->run->seq_reserved + 5000000);
	reserved = entry->run->seq;
	atomic_store(&entry->run->seq_reserved, reserved);
	ck_assert_int_eq(seqstore_raise(f->seqstore, entry->control.counter_id, reserved), 0);
	fixture_pass(f, 1);
	ck_assert_uint_eq(entry->run->seq_reserved - reserved, SEQSTORE_CHUNK_MAX);
	fixture_done(f);
}
END_TEST

START_TEST(used_up)
{
	struct sadb_fixture *f = fixture_new();
	struct sad_entry *entry = fixture_add(f, fixture_sa(0x1001));
	struct sa *again = fixture_sa(0x1001);
	struct sadb_refusal refusal = { 0 };

	ck_assert_int_eq(
		seqstore_raise(f->seqstore, entry->control.counter_id, UINT32_MAX - 10), 0);
	atomic_store(&entry->run->seq, SEQSTORE_CHUNK_MIN);
	fixture_pass(f, 1);
	ck_assert_uint_eq(entry->run->seq_reserved, UINT32_MAX);
	atomic_store(&entry->run->seq, UINT32_MAX);
	(void)atomic_fetch_or(&entry->run->events, SA_EVENT_SEQ_END);
	fixture_pass(f, 1);
	ck_assert_uint_eq(entry->run->state, SA_DEAD);
	fixture_pass(f, 2);
	rcu_barrier(f->rcu);
	ck_assert_uint_eq(sad_count(f->sad), 0);
	ck_assert_int_eq(sadb_add(f->sadb, again, NULL, &refusal), -EINVAL);
	ck_assert_uint_eq(refusal.diagnostic, PFKEY_DIAG_SA_EXPIRED);
	sa_free(again);
	fixture_done(f);
}
END_TEST

/* ---- questions ---- */

START_TEST(asked_once)
{
	struct sadb_fixture *f = fixture_new();
	struct sadb_acquire acquire = { .proto = SA_PROTO_ESP,
		.src = fixture_addr("192.0.2.1"),
		.dst = fixture_addr("192.0.2.17"),
		.rule_id = 5 };

	sadb_need(f->sadb, &acquire);
	sadb_need(f->sadb, &acquire);
	ck_assert_uint_eq(f->n_events, 1);
	ck_assert_uint_ge(f->event_seqs[0], 0x80000000U);
	acquire.rule_id = 6;
	sadb_need(f->sadb, &acquire);
	ck_assert_uint_eq(f->n_events, 2);
	ck_assert_uint_eq(f->event_seqs[1], f->event_seqs[0] - 1);
	/* Key management gives up on the first. */
	sadb_acquire_failed(f->sadb, f->event_seqs[0]);
	sadb_need(f->sadb, &acquire);
	ck_assert_uint_eq(f->n_events, 2);
	acquire.rule_id = 5;
	sadb_need(f->sadb, &acquire);
	ck_assert_uint_eq(f->n_events, 3);
	f->now += SADB_ACQUIRE_SEC * SEC;
	sadb_need(f->sadb, &acquire);
	ck_assert_uint_eq(f->n_events, 4);
	/* An SA that comes is an answer. */
	(void)fixture_answer(f, fixture_sa(0x1001), f->event_seqs[3]);
	sadb_need(f->sadb, &acquire);
	ck_assert_uint_eq(f->n_events, 6);
	fixture_done(f);
}
END_TEST

START_TEST(more_questions_than_room)
{
	struct sadb_fixture *f = fixture_new();
	struct sadb_acquire acquire = { .proto = SA_PROTO_ESP,
		.src = fixture_addr("192.0.2.1"),
		.dst = fixture_addr("192.0.2.17") };

	for (uint32_t i = 1; i <= 2000; i++) {
		acquire.rule_id = i;
		f->now++;
		f->n_events = 0;
		sadb_need(f->sadb, &acquire);
		ck_assert_uint_eq(f->n_events, 1);
		sadb_need(f->sadb, &acquire);
		ck_assert_uint_eq(f->n_events, 1);
	}
	fixture_done(f);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sadb");
	TCase *tc = tcase_create("sadb");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, added);
	tcase_add_test(tc, deleted);
	tcase_add_test(tc, generation_follows_every_change);
	tcase_add_test(tc, numbers_go_on);
	tcase_add_test(tc, old_and_new_side_by_side);
	tcase_add_test(tc, no_more_than_the_limit);
	tcase_add_test(tc, shared_key);
	tcase_add_test(tc, counter_keys);
	tcase_add_test(tc, many_counter_keys);
	tcase_add_test(tc, initial_values);
	tcase_add_test(tc, window_top_is_remembered);
	tcase_add_test(tc, restored);
	tcase_add_test(tc, no_state_directory);
	tcase_add_test(tc, provider_as_set);
	tcase_add_test(tc, refilled);
	tcase_add_test(tc, refill_without_a_disk);
	tcase_add_test(tc, used_up);
	tcase_add_test(tc, asked_once);
	tcase_add_test(tc, more_questions_than_room);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
