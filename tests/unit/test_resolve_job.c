/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names looked up by helpers: answers as given, a limit that holds, and late answers that are lost. */
#include "common/conf/resolve_job.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "tests/unit/suite.h"

/* A name server in memory: "stuck" is answered only when the test lets it go. */
struct server {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool let_go;
	atomic_uint asked, answered;
};

static struct server server = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.changed = PTHREAD_COND_INITIALIZER,
};

static int serve_host(void *userdata, const char *name, int family, struct resolved *ret)
{
	struct server *s = userdata;

	(void)family;
	(void)atomic_fetch_add(&s->asked, 1);
	*ret = (struct resolved){ 0 };
	if (strcmp(name, "nobody") == 0)
		return -ENOENT;
	if (strcmp(name, "stuck") == 0) {
		(void)pthread_mutex_lock(&s->lock);
		while (!s->let_go)
			(void)pthread_cond_wait(&s->changed, &s->lock);
		(void)pthread_mutex_unlock(&s->lock);
	}
	ret->count = 2;
	ret->addrs[0] = address_v4((const uint8_t[]){ 192, 0, 2, (uint8_t)strlen(name) });
	ret->addrs[1] = address_v6((const uint8_t[16]){ 0x20, 1, 0xd, 0xb8 });
	ret->is_network = name[0] == 'n';
	(void)atomic_fetch_add(&s->answered, 1);
	return 0;
}

static struct resolver serving;

static struct resolve_job *begin(const char *const *names, size_t count, uint64_t usec)
{
	struct resolve_job *job = NULL;

	serving = resolver_fixed;
	serving.host = serve_host;
	serving.userdata = &server;
	ck_assert_int_eq(resolve_job_new(&serving, names, count, usec, &job), 0);
	return job;
}

static bool is_ready(const struct resolve_job *job, int timeout_ms)
{
	struct pollfd poller = { .fd = resolve_job_fd(job), .events = POLLIN };

	return poll(&poller, 1, timeout_ms) == 1;
}

START_TEST(answers_are_those_of_the_resolver)
{
	static const char *const names[] = { "peer", "nobody", "net", "peer", "peer" };
	CLEANUP(resolve_job_freep) struct resolve_job *job = NULL;
	struct resolver answers;
	struct resolved found;
	uint16_t port;
	uint8_t protocol;

	atomic_store(&server.asked, 0);
	job = begin(names, ARRAY_SIZE(names), RESOLVE_TIMEOUT_USEC);
	ck_assert_int_eq(resolve_job_wait(job), 0);
	ck_assert(is_ready(job, 0)); /* and it stays so */
	ck_assert_uint_eq(atomic_load(&server.asked), 3); /* each name once */
	answers = resolve_job_answers(job);
	ck_assert_int_eq(answers.host(answers.userdata, "peer", AF_UNSPEC, &found), 0);
	ck_assert_uint_eq(found.count, 2);
	ck_assert_uint_eq(found.addrs[0].bytes[3], 4);
	ck_assert(!found.is_network);
	ck_assert_int_eq(answers.host(answers.userdata, "peer", AF_INET6, &found), 0);
	ck_assert_uint_eq(found.count, 1);
	ck_assert_int_eq(found.addrs[0].family, AF_INET6);
	ck_assert_int_eq(answers.host(answers.userdata, "net", AF_UNSPEC, &found), 0);
	ck_assert(found.is_network);
	ck_assert_int_eq(answers.host(answers.userdata, "nobody", AF_UNSPEC, &found), -ENOENT);
	ck_assert_int_eq(answers.host(answers.userdata, "unasked", AF_UNSPEC, &found), -ENOENT);
	ck_assert_int_eq(answers.service(answers.userdata, "ssh", &port), 0);
	ck_assert_uint_eq(port, 22);
	ck_assert_int_eq(answers.protocol(answers.userdata, "tcp", &protocol), 0);
	ck_assert_uint_eq(protocol, 6);
}
END_TEST

START_TEST(no_names_are_answered_at_once)
{
	CLEANUP(resolve_job_freep) struct resolve_job *job = begin(NULL, 0, RESOLVE_TIMEOUT_USEC);

	ck_assert_int_eq(resolve_job_wait(job), 0);
}
END_TEST

static uint64_t now_msec(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void let_go(void)
{
	(void)pthread_mutex_lock(&server.lock);
	server.let_go = true;
	(void)pthread_cond_broadcast(&server.changed);
	(void)pthread_mutex_unlock(&server.lock);
}

/* Polls a counter that another thread moves; false after ten seconds. */
static bool reaches(atomic_uint *counter, unsigned int want)
{
	uint64_t start = now_msec();

	while (atomic_load(counter) < want)
		if (now_msec() - start > 10000)
			return false;
	return true;
}

START_TEST(limit_holds_and_late_answers_are_lost)
{
	static const char *const names[] = { "stuck", "quick" };
	struct resolve_job *job;
	struct resolver answers;
	struct resolved found;
	uint64_t start = now_msec();

	atomic_store(&server.answered, 0);
	job = begin(names, ARRAY_SIZE(names), 200000);
	ck_assert(reaches(&server.answered, 1));
	ck_assert(!is_ready(job, 0)); /* one answer is missing */
	ck_assert_int_eq(resolve_job_wait(job), 0);
	ck_assert_uint_ge(now_msec() - start, 190);
	answers = resolve_job_answers(job);
	ck_assert_int_eq(answers.host(answers.userdata, "quick", AF_UNSPEC, &found), 0);
	ck_assert_int_eq(answers.host(answers.userdata, "stuck", AF_UNSPEC, &found), -ETIMEDOUT);
	let_go();
	ck_assert(reaches(&server.answered, 2));
	ck_assert_int_eq(answers.host(answers.userdata, "stuck", AF_UNSPEC, &found), -ETIMEDOUT);
	resolve_job_free(job);
}
END_TEST

/* The owner is gone before the answer comes: the helper frees what is left (leak checkers look). */
START_TEST(cancelled_while_under_way)
{
	static const char *const names[] = { "stuck" };
	struct resolve_job *job;

	server.let_go = false;
	atomic_store(&server.asked, 0);
	atomic_store(&server.answered, 0);
	job = begin(names, ARRAY_SIZE(names), RESOLVE_TIMEOUT_USEC);
	ck_assert(reaches(&server.asked, 1));
	resolve_job_free(job);
	let_go();
	ck_assert(reaches(&server.answered, 1));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("resolve_job");
	TCase *tc = tcase_create("resolve_job");

	tcase_add_test(tc, answers_are_those_of_the_resolver);
	tcase_add_test(tc, no_names_are_answered_at_once);
	tcase_add_test(tc, limit_holds_and_late_answers_are_lost);
	tcase_add_test(tc, cancelled_while_under_way);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
