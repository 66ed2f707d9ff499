/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sums and products that say when they do not fit. */
#ifndef BASE_CHECKED_H
#define BASE_CHECKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline bool checked_add(size_t a, size_t b, size_t *ret_sum)
{
	return !__builtin_add_overflow(a, b, ret_sum);
}

static inline bool checked_mul(size_t a, size_t b, size_t *ret_product)
{
	return !__builtin_mul_overflow(a, b, ret_product);
}

static inline size_t round_up(size_t x, size_t multiple)
{
	return (x + multiple - 1) / multiple * multiple;
}

#endif
