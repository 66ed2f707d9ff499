/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/model/algorithm.h"

#include <string.h>

#include "tests/unit/suite.h"

static const struct algorithm entries[] = {
	{ .proto = ALG_PROTO_AH,
		.number = ALG_AUTH_HMAC_SHA1,
		.n_names = 3,
		.names = { "hmac-sha1", "sha1", "sha" },
		.key_default_bits = 160,
		.key_min_bits = 160,
		.key_max_bits = 160,
		.key_sizes_bits = { 160 } },
	{ .proto = ALG_PROTO_ESP,
		.number = ALG_ENCR_AES_CBC,
		.n_names = 2,
		.names = { "aes-cbc", "aes" },
		.key_default_bits = 128,
		.key_min_bits = 128,
		.key_max_bits = 256,
		.key_increment_bits = 64 },
	{ .proto = ALG_PROTO_ESP, .number = ALG_ENCR_NULL, .n_names = 1, .names = { "null" } },
	{ .proto = ALG_PROTO_ESP,
		.number = ALG_ENCR_AES_GCM16,
		.flags = ALG_FLAG_COMBINED,
		.key_default_bits = 256,
		.key_min_bits = 128,
		.key_max_bits = 256,
		.key_sizes_bits = { 256, 128 } },
};

static struct alg_table *table_new(void)
{
	struct alg_table *table = alg_table_new(entries, ARRAY_SIZE(entries));

	ck_assert_ptr_nonnull(table);
	return table;
}

START_TEST(finding)
{
	CLEANUP(alg_table_freep) struct alg_table *table = table_new();
	const struct algorithm *sha1 = alg_find(table, ALG_PROTO_AH, ALG_AUTH_HMAC_SHA1);

	ck_assert_ptr_nonnull(sha1);
	ck_assert_ptr_null(alg_find(table, ALG_PROTO_ESP, 99));
	ck_assert_ptr_null(alg_find(table, ALG_PROTO_AH, ALG_ENCR_AES_CBC));
	ck_assert_ptr_eq(alg_find_name(table, ALG_PROTO_AH, "SHA1xyz", 4), sha1);
	ck_assert_ptr_eq(alg_find_name(table, ALG_PROTO_AH, "sha", 3), sha1);
	ck_assert_ptr_null(alg_find_name(table, ALG_PROTO_AH, "sh", 2));
	ck_assert_ptr_null(alg_find_name(table, ALG_PROTO_ESP, "sha", 3));
	ck_assert_ptr_null(alg_find_name(table, ALG_PROTO_ESP, "", 0));
	ck_assert(!alg_is_combined(sha1));
	ck_assert(alg_is_combined(alg_find(table, ALG_PROTO_ESP, ALG_ENCR_AES_GCM16)));
}
END_TEST

static const struct {
	uint8_t number;
	unsigned int bits;
	bool takes;
} keys[] = {
	{ ALG_ENCR_AES_CBC, 128, true },
	{ ALG_ENCR_AES_CBC, 192, true },
	{ ALG_ENCR_AES_CBC, 256, true },
	{ ALG_ENCR_AES_CBC, 64, false },
	{ ALG_ENCR_AES_CBC, 160, false },
	{ ALG_ENCR_AES_CBC, 320, false },
	{ ALG_ENCR_AES_CBC, 0, false },
	{ ALG_ENCR_NULL, 0, true },
	{ ALG_ENCR_NULL, 8, false },
	{ ALG_ENCR_AES_GCM16, 128, true },
	{ ALG_ENCR_AES_GCM16, 256, true },
	{ ALG_ENCR_AES_GCM16, 192, false },
	{ ALG_ENCR_AES_GCM16, 0, false },
};

START_TEST(key_sizes)
{
	CLEANUP(alg_table_freep) struct alg_table *table = table_new();
	const struct algorithm *alg = alg_find(table, ALG_PROTO_ESP, keys[_i].number);

	ck_assert_msg(alg_takes_key(alg, keys[_i].bits) == keys[_i].takes, "%u: %u",
		keys[_i].number, keys[_i].bits);
}
END_TEST

START_TEST(weakness)
{
	ck_assert(alg_is_weak(ALG_PROTO_ESP, ALG_ENCR_DES));
	ck_assert(alg_is_weak(ALG_PROTO_ESP, ALG_ENCR_3DES));
	ck_assert(alg_is_weak(ALG_PROTO_ESP, ALG_ENCR_BLOWFISH));
	ck_assert(alg_is_weak(ALG_PROTO_AH, ALG_AUTH_HMAC_MD5));
	ck_assert(!alg_is_weak(ALG_PROTO_ESP, ALG_ENCR_AES_CBC));
	ck_assert(!alg_is_weak(ALG_PROTO_AH, ALG_AUTH_HMAC_SHA1)); /* number 3, like 3DES */
}
END_TEST

START_TEST(printing)
{
	CLEANUP(alg_table_freep) struct alg_table *table = table_new();
	CLEANUP(text_done) struct text text = { 0 };

	alg_print(table, ALG_PROTO_AH, ALG_AUTH_HMAC_SHA1, &text);
	text_add_char(&text, ' ');
	alg_print(table, ALG_PROTO_AH, 77, &text);
	text_add_char(&text, ' ');
	alg_print(NULL, ALG_PROTO_AH, ALG_AUTH_HMAC_SHA1, &text);
	ck_assert_str_eq(text.str, "hmac-sha1 77 3");
}
END_TEST

START_TEST(too_many)
{
	ck_assert_ptr_null(alg_table_new(NULL, ALG_MAX_ENTRIES + 1));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("algorithm");
	TCase *tc = tcase_create("algorithm");

	tcase_add_test(tc, finding);
	tcase_add_loop_test(tc, key_sizes, 0, ARRAY_SIZE(keys));
	tcase_add_test(tc, weakness);
	tcase_add_test(tc, printing);
	tcase_add_test(tc, too_many);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
