/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Several workers on one SA: no number twice, no packet twice. */
#include <pthread.h>

#include "tests/unit/esp_pair.h"
#include "tests/unit/suite.h"

#define WORKERS 3
#define ROUNDS	60
#define BATCH	16
#define TOTAL	(WORKERS * ROUNDS * BATCH)
/* 20 + 8 + 8, then 16 of UDP, 2 of padding and 2, then 16. */
#define PACKET_LEN 72

/* What one worker has of an SA that all share. */
struct worker {
	pthread_t thread;
	struct esp_sa esp;
	struct suite_context *context;
	const uint8_t (*wire)[PACKET_LEN];
	uint32_t numbers[ROUNDS * BATCH];
	bool accepted[TOTAL];
	struct test_packet packets[BATCH];
};

static void *seal_all(void *userdata)
{
	struct worker *worker = userdata;
	struct packet *pkts[BATCH];
	enum verdict verdicts[BATCH];

	for (size_t round = 0; round < ROUNDS; round++) {
		for (size_t i = 0; i < BATCH; i++) {
			test_udp(&worker->packets[i], shapes[0].src, shapes[0].dst, i);
			pkts[i] = &worker->packets[i].pkt;
		}
		esp_seal_batch(&worker->esp, pkts, BATCH, verdicts);
		for (size_t i = 0; i < BATCH; i++) {
			ck_assert_int_eq(verdicts[i], VERDICT_OUT_PROTECTED);
			worker->numbers[round * BATCH + i] = load_be32(pkts[i]->data + 24);
		}
	}
	return NULL;
}

/* Every worker gets every packet; the first to finish a number has it. */
static void *open_all(void *userdata)
{
	struct worker *worker = userdata;
	struct packet *pkts[BATCH];
	struct packet_view views[BATCH], *at_views[BATCH];
	enum verdict verdicts[BATCH];

	for (size_t at = 0; at < TOTAL; at += BATCH) {
		for (size_t i = 0; i < BATCH; i++) {
			test_packet_bytes(&worker->packets[i], worker->wire[at + i], PACKET_LEN);
			pkts[i] = &worker->packets[i].pkt;
			ck_assert(packet_parse(pkts[i], &views[i]));
			at_views[i] = &views[i];
		}
		esp_open_batch(&worker->esp, pkts, at_views, BATCH, verdicts);
		for (size_t i = 0; i < BATCH; i++) {
			ck_assert(verdicts[i] == VERDICT_IN_ACCEPTED ||
				  verdicts[i] == VERDICT_ESP_EARLY_REPLAY ||
				  verdicts[i] == VERDICT_ESP_REPLAY);
			worker->accepted[at + i] = verdicts[i] == VERDICT_IN_ACCEPTED;
		}
	}
	return NULL;
}

static struct worker *start(const struct test_esp *shared, const uint8_t (*wire)[PACKET_LEN],
	void *(*run)(void *userdata))
{
	struct worker *workers = calloc(WORKERS, sizeof(*workers));

	ck_assert_ptr_nonnull(workers);
	for (size_t i = 0; i < WORKERS; i++) {
		workers[i].esp = shared->esp;
		workers[i].wire = wire;
		ck_assert_int_eq(test_context_new(shared->sa, &workers[i].context), 0);
		workers[i].esp.context = workers[i].context;
	}
	for (size_t i = 0; i < WORKERS; i++)
		ck_assert_int_eq(pthread_create(&workers[i].thread, NULL, run, &workers[i]), 0);
	for (size_t i = 0; i < WORKERS; i++)
		ck_assert_int_eq(pthread_join(workers[i].thread, NULL), 0);
	return workers;
}

static void stop(struct worker *workers)
{
	for (size_t i = 0; i < WORKERS; i++)
		(void)suite_context_free(workers[i].context);
	free(workers);
}

START_TEST(numbers_are_unique)
{
	static uint8_t seen[TOTAL + 1];
	struct worker *workers;
	struct test_esp out;

	make_pair(&out, gcm_suite, &shapes[0], 0);
	workers = start(&out, NULL, seal_all);
	for (size_t i = 0; i < WORKERS; i++) {
		for (size_t k = 0; k < ROUNDS * BATCH; k++) {
			uint32_t number = workers[i].numbers[k];

			ck_assert_uint_ge(number, 1);
			ck_assert_uint_le(number, TOTAL);
			ck_assert_uint_eq(seen[number], 0);
			seen[number] = 1;
			/* One worker's numbers rise. */
			ck_assert(k == 0 || number > workers[i].numbers[k - 1]);
		}
	}
	ck_assert_uint_eq(atomic_load(&out.run->seq), TOTAL);
	ck_assert_uint_eq(atomic_load(&out.run->packets), TOTAL);
	stop(workers);
	test_esp_done(&out);
}
END_TEST

START_TEST(packets_are_taken_once)
{
	static uint8_t wire[TOTAL][PACKET_LEN];
	static struct test_packet sent;
	struct worker *workers;
	struct test_esp out, in;

	make_pair(&out, gcm_suite, &shapes[0], 0);
	make_pair(&in, gcm_suite, &shapes[0], SA_RUN_WINDOW_MAX);
	for (size_t i = 0; i < TOTAL; i++) {
		test_udp(&sent, shapes[0].src, shapes[0].dst, 8);
		ck_assert_int_eq(esp_seal(&out.esp, &sent.pkt, NULL), VERDICT_OUT_PROTECTED);
		ck_assert_uint_eq(sent.pkt.len, PACKET_LEN);
		memcpy(wire[i], sent.pkt.data, PACKET_LEN);
	}
	workers = start(&in, (const uint8_t(*)[PACKET_LEN])wire, open_all);
	for (size_t i = 0; i < TOTAL; i++) {
		unsigned int takers = 0;

		for (size_t k = 0; k < WORKERS; k++)
			takers += workers[k].accepted[i];
		ck_assert_uint_eq(takers, 1);
	}
	ck_assert_uint_eq(in.run->top, TOTAL);
	ck_assert_uint_eq(atomic_load(&in.run->packets), TOTAL);
	ck_assert_uint_eq(atomic_load(&in.run->errors), (WORKERS - 1) * TOTAL);
	stop(workers);
	test_esp_done(&out);
	test_esp_done(&in);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("esp_threads");
	TCase *tc = tcase_create("esp_threads");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, numbers_are_unique);
	tcase_add_test(tc, packets_are_taken_once);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
