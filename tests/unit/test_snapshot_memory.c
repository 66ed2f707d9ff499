/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sections written and read with an allocator that fails at each call in turn. */
#include <errno.h>

#include "tests/unit/failing_malloc.h"
#include "tests/unit/snapshot_samples.h"
#include "tests/unit/suite.h"

static struct {
	struct alg_table *table;
	struct spd *spd;
	struct sa_list *keys;
	unsigned long refused;
} w;

static int algorithms(void *userdata)
{
	CLEANUP(alg_table_freep) struct alg_table *read = NULL;
	struct snapshot_bytes bytes = { 0 };
	int r = snapshot_write_algorithms(w.table, &bytes);

	(void)userdata;
	if (r == 0)
		r = snapshot_read_algorithms(bytes.bytes, bytes.len, &read);
	snapshot_bytes_done(&bytes);
	return (r == 0) == (read != NULL) ? r : -EINVAL;
}

static int policy(void *userdata)
{
	CLEANUP(spd_freep) struct spd *read = NULL;
	struct snapshot_bytes bytes = { 0 };
	int r = snapshot_write_policy(w.spd, &bytes);

	(void)userdata;
	if (r == 0)
		r = snapshot_read_policy(bytes.bytes, bytes.len, &read);
	snapshot_bytes_done(&bytes);
	return (r == 0) == (read != NULL) ? r : -EINVAL;
}

static int keys(void *userdata)
{
	CLEANUP(sa_list_freep) struct sa_list *read = NULL;
	struct snapshot_bytes bytes = { 0 };
	int r = snapshot_write_keys(w.keys, &bytes);

	(void)userdata;
	if (r == 0)
		r = snapshot_read_keys(bytes.bytes, bytes.len, &read);
	snapshot_bytes_done(&bytes);
	return (r == 0) == (read != NULL) ? r : -EINVAL;
}

static int (*const sections[])(void *userdata) = { algorithms, policy, keys };

static void check(int result, unsigned long number, int want)
{
	w.refused += result == -ENOMEM;
	ck_assert_msg(
		result == want || (number && result == -ENOMEM), "call %lu: %d", number, result);
}

START_TEST(each_allocation_may_fail)
{
	unsigned long all;

	w.table = sample_algorithms();
	w.spd = sample_policy(SPD_FIRST_MATCH);
	w.keys = sample_keys();
	all = fail_each(sections[_i], NULL, 0, check);
	ck_assert_uint_ge(all, 3);
	ck_assert_uint_eq(w.refused, all); /* a call that failed was not passed over */
	alg_table_free(w.table);
	spd_free(w.spd);
	sa_list_free(w.keys);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("snapshot_memory");
	TCase *tc = tcase_create("snapshot_memory");

	tcase_add_loop_test(tc, each_allocation_may_fail, 0, ARRAY_SIZE(sections));
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
