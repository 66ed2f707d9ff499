/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Times of SAs: as text, as phases of a list, and as what a rollover writes. */
#include "services/manual-key/keys_times.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "common/daemon/algs.h"
#include "services/manual-key/keys_roll.h"
#include "services/manual-key/keys_save.h"
#include "tests/unit/suite.h"

#define KEY   "000102030405060708090a0b0c0d0e0f"
#define ESP   "encr_alg aes-gcm16 encrkey " KEY
#define THERE "src 192.0.2.1 dst 192.0.2.17 "
#define BACK  "src 192.0.2.17 dst 192.0.2.1 "

static const struct {
	const char *word;
	uint64_t sec; /* 0: refused */
	const char *back; /* NULL: the word */
} times[] = {
	{ "2026-11-22T06:00:00Z", 1795327200, NULL },
	{ "1970-01-01T00:00:01Z", 1, NULL },
	{ "2024-02-29T23:59:59Z", 1709251199, NULL },
	{ "2106-02-07T06:28:16Z", UINT64_C(4294967296), NULL },
	{ "9999-12-31T23:59:59Z", UINT64_C(253402300799), NULL },
	{ "1795327200", 1795327200, "2026-11-22T06:00:00Z" },
	{ "0x6b025be0", 1795316704, "2026-11-22T03:05:04Z" },
	{ "2023-02-29T00:00:00Z", 0, NULL },
	{ "2026-11-31T06:00:00Z", 0, NULL },
	{ "2026-13-01T06:00:00Z", 0, NULL },
	{ "2026-11-22T24:00:00Z", 0, NULL },
	{ "2026-11-22T06:60:00Z", 0, NULL },
	{ "2026-11-22T06:00:60Z", 0, NULL },
	{ "2026-11-22T06:00:00", 0, NULL },
	{ "2026-11-22T06:00:00ZZ", 0, NULL },
	{ "2026-11-22 06:00:00Z", 0, NULL },
	{ "2026-11-22T6:00:00Z", 0, NULL },
	{ "1969-12-31T23:59:59Z", 0, NULL },
	{ "1970-01-01T00:00:00Z", 0, NULL },
	{ "0", 0, NULL },
	{ "-1", 0, NULL },
	{ "soon", 0, NULL },
	{ "", 0, NULL },
};

START_TEST(text)
{
	const char *word = times[_i].word, *back = times[_i].back;
	char str[KEYS_TIME_TEXT_MAX];
	uint64_t sec = 0;
	int r = keys_time_parse(word, strlen(word), &sec);

	ck_assert_int_eq(r, times[_i].sec ? 0 : -EINVAL);
	if (r < 0)
		return;
	ck_assert_uint_eq(sec, times[_i].sec);
	ck_assert_str_eq(keys_time_format(sec, str), back ? back : word);
}
END_TEST

static const struct {
	struct keys_times times;
	bool stands;
} orders[] = {
	{ { 0, 0, 0 }, true },
	{ { 5, 0, 0 }, true },
	{ { 0, 5, 5 }, true },
	{ { 4, 5, 6 }, true },
	{ { 5, 5, 6 }, false },
	{ { 5, 0, 5 }, false },
	{ { 6, 5, 0 }, false },
	{ { 0, 6, 5 }, false },
};

START_TEST(order)
{
	ck_assert_int_eq(keys_times_stand(&orders[_i].times), orders[_i].stands);
}
END_TEST

/* A file and what it means. */
struct meaning {
	struct alg_table *algs;
	struct sa_list *list;
	struct keys_times *times;
	size_t errors;
};

static void meaning_done(struct meaning *m)
{
	sa_list_free(m->list);
	free(m->times);
	alg_table_free(m->algs);
}

static struct meaning read_text(const char *source)
{
	CLEANUP(conf_diags_freep) struct conf_diags *diags = conf_diags_new();
	CLEANUP(keys_file_freep) struct keys_file *file = NULL;
	struct meaning m = { 0 };
	struct keys_input in = {
		.label = "keys",
		.source = source,
		.len = strlen(source),
		.place = KEYS_OF_SERVICE,
	};

	ck_assert_int_eq(algs_builtin(&m.algs), 0);
	in.algs = m.algs;
	ck_assert_int_eq(keys_parse(&in, diags, &file), 0);
	ck_assert_int_eq(keys_list_build(file, m.algs, true, diags, &m.list, &m.times), 0);
	m.errors = conf_diags_errors(diags);
	return m;
}

/* "1 2> next 20": SPIs in their order, '>' behind those that send. */
static void describe(const struct meaning *m, uint64_t now_sec, struct text *said)
{
	CLEANUP(sa_list_freep) struct sa_list *list = NULL;
	uint64_t next_sec;

	ck_assert_int_eq(keys_times_apply(m->list, m->times, now_sec, &list, &next_sec), 0);
	for (size_t i = 0; i < list->count; i++)
		text_addf(said, "%" PRIu32 "%s ", list->sas[i]->spi,
			list->sas[i]->directions == SA_INBOUND ? "" : ">");
	text_addf(said, "next %" PRIu64, next_sec);
}

#define GENERATIONS                                                             \
	"add esp spi 1001 " THERE ESP "a0a1a2a3\nadd esp spi 1002 " THERE ESP   \
	"a0a1a2a4 send_from 20\nupdate esp spi 1001 dst 192.0.2.17 send_until " \
	"20 receive_until 30\n"

static const struct {
	const char *source;
	uint64_t now_sec;
	const char *want;
} phases[] = {
	{ GENERATIONS, 10, "1001> 1002 next 20" },
	{ GENERATIONS, 19, "1001> 1002 next 20" },
	{ GENERATIONS, 20, "1002> 1001 next 30" },
	{ GENERATIONS, 29, "1002> 1001 next 30" },
	{ GENERATIONS, 30, "1002> next 0" },
	/* An outbound one is nothing but its sending. */
	{ "add esp spi 1001 outbound send_from 20 " THERE ESP "a0a1a2a3", 10, "next 20" },
	{ "add esp spi 1001 outbound send_from 20 " THERE ESP "a0a1a2a3", 20, "1001> next 0" },
	{ "add esp spi 1001 inbound outbound send_from 20 " THERE ESP "a0a1a2a3", 10,
		"1001 next 20" },
	{ "add esp spi 1001 " THERE ESP "a0a1a2a3", 10, "1001> next 0" },
	{ "add esp spi 1001 receive_until 30 " THERE ESP "a0a1a2a3", 10, "1001> next 30" },
	{ "add esp spi 1001 receive_until 30 " THERE ESP "a0a1a2a3", 30, "next 0" },
};

START_TEST(phase)
{
	CLEANUP(meaning_done) struct meaning m = read_text(phases[_i].source);
	CLEANUP(text_done) struct text said = { 0 };

	ck_assert_uint_eq(m.errors, 0);
	describe(&m, phases[_i].now_sec, &said);
	ck_assert_msg(strcmp(said.str, phases[_i].want) == 0, "at %" PRIu64 ": %s",
		phases[_i].now_sec, said.str);
}
END_TEST

START_TEST(what_is_in_force_keeps_its_complaint)
{
	CLEANUP(meaning_done) struct meaning m = read_text(GENERATIONS);
	CLEANUP(sa_list_freep) struct sa_list *list = NULL;
	uint64_t next_sec;

	m.list->partial = true;
	ck_assert_int_eq(keys_times_apply(m.list, m.times, 10, &list, &next_sec), 0);
	ck_assert(list->partial);
}
END_TEST

#define PAIR                                                                               \
	"add esp spi 1001 " THERE ESP "a0a1a2a3 replay 64 hard_addtime 9000\n"             \
	"add esp spi 1002 pair-spi 1001 " BACK ESP "a0a1a2a4\nadd ah spi 1003 " THERE      \
	"auth_alg sha256 authkey " KEY KEY "\nadd esp spi 1004 dst 198.51.100.7 encr_alg " \
	"aes encrkey " KEY " auth_alg sha1 authkey " KEY "01020304 isrc 10.0.0.0/8 "       \
	"idst 10.9.0.0/16 tfc_pad 900 tfc_dummy 5000\nadd esp spi 1005 inbound " THERE ESP \
	"a0a1a2a5\n"

/* The old generation, then both, then the new one: never less than one of each at work. */
START_TEST(rollover)
{
	CLEANUP(meaning_done) struct meaning m = read_text(PAIR);
	CLEANUP(keys_text_wipe) struct text both = { 0 };
	CLEANUP(meaning_done) struct meaning then = { 0 };
	struct keys_roll roll = { .algs = m.algs, .at_sec = 1000, .overlap_sec = 60 };

	text_add(&both, PAIR);
	ck_assert_int_eq(keys_roll(&roll, m.list, m.times, &both, NULL), 0);
	ck_assert_uint_eq(roll.count, 4);
	ck_assert_uint_eq(roll.n_directed, 1);
	then = read_text(both.str);
	ck_assert_uint_eq(then.errors, 0);
	ck_assert_uint_eq(then.list->count, 9);
	for (size_t i = 0; i < 4; i++) {
		const struct sa *old = then.list->sas[i], *next = NULL;

		ck_assert_uint_eq(then.times[i].send_until, 1000);
		ck_assert_uint_eq(then.times[i].receive_until, 1060);
		for (size_t j = 5; j < 9; j++)
			if (then.list->sas[j]->proto == old->proto &&
				address_equal(&then.list->sas[j]->dst, &old->dst))
				next = then.list->sas[j];
		ck_assert_ptr_nonnull(next);
		ck_assert_uint_ge(next->spi, 256);
		ck_assert(!old->encr_key || !secret_equal(old->encr_key, next->encr_key));
		ck_assert(!old->auth_key || !secret_equal(old->auth_key, next->auth_key));
		ck_assert_uint_eq(secret_len(old->encr_key), secret_len(next->encr_key));
		ck_assert(address_equal(&next->src, &old->src) && next->mode == old->mode);
		ck_assert_uint_eq(next->replay_window, old->replay_window);
		ck_assert_uint_eq(next->hard.add_sec, old->hard.add_sec);
		ck_assert_uint_eq(next->tfc_dummy_msec, old->tfc_dummy_msec);
		ck_assert_int_eq(next->pair_spi != 0 || old->pair_spi == 0, 1);
	}
	for (size_t j = 5; j < 9; j++) {
		ck_assert_uint_eq(then.times[j].send_from, 1000);
		ck_assert_uint_eq(then.times[j].receive_until, 0);
	}
}
END_TEST

#define DIRECTED                                                                              \
	"add esp spi 1001 outbound " THERE ESP "a0a1a2a3\nadd esp spi 1002 inbound " BACK ESP \
	"a0a1a2a4\nadd esp spi 1003 inbound outbound dst 198.51.100.7 " ESP "a0a1a2a5\n"
#define DIRECTED_PEER                                                                         \
	"add esp spi 1001 inbound " THERE ESP "a0a1a2a3\nadd esp spi 1002 outbound " BACK ESP \
	"a0a1a2a4\nadd esp spi 1003 inbound outbound dst 198.51.100.7 " ESP "a0a1a2a5\n"

/* What one end sends by the other receives by, in both generations. */
START_TEST(rollover_of_directions)
{
	CLEANUP(meaning_done) struct meaning m = read_text(DIRECTED);
	CLEANUP(meaning_done) struct meaning there = { 0 };
	CLEANUP(meaning_done) struct meaning back = { 0 };
	const struct meaning *const ends[] = { &there, &back };
	CLEANUP(keys_text_wipe) struct text here = { 0 };
	CLEANUP(keys_text_wipe) struct text peer = { 0 };
	struct keys_roll roll = { .algs = m.algs, .at_sec = 1000, .overlap_sec = 60 };

	text_add(&here, DIRECTED);
	text_add(&peer, DIRECTED_PEER);
	ck_assert_int_eq(keys_roll(&roll, m.list, m.times, &here, &peer), 0);
	ck_assert_uint_eq(roll.count, 3);
	ck_assert_uint_eq(roll.n_directed, 0);
	there = read_text(here.str);
	back = read_text(peer.str);
	for (size_t i = 0; i < 2; i++) {
		ck_assert_uint_eq(ends[i]->errors, 0);
		ck_assert_uint_eq(ends[i]->list->count, 6);
	}
	for (size_t i = 0; i < 6; i++) {
		const struct sa *a = ends[0]->list->sas[i], *b = ends[1]->list->sas[i];

		ck_assert_uint_eq(a->spi, b->spi);
		ck_assert(secret_equal(a->encr_key, b->encr_key));
		if (a->directions != (SA_INBOUND | SA_OUTBOUND))
			ck_assert_uint_eq(a->directions ^ b->directions, SA_INBOUND | SA_OUTBOUND);
		ck_assert_uint_ne(a->directions, 0);
		ck_assert_uint_eq(ends[0]->times[i].send_from, i < 3 ? 0 : 1000);
		ck_assert_uint_eq(ends[1]->times[i].receive_until, i < 3 ? 1060 : 0);
	}
	/* One text would not do for both; what has both directions is the same anyway. */
	roll = (struct keys_roll){ .algs = m.algs, .at_sec = 1000, .overlap_sec = 60 };
	ck_assert_int_eq(keys_roll(&roll, m.list, m.times, &here, NULL), 0);
	ck_assert_uint_eq(roll.count, 1);
	ck_assert_uint_eq(roll.n_directed, 2);
}
END_TEST

START_TEST(rollover_of_one_peer_and_only_once)
{
	CLEANUP(meaning_done) struct meaning m = read_text(PAIR GENERATIONS);
	CLEANUP(keys_text_wipe) struct text more = { 0 };
	struct keys_roll roll = { .algs = m.algs, .at_sec = 1000, .overlap_sec = 60 };

	ck_assert_int_eq(address_parse("198.51.100.7", &roll.peer), 0);
	ck_assert_int_eq(keys_roll(&roll, m.list, m.times, &more, NULL), 0);
	ck_assert_uint_eq(roll.count, 1);
	ck_assert_ptr_nonnull(strstr(more.str, "update esp spi 0x3ec dst 198.51.100.7"));
	keys_text_wipe(&more);
	roll = (struct keys_roll){ .algs = m.algs, .at_sec = 1000, .overlap_sec = 60 };
	ck_assert_int_eq(address_parse("192.0.2.17", &roll.peer), 0);
	m.times[0].send_until = 50;
	ck_assert_int_eq(keys_roll(&roll, m.list, m.times, &more, NULL), 0);
	ck_assert_uint_eq(roll.n_replaced, 1);
	ck_assert_ptr_null(strstr(more.str, "update esp spi 0x3e9 "));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("keys_times");
	TCase *tc = tcase_create("keys_times");

	tcase_add_loop_test(tc, text, 0, ARRAY_SIZE(times));
	tcase_add_loop_test(tc, order, 0, ARRAY_SIZE(orders));
	tcase_add_loop_test(tc, phase, 0, ARRAY_SIZE(phases));
	tcase_add_test(tc, what_is_in_force_keeps_its_complaint);
	tcase_add_test(tc, rollover);
	tcase_add_test(tc, rollover_of_directions);
	tcase_add_test(tc, rollover_of_one_peer_and_only_once);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
