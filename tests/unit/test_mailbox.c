/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One writer, one reader, each on its thread: what is taken was put, in order, or is counted lost. */
#include <check.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>

#include "services/datapath/workers/mailbox.h"

#define MESSAGES 200000U

static void *write_all(void *userdata)
{
	struct sadb_acquire acquire = { .proto = SA_PROTO_ESP };

	for (uint32_t i = 1; i <= MESSAGES; i++) {
		acquire.seq = i;
		mailbox_put_acquire(userdata, &acquire);
	}
	mailbox_put_events(userdata);
	return NULL;
}

START_TEST(order_is_kept)
{
	CLEANUP(fd_closep) int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	CLEANUP(mailbox_freep) struct mailbox *box = NULL;
	uint32_t last = 0, taken = 0;
	struct sadb_acquire acquire;
	bool done = false;
	pthread_t thread;

	ck_assert_int_eq(mailbox_new(fd, &box), 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, write_all, box), 0);
	while (!done) {
		struct pollfd pfd = { .fd = fd, .events = POLLIN };
		uint64_t wakes;

		ck_assert_int_eq(poll(&pfd, 1, 10000), 1);
		ck_assert_int_eq(read(fd, &wakes, sizeof(wakes)), sizeof(wakes));
		done = mailbox_take_events(box);
		while (mailbox_take_acquire(box, &acquire)) {
			ck_assert_uint_gt(acquire.seq, last);
			last = acquire.seq;
			taken++;
		}
	}
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	ck_assert_uint_eq(taken + mailbox_lost(box), MESSAGES);
	ck_assert_uint_gt(taken, 0);
	ck_assert(!mailbox_take_events(box));
}
END_TEST

START_TEST(full_is_counted_and_rules_stay_behind)
{
	CLEANUP(fd_closep) int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	CLEANUP(mailbox_freep) struct mailbox *box = NULL;
	struct rule *rule = rule_new(1);
	struct sadb_acquire acquire = { .rule_id = 7, .rule = rule };
	uint32_t n = 0;

	ck_assert_int_eq(mailbox_new(fd, &box), 0);
	while (mailbox_lost(box) == 0) {
		acquire.seq = ++n;
		mailbox_put_acquire(box, &acquire);
	}
	for (uint32_t i = 1; i < n; i++) {
		ck_assert(mailbox_take_acquire(box, &acquire));
		ck_assert_uint_eq(acquire.seq, i);
		ck_assert_ptr_null(acquire.rule);
		ck_assert_uint_eq(acquire.rule_id, 7);
	}
	ck_assert(!mailbox_take_acquire(box, &acquire));
	ck_assert(!mailbox_is_broken(box));
	mailbox_put_broken(box);
	ck_assert(mailbox_is_broken(box));
	rule_free(rule);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("mailbox");
	TCase *tc = tcase_create("mailbox");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, order_is_kept);
	tcase_add_test(tc, full_is_counted_and_rules_stay_behind);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
