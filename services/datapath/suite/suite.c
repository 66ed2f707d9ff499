/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/suite/suite.h"

#include <errno.h>

#include "common/base/cleanup.h"
#include "common/model/algorithm.h"

/* RFC 4303 section 2.4: pad length and next header end on a boundary of four octets. */
#define ESP_ALIGN 4U

#define ONE(bits, evp)            \
	{                         \
		{                 \
			bits, evp \
		}                 \
	}
#define AES(mode)                                                   \
	{                                                           \
		{ 128, "AES-128-" mode }, { 192, "AES-192-" mode }, \
		{                                                   \
			256, "AES-256-" mode                        \
		}                                                   \
	}

/* clang-format off */
static const struct suite_cipher ciphers[] = {
	/* number              name            RFC         mode             keys               block IV salt ICV nonce legacy */
	{ ALG_ENCR_DES,       "des-cbc",       "RFC 2405", SUITE_MODE_CBC,  ONE(64, "DES-CBC"),       8,  8, 0,  0, SUITE_IV_RANDOM,  true },
	{ ALG_ENCR_3DES,      "3des-cbc",      "RFC 2451", SUITE_MODE_CBC,  ONE(192, "DES-EDE3-CBC"), 8,  8, 0,  0, SUITE_IV_RANDOM,  false },
	{ ALG_ENCR_BLOWFISH,  "blowfish-cbc",  "RFC 2451", SUITE_MODE_CBC,  ONE(128, "BF-CBC"),       8,  8, 0,  0, SUITE_IV_RANDOM,  true },
	{ ALG_ENCR_NULL,      "null",          "RFC 2410", SUITE_MODE_NULL, { { 0 } },                1,  0, 0,  0, SUITE_IV_NONE,    false },
	{ ALG_ENCR_AES_CBC,   "aes-cbc",       "RFC 3602", SUITE_MODE_CBC,  AES("CBC"),              16, 16, 0,  0, SUITE_IV_RANDOM,  false },
	{ ALG_ENCR_AES_CTR,   "aes-ctr",       "RFC 3686", SUITE_MODE_CTR,  AES("CTR"),               1,  8, 4,  0, SUITE_IV_COUNTER, false },
	{ ALG_ENCR_AES_CCM8,  "aes-ccm-8",     "RFC 4309", SUITE_MODE_CCM,  AES("CCM"),               1,  8, 3,  8, SUITE_IV_COUNTER, false },
	{ ALG_ENCR_AES_CCM12, "aes-ccm-12",    "RFC 4309", SUITE_MODE_CCM,  AES("CCM"),               1,  8, 3, 12, SUITE_IV_COUNTER, false },
	{ ALG_ENCR_AES_CCM16, "aes-ccm-16",    "RFC 4309", SUITE_MODE_CCM,  AES("CCM"),               1,  8, 3, 16, SUITE_IV_COUNTER, false },
	{ ALG_ENCR_AES_GCM8,  "aes-gcm-8",     "RFC 4106", SUITE_MODE_AEAD, AES("GCM"),               1,  8, 4,  8, SUITE_IV_COUNTER, false },
	{ ALG_ENCR_AES_GCM12, "aes-gcm-12",    "RFC 4106", SUITE_MODE_AEAD, AES("GCM"),               1,  8, 4, 12, SUITE_IV_COUNTER, false },
	{ ALG_ENCR_AES_GCM16, "aes-gcm-16",    "RFC 4106", SUITE_MODE_AEAD, AES("GCM"),               1,  8, 4, 16, SUITE_IV_COUNTER, false },
	{ ALG_ENCR_AES_GMAC,  "aes-gmac",      "RFC 4543", SUITE_MODE_GMAC, AES("GCM"),               1,  8, 4, 16, SUITE_IV_COUNTER, false },
	{ ALG_ENCR_CHACHA20,  "chacha20-poly1305", "RFC 7634", SUITE_MODE_AEAD, ONE(256, "ChaCha20-Poly1305"), 1, 8, 4, 16, SUITE_IV_COUNTER, false },
};

static const struct suite_auth auths[] = {
	/* number               name                 RFC         sum             OpenSSL       key ICV IV */
	{ ALG_AUTH_HMAC_MD5,    "hmac-md5-96",       "RFC 2403", SUITE_MAC_HMAC, "MD5",         16, 12, 0 },
	{ ALG_AUTH_HMAC_SHA1,   "hmac-sha1-96",      "RFC 2404", SUITE_MAC_HMAC, "SHA1",        20, 12, 0 },
	{ ALG_AUTH_HMAC_SHA256, "hmac-sha2-256-128", "RFC 4868", SUITE_MAC_HMAC, "SHA256",      32, 16, 0 },
	{ ALG_AUTH_HMAC_SHA384, "hmac-sha2-384-192", "RFC 4868", SUITE_MAC_HMAC, "SHA384",      48, 24, 0 },
	{ ALG_AUTH_HMAC_SHA512, "hmac-sha2-512-256", "RFC 4868", SUITE_MAC_HMAC, "SHA512",      64, 32, 0 },
	{ ALG_AUTH_AES_XCBC,    "aes-xcbc-96",       "RFC 3566", SUITE_MAC_XCBC, "AES-128-CBC", 16, 12, 0 },
	{ ALG_AUTH_AES_GMAC128, "aes-gmac-128",      "RFC 4543", SUITE_MAC_GMAC, "AES-128-GCM", 20, 16, 8 },
	{ ALG_AUTH_AES_GMAC192, "aes-gmac-192",      "RFC 4543", SUITE_MAC_GMAC, "AES-192-GCM", 28, 16, 8 },
	{ ALG_AUTH_AES_GMAC256, "aes-gmac-256",      "RFC 4543", SUITE_MAC_GMAC, "AES-256-GCM", 36, 16, 8 },
	{ ALG_AUTH_AES_CMAC,    "aes-cmac-96",       "RFC 4494", SUITE_MAC_CMAC, "AES-128-CBC", 16, 12, 0 },
};
/* clang-format on */

const struct suite_cipher *suite_cipher_row(uint8_t encr)
{
	for (size_t i = 0; i < ARRAY_SIZE(ciphers); i++) {
		if (ciphers[i].encr == encr)
			return &ciphers[i];
	}
	return NULL;
}

const struct suite_auth *suite_auth_row(uint8_t auth)
{
	for (size_t i = 0; i < ARRAY_SIZE(auths); i++) {
		if (auths[i].auth == auth)
			return &auths[i];
	}
	return NULL;
}

const char *suite_evp_cipher(const struct suite *suite)
{
	for (size_t i = 0; i < SUITE_KEY_SIZES && suite->cipher->sizes[i].bits != 0; i++) {
		if (suite->cipher->sizes[i].bits == suite->key_bits)
			return suite->cipher->sizes[i].evp;
	}
	return NULL;
}

static int check_cipher_key(const struct sa *sa, const struct suite *suite)
{
	const struct suite_cipher *cipher = suite->cipher;
	size_t need = ((size_t)sa->encr_key_bits + sa->salt_bits + sa->iv_bits) / 8;

	if (cipher->encr == ALG_ENCR_NULL) /* RFC 2410 section 2.1: no key */
		return sa->encr_key_bits == 0 && !sa->encr_key ? 0 : -EINVAL;
	if (!suite_evp_cipher(suite) || sa->salt_bits != cipher->salt_bytes * 8U)
		return -EINVAL;
	return secret_len(sa->encr_key) >= need ? 0 : -EINVAL;
}

static int check_auth_key(const struct sa *sa, const struct suite *suite)
{
	if (!suite->auth)
		return 0;
	/* RFC 4868 section 2.1.1: other lengths are not taken. */
	if (sa->auth_key_bits != suite->auth->key_bytes * 8U ||
		secret_len(sa->auth_key) != suite->auth->key_bytes)
		return -EINVAL;
	return 0;
}

int suite_of(const struct sa *sa, struct suite *ret_suite)
{
	struct suite suite = { .key_bits = sa->encr_key_bits };
	int r;

	if (sa->proto != SA_PROTO_ESP)
		return -ENOTSUP;
	suite.cipher = suite_cipher_row(sa->encr);
	if (!suite.cipher)
		return -ENOTSUP;
	if (sa->auth != ALG_AUTH_NONE) {
		suite.auth = suite_auth_row(sa->auth);
		if (!suite.auth)
			return -ENOTSUP;
		if (alg_is_ah_only(sa->auth)) /* RFC 4543 section 5.3: never beside a cipher */
			return -EINVAL;
	}
	if (suite.cipher->icv_bytes != 0 && suite.auth)
		return -EINVAL;
	if (suite.cipher->encr == ALG_ENCR_NULL && !suite.auth) /* RFC 4301 section 4.2 */
		return -EINVAL;
	r = check_cipher_key(sa, &suite);
	if (r < 0)
		return r;
	r = check_auth_key(sa, &suite);
	if (r < 0)
		return r;
	suite.iv_bytes = suite.cipher->iv_bytes;
	suite.icv_bytes = suite.auth ? suite.auth->icv_bytes : suite.cipher->icv_bytes;
	suite.align = suite.cipher->block_bytes > ESP_ALIGN ? suite.cipher->block_bytes : ESP_ALIGN;
	*ret_suite = suite;
	return 0;
}
