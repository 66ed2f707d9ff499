/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/model/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "common/base/text.h"

struct address address_any(int family)
{
	return (struct address){ .family = (uint8_t)family };
}

int address_parse(const char *text, struct address *ret_addr)
{
	struct address addr = { .family = strchr(text, ':') ? AF_INET6 : AF_INET };

	if (inet_pton(addr.family, text, addr.bytes) != 1)
		return -EINVAL;
	*ret_addr = addr;
	return 0;
}

const char *address_format(const struct address *addr, char ret_text[static ADDRESS_TEXT_MAX])
{
	if (addr->family == AF_UNSPEC ||
		!inet_ntop(addr->family, addr->bytes, ret_text, ADDRESS_TEXT_MAX))
		memcpy(ret_text, "-", sizeof("-"));
	return ret_text;
}

int address_compare(const struct address *a, const struct address *b)
{
	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

bool address_is_unspecified(const struct address *addr)
{
	static const uint8_t zeros[sizeof(addr->bytes)];

	return memcmp(addr->bytes, zeros, sizeof(zeros)) == 0;
}

bool address_is_multicast(const struct address *addr)
{
	static const uint8_t broadcast[4] = { 255, 255, 255, 255 };

	if (addr->family == AF_INET6)
		return addr->bytes[0] == 0xff;
	return addr->family == AF_INET &&
	       ((addr->bytes[0] & 0xf0) == 0xe0 ||
		       memcmp(addr->bytes, broadcast, sizeof(broadcast)) == 0);
}

unsigned int address_bits(int family)
{
	return 8 * (unsigned int)address_len(family);
}

size_t address_len(int family)
{
	if (family == AF_INET)
		return 4;
	return family == AF_INET6 ? 16 : 0;
}

socklen_t address_to_sockaddr(
	const struct address *addr, uint16_t port, struct sockaddr_storage *ret_ss)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct sockaddr_in6 sin6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };

	memset(ret_ss, 0, sizeof(*ret_ss));
	if (addr->family == AF_INET) {
		memcpy(&sin.sin_addr, addr->bytes, sizeof(sin.sin_addr));
		memcpy(ret_ss, &sin, sizeof(sin));
		return sizeof(sin);
	}
	if (addr->family == AF_INET6) {
		memcpy(&sin6.sin6_addr, addr->bytes, sizeof(sin6.sin6_addr));
		memcpy(ret_ss, &sin6, sizeof(sin6));
		return sizeof(sin6);
	}
	return sizeof(sa_family_t);
}

int address_from_sockaddr(
	const struct sockaddr *sa, socklen_t len, struct address *ret_addr, uint16_t *ret_port)
{
	struct sockaddr_in6 sin6;
	struct sockaddr_in sin;
	sa_family_t family;

	if (len < (socklen_t)sizeof(family))
		return -EINVAL;
	memcpy(&family, &sa->sa_family, sizeof(family));
	if (family == AF_INET) {
		if (len < (socklen_t)sizeof(sin))
			return -EINVAL;
		memcpy(&sin, sa, sizeof(sin));
		*ret_addr = address_v4((const uint8_t *)&sin.sin_addr);
		*ret_port = ntohs(sin.sin_port);
		return 0;
	}
	if (family != AF_INET6)
		return -EAFNOSUPPORT;
	if (len < (socklen_t)sizeof(sin6))
		return -EINVAL;
	memcpy(&sin6, sa, sizeof(sin6));
	if (IN6_IS_ADDR_V4MAPPED(&sin6.sin6_addr))
		*ret_addr = address_v4(sin6.sin6_addr.s6_addr + 12);
	else
		*ret_addr = address_v6(sin6.sin6_addr.s6_addr);
	*ret_port = ntohs(sin6.sin6_port);
	return 0;
}

int prefix_make(const struct address *addr, unsigned int bits, struct prefix *ret_prefix)
{
	struct prefix prefix = { .addr = *addr, .bits = (uint8_t)bits };

	if (bits > address_bits(addr->family))
		return -EINVAL;
	for (size_t i = 0; i < sizeof(prefix.addr.bytes); i++) {
		size_t first = 8 * i; /* number of the byte's highest bit */

		if (first >= bits)
			prefix.addr.bytes[i] = 0;
		else if (first + 8 > bits)
			prefix.addr.bytes[i] &= (uint8_t)(0xff << (first + 8 - bits));
	}
	*ret_prefix = prefix;
	return 0;
}

struct prefix prefix_host(const struct address *addr)
{
	return (struct prefix){ .addr = *addr, .bits = (uint8_t)address_bits(addr->family) };
}

/* Are the first @bits bits the same? */
static bool bits_equal(const uint8_t *a, const uint8_t *b, unsigned int bits)
{
	unsigned int whole = bits / 8, rest = bits % 8;

	if (memcmp(a, b, whole) != 0)
		return false;
	return rest == 0 || ((a[whole] ^ b[whole]) & (0xff << (8 - rest)) & 0xff) == 0;
}

bool prefix_contains(const struct prefix *prefix, const struct address *addr)
{
	return prefix->addr.family == addr->family &&
	       bits_equal(prefix->addr.bytes, addr->bytes, prefix->bits);
}

bool prefix_covers(const struct prefix *outer, const struct prefix *inner)
{
	return outer->bits <= inner->bits && prefix_contains(outer, &inner->addr);
}

bool prefix_overlaps(const struct prefix *a, const struct prefix *b)
{
	return prefix_covers(a, b) || prefix_covers(b, a);
}

bool prefix_equal(const struct prefix *a, const struct prefix *b)
{
	return a->bits == b->bits && address_equal(&a->addr, &b->addr);
}

bool prefix_is_host(const struct prefix *prefix)
{
	return prefix->addr.family != AF_UNSPEC &&
	       prefix->bits == address_bits(prefix->addr.family);
}

const char *prefix_format(const struct prefix *prefix, char ret_text[static PREFIX_TEXT_MAX])
{
	char addr[ADDRESS_TEXT_MAX];
	int r;

	r = text_fixed(ret_text, PREFIX_TEXT_MAX, "%s/%u", address_format(&prefix->addr, addr),
		prefix->bits);
	(void)r; /* PREFIX_TEXT_MAX is made for the longest */
	return ret_text;
}
