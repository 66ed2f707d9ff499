/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/base/secret.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "tests/unit/suite.h"

static struct secret *make(const char *bytes, size_t len)
{
	struct secret *secret = NULL;

	ck_assert_int_eq(secret_new((const uint8_t *)bytes, len, &secret), 0);
	return secret;
}

START_TEST(lengths)
{
	uint8_t bytes[SECRET_MAX_BYTES + 1] = { 1 };
	struct secret *secret = NULL;

	ck_assert_int_eq(secret_new(bytes, 0, &secret), -EINVAL);
	ck_assert_int_eq(secret_new(bytes, sizeof(bytes), &secret), -EINVAL);
	ck_assert_ptr_null(secret);
	ck_assert_int_eq(secret_new(bytes, SECRET_MAX_BYTES, &secret), 0);
	ck_assert_uint_eq(secret_len(secret), SECRET_MAX_BYTES);
	ck_assert_mem_eq(secret_bytes(secret), bytes, SECRET_MAX_BYTES);
	secret_unref(secret);
	ck_assert_uint_eq(secret_len(NULL), 0);
	ck_assert_ptr_null(secret_bytes(NULL));
}
END_TEST

START_TEST(equality)
{
	CLEANUP(secret_unrefp) struct secret *a = make("abcd", 4);
	CLEANUP(secret_unrefp) struct secret *same = make("abcd", 4);
	CLEANUP(secret_unrefp) struct secret *other = make("abce", 4);
	CLEANUP(secret_unrefp) struct secret *shorter = make("abc", 3);

	ck_assert(secret_equal(a, a));
	ck_assert(secret_equal(a, same));
	ck_assert(!secret_equal(a, other));
	ck_assert(!secret_equal(a, shorter));
	ck_assert(!secret_equal(a, NULL));
	ck_assert(!secret_equal(NULL, a));
	ck_assert(secret_equal(NULL, NULL));
}
END_TEST

START_TEST(references)
{
	struct secret *a = make("abcd", 4);
	struct secret *again = secret_ref(a);

	ck_assert_ptr_eq(a, again);
	ck_assert_ptr_null(secret_unref(a));
	ck_assert_mem_eq(secret_bytes(again), "abcd", 4);
	ck_assert_ptr_null(secret_unref(again));
	ck_assert_ptr_null(secret_unref(NULL));
	ck_assert_ptr_null(secret_ref(NULL));
}
END_TEST

START_TEST(wiping)
{
	uint8_t bytes[4] = { 1, 2, 3, 4 };

	secret_wipe(bytes, sizeof(bytes));
	ck_assert_mem_eq(bytes, "\0\0\0\0", 4);
	secret_wipe(NULL, 0);
}
END_TEST

START_TEST(process)
{
	struct rlimit limit;

	ck_assert_int_eq(secret_protect_process(), 0);
	ck_assert_int_eq(prctl(PR_GET_DUMPABLE), 0);
	ck_assert_int_eq(getrlimit(RLIMIT_CORE, &limit), 0);
	ck_assert_uint_eq(limit.rlim_cur, 0);
}
END_TEST

/* Is the page of @at kept out of core dumps? */
static bool is_undumpable(const void *at)
{
	FILE *file = fopen("/proc/self/smaps", "re");
	char line[512], *end;
	bool mine = false, undumpable = false;

	ck_assert_ptr_nonnull(file);
	while (fgets(line, sizeof(line), file)) {
		uint64_t from = strtoumax(line, &end, 16);

		if (*end == '-')
			mine = from <= (uintptr_t)at &&
			       (uintptr_t)at < strtoumax(end + 1, NULL, 16);
		else if (mine && strncmp(line, "VmFlags:", 8) == 0)
			undumpable = strstr(line, " dd") != NULL;
	}
	(void)fclose(file);
	return undumpable;
}

/* They lie close together, and each is still a secret: wiped when it goes, and not before. */
START_TEST(pooled)
{
	struct secret_pool pool = { NULL };
	struct secret *secrets[350];
	uint8_t bytes[48];

	for (size_t i = 0; i < ARRAY_SIZE(secrets); i++) {
		memset(bytes, (int)(i % 251 + 1), sizeof(bytes));
		ck_assert_int_eq(
			secret_new_in(&pool, bytes, 1 + i % sizeof(bytes), &secrets[i]), 0);
	}
	ck_assert_int_eq(secret_new_in(&pool, bytes, 0, &secrets[0]), -EINVAL);
	ck_assert_int_eq(secret_new_in(&pool, bytes, SECRET_MAX_BYTES + 1, &secrets[0]), -EINVAL);
	secret_pool_done(&pool);
	for (size_t i = 0; i < ARRAY_SIZE(secrets); i += 2) {
		const uint8_t *gone = secret_bytes(secrets[i]);

		ck_assert(i % 100 != 0 || is_undumpable(gone));
		secrets[i] = secret_unref(secrets[i]);
		if (i + 1 < ARRAY_SIZE(secrets) && i > 10) /* its neighbour keeps the page */
			ck_assert_uint_eq(gone[0], 0);
	}
	for (size_t i = 1; i < ARRAY_SIZE(secrets); i += 2) {
		memset(bytes, (int)(i % 251 + 1), sizeof(bytes));
		ck_assert_uint_eq(secret_len(secrets[i]), 1 + i % sizeof(bytes));
		ck_assert_mem_eq(secret_bytes(secrets[i]), bytes, secret_len(secrets[i]));
		secrets[i] = secret_unref(secrets[i]);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("secret");
	TCase *tc = tcase_create("secret");

	tcase_add_test(tc, lengths);
	tcase_add_test(tc, equality);
	tcase_add_test(tc, references);
	tcase_add_test(tc, pooled);
	tcase_add_test(tc, wiping);
	tcase_add_test(tc, process);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
