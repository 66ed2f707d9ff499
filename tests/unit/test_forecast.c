/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When the limits of SAs run out, and that each threshold is told once: on a clock that the test turns. */
#include "services/datapath/sad/forecast.h"

#include "common/base/clock.h"
#include "services/datapath/forecast_log.h"
#include "tests/unit/sadb_fixture.h"

#define SEC USEC_PER_SEC

static const struct {
	struct forecast_facts facts;
	enum forecast_limit which;
	uint64_t used, left_sec;
	unsigned int level;
} cases[] = {
	{ { .seq = 5, .seq_limit = 0 }, FORECAST_SEQUENCE, 5, FORECAST_NEVER, 0 },
	{ { .seq = 5, .seq_limit = 100 }, FORECAST_SEQUENCE, 5, FORECAST_NEVER, 0 },
	{ { .seq = 40, .seq_limit = 100, .pace_usec = 10 * SEC, .pace_seq = 20 }, FORECAST_SEQUENCE,
		40, 30, 0 },
	{ { .seq = 49, .seq_limit = 99, .pace_usec = SEC, .pace_seq = 1 }, FORECAST_SEQUENCE, 49,
		50, 0 },
	{ { .seq = 50, .seq_limit = 99, .pace_usec = SEC, .pace_seq = 1 }, FORECAST_SEQUENCE, 50,
		49, 1 },
	{ { .seq = UINT32_MAX, .seq_limit = UINT32_MAX }, FORECAST_SEQUENCE, UINT32_MAX, 0, 3 },
	{ { .seq = UINT64_MAX / 2, .seq_limit = UINT64_MAX - 1, .pace_usec = SEC, .pace_seq = 1 },
		FORECAST_SEQUENCE, UINT64_MAX / 2, FORECAST_NEVER, 1 },
	{ { .bytes = 80, .bytes_limit = 100, .pace_usec = SEC / 2, .pace_bytes = 10 },
		FORECAST_BYTES, 80, 1, 2 },
	{ { .bytes = 94, .bytes_limit = 100 }, FORECAST_BYTES, 94, FORECAST_NEVER, 2 },
	{ { .bytes = 95, .bytes_limit = 100 }, FORECAST_BYTES, 95, FORECAST_NEVER, 3 },
	{ { .now_usec = 60 * SEC, .added_usec = 10 * SEC, .add_sec = 200 }, FORECAST_ADD_TIME, 50,
		150, 0 },
	{ { .now_usec = 110 * SEC, .added_usec = 10 * SEC, .add_sec = 200 }, FORECAST_ADD_TIME, 100,
		100, 1 },
	{ { .now_usec = 60 * SEC, .use_sec = 200 }, FORECAST_USE_TIME, 0, FORECAST_NEVER, 0 },
	{ { .now_usec = 260 * SEC, .used_usec = 10 * SEC, .use_sec = 200 }, FORECAST_USE_TIME, 250,
		0, 3 },
};

START_TEST(computes)
{
	struct forecast f = forecast_of(&cases[_i].facts, cases[_i].which);

	ck_assert_uint_eq(f.used, cases[_i].used);
	ck_assert_uint_eq(forecast_level(&f), cases[_i].level);
	ck_assert_uint_eq(f.left_sec, cases[_i].left_sec);
}
END_TEST

START_TEST(next_threshold_in_time)
{
	struct forecast_facts facts = { .added_usec = 10 * SEC, .add_sec = 100, .use_sec = 100 };

	facts.now_usec = 10 * SEC;
	ck_assert_uint_eq(forecast_next_usec(&facts, FORECAST_ADD_TIME), 60 * SEC);
	ck_assert_uint_eq(forecast_next_usec(&facts, FORECAST_USE_TIME), 0);
	ck_assert_uint_eq(forecast_next_usec(&facts, FORECAST_BYTES), 0);
	facts.now_usec = 60 * SEC;
	ck_assert_uint_eq(forecast_next_usec(&facts, FORECAST_ADD_TIME), 90 * SEC);
	facts.now_usec = 104 * SEC;
	ck_assert_uint_eq(forecast_next_usec(&facts, FORECAST_ADD_TIME), 105 * SEC);
	facts.now_usec = 105 * SEC;
	ck_assert_uint_eq(forecast_next_usec(&facts, FORECAST_ADD_TIME), 0);
	facts.add_sec = UINT64_MAX;
	ck_assert_uint_eq(forecast_next_usec(&facts, FORECAST_ADD_TIME), 0);
}
END_TEST

/* What was told, as "sequence 50; ". */
struct heard {
	struct text text;
	char last[512];
};

static void hear(const struct sadb_event *event, void *userdata)
{
	CLEANUP(text_done) struct text words = { 0 };
	struct heard *heard = userdata;

	if (event->kind != SADB_EVENT_FORECAST)
		return;
	text_addf(&heard->text, "%s %u; ", forecast_name(event->limit),
		forecast_threshold(forecast_level(event->forecast)));
	forecast_print(event, 1795327200, &words);
	ck_assert_int_eq(text_copy(heard->last, sizeof(heard->last), words.str), 0);
}

static const char *told(const struct heard *heard)
{
	return heard->text.str ? heard->text.str : "";
}

START_TEST(time_is_told_without_traffic)
{
	struct sadb_fixture *f = fixture_new();
	struct sa *sa = fixture_sa(0x1001);
	struct heard heard = { 0 };

	ck_assert_int_eq(sadb_listen(f->sadb, hear, &heard), 0);
	sa->hard.add_sec = 1000;
	(void)fixture_add(f, sa);
	for (unsigned int sec = 1; sec <= 999; sec++) {
		fixture_wait(f, 1);
		ck_assert_str_eq(told(&heard), sec < 500   ? ""
					       : sec < 800 ? "addtime 50; "
					       : sec < 950
						       ? "addtime 50; addtime 80; "
						       : "addtime 50; addtime 80; addtime 95; ");
	}
	ck_assert_str_eq(heard.last,
		"esp spi 0x1001 192.0.2.1 > 192.0.2.17 transport: 95 % of its time "
		"is used; it ends at 2026-11-22T06:00:50Z");
	text_done(&heard.text);
	fixture_done(f);
}
END_TEST

START_TEST(use_is_told_at_its_rate)
{
	struct sadb_fixture *f = fixture_new();
	struct sa *sa = fixture_sa(0x1001);
	struct heard heard = { 0 };
	struct sad_entry *entry;

	ck_assert_int_eq(sadb_listen(f->sadb, hear, &heard), 0);
	sa->hard.bytes = 10000;
	entry = fixture_add(f, sa);
	for (unsigned int i = 1; i <= 40; i++) { /* 100 bytes a second */
		atomic_store(&entry->run->bytes, 200 * (uint64_t)i);
		fixture_pass(f, 2);
	}
	ck_assert_str_eq(told(&heard), "bytes 50; bytes 80; ");
	ck_assert_str_eq(heard.last, "esp spi 0x1001 192.0.2.1 > 192.0.2.17 transport: 80 % of its "
				     "bytes are used; at the present rate it ends at "
				     "2026-11-22T06:00:20Z");
	/* Nothing for an hour: the rate is that of now, not that of then. */
	fixture_wait(f, 3600);
	atomic_store(&entry->run->bytes, 9600);
	fixture_pass(f, 1);
	ck_assert_str_eq(told(&heard), "bytes 50; bytes 80; bytes 95; ");
	ck_assert_ptr_nonnull(strstr(heard.last, "it ends at 2026-11-22T06:06:"));
	text_done(&heard.text);
	fixture_done(f);
}
END_TEST

START_TEST(a_leap_is_told_once_and_a_former_life_too)
{
	struct sadb_fixture *f = fixture_new();
	struct heard heard = { 0 };
	struct sad_entry *entry = fixture_add(f, fixture_sa(0x1001));

	ck_assert_int_eq(sadb_listen(f->sadb, hear, &heard), 0);
	atomic_store(&entry->run->seq, (uint64_t)UINT32_MAX / 100 * 85);
	atomic_store(&entry->run->seq_reserved, UINT32_MAX);
	fixture_pass(f, 1);
	fixture_pass(f, 1);
	ck_assert_str_eq(told(&heard), "sequence 80; ");
	fixture_crash(f, true);
	ck_assert_int_eq(sadb_listen(f->sadb, hear, &heard), 0);
	fixture_pass(f, 1);
	ck_assert_str_eq(told(&heard), "sequence 80; ");
	entry = fixture_find(f, 0x1001);
	atomic_store(&entry->run->seq, (uint64_t)UINT32_MAX / 100 * 97);
	fixture_pass(f, 1);
	fixture_pass(f, 1);
	ck_assert_str_eq(told(&heard), "sequence 80; sequence 95; ");
	text_done(&heard.text);
	fixture_done(f);
}
END_TEST

/* Key management renews what has a soft limit; what the key file says nobody renews. */
START_TEST(who_is_told_of)
{
	struct sadb_fixture *f = fixture_new();
	CLEANUP(sa_list_freep) struct sa_list *list = sa_list_new(1);
	CLEANUP(text_done) struct text why = { 0 };
	struct sa *managed = fixture_sa(0x1001), *manual = fixture_sa(0x1002);
	struct heard heard = { 0 };

	ck_assert_int_eq(sadb_listen(f->sadb, hear, &heard), 0);
	managed->soft.add_sec = manual->soft.add_sec = 90;
	managed->hard.add_sec = manual->hard.add_sec = 100;
	(void)fixture_add(f, managed);
	fixture_wait(f, 60);
	ck_assert_str_eq(told(&heard), "");
	ck_assert_int_eq(sa_list_add(list, manual), 0);
	ck_assert_int_eq(sadb_apply_keys(f->sadb, list, &why), 0);
	fixture_wait(f, 50);
	ck_assert_str_eq(told(&heard), "addtime 50; ");
	text_done(&heard.text);
	fixture_done(f);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("forecast");
	TCase *tc = tcase_create("forecast");

	tcase_add_loop_test(tc, computes, 0, ARRAY_SIZE(cases));
	tcase_add_test(tc, next_threshold_in_time);
	tcase_add_test(tc, time_is_told_without_traffic);
	tcase_add_test(tc, use_is_told_at_its_rate);
	tcase_add_test(tc, a_leap_is_told_once_and_a_former_life_too);
	tcase_add_test(tc, who_is_told_of);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
