/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/base/rcu.h"

#include <errno.h>
#include <pthread.h>

#include "tests/unit/suite.h"

#define READERS	 3
#define VERSIONS 20000

static void count(void *object)
{
	(*(int *)object)++;
}

START_TEST(waits_for_readers)
{
	CLEANUP(rcu_freep) struct rcu *rcu = NULL;
	unsigned int a, b;
	int freed = 0;

	ck_assert_int_eq(rcu_new(&rcu), 0);
	ck_assert_int_eq(rcu_register(rcu, &a), 0);
	ck_assert_int_eq(rcu_register(rcu, &b), 0);
	ck_assert_uint_ne(a, b);
	ck_assert_int_eq(rcu_defer(rcu, count, &freed), 0);
	ck_assert_uint_eq(rcu_poll(rcu), 1);
	rcu_quiescent(rcu, a);
	ck_assert_uint_eq(rcu_poll(rcu), 1);
	ck_assert_int_eq(freed, 0);
	rcu_quiescent(rcu, b);
	ck_assert_uint_eq(rcu_poll(rcu), 0);
	ck_assert_int_eq(freed, 1);
	rcu_unregister(rcu, a);
	rcu_unregister(rcu, b);
}
END_TEST

START_TEST(keeps_order)
{
	CLEANUP(rcu_freep) struct rcu *rcu = NULL;
	unsigned int a;
	int first = 0, second = 0;

	ck_assert_int_eq(rcu_new(&rcu), 0);
	ck_assert_int_eq(rcu_register(rcu, &a), 0);
	ck_assert_int_eq(rcu_defer(rcu, count, &first), 0);
	rcu_quiescent(rcu, a);
	ck_assert_int_eq(rcu_defer(rcu, count, &second), 0);
	ck_assert_uint_eq(rcu_poll(rcu), 1); /* the reader may hold the second still */
	ck_assert_int_eq(first, 1);
	ck_assert_int_eq(second, 0);
	rcu_unregister(rcu, a);
	rcu_barrier(rcu);
	ck_assert_int_eq(second, 1);
}
END_TEST

START_TEST(offline_delays_nobody)
{
	CLEANUP(rcu_freep) struct rcu *rcu = NULL;
	unsigned int a;
	int freed = 0;

	ck_assert_int_eq(rcu_new(&rcu), 0);
	ck_assert_int_eq(rcu_register(rcu, &a), 0);
	rcu_offline(rcu, a);
	ck_assert_int_eq(rcu_defer(rcu, count, &freed), 0);
	ck_assert_uint_eq(rcu_poll(rcu), 0);
	ck_assert_int_eq(freed, 1);
	rcu_online(rcu, a);
	ck_assert_int_eq(rcu_defer(rcu, count, &freed), 0);
	ck_assert_uint_eq(rcu_poll(rcu), 1);
	rcu_unregister(rcu, a);
}
END_TEST

START_TEST(slots_run_out)
{
	CLEANUP(rcu_freep) struct rcu *rcu = NULL;
	unsigned int slots[RCU_MAX_READERS], slot;

	ck_assert_int_eq(rcu_new(&rcu), 0);
	for (size_t i = 0; i < RCU_MAX_READERS; i++)
		ck_assert_int_eq(rcu_register(rcu, &slots[i]), 0);
	ck_assert_int_eq(rcu_register(rcu, &slot), -ENOSPC);
	rcu_unregister(rcu, slots[5]);
	ck_assert_int_eq(rcu_register(rcu, &slot), 0);
	ck_assert_uint_eq(slot, slots[5]);
	for (size_t i = 0; i < RCU_MAX_READERS; i++)
		rcu_unregister(rcu, slots[i]);
}
END_TEST

START_TEST(free_runs_the_rest)
{
	struct rcu *rcu = NULL;
	int freed = 0;

	ck_assert_int_eq(rcu_new(&rcu), 0);
	ck_assert_int_eq(rcu_defer(rcu, count, &freed), 0);
	ck_assert_ptr_null(rcu_free(rcu));
	ck_assert_int_eq(freed, 1);
	ck_assert_ptr_null(rcu_free(NULL));
}
END_TEST

/* Readers check a pair of numbers that the writer would tear when it freed too early. */
struct pair {
	int a, b;
};

struct race {
	struct rcu *rcu;
	RCU_POINTER(struct pair) current;
	_Atomic bool stop;
	_Atomic unsigned int torn;
};

static void pair_free(void *object)
{
	struct pair *pair = object;

	pair->a = -1; /* a reader that still looks at it sees a torn pair, and a sanitizer a race */
	free(pair);
}

static void *reader(void *userdata)
{
	struct race *race = userdata;
	unsigned int slot, rounds = 0;

	if (rcu_register(race->rcu, &slot) < 0)
		return NULL;
	while (!atomic_load_explicit(&race->stop, memory_order_relaxed)) {
		const struct pair *pair = rcu_read(&race->current);

		if (pair->a != pair->b)
			atomic_fetch_add(&race->torn, 1);
		if (++rounds % 7 == 0) {
			rcu_offline(race->rcu, slot);
			rcu_online(race->rcu, slot);
		} else {
			rcu_quiescent(race->rcu, slot);
		}
	}
	rcu_unregister(race->rcu, slot);
	return NULL;
}

static struct pair *pair_new(int x)
{
	struct pair *pair = malloc(sizeof(*pair));

	ck_assert_ptr_nonnull(pair);
	*pair = (struct pair){ x, x };
	return pair;
}

START_TEST(readers_and_writer)
{
	pthread_t threads[READERS];
	struct race race = { 0 };

	ck_assert_int_eq(rcu_new(&race.rcu), 0);
	rcu_publish(&race.current, pair_new(0));
	for (size_t i = 0; i < READERS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, reader, &race), 0);
	for (int i = 1; i <= VERSIONS; i++) {
		struct pair *old = rcu_read(&race.current);

		rcu_publish(&race.current, pair_new(i));
		ck_assert_int_eq(rcu_defer(race.rcu, pair_free, old), 0);
		(void)rcu_poll(race.rcu);
	}
	rcu_barrier(race.rcu);
	atomic_store(&race.stop, true);
	for (size_t i = 0; i < READERS; i++)
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
	ck_assert_uint_eq(atomic_load(&race.torn), 0);
	free(rcu_read(&race.current));
	rcu_free(race.rcu);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("rcu");
	TCase *tc = tcase_create("rcu");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, waits_for_readers);
	tcase_add_test(tc, keeps_order);
	tcase_add_test(tc, offline_delays_nobody);
	tcase_add_test(tc, slots_run_out);
	tcase_add_test(tc, free_runs_the_rest);
	tcase_add_test(tc, readers_and_writer);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
