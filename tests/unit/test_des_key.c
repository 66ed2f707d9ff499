/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/model/des_key.h"

#include <string.h>

#include "tests/unit/suite.h"

START_TEST(parity)
{
	uint8_t all[256];

	for (size_t i = 0; i < sizeof(all); i++)
		all[i] = (uint8_t)i;
	des_key_set_parity(all, sizeof(all));
	for (size_t i = 0; i < sizeof(all); i++) {
		ck_assert_int_eq(__builtin_popcount(all[i]) % 2, 1);
		ck_assert_uint_eq(all[i] & 0xfe, i & 0xfe);
	}
}
END_TEST

/* FIPS 74 section 3.6, with the parity that the standard prints. */
static const uint8_t weak[][DES_KEY_BYTES] = {
	{ 0x01, 0x01, 0x01, 0x01, 0x01, 0x01, 0x01, 0x01 },
	{ 0xfe, 0xfe, 0xfe, 0xfe, 0xfe, 0xfe, 0xfe, 0xfe },
	{ 0x1f, 0x1f, 0x1f, 0x1f, 0x0e, 0x0e, 0x0e, 0x0e },
	{ 0xe0, 0xe0, 0xe0, 0xe0, 0xf1, 0xf1, 0xf1, 0xf1 },
	{ 0x01, 0xfe, 0x01, 0xfe, 0x01, 0xfe, 0x01, 0xfe },
	{ 0x1f, 0xe0, 0x1f, 0xe0, 0x0e, 0xf1, 0x0e, 0xf1 },
	{ 0xfe, 0xe0, 0xfe, 0xe0, 0xfe, 0xf1, 0xfe, 0xf1 },
};

START_TEST(weak_keys)
{
	uint8_t key[DES_KEY_BYTES];

	memcpy(key, weak[_i], sizeof(key));
	ck_assert(des_key_is_weak(key));
	key[_i] ^= 0x01;
	ck_assert(des_key_is_weak(key));
	key[_i] ^= 0x02;
	ck_assert(!des_key_is_weak(key));
}
END_TEST

START_TEST(triple)
{
	uint8_t key[3 * DES_KEY_BYTES];

	for (size_t i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)(3 * i);
	ck_assert(!des_key_is_weak_triple(key));
	memcpy(key + 16, key + 8, 8);
	key[20] ^= 0x01;
	ck_assert(des_key_is_weak_triple(key));
	/* First and third alike is what two-key 3DES is. */
	memcpy(key + 16, key, 8);
	ck_assert(!des_key_is_weak_triple(key));
	memcpy(key + 8, key, 8);
	ck_assert(des_key_is_weak_triple(key));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("des_key");
	TCase *tc = tcase_create("des_key");

	tcase_add_test(tc, parity);
	tcase_add_loop_test(tc, weak_keys, 0, (int)ARRAY_SIZE(weak));
	tcase_add_test(tc, triple);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
