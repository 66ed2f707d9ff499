/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/bench/bench_library.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdlib.h>
#include <string.h>
#ifdef HAVE_IPSEC_MB
#include <intel-ipsec-mb.h>
#endif

#include "common/model/algorithm.h"

#define STRIDE	 (16 + BENCH_LEN + 256)
#define MAX_SUM	 64
#define AAD_LEN	 8
#define CBC_IV	 16
#define KEY_BITS 128 /* of the suites with CBC */

struct bench_library {
	bool combined;
	uint8_t *texts; /* BENCH_BATCH of them, an IV in front of each */
	uint8_t sums[BENCH_BATCH][MAX_SUM];
	uint64_t counter;
	size_t icv_bytes;
	EVP_CIPHER_CTX *ctx[2]; /* open, seal */
	EVP_MAC_CTX *mac;
	void *mb; /* struct multi, or NULL: OpenSSL */
};

static uint8_t *text_at(const struct bench_library *library, size_t i)
{
	return library->texts + i * STRIDE + CBC_IV;
}

static void set_iv(const struct bench_library *library, size_t i, uint8_t *iv)
{
	uint64_t number = library->counter + i;

	memcpy(iv + 4, &number, sizeof(number));
}

/* ---- OpenSSL ---- */

static bool evp_combined(struct bench_library *library, size_t i, size_t len, bool encrypt)
{
	EVP_CIPHER_CTX *ctx = library->ctx[encrypt];
	uint8_t iv[12] = { 0 }, aad[AAD_LEN] = { 0 }, *text = text_at(library, i);
	int done = 0;

	set_iv(library, i, iv);
	if (EVP_CipherInit_ex(ctx, NULL, NULL, NULL, iv, encrypt) != 1 ||
		EVP_CipherUpdate(ctx, NULL, &done, aad, AAD_LEN) != 1 ||
		EVP_CipherUpdate(ctx, text, &done, text, (int)len) != 1)
		return false;
	if (!encrypt && EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, 16, library->sums[i]) != 1)
		return false;
	if (EVP_CipherFinal_ex(ctx, text + done, &done) != 1)
		return false;
	return !encrypt ||
	       EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, 16, library->sums[i]) == 1;
}

static bool evp_cbc(struct bench_library *library, size_t i, size_t len, bool encrypt)
{
	EVP_CIPHER_CTX *ctx = library->ctx[encrypt];
	uint8_t *text = text_at(library, i);
	int done = 0;

	return EVP_CipherInit_ex(ctx, NULL, NULL, NULL, text - CBC_IV, encrypt) == 1 &&
	       EVP_CipherUpdate(ctx, text, &done, text, (int)len) == 1;
}

static bool evp_mac(struct bench_library *library, size_t i, size_t len, uint8_t *ret_sum)
{
	size_t done;

	return EVP_MAC_init(library->mac, NULL, 0, NULL) == 1 &&
	       EVP_MAC_update(library->mac, text_at(library, i) - CBC_IV, CBC_IV + len) == 1 &&
	       EVP_MAC_final(library->mac, ret_sum, &done, MAX_SUM) == 1;
}

static bool evp_run(struct bench_library *library, size_t i, size_t len, bool encrypt)
{
	uint8_t sum[MAX_SUM];

	if (library->combined)
		return evp_combined(library, i, len, encrypt);
	if (encrypt)
		return evp_cbc(library, i, len, true) && evp_mac(library, i, len, library->sums[i]);
	return evp_mac(library, i, len, sum) &&
	       CRYPTO_memcmp(sum, library->sums[i], library->icv_bytes) == 0 &&
	       evp_cbc(library, i, len, false);
}

static int evp_prepare(struct bench_library *library, const struct bench_world *world)
{
	const uint8_t *key = secret_bytes(world->sa->encr_key);
	EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, suite_evp_cipher(&world->suite), NULL);
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	bool good = cipher && mac;

	for (int way = 0; way < 2 && good; way++) {
		library->ctx[way] = EVP_CIPHER_CTX_new();
		good = library->ctx[way] &&
		       EVP_CipherInit_ex(library->ctx[way], cipher, NULL, key, NULL, way) == 1 &&
		       EVP_CIPHER_CTX_set_padding(library->ctx[way], 0) == 1;
	}
	if (good && world->suite.auth) {
		char digest[16] = { 0 };
		const OSSL_PARAM params[] = {
			OSSL_PARAM_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0), OSSL_PARAM_END
		};

		library->mac = EVP_MAC_CTX_new(mac);
		good = text_copy(digest, sizeof(digest), world->suite.auth->evp) == 0 &&
		       library->mac &&
		       EVP_MAC_init(library->mac, secret_bytes(world->sa->auth_key),
			       secret_len(world->sa->auth_key), params) == 1;
	}
	EVP_CIPHER_free(cipher);
	EVP_MAC_free(mac);
	return good ? 0 : -EIO;
}

/* ---- libipsec-mb ---- */

#ifdef HAVE_IPSEC_MB
struct multi {
	struct gcm_key_data key; /* first: aligned */
	struct gcm_context_data scratch;
	aes_gcm_enc_dec_t run[2]; /* open, seal */
	_Alignas(16) uint32_t enc_keys[4 * 15]; /* as the library loads them */
	_Alignas(16) uint32_t dec_keys[4 * 15];
	uint8_t inner[64], outer[64];
	IMB_HASH_ALG hash;
	IMB_MGR *manager;
};

static void multi_free(void *mb)
{
	struct multi *multi = mb;

	if (multi && multi->manager)
		free_mb_mgr(multi->manager);
	free(multi);
}

static void multi_hash_key(struct multi *multi, const struct sa *sa)
{
	uint8_t inner[64], outer[64];
	bool sha1 = sa->auth == ALG_AUTH_HMAC_SHA1;
	hash_one_block_t hash = sha1 ? multi->manager->sha1_one_block
				     : multi->manager->sha256_one_block;

	memset(inner, 0x36, sizeof(inner));
	memset(outer, 0x5c, sizeof(outer));
	for (size_t i = 0; i < secret_len(sa->auth_key); i++) {
		inner[i] ^= secret_bytes(sa->auth_key)[i];
		outer[i] ^= secret_bytes(sa->auth_key)[i];
	}
	hash(inner, multi->inner);
	hash(outer, multi->outer);
	multi->hash = sha1 ? IMB_AUTH_HMAC_SHA_1 : IMB_AUTH_HMAC_SHA_256;
}

static int multi_prepare(struct bench_library *library, const struct bench_world *world)
{
	const uint8_t *key = secret_bytes(world->sa->encr_key);
	struct multi *multi = aligned_alloc(64, (sizeof(*multi) + 63) / 64 * 64);

	if (!multi)
		return -ENOMEM;
	memset(multi, 0, sizeof(*multi));
	library->mb = multi;
	multi->manager = alloc_mb_mgr(0);
	if (!multi->manager)
		return -ENOMEM;
	init_mb_mgr_auto(multi->manager, NULL);
	if (!library->combined) {
		multi->manager->keyexp_128(key, multi->enc_keys, multi->dec_keys);
		multi_hash_key(multi, world->sa);
	} else if (world->suite.key_bits == 128) {
		multi->manager->gcm128_pre(key, &multi->key);
		multi->run[0] = multi->manager->gcm128_dec;
		multi->run[1] = multi->manager->gcm128_enc;
	} else {
		multi->manager->gcm256_pre(key, &multi->key);
		multi->run[0] = multi->manager->gcm256_dec;
		multi->run[1] = multi->manager->gcm256_enc;
	}
	return 0;
}

static bool multi_combined(struct bench_library *library, size_t i, size_t len, bool encrypt)
{
	struct multi *multi = library->mb;
	uint8_t iv[12] = { 0 }, aad[AAD_LEN] = { 0 }, sum[16], *text = text_at(library, i);

	set_iv(library, i, iv);
	multi->run[encrypt](&multi->key, &multi->scratch, text, text, len, iv, aad, AAD_LEN,
		encrypt ? library->sums[i] : sum, 16);
	return encrypt || CRYPTO_memcmp(sum, library->sums[i], 16) == 0;
}

static void multi_submit(
	struct bench_library *library, size_t i, size_t len, bool encrypt, uint8_t *ret_sum)
{
	struct multi *multi = library->mb;
	IMB_JOB *job = IMB_GET_NEXT_JOB(multi->manager);
	uint8_t *text = text_at(library, i);

	job->cipher_mode = IMB_CIPHER_CBC;
	job->cipher_direction = encrypt ? IMB_DIR_ENCRYPT : IMB_DIR_DECRYPT;
	job->chain_order = encrypt ? IMB_ORDER_CIPHER_HASH : IMB_ORDER_HASH_CIPHER;
	job->enc_keys = multi->enc_keys;
	job->dec_keys = multi->dec_keys;
	job->key_len_in_bytes = KEY_BITS / 8;
	job->src = text - CBC_IV;
	job->dst = text;
	job->cipher_start_src_offset_in_bytes = CBC_IV;
	job->msg_len_to_cipher_in_bytes = len;
	job->iv = text - CBC_IV;
	job->iv_len_in_bytes = CBC_IV;
	job->hash_alg = multi->hash;
	job->hash_start_src_offset_in_bytes = 0;
	job->msg_len_to_hash_in_bytes = CBC_IV + len;
	job->u.HMAC._hashed_auth_key_xor_ipad = multi->inner;
	job->u.HMAC._hashed_auth_key_xor_opad = multi->outer;
	job->auth_tag_output = ret_sum;
	job->auth_tag_output_len_in_bytes = library->icv_bytes;
}

static bool multi_jobs(struct bench_library *library, size_t len, bool encrypt)
{
	struct multi *multi = library->mb;
	uint8_t sums[BENCH_BATCH][MAX_SUM];
	const IMB_JOB *job;
	size_t done = 0;

	for (size_t i = 0; i < BENCH_BATCH; i++) {
		multi_submit(library, i, len, encrypt, encrypt ? library->sums[i] : sums[i]);
		for (job = IMB_SUBMIT_JOB(multi->manager); job;
			job = IMB_GET_COMPLETED_JOB(multi->manager))
			done += job->status == IMB_STATUS_COMPLETED;
	}
	for (job = IMB_FLUSH_JOB(multi->manager); job; job = IMB_FLUSH_JOB(multi->manager))
		done += job->status == IMB_STATUS_COMPLETED;
	for (size_t i = 0; i < BENCH_BATCH && !encrypt; i++)
		if (CRYPTO_memcmp(sums[i], library->sums[i], library->icv_bytes) != 0)
			return false;
	return done == BENCH_BATCH;
}

static bool multi_run(struct bench_library *library, size_t len, bool encrypt)
{
	bool good = true;

	if (!library->combined)
		return multi_jobs(library, len, encrypt);
	for (size_t i = 0; i < BENCH_BATCH; i++)
		good = multi_combined(library, i, len, encrypt) && good;
	return good;
}

static const char *multi_version(void)
{
	return imb_get_version_str();
}
#else
static void multi_free(void *mb)
{
	free(mb);
}

/* Nothing is computed by a provider that is not there. */
static int multi_prepare(struct bench_library *library, const struct bench_world *world)
{
	(void)library;
	(void)world;
	return -ENOTSUP;
}

static bool multi_run(struct bench_library *library, size_t len, bool encrypt)
{
	(void)library;
	(void)len;
	(void)encrypt;
	return false;
}

static const char *multi_version(void)
{
	return "";
}
#endif

/* ---- both ---- */

int bench_library_new(const struct bench_world *world, struct bench_library **ret_library)
{
	CLEANUP(bench_library_freep) struct bench_library *library = calloc(1, sizeof(*library));
	int r;

	if (!library)
		return -ENOMEM;
	library->texts = calloc(BENCH_BATCH, STRIDE);
	if (!library->texts)
		return -ENOMEM;
	library->combined = !world->suite.auth;
	library->icv_bytes = world->suite.icv_bytes;
	r = world->provider == &suite_ipsec_mb ? multi_prepare(library, world)
					       : evp_prepare(library, world);
	if (r == 0)
		*ret_library = STEAL(library);
	return r;
}

struct bench_library *bench_library_free(struct bench_library *library)
{
	if (!library)
		return NULL;
	EVP_CIPHER_CTX_free(library->ctx[0]);
	EVP_CIPHER_CTX_free(library->ctx[1]);
	EVP_MAC_CTX_free(library->mac);
	multi_free(library->mb);
	free(library->texts);
	free(library);
	return NULL;
}

static bool run_all(struct bench_library *library, size_t len, bool encrypt)
{
	bool good = true;

	if (library->mb)
		return multi_run(library, len, encrypt);
	for (size_t i = 0; i < BENCH_BATCH; i++)
		good = evp_run(library, i, len, encrypt) && good;
	return good;
}

bool bench_library_seal(struct bench_library *library, size_t len)
{
	library->counter += BENCH_BATCH;
	return run_all(library, len, true);
}

bool bench_library_open(struct bench_library *library, size_t len)
{
	return run_all(library, len, false);
}

void bench_library_version(const struct bench_world *world, struct text *ret_text)
{
	bool multi = world->provider == &suite_ipsec_mb;

	text_addf(ret_text, "%s %s", world->provider->name,
		multi ? multi_version() : OpenSSL_version(OPENSSL_VERSION_STRING));
}
