/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every diagnostic code of PF_KEY, earned by a message that deserves it, and the database as it was
 * after each. Messages are written as octets, since the codec makes no bad ones.
 */
#include "services/datapath/pfkey/pfkey_door.h"

#include <arpa/inet.h>

#include "tests/unit/pfkey_lab.h"

/* The parts of which messages are made. */
struct wire {
	uint8_t bytes[2048];
	size_t len;
};

static void put(struct wire *wire, const void *bytes, size_t len)
{
	ck_assert_uint_le(wire->len + len, sizeof(wire->bytes));
	memcpy(wire->bytes + wire->len, bytes, len);
	wire->len += len;
}

static void put_head(struct wire *wire, uint16_t number, size_t bytes)
{
	uint16_t head[2] = { (uint16_t)(bytes / 8), number };

	put(wire, head, sizeof(head));
}

static const struct {
	const char *name;
	uint8_t number;
} types[] = {
	{ "getspi", PFKEY_GETSPI },
	{ "update", PFKEY_UPDATE },
	{ "add", PFKEY_ADD },
	{ "delete", PFKEY_DELETE },
	{ "get", PFKEY_GET },
	{ "flush", PFKEY_FLUSH },
	{ "update-pair", PFKEY_X_UPDATEPAIR },
	{ "inverse", PFKEY_X_INVERSE_ACQUIRE },
	{ "unheard-of", 99 },
};

static const struct {
	const char *name;
	uint8_t number;
} satypes[] = { { "none", 0 }, { "ah", 2 }, { "esp", 3 }, { "rsvp", 5 } };

static const struct {
	const char *name;
	uint32_t spi, flags;
	uint8_t state, auth, encr;
} sa_parts[] = {
	{ "sa", 0x1001, 0, 1, 5, 12 },
	{ "sa-other", 0x1002, 0, 1, 5, 12 },
	{ "sa-third", 0x1003, 0, 1, 5, 12 },
	{ "sa-gcm", 0x1001, 0, 1, 0, 20 },
	{ "sa-gcm-other", 0x1002, 0, 1, 0, 20 },
	{ "sa-ah", 0x1001, 0, 1, 5, 0 },
	{ "sa-ah-cipher", 0x1001, 0, 1, 5, 12 },
	{ "sa-des", 0x1001, 0, 1, 0, 2 },
	{ "sa-auth-200", 0x1001, 0, 1, 200, 12 },
	{ "sa-encr-200", 0x1001, 0, 1, 5, 200 },
	{ "sa-dead", 0x1001, 0, 3, 5, 12 },
	{ "sa-reserved", 0x00ff, 0, 1, 5, 12 },
	{ "sa-pfs", 0x1001, 0x1, 1, 5, 12 },
	{ "sa-tunnel", 0x1001, 0x20000, 1, 5, 12 },
	{ "sa-natt-loc", 0x1001, 0x100000, 1, 5, 12 },
	{ "sa-natt-rem", 0x1001, 0x80000, 1, 5, 12 },
};

static const struct {
	const char *name;
	uint16_t number, family;
	const char *addr;
	uint16_t port;
	uint8_t proto, bits;
} address_parts[] = {
	{ "src", 5, AF_INET, "192.0.2.1", 0, 0, 0 },
	{ "src-tcp", 5, AF_INET, "192.0.2.1", 0, 6, 0 },
	{ "src-port", 5, AF_INET, "192.0.2.1", 500, 4, 0 },
	{ "src-far", 5, AF_INET, "192.0.2.17", 0, 0, 0 },
	{ "src-6", 5, AF_INET6, "2001:db8::1", 0, 0, 0 },
	{ "src-family", 5, 99, NULL, 0, 0, 0 },
	{ "src-group", 5, AF_INET, "224.0.0.1", 0, 0, 0 },
	{ "dst", 6, AF_INET, "192.0.2.17", 0, 0, 0 },
	{ "dst-udp", 6, AF_INET, "192.0.2.17", 0, 17, 0 },
	{ "dst-here", 6, AF_INET, "192.0.2.1", 0, 0, 0 },
	{ "dst-family", 6, 99, NULL, 0, 0, 0 },
	{ "dst-any", 6, AF_INET, "0.0.0.0", 0, 0, 0 },
	{ "inner-src", 7, AF_INET, "10.1.0.0", 0, 0, 16 },
	{ "inner-src-tcp", 7, AF_INET, "10.1.0.0", 0, 6, 16 },
	{ "inner-src-port", 7, AF_INET, "10.1.0.0", 80, 6, 16 },
	{ "inner-src-wide", 7, AF_INET, "10.1.0.0", 0, 0, 33 },
	{ "inner-src-family", 7, 99, NULL, 0, 0, 0 },
	{ "inner-dst", 22, AF_INET, "10.2.0.0", 0, 0, 16 },
	{ "inner-dst-udp", 22, AF_INET, "10.2.0.0", 0, 17, 16 },
	{ "inner-dst-6", 22, AF_INET6, "2001:db8:2::", 0, 0, 48 },
	{ "inner-dst-wide", 22, AF_INET, "10.2.0.0", 0, 0, 33 },
	{ "inner-dst-family", 22, 99, NULL, 0, 0, 0 },
	{ "natt-loc", 20, AF_INET, "203.0.113.1", 4500, 0, 0 },
	{ "natt-loc-6", 20, AF_INET6, "2001:db8::9", 4500, 0, 0 },
	{ "natt-loc-family", 20, 99, NULL, 0, 0, 0 },
	{ "natt-rem", 21, AF_INET, "203.0.113.2", 4500, 0, 0 },
	{ "natt-rem-group", 21, AF_INET, "224.0.0.1", 4500, 0, 0 },
	{ "natt-rem-family", 21, 99, NULL, 0, 0, 0 },
};

/* Numbers behind the head, in the order of the host. */
static const struct {
	const char *name;
	uint16_t number, units;
	uint32_t words[7];
} plain_parts[] = {
	{ "akey", 8, 5, { 256, 0x11111111, 0x22222222, 0x33333333 } },
	{ "akey-short", 8, 3, { 128, 0x11111111 } },
	{ "akey-no-bits", 8, 2, { 0, 0x11111111 } },
	{ "ekey", 9, 3, { 128, 0x44444444, 0x55555555 } },
	{ "ekey-short", 9, 2, { 64, 0x44444444 } },
	{ "ekey-no-bits", 9, 2, { 0, 0x44444444 } },
	{ "ekey-gcm", 9, 4, { 160, 0x66666666, 0x77777777 } },
	{ "ekey-weak", 9, 2, { 64, 0x01010101, 0x01010101 } },
	{ "range", 16, 2, { 0x00100000, 0x00200000 } },
	{ "range-turned", 16, 2, { 0x00200000, 0x00100000 } },
	{ "hard", 3, 4, { 10, 10, 0, 10, 0, 10, 0 } },
	{ "current", 2, 4, { 0 } },
	{ "soft-alloc", 4, 4, { 11, 0, 0, 0, 0, 0, 0 } },
	{ "soft-bytes", 4, 4, { 0, 11, 0, 0, 0, 0, 0 } },
	{ "soft-add", 4, 4, { 0, 0, 0, 11, 0, 0, 0 } },
	{ "soft-use", 4, 4, { 0, 0, 0, 0, 0, 11, 0 } },
	{ "kmc", 19, 2, { 1, 0x1234 } },
	{ "kmc-protocol", 19, 2, { 2, 0x1234 } },
	{ "kmc-cookie", 19, 2, { 1, 0x4321 } },
	{ "pair", 23, 1, { 0x01100000 } }, /* 0x1001 as it stands on the wire */
	{ "pair-other", 23, 1, { 0x02100000 } },
	{ "replay-wide", 24, 2, { 0, 5 } },
	{ "proposal", 13, 1, { 0 } },
	{ "supported", 14, 1, { 0 } },
	{ "label", 12, 2, { 0 } },
	{ "unheard-of", 100, 1, { 0 } },
	{ "sa-long", 1, 3, { 0 } },
	{ "src-bare", 5, 1, { 0 } },
	{ "dst-bare", 6, 1, { 0 } },
	{ "inner-src-bare", 7, 1, { 0 } },
	{ "inner-dst-bare", 22, 1, { 0 } },
};

static bool put_sa(struct wire *wire, const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(sa_parts); i++) {
		uint32_t spi = htonl(sa_parts[i].spi), flags = sa_parts[i].flags;
		uint8_t small[4] = { 0, sa_parts[i].state, sa_parts[i].auth, sa_parts[i].encr };

		if (strcmp(sa_parts[i].name, name) != 0)
			continue;
		put_head(wire, 1, 16);
		put(wire, &spi, sizeof(spi));
		put(wire, small, sizeof(small));
		put(wire, &flags, sizeof(flags));
		return true;
	}
	return false;
}

static bool put_address(struct wire *wire, const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(address_parts); i++) {
		uint8_t small[4] = { address_parts[i].proto, address_parts[i].bits };
		struct sockaddr_storage ss = { .ss_family = address_parts[i].family };
		size_t size = address_parts[i].family == AF_INET6 ? 32 : 16;
		struct address addr;

		if (strcmp(address_parts[i].name, name) != 0)
			continue;
		if (address_parts[i].addr) {
			addr = fixture_addr(address_parts[i].addr);
			(void)address_to_sockaddr(&addr, address_parts[i].port, &ss);
		}
		put_head(wire, address_parts[i].number, 8 + size);
		put(wire, small, sizeof(small));
		put(wire, &ss, size);
		return true;
	}
	return false;
}

static bool put_plain(struct wire *wire, const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(plain_parts); i++) {
		size_t bytes = (size_t)plain_parts[i].units * 8;

		if (strcmp(plain_parts[i].name, name) != 0)
			continue;
		put_head(wire, plain_parts[i].number, bytes);
		for (size_t at = 4; at < bytes; at += 4) {
			uint32_t word = at / 4 <= ARRAY_SIZE(plain_parts[i].words)
						? plain_parts[i].words[at / 4 - 1]
						: 0x5a5a5a5a;

			put(wire, &word, sizeof(word));
		}
		return true;
	}
	return false;
}

static void put_part(struct wire *wire, const char *name)
{
	if (strcmp(name, "no-length") == 0)
		put(wire, "\0\0\1\0\0\0\0", 8);
	else if (!put_sa(wire, name) && !put_address(wire, name) && !put_plain(wire, name))
		ck_abort_msg("no part is called %s", name);
}

/* "add esp sa src dst ekey akey" */
static void compose(struct wire *wire, char *words)
{
	uint8_t base[16] = { 2 };
	uint16_t units;
	char *save = NULL, *word = strtok_r(words, " ", &save);

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (strcmp(types[i].name, word) == 0)
			base[1] = types[i].number;
	word = strtok_r(NULL, " ", &save);
	for (size_t i = 0; i < ARRAY_SIZE(satypes); i++)
		if (strcmp(satypes[i].name, word) == 0)
			base[3] = satypes[i].number;
	base[8] = 7;
	wire->len = 0;
	put(wire, base, sizeof(base));
	while ((word = strtok_r(NULL, " ", &save)))
		put_part(wire, word);
	units = (uint16_t)(wire->len / 8);
	memcpy(wire->bytes + 4, &units, sizeof(units));
}

#define GOOD "add esp sa src dst ekey akey"

/* Messages that are taken, then one that is not. */
static const struct {
	uint16_t code;
	int error;
	const char *messages;
} earned[] = {
	{ PFKEY_DIAG_NONE, EEXIST, GOOD "; " GOOD },
	{ PFKEY_DIAG_UNKNOWN_MSG, EINVAL, "unheard-of esp" },
	{ PFKEY_DIAG_UNKNOWN_EXT, EINVAL, GOOD " unheard-of" },
	{ PFKEY_DIAG_BAD_EXTLEN, EINVAL, GOOD " no-length" },
	{ PFKEY_DIAG_UNKNOWN_SATYPE, EINVAL, "add rsvp sa src dst ekey akey" },
	{ PFKEY_DIAG_SATYPE_NEEDED, EINVAL, "add none sa src dst ekey akey" },
	{ PFKEY_DIAG_NO_EXT, EINVAL, "flush esp sa" },
	{ PFKEY_DIAG_BAD_SRC_AF, EINVAL, "add esp sa src-family dst ekey akey" },
	{ PFKEY_DIAG_BAD_DST_AF, EINVAL, "add esp sa src dst-family ekey akey" },
	{ PFKEY_DIAG_BAD_INNER_SRC_AF, EINVAL, GOOD " inner-src-family inner-dst" },
	{ PFKEY_DIAG_AF_MISMATCH, EINVAL, "add esp sa src-6 dst ekey akey" },
	{ PFKEY_DIAG_BAD_SRC, EINVAL, "add esp sa src-group dst ekey akey" },
	{ PFKEY_DIAG_BAD_DST, EINVAL, "add esp sa src dst-any ekey akey" },
	{ PFKEY_DIAG_ALLOC_HSERR, EINVAL, GOOD " hard soft-alloc" },
	{ PFKEY_DIAG_BYTES_HSERR, EINVAL, GOOD " hard soft-bytes" },
	{ PFKEY_DIAG_ADDTIME_HSERR, EINVAL, GOOD " hard soft-add" },
	{ PFKEY_DIAG_USETIME_HSERR, EINVAL, GOOD " hard soft-use" },
	{ PFKEY_DIAG_MISSING_SRC, EINVAL, "add esp sa dst ekey akey" },
	{ PFKEY_DIAG_MISSING_DST, EINVAL, "add esp sa src ekey akey" },
	{ PFKEY_DIAG_MISSING_SA, EINVAL, "add esp src dst ekey akey" },
	{ PFKEY_DIAG_MISSING_EKEY, EINVAL, "add esp sa src dst akey" },
	{ PFKEY_DIAG_MISSING_AKEY, EINVAL, "add esp sa src dst ekey" },
	{ PFKEY_DIAG_MISSING_RANGE, EINVAL, "getspi esp src-far dst-here" },
	{ PFKEY_DIAG_DUPLICATE_SRC, EINVAL, GOOD " src" },
	{ PFKEY_DIAG_DUPLICATE_DST, EINVAL, GOOD " dst" },
	{ PFKEY_DIAG_DUPLICATE_SA, EINVAL, GOOD " sa" },
	{ PFKEY_DIAG_DUPLICATE_EKEY, EINVAL, GOOD " ekey" },
	{ PFKEY_DIAG_DUPLICATE_AKEY, EINVAL, GOOD " akey" },
	{ PFKEY_DIAG_DUPLICATE_RANGE, EINVAL, "getspi esp src-far dst-here range range" },
	{ PFKEY_DIAG_MALFORMED_SRC, EINVAL, "add esp sa src-bare dst ekey akey" },
	{ PFKEY_DIAG_MALFORMED_DST, EINVAL, "add esp sa src dst-bare ekey akey" },
	{ PFKEY_DIAG_MALFORMED_SA, EINVAL, "add esp sa-long src dst ekey akey" },
	{ PFKEY_DIAG_MALFORMED_SA, EINVAL, "add esp sa-reserved src dst ekey akey" },
	{ PFKEY_DIAG_MALFORMED_EKEY, EINVAL, "add esp sa src dst ekey-no-bits akey" },
	{ PFKEY_DIAG_MALFORMED_AKEY, EINVAL, "add esp sa src dst ekey akey-no-bits" },
	{ PFKEY_DIAG_MALFORMED_RANGE, EINVAL, "getspi esp src-far dst-here range-turned" },
	{ PFKEY_DIAG_AKEY_PRESENT, EINVAL, GOOD "; update esp sa src dst akey" },
	{ PFKEY_DIAG_AKEY_PRESENT, EINVAL, "add esp sa-gcm src dst ekey-gcm akey" },
	{ PFKEY_DIAG_EKEY_PRESENT, EINVAL, GOOD "; update esp sa src dst ekey" },
	{ PFKEY_DIAG_EKEY_PRESENT, EINVAL, "add ah sa-ah src dst ekey akey" },
	{ PFKEY_DIAG_PROP_PRESENT, EINVAL, GOOD " proposal" },
	{ PFKEY_DIAG_SUPP_PRESENT, EINVAL, GOOD " supported" },
	{ PFKEY_DIAG_BAD_AALG, EINVAL, "add esp sa-auth-200 src dst ekey akey" },
	{ PFKEY_DIAG_BAD_EALG, EINVAL, "add esp sa-encr-200 src dst ekey akey" },
	{ PFKEY_DIAG_BAD_SAFLAGS, EINVAL, "add esp sa-pfs src dst ekey akey" },
	{ PFKEY_DIAG_BAD_SASTATE, EINVAL, "add esp sa-dead src dst ekey akey" },
	{ PFKEY_DIAG_BAD_SASTATE, EINVAL, GOOD "; update esp sa-dead src dst" },
	{ PFKEY_DIAG_BAD_AKEYBITS, EINVAL, "add esp sa src dst ekey akey-short" },
	{ PFKEY_DIAG_BAD_EKEYBITS, EINVAL, "add esp sa src dst ekey-short akey" },
	{ PFKEY_DIAG_ENCR_NOTSUPP, EINVAL, "add ah sa-ah-cipher src dst akey" },
	{ PFKEY_DIAG_WEAK_EKEY, EINVAL, "add esp sa-des src dst ekey-weak" },
	{ PFKEY_DIAG_DUPLICATE_KMP, EINVAL, GOOD " kmc; update esp sa src dst kmc-protocol" },
	{ PFKEY_DIAG_DUPLICATE_KMC, EINVAL, GOOD " kmc; update esp sa src dst kmc-cookie" },
	{ PFKEY_DIAG_MISSING_NATT_LOC, EINVAL, "add esp sa-natt-loc src dst ekey akey" },
	{ PFKEY_DIAG_MISSING_NATT_REM, EINVAL, "add esp sa-natt-rem src dst ekey akey" },
	{ PFKEY_DIAG_DUPLICATE_NATT_LOC, EINVAL, GOOD " natt-loc natt-loc" },
	{ PFKEY_DIAG_DUPLICATE_NATT_REM, EINVAL, GOOD " natt-rem natt-rem" },
	{ PFKEY_DIAG_MALFORMED_NATT_LOC, EINVAL, GOOD " natt-loc-6" },
	{ PFKEY_DIAG_MALFORMED_NATT_REM, EINVAL, GOOD " natt-rem-group" },
	{ PFKEY_DIAG_MISSING_INNER_SRC, EINVAL, GOOD " inner-dst" },
	{ PFKEY_DIAG_MISSING_INNER_SRC, EINVAL, "add esp sa-tunnel src dst ekey akey" },
	{ PFKEY_DIAG_MISSING_INNER_DST, EINVAL, GOOD " inner-src" },
	{ PFKEY_DIAG_DUPLICATE_INNER_SRC, EINVAL, GOOD " inner-src inner-dst inner-src" },
	{ PFKEY_DIAG_DUPLICATE_INNER_DST, EINVAL, GOOD " inner-src inner-dst inner-dst" },
	{ PFKEY_DIAG_MALFORMED_INNER_SRC, EINVAL, GOOD " inner-src-bare inner-dst" },
	{ PFKEY_DIAG_MALFORMED_INNER_DST, EINVAL, GOOD " inner-src inner-dst-bare" },
	{ PFKEY_DIAG_PREFIX_INNER_SRC, EINVAL, GOOD " inner-src-wide inner-dst" },
	{ PFKEY_DIAG_PREFIX_INNER_DST, EINVAL, GOOD " inner-src inner-dst-wide" },
	{ PFKEY_DIAG_BAD_INNER_DST_AF, EINVAL, GOOD " inner-src inner-dst-family" },
	{ PFKEY_DIAG_INNER_AF_MISMATCH, EINVAL, GOOD " inner-src inner-dst-6" },
	{ PFKEY_DIAG_INNER_AF_MISMATCH, EPROTOTYPE,
		"add esp sa src-tcp dst ekey akey inner-src inner-dst" },
	{ PFKEY_DIAG_BAD_NATT_REM_AF, EINVAL, GOOD " natt-rem-family" },
	{ PFKEY_DIAG_BAD_NATT_LOC_AF, EINVAL, GOOD " natt-loc-family" },
	{ PFKEY_DIAG_PROTO_MISMATCH, EINVAL, "add esp sa src-tcp dst-udp ekey akey" },
	{ PFKEY_DIAG_INNER_PROTO_MISMATCH, EINVAL, GOOD " inner-src-tcp inner-dst-udp" },
	{ PFKEY_DIAG_DUAL_PORT_SETS, EINVAL,
		"add esp sa src-port dst ekey akey inner-src-port inner-dst" },
	{ PFKEY_DIAG_PAIR_INAPPROPRIATE, EINVAL, GOOD " pair-other" },
	{ PFKEY_DIAG_PAIR_ALREADY, EINVAL,
		GOOD "; add esp sa-other src-far dst-here ekey akey pair; "
		     "add esp sa-third src-far dst-here ekey akey pair" },
	{ PFKEY_DIAG_PAIR_SA_NOTFOUND, ESRCH, GOOD "; update-pair esp sa src dst" },
	{ PFKEY_DIAG_SA_NOTFOUND, ESRCH, "get esp sa src dst" },
	{ PFKEY_DIAG_SA_NOTFOUND, ESRCH, "delete esp sa src dst" },
	{ PFKEY_DIAG_SA_NOTFOUND, ESRCH, "update esp sa src dst" },
	{ PFKEY_DIAG_BAD_CTX, EINVAL,
		"add esp sa-gcm src dst ekey-gcm; add esp sa-gcm-other src dst ekey-gcm" },
	{ PFKEY_DIAG_INVALID_REPLAY, EOPNOTSUPP, GOOD " replay-wide" },
	{ PFKEY_DIAG_MISSING_LIFETIME, EOPNOTSUPP, GOOD "; update esp sa src dst current" },
	{ PFKEY_DIAG_BAD_LABEL, EINVAL, GOOD " label" },
};

/* Codes that have a test of their own below, and those that nothing here can earn. */
static const struct {
	uint16_t code;
	const char *why;
} others[] = {
	{ PFKEY_DIAG_WEAK_AKEY, "weak_auth_key: over PF_KEY a key of zeros is malformed" },
	{ PFKEY_DIAG_SA_EXPIRED, "key_is_used_up" },
	{ PFKEY_DIAG_NO_SADBS, "AH and ESP are always there" },
	{ PFKEY_DIAG_DUPLICATE_NATT_PORTS, "ports travel with their address" },
	{ PFKEY_DIAG_PAIR_ADD_MISMATCH, "a pair that does not fit is inappropriate" },
	{ PFKEY_DIAG_BAD_SA_DIRECTION, "what flags do not say follows from the addresses" },
};

/* The next answer to client 0. */
static struct pfkey_message *answer(struct lab *lab)
{
	struct pfkey_message *msg = hear(lab, 0);

	ck_assert_ptr_nonnull(msg);
	hear_nothing(lab, 0);
	return msg;
}

START_TEST(is_earned)
{
	struct lab *lab = lab_new();
	char *copy = strdup(earned[_i].messages), *save = NULL, *next;
	char *words = strtok_r(copy, ";", &save);
	struct pfkey_message *msg;
	struct wire wire;
	size_t count;

	for (;; words = next) {
		next = strtok_r(NULL, ";", &save);
		compose(&wire, words);
		count = sad_count(lab->f->sad);
		say_bytes(lab, 0, wire.bytes, wire.len);
		msg = NULL;
		/* What update-pair did to the SA itself is told before its refusal. */
		while (!next && earned[_i].code == PFKEY_DIAG_PAIR_SA_NOTFOUND &&
			(msg = hear(lab, 0)) && !msg->error) {
			ck_assert_uint_eq(msg->seq, 0); /* the refusal is the answer */
			pfkey_message_free(msg);
		}
		if (!msg)
			msg = answer(lab);
		if (!next)
			break;
		ck_assert_msg(!msg->error, "'%s': %d, %s", words, msg->error,
			pfkey_diagnostic_text(msg->diagnostic));
		pfkey_message_free(msg);
	}
	ck_assert_msg(msg->error == earned[_i].error && msg->diagnostic == earned[_i].code,
		"'%s': %s, %s", earned[_i].messages, strerror(msg->error),
		pfkey_diagnostic_text(msg->diagnostic));
	ck_assert_uint_eq(msg->present, 0);
	ck_assert_uint_eq(msg->seq, 7);
	ck_assert_uint_eq(sad_count(lab->f->sad), count);
	pfkey_message_free(msg);
	free(copy);
	lab_done(lab);
}
END_TEST

START_TEST(weak_auth_key)
{
	static const uint8_t zeros[32];
	struct sadb_fixture *f = fixture_new();
	struct sadb_refusal refusal = { 0 };
	CLEANUP(sa_freep) struct sa *sa = fixture_sa(0x1001);

	secret_unref(sa->auth_key);
	ck_assert_int_eq(secret_new(zeros, sizeof(zeros), &sa->auth_key), 0);
	ck_assert_int_eq(sadb_add(f->sadb, sa, NULL, &refusal), -EINVAL);
	ck_assert_uint_eq(refusal.diagnostic, PFKEY_DIAG_WEAK_AKEY);
	fixture_done(f);
}
END_TEST

START_TEST(key_is_used_up)
{
	struct lab *lab = lab_new();
	struct sad_entry *entry = fixture_add(lab->f, fixture_sa(0x1001));
	struct sa_key key = sa_key_of(entry->sa);
	struct sadb_refusal refusal;
	uint8_t id[SEQSTORE_ID_BYTES];

	memcpy(id, entry->control.counter_id, sizeof(id));
	ck_assert_int_eq(sadb_delete(lab->f->sadb, &key, NULL, NULL, &refusal), 0);
	ck_assert_int_eq(seqstore_raise(lab->f->seqstore, id, UINT32_MAX), 0);
	expect_all(lab, PFKEY_ADD, 0, 0);
	expect_all(lab, PFKEY_DELETE, 0, 0);
	say_sa(lab, 0, PFKEY_ADD, fixture_sa(0x1001));
	expect_all(lab, PFKEY_ADD, EINVAL, PFKEY_DIAG_SA_EXPIRED);
	lab_done(lab);
}
END_TEST

START_TEST(none_is_forgotten)
{
	for (unsigned int code = 0; code < PFKEY_DIAG_END; code++) {
		size_t n = 0;

		for (size_t i = 0; i < ARRAY_SIZE(earned); i++)
			n += earned[i].code == code;
		for (size_t i = 0; i < ARRAY_SIZE(others); i++)
			n += others[i].code == code;
		ck_assert_msg(n > 0, "code %u: %s", code, pfkey_diagnostic_text(code));
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pfkey_diagnostics");
	TCase *tc = tcase_create("pfkey_diagnostics");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, is_earned, 0, ARRAY_SIZE(earned));
	tcase_add_test(tc, weak_auth_key);
	tcase_add_test(tc, key_is_used_up);
	tcase_add_test(tc, none_is_forgotten);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
