/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <string.h>

#include "common/conf/value.h"
#include "tests/unit/suite.h"

static const struct {
	const char *word;
	uint64_t max;
	int number, decimal; /* what each reader answers */
	uint64_t want, want_decimal;
} numbers[] = {
	{ "0", 10, 0, 0, 0, 0 },
	{ "10", 10, 0, 0, 10, 10 },
	{ "11", 10, -ERANGE, -ERANGE, 0, 0 },
	{ "0x1F", 255, 0, -EINVAL, 31, 0 },
	{ "0X1f", 255, 0, -EINVAL, 31, 0 },
	{ "0x", 255, -EINVAL, -EINVAL, 0, 0 },
	{ "017", 255, 0, 0, 15, 17 },
	{ "018", 255, -EINVAL, 0, 0, 18 },
	{ "", 255, -EINVAL, -EINVAL, 0, 0 },
	{ "-1", 255, -EINVAL, -EINVAL, 0, 0 },
	{ "+1", 255, -EINVAL, -EINVAL, 0, 0 },
	{ " 1", 255, -EINVAL, -EINVAL, 0, 0 },
	{ "1x", 255, -EINVAL, -EINVAL, 0, 0 },
	{ "999999999999999999999x", 255, -EINVAL, -EINVAL, 0, 0 },
	{ "18446744073709551615", UINT64_MAX, 0, 0, UINT64_MAX, UINT64_MAX },
	{ "18446744073709551616", UINT64_MAX, -ERANGE, -ERANGE, 0, 0 },
};

START_TEST(number)
{
	const char *word = numbers[_i].word;
	uint64_t x;

	ck_assert_msg(value_number(word, strlen(word), numbers[_i].max, &x) == numbers[_i].number,
		"%s", word);
	if (numbers[_i].number == 0)
		ck_assert_uint_eq(x, numbers[_i].want);
	ck_assert_msg(value_decimal(word, strlen(word), numbers[_i].max, &x) == numbers[_i].decimal,
		"%s", word);
	if (numbers[_i].decimal == 0)
		ck_assert_uint_eq(x, numbers[_i].want_decimal);
}
END_TEST

static const struct {
	const char *word;
	int result;
	uint64_t low, high;
} ranges[] = {
	{ "5", 0, 5, 5 },
	{ "5-9", 0, 5, 9 },
	{ "0x5-017", 0, 5, 15 },
	{ "9-5", -ERANGE, 0, 0 },
	{ "5-256", -ERANGE, 0, 0 },
	{ "5-", -EINVAL, 0, 0 },
	{ "-5", -EINVAL, 0, 0 },
	{ "5-6-7", -EINVAL, 0, 0 },
};

START_TEST(range)
{
	const char *word = ranges[_i].word;
	uint64_t low, high;

	ck_assert_msg(
		value_range(word, strlen(word), 255, &low, &high) == ranges[_i].result, "%s", word);
	if (ranges[_i].result == 0) {
		ck_assert_uint_eq(low, ranges[_i].low);
		ck_assert_uint_eq(high, ranges[_i].high);
	}
}
END_TEST

static const struct {
	const char *word;
	int bits; /* -1: refused */
} masks[] = {
	{ "255.255.255.0", 24 },
	{ "255.255.255.255", 32 },
	{ "128.0.0.0", 1 },
	{ "0xffff0000", 16 },
	{ "0XFFFFFFFE", 31 },
	{ "0.0.0.0", -1 },
	{ "0x0", -1 },
	{ "255.0.255.0", -1 },
	{ "0x1ffffffff", -1 },
	{ "24", -1 },
	{ "ffff::", -1 },
};

START_TEST(mask)
{
	const char *word = masks[_i].word;
	unsigned int bits = 0;
	int r = value_mask(word, strlen(word), &bits);

	ck_assert_msg(r == (masks[_i].bits < 0 ? -EINVAL : 0), "%s", word);
	if (r == 0)
		ck_assert_int_eq((int)bits, masks[_i].bits);
}
END_TEST

START_TEST(addresses)
{
	struct address addr;

	ck_assert_int_eq(value_address("192.0.2.1", 9, &addr), 0);
	ck_assert_int_eq(addr.family, AF_INET);
	ck_assert_int_eq(value_address("192.0.2.17", 9, &addr), 0); /* the length counts */
	ck_assert_int_eq(addr.bytes[3], 1);
	ck_assert_int_eq(value_address("2001:db8::1", 11, &addr), 0);
	ck_assert_int_eq(addr.family, AF_INET6);
	ck_assert_int_eq(value_address("192.0.2", 7, &addr), -EINVAL);
	ck_assert_int_eq(value_address("192.0.2.1\0x", 11, &addr), -EINVAL);
	ck_assert_int_eq(value_address("", 0, &addr), -EINVAL);
}
END_TEST

static const struct {
	const char *word;
	enum value_key_verdict verdict;
	uint16_t bits;
	bool cut;
	uint8_t bytes[3];
} keys[] = {
	{ "00ff", VALUE_KEY_OK, 16, false, { 0x00, 0xff } },
	{ "0x00FF", VALUE_KEY_OK, 16, false, { 0x00, 0xff } },
	{ "abc", VALUE_KEY_OK, 16, false, { 0xab, 0xc0 } },
	{ "abc/12", VALUE_KEY_OK, 12, false, { 0xab, 0xc0 } },
	{ "abc/16", VALUE_KEY_BITS_TOO_BIG, 0, false, { 0 } },
	{ "ffff/15", VALUE_KEY_OK, 15, false, { 0xff, 0xfe } },
	{ "ffff/12", VALUE_KEY_OK, 12, true, { 0xff, 0xf0 } },
	{ "ffff/8", VALUE_KEY_OK, 8, true, { 0xff } },
	{ "ffff/17", VALUE_KEY_BITS_TOO_BIG, 0, false, { 0 } },
	{ "ffff/99999999999999999999", VALUE_KEY_BITS_TOO_BIG, 0, false, { 0 } },
	{ "ffff/0", VALUE_KEY_BAD_BITS, 0, false, { 0 } },
	{ "ffff/", VALUE_KEY_BAD_BITS, 0, false, { 0 } },
	{ "ffff/x", VALUE_KEY_BAD_BITS, 0, false, { 0 } },
	{ "fg", VALUE_KEY_NOT_HEX, 0, false, { 0 } },
	{ "", VALUE_KEY_EMPTY, 0, false, { 0 } },
	{ "0x", VALUE_KEY_EMPTY, 0, false, { 0 } },
	{ "/8", VALUE_KEY_EMPTY, 0, false, { 0 } },
};

START_TEST(key)
{
	CLEANUP(secret_unrefp) struct secret *secret = NULL;
	const char *word = keys[_i].word;
	uint16_t bits = 0;
	bool cut = false;

	ck_assert_msg(value_key(word, strlen(word), NULL, &secret, &bits, &cut) == keys[_i].verdict,
		"%s", word);
	if (keys[_i].verdict != VALUE_KEY_OK)
		return;
	ck_assert_uint_eq(bits, keys[_i].bits);
	ck_assert_msg(cut == keys[_i].cut, "%s", word);
	ck_assert_uint_eq(secret_len(secret), (size_t)(bits + 7) / 8);
	ck_assert_mem_eq(secret_bytes(secret), keys[_i].bytes, secret_len(secret));
}
END_TEST

START_TEST(key_too_long)
{
	static const enum value_key_verdict verdicts[] = { VALUE_KEY_OK, VALUE_KEY_TOO_LONG };
	CLEANUP(secret_unrefp) struct secret *secret = NULL;
	char word[2 * SECRET_MAX_BYTES + 1];
	uint16_t bits;
	bool cut;

	memset(word, 'a', sizeof(word));
	ck_assert_int_eq(
		value_key(word, 2 * SECRET_MAX_BYTES + (size_t)_i, NULL, &secret, &bits, &cut),
		verdicts[_i]);
}
END_TEST

START_TEST(nearest)
{
	static const char *const names[] = { "lport", "rport", "laddr", "ulp", NULL };
	static const struct {
		const char *word, *want;
	} rows[] = {
		{ "lprt", "lport" },
		{ "lpotr", "lport" },
		{ "ulpp", "ulp" },
		{ "upl", "ulp" },
		{ "xyz", NULL },
		{ "l", NULL },
		{ "a-word-that-is-far-longer-than-any-name", NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *said = value_nearest(rows[i].word, strlen(rows[i].word), names);

		ck_assert_msg(said == rows[i].want ||
				      (said && rows[i].want && strcmp(said, rows[i].want) == 0),
			"%s: %s", rows[i].word, said);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("value");
	TCase *tc = tcase_create("value");

	tcase_add_loop_test(tc, number, 0, ARRAY_SIZE(numbers));
	tcase_add_loop_test(tc, range, 0, ARRAY_SIZE(ranges));
	tcase_add_loop_test(tc, mask, 0, ARRAY_SIZE(masks));
	tcase_add_test(tc, addresses);
	tcase_add_loop_test(tc, key, 0, ARRAY_SIZE(keys));
	tcase_add_loop_test(tc, key_too_long, 0, 2);
	tcase_add_test(tc, nearest);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
