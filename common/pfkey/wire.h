/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between the files of the codec: one extension at a time, and numbers in the host's order. */
#ifndef PFKEY_WIRE_H
#define PFKEY_WIRE_H

#include <stdint.h>
#include <string.h>

#include "common/base/bytes.h"
#include "common/pfkey/pfkey.h"

/* One message on its way in. */
struct pfkey_decoding {
	struct pfkey_message *msg;
	enum pfkey_side side;
	struct pfkey_fault fault;
	uint8_t proto_src, proto_dst, proto_inner_src, proto_inner_dst;
	uint32_t replay_low;
	uint64_t replay_high;
};

/* Meaning of one extension. */
struct pfkey_row {
	uint16_t number; /* on the wire */
	uint8_t extension; /* enum pfkey_extension */
	uint8_t duplicate, malformed; /* diagnostics */
	uint16_t min_bytes, max_bytes; /* header included; max 0: as long as it likes */
	/* @len: multiple of 8 within the bounds above. */
	int (*decode)(struct pfkey_decoding *in, const struct pfkey_row *row, const uint8_t *ext,
		size_t len);
};

const struct pfkey_row *pfkey_row_find(uint16_t number); /* NULL: unknown */

/* eprop.c */
int pfkey_decode_eprop(struct pfkey_decoding *in, const struct pfkey_row *row, const uint8_t *ext,
	size_t len) MUST_CHECK;
/* -EINVAL: there is none, or it has too much in it. */
int pfkey_encode_eprop(struct writer *wr, const struct pfkey_eprop *eprop) MUST_CHECK;

static inline int pfkey_refuse(struct pfkey_fault *fault, int error, uint16_t diagnostic)
{
	fault->error = error;
	fault->diagnostic = diagnostic;
	return -error;
}

/* What an address extension holds. */
struct pfkey_wire_address {
	struct address addr;
	uint16_t port;
	uint8_t proto;
	unsigned int bits; /* prefix length in the family of addr */
	bool bits_fit;
};

/* Return: 0, -EINVAL (bytes do not hold a sockaddr), -EAFNOSUPPORT. */
int pfkey_load_address(const uint8_t *ext, size_t len, struct pfkey_wire_address *ret) MUST_CHECK;
/* What an address extension is made of; @number: on the wire. */
void pfkey_write_address(
	struct writer *wr, uint16_t number, const struct pfkey_wire_address *address);
/* One extension in the Solaris numbering; -EINVAL: as pfkey_encode(). */
int pfkey_encode_extension(struct writer *wr, const struct pfkey_message *msg, uint16_t number,
	enum pfkey_side side) MUST_CHECK;

static inline uint16_t load_host16(const uint8_t *p)
{
	uint16_t x;

	memcpy(&x, p, sizeof(x));
	return x;
}

static inline uint32_t load_host32(const uint8_t *p)
{
	uint32_t x;

	memcpy(&x, p, sizeof(x));
	return x;
}

static inline uint64_t load_host64(const uint8_t *p)
{
	uint64_t x;

	memcpy(&x, p, sizeof(x));
	return x;
}

static inline void write_host16(struct writer *wr, uint16_t x)
{
	(void)write_bytes(wr, &x, sizeof(x));
}

static inline void write_host32(struct writer *wr, uint32_t x)
{
	(void)write_bytes(wr, &x, sizeof(x));
}

static inline void write_host64(struct writer *wr, uint64_t x)
{
	(void)write_bytes(wr, &x, sizeof(x));
}

/* The limits of one combination, soft and hard of each side by side: 56 octets. */
static inline void load_limit_pair(const uint8_t *p, struct sa_limits *soft, struct sa_limits *hard)
{
	soft->allocations = load_host32(p);
	hard->allocations = load_host32(p + 4);
	soft->bytes = load_host64(p + 8);
	hard->bytes = load_host64(p + 16);
	soft->add_sec = load_host64(p + 24);
	hard->add_sec = load_host64(p + 32);
	soft->use_sec = load_host64(p + 40);
	hard->use_sec = load_host64(p + 48);
}

static inline void write_limit_pair(
	struct writer *wr, const struct sa_limits *soft, const struct sa_limits *hard)
{
	write_host32(wr, soft->allocations);
	write_host32(wr, hard->allocations);
	write_host64(wr, soft->bytes);
	write_host64(wr, hard->bytes);
	write_host64(wr, soft->add_sec);
	write_host64(wr, hard->add_sec);
	write_host64(wr, soft->use_sec);
	write_host64(wr, hard->use_sec);
}

/* Header of an extension whose whole length is known. */
static inline void write_head(struct writer *wr, size_t bytes, uint16_t number)
{
	write_host16(wr, (uint16_t)(bytes / PFKEY_UNIT));
	write_host16(wr, number);
}

#endif
