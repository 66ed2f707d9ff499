/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/suite/suite_mac.h"

#include <errno.h>

#include "tests/unit/packets.h"
#include "tests/unit/suite.h"

#define TEXT_MAX 1000

#define COUNTING "000102030405060708090a0b0c0d0e0f"
#define CMAC_KEY "2b7e151628aed2a6abf7158809cf4f3c"
#define BLOCK_1	 "6bc1bee22e409f96e93d7e117393172a"
#define BLOCK_2	 "ae2d8a571e03ac9c9eb76fac45af8e51"
#define BLOCK_3	 "30c81c46a35ce411e5fbc1191a0a52ef"
#define BLOCK_4	 "f69f2445df4f9b17ad2b417be66c3710"
#define ZERO_128 "00000000000000000000000000000000"
#define MACSEC                                                             \
	"d609b1f056637a0d46df998d88e5222ab2c2846512153524c0895e8108000f10" \
	"1112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f30313233340001"

/*
 * RFC 3566 section 4.6; RFC 4493 section 4 (RFC 4494 cuts its sums); the GCM specification of McGrew
 * and Viega, cases 1, 7 and 13; IEEE 802.1AE, annex C.1. GMAC's keys end in the salt.
 */
static const struct {
	const char *name;
	uint8_t auth;
	const char *key, *iv, *text; /* text NULL: 1000 octets of zero */
	const char *sum; /* whole; the ICV is its beginning */
} macs[] = {
	/* clang-format off */
	{ "XCBC 1", ALG_AUTH_AES_XCBC, COUNTING, "", "", "75f0251d528ac01c4573dfd584d79f29" },
	{ "XCBC 2", ALG_AUTH_AES_XCBC, COUNTING, "", "000102", "5b376580ae2f19afe7219ceef172756f" },
	{ "XCBC 3", ALG_AUTH_AES_XCBC, COUNTING, "", COUNTING, "d2a246fa349b68a79998a4394ff7a263" },
	{ "XCBC 4", ALG_AUTH_AES_XCBC, COUNTING, "", COUNTING "10111213", "47f51b4564966215b8985c63055ed308" },
	{ "XCBC 5", ALG_AUTH_AES_XCBC, COUNTING, "", COUNTING "101112131415161718191a1b1c1d1e1f",
	  "f54f0ec8d2b9f3d36807734bd5283fd4" },
	{ "XCBC 6", ALG_AUTH_AES_XCBC, COUNTING, "", COUNTING "101112131415161718191a1b1c1d1e1f2021",
	  "becbb3bccdb518a30677d5481fb6b4d8" },
	{ "XCBC 7", ALG_AUTH_AES_XCBC, COUNTING, "", NULL, "f0dafee895db30253761103b5d84528f" },
	{ "CMAC 1", ALG_AUTH_AES_CMAC, CMAC_KEY, "", "", "bb1d6929e95937287fa37d129b756746" },
	{ "CMAC 2", ALG_AUTH_AES_CMAC, CMAC_KEY, "", BLOCK_1, "070a16b46b4d4144f79bdd9dd04a287c" },
	{ "CMAC 3", ALG_AUTH_AES_CMAC, CMAC_KEY, "", BLOCK_1 BLOCK_2 "30c81c46a35ce411",
	  "dfa66747de9ae63030ca32611497c827" },
	{ "CMAC 4", ALG_AUTH_AES_CMAC, CMAC_KEY, "", BLOCK_1 BLOCK_2 BLOCK_3 BLOCK_4,
	  "51f0bebf7e3b9d92fc49741779363cfe" },
	{ "GMAC 128", ALG_AUTH_AES_GMAC128, ZERO_128 "00000000", "0000000000000000", "",
	  "58e2fccefa7e3061367f1d57a4e7455a" },
	{ "GMAC 192", ALG_AUTH_AES_GMAC192, ZERO_128 "000000000000000000000000", "0000000000000000", "",
	  "cd33b28ac773f74ba00ed1f312572435" },
	{ "GMAC 256", ALG_AUTH_AES_GMAC256, ZERO_128 ZERO_128 "00000000", "0000000000000000", "",
	  "530f8afbc74536b9a963b4f1c4cb738b" },
	{ "802.1AE 128", ALG_AUTH_AES_GMAC128, "ad7a2bd03eac835a6f620fdcb506b345" "12153524",
	  "c0895e81b2c28465", MACSEC, "f09478a9b09007d06f46e9b6a1da25dd" },
	{ "802.1AE 256", ALG_AUTH_AES_GMAC256,
	  "e3c08a8f06c6e3ad95a70557b23f75483ce33021a9c72b7025666204c69c0b72" "12153524",
	  "c0895e81b2c28465", MACSEC, "2f0bc5af409e06d609ea8b7d0fa5ea50" },
	/* clang-format on */
};

static void mac_of(int i, struct suite_mac **ret_mac)
{
	const struct suite_auth *row = suite_auth_row(macs[i].auth);
	uint8_t key[64];
	size_t len = test_hex(macs[i].key, key, sizeof(key));

	ck_assert_ptr_nonnull(row);
	ck_assert_int_eq(suite_mac_new(row, key, len, ret_mac), 0);
}

/* Cut into three anywhere, with one prepared state: no part leaves a trace in the next sum. */
START_TEST(published_sums)
{
	const struct suite_auth *row = suite_auth_row(macs[_i].auth);
	CLEANUP(suite_mac_freep) struct suite_mac *mac = NULL;
	uint8_t iv[8] = { 0 }, text[TEXT_MAX] = { 0 }, want[32], icv[SUITE_MAX_ICV];
	size_t len = macs[_i].text ? test_hex(macs[_i].text, text, sizeof(text)) : TEXT_MAX;
	size_t step = len > 100 ? 37 : 1;

	mac_of(_i, &mac);
	ck_assert_uint_eq(test_hex(macs[_i].iv, iv, sizeof(iv)), row->iv_bytes);
	ck_assert_uint_ge(test_hex(macs[_i].sum, want, sizeof(want)), row->icv_bytes);
	for (size_t a = 0; a <= len; a += step) {
		for (size_t b = a; b <= len; b += step) {
			const struct suite_part parts[] = { { text, a }, { text + a, b - a },
				{ text + b, len - b } };

			ck_assert(suite_mac_sum(mac, iv, parts, ARRAY_SIZE(parts), icv));
			ck_assert_msg(memcmp(icv, want, row->icv_bytes) == 0,
				"%s, cut at %zu and %zu", macs[_i].name, a, b);
		}
	}
}
END_TEST

/* Every row of integrity: another octet, IV or key, another sum. */
START_TEST(every_bit_counts)
{
	const struct suite_auth *row = suite_auth_row((uint8_t)_i);
	CLEANUP(suite_mac_freep) struct suite_mac *mac = NULL, *other = NULL;
	uint8_t key[64] = { 1 }, iv[8] = { 0 }, text[40] = { 0 };
	uint8_t first[SUITE_MAX_ICV], icv[SUITE_MAX_ICV];
	const struct suite_part part = { text, sizeof(text) };

	if (!row)
		return;
	ck_assert_uint_le(row->icv_bytes, SUITE_MAX_ICV);
	ck_assert_int_eq(suite_mac_new(row, key, row->key_bytes, &mac), 0);
	ck_assert_int_eq(suite_mac_new(row, key, row->key_bytes - 1U, &other), -EINVAL);
	ck_assert_int_eq(suite_mac_new(row, key, row->key_bytes + 1U, &other), -EINVAL);
	ck_assert(suite_mac_sum(mac, iv, &part, 1, first));
	for (size_t at = 0; at < sizeof(text); at++) {
		text[at] ^= 1;
		ck_assert(suite_mac_sum(mac, iv, &part, 1, icv));
		ck_assert_int_ne(memcmp(icv, first, row->icv_bytes), 0);
		text[at] ^= 1;
	}
	if (row->iv_bytes != 0) {
		iv[7] = 1;
		ck_assert(suite_mac_sum(mac, iv, &part, 1, icv));
		ck_assert_int_ne(memcmp(icv, first, row->icv_bytes), 0);
		iv[7] = 0;
	}
	key[row->key_bytes - 1]++; /* GMAC's salt too */
	ck_assert_int_eq(suite_mac_new(row, key, row->key_bytes, &other), 0);
	ck_assert(suite_mac_sum(other, iv, &part, 1, icv));
	ck_assert_int_ne(memcmp(icv, first, row->icv_bytes), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("suite_mac");
	TCase *tc = tcase_create("suite_mac");

	tcase_add_loop_test(tc, published_sums, 0, (int)ARRAY_SIZE(macs));
	tcase_add_loop_test(tc, every_bit_counts, 0, UINT8_MAX + 1);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
