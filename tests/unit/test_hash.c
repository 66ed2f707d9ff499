/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/base/hash.h"

#include <string.h>

#include "tests/unit/suite.h"

/* Published test values of FNV-1a, 64 bits (draft-eastlake-fnv). */
static const struct {
	const char *text;
	uint64_t want;
} fnv[] = {
	{ "", UINT64_C(0xcbf29ce484222325) },
	{ "a", UINT64_C(0xaf63dc4c8601ec8c) },
	{ "foobar", UINT64_C(0x85944171f73967e8) },
};

START_TEST(stable)
{
	ck_assert_uint_eq(hash_stable(fnv[_i].text, strlen(fnv[_i].text)), fnv[_i].want);
}
END_TEST

START_TEST(keyed)
{
	/* Key 00..0f, the empty message: first of the published SipHash-1-3 values. */
	struct hash_key key = { UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908) };
	struct hash_key other = { 1, 2 };
	uint8_t bytes[64] = { 0 };

	ck_assert_uint_eq(hash_keyed(&key, "", 0), UINT64_C(0xabac0158050fc4dc));
	for (size_t len = 1; len < sizeof(bytes); len++) {
		uint64_t before = hash_keyed(&key, bytes, len);

		ck_assert_uint_ne(before, hash_keyed(&key, bytes, len - 1));
		ck_assert_uint_ne(before, hash_keyed(&other, bytes, len));
		bytes[len - 1] = 1; /* the last byte counts at every alignment */
		ck_assert_uint_ne(before, hash_keyed(&key, bytes, len));
		bytes[len - 1] = 0;
	}
}
END_TEST

START_TEST(random_keys_differ)
{
	struct hash_key a = { 0, 0 }, b = { 0, 0 };

	hash_key_random(&a);
	hash_key_random(&b);
	ck_assert(a.k0 != b.k0 && a.k1 != b.k1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("hash");
	TCase *tc = tcase_create("hash");

	tcase_add_loop_test(tc, stable, 0, ARRAY_SIZE(fnv));
	tcase_add_test(tc, keyed);
	tcase_add_test(tc, random_keys_differ);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
