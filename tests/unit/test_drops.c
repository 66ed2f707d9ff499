/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What writers put is gathered in order of time, whole or not at all, and what is lost is counted. */
#include <check.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "services/datapath/drops/drop_words.h"
#include "services/datapath/drops/drops.h"

#define FLOOD 200000U

static struct drop sample(uint64_t n)
{
	struct drop drop;

	memset(&drop, 0, sizeof(drop));
	drop.at_usec = n;
	drop.rule_id = ~n;
	drop.spi = (uint32_t)n;
	drop.tunnel = -1;
	drop.verdict = VERDICT_ESP_NO_SA;
	drop.flow.local_port = (uint16_t)n;
	return drop;
}

START_TEST(every_reason_has_its_words)
{
	for (size_t i = 0; i < VERDICT_COUNT; i++) {
		enum verdict verdict = (enum verdict)i;
		bool tells = drop_hint(verdict)[0] != '\0';

		ck_assert_msg(tells == !drop_is_routine(verdict), "%s", verdict_name(verdict));
		ck_assert_str_ne(drop_hint(verdict), verdict_text(verdict));
	}
}
END_TEST

static void put(struct drops *drops, size_t writer, uint64_t n)
{
	struct drop drop = sample(n);

	drops_put(drops_ring_of(drops, writer), &drop);
}

START_TEST(order_is_that_of_time)
{
	CLEANUP(drops_freep) struct drops *drops = NULL;

	ck_assert_int_eq(drops_new(-1, 3, &drops), 0);
	ck_assert_uint_eq(drops_next(drops), 1);
	ck_assert_ptr_null(drops_get(drops, 1));
	put(drops, 0, 10);
	put(drops, 0, 40);
	put(drops, 1, 30);
	put(drops, 2, 20);
	ck_assert_ptr_null(drops_get(drops, 1)); /* not gathered yet */
	ck_assert_uint_eq(drops_gather(drops), 4);
	ck_assert_uint_eq(drops_gather(drops), 0);
	ck_assert_uint_eq(drops_next(drops), 5);
	for (uint64_t i = 1; i <= 4; i++) {
		ck_assert_uint_eq(drops_get(drops, i)->at_usec, 10 * i);
		ck_assert_uint_eq(drops_get(drops, i)->rule_id, ~(10 * i));
	}
	ck_assert_ptr_null(drops_get(drops, 0));
	ck_assert_ptr_null(drops_get(drops, 5));
	ck_assert_uint_eq(drops_lost(drops), 0);
}
END_TEST

START_TEST(the_last_ones_are_kept)
{
	CLEANUP(drops_freep) struct drops *drops = NULL;

	ck_assert_int_eq(drops_new(-1, 1, &drops), 0);
	for (uint64_t i = 1; i <= DROPS_KEPT + 5; i++)
		put(drops, 0, i);
	ck_assert_uint_eq(drops_gather(drops), DROPS_KEPT);
	ck_assert_uint_eq(drops_lost(drops), 5);
	ck_assert_uint_eq(drops_get(drops, 1)->at_usec, 6);
	put(drops, 0, 1000);
	ck_assert_uint_eq(drops_gather(drops), 1);
	ck_assert_ptr_null(drops_get(drops, 1));
	ck_assert_uint_eq(drops_get(drops, 2)->at_usec, 7);
	ck_assert_uint_eq(drops_get(drops, DROPS_KEPT + 1)->at_usec, 1000);
}
END_TEST

START_TEST(the_reader_is_woken_once)
{
	CLEANUP(fd_closep) int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	CLEANUP(drops_freep) struct drops *drops = NULL;
	uint64_t wakes;

	ck_assert_int_eq(drops_new(fd, 2, &drops), 0);
	put(drops, 0, 1);
	ck_assert_int_eq(read(fd, &wakes, sizeof(wakes)), -1); /* nobody asked to be told */
	drops_arm(drops);
	put(drops, 0, 2);
	put(drops, 1, 3);
	ck_assert_int_eq(read(fd, &wakes, sizeof(wakes)), sizeof(wakes));
	ck_assert_uint_eq(wakes, 1);
}
END_TEST

static void *flood(void *userdata)
{
	struct drops_ring *ring = userdata;

	for (uint64_t i = 1; i <= FLOOD; i++) {
		struct drop drop = sample(i);

		drops_put(ring, &drop);
	}
	return NULL;
}

START_TEST(what_is_read_while_it_is_written_is_whole)
{
	CLEANUP(drops_freep) struct drops *drops = NULL;
	pthread_t threads[2];
	uint64_t seen = 0;

	ck_assert_int_eq(drops_new(-1, 2, &drops), 0);
	for (size_t i = 0; i < 2; i++)
		ck_assert_int_eq(
			pthread_create(&threads[i], NULL, flood, drops_ring_of(drops, i)), 0);
	while (seen + drops_lost(drops) < (uint64_t)2 * FLOOD) {
		size_t n = drops_gather(drops);

		for (uint64_t k = drops_next(drops) - (n < DROPS_KEPT ? n : DROPS_KEPT);
			k < drops_next(drops); k++) {
			const struct drop *drop = drops_get(drops, k);

			ck_assert_uint_eq(drop->rule_id, ~drop->at_usec);
			ck_assert_uint_eq(drop->spi, (uint32_t)drop->at_usec);
			ck_assert_uint_eq(drop->flow.local_port, (uint16_t)drop->at_usec);
		}
		seen += n;
	}
	for (size_t i = 0; i < 2; i++)
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
	ck_assert_uint_gt(seen, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("drops");
	TCase *tc = tcase_create("drops");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, every_reason_has_its_words);
	tcase_add_test(tc, order_is_that_of_time);
	tcase_add_test(tc, the_last_ones_are_kept);
	tcase_add_test(tc, the_reader_is_woken_once);
	tcase_add_test(tc, what_is_read_while_it_is_written_is_whole);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
