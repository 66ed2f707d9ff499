/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inbound windows and the disk: what came in is never taken again, whatever is lost when. */

#include "services/datapath/replay/replay.h"
#include "tests/unit/random_policy.h"
#include "tests/unit/sadb_fixture.h"

#define SPI    0x1002U
#define AHEAD  64U /* the least that is reserved */
#define SEEDS  20
#define DEATHS 20

/* What a worker does with an authentic packet of that number. */
static enum replay_verdict take(struct sad_entry *entry, uint64_t seq)
{
	struct sa_run *run = entry->run;
	enum replay_verdict verdict;
	uint64_t number = 0;

	replay_lock(run);
	verdict = replay_check(run, false, (uint32_t)seq, &number);
	if (verdict == REPLAY_OK)
		verdict = replay_accept(run, number);
	replay_unlock(run);
	if (atomic_load(&run->events))
		sad_raise(entry);
	return verdict;
}

static void take_all(struct sad_entry *entry, uint64_t first, uint64_t last)
{
	for (uint64_t seq = first; seq <= last; seq++)
		ck_assert_msg(take(entry, seq) == REPLAY_OK, "%ju", (uintmax_t)seq);
}

/* The control thread is there whenever it is called. */
static void take_paced(
	struct sadb_fixture *f, struct sad_entry *entry, uint64_t first, uint64_t last)
{
	for (uint64_t seq = first; seq <= last; seq++) {
		if (atomic_load(&entry->run->events) & SA_EVENT_TOP_LOW)
			sadb_tick(f->sadb);
		ck_assert_msg(take(entry, seq) == REPLAY_OK, "%ju", (uintmax_t)seq);
	}
}

#define SENT_MAX (DEATHS * 3000 + 1)

/* Whatever was taken once is refused, as far back as anybody may try. */
static void replay_all(struct sad_entry *entry, const bool *taken, uint64_t sent, int death)
{
	for (uint64_t seq = sent > 500 ? sent - 500 : 1; seq <= sent; seq++)
		if (taken[seq])
			ck_assert_msg(take(entry, seq) != REPLAY_OK, "death %d, %ju of %ju", death,
				(uintmax_t)seq, (uintmax_t)sent);
}

START_TEST(nothing_is_taken_twice)
{
	struct sadb_fixture *f = fixture_new();
	struct sad_entry *entry = fixture_add(f, fixture_sa_in(SPI));
	bool *taken = calloc(SENT_MAX, sizeof(*taken));
	uint64_t sent = 0, random = (uint64_t)_i + 1;
	size_t n_taken = 0;

	ck_assert_ptr_nonnull(taken);
	for (int death = 0; death < DEATHS; death++) {
		/* The peer goes on, and nothing else happens but a tick now and then. */
		for (uint32_t i = random_below(&random, 3000); i > 0; i--) {
			sent++;
			taken[sent] = take(entry, sent) == REPLAY_OK;
			n_taken += taken[sent];
			if (random_below(&random, 300) == 0)
				fixture_pass(f, random_below(&random, 2));
		}
		fixture_crash(f, random_below(&random, 2) == 0);
		entry = fixture_find(f, SPI);
		if (!entry)
			entry = fixture_add(f, fixture_sa_in(SPI));
		replay_all(entry, taken, sent, death);
	}
	ck_assert_uint_gt(n_taken, AHEAD * 4);
	free(taken);
	fixture_done(f);
}
END_TEST

START_TEST(a_loss_costs_what_was_ahead)
{
	struct sadb_fixture *f = fixture_new();
	struct sad_entry *entry = fixture_add(f, fixture_sa_in(SPI));

	take_all(entry, 1, 5);
	fixture_crash(f, false);
	entry = fixture_add(f, fixture_sa_in(SPI));
	ck_assert_int_ne(take(entry, 6), REPLAY_OK);
	ck_assert_int_ne(take(entry, AHEAD), REPLAY_OK);
	ck_assert_int_eq(take(entry, AHEAD + 1), REPLAY_AHEAD); /* the first one asks */
	sadb_tick(f->sadb);
	take_all(entry, AHEAD + 2, AHEAD + 60);
	fixture_done(f);
}
END_TEST

/* The end does not run away from a peer that says little, or nothing. */
START_TEST(losses_do_not_add_up)
{
	struct sadb_fixture *f = fixture_new();
	struct sad_entry *entry = fixture_add(f, fixture_sa_in(SPI));

	take_all(entry, 1, 5);
	for (int i = 0; i < 10; i++) {
		fixture_crash(f, false);
		(void)fixture_add(f, fixture_sa_in(SPI));
		fixture_pass(f, 1);
		fixture_crash(f, true);
		fixture_pass(f, 1);
		entry = fixture_find(f, SPI);
		ck_assert_uint_eq(seqstore_top(f->seqstore, entry->control.window_id), AHEAD);
	}
	/* A clean stop between them: no packet is lost for want of an answer from the disk. */
	ck_assert_int_eq(sadb_settle(f->sadb), 0);
	fixture_crash(f, false);
	entry = fixture_add(f, fixture_sa_in(SPI));
	take_all(entry, AHEAD + 1, 2 * AHEAD);
	fixture_done(f);
}
END_TEST

/* Where the memory lives on, nothing is lost, however far the disk was ahead. */
START_TEST(memory_that_is_kept_costs_nothing)
{
	struct sadb_fixture *f = fixture_new();
	struct sad_entry *entry = fixture_add(f, fixture_sa_in(SPI));

	take_all(entry, 1, 5);
	fixture_crash(f, true);
	entry = fixture_find(f, SPI);
	ck_assert_int_eq(take(entry, 5), REPLAY_SEEN);
	take_all(entry, 6, AHEAD);
	fixture_done(f);
}
END_TEST

/* Above what is on disk nothing comes in before the control thread was there; it is told at half. */
START_TEST(a_burst_waits_for_the_disk)
{
	struct sadb_fixture *f = fixture_new();
	struct sad_entry *entry = fixture_add(f, fixture_sa_in(SPI));
	struct sa_run *run = entry->run;

	take_all(entry, 1, AHEAD / 2 - 1);
	ck_assert_uint_eq(atomic_load(&run->events) & SA_EVENT_TOP_LOW, 0);
	take_all(entry, AHEAD / 2, AHEAD);
	ck_assert_uint_ne(atomic_load(&run->events) & SA_EVENT_TOP_LOW, 0);
	ck_assert_int_eq(take(entry, AHEAD + 1), REPLAY_AHEAD);
	ck_assert_uint_eq(run->top, AHEAD);
	sadb_tick(f->sadb); /* no time has passed: it came faster than expected */
	take_all(entry, AHEAD + 1, AHEAD + 4 * AHEAD);
	ck_assert_int_eq(take(entry, AHEAD + 6 * AHEAD), REPLAY_AHEAD);
	fixture_done(f);
}
END_TEST

/* The peer lost its memory, and begins far above. */
START_TEST(a_leap_is_followed)
{
	struct sadb_fixture *f = fixture_new();
	struct sad_entry *entry = fixture_add(f, fixture_sa_in(SPI));

	take_all(entry, 1, 3);
	ck_assert_int_eq(take(entry, SEQSTORE_CHUNK_MAX), REPLAY_AHEAD);
	sadb_tick(f->sadb);
	take_all(entry, SEQSTORE_CHUNK_MAX, SEQSTORE_CHUNK_MAX + AHEAD);
	ck_assert_int_eq(take(entry, 4), REPLAY_STALE);
	/* To the very end of the numbers, and no further. */
	ck_assert_int_eq(take(entry, UINT32_MAX), REPLAY_AHEAD);
	sadb_tick(f->sadb);
	ck_assert_int_eq(take(entry, UINT32_MAX), REPLAY_OK);
	ck_assert_int_eq(take(entry, UINT32_MAX), REPLAY_STALE);
	fixture_done(f);
}
END_TEST

/* Who may wait for the disk takes it at once; not what was refused for another reason. */
static bool make_room(void *userdata, uint64_t seq)
{
	struct sadb_fixture *f = userdata;

	return sadb_window_reach(f->sadb, fixture_find(f, SPI), seq) == 0;
}

START_TEST(a_leap_that_can_wait)
{
	struct sadb_fixture *f = fixture_new();
	struct sad_entry *entry = fixture_add(f, fixture_sa_in(SPI));
	const struct replay_room room = { .make = make_room, .userdata = f };
	static const uint64_t seqs[] = { 1000000, 1000001, 1009000, UINT32_MAX };
	struct sa_run *run = entry->run;

	replay_lock(run);
	for (size_t i = 0; i < ARRAY_SIZE(seqs); i++) {
		ck_assert(!replay_is_ahead(run, false, 1));
		ck_assert_int_eq(replay_is_ahead(run, false, (uint32_t)seqs[i]), i != 1);
		ck_assert_int_eq(replay_accept_with(run, seqs[i], &room), REPLAY_OK);
		ck_assert_int_eq(replay_accept_with(run, seqs[i], &room), REPLAY_SEEN);
		ck_assert_uint_ge(seqstore_top(f->seqstore, entry->control.window_id), seqs[i]);
	}
	ck_assert_int_eq(replay_accept_with(run, 5, &room), REPLAY_STALE);
	ck_assert_int_eq(replay_accept_with(run, UINT32_MAX, NULL), REPLAY_SEEN);
	replay_unlock(run);
	fixture_crash(f, false);
	entry = fixture_add(f, fixture_sa_in(SPI));
	ck_assert_int_ne(take(entry, UINT32_MAX), REPLAY_OK);
	fixture_done(f);
}
END_TEST

START_TEST(ahead_with_high_halves)
{
	struct sadb_fixture *f = fixture_new();
	struct sad_entry *entry = fixture_add(f, fixture_sa_in(SPI));
	struct sa_run *run = entry->run;

	atomic_store(&run->top_end, 0x1fffffff0);
	ck_assert(!replay_is_ahead(run, true, 0xffffffef));
	ck_assert(replay_is_ahead(run, true, 0xfffffff0));
	ck_assert(replay_is_ahead(run, true, 5)); /* of the next 2^32 */
	ck_assert(!replay_is_ahead(run, true, 0x80000000));
	atomic_store(&run->top_end, 0); /* windows are not kept on disk */
	ck_assert(!replay_is_ahead(run, true, 0xffffffff));
	ck_assert(!replay_is_ahead(run, false, 0xffffffff));
	fixture_done(f);
}
END_TEST

/* So many in each of some seconds, the tick at its end. */
static uint64_t run_steadily(
	struct sadb_fixture *f, struct sad_entry *entry, uint64_t from, int sec)
{
	for (; sec > 0; sec--, from += 5000) {
		atomic_store(&entry->run->last_use_usec, f->now);
		for (uint64_t seq = from; seq < from + 5000; seq++) {
			if (atomic_load(&entry->run->events) & SA_EVENT_TOP_LOW)
				sadb_tick(f->sadb); /* which the worker woke */
			ck_assert_int_eq(take(entry, seq), REPLAY_OK);
		}
		fixture_pass(f, 1);
	}
	return from;
}

START_TEST(what_is_ahead_follows_the_traffic)
{
	struct sadb_fixture *f = fixture_new();
	struct sad_entry *entry = fixture_add(f, fixture_sa_in(SPI));
	uint64_t next = 1, last;

	for (int i = 0; i < 10;
		i++) { /* slowly at first: there is no worker that waits for the disk */
		take_all(entry, next, next + AHEAD / 2);
		next += AHEAD / 2 + 1;
		sadb_tick(f->sadb);
	}
	next = run_steadily(f, entry, next, 20);
	last = atomic_load(&entry->run->top_end) - 1;
	ck_assert_uint_ge(last - (next - 1), 5000);
	ck_assert_uint_le(last - (next - 1), 4 * 2 * 5000);
	/* Silence gives it back, in memory and on disk; then nothing is ever due again. */
	atomic_store(&entry->run->last_use_usec, f->now);
	fixture_pass(f, 1);
	fixture_wait(f, 11);
	ck_assert_uint_eq(atomic_load(&entry->run->top_end) - 1, next - 1 + AHEAD);
	ck_assert_uint_eq(seqstore_top(f->seqstore, entry->control.window_id), next - 1 + AHEAD);
	ck_assert_uint_eq(entry->control.due_usec, 0);
	take_all(entry, next, next + AHEAD - 1);
	ck_assert_int_eq(take(entry, next + AHEAD), REPLAY_AHEAD);
	fixture_done(f);
}
END_TEST

START_TEST(gone_and_come_back)
{
	struct sadb_fixture *f = fixture_new();
	struct sad_entry *entry = fixture_add(f, fixture_sa_in(SPI));

	take_all(entry, 1, 7);
	sadb_flush(f->sadb, 0, NULL); /* a worker may hold it still: nothing more is taken */
	ck_assert_int_eq(take(entry, 8), REPLAY_AHEAD);
	entry = fixture_add(f, fixture_sa_in(SPI));
	ck_assert_int_eq(take(entry, 7), REPLAY_SEEN);
	take_all(entry, 8, 20);
	fixture_done(f);
}
END_TEST

static void apply(struct sadb_fixture *f, struct sa *sa)
{
	struct text why = { 0 };
	CLEANUP(sa_list_freep) struct sa_list *list = sa_list_new(1);

	ck_assert_ptr_nonnull(list);
	sa->origin = SA_ORIGIN_KEYS;
	ck_assert_int_eq(sa_list_add(list, sa), 0);
	ck_assert_int_eq(sadb_apply_keys(f->sadb, list, &why), 0);
	text_done(&why);
}

/* A reload with another window makes a new run state: it goes on where the old one stood. */
START_TEST(another_window_goes_on)
{
	struct sadb_fixture *f = fixture_new();
	struct sa *wider = fixture_sa_in(SPI);
	struct sad_entry *entry;

	apply(f, fixture_sa_in(SPI));
	take_paced(f, fixture_find(f, SPI), 1, 100);
	wider->replay_window = 256;
	apply(f, wider);
	entry = fixture_find(f, SPI);
	ck_assert_uint_eq(entry->run->window, 256);
	ck_assert_int_eq(take(entry, 100), REPLAY_SEEN);
	take_all(entry, 101, 120);
	fixture_crash(f, false);
	apply(f, fixture_sa_in(SPI));
	ck_assert_int_ne(take(fixture_find(f, SPI), 121), REPLAY_OK);
	fixture_done(f);
}
END_TEST

/* A store that is younger than the memory: nothing that it does not know of comes in before it does. */
START_TEST(memory_without_its_store)
{
	struct sadb_fixture *f = fixture_new();
	struct sad_entry *entry = fixture_add(f, fixture_sa_in(SPI));
	char path[96];

	take_paced(f, entry, 1, 300);
	ck_assert_int_eq(text_fixed(path, sizeof(path), "%s/counters", f->dir), 0);
	ck_assert_int_eq(unlink(path), 0);
	fixture_crash(f, true);
	entry = fixture_find(f, SPI);
	ck_assert_uint_ge(seqstore_top(f->seqstore, entry->control.window_id), 300);
	ck_assert_int_eq(take(entry, 300), REPLAY_SEEN);
	take_paced(f, entry, 301, 400);
	fixture_crash(f, false);
	ck_assert_int_ne(take(fixture_add(f, fixture_sa_in(SPI)), 400), REPLAY_OK);
	fixture_done(f);
}
END_TEST

/* An SA that was refused with its whole file has kept nothing from anybody. */
START_TEST(refused_with_others)
{
	struct sadb_fixture *f = fixture_new();
	struct text why = { 0 };
	CLEANUP(sa_list_freep) struct sa_list *list = sa_list_new(1);
	struct sa *spent = fixture_sa(0x1001);

	ck_assert_ptr_nonnull(list);
	spent->replay_value = UINT32_MAX; /* no number left: refused when it is equipped */
	ck_assert_int_eq(sa_list_add(list, fixture_sa_in(SPI)), 0);
	ck_assert_int_eq(sa_list_add(list, spent), 0);
	ck_assert_int_lt(sadb_apply_keys(f->sadb, list, &why), 0);
	text_done(&why);
	take_all(fixture_add(f, fixture_sa_in(SPI)), 1, 10);
	fixture_done(f);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sadb_window");
	TCase *tc = tcase_create("sadb_window");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, nothing_is_taken_twice, 0, SEEDS);
	tcase_add_test(tc, a_loss_costs_what_was_ahead);
	tcase_add_test(tc, losses_do_not_add_up);
	tcase_add_test(tc, memory_that_is_kept_costs_nothing);
	tcase_add_test(tc, a_burst_waits_for_the_disk);
	tcase_add_test(tc, a_leap_is_followed);
	tcase_add_test(tc, a_leap_that_can_wait);
	tcase_add_test(tc, ahead_with_high_halves);
	tcase_add_test(tc, what_is_ahead_follows_the_traffic);
	tcase_add_test(tc, gone_and_come_back);
	tcase_add_test(tc, another_window_goes_on);
	tcase_add_test(tc, memory_without_its_store);
	tcase_add_test(tc, refused_with_others);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
