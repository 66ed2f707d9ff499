/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the SADB refuses, with which errno and diagnostic; and which way an SA goes. */
#include "services/datapath/sad/sadb.h"

#include <errno.h>

#include "tests/unit/sadb_fixture.h"

static void set_key(struct secret **key, size_t len, uint8_t fill)
{
	uint8_t bytes[64];

	memset(bytes, fill, sizeof(bytes));
	*key = secret_unref(*key);
	if (len)
		ck_assert_int_eq(secret_new(bytes, len, key), 0);
}

/* One way each to spoil a good SA. */
static void ah_encrypting(struct sa *sa)
{
	sa->proto = SA_PROTO_AH;
}

static void ah(struct sa *sa)
{
	sa->proto = SA_PROTO_AH;
	sa->encr = ALG_ENCR_NONE;
	sa->encr_key_bits = 0;
	set_key(&sa->encr_key, 0, 0);
}

static void ah_null(struct sa *sa)
{
	ah(sa);
	sa->encr = ALG_ENCR_NULL;
}

static void ah_auth_none(struct sa *sa)
{
	ah(sa);
	sa->auth = ALG_AUTH_NONE;
	sa->auth_key_bits = 0;
	set_key(&sa->auth_key, 0, 0);
}

static void ah_auth_unknown(struct sa *sa)
{
	ah(sa);
	sa->auth = 200;
}

static void ah_no_key(struct sa *sa)
{
	ah(sa);
	set_key(&sa->auth_key, 0, 0);
}

static void ah_zero_key(struct sa *sa)
{
	ah(sa);
	set_key(&sa->auth_key, 32, 0);
}

static void ah_bits(struct sa *sa)
{
	ah(sa);
	sa->auth_key_bits = 248;
}

static void ah_encap(struct sa *sa)
{
	ah(sa);
	sa->flags |= SA_FLAG_ENCAP;
}

static void spi_zero(struct sa *sa)
{
	sa->spi = 0;
}

static void no_dst(struct sa *sa)
{
	sa->dst = (struct address){ 0 };
}

static void any_dst(struct sa *sa)
{
	sa->dst = address_any(AF_INET);
}

static void multicast_src(struct sa *sa)
{
	sa->src = fixture_addr("224.0.0.1");
}

static void mixed(struct sa *sa)
{
	sa->src = fixture_addr("2001:db8::1");
}

static void state_dead(struct sa *sa)
{
	sa->state = SA_DEAD;
}

static void state_larval(struct sa *sa)
{
	sa->state = SA_LARVAL;
}

static void encr_none(struct sa *sa)
{
	sa->encr = ALG_ENCR_NONE;
}

static void encr_unknown(struct sa *sa)
{
	sa->encr = 200;
}

static void auth_unknown(struct sa *sa)
{
	sa->auth = 200;
}

static void no_encr_key(struct sa *sa)
{
	set_key(&sa->encr_key, 0, 0);
}

static void no_auth_key(struct sa *sa)
{
	set_key(&sa->auth_key, 0, 0);
}

static void zero_encr_key(struct sa *sa)
{
	set_key(&sa->encr_key, 16, 0);
}

static void zero_auth_key(struct sa *sa)
{
	set_key(&sa->auth_key, 32, 0);
}

static void encr_bits(struct sa *sa)
{
	sa->encr_key_bits = 120;
}

static void auth_bits(struct sa *sa)
{
	sa->auth_key_bits = 248;
}

static void null_with_key(struct sa *sa)
{
	sa->encr = ALG_ENCR_NULL;
}

static void soft_bytes(struct sa *sa)
{
	sa->soft.bytes = 2;
	sa->hard.bytes = 1;
}

static void soft_alloc(struct sa *sa)
{
	sa->soft.allocations = 2;
	sa->hard.allocations = 1;
}

static void soft_add(struct sa *sa)
{
	sa->soft.add_sec = 2;
	sa->hard.add_sec = 1;
}

static void soft_use(struct sa *sa)
{
	sa->soft.use_sec = 2;
	sa->hard.use_sec = 1;
}

static void idle_add(struct sa *sa)
{
	sa->idle_add_sec = 9;
	sa->hard.add_sec = 1;
}

static void idle_use(struct sa *sa)
{
	sa->idle_use_sec = 9;
	sa->soft.use_sec = 1;
}

static void wide_window(struct sa *sa)
{
	sa->replay_window = SA_RUN_WINDOW_MAX + 1;
}

static void wide_value(struct sa *sa)
{
	sa->replay_value = UINT64_C(1) << 32;
}

static void used_up_value(struct sa *sa)
{
	sa->replay_value = UINT32_MAX;
}

static void encap(struct sa *sa)
{
	sa->flags |= SA_FLAG_ENCAP;
	sa->dst = fixture_addr("224.0.0.9");
}

static void pair_self(struct sa *sa)
{
	sa->pair_spi = sa->spi;
}

static void pair_none(struct sa *sa)
{
	sa->pair_spi = 0x9999;
}

static void tunnel_half(struct sa *sa)
{
	struct address any = address_any(AF_INET);

	sa->mode = SA_MODE_TUNNEL;
	sa->inner_src = prefix_host(&any);
}

static void null_null(struct sa *sa)
{
	sa->encr = ALG_ENCR_NULL;
	set_key(&sa->encr_key, 0, 0);
	sa->encr_key_bits = 0;
	sa->auth = ALG_AUTH_NONE;
	set_key(&sa->auth_key, 0, 0);
}

static void gcm_short(struct sa *sa)
{
	sa->encr = ALG_ENCR_AES_GCM16; /* key without salt */
	sa->auth = ALG_AUTH_NONE;
	set_key(&sa->auth_key, 0, 0);
}

static void gcm_and_auth(struct sa *sa)
{
	sa->encr = ALG_ENCR_AES_GCM16;
	set_key(&sa->encr_key, 20, 3);
	sa->encr_key_bits = 160;
}

static void gmac_beside(struct sa *sa) /* for AH alone */
{
	sa->auth = ALG_AUTH_AES_GMAC128;
	set_key(&sa->auth_key, 20, 3);
	sa->auth_key_bits = 160;
}

static void ctr_alone(struct sa *sa) /* RFC 3686 section 3 */
{
	sa->encr = ALG_ENCR_AES_CTR;
	set_key(&sa->encr_key, 20, 3);
	sa->encr_key_bits = 160;
	sa->auth = ALG_AUTH_NONE;
	sa->auth_key_bits = 0;
	set_key(&sa->auth_key, 0, 0);
}

static void weak_des(struct sa *sa)
{
	/* Semi-weak, with one parity bit wrong. */
	static const uint8_t key[] = { 0x01, 0xfe, 0x01, 0xfe, 0x01, 0xfe, 0x01, 0xff };

	sa->encr = ALG_ENCR_DES;
	sa->encr_key_bits = 64;
	set_key(&sa->encr_key, 0, 0);
	ck_assert_int_eq(secret_new(key, sizeof(key), &sa->encr_key), 0);
}

static void double_des(struct sa *sa)
{
	uint8_t key[24];

	memset(key, 0x57, 16);
	memset(key + 16, 0x32, 8);
	key[15] ^= 1; /* another parity makes no other key */
	sa->encr = ALG_ENCR_3DES;
	sa->encr_key_bits = 192;
	set_key(&sa->encr_key, 0, 0);
	ck_assert_int_eq(secret_new(key, sizeof(key), &sa->encr_key), 0);
}

static void spi_reserved(struct sa *sa)
{
	sa->spi = 255;
}

static void auth_key_for_nothing(struct sa *sa)
{
	sa->auth = ALG_AUTH_NONE;
}

static const struct {
	const char *name;
	void (*spoil)(struct sa *sa);
	int error;
	uint16_t diagnostic;
} refusals[] = {
	/* clang-format off */
	{ "AH with a cipher", ah_encrypting, EINVAL, PFKEY_DIAG_ENCR_NOTSUPP },
	{ "AH with the NULL cipher", ah_null, EINVAL, PFKEY_DIAG_ENCR_NOTSUPP },
	{ "AH without algorithm", ah_auth_none, EINVAL, PFKEY_DIAG_BAD_AALG },
	{ "AH of algorithm 200", ah_auth_unknown, EINVAL, PFKEY_DIAG_BAD_AALG },
	{ "AH without key", ah_no_key, EINVAL, PFKEY_DIAG_MISSING_AKEY },
	{ "AH with a key of zeros", ah_zero_key, EINVAL, PFKEY_DIAG_WEAK_AKEY },
	{ "AH key bits", ah_bits, EINVAL, PFKEY_DIAG_BAD_AKEYBITS },
	{ "AH over UDP", ah_encap, EINVAL, PFKEY_DIAG_BAD_SAFLAGS },
	{ "a reserved SPI", spi_reserved, EINVAL, PFKEY_DIAG_MALFORMED_SA },
	{ "SPI 0", spi_zero, EINVAL, PFKEY_DIAG_MALFORMED_SA },
	{ "no destination", no_dst, EINVAL, PFKEY_DIAG_MISSING_DST },
	{ "unspecified destination", any_dst, EINVAL, PFKEY_DIAG_BAD_DST },
	{ "multicast source", multicast_src, EINVAL, PFKEY_DIAG_BAD_SRC },
	{ "families", mixed, EINVAL, PFKEY_DIAG_AF_MISMATCH },
	{ "half a tunnel", tunnel_half, EINVAL, PFKEY_DIAG_MISSING_INNER_DST },
	{ "dead", state_dead, EINVAL, PFKEY_DIAG_BAD_SASTATE },
	{ "larval", state_larval, EINVAL, PFKEY_DIAG_BAD_SASTATE },
	{ "cipher 0", encr_none, EINVAL, PFKEY_DIAG_BAD_EALG },
	{ "cipher 200", encr_unknown, EINVAL, PFKEY_DIAG_BAD_EALG },
	{ "integrity 200", auth_unknown, EINVAL, PFKEY_DIAG_BAD_AALG },
	{ "no encryption key", no_encr_key, EINVAL, PFKEY_DIAG_MISSING_EKEY },
	{ "no authentication key", no_auth_key, EINVAL, PFKEY_DIAG_MISSING_AKEY },
	{ "encryption key of zeros", zero_encr_key, EINVAL, PFKEY_DIAG_WEAK_EKEY },
	{ "authentication key of zeros", zero_auth_key, EINVAL, PFKEY_DIAG_WEAK_AKEY },
	{ "encryption key bits", encr_bits, EINVAL, PFKEY_DIAG_BAD_EKEYBITS },
	{ "authentication key bits", auth_bits, EINVAL, PFKEY_DIAG_BAD_AKEYBITS },
	{ "NULL with a key", null_with_key, EINVAL, PFKEY_DIAG_BAD_EKEYBITS },
	{ "CTR without integrity", ctr_alone, EINVAL, PFKEY_DIAG_BAD_AALG },
	{ "weak DES key", weak_des, EINVAL, PFKEY_DIAG_WEAK_EKEY },
	{ "3DES of two equal keys", double_des, EINVAL, PFKEY_DIAG_WEAK_EKEY },
	{ "NULL without integrity", null_null, EINVAL, PFKEY_DIAG_BAD_AALG },
	{ "GCM without its salt", gcm_short, EINVAL, PFKEY_DIAG_BAD_EKEYBITS },
	{ "GCM with integrity", gcm_and_auth, EINVAL, PFKEY_DIAG_BAD_AALG },
	{ "GMAC beside a cipher", gmac_beside, EINVAL, PFKEY_DIAG_BAD_AALG },
	{ "key for no algorithm", auth_key_for_nothing, EINVAL, PFKEY_DIAG_AKEY_PRESENT },
	{ "soft allocations", soft_alloc, EINVAL, PFKEY_DIAG_ALLOC_HSERR },
	{ "soft bytes", soft_bytes, EINVAL, PFKEY_DIAG_BYTES_HSERR },
	{ "soft add time", soft_add, EINVAL, PFKEY_DIAG_ADDTIME_HSERR },
	{ "soft use time", soft_use, EINVAL, PFKEY_DIAG_USETIME_HSERR },
	{ "idle add time", idle_add, EINVAL, PFKEY_DIAG_ADDTIME_HSERR },
	{ "idle use time", idle_use, EINVAL, PFKEY_DIAG_USETIME_HSERR },
	{ "window too wide", wide_window, EINVAL, PFKEY_DIAG_MALFORMED_SA },
	{ "replay value of 33 bits", wide_value, EOPNOTSUPP, PFKEY_DIAG_INVALID_REPLAY },
	{ "replay value that leaves none", used_up_value, EINVAL, PFKEY_DIAG_INVALID_REPLAY },
	{ "UDP encapsulation of a group", encap, EINVAL, PFKEY_DIAG_BAD_SAFLAGS },
	{ "pair of itself", pair_self, EINVAL, PFKEY_DIAG_PAIR_INAPPROPRIATE },
	{ "pair of nobody", pair_none, EINVAL, PFKEY_DIAG_PAIR_INAPPROPRIATE },
	/* clang-format on */
};

START_TEST(refused)
{
	struct sadb_fixture *f = fixture_new();
	struct sa *sa = fixture_sa(0x1001);
	struct sadb_refusal refusal = { 0 };
	int r;

	refusals[_i].spoil(sa);
	r = sadb_add(f->sadb, sa, NULL, &refusal);
	ck_assert_msg(r == -refusals[_i].error && refusal.error == refusals[_i].error &&
			      refusal.diagnostic == refusals[_i].diagnostic,
		"%s: %d, diagnostic %u", refusals[_i].name, r, refusal.diagnostic);
	sa_free(sa); /* not consumed */
	/* Nothing has changed, and nobody was told. */
	ck_assert_uint_eq(sad_count(f->sad), 0);
	ck_assert_uint_eq(arena_count(f->arena), 0);
	ck_assert_uint_eq(f->n_events, 0);
	/* Nor has a number of the key been lost. */
	ck_assert_uint_eq(fixture_add(f, fixture_sa(0x1001))->run->seq, 0);
	fixture_done(f);
}
END_TEST

/* A key is one key, whatever its parity bits. */
START_TEST(parity_is_set)
{
	static const uint8_t key[] = { 0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde, 0xf0 };
	static const uint8_t want[] = { 0x13, 0x34, 0x57, 0x79, 0x9b, 0xbc, 0xdf, 0xf1 };
	struct sadb_fixture *f = fixture_new();
	struct sa *sa = fixture_sa(0x1001);
	struct sad_entry *entry;

	sa->encr = ALG_ENCR_DES;
	sa->encr_key_bits = 64;
	set_key(&sa->encr_key, 0, 0);
	ck_assert_int_eq(secret_new(key, sizeof(key), &sa->encr_key), 0);
	entry = fixture_add(f, sa);
	ck_assert_mem_eq(secret_bytes(entry->sa->encr_key), want, sizeof(want));
	fixture_done(f);
}
END_TEST

/* Keys as PF_KEY gives them, salt behind: no table of algorithms is published here. */
static const struct {
	const char *name;
	uint8_t encr;
	size_t key_len;
	uint16_t want_key_bits, want_salt_bits; /* 0: refused */
	uint8_t auth;
	size_t auth_len;
} key_sizes[] = {
	{ "DES", ALG_ENCR_DES, 8, 64, 0, ALG_AUTH_HMAC_MD5, 16 },
	{ "DES, short", ALG_ENCR_DES, 7, 0, 0, ALG_AUTH_HMAC_MD5, 16 },
	{ "3DES", ALG_ENCR_3DES, 24, 192, 0, ALG_AUTH_HMAC_SHA1, 20 },
	{ "3DES of two keys", ALG_ENCR_3DES, 16, 0, 0, ALG_AUTH_HMAC_SHA1, 20 },
	{ "Blowfish", ALG_ENCR_BLOWFISH, 16, 128, 0, ALG_AUTH_AES_XCBC, 16 },
	{ "CTR", ALG_ENCR_AES_CTR, 20, 128, 32, ALG_AUTH_AES_CMAC, 16 },
	{ "CTR of 256 bits", ALG_ENCR_AES_CTR, 36, 256, 32, ALG_AUTH_AES_CMAC, 16 },
	{ "CTR without nonce", ALG_ENCR_AES_CTR, 16, 0, 0, ALG_AUTH_AES_CMAC, 16 },
	{ "CCM", ALG_ENCR_AES_CCM12, 19, 128, 24, ALG_AUTH_NONE, 0 },
	{ "CCM, salt of GCM", ALG_ENCR_AES_CCM12, 20, 0, 0, ALG_AUTH_NONE, 0 },
	{ "GMAC", ALG_ENCR_AES_GMAC, 28, 192, 32, ALG_AUTH_NONE, 0 },
	{ "ChaCha20", ALG_ENCR_CHACHA20, 36, 256, 32, ALG_AUTH_NONE, 0 },
	{ "ChaCha20 without salt", ALG_ENCR_CHACHA20, 32, 0, 0, ALG_AUTH_NONE, 0 },
	{ "ChaCha20 of 128 bits", ALG_ENCR_CHACHA20, 20, 0, 0, ALG_AUTH_NONE, 0 },
};

START_TEST(sizes_of_keys)
{
	struct sadb_fixture *f = fixture_new();
	struct sa *sa = fixture_sa(0x1001);
	struct sadb_refusal refusal = { 0 };
	struct sad_entry *entry = NULL;
	uint8_t distinct[24] = { 0 };

	sa->encr = key_sizes[_i].encr;
	set_key(&sa->encr_key, key_sizes[_i].key_len, 3);
	for (size_t i = 0; key_sizes[_i].encr == ALG_ENCR_3DES && i < key_sizes[_i].key_len; i++)
		distinct[i] = (uint8_t)(i + 0x21);
	if (key_sizes[_i].encr == ALG_ENCR_3DES) {
		sa->encr_key = secret_unref(sa->encr_key);
		ck_assert_int_eq(secret_new(distinct, key_sizes[_i].key_len, &sa->encr_key), 0);
	}
	sa->encr_key_bits = (uint16_t)(key_sizes[_i].key_len * 8);
	sa->auth = key_sizes[_i].auth;
	set_key(&sa->auth_key, key_sizes[_i].auth_len, 5);
	sa->auth_key_bits = (uint16_t)(key_sizes[_i].auth_len * 8);
	if (key_sizes[_i].want_key_bits == 0) {
		ck_assert_msg(
			sadb_add(f->sadb, sa, NULL, &refusal) == -EINVAL, "%s", key_sizes[_i].name);
		ck_assert_uint_eq(refusal.diagnostic, PFKEY_DIAG_BAD_EKEYBITS);
		sa_free(sa);
	} else {
		entry = fixture_add(f, sa);
		ck_assert_uint_eq(entry->sa->encr_key_bits, key_sizes[_i].want_key_bits);
		ck_assert_uint_eq(entry->sa->salt_bits, key_sizes[_i].want_salt_bits);
		ck_assert_ptr_nonnull(sad_context(entry, 0));
	}
	fixture_done(f);
}
END_TEST

static const struct {
	const char *src, *dst;
	uint8_t asked, want;
} directions[] = {
	{ "192.0.2.1", "192.0.2.17", 0, SA_OUTBOUND },
	{ "192.0.2.17", "192.0.2.1", 0, SA_INBOUND },
	{ "2001:db8::2", "2001:db8::1", 0, SA_INBOUND },
	{ "192.0.2.1", "192.0.2.1", 0, SA_INBOUND | SA_OUTBOUND },
	{ "192.0.2.8", "192.0.2.9", 0, SA_INBOUND | SA_OUTBOUND },
	{ NULL, "192.0.2.1", 0, SA_INBOUND | SA_OUTBOUND },
	{ NULL, "192.0.2.9", 0, SA_INBOUND | SA_OUTBOUND },
	{ "192.0.2.1", "224.0.0.9", 0, SA_INBOUND | SA_OUTBOUND },
	{ "192.0.2.1", "192.0.2.17", SA_INBOUND, SA_INBOUND },
	{ "192.0.2.17", "192.0.2.1", SA_OUTBOUND, SA_OUTBOUND },
};

START_TEST(direction)
{
	struct sadb_fixture *f = fixture_new();
	struct sa *sa = fixture_sa(0x1001);
	struct sad_entry *entry;

	sa->dst = fixture_addr(directions[_i].dst);
	sa->src = directions[_i].src ? fixture_addr(directions[_i].src) : (struct address){ 0 };
	sa->directions = directions[_i].asked;
	sa->replay_window = 64;
	entry = fixture_add(f, sa);
	ck_assert_uint_eq(entry->directions, directions[_i].want);
	/* Several senders cannot share a window. */
	ck_assert_uint_eq(entry->sa->replay_window,
		directions[_i].src && !address_is_multicast(&entry->sa->dst) ? 64 : 0);
	fixture_done(f);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sadb_check");
	TCase *tc = tcase_create("sadb_check");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, refused, 0, (int)ARRAY_SIZE(refusals));
	tcase_add_loop_test(tc, sizes_of_keys, 0, (int)ARRAY_SIZE(key_sizes));
	tcase_add_test(tc, parity_is_set);
	tcase_add_loop_test(tc, direction, 0, (int)ARRAY_SIZE(directions));
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
