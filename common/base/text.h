/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A growing string that remembers running out of memory, and strict hexadecimal. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/cleanup.h"

/* All zero is an empty text. After a failed allocation `failed` is set and text is not touched. */
struct text {
	char *str; /* NUL-terminated once anything was added, else NULL; owned */
	size_t len;
	size_t size;
	bool failed;
};

void text_add(struct text *t, const char *str);
void text_add_bytes(struct text *t, const char *bytes, size_t len);
void text_add_char(struct text *t, char c);
void text_addf(struct text *t, const char *format, ...) PRINTF_LIKE(2, 3);
void text_vaddf(struct text *t, const char *format, va_list args) PRINTF_LIKE(2, 0);
void text_done(struct text *t);
/* Hand over the string (never NULL when 0 is returned); -ENOMEM when an addition failed. */
int text_take(struct text *t, char **ret_str) MUST_CHECK;

/* Lower-case hex of @len bytes into @ret_str, which holds 2 * len + 1. */
void hex_encode(const uint8_t *bytes, size_t len, char *ret_str);
/* Value of one hex digit of either case, or -1. */
int hex_digit(char c);

/* snprintf into a fixed array that reports truncation: 0 or -ENAMETOOLONG. */
int text_fixed(char *buffer, size_t size, const char *format, ...) PRINTF_LIKE(3, 4) MUST_CHECK;
/* Copy a string into a fixed array: 0 or -ENAMETOOLONG (buffer untouched then). */
int text_copy(char *buffer, size_t size, const char *str) MUST_CHECK;

#endif
