/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/base/bytes.h"

#include <string.h>

void reader_init(struct reader *rd, const void *bytes, size_t len)
{
	/* Pointer arithmetic on NULL is undefined, an empty range need not be one. */
	rd->at = bytes ? bytes : (const uint8_t *)"";
	rd->end = rd->at + (bytes ? len : 0);
	rd->failed = false;
}

size_t reader_left(const struct reader *rd)
{
	return (size_t)(rd->end - rd->at);
}

bool read_view(struct reader *rd, const uint8_t **ret_at, size_t len)
{
	if (rd->failed || reader_left(rd) < len) {
		rd->failed = true;
		return false;
	}
	*ret_at = rd->at;
	rd->at += len;
	return true;
}

bool read_skip(struct reader *rd, size_t len)
{
	const uint8_t *at;

	return read_view(rd, &at, len);
}

bool read_bytes(struct reader *rd, void *ret_bytes, size_t len)
{
	const uint8_t *at;

	if (!read_view(rd, &at, len))
		return false;
	if (len)
		memcpy(ret_bytes, at, len);
	return true;
}

static bool read_be(struct reader *rd, size_t len, uint64_t *ret_x)
{
	const uint8_t *at;
	uint64_t x = 0;

	if (!read_view(rd, &at, len))
		return false;
	for (size_t i = 0; i < len; i++)
		x = x << 8 | at[i];
	*ret_x = x;
	return true;
}

static bool read_le(struct reader *rd, size_t len, uint64_t *ret_x)
{
	const uint8_t *at;
	uint64_t x = 0;

	if (!read_view(rd, &at, len))
		return false;
	for (size_t i = len; i > 0; i--)
		x = x << 8 | at[i - 1];
	*ret_x = x;
	return true;
}

bool read_u8(struct reader *rd, uint8_t *ret_x)
{
	return read_bytes(rd, ret_x, 1);
}

bool read_be16(struct reader *rd, uint16_t *ret_x)
{
	uint64_t x;

	if (!read_be(rd, sizeof(*ret_x), &x))
		return false;
	*ret_x = (uint16_t)x;
	return true;
}

bool read_be32(struct reader *rd, uint32_t *ret_x)
{
	uint64_t x;

	if (!read_be(rd, sizeof(*ret_x), &x))
		return false;
	*ret_x = (uint32_t)x;
	return true;
}

bool read_be64(struct reader *rd, uint64_t *ret_x)
{
	return read_be(rd, sizeof(*ret_x), ret_x);
}

bool read_le16(struct reader *rd, uint16_t *ret_x)
{
	uint64_t x;

	if (!read_le(rd, sizeof(*ret_x), &x))
		return false;
	*ret_x = (uint16_t)x;
	return true;
}

bool read_le32(struct reader *rd, uint32_t *ret_x)
{
	uint64_t x;

	if (!read_le(rd, sizeof(*ret_x), &x))
		return false;
	*ret_x = (uint32_t)x;
	return true;
}

bool read_le64(struct reader *rd, uint64_t *ret_x)
{
	return read_le(rd, sizeof(*ret_x), ret_x);
}

void writer_init(struct writer *wr, void *buffer, size_t len)
{
	wr->start = buffer;
	wr->at = wr->start;
	wr->end = len ? wr->start + len : wr->start;
	wr->failed = false;
}

size_t writer_used(const struct writer *wr)
{
	return (size_t)(wr->at - wr->start);
}

static bool write_room(struct writer *wr, size_t len)
{
	if (wr->failed || (size_t)(wr->end - wr->at) < len)
		wr->failed = true;
	return !wr->failed;
}

bool write_bytes(struct writer *wr, const void *bytes, size_t len)
{
	if (!write_room(wr, len))
		return false;
	if (len) {
		memcpy(wr->at, bytes, len);
		wr->at += len;
	}
	return true;
}

bool write_zeros(struct writer *wr, size_t len)
{
	if (!write_room(wr, len))
		return false;
	if (len) {
		memset(wr->at, 0, len);
		wr->at += len;
	}
	return true;
}

static bool write_be(struct writer *wr, uint64_t x, size_t len)
{
	if (!write_room(wr, len))
		return false;
	for (size_t i = len; i > 0; i--)
		*wr->at++ = (uint8_t)(x >> (8 * (i - 1)));
	return true;
}

static bool write_le(struct writer *wr, uint64_t x, size_t len)
{
	if (!write_room(wr, len))
		return false;
	for (size_t i = 0; i < len; i++)
		*wr->at++ = (uint8_t)(x >> (8 * i));
	return true;
}

bool write_u8(struct writer *wr, uint8_t x)
{
	return write_be(wr, x, sizeof(x));
}

bool write_be16(struct writer *wr, uint16_t x)
{
	return write_be(wr, x, sizeof(x));
}

bool write_be32(struct writer *wr, uint32_t x)
{
	return write_be(wr, x, sizeof(x));
}

bool write_be64(struct writer *wr, uint64_t x)
{
	return write_be(wr, x, sizeof(x));
}

bool write_le16(struct writer *wr, uint16_t x)
{
	return write_le(wr, x, sizeof(x));
}

bool write_le32(struct writer *wr, uint32_t x)
{
	return write_le(wr, x, sizeof(x));
}

bool write_le64(struct writer *wr, uint64_t x)
{
	return write_le(wr, x, sizeof(x));
}
