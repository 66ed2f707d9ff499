/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packets that wait for an SA: how many, how long, and what becomes of them. */
#include "services/datapath/sad/sadb.h"

#include "tests/unit/sadb_fixture.h"

static struct sadb_packet *packet(uint8_t first)
{
	struct sadb_packet *made = calloc(1, sizeof(*made) + 1);

	ck_assert_ptr_nonnull(made);
	made->len = 1;
	made->bytes[0] = first;
	return made;
}

static struct sa *fixture_sa_ah(uint32_t spi)
{
	struct sa *sa = fixture_sa(spi);

	sa->proto = SA_PROTO_AH;
	sa->encr = ALG_ENCR_NONE;
	sa->encr_key = secret_unref(sa->encr_key);
	sa->encr_key_bits = 0;
	return sa;
}

static struct sadb_acquire question(uint8_t first)
{
	return (struct sadb_acquire){ .proto = SA_PROTO_ESP,
		.mode = SA_MODE_TRANSPORT,
		.src = fixture_addr("192.0.2.1"),
		.dst = fixture_addr("192.0.2.17"),
		.rule_id = 5,
		.packet = packet(first) };
}

static void need(struct sadb_fixture *f, uint8_t first)
{
	struct sadb_acquire acquire = question(first);

	sadb_need(f->sadb, &acquire);
}

static void need_of_rule(struct sadb_fixture *f, uint8_t first, uint64_t rule_id)
{
	struct sadb_acquire acquire = question(first);

	acquire.rule_id = rule_id;
	sadb_need(f->sadb, &acquire);
}

/* A packet whose rule wants both, and whose SA of ESP is there. */
static void need_ah(struct sadb_fixture *f, uint8_t first)
{
	struct sadb_acquire acquire = question(first);

	acquire.proto = SA_PROTO_AH;
	acquire.behind_esp = true;
	sadb_need(f->sadb, &acquire);
}

static struct sadb_fixture *managed(void)
{
	struct sadb_fixture *f = fixture_new();

	sadb_managers_changed(f->sadb, SADB_MANAGED(SA_PROTO_AH) | SADB_MANAGED(SA_PROTO_ESP));
	return f;
}

static void ck_lost(const struct sadb_fixture *f, size_t n, enum verdict why)
{
	ck_assert_uint_eq(f->n_lost, n);
	for (size_t i = 0; i < n; i++)
		ck_assert_msg(f->lost[i] == why, "%s", verdict_name(f->lost[i]));
}

START_TEST(four_wait_in_their_order)
{
	struct sadb_fixture *f = managed();

	for (uint8_t i = 1; i <= 6; i++)
		need(f, i);
	ck_assert_uint_eq(f->n_events, 1); /* asked once */
	ck_lost(f, 2, VERDICT_SADB_ACQUIRE_TOOFULL);
	(void)fixture_answer(f, fixture_sa(0x1001), f->event_seqs[0]);
	ck_assert_uint_eq(f->n_released, 4);
	for (uint8_t i = 0; i < 4; i++)
		ck_assert_uint_eq(f->released[i], 3 + i);
	need(f, 7); /* there may be another question */
	ck_assert_uint_eq(f->n_events, 3);
	fixture_done(f);
}
END_TEST

/* Number, destination and protocol: all three. */
START_TEST(only_its_own_answer_takes_a_question)
{
	struct sadb_fixture *f = managed();
	struct sa *elsewhere = fixture_sa(0x1001);
	uint32_t first, second;

	need(f, 1);
	first = f->event_seqs[0];
	need_of_rule(f, 2, 6);
	second = f->event_seqs[1];
	elsewhere->dst = fixture_addr("192.0.2.18");
	(void)fixture_answer(f, elsewhere, first);
	(void)fixture_answer(f, fixture_sa_ah(0x1002), first);
	(void)fixture_add(f, fixture_sa(0x1003));
	(void)fixture_answer(f, fixture_sa(0x1004), 0);
	ck_assert_uint_eq(f->n_released, 0);
	need(f, 3); /* still no second question */
	ck_assert_uint_eq(f->n_events, 6);
	(void)fixture_answer(f, fixture_sa(0x1005), second);
	ck_assert_uint_eq(f->n_released, 1);
	ck_assert_uint_eq(f->released[0], 2);
	(void)fixture_answer(f, fixture_sa(0x1006), first);
	ck_assert_uint_eq(f->n_released, 3);
	ck_assert_uint_eq(f->released[1], 1);
	ck_assert_uint_eq(f->released[2], 3);
	(void)fixture_answer(f, fixture_sa(0x1007), first); /* nobody waits any more */
	ck_assert_uint_eq(f->n_released, 3);
	ck_lost(f, 0, VERDICT_COUNT);
	fixture_done(f);
}
END_TEST

/* Who numbers as Linux does never repeats the question's number. */
START_TEST(ends_are_enough_where_numbers_are_not_known)
{
	struct sadb_fixture *f = managed();
	struct sadb_request request = { .owner = 1, .seq = 7, .by_ends = true };
	struct sa *elsewhere = fixture_sa(0x1001), *other = fixture_sa_ah(0x1002);
	struct sadb_refusal refusal;

	need(f, 1);
	need_of_rule(f, 2, 6);
	elsewhere->dst = fixture_addr("192.0.2.18");
	ck_assert_int_eq(sadb_add(f->sadb, elsewhere, &request, &refusal), 0);
	ck_assert_int_eq(sadb_add(f->sadb, other, &request, &refusal), 0);
	ck_assert_uint_eq(f->n_released, 0);
	ck_assert_int_eq(sadb_add(f->sadb, fixture_sa(0x1003), &request, &refusal), 0);
	ck_assert_uint_eq(f->n_released, 2);
	fixture_done(f);
}
END_TEST

/* What was to be the answer cannot be added. */
START_TEST(failed_answers_end_the_waiting)
{
	struct sadb_fixture *f = managed();
	CLEANUP(sa_freep) struct sa *sa = fixture_sa(0x1001), *elsewhere = fixture_sa(0x1001);

	need(f, 1);
	elsewhere->dst = fixture_addr("192.0.2.18");
	sadb_answer_failed(f->sadb, elsewhere, f->event_seqs[0]);
	sadb_answer_failed(f->sadb, sa, f->event_seqs[0] - 1);
	ck_lost(f, 0, VERDICT_COUNT);
	sadb_answer_failed(f->sadb, sa, f->event_seqs[0]);
	ck_lost(f, 1, VERDICT_SADB_ACQUIRE);
	need(f, 2);
	ck_assert_uint_eq(f->n_events, 2);
	fixture_done(f);
}
END_TEST

/* The SA of ESP is there, that of AH is not: ESP is asked for again, and then AH. */
START_TEST(esp_first_then_ah)
{
	struct sadb_fixture *f = managed();

	need_ah(f, 1);
	ck_assert_uint_eq(f->n_events, 1);
	ck_assert_int_eq(f->asked[0], SA_PROTO_ESP);
	need_ah(f, 2);
	ck_assert_uint_eq(f->n_events, 1);
	/* Of AH nothing was asked, so nothing is answered. */
	(void)fixture_answer(f, fixture_sa_ah(0x1001), f->event_seqs[0]);
	ck_assert_uint_eq(f->n_released, 0);
	(void)fixture_answer(f, fixture_sa(0x1002), f->event_seqs[0]);
	ck_assert_uint_eq(f->n_released, 2);
	need_ah(f, 1); /* which the engine asks when they come by again */
	need_ah(f, 2);
	ck_assert_uint_eq(f->n_events, 4);
	ck_assert_int_eq(f->asked[3], SA_PROTO_AH);
	ck_assert_uint_eq(f->event_seqs[3], f->event_seqs[0] - 1);
	(void)fixture_answer(f, fixture_sa(0x1003), f->event_seqs[3]);
	ck_assert_uint_eq(f->n_released, 2);
	(void)fixture_answer(f, fixture_sa_ah(0x1004), f->event_seqs[3]);
	ck_assert_uint_eq(f->n_released, 4);
	need_ah(f, 3); /* that SA of AH has gone, too */
	ck_assert_int_eq(f->asked[6], SA_PROTO_ESP);
	fixture_done(f);
}
END_TEST

/* Sent when there was no SA, heard when there is one: that is no reason to ask again. */
START_TEST(what_was_on_its_way)
{
	struct sadb_fixture *f = managed();
	struct sadb_acquire late = question(2);

	need(f, 1);
	late.generation = sad_generation(f->sad);
	(void)fixture_answer(f, fixture_sa(0x1001), f->event_seqs[0]);
	sadb_need(f->sadb, &late);
	ck_assert_uint_eq(f->n_events, 2);
	ck_assert_uint_eq(f->n_released, 2);
	ck_assert_uint_eq(f->released[1], 2);
	late = question(3);
	late.generation = sad_generation(f->sad);
	sadb_need(f->sadb, &late);
	ck_assert_uint_eq(f->n_events, 3);
	ck_assert_uint_eq(f->n_released, 2);
	fixture_done(f);
}
END_TEST

/* Leave to ask for AH does not last; a rule without ESP needs none. */
START_TEST(ah_alone_and_ah_too_late)
{
	struct sadb_fixture *f = managed();
	struct sadb_acquire alone = question(1);

	need_ah(f, 2);
	(void)fixture_answer(f, fixture_sa(0x1001), f->event_seqs[0]);
	fixture_wait(f, 15);
	need_ah(f, 3);
	ck_assert_int_eq(f->asked[2], SA_PROTO_ESP);
	alone.proto = SA_PROTO_AH;
	alone.rule_id = 9;
	sadb_need(f->sadb, &alone);
	ck_assert_int_eq(f->asked[3], SA_PROTO_AH);
	fixture_done(f);
}
END_TEST

START_TEST(nobody_answers)
{
	struct sadb_fixture *f = managed();

	need(f, 1);
	need(f, 2);
	fixture_wait(f, 14);
	need(f, 3); /* does not begin anew */
	ck_lost(f, 0, VERDICT_COUNT);
	fixture_wait(f, 1);
	ck_lost(f, 3, VERDICT_SADB_ACQUIRE_TIMEOUT);
	need(f, 4);
	ck_assert_uint_eq(f->n_events, 2);
	fixture_done(f);
}
END_TEST

START_TEST(no_is_an_answer)
{
	struct sadb_fixture *f = managed();

	need(f, 1);
	sadb_acquire_failed(f->sadb, f->event_seqs[0] - 1); /* somebody else's */
	ck_lost(f, 0, VERDICT_COUNT);
	sadb_acquire_failed(f->sadb, f->event_seqs[0]);
	ck_lost(f, 1, VERDICT_SADB_ACQUIRE);
	need(f, 2);
	sadb_flush(f->sadb, SA_PROTO_AH, NULL); /* those of AH, of which there are none */
	ck_lost(f, 1, VERDICT_SADB_ACQUIRE);
	sadb_flush(f->sadb, SA_PROTO_ESP, NULL);
	ck_lost(f, 2, VERDICT_SADB_ACQUIRE);
	need(f, 3);
	sadb_flush(f->sadb, 0, NULL);
	ck_lost(f, 3, VERDICT_SADB_ACQUIRE);
	fixture_done(f);
}
END_TEST

/* Where nobody brings SAs nothing waits, but the question is asked as before. */
START_TEST(without_managers)
{
	struct sadb_fixture *f = fixture_new();

	need(f, 1);
	ck_lost(f, 1, VERDICT_SADB_ACQUIRE);
	ck_assert_uint_eq(f->n_events, 1);
	/* Who answers for AH is not asked for ESP. */
	sadb_managers_changed(f->sadb, SADB_MANAGED(SA_PROTO_AH));
	need(f, 2);
	ck_lost(f, 2, VERDICT_SADB_ACQUIRE);
	ck_assert_uint_eq(f->n_events, 1);
	/* Who comes later is asked, though the question has been put to nobody already. */
	sadb_managers_changed(f->sadb, SADB_MANAGED(SA_PROTO_ESP));
	need(f, 3);
	ck_lost(f, 2, VERDICT_SADB_ACQUIRE);
	ck_assert_uint_eq(f->n_events, 2);
	need(f, 4);
	ck_assert_uint_eq(f->n_events, 2);
	(void)fixture_answer(f, fixture_sa(0x1001), f->event_seqs[1]);
	ck_assert_uint_eq(f->n_released, 2);
	fixture_done(f);
}
END_TEST

static uint32_t reserve(struct sadb_fixture *f)
{
	CLEANUP(sa_freep) struct sa *ends = sa_new();
	struct sadb_range range = { 0x4000, 0x5000 };
	struct sadb_refusal refusal;

	ends->proto = SA_PROTO_ESP;
	ends->src = fixture_addr("192.0.2.17");
	ends->dst = fixture_addr("192.0.2.1");
	ck_assert_int_eq(sadb_getspi(f->sadb, ends, &range, NULL, &refusal), 0);
	return f->event_spis[f->n_events - 1];
}

static void early(struct sadb_fixture *f, uint32_t spi, uint8_t first)
{
	struct sadb_acquire acquire = { .proto = SA_PROTO_ESP,
		.spi = spi,
		.dst = fixture_addr("192.0.2.1"),
		.packet = packet(first) };

	acquire.packet->inbound = true;
	sadb_hold(f->sadb, &acquire);
}

START_TEST(one_waits_for_a_larval_sa)
{
	struct sadb_fixture *f = fixture_new();
	uint32_t spi = reserve(f);
	CLEANUP(sa_freep) struct sa *sa = fixture_sa_in(spi);
	struct sadb_wish wish = { .sa = sa };
	struct sadb_refusal refusal;

	ck_assert(sad_is_larval(f->sad, SA_PROTO_ESP, spi, &sa->dst));
	early(f, spi, 1);
	early(f, spi, 2);
	ck_lost(f, 1, VERDICT_SADB_INLARVAL_REPLACE);
	ck_assert_int_eq(sadb_update(f->sadb, &wish, &refusal), 0);
	ck_assert(!sad_is_larval(f->sad, SA_PROTO_ESP, spi, &sa->dst));
	ck_assert_uint_eq(f->n_released, 1);
	ck_assert_uint_eq(f->released[0], 2);
	early(f, spi, 3); /* was on its way when the SA was filled in */
	ck_assert_uint_eq(f->released[1], 3);
	early(f, 0x9999, 4);
	ck_assert_int_eq(f->lost[1], VERDICT_ESP_NO_SA);
	fixture_done(f);
}
END_TEST

START_TEST(larval_sa_goes_with_its_packet)
{
	struct sadb_fixture *f = fixture_new();

	early(f, reserve(f), 1);
	fixture_wait(f, 90);
	ck_lost(f, 1, VERDICT_SADB_INLARVAL_TIMEOUT);
	early(f, reserve(f), 2);
	fixture_stop(f); /* nothing is left behind */
	ck_lost(f, 2, VERDICT_SADB_INLARVAL_TIMEOUT);
	fixture_start(f, -1);
	fixture_done(f);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sadb_acquire");
	TCase *tc = tcase_create("sadb_acquire");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, four_wait_in_their_order);
	tcase_add_test(tc, only_its_own_answer_takes_a_question);
	tcase_add_test(tc, ends_are_enough_where_numbers_are_not_known);
	tcase_add_test(tc, failed_answers_end_the_waiting);
	tcase_add_test(tc, esp_first_then_ah);
	tcase_add_test(tc, ah_alone_and_ah_too_late);
	tcase_add_test(tc, what_was_on_its_way);
	tcase_add_test(tc, nobody_answers);
	tcase_add_test(tc, no_is_an_answer);
	tcase_add_test(tc, without_managers);
	tcase_add_test(tc, one_waits_for_a_larval_sa);
	tcase_add_test(tc, larval_sa_goes_with_its_packet);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
