/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The reference provider: one OpenSSL cipher context each way, keyed once, and a prepared sum. */
#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/provider.h>
#include <string.h>

#include "common/base/bytes.h"
#include "services/datapath/suite/suite_mac.h"
#include "services/datapath/suite/suite_provider.h"

#define ESP_HEADER 8U
#define NONCE_MAX  16U
#define GCM_NONCE  12U
#define GCM_ICV	   16U

struct openssl_context {
	struct suite suite;
	EVP_CIPHER_CTX *seal, *open; /* NULL for the NULL cipher */
	bool by_name; /* see set_by_name() */
	/* Legacy ciphers live in a library of their own, so that nothing else comes upon them. */
	OSSL_LIB_CTX *library;
	OSSL_PROVIDER *legacy;
	struct suite_mac *mac; /* NULL: none, or combined */
	uint8_t salt[4];
	struct suite_random random;
};

/* Octets of the nonce of a combined mode. */
static int nonce_len(const struct suite_cipher *cipher)
{
	return cipher->salt_bytes + cipher->iv_bytes;
}

/* CCM wants to know the length of its ICV before the key. */
static bool set_lengths(EVP_CIPHER_CTX *ctx, const struct suite_cipher *cipher)
{
	if (cipher->icv_bytes == 0)
		return true;
	if (EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_IVLEN, nonce_len(cipher), NULL) != 1)
		return false;
	return cipher->mode != SUITE_MODE_CCM ||
	       EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, cipher->icv_bytes, NULL) == 1;
}

static EVP_CIPHER_CTX *cipher_context(
	const struct suite *suite, const EVP_CIPHER *cipher, const uint8_t *key, int encrypt)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();

	if (!ctx)
		return NULL;
	if (EVP_CipherInit_ex(ctx, cipher, NULL, NULL, NULL, encrypt) == 1 &&
		set_lengths(ctx, suite->cipher) &&
		EVP_CipherInit_ex(ctx, NULL, NULL, key, NULL, encrypt) == 1 &&
		EVP_CIPHER_CTX_set_padding(ctx, 0) == 1)
		return ctx;
	EVP_CIPHER_CTX_free(ctx);
	return NULL;
}

/*
 * GCM: the nonce, and what the ICV must be, as parameters in one call. The calls made for that have
 * the library look for all it knows of the context, which takes the time of 250 octets of text.
 * @icv: NULL: seal.
 */
static bool set_by_name(EVP_CIPHER_CTX *ctx, uint8_t *nonce, uint8_t *icv, size_t icv_len)
{
	const OSSL_PARAM params[] = {
		/* This length means: not only what stays the same in a TLS connection. */
		{ OSSL_CIPHER_PARAM_AEAD_TLS1_IV_FIXED, OSSL_PARAM_OCTET_STRING, nonce, SIZE_MAX,
			0 },
		{ icv ? OSSL_CIPHER_PARAM_AEAD_TAG : NULL, OSSL_PARAM_OCTET_STRING, icv, icv_len,
			0 },
		OSSL_PARAM_END,
	};

	return EVP_CIPHER_CTX_set_params(ctx, params) == 1;
}

static bool get_icv(EVP_CIPHER_CTX *ctx, uint8_t *icv, size_t icv_len)
{
	OSSL_PARAM params[] = {
		{ OSSL_CIPHER_PARAM_AEAD_TAG, OSSL_PARAM_OCTET_STRING, icv, icv_len, 0 },
		OSSL_PARAM_END,
	};

	return EVP_CIPHER_CTX_get_params(ctx, params) == 1;
}

/* The ICV of no text at all, under a nonce that was just set. */
static bool sum_nothing(EVP_CIPHER_CTX *ctx, uint8_t *ret_icv)
{
	uint8_t none[NONCE_MAX];
	int len = 0;

	return EVP_CipherFinal_ex(ctx, none, &len) == 1 && get_icv(ctx, ret_icv, GCM_ICV);
}

/*
 * Whose GCM does not know that parameter would seal everything under one nonce. So it is tried: after
 * another nonce, both ways, it must come to what the ordinary call comes to.
 */
static bool takes_names(EVP_CIPHER_CTX *seal, EVP_CIPHER_CTX *open)
{
	uint8_t nonce[GCM_NONCE] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 };
	uint8_t other[GCM_NONCE] = { 0 }, want[GCM_ICV], got[GCM_ICV], none[NONCE_MAX];
	int len = 0;
	bool same;

	same = EVP_CipherInit_ex(seal, NULL, NULL, NULL, nonce, 1) == 1 &&
	       sum_nothing(seal, want) &&
	       EVP_CipherInit_ex(seal, NULL, NULL, NULL, other, 1) == 1 && sum_nothing(seal, got) &&
	       set_by_name(seal, nonce, NULL, 0) && sum_nothing(seal, got) &&
	       CRYPTO_memcmp(got, want, GCM_ICV) == 0 &&
	       EVP_CipherInit_ex(open, NULL, NULL, NULL, other, 0) == 1 &&
	       set_by_name(open, nonce, want, GCM_ICV) && EVP_CipherFinal_ex(open, none, &len) == 1;
	OPENSSL_cleanse(want, sizeof(want)); /* it follows from the key alone */
	OPENSSL_cleanse(got, sizeof(got));
	return same;
}

static bool is_gcm(const EVP_CIPHER *cipher)
{
	return EVP_CIPHER_get_mode(cipher) == EVP_CIPH_GCM_MODE &&
	       EVP_CIPHER_get_iv_length(cipher) == GCM_NONCE;
}

static EVP_CIPHER *fetch_cipher(struct openssl_context *context, const char *name)
{
	if (context->suite.cipher->legacy) {
		context->library = OSSL_LIB_CTX_new();
		if (!context->library)
			return NULL;
		context->legacy = OSSL_PROVIDER_load(context->library, "legacy");
		if (!context->legacy)
			return NULL;
	}
	return EVP_CIPHER_fetch(context->library, name, NULL);
}

static int prepare_cipher(struct openssl_context *context, const struct sa *sa)
{
	const char *name = suite_evp_cipher(&context->suite);
	const uint8_t *key = secret_bytes(sa->encr_key);
	EVP_CIPHER *cipher;

	if (!name) /* NULL encryption */
		return 0;
	cipher = fetch_cipher(context, name);
	if (!cipher)
		return -ENOTSUP;
	context->seal = cipher_context(&context->suite, cipher, key, 1);
	context->open = cipher_context(&context->suite, cipher, key, 0);
	context->by_name = is_gcm(cipher) && context->seal && context->open &&
			   takes_names(context->seal, context->open);
	EVP_CIPHER_free(cipher);
	if (!context->seal || !context->open)
		return -EIO;
	memcpy(context->salt, key + sa->encr_key_bits / 8, context->suite.cipher->salt_bytes);
	return 0;
}

static void context_free(void *own)
{
	struct openssl_context *context = own;

	EVP_CIPHER_CTX_free(context->seal);
	EVP_CIPHER_CTX_free(context->open);
	if (context->legacy)
		(void)OSSL_PROVIDER_unload(context->legacy);
	OSSL_LIB_CTX_free(context->library);
	(void)suite_mac_free(context->mac);
	OPENSSL_cleanse(context, sizeof(*context));
	free(context);
}

static int context_new(
	const struct suite *suite, const struct sa *sa, struct suite_lane *lane, void **ret_context)
{
	struct openssl_context *context = calloc(1, sizeof(*context));
	int r;

	(void)lane;
	if (!context)
		return -ENOMEM;
	context->suite = *suite;
	r = prepare_cipher(context, sa);
	if (r == 0 && suite->auth)
		r = suite_mac_new(suite->auth, secret_bytes(sa->auth_key), secret_len(sa->auth_key),
			&context->mac);
	if (r < 0) {
		context_free(context);
		return r;
	}
	*ret_context = context;
	return 0;
}

/* What a cipher works on. */
struct places {
	uint8_t *iv, *text, *icv;
	int text_len, icv_len;
};

static struct places places_of(const struct openssl_context *context, const struct suite_job *job)
{
	struct places at = {
		.iv = job->esp + ESP_HEADER,
		.text_len = (int)job->text_len,
		.icv_len = context->suite.cipher->icv_bytes,
	};

	at.text = at.iv + context->suite.iv_bytes;
	at.icv = at.text + job->text_len;
	return at;
}

/*
 * Salt and IV; in counter mode the first block's number behind them (RFC 3686 section 4). With them
 * what the ICV of a combined mode must be.
 */
static bool begin(const struct openssl_context *context, EVP_CIPHER_CTX *ctx,
	const struct places *at, bool encrypt)
{
	const struct suite_cipher *cipher = context->suite.cipher;
	uint8_t nonce[NONCE_MAX];

	memcpy(nonce, context->salt, cipher->salt_bytes);
	memcpy(nonce + cipher->salt_bytes, at->iv, cipher->iv_bytes);
	if (context->by_name)
		return set_by_name(ctx, nonce, encrypt ? NULL : at->icv, (size_t)at->icv_len);
	if (cipher->mode == SUITE_MODE_CTR)
		store_be32(nonce + 12, 1);
	if (EVP_CipherInit_ex(ctx, NULL, NULL, NULL, nonce, encrypt) != 1)
		return false;
	return encrypt || at->icv_len == 0 ||
	       EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, at->icv_len, at->icv) == 1;
}

/* CCM is one pass that is told all lengths before; opening, the text is not given out unless it is sound. */
static bool run_ccm(EVP_CIPHER_CTX *ctx, const struct suite_job *job, const struct places *at)
{
	uint8_t aad[SUITE_MAX_AAD];
	int len = 0;

	return EVP_CipherUpdate(ctx, NULL, &len, NULL, at->text_len) == 1 &&
	       EVP_CipherUpdate(ctx, NULL, &len, aad, (int)suite_job_aad(job, aad)) == 1 &&
	       EVP_CipherUpdate(ctx, at->text, &len, at->text, at->text_len) == 1;
}

/* RFC 4543 section 3.3: the IV and the whole text are additional data too. */
static bool run_aead(EVP_CIPHER_CTX *ctx, const struct suite_cipher *cipher,
	const struct suite_job *job, const struct places *at)
{
	uint8_t aad[SUITE_MAX_AAD], none[NONCE_MAX];
	int len = 0;

	if (EVP_CipherUpdate(ctx, NULL, &len, aad, (int)suite_job_aad(job, aad)) != 1)
		return false;
	if (cipher->mode == SUITE_MODE_GMAC)
		return EVP_CipherUpdate(ctx, NULL, &len, at->iv, cipher->iv_bytes + at->text_len) ==
			       1 &&
		       EVP_CipherFinal_ex(ctx, none, &len) == 1;
	return EVP_CipherUpdate(ctx, at->text, &len, at->text, at->text_len) == 1 &&
	       EVP_CipherFinal_ex(ctx, at->text + len, &len) == 1;
}

static bool run_cipher(struct openssl_context *context, const struct suite_job *job, bool encrypt)
{
	const struct suite_cipher *cipher = context->suite.cipher;
	EVP_CIPHER_CTX *ctx = encrypt ? context->seal : context->open;
	struct places at = places_of(context, job);
	int len = 0;

	if (!begin(context, ctx, &at, encrypt))
		return false;
	if (at.icv_len == 0) /* whole blocks and no padding: nothing is left to be finished */
		return EVP_CipherUpdate(ctx, at.text, &len, at.text, at.text_len) == 1;
	if (!(cipher->mode == SUITE_MODE_CCM ? run_ccm(ctx, job, &at)
					     : run_aead(ctx, cipher, job, &at)))
		return false;
	return !encrypt || get_icv(ctx, at.icv, (size_t)at.icv_len);
}

/* RFC 4303 section 2.2.1: with ESN the high half is summed behind the packet, and not sent. */
static bool sum_job(
	const struct openssl_context *context, const struct suite_job *job, uint8_t *icv)
{
	uint8_t high[4];
	const struct suite_part parts[] = {
		{ job->esp, ESP_HEADER + context->suite.iv_bytes + job->text_len },
		{ high, sizeof(high) },
	};

	store_be32(high, (uint32_t)(job->seq >> 32));
	return suite_mac_sum(context->mac, NULL, parts, job->esn ? 2 : 1, icv);
}

static bool seal_job(struct openssl_context *context, struct suite_job *job)
{
	size_t iv_len = context->suite.iv_bytes;

	if (context->suite.cipher->iv == SUITE_IV_RANDOM && !job->iv_given &&
		!suite_random_iv(&context->random, job->esp + ESP_HEADER, iv_len))
		return false;
	if (context->seal && !run_cipher(context, job, true))
		return false;
	return !context->mac ||
	       sum_job(context, job, job->esp + ESP_HEADER + iv_len + job->text_len);
}

static bool open_job(struct openssl_context *context, struct suite_job *job)
{
	uint8_t *text = job->esp + ESP_HEADER + context->suite.iv_bytes;
	uint8_t icv[SUITE_MAX_ICV];

	if (context->mac) {
		if (!sum_job(context, job, icv) ||
			CRYPTO_memcmp(icv, text + job->text_len, context->suite.icv_bytes) != 0)
			return false;
	}
	if (!context->open || run_cipher(context, job, false))
		return true;
	OPENSSL_cleanse(text, job->text_len); /* nothing of it may be looked at */
	return false;
}

static void seal_jobs(void *context, struct suite_job *jobs, size_t n)
{
	for (size_t i = 0; i < n; i++)
		jobs[i].ok = seal_job(context, &jobs[i]);
}

static void open_jobs(void *context, struct suite_job *jobs, size_t n)
{
	for (size_t i = 0; i < n; i++)
		jobs[i].ok = open_job(context, &jobs[i]);
}

/* Every row names what it is called here. */
static bool supports(const struct suite *suite)
{
	return suite->cipher != NULL;
}

const struct suite_provider suite_openssl = {
	.name = "openssl",
	.supports = supports,
	.context_new = context_new,
	.context_free = context_free,
	.seal = seal_jobs,
	.open = open_jobs,
};
