/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From a worker to the control thread: everything comes over, once and in order, however full it is. */
#include "services/datapath/workers/handover.h"

#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>

#include "tests/unit/packets.h"
#include "tests/unit/suite.h"

#define PACKETS 20000U
#define LEN	64U

struct ends {
	struct handover *handover;
	int wake_fd, stop_fd;
};

static void ends_init(struct ends *ends)
{
	ends->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ends->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ck_assert_int_ge(ends->wake_fd, 0);
	ck_assert_int_ge(ends->stop_fd, 0);
	ck_assert_int_eq(handover_new(ends->wake_fd, &ends->handover), 0);
}

static void ends_done(struct ends *ends)
{
	handover_free(ends->handover);
	fd_closep(&ends->wake_fd);
	fd_closep(&ends->stop_fd);
}

static void number(struct test_packet *t, uint32_t i)
{
	packet_init(&t->pkt, t->buffer, sizeof(t->buffer));
	memset(packet_append(&t->pkt, LEN + i % 7), (int)(i & 0xff), LEN + i % 7);
	memcpy(t->pkt.data, &i, sizeof(i));
}

static void *write_all(void *userdata)
{
	static struct test_packet t;
	struct ends *ends = userdata;

	for (uint32_t i = 0; i < PACKETS; i++) {
		struct handover_way way = { .inbound = i / 1000 % 2 != 0,
			.tunnel = (int)(i / 500) };

		number(&t, i);
		while (!handover_put(ends->handover, &t.pkt, way)) {
			handover_tell(ends->handover);
			if (!handover_wait(ends->handover, HANDOVER_ROOM / 2, ends->stop_fd))
				return NULL;
		}
	}
	handover_tell(ends->handover);
	return NULL;
}

/* A batch goes one way; its packets are whole, and have room before and behind them. */
static uint32_t check_batch(struct packet **pkts, size_t n, struct handover_way way, uint32_t next)
{
	for (size_t i = 0; i < n; i++, next++) {
		uint32_t found;

		memcpy(&found, pkts[i]->data, sizeof(found));
		ck_assert_uint_eq(found, next);
		ck_assert_uint_eq(pkts[i]->len, LEN + next % 7);
		ck_assert_uint_eq(pkts[i]->data[LEN - 1], next & 0xff);
		ck_assert(way.inbound == (next / 1000 % 2 != 0));
		ck_assert_int_eq(way.tunnel, (int)(next / 500));
		ck_assert_ptr_nonnull(packet_push(pkts[i], PACKET_HEADROOM));
		ck_assert_ptr_nonnull(packet_append(pkts[i], PACKET_TAILROOM));
	}
	return next;
}

START_TEST(nothing_is_lost)
{
	struct packet *pkts[64];
	uint32_t next = 0;
	pthread_t thread;
	struct ends ends;

	ends_init(&ends);
	ck_assert_int_eq(pthread_create(&thread, NULL, write_all, &ends), 0);
	while (next < PACKETS) {
		struct pollfd pfd = { .fd = ends.wake_fd, .events = POLLIN };
		struct handover_way way;
		uint64_t wakes;
		size_t n;

		ck_assert_int_eq(poll(&pfd, 1, 10000), 1);
		ck_assert_int_eq(read(ends.wake_fd, &wakes, sizeof(wakes)), sizeof(wakes));
		while ((n = handover_take(ends.handover, pkts, ARRAY_SIZE(pkts), &way)) > 0) {
			next = check_batch(pkts, n, way, next);
			handover_done(ends.handover, n);
		}
	}
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	ends_done(&ends);
}
END_TEST

/* A full one takes nothing, and who waits at it is let go when all is to end. */
START_TEST(a_full_one_is_left_at_the_end)
{
	static const uint64_t one = 1;
	static struct test_packet t;
	struct handover_way way = { .inbound = true };
	struct packet *first;
	struct ends ends;

	ends_init(&ends);
	number(&t, 0);
	for (uint32_t i = 0; i < HANDOVER_ROOM; i++)
		ck_assert(handover_put(ends.handover, &t.pkt, way));
	ck_assert(!handover_put(ends.handover, &t.pkt, way));
	ck_assert_int_eq(write(ends.stop_fd, &one, sizeof(one)), sizeof(one));
	ck_assert(!handover_wait(ends.handover, 1, ends.stop_fd));
	ck_assert_uint_eq(handover_take(ends.handover, &first, 1, &way), 1);
	handover_done(ends.handover, 1);
	ck_assert(handover_wait(ends.handover, 1, ends.stop_fd));
	ck_assert(!handover_wait(ends.handover, 2, ends.stop_fd));
	ends_done(&ends);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("handover");
	TCase *tc = tcase_create("handover");

	tcase_add_test(tc, nothing_is_lost);
	tcase_add_test(tc, a_full_one_is_left_at_the_end);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
