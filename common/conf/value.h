/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One strict reader for each kind of value that a word may hold. None reports; the caller does. */
#ifndef CONF_VALUE_H
#define CONF_VALUE_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/cleanup.h"
#include "common/base/secret.h"
#include "common/model/address.h"

/*
 * The whole word as an unsigned number, base by prefix (0x hex, 0 octal, else decimal).
 * Return: 0, -EINVAL (no number), -ERANGE (above @max).
 */
int value_number(const char *word, size_t len, uint64_t max, uint64_t *ret_x) MUST_CHECK;
/* Decimal only: prefix lengths. Same returns. */
int value_decimal(const char *word, size_t len, uint64_t max, uint64_t *ret_x) MUST_CHECK;
/* A numeric address: 0 or -EINVAL. */
int value_address(const char *word, size_t len, struct address *ret_addr) MUST_CHECK;
/* "a-b" or "a": 0, -EINVAL, -ERANGE (above max, or end below start). */
int value_range(const char *word, size_t len, uint64_t max, uint64_t *ret_low,
	uint64_t *ret_high) MUST_CHECK;
/* IPv4 mask, 0x hex or dotted quad: 0, -EINVAL (no mask, zero, not contiguous). */
int value_mask(const char *word, size_t len, unsigned int *ret_bits) MUST_CHECK;

enum value_key_verdict {
	VALUE_KEY_OK,
	VALUE_KEY_NOT_HEX,
	VALUE_KEY_BAD_BITS, /* /bits is no number, or 0 */
	VALUE_KEY_BITS_TOO_BIG, /* more than the digits give */
	VALUE_KEY_EMPTY,
	VALUE_KEY_TOO_LONG, /* more than SECRET_MAX_BYTES */
	VALUE_KEY_NO_MEMORY,
};
/*
 * [0x]hex[/bits]. An odd last digit stands in the high half of the last byte, which counts whole
 * without /bits. *ret_cut: /bits was smaller than the digits by a digit or more; surplus bits are
 * zero. @pool: as of secret_new_in().
 */
enum value_key_verdict value_key(const char *word, size_t len, struct secret_pool *pool,
	struct secret **ret_key, uint16_t *ret_bits, bool *ret_cut) MUST_CHECK;

/*
 * The keyword that was probably meant, for "did you mean": smallest edit distance, at most a third
 * of the word. @names ends with NULL. NULL when nothing is near.
 */
const char *value_nearest(const char *word, size_t len, const char *const *names);

#endif
