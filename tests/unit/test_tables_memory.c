/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What packets are looked up in, made with an allocator that fails at each call in turn. */
#include <errno.h>

#include "services/datapath/sad/sad.h"
#include "services/datapath/spd/classifier.h"
#include "tests/unit/failing_malloc.h"
#include "tests/unit/random_policy.h"

#define RULES 200
#define SAS   5000

static unsigned long refused;

static void check(int result, unsigned long number, int want)
{
	refused += result == -ENOMEM;
	ck_assert_msg(
		result == want || (number && result == -ENOMEM), "call %lu: %d", number, result);
}

static int compile(void *userdata)
{
	CLEANUP(classifier_freep) struct classifier *classifier = NULL;
	struct rule *const *rules = userdata;
	int r = classifier_new(rules, RULES, &classifier);

	return (r == 0) == (classifier != NULL) ? r : -EINVAL;
}

START_TEST(rules_are_compiled)
{
	struct rule *rules[RULES];
	uint64_t state = 7;
	unsigned long all;

	for (uint32_t i = 0; i < RULES; i++)
		rules[i] = random_rule(&state, i);
	all = fail_each(compile, rules, 0, check);
	ck_assert_uint_ge(all, 10);
	ck_assert_uint_eq(refused, all);
	for (uint32_t i = 0; i < RULES; i++)
		rule_free(rules[i]);
}
END_TEST

static struct sad_entry *entry_new(uint32_t spi)
{
	struct sad_entry *entry = sad_entry_new();

	ck_assert_ptr_nonnull(entry);
	entry->sa = sa_new();
	entry->sa->proto = SA_PROTO_ESP;
	entry->sa->spi = spi;
	ck_assert_int_eq(address_parse("192.0.2.1", &entry->sa->src), 0);
	ck_assert_int_eq(address_parse("192.0.2.2", &entry->sa->dst), 0);
	entry->directions = SA_INBOUND;
	entry->run = calloc(1, sizeof(*entry->run));
	entry->run->state = SA_MATURE;
	return entry;
}

static void run_free(struct sad_entry *entry, void *userdata)
{
	(void)userdata;
	free(entry->run);
}

static bool remove_one(struct sad_entry *entry, void *userdata)
{
	sad_remove(userdata, entry, run_free, NULL);
	return true;
}

static bool holds(struct sad *sad, uint32_t spi)
{
	struct address src, dst;

	ck_assert_int_eq(address_parse("192.0.2.1", &src), 0);
	ck_assert_int_eq(address_parse("192.0.2.2", &dst), 0);
	return sad_find_inbound(sad, SA_PROTO_ESP, spi, &dst, &src) != NULL;
}

/* Every insertion meets a failure first. A table that cannot grow goes on as it is, or says no. */
START_TEST(sas_are_added)
{
	struct rcu *rcu = NULL;
	struct sad *sad;

	ck_assert_int_eq(rcu_new(&rcu), 0);
	sad = sad_new(rcu);
	ck_assert_ptr_nonnull(sad);
	for (uint32_t n = 0; n < SAS; n++) {
		struct sad_entry *entry = entry_new(n + 256);
		int r = -ENOMEM;

		for (unsigned long at = 1; r < 0; at++) {
			calls = 0;
			fail_at = at;
			r = sad_insert(sad, entry);
			fail_at = 0;
			refused += calls >= at;
			if (r == 0)
				break;
			ck_assert_int_eq(r, -ENOMEM);
			ck_assert_uint_eq(sad_count(sad), n);
			ck_assert(!holds(sad, n + 256));
			for (uint32_t before = 0; before < n; before++)
				ck_assert(holds(sad, before + 256));
		}
		ck_assert(holds(sad, n + 256));
	}
	ck_assert_uint_gt(refused, 0); /* there was something to fail */
	for (uint32_t n = 0; n < SAS; n++)
		ck_assert(holds(sad, n + 256));
	sad_each(sad, remove_one, sad);
	sad_free(sad);
	rcu_free(rcu);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tables_memory");
	TCase *tc = tcase_create("tables_memory");

	tcase_add_test(tc, rules_are_compiled);
	tcase_add_test(tc, sas_are_added);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
