/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/base/secret.h"

#include <errno.h>
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

int main(void)
{
	Suite *suite = suite_create("secret");
	TCase *tc = tcase_create("secret");

	tcase_add_test(tc, lengths);
	tcase_add_test(tc, equality);
	tcase_add_test(tc, references);
	tcase_add_test(tc, wiping);
	tcase_add_test(tc, process);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
