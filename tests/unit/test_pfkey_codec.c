/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages are put together octet by octet here, not by the encoder under test. */
#include "common/pfkey/pfkey.h"

#include <errno.h>
#include <string.h>

#include "common/model/algorithm.h"
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

static void put_range(struct bytes *b, uint32_t min, uint32_t max)
{
	put16(b, 2);
	put16(b, 16);
	put(b, (uint8_t[]){ (uint8_t)(min >> 24), (uint8_t)(min >> 16), (uint8_t)(min >> 8),
		       (uint8_t)min, (uint8_t)(max >> 24), (uint8_t)(max >> 16), (uint8_t)(max >> 8),
		       (uint8_t)max },
		8);
	put_zeros(b, 4);
}

/* Extensions of a message under test, as letters. */
static void put_letter(struct bytes *b, char letter)
{
	static const uint8_t v6[16] = { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 };
	static const uint8_t mapped[16] = { [10] = 0xff, [11] = 0xff, 10, 1, 2, 3 };

	switch (letter) {
	case 'A': put_sa(b, 0); break;
	case 'F': put_sa(b, PFKEY_SAF_PFS); break;
	case 'E': put_sa(b, PFKEY_SAF_ESN); break;
	case 's': put_v4(b, 5, 1, 0, 0); break;
	case 'd': put_v4(b, 6, 17, 0, 0); break;
	case 'p': put_v4(b, 5, 1, 6, 0); break;
	case 'q': put_v4(b, 6, 17, 17, 0); break;
	case 'o': put_v4(b, 5, 1, 6, 22); break; /* outer port */
	case 'I': put_v4(b, 7, 3, 6, 0); break;
	case 'J': put_v4(b, 22, 4, 6, 0); break;
	case 'K': put_v4(b, 22, 4, 17, 0); break;
	case 'P': put_v4(b, 22, 4, 6, 80); break; /* inner port */
	case 'S': put_v6(b, 5, v6, 128); break;
	case 'D': put_v6(b, 6, v6, 128); break;
	case 'U': put_v6(b, 5, (const uint8_t[16]){ 0 }, 0); break;
	case 'u': put_v6(b, 6, (const uint8_t[16]){ 0 }, 0); break;
	case 'M': put_v6(b, 7, mapped, 112); break;
	case 'N': put_v6(b, 22, mapped, 112); break;
	case 'm': put_v6(b, 7, mapped, 95); break;
	case 'n': put_v6(b, 22, mapped, 129); break;
	case 'V': put_v6(b, 22, v6, 64); break;
	case 'e': put_key(b, 9, 128, 0, 0xa1); break;
	case 'a': put_key(b, 8, 256, 0, 0xb2); break;
	case 'z': put_key(b, 9, 128, 0, 0); break;
	case 'y': put_key(b, 8, 256, 0, 0); break;
	case 'w': put_key(b, 9, 128, 128, 0xa1); break; /* nothing but IV */
	case 'H': put_life(b, 3, 1000, 100); break;
	case 'L': put_life(b, 4, 500, 50); break;
	case 'C': put_life(b, 2, 1, 1); break;
	case 'r': put_range(b, 0x1000, 0x2000); break;
	case 'R': put_range(b, 0x2001, 0x2000); break;
	case 'g': put_v4(b, 20, 9, 0, 4500); break;
	case 'G': put_v4(b, 21, 8, 0, 4500); break;
	case 'h': put_v6(b, 20, v6, 128); break;
	case 'x': put16(b, 1); put16(b, 99); put32(b, 0); break;
	case '0': put16(b, 1); put16(b, 0); put32(b, 0); break;
	case 'l': put16(b, 0); put16(b, 1); put32(b, 0); break; /* length 0 */
	case 'b': put16(b, 9); put16(b, 1); put32(b, 0); break; /* past the end */
	case 'O': put16(b, 1); put16(b, 13); put32(b, 0); break; /* proposal */
	case 'T': put16(b, 1); put16(b, 14); put32(b, 0); break; /* supported */
	case 'X': put16(b, 2); put16(b, 25); put32(b, 0); put64(b, 5); break; /* edump */
	case 'v': put16(b, 2); put16(b, 24); put32(b, 7); put64(b, 0); break; /* replay value */
	case 'W': put16(b, 2); put16(b, 24); put32(b, 0); put64(b, UINT64_C(1) << 40); break;
	case 'k': put16(b, 2); put16(b, 12); put32(b, 0); put64(b, 0); break; /* label, empty */
	case 'j': put16(b, 2); put16(b, 12); put32(b, 0); put(b, "\0\1\0\0\0\0\0\0", 8); break;
	default: ck_abort_msg("no such extension: %c", letter);
	}
}

static void build(struct bytes *b, uint8_t type, uint8_t satype, const char *letters)
{
	begin(b, type, satype);
	for (const char *at = letters; *at; at++)
		put_letter(b, *at);
	end(b);
}

static const struct {
	const char *name;
	uint8_t type, satype;
	const char *letters;
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

	build(&b, cases[_i].type, cases[_i].satype, cases[_i].letters);
	r = pfkey_decode(b.at, b.len, PFKEY_REQUEST, &msg, &fault);
	ck_assert_msg(r == -cases[_i].error, "%s: %d, diagnostic %u", cases[_i].name, r,
		fault.diagnostic);
	ck_assert_msg(fault.diagnostic == cases[_i].diagnostic, "%s: diagnostic %u",
		cases[_i].name, fault.diagnostic);
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

static struct sa *sample(void)
{
	struct sa *sa = sa_new();
	uint8_t key[28];

	ck_assert_ptr_nonnull(sa);
	for (size_t i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)(i + 1);
	sa->proto = SA_PROTO_ESP;
	sa->spi = 0xdeadbeef;
	ck_assert_int_eq(address_parse("2001:db8::1", &sa->src), 0);
	ck_assert_int_eq(address_parse("2001:db8::2", &sa->dst), 0);
	sa->protocol = 6;
	sa->src_port = 1000;
	sa->dst_port = 389;
	sa->encr = ALG_ENCR_AES_GCM16;
	ck_assert_int_eq(secret_new(key, sizeof(key), &sa->encr_key), 0);
	sa->encr_key_bits = 128;
	sa->salt_bits = 32;
	sa->iv_bits = 64;
	sa->state = SA_MATURE;
	sa->origin = SA_ORIGIN_PFKEY;
	sa->replay_window = 1024;
	sa->replay_value = UINT64_C(1) << 33;
	sa->flags = SA_FLAG_ESN;
	sa->directions = SA_OUTBOUND;
	sa->pair_spi = 0x77;
	sa->soft = (struct sa_limits){ 1, 2, 3, 4 };
	sa->hard = (struct sa_limits){ 10, 20, 30, 40 };
	sa->idle_add_sec = 1;
	sa->idle_use_sec = 2;
	return sa;
}

START_TEST(round_trip)
{
	CLEANUP(sa_freep) struct sa *sa = sample();
	CLEANUP(pfkey_message_freep) struct pfkey_message *out = NULL, *in = NULL;
	uint8_t bytes[PFKEY_MAX_BYTES];
	struct pfkey_fault fault = { 0 };
	size_t len;

	/* Answers come without the initial IV and with the salt apart. */
	out = pfkey_message_of_sa(PFKEY_ADD, sa, true);
	out->seq = 5;
	ck_assert_int_eq(pfkey_encode(out, PFKEY_REQUEST, bytes, sizeof(bytes), &len), 0);
	ck_assert_uint_eq(len % 8, 0);
	ck_assert_int_eq(pfkey_decode(bytes, len, PFKEY_REQUEST, &in, &fault), 0);
	ck_assert_uint_eq(in->present, out->present);
	ck_assert_uint_eq(in->sa->encr_key_bits, 160);
	ck_assert_int_eq(pfkey_split_salt(in->sa, 32), 0);
	ck_assert(sa_equal(sa, in->sa));
	pfkey_message_freep(&in);
	ck_assert_int_eq(pfkey_encode(out, PFKEY_ANSWER, bytes, sizeof(bytes), &len), 0);
	in = NULL;
	ck_assert_int_eq(pfkey_decode(bytes, len, PFKEY_ANSWER, &in, &fault), 0);
	ck_assert_uint_eq(in->sa->encr_key_bits, 128);
	ck_assert_uint_eq(in->sa->salt_bits, 32);
	ck_assert_uint_eq(secret_len(in->sa->encr_key), 20);
	ck_assert_uint_eq(in->sa->pair_spi, 0x77);
	ck_assert(in->sa_flags & PFKEY_SAF_PAIRED);
}
END_TEST

START_TEST(round_trip_of_lists)
{
	CLEANUP(pfkey_message_freep) struct pfkey_message *out = pfkey_message_new(), *in = NULL;
	uint8_t bytes[PFKEY_MAX_BYTES];
	struct pfkey_fault fault = { 0 };
	size_t len;

	out->type = PFKEY_ACQUIRE;
	out->satype = 3;
	out->present = PFKEY_BIT(PFKEY_EXT_PROPOSAL) | PFKEY_BIT(PFKEY_EXT_SUPPORTED_AUTH) |
		       PFKEY_BIT(PFKEY_EXT_SUPPORTED_ENCRYPT) | PFKEY_BIT(PFKEY_EXT_IDENTITY_SRC) |
		       PFKEY_BIT(PFKEY_EXT_SPIRANGE) | PFKEY_BIT(PFKEY_EXT_KM_COOKIE);
	out->n_combs = 2;
	out->combs[1] = (struct pfkey_comb){ .auth = 5, .encrypt = 12, .auth_min_bits = 256,
		.auth_max_bits = 256, .encrypt_min_bits = 128, .encrypt_max_bits = 256,
		.hard = { .bytes = 9, .allocations = 8 } };
	out->n_auth = 1;
	out->auth[0] = (struct pfkey_algorithm){ 5, 0, 256, 256, 0, 0 };
	out->n_encrypt = 2;
	out->encrypt[1] = (struct pfkey_algorithm){ 20, 64, 128, 256, 64, 32 };
	out->identity_src.type = PFKEY_IDENTITY_FQDN;
	memcpy(out->identity_src.value, "alpha.example", 14);
	out->spi_min = 0x100;
	out->spi_max = 0xffffffff;
	out->km_protocol = 1;
	out->km_cookie = UINT64_C(0x1122334455667788);
	ck_assert_int_eq(pfkey_encode(out, PFKEY_ANSWER, bytes, sizeof(bytes), &len), 0);
	ck_assert_int_eq(pfkey_decode(bytes, len, PFKEY_ANSWER, &in, &fault), 0);
	ck_assert_uint_eq(in->n_combs, 2);
	ck_assert_mem_eq(&in->combs[1], &out->combs[1], sizeof(out->combs[1]));
	ck_assert_uint_eq(in->n_auth, 1);
	ck_assert_uint_eq(in->encrypt[1].max_bits, 256);
	ck_assert_uint_eq(in->encrypt[1].salt_bits, 32);
	ck_assert_str_eq(in->identity_src.value, "alpha.example");
	ck_assert_uint_eq(in->spi_min, 0x100);
	ck_assert_uint_eq(in->spi_max, 0xffffffff);
	ck_assert(in->km_cookie == out->km_cookie);
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

START_TEST(buffer_too_small)
{
	CLEANUP(sa_freep) struct sa *sa = sample();
	CLEANUP(pfkey_message_freep) struct pfkey_message *msg =
		pfkey_message_of_sa(PFKEY_ADD, sa, true);
	uint8_t bytes[PFKEY_MAX_BYTES];
	size_t full, len;

	ck_assert_int_eq(pfkey_encode(msg, PFKEY_REQUEST, bytes, sizeof(bytes), &full), 0);
	for (size_t size = 0; size < full; size++)
		ck_assert_int_eq(pfkey_encode(msg, PFKEY_REQUEST, bytes, size, &len), -EMSGSIZE);
	ck_assert_int_eq(pfkey_encode(msg, PFKEY_REQUEST, bytes, full, &len), 0);
	/* Keys that are not there cannot be written. */
	msg->present |= PFKEY_BIT(PFKEY_EXT_KEY_AUTH);
	ck_assert_int_eq(pfkey_encode(msg, PFKEY_REQUEST, bytes, sizeof(bytes), &len), -EINVAL);
}
END_TEST

START_TEST(names)
{
	ck_assert_str_eq(pfkey_type_name(PFKEY_ADD), "ADD");
	ck_assert_str_eq(pfkey_type_name(PFKEY_X_DELPAIR), "DELETE PAIR");
	ck_assert_ptr_null(pfkey_type_name(16));
	ck_assert_ptr_null(pfkey_type_name(255));
	ck_assert_str_eq(pfkey_diagnostic_name(18), "MISSING_SRC");
	ck_assert_str_eq(pfkey_diagnostic_name(83), "BAD_LABEL");
	ck_assert_ptr_null(pfkey_diagnostic_name(84));
	ck_assert_str_eq(pfkey_diagnostic_text(84), "Unknown diagnostic code");
	for (unsigned int i = 0; i < PFKEY_DIAG_END; i++)
		ck_assert_ptr_nonnull(pfkey_diagnostic_name(i));
	ck_assert_uint_eq(pfkey_satype_of(SA_PROTO_ESP), 3);
	ck_assert_int_eq(pfkey_proto_of(2), SA_PROTO_AH);
	ck_assert_int_eq(pfkey_proto_of(9), 0);
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
	tcase_add_test(tc, round_trip);
	tcase_add_test(tc, round_trip_of_lists);
	tcase_add_test(tc, answers_may_have_more);
	tcase_add_test(tc, buffer_too_small);
	tcase_add_test(tc, names);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
