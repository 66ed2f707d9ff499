/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/base/text.h"

#include <errno.h>
#include <string.h>

#include "common/base/checked.h"

#define TEXT_FIRST_SIZE 64

/* Room for @len more bytes and a NUL. */
static bool text_grow(struct text *t, size_t len)
{
	size_t need, size;
	char *str;

	if (t->failed)
		return false;
	if (!checked_add(t->len, len, &need) || !checked_add(need, 1, &need))
		goto failed;
	if (need <= t->size)
		return true;
	size = t->size ? t->size : TEXT_FIRST_SIZE;
	while (size < need)
		if (!checked_mul(size, 2, &size))
			goto failed;
	str = realloc(t->str, size);
	if (!str)
		goto failed;
	t->str = str;
	t->size = size;
	return true;
failed:
	t->failed = true;
	return false;
}

void text_add_bytes(struct text *t, const char *bytes, size_t len)
{
	if (!text_grow(t, len))
		return;
	if (len)
		memcpy(t->str + t->len, bytes, len);
	t->len += len;
	t->str[t->len] = '\0';
}

void text_add(struct text *t, const char *str)
{
	text_add_bytes(t, str, strlen(str));
}

void text_add_char(struct text *t, char c)
{
	text_add_bytes(t, &c, 1);
}

void text_vaddf(struct text *t, const char *format, va_list args)
{
	size_t room = t->failed ? 0 : t->size - t->len;
	va_list again;
	int len;

	va_copy(again, args);
	/* Most texts have the room: formatted once, where they belong. */
	len = vsnprintf(room ? t->str + t->len : NULL, room, format, args);
	if (len < 0) {
		t->failed = true;
	} else if ((size_t)len < room) {
		t->len += (size_t)len;
	} else if (text_grow(t, (size_t)len)) {
		(void)vsnprintf(
			t->str + t->len, (size_t)len + 1, format, again); /* measured above */
		t->len += (size_t)len;
	}
	va_end(again);
	if (t->failed && room)
		t->str[t->len] = '\0'; /* nothing of what failed */
}

void text_addf(struct text *t, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	text_vaddf(t, format, args);
	va_end(args);
}

void text_done(struct text *t)
{
	free(t->str);
	*t = (struct text){ 0 };
}

int text_take(struct text *t, char **ret_str)
{
	text_add_bytes(t, "", 0); /* an empty text becomes an empty string */
	if (t->failed) {
		text_done(t);
		return -ENOMEM;
	}
	*ret_str = t->str;
	*t = (struct text){ 0 };
	return 0;
}

void hex_encode(const uint8_t *bytes, size_t len, char *ret_str)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < len; i++) {
		*ret_str++ = digits[bytes[i] >> 4];
		*ret_str++ = digits[bytes[i] & 0xf];
	}
	*ret_str = '\0';
}

int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int text_fixed(char *buffer, size_t size, const char *format, ...)
{
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(buffer, size, format, args);
	va_end(args);
	return len < 0 || (size_t)len >= size ? -ENAMETOOLONG : 0;
}

int text_copy(char *buffer, size_t size, const char *str)
{
	size_t len = strlen(str);

	if (len >= size)
		return -ENAMETOOLONG;
	memcpy(buffer, str, len + 1);
	return 0;
}
