/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/conf/value.h"

#include <errno.h>
#include <string.h>

#include "common/base/text.h"

#define NEAREST_WORD_MAX 32

static int number_in_base(
	const char *word, size_t len, unsigned int base, uint64_t max, uint64_t *ret_x)
{
	uint64_t x = 0;
	bool too_big = false;

	if (len == 0)
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		int digit = hex_digit(word[i]);

		if (digit < 0 || (unsigned int)digit >= base)
			return -EINVAL;
		if (__builtin_mul_overflow(x, (uint64_t)base, &x) ||
			__builtin_add_overflow(x, (uint64_t)digit, &x) || x > max)
			too_big = true; /* read on: a later byte may show that it is no number */
	}
	if (too_big)
		return -ERANGE;
	*ret_x = x;
	return 0;
}

int value_number(const char *word, size_t len, uint64_t max, uint64_t *ret_x)
{
	if (len > 2 && word[0] == '0' && (word[1] == 'x' || word[1] == 'X'))
		return number_in_base(word + 2, len - 2, 16, max, ret_x);
	if (len > 1 && word[0] == '0')
		return number_in_base(word + 1, len - 1, 8, max, ret_x);
	return number_in_base(word, len, 10, max, ret_x);
}

int value_decimal(const char *word, size_t len, uint64_t max, uint64_t *ret_x)
{
	return number_in_base(word, len, 10, max, ret_x);
}

int value_address(const char *word, size_t len, struct address *ret_addr)
{
	char copy[ADDRESS_TEXT_MAX];

	if (len >= sizeof(copy) || memchr(word, '\0', len))
		return -EINVAL;
	memcpy(copy, word, len);
	copy[len] = '\0';
	return address_parse(copy, ret_addr);
}

int value_range(const char *word, size_t len, uint64_t max, uint64_t *ret_low, uint64_t *ret_high)
{
	const char *dash = memchr(word, '-', len);
	size_t low_len = dash ? (size_t)(dash - word) : len;
	uint64_t low, high;
	int r;

	r = value_number(word, low_len, max, &low);
	if (r < 0)
		return r;
	high = low;
	if (dash)
		r = value_number(dash + 1, len - low_len - 1, max, &high);
	if (r < 0)
		return r;
	if (high < low)
		return -ERANGE;
	*ret_low = low;
	*ret_high = high;
	return 0;
}

int value_mask(const char *word, size_t len, unsigned int *ret_bits)
{
	struct address addr;
	uint64_t mask;
	uint32_t inverse;

	if (len > 2 && word[0] == '0' && (word[1] == 'x' || word[1] == 'X')) {
		if (value_number(word, len, UINT32_MAX, &mask) < 0)
			return -EINVAL;
	} else {
		if (value_address(word, len, &addr) < 0 || addr.family != AF_INET)
			return -EINVAL;
		mask = (uint64_t)addr.bytes[0] << 24 | (uint64_t)addr.bytes[1] << 16 |
		       (uint64_t)addr.bytes[2] << 8 | addr.bytes[3];
	}
	inverse = ~(uint32_t)mask;
	if (mask == 0 || (inverse & (inverse + 1)) != 0)
		return -EINVAL;
	*ret_bits = 32U - (unsigned int)__builtin_popcount(inverse);
	return 0;
}

/* Digits to bytes; an odd last digit stands in the high half. */
static bool key_bytes(const char *digits, size_t count, uint8_t *ret_bytes)
{
	for (size_t i = 0; i < count; i++) {
		int digit = hex_digit(digits[i]);

		if (digit < 0)
			return false;
		if (i % 2 == 0)
			ret_bytes[i / 2] = (uint8_t)(digit << 4);
		else
			ret_bytes[i / 2] = (uint8_t)(ret_bytes[i / 2] | digit);
	}
	return true;
}

static enum value_key_verdict key_width(
	const char *slash, size_t len, size_t digit_bits, uint64_t *ret_bits)
{
	int r = value_decimal(slash + 1, len, UINT32_MAX, ret_bits);

	if (r == -EINVAL || (r == 0 && *ret_bits == 0))
		return VALUE_KEY_BAD_BITS;
	if (r < 0 || *ret_bits > digit_bits)
		return VALUE_KEY_BITS_TOO_BIG;
	return VALUE_KEY_OK;
}

enum value_key_verdict value_key(const char *word, size_t len, struct secret_pool *pool,
	struct secret **ret_key, uint16_t *ret_bits, bool *ret_cut)
{
	uint8_t bytes[SECRET_MAX_BYTES] = { 0 };
	const char *slash = memchr(word, '/', len);
	size_t digits = slash ? (size_t)(slash - word) : len;
	size_t slash_len = slash ? len - digits - 1 : 0;
	uint64_t bits;
	enum value_key_verdict verdict;
	size_t used;
	int r;

	if (digits >= 2 && word[0] == '0' && (word[1] == 'x' || word[1] == 'X')) {
		word += 2;
		digits -= 2;
	}
	if (digits == 0)
		return VALUE_KEY_EMPTY;
	if (digits > 2 * sizeof(bytes))
		return VALUE_KEY_TOO_LONG;
	bits = (digits + 1) / 2 * 8;
	if (slash) {
		verdict = key_width(slash, slash_len, 4 * digits, &bits);
		if (verdict != VALUE_KEY_OK)
			return verdict;
	}
	if (!key_bytes(word, digits, bytes)) {
		secret_wipe(bytes, sizeof(bytes));
		return VALUE_KEY_NOT_HEX;
	}
	used = (size_t)(bits + 7) / 8;
	if (bits % 8 != 0)
		bytes[used - 1] = (uint8_t)(bytes[used - 1] & (0xffU << (8 - bits % 8)));
	r = secret_new_in(pool, bytes, used, ret_key);
	secret_wipe(bytes, sizeof(bytes));
	if (r < 0)
		return VALUE_KEY_NO_MEMORY;
	*ret_bits = (uint16_t)bits;
	*ret_cut = bits + 4 <= 4 * digits;
	return VALUE_KEY_OK;
}

static size_t least_of(size_t a, size_t b)
{
	return a < b ? a : b;
}

/*
 * Edits from one word to the other, two letters changed about counting as one; both are at most
 * NEAREST_WORD_MAX long.
 */
static size_t edit_distance(const char *a, size_t len_a, const char *b, size_t len_b)
{
	size_t rows[3][NEAREST_WORD_MAX + 1]; /* row i at i % 3 */

	for (size_t j = 0; j <= len_b; j++)
		rows[0][j] = j;
	for (size_t i = 1; i <= len_a; i++) {
		size_t *row = rows[i % 3];
		const size_t *above = rows[(i - 1) % 3], *second = rows[(i + 1) % 3];

		row[0] = i;
		for (size_t j = 1; j <= len_b; j++) {
			row[j] = above[j - 1] + (a[i - 1] != b[j - 1]);
			row[j] = least_of(row[j], least_of(row[j - 1], above[j]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = least_of(row[j], second[j - 2] + 1);
		}
	}
	return rows[len_a % 3][len_b];
}

const char *value_nearest(const char *word, size_t len, const char *const *names)
{
	const char *nearest = NULL;
	size_t least = (len + 2) / 3 + 1; /* at most a third of the word, rounded up */

	if (len < 2 || len > NEAREST_WORD_MAX)
		return NULL;
	for (; *names; names++) {
		size_t name_len = strlen(*names);
		size_t distance;

		if (name_len > NEAREST_WORD_MAX)
			continue;
		distance = edit_distance(word, len, *names, name_len);
		if (distance < least) {
			least = distance;
			nearest = *names;
		}
	}
	return nearest;
}
