/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/replay/replay.h"

#include <string.h>

#include "tests/unit/suite.h"

#define BUFFER_WORDS (SA_RUN_WINDOW_MAX / 64)
#define HIGH(h, l)   ((uint64_t)(h) << 32 | (l))

static struct sa_run *run_new(uint32_t window)
{
	struct sa_run *run = calloc(1, sizeof(*run) + BUFFER_WORDS * sizeof(uint64_t));

	ck_assert_ptr_nonnull(run);
	run->window = window;
	return run;
}

static const struct {
	const char *name;
	bool esn;
	uint32_t window;
	uint64_t top; /* accepted before; 0: nothing */
	uint32_t seq_low;
	enum replay_verdict want;
	uint64_t want_seq;
} cases[] = {
	/* clang-format off */
	{ "zero is never sent",             false,  64, 0, 0, REPLAY_STALE, 0 },
	{ "zero without a window",          false,   0, 0, 0, REPLAY_OK, 0 },
	{ "a fresh SA takes one",           false,  64, 0, 1, REPLAY_OK, 1 },
	{ "a fresh SA takes any",           false,  64, 0, 0x80000000, REPLAY_OK, 0x80000000 },
	{ "the same again",                 false,  64, 5, 5, REPLAY_SEEN, 0 },
	{ "one to the right",               false,  64, 5, 6, REPLAY_OK, 6 },
	{ "left edge, inside",              false,  64, 64, 1, REPLAY_OK, 1 },
	{ "left edge, outside",             false,  64, 65, 1, REPLAY_STALE, 0 },
	{ "left edge of 32, inside",        false,  32, 100, 69, REPLAY_OK, 69 },
	{ "left edge of 32, outside",       false,  32, 100, 68, REPLAY_STALE, 0 },
	{ "left edge of 96, inside",        false,  96, 1000, 905, REPLAY_OK, 905 },
	{ "left edge of 96, outside",       false,  96, 1000, 904, REPLAY_STALE, 0 },
	{ "left edge of 8192, inside",      false, 8192, 10000, 1809, REPLAY_OK, 1809 },
	{ "left edge of 8192, outside",     false, 8192, 10000, 1808, REPLAY_STALE, 0 },
	{ "the last number",                false,  64, 0xfffffffe, 0xffffffff, REPLAY_OK, 0xffffffff },
	{ "nothing after the last",         false,  64, 0xffffffff, 0xfffffffe, REPLAY_STALE, 0 },
	{ "no wrap",                        false,  64, 0xffffffff, 1, REPLAY_STALE, 0 },
	{ "no window takes old ones",       false,   0, 100, 1, REPLAY_OK, 1 },
	/* RFC 4303 appendix A2: case A, the window within one subspace. */
	{ "esn: zero of the first subspace", true,  64, 0, 0, REPLAY_STALE, 0 },
	{ "esn: first",                      true,  64, 0, 1, REPLAY_OK, 1 },
	{ "esn: would be subspace -1",       true,  64, 10, 0xfffffff0, REPLAY_STALE, 0 },
	{ "esn: A, inside",                  true,  64, HIGH(1, 1000), 990, REPLAY_OK, HIGH(1, 990) },
	{ "esn: A, right",                   true,  64, HIGH(1, 1000), 2000, REPLAY_OK, HIGH(1, 2000) },
	{ "esn: A, left is the next space",  true,  64, HIGH(1, 1000), 936, REPLAY_OK, HIGH(2, 936) },
	{ "esn: A, left edge",               true,  64, HIGH(1, 1000), 937, REPLAY_OK, HIGH(1, 937) },
	{ "esn: A, exactly W - 1",           true,  64, HIGH(2, 63), 0, REPLAY_OK, HIGH(2, 0) },
	{ "esn: wraps to the next",          true,  64, HIGH(0, 0xffffffff), 0, REPLAY_OK, HIGH(1, 0) },
	{ "esn: low zero is fine later",     true,  64, HIGH(3, 0xfffffff0), 0, REPLAY_OK, HIGH(4, 0) },
	/* Case B, the window over two subspaces. */
	{ "esn: B, low part",                true,  64, HIGH(1, 10), 9, REPLAY_OK, HIGH(1, 9) },
	{ "esn: B, high part",               true,  64, HIGH(1, 10), 0xfffffff0, REPLAY_OK, HIGH(0, 0xfffffff0) },
	{ "esn: B, left edge",               true,  64, HIGH(1, 10), 0xffffffcb, REPLAY_OK, HIGH(0, 0xffffffcb) },
	{ "esn: B, beyond it is far right",  true,  64, HIGH(1, 10), 0xffffffca, REPLAY_OK, HIGH(1, 0xffffffca) },
	{ "esn: B, exactly W - 2",           true,  64, HIGH(2, 62), 0xffffffff, REPLAY_OK, HIGH(1, 0xffffffff) },
	{ "esn: nothing after the end",      true,  64, HIGH(0xffffffff, 1000), 1, REPLAY_STALE, 0 },
	{ "esn: no window, near",            true,   0, HIGH(5, 1000), 1001, REPLAY_OK, HIGH(5, 1001) },
	{ "esn: no window, reordered",       true,   0, HIGH(5, 1000), 900, REPLAY_OK, HIGH(5, 900) },
	{ "esn: no window, over the edge",   true,   0, HIGH(5, 0xfffffff0), 3, REPLAY_OK, HIGH(6, 3) },
	{ "esn: no window, back over it",    true,   0, HIGH(5, 3), 0xfffffff0, REPLAY_OK, HIGH(4, 0xfffffff0) },
	{ "esn: no window, fresh and high",  true,   0, 0, 0xfffffff0, REPLAY_OK, 0xfffffff0 },
	{ "esn: no window, fresh zero",      true,   0, 0, 0, REPLAY_STALE, 0 },
	/* clang-format on */
};

START_TEST(verdicts)
{
	struct sa_run *run = run_new(cases[_i].window);
	uint64_t seq = UINT64_MAX;
	enum replay_verdict verdict;

	if (cases[_i].top != 0)
		ck_assert_int_eq(replay_accept(run, cases[_i].top), REPLAY_OK);
	verdict = replay_check(run, cases[_i].esn, cases[_i].seq_low, &seq);
	ck_assert_msg(verdict == cases[_i].want, "%s: %d", cases[_i].name, (int)verdict);
	if (verdict == REPLAY_OK)
		ck_assert_msg(seq == cases[_i].want_seq, "%s: %#llx", cases[_i].name,
			(unsigned long long)seq);
	else
		ck_assert_uint_eq(seq, UINT64_MAX);
	ck_assert_uint_eq(run->top, cases[_i].top); /* a check never moves it */
	free(run);
}
END_TEST

static const uint32_t windows[] = { 32, 64, 96, 128, 256, 1024, 8192 };

/* Against a window that is written down number by number. */
START_TEST(like_a_list)
{
	enum { NUMBERS = 40000 };
	struct sa_run *run = run_new(windows[_i]);
	bool *seen = calloc(NUMBERS, sizeof(*seen));
	uint64_t top = 0, state = UINT64_C(88172645463325252) + (uint64_t)_i;

	ck_assert_ptr_nonnull(seen);
	for (int n = 0; n < 60000; n++) {
		enum replay_verdict want = REPLAY_OK, verdict;
		uint64_t seq, got = 0;

		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		/* Mostly near the top, sometimes a leap. */
		seq = top + 1 + state % 7;
		if (state % 5 < 3)
			seq = top > 0 ? top - state % (windows[_i] * 2) % top : 1;
		else if (state % 101 == 0)
			seq = top + state % 500;
		if (seq == 0 || seq >= NUMBERS)
			continue;
		if (seq <= top && top - seq >= windows[_i])
			want = REPLAY_STALE;
		else if (seen[seq])
			want = REPLAY_SEEN;
		verdict = replay_check(run, false, (uint32_t)seq, &got);
		ck_assert_int_eq(verdict, want);
		ck_assert_int_eq(replay_accept(run, seq), want);
		if (want != REPLAY_OK)
			continue;
		seen[seq] = true;
		if (seq > top)
			top = seq;
		ck_assert_uint_eq(run->top, top);
	}
	ck_assert_uint_gt(top, 10000);
	free(seen);
	free(run);
}
END_TEST

START_TEST(stays_inside_its_bitmap)
{
	struct sa_run *run = run_new(windows[_i]);
	size_t words = (windows[_i] + 63) / 64;

	for (size_t i = words; i < BUFFER_WORDS; i++)
		run->bitmap[i] = 0x5a5a5a5a5a5a5a5aULL;
	for (uint64_t seq = 1; seq < 3 * SA_RUN_WINDOW_MAX; seq += 3)
		ck_assert_int_eq(replay_accept(run, seq), REPLAY_OK);
	replay_set_top(run, 77777);
	for (size_t i = words; i < BUFFER_WORDS; i++)
		ck_assert_uint_eq(run->bitmap[i], 0x5a5a5a5a5a5a5a5aULL);
	free(run);
}
END_TEST

START_TEST(second_copy_loses)
{
	struct sa_run *run = run_new(64);
	uint64_t first = 0, second = 0;

	/* Two workers check the same number before either accepts it. */
	ck_assert_int_eq(replay_check(run, false, 9, &first), REPLAY_OK);
	ck_assert_int_eq(replay_check(run, false, 9, &second), REPLAY_OK);
	ck_assert_int_eq(replay_accept(run, first), REPLAY_OK);
	ck_assert_int_eq(replay_accept(run, second), REPLAY_SEEN);
	free(run);
}
END_TEST

START_TEST(restored_top_counts_as_seen)
{
	struct sa_run *run = run_new(64);
	uint64_t seq;

	replay_set_top(run, 1000);
	for (uint32_t low = 900; low <= 1000; low++)
		ck_assert_int_ne(replay_check(run, false, low, &seq), REPLAY_OK);
	ck_assert_int_eq(replay_check(run, false, 1001, &seq), REPLAY_OK);
	ck_assert_int_eq(replay_accept(run, 1001), REPLAY_OK);
	ck_assert_int_eq(replay_check(run, false, 1000, &seq), REPLAY_SEEN);
	ck_assert_int_eq(replay_accept(run, 1005), REPLAY_OK);
	ck_assert_int_eq(replay_check(run, false, 1003, &seq), REPLAY_OK);
	free(run);
}
END_TEST

START_TEST(lock_excludes)
{
	struct sa_run *run = run_new(64);

	replay_lock(run);
	ck_assert_uint_eq(atomic_load(&run->replay_lock), 1);
	replay_unlock(run);
	replay_lock(run);
	replay_unlock(run);
	ck_assert_uint_eq(atomic_load(&run->replay_lock), 0);
	free(run);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("replay");
	TCase *tc = tcase_create("replay");

	tcase_add_loop_test(tc, verdicts, 0, (int)ARRAY_SIZE(cases));
	tcase_add_loop_test(tc, like_a_list, 0, (int)ARRAY_SIZE(windows));
	tcase_add_loop_test(tc, stays_inside_its_bitmap, 0, (int)ARRAY_SIZE(windows));
	tcase_add_test(tc, second_copy_loses);
	tcase_add_test(tc, restored_top_counts_as_seen);
	tcase_add_test(tc, lock_excludes);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
