/* SPDX-License-Identifier: GPL-2.0-or-later */
/* IP addresses and prefixes of both families, as values: made, compared, printed; no look-ups. */
#ifndef MODEL_ADDRESS_H
#define MODEL_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include "common/base/cleanup.h"

/* "ffff:...:255.255.255.255" and its NUL; with a prefix behind it. */
#define ADDRESS_TEXT_MAX 46
#define PREFIX_TEXT_MAX	 50

/*
 * Bytes in network order; an IPv4 address fills the first four, the others are zero. They stand in
 * front: who copies an address that was just made, as each packet has it done, takes them up in one
 * piece, as they were put down.
 */
struct address {
	uint8_t bytes[16];
	uint8_t family; /* AF_INET or AF_INET6; AF_UNSPEC: no address */
};

/* Host bits are zero in every prefix that a make function returned. */
struct prefix {
	struct address addr;
	uint8_t bits;
};

/* Here, as address_equal() is, since each packet makes some. */
static inline struct address address_v4(const uint8_t bytes[static 4])
{
	uint32_t words[4] = { 0 };
	struct address addr;

	memcpy(words, bytes, 4);
	memcpy(addr.bytes, words, sizeof(addr.bytes));
	addr.family = AF_INET;
	return addr;
}

static inline struct address address_v6(const uint8_t bytes[static 16])
{
	struct address addr = { .family = AF_INET6 };

	memcpy(addr.bytes, bytes, sizeof(addr.bytes));
	return addr;
}

/* The unspecified address of a family. */
struct address address_any(int family);
/* A numeric literal, strictly: 0 or -EINVAL. No scope ids, no leading zeros in IPv4. */
int address_parse(const char *text, struct address *ret_addr) MUST_CHECK;
/* Return: @ret_text. "-" for AF_UNSPEC. */
const char *address_format(const struct address *addr, char ret_text[static ADDRESS_TEXT_MAX]);
int address_compare(const struct address *a, const struct address *b); /* total order */
static inline bool address_equal(const struct address *a, const struct address *b)
{
	return a->family == b->family && memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}
bool address_is_unspecified(const struct address *addr); /* also AF_UNSPEC */
bool address_is_multicast(const struct address *addr); /* and 255.255.255.255 */
unsigned int address_bits(int family); /* 32, 128; 0 for AF_UNSPEC */
size_t address_len(int family); /* 4, 16; 0 for AF_UNSPEC */
/* ret_ss is zeroed, then family, address and port (host order here) are set. Return: its length. */
socklen_t address_to_sockaddr(
	const struct address *addr, uint16_t port, struct sockaddr_storage *ret_ss);
/* IPv4-mapped IPv6 becomes IPv4. Return: 0 or -EAFNOSUPPORT, -EINVAL for a short length. */
int address_from_sockaddr(const struct sockaddr *sa, socklen_t len, struct address *ret_addr,
	uint16_t *ret_port) MUST_CHECK;

/* Clears host bits. Return: 0 or -EINVAL when bits exceed the family's. */
int prefix_make(
	const struct address *addr, unsigned int bits, struct prefix *ret_prefix) MUST_CHECK;
/* A single host. */
struct prefix prefix_host(const struct address *addr);
bool prefix_contains(
	const struct prefix *prefix, const struct address *addr); /* false across families */
bool prefix_covers(const struct prefix *outer, const struct prefix *inner);
bool prefix_overlaps(const struct prefix *a, const struct prefix *b);
bool prefix_equal(const struct prefix *a, const struct prefix *b);
bool prefix_is_host(const struct prefix *prefix);
/* Always with "/bits". Return: @ret_text. */
const char *prefix_format(const struct prefix *prefix, char ret_text[static PREFIX_TEXT_MAX]);

#endif
