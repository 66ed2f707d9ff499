/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages are put together octet by octet here, not by the encoder under test. */
#include "common/pfkey/pfkey.h"

#include <errno.h>
#include <string.h>

#include "tests/unit/suite.h"

#define ROOM 1536

struct bytes {
	uint8_t at[ROOM];
	size_t len;
};

static void put(struct bytes *b, const void *bytes, size_t len)
{
	ck_assert_uint_le(b->len + len, ROOM);
	memcpy(b->at + b->len, bytes, len);
	b->len += len;
}

static void put16(struct bytes *b, uint16_t x)
{
	put(b, &x, sizeof(x));
}

static void put32(struct bytes *b, uint32_t x)
{
	put(b, &x, sizeof(x));
}

static void put64(struct bytes *b, uint64_t x)
{
	put(b, &x, sizeof(x));
}

static void put_zeros(struct bytes *b, size_t len)
{
	static const uint8_t zeros[256];

	put(b, zeros, len);
}

static void begin(struct bytes *b, uint8_t type, uint8_t satype)
{
	b->len = 0;
	put(b, (uint8_t[]){ 2, type, 0, satype }, 4);
	put_zeros(b, 4);
	put32(b, 77);
	put32(b, 4242);
}

static void end(struct bytes *b)
{
	uint16_t units = (uint16_t)(b->len / 8);

	memcpy(b->at + 4, &units, sizeof(units));
}

static void put_sa(struct bytes *b, uint32_t flags)
{
	put16(b, 2);
	put16(b, 1);
	put(b, (uint8_t[]){ 0, 0, 0x10, 0x01, 32, 1, 5, 12 }, 8);
	put32(b, flags);
}

static void put_v4(struct bytes *b, uint16_t number, uint8_t last, uint8_t proto, uint16_t port)
{
	put16(b, 3);
	put16(b, number);
	put(b, (uint8_t[]){ proto, 32, 0, 0 }, 4);
	put16(b, AF_INET);
	put(b, (uint8_t[]){ (uint8_t)(port >> 8), (uint8_t)port, 192, 0, 2, last }, 6);
	put_zeros(b, 8);
}

static void put_v6(struct bytes *b, uint16_t number, const uint8_t addr[16], uint8_t bits)
{
	put16(b, 5);
	put16(b, number);
	put(b, (uint8_t[]){ 0, bits, 0, 0 }, 4);
	put16(b, AF_INET6);
	put_zeros(b, 6);
	put(b, addr, 16);
	put_zeros(b, 8);
}

static void put_key(struct bytes *b, uint16_t number, uint16_t bits, uint16_t tail, uint8_t fill)
{
	size_t len = (size_t)(bits + 63) / 64 * 8;

	put16(b, (uint16_t)(1 + len / 8));
	put16(b, number);
	put16(b, bits);
	put16(b, tail);
	for (size_t i = 0; i < len; i++)
		put(b, &fill, 1);
}

static void put_life(struct bytes *b, uint16_t number, uint64_t bytes, uint64_t add)
{
	put16(b, 4);
	put16(b, number);
	put32(b, 3);
	put64(b, bytes);
	put64(b, add);
	put64(b, 9);
}

/* Extensions of a message under test: a letter each, what is put, and its numbers. */
enum kind { SA, V4, V6, KEY, LIFE, RANGE, WORDS };

static const uint8_t v6_addrs[][16] = {
	{ 0 }, { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 },
	{ [10] = 0xff, [11] = 0xff, 10, 1, 2, 3 }, /* IPv4-mapped */
};

static const struct {
	char letter;
	enum kind kind;
	uint16_t number; /* of the extension */
	uint64_t a, b, c;
} letters[] = {
	/* clang-format off */
	{ 'A', SA,  1, 0, 0, 0 },
	{ 'F', SA,  1, PFKEY_SAF_PFS, 0, 0 },
	{ 'E', SA,  1, PFKEY_SAF_ESN, 0, 0 },
	/* last octet of 192.0.2, protocol, port */
	{ 's', V4,  5,  1,  0, 0 },
	{ 'd', V4,  6, 17,  0, 0 },
	{ 'p', V4,  5,  1,  6, 0 },
	{ 'q', V4,  6, 17, 17, 0 },
	{ 'I', V4,  7,  3,  6, 0 },
	{ 'J', V4, 22,  4,  6, 0 },
	{ 'K', V4, 22,  4, 17, 0 },
	{ 'o', V4,  5,  1,  0, 22 },
	{ 'P', V4, 22,  4,  6, 80 },
	{ 'g', V4, 20,  9,  0, 4500 },
	{ 'G', V4, 21,  8,  0, 4500 },
	/* address, prefix length */
	{ 'S', V6,  5, 1, 128, 0 },
	{ 'U', V6,  5, 0, 0, 0 },
	{ 'u', V6,  6, 0, 0, 0 },
	{ 'M', V6,  7, 2, 112, 0 },
	{ 'm', V6,  7, 2, 95, 0 },
	{ 'N', V6, 22, 2, 112, 0 },
	{ 'n', V6, 22, 2, 129, 0 },
	{ 'V', V6, 22, 1, 64, 0 },
	{ 'h', V6, 20, 1, 128, 0 },
	/* bits, bits of IV, octet */
	{ 'e', KEY, 9, 128, 0, 0xa1 },
	{ 'a', KEY, 8, 256, 0, 0xb2 },
	{ 'z', KEY, 9, 128, 0, 0 },
	{ 'y', KEY, 8, 256, 0, 0 },
	{ 'w', KEY, 9, 128, 128, 0xa1 }, /* nothing but IV */
	/* octets, seconds */
	{ 'H', LIFE, 3, 1000, 100, 0 },
	{ 'L', LIFE, 4, 500, 50, 0 },
	{ 'C', LIFE, 2, 1, 1, 0 },
	{ 'r', RANGE, 16, 0x1000, 0x2000, 0 },
	{ 'R', RANGE, 16, 0x2001, 0x2000, 0 },
	/* units as said (c: 16 octets follow in all, else 8), 32 bits, 64 bits */
	{ 'X', WORDS, 25, 0, 5, 2 },
	{ 'v', WORDS, 24, 7, 0, 2 },
	{ 'W', WORDS, 24, 0, UINT64_C(1) << 40, 2 },
	{ 'k', WORDS, 12, 0, 0, 2 }, /* label, empty */
	{ 'j', WORDS, 12, 0, 0x0100, 2 }, /* label that claims a bitmap */
	{ 'x', WORDS, 99, 0, 0, 1 },
	{ '0', WORDS,  0, 0, 0, 1 },
	{ 'O', WORDS, 13, 0, 0, 1 },
	{ 'T', WORDS, 14, 0, 0, 1 },
	{ 'l', WORDS,  1, 0, 0, 0 }, /* length 0 */
	{ 'b', WORDS,  1, 0, 0, 9 }, /* past the end */
	/* clang-format on */
};

static void put_be32(struct bytes *b, uint64_t x)
{
	put(b, (uint8_t[]){ (uint8_t)(x >> 24), (uint8_t)(x >> 16), (uint8_t)(x >> 8), (uint8_t)x },
		4);
}

static void put_words(
	struct bytes *b, uint16_t number, uint64_t word, uint64_t more, uint64_t units)
{
	put16(b, (uint16_t)units);
	put16(b, number);
	put32(b, (uint32_t)word);
	if (units == 2)
		put64(b, more);
}

static void put_letter(struct bytes *b, char letter)
{
	size_t i = 0;

	while (i < ARRAY_SIZE(letters) && letters[i].letter != letter)
		i++;
	ck_assert_msg(i < ARRAY_SIZE(letters), "no such extension: %c", letter);
	switch (letters[i].kind) {
	case SA:
		put_sa(b, (uint32_t)letters[i].a);
		break;
	case V4:
		put_v4(b, letters[i].number, (uint8_t)letters[i].a, (uint8_t)letters[i].b,
			(uint16_t)letters[i].c);
		break;
	case V6:
		put_v6(b, letters[i].number, v6_addrs[letters[i].a], (uint8_t)letters[i].b);
		break;
	case KEY:
		put_key(b, letters[i].number, (uint16_t)letters[i].a, (uint16_t)letters[i].b,
			(uint8_t)letters[i].c);
		break;
	case LIFE:
		put_life(b, letters[i].number, letters[i].a, letters[i].b);
		break;
	case RANGE:
		put16(b, 2);
		put16(b, letters[i].number);
		put_be32(b, letters[i].a);
		put_be32(b, letters[i].b);
		put_zeros(b, 4);
		break;
	case WORDS:
		put_words(b, letters[i].number, letters[i].a, letters[i].b, letters[i].c);
		break;
	}
}

static void build(struct bytes *b, uint8_t type, uint8_t satype, const char *extensions)
{
	begin(b, type, satype);
	for (const char *at = extensions; *at; at++)
		put_letter(b, *at);
	end(b);
}

static const struct {
	const char *name;
	uint8_t type, satype;
	const char *extensions;
	int error;
	uint16_t diagnostic;
} cases[] = {
	/* clang-format off */
	/* each message, minimal */
	{ "getspi", PFKEY_GETSPI, 3, "sdr", 0, 0 },
	{ "update", PFKEY_UPDATE, 3, "Asd", 0, 0 },
	{ "add", PFKEY_ADD, 3, "Asdea", 0, 0 },
	{ "add in any order", PFKEY_ADD, 3, "aedLsAH", 0, 0 },
	{ "delete", PFKEY_DELETE, 3, "Ad", 0, 0 },
	{ "delete by addresses", PFKEY_DELETE, 3, "s", 0, 0 },
	{ "get", PFKEY_GET, 2, "Ad", 0, 0 },
	{ "register", PFKEY_REGISTER, 3, "", 0, 0 },
	{ "flush", PFKEY_FLUSH, 0, "", 0, 0 },
	{ "dump", PFKEY_DUMP, 0, "", 0, 0 },
	{ "dump what is idle", PFKEY_DUMP, 3, "X", 0, 0 },
	{ "promiscuous", PFKEY_X_PROMISC, 1, "", 0, 0 },
	{ "inverse acquire", PFKEY_X_INVERSE_ACQUIRE, 0, "sd", 0, 0 },
	{ "update pair", PFKEY_X_UPDATEPAIR, 3, "Asd", 0, 0 },
	{ "delete pair", PFKEY_X_DELPAIR, 3, "Ad", 0, 0 },
	{ "delete state", PFKEY_X_DELPAIR_STATE, 0, "Asd", 0, 0 },
	/* types */
	{ "type 0", 0, 3, "", EINVAL, PFKEY_DIAG_UNKNOWN_MSG },
	{ "type 16", 16, 3, "", EINVAL, PFKEY_DIAG_UNKNOWN_MSG },
	{ "satype 200", PFKEY_ADD, 200, "Asdea", EINVAL, PFKEY_DIAG_UNKNOWN_SATYPE },
	{ "satype 5", PFKEY_FLUSH, 5, "", EINVAL, PFKEY_DIAG_UNKNOWN_SATYPE },
	{ "satype 0", PFKEY_ADD, 0, "Asdea", EINVAL, PFKEY_DIAG_SATYPE_NEEDED },
	{ "get of 0", PFKEY_GET, 0, "Ad", EINVAL, PFKEY_DIAG_SATYPE_NEEDED },
	/* each required extension left out */
	{ "getspi, no source", PFKEY_GETSPI, 3, "dr", EINVAL, PFKEY_DIAG_MISSING_SRC },
	{ "getspi, no destination", PFKEY_GETSPI, 3, "sr", EINVAL, PFKEY_DIAG_MISSING_DST },
	{ "getspi, no range", PFKEY_GETSPI, 3, "sd", EINVAL, PFKEY_DIAG_MISSING_RANGE },
	{ "add, no source", PFKEY_ADD, 3, "Adea", EINVAL, PFKEY_DIAG_MISSING_SRC },
	{ "add, no destination", PFKEY_ADD, 3, "Asea", EINVAL, PFKEY_DIAG_MISSING_DST },
	{ "add, no SA", PFKEY_ADD, 3, "sdea", EINVAL, PFKEY_DIAG_MISSING_SA },
	{ "update, no SA", PFKEY_UPDATE, 3, "sd", EINVAL, PFKEY_DIAG_MISSING_SA },
	{ "update pair, no source", PFKEY_X_UPDATEPAIR, 3, "Ad", EINVAL, PFKEY_DIAG_MISSING_SRC },
	{ "get, no destination", PFKEY_GET, 3, "A", EINVAL, PFKEY_DIAG_MISSING_DST },
	{ "get, no SA", PFKEY_GET, 3, "d", EINVAL, PFKEY_DIAG_MISSING_SA },
	{ "delete, nothing", PFKEY_DELETE, 3, "", EINVAL, PFKEY_DIAG_MISSING_SA },
	{ "delete, no destination", PFKEY_DELETE, 3, "As", EINVAL, PFKEY_DIAG_MISSING_DST },
	{ "delete pair, no SA", PFKEY_X_DELPAIR, 3, "d", EINVAL, PFKEY_DIAG_MISSING_SA },
	{ "delete state, no source", PFKEY_X_DELPAIR_STATE, 3, "Ad", EINVAL, PFKEY_DIAG_MISSING_SRC },
	{ "inner source alone", PFKEY_ADD, 3, "AsdeaI", EINVAL, PFKEY_DIAG_MISSING_INNER_DST },
	{ "inner destination alone", PFKEY_ADD, 3, "AsdeaJ", EINVAL, PFKEY_DIAG_MISSING_INNER_SRC },
	/* each doubled */
	{ "two SAs", PFKEY_ADD, 3, "AsdeaA", EINVAL, PFKEY_DIAG_DUPLICATE_SA },
	{ "two sources", PFKEY_ADD, 3, "Asdeas", EINVAL, PFKEY_DIAG_DUPLICATE_SRC },
	{ "two destinations", PFKEY_ADD, 3, "Asdead", EINVAL, PFKEY_DIAG_DUPLICATE_DST },
	{ "two encryption keys", PFKEY_ADD, 3, "Asdeae", EINVAL, PFKEY_DIAG_DUPLICATE_EKEY },
	{ "two authentication keys", PFKEY_ADD, 3, "Asdeaa", EINVAL, PFKEY_DIAG_DUPLICATE_AKEY },
	{ "two ranges", PFKEY_GETSPI, 3, "sdrr", EINVAL, PFKEY_DIAG_DUPLICATE_RANGE },
	{ "two hard lifetimes", PFKEY_ADD, 3, "AsdeaHH", EINVAL, 0 },
	{ "two inner sources", PFKEY_ADD, 3, "AsdeaII", EINVAL, PFKEY_DIAG_DUPLICATE_INNER_SRC },
	{ "two inner destinations", PFKEY_ADD, 3, "AsdeaIJJ", EINVAL, PFKEY_DIAG_DUPLICATE_INNER_DST },
	{ "two NAT addresses", PFKEY_ADD, 3, "Asdeagg", EINVAL, PFKEY_DIAG_DUPLICATE_NATT_LOC },
	/* framing */
	{ "unknown extension", PFKEY_ADD, 3, "Asdeax", EINVAL, PFKEY_DIAG_UNKNOWN_EXT },
	{ "extension type 0", PFKEY_ADD, 3, "Asdea0", EINVAL, PFKEY_DIAG_UNKNOWN_EXT },
	{ "extension length 0", PFKEY_ADD, 3, "Asdeal", EINVAL, PFKEY_DIAG_BAD_EXTLEN },
	{ "extension past the end", PFKEY_ADD, 3, "Asdeab", EINVAL, PFKEY_DIAG_BAD_EXTLEN },
	/* what must not be there */
	{ "proposal", PFKEY_ADD, 3, "AsdeaO", EINVAL, PFKEY_DIAG_PROP_PRESENT },
	{ "supported", PFKEY_ADD, 3, "AsdeaT", EINVAL, PFKEY_DIAG_SUPP_PRESENT },
	{ "current lifetime in add", PFKEY_ADD, 3, "AsdeaC", EOPNOTSUPP, 0 },
	{ "current lifetime in update", PFKEY_UPDATE, 3, "AsdC", EOPNOTSUPP, PFKEY_DIAG_MISSING_LIFETIME },
	{ "flush with something", PFKEY_FLUSH, 3, "A", EINVAL, PFKEY_DIAG_NO_EXT },
	{ "dump with something", PFKEY_DUMP, 3, "s", EINVAL, PFKEY_DIAG_NO_EXT },
	/* values */
	{ "range upside down", PFKEY_GETSPI, 3, "sdR", EINVAL, PFKEY_DIAG_MALFORMED_RANGE },
	{ "encryption key of zeros", PFKEY_ADD, 3, "Asdza", EINVAL, PFKEY_DIAG_MALFORMED_EKEY },
	{ "authentication key of zeros", PFKEY_ADD, 3, "Asdey", EINVAL, PFKEY_DIAG_MALFORMED_AKEY },
	{ "key that is all IV", PFKEY_ADD, 3, "Asdwa", EINVAL, PFKEY_DIAG_MALFORMED_EKEY },
	{ "families differ", PFKEY_ADD, 3, "ASdea", EINVAL, PFKEY_DIAG_AF_MISMATCH },
	{ "unspecified source of the other family", PFKEY_ADD, 3, "AUdea", 0, 0 },
	{ "unspecified destination", PFKEY_ADD, 3, "ASuea", EINVAL, PFKEY_DIAG_BAD_DST },
	{ "protocols differ", PFKEY_ADD, 3, "Apqea", EINVAL, PFKEY_DIAG_PROTO_MISMATCH },
	{ "one protocol is enough", PFKEY_ADD, 3, "Apdea", 0, 0 },
	{ "inner protocols differ", PFKEY_ADD, 3, "AsdeaIK", EINVAL, PFKEY_DIAG_INNER_PROTO_MISMATCH },
	{ "tunnel", PFKEY_ADD, 3, "AsdeaIJ", 0, 0 },
	{ "inner families differ", PFKEY_ADD, 3, "AsdeaIV", EINVAL, PFKEY_DIAG_INNER_AF_MISMATCH },
	{ "protocol of transport with inner addresses", PFKEY_ADD, 3, "ApdeaIJ", EPROTOTYPE, PFKEY_DIAG_INNER_AF_MISMATCH },
	{ "ports outside and inside", PFKEY_ADD, 3, "AodeaIP", EINVAL, PFKEY_DIAG_DUAL_PORT_SETS },
	{ "mapped inner prefixes", PFKEY_ADD, 3, "AsdeaMN", 0, 0 },
	{ "mapped prefix below 96", PFKEY_ADD, 3, "AsdeamN", EINVAL, PFKEY_DIAG_PREFIX_INNER_SRC },
	{ "mapped prefix above 128", PFKEY_ADD, 3, "AsdeaMn", EINVAL, PFKEY_DIAG_PREFIX_INNER_DST },
	{ "NAT addresses", PFKEY_ADD, 3, "AsdeagG", 0, 0 },
	{ "NAT address of IPv6", PFKEY_ADD, 3, "Asdeah", EINVAL, PFKEY_DIAG_MALFORMED_NATT_LOC },
	{ "replay value", PFKEY_ADD, 3, "Asdeav", 0, 0 },
	{ "wide replay value", PFKEY_ADD, 3, "AsdeaW", EOPNOTSUPP, PFKEY_DIAG_INVALID_REPLAY },
	{ "wide replay value with ESN", PFKEY_ADD, 3, "EsdeaW", 0, 0 },
	{ "flags are for the database to judge", PFKEY_ADD, 3, "Fsdea", 0, 0 },
	{ "label", PFKEY_ADD, 3, "Asdeak", 0, 0 },
	{ "label longer than its extension", PFKEY_ADD, 3, "Asdeaj", EINVAL, 0 },
	/* clang-format on */
};

START_TEST(requests)
{
	CLEANUP(pfkey_message_freep) struct pfkey_message *msg = NULL;
	struct pfkey_fault fault = { 0 };
	struct bytes b;
	int r;

	build(&b, cases[_i].type, cases[_i].satype, cases[_i].extensions);
	r = pfkey_decode(b.at, b.len, PFKEY_REQUEST, &msg, &fault);
	ck_assert_msg(r == -cases[_i].error, "%s: %d, diagnostic %u", cases[_i].name, r,
		fault.diagnostic);
	ck_assert_msg(fault.diagnostic == cases[_i].diagnostic, "%s: diagnostic %u", cases[_i].name,
		fault.diagnostic);
	ck_assert_int_eq(fault.error, cases[_i].error);
	ck_assert((r == 0) == (msg != NULL));
	if (msg) {
		ck_assert_uint_eq(msg->seq, 77);
		ck_assert_uint_eq(msg->pid, 4242);
	}
}
END_TEST

/* Each extension of a full ADD one unit longer and shorter than it is. */
static const struct {
	char letter;
	uint16_t diagnostic;
} lengths[] = {
	{ 'A', PFKEY_DIAG_MALFORMED_SA },
	{ 's', PFKEY_DIAG_MALFORMED_SRC },
	{ 'd', PFKEY_DIAG_MALFORMED_DST },
	{ 'e', PFKEY_DIAG_MALFORMED_EKEY },
	{ 'a', PFKEY_DIAG_MALFORMED_AKEY },
	{ 'H', 0 },
	{ 'L', 0 },
	{ 'I', PFKEY_DIAG_MALFORMED_INNER_SRC },
	{ 'J', PFKEY_DIAG_MALFORMED_INNER_DST },
	{ 'g', PFKEY_DIAG_MALFORMED_NATT_LOC },
	{ 'G', PFKEY_DIAG_MALFORMED_NATT_REM },
	{ 'v', 0 },
};

START_TEST(one_unit_off)
{
	static const char all[] = "AsdeaHLIJgGv";

	for (int by = -1; by <= 1; by += 2) {
		struct pfkey_message *msg = NULL;
		struct pfkey_fault fault = { 0 };
		struct bytes b;

		begin(&b, PFKEY_ADD, 3);
		for (const char *at = all; *at; at++) {
			size_t from = b.len;
			uint16_t units;

			put_letter(&b, *at);
			if (*at != lengths[_i].letter)
				continue;
			if (by > 0)
				put_zeros(&b, 8);
			else
				b.len -= 8;
			units = (uint16_t)((b.len - from) / 8);
			memcpy(b.at + from, &units, sizeof(units));
		}
		end(&b);
		ck_assert_int_eq(pfkey_decode(b.at, b.len, PFKEY_REQUEST, &msg, &fault), -EINVAL);
		ck_assert_msg(fault.diagnostic == lengths[_i].diagnostic, "%c %+d: diagnostic %u",
			lengths[_i].letter, by, fault.diagnostic);
	}
}
END_TEST

START_TEST(message_length)
{
	struct pfkey_message *msg = NULL;
	struct pfkey_fault fault = { 0 };
	struct bytes b;

	build(&b, PFKEY_ADD, 3, "Asdea");
	for (size_t len = 0; len < b.len; len++) {
		uint8_t *exact = malloc(len + 1); /* so that a sanitizer sees a read too far */

		ck_assert_ptr_nonnull(exact);
		memcpy(exact, b.at, len);
		ck_assert_int_eq(pfkey_decode(exact, len, PFKEY_REQUEST, &msg, &fault), -EMSGSIZE);
		free(exact);
	}
	put_zeros(&b, 8);
	ck_assert_int_eq(pfkey_decode(b.at, b.len, PFKEY_REQUEST, &msg, &fault), -EMSGSIZE);
	build(&b, PFKEY_DUMP, 3, "");
	b.at[0] = 1;
	ck_assert_int_eq(pfkey_decode(b.at, b.len, PFKEY_REQUEST, &msg, &fault), -EINVAL);
	b.at[0] = 3;
	ck_assert_int_eq(pfkey_decode(b.at, b.len, PFKEY_REQUEST, &msg, &fault), -EINVAL);
}
END_TEST

START_TEST(values)
{
	CLEANUP(pfkey_message_freep) struct pfkey_message *msg = NULL;
	struct pfkey_fault fault;
	char text[ADDRESS_TEXT_MAX], prefix[PREFIX_TEXT_MAX];
	struct bytes b;
	const struct sa *sa;

	build(&b, PFKEY_ADD, 3, "AsdeaHLMNGgv");
	ck_assert_int_eq(pfkey_decode(b.at, b.len, PFKEY_REQUEST, &msg, &fault), 0);
	sa = msg->sa;
	ck_assert_int_eq((int)sa->proto, SA_PROTO_ESP);
	ck_assert_uint_eq(sa->spi, 0x1001);
	ck_assert_uint_eq(sa->replay_window, 32);
	ck_assert_uint_eq(sa->state, SA_MATURE);
	ck_assert_uint_eq(sa->auth, 5);
	ck_assert_uint_eq(sa->encr, 12);
	ck_assert_str_eq(address_format(&sa->src, text), "192.0.2.1");
	ck_assert_str_eq(address_format(&sa->dst, text), "192.0.2.17");
	ck_assert_int_eq(sa->mode, SA_MODE_TUNNEL);
	ck_assert_str_eq(prefix_format(&sa->inner_src, prefix), "10.1.0.0/16");
	ck_assert_uint_eq(sa->natt_remote_port, 4500);
	ck_assert_uint_eq(sa->encr_key_bits, 128);
	ck_assert_uint_eq(sa->auth_key_bits, 256);
	ck_assert_uint_eq(secret_len(sa->encr_key), 16);
	ck_assert_uint_eq(secret_bytes(sa->encr_key)[15], 0xa1);
	ck_assert_uint_eq(sa->hard.bytes, 1000);
	ck_assert_uint_eq(sa->soft.add_sec, 50);
	ck_assert_uint_eq(sa->hard.use_sec, 9);
	ck_assert_uint_eq(sa->hard.allocations, 3);
	ck_assert_uint_eq(sa->replay_value, 7);
}
END_TEST

/* A key of 129 bits: the rest of its last octet is not part of it. */
START_TEST(key_bits_beyond_are_cleared)
{
	CLEANUP(pfkey_message_freep) struct pfkey_message *msg = NULL;
	struct pfkey_fault fault;
	struct bytes b;

	begin(&b, PFKEY_ADD, 3);
	put_sa(&b, 0);
	put_letter(&b, 's');
	put_letter(&b, 'd');
	put_key(&b, 9, 129, 0, 0xff);
	end(&b);
	ck_assert_int_eq(pfkey_decode(b.at, b.len, PFKEY_REQUEST, &msg, &fault), 0);
	ck_assert_uint_eq(secret_len(msg->sa->encr_key), 17);
	ck_assert_uint_eq(secret_bytes(msg->sa->encr_key)[16], 0x80);
}
END_TEST

/* RFC 2367: what a client does not know, it skips. */
START_TEST(answers_may_have_more)
{
	CLEANUP(pfkey_message_freep) struct pfkey_message *msg = NULL;
	struct pfkey_fault fault;
	struct bytes b;

	build(&b, PFKEY_GET, 3, "Axsdea");
	ck_assert_int_eq(pfkey_decode(b.at, b.len, PFKEY_ANSWER, &msg, &fault), 0);
	ck_assert_uint_eq(msg->sa->spi, 0x1001);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pfkey_codec");
	TCase *tc = tcase_create("pfkey_codec");

	tcase_add_loop_test(tc, requests, 0, (int)ARRAY_SIZE(cases));
	tcase_add_loop_test(tc, one_unit_off, 0, (int)ARRAY_SIZE(lengths));
	tcase_add_test(tc, message_length);
	tcase_add_test(tc, values);
	tcase_add_test(tc, key_bits_beyond_are_cleared);
	tcase_add_test(tc, answers_may_have_more);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
