/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Cursors over byte ranges: every read and write is checked, integers in network order (be) or in
 * the little-endian order of snapshots and arenas (le). A failed operation leaves the cursor where
 * it was, sets its `failed` flag for good and returns false, so that a run of calls may be checked
 * once at its end.
 */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct reader {
	const uint8_t *at;
	const uint8_t *end;
	bool failed;
};

struct writer {
	uint8_t *start;
	uint8_t *at;
	uint8_t *end;
	bool failed;
};

/* @bytes: borrowed for as long as the cursor is used. */
void reader_init(struct reader *rd, const void *bytes, size_t len);
size_t reader_left(const struct reader *rd);
bool read_u8(struct reader *rd, uint8_t *ret_x);
bool read_be16(struct reader *rd, uint16_t *ret_x);
bool read_be32(struct reader *rd, uint32_t *ret_x);
bool read_be64(struct reader *rd, uint64_t *ret_x);
bool read_le16(struct reader *rd, uint16_t *ret_x);
bool read_le32(struct reader *rd, uint32_t *ret_x);
bool read_le64(struct reader *rd, uint64_t *ret_x);
bool read_bytes(struct reader *rd, void *ret_bytes, size_t len);
/* A view into the buffer, not a copy. */
bool read_view(struct reader *rd, const uint8_t **ret_at, size_t len);
bool read_skip(struct reader *rd, size_t len);

void writer_init(struct writer *wr, void *buffer, size_t len);
size_t writer_used(const struct writer *wr);
bool write_u8(struct writer *wr, uint8_t x);
bool write_be16(struct writer *wr, uint16_t x);
bool write_be32(struct writer *wr, uint32_t x);
bool write_be64(struct writer *wr, uint64_t x);
bool write_le16(struct writer *wr, uint16_t x);
bool write_le32(struct writer *wr, uint32_t x);
bool write_le64(struct writer *wr, uint64_t x);
bool write_bytes(struct writer *wr, const void *bytes, size_t len);
bool write_zeros(struct writer *wr, size_t len);

/* Unchecked access to places whose bounds the caller has established (packet headers). */
static inline uint16_t load_be16(const uint8_t *p)
{
	return (uint16_t)((uint16_t)p[0] << 8 | p[1]);
}

static inline uint32_t load_be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline void store_be16(uint8_t *p, uint16_t x)
{
	p[0] = (uint8_t)(x >> 8);
	p[1] = (uint8_t)x;
}

static inline void store_be32(uint8_t *p, uint32_t x)
{
	p[0] = (uint8_t)(x >> 24);
	p[1] = (uint8_t)(x >> 16);
	p[2] = (uint8_t)(x >> 8);
	p[3] = (uint8_t)x;
}

/* In one piece for who reads it so at once. */
static inline void store_be64(uint8_t *p, uint64_t x)
{
	store_be32(p, (uint32_t)(x >> 32));
	store_be32(p + 4, (uint32_t)x);
}

#endif
