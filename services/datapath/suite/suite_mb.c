/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The fast provider: libipsec-mb. AES-GCM runs packet by packet, AES-CBC with HMAC side by side over
 * the packets of a batch, since a chain of blocks leaves most of the CPU idle.
 */
#include <errno.h>
#include <intel-ipsec-mb.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/bytes.h"
#include "common/base/checked.h"
#include "common/model/algorithm.h"
#include "services/datapath/suite/suite_provider.h"

#define ESP_HEADER 8U
#define CBC_IV	   16U
#define MAX_BLOCK  128U /* of a hash function */
#define AT_ONCE	   32U /* jobs that stay in the manager, well below what it takes */
#define CACHE_LINE 64U

struct gcm_state {
	struct gcm_key_data key; /* first: aligned to a cache line */
	struct gcm_context_data scratch;
	aes_gcm_enc_dec_t seal, open;
	uint8_t salt[4];
};

struct cbc_state {
	uint8_t inner[64], outer[64]; /* hash states behind the key's block */
	_Alignas(16) uint32_t enc_keys[4 * 15]; /* as the library loads them */
	_Alignas(16) uint32_t dec_keys[4 * 15];
	IMB_HASH_ALG hash;
	struct suite_random random;
};

struct mb_context {
	union {
		struct gcm_state gcm;
		struct cbc_state cbc;
	};
	struct suite suite;
	IMB_MGR *manager; /* of the lane */
};

struct mb_hash {
	uint8_t auth;
	IMB_HASH_ALG hash;
	size_t block_bytes;
};

static const struct mb_hash hashes[] = {
	{ ALG_AUTH_HMAC_MD5, IMB_AUTH_MD5, 64 },
	{ ALG_AUTH_HMAC_SHA1, IMB_AUTH_HMAC_SHA_1, 64 },
	{ ALG_AUTH_HMAC_SHA256, IMB_AUTH_HMAC_SHA_256, 64 },
	{ ALG_AUTH_HMAC_SHA384, IMB_AUTH_HMAC_SHA_384, 128 },
	{ ALG_AUTH_HMAC_SHA512, IMB_AUTH_HMAC_SHA_512, 128 },
};

static const struct mb_hash *find_hash(const struct suite_auth *auth)
{
	for (size_t i = 0; auth && i < ARRAY_SIZE(hashes); i++) {
		if (hashes[i].auth == auth->auth)
			return &hashes[i];
	}
	return NULL;
}

static bool is_gcm(const struct suite_cipher *cipher)
{
	return cipher->encr == ALG_ENCR_AES_GCM8 || cipher->encr == ALG_ENCR_AES_GCM12 ||
	       cipher->encr == ALG_ENCR_AES_GCM16;
}

/* The library would do without these instructions, but no faster than the other provider. */
static bool supports(const struct suite *suite)
{
	if (!__builtin_cpu_supports("aes") || !__builtin_cpu_supports("pclmul") || !suite->cipher)
		return false;
	return is_gcm(suite->cipher) ||
	       (suite->cipher->encr == ALG_ENCR_AES_CBC && find_hash(suite->auth));
}

static void manager_free(void *manager)
{
	free_mb_mgr(manager);
}

static IMB_MGR *manager_of(struct suite_lane *lane)
{
	IMB_MGR *manager = lane->memory;

	if (manager)
		return manager;
	manager = alloc_mb_mgr(0);
	if (!manager)
		return NULL;
	init_mb_mgr_auto(manager, NULL);
	if (imb_get_errno(manager) != 0) {
		free_mb_mgr(manager);
		return NULL;
	}
	lane->memory = manager;
	lane->release = manager_free;
	return manager;
}

static void gcm_prepare(struct mb_context *context, const struct sa *sa)
{
	const uint8_t *key = secret_bytes(sa->encr_key);
	const IMB_MGR *manager = context->manager;
	struct gcm_state *gcm = &context->gcm;

	switch (sa->encr_key_bits) {
	case 128:
		manager->gcm128_pre(key, &gcm->key);
		gcm->seal = manager->gcm128_enc;
		gcm->open = manager->gcm128_dec;
		break;
	case 192:
		manager->gcm192_pre(key, &gcm->key);
		gcm->seal = manager->gcm192_enc;
		gcm->open = manager->gcm192_dec;
		break;
	default: /* suite_of() let nothing else through */
		manager->gcm256_pre(key, &gcm->key);
		gcm->seal = manager->gcm256_enc;
		gcm->open = manager->gcm256_dec;
		break;
	}
	memcpy(gcm->salt, key + sa->encr_key_bits / 8, sizeof(gcm->salt));
}

static hash_one_block_t one_block_of(const IMB_MGR *manager, uint8_t auth)
{
	switch (auth) {
	case ALG_AUTH_HMAC_MD5:
		return manager->md5_one_block;
	case ALG_AUTH_HMAC_SHA1:
		return manager->sha1_one_block;
	case ALG_AUTH_HMAC_SHA256:
		return manager->sha256_one_block;
	case ALG_AUTH_HMAC_SHA384:
		return manager->sha384_one_block;
	default:
		return manager->sha512_one_block;
	}
}

/* RFC 2104: the key's block, combined with a constant, hashed once for all packets. */
static void hash_key(const struct mb_context *context, const struct mb_hash *hash,
	const struct secret *key, uint8_t pad, uint8_t *ret_state)
{
	uint8_t block[MAX_BLOCK];

	memset(block, pad, sizeof(block));
	for (size_t i = 0; i < secret_len(key); i++)
		block[i] ^= secret_bytes(key)[i];
	one_block_of(context->manager, hash->auth)(block, ret_state);
	OPENSSL_cleanse(block, sizeof(block));
}

static void cbc_prepare(struct mb_context *context, const struct sa *sa)
{
	const struct mb_hash *hash = find_hash(context->suite.auth);
	const uint8_t *key = secret_bytes(sa->encr_key);
	struct cbc_state *cbc = &context->cbc;

	if (sa->encr_key_bits == 128)
		context->manager->keyexp_128(key, cbc->enc_keys, cbc->dec_keys);
	else if (sa->encr_key_bits == 192)
		context->manager->keyexp_192(key, cbc->enc_keys, cbc->dec_keys);
	else
		context->manager->keyexp_256(key, cbc->enc_keys, cbc->dec_keys);
	cbc->hash = hash->hash;
	hash_key(context, hash, sa->auth_key, 0x36, cbc->inner);
	hash_key(context, hash, sa->auth_key, 0x5c, cbc->outer);
}

static void context_free(void *context)
{
	OPENSSL_cleanse(context, sizeof(struct mb_context));
	free(context);
}

static int context_new(
	const struct suite *suite, const struct sa *sa, struct suite_lane *lane, void **ret_context)
{
	size_t size = round_up(sizeof(struct mb_context), CACHE_LINE);
	struct mb_context *context = aligned_alloc(CACHE_LINE, size);

	if (!context)
		return -ENOMEM;
	memset(context, 0, size);
	context->suite = *suite;
	context->manager = manager_of(lane);
	if (!context->manager) {
		context_free(context);
		return -ENOMEM;
	}
	if (is_gcm(suite->cipher))
		gcm_prepare(context, sa);
	else
		cbc_prepare(context, sa);
	*ret_context = context;
	return 0;
}

static void gcm_run(struct mb_context *context, aes_gcm_enc_dec_t run, const struct suite_job *job,
	uint8_t *ret_icv)
{
	uint8_t *iv = job->esp + ESP_HEADER, *text = iv + context->suite.iv_bytes;
	uint8_t nonce[12], aad[SUITE_MAX_AAD];
	size_t aad_len = suite_job_aad(job, aad);

	memcpy(nonce, context->gcm.salt, 4);
	memcpy(nonce + 4, iv, 8);
	run(&context->gcm.key, &context->gcm.scratch, text, text, job->text_len, nonce, aad,
		aad_len, ret_icv, context->suite.icv_bytes);
}

static void gcm_seal(struct mb_context *context, struct suite_job *job)
{
	gcm_run(context, context->gcm.seal, job,
		job->esp + ESP_HEADER + context->suite.iv_bytes + job->text_len);
	job->ok = true;
}

/* Not ours: nothing of it may be looked at. */
static void judge(const struct suite *suite, struct suite_job *job, bool done, const uint8_t *icv,
	const uint8_t *received)
{
	job->ok = done && CRYPTO_memcmp(icv, received, suite->icv_bytes) == 0;
	if (!job->ok)
		OPENSSL_cleanse(job->esp + ESP_HEADER + suite->iv_bytes, job->text_len);
}

static void gcm_open(struct mb_context *context, struct suite_job *job)
{
	uint8_t icv[SUITE_MAX_ICV];

	gcm_run(context, context->gcm.open, job, icv);
	judge(&context->suite, job, true, icv,
		job->esp + ESP_HEADER + context->suite.iv_bytes + job->text_len);
}

/* One packet into the manager. With ESN the high half stands where the ICV goes, and is hashed too. */
static void cbc_submit(
	struct mb_context *context, struct suite_job *job, uint8_t *ret_icv, bool encrypt)
{
	struct cbc_state *cbc = &context->cbc;
	IMB_JOB *task = IMB_GET_NEXT_JOB(context->manager);
	uint8_t *text = job->esp + ESP_HEADER + CBC_IV;

	if (job->esn)
		store_be32(text + job->text_len, (uint32_t)(job->seq >> 32));
	task->cipher_mode = IMB_CIPHER_CBC;
	task->cipher_direction = encrypt ? IMB_DIR_ENCRYPT : IMB_DIR_DECRYPT;
	task->chain_order = encrypt ? IMB_ORDER_CIPHER_HASH : IMB_ORDER_HASH_CIPHER;
	task->enc_keys = cbc->enc_keys;
	task->dec_keys = cbc->dec_keys;
	task->key_len_in_bytes = context->suite.key_bits / 8;
	task->src = job->esp;
	task->dst = text;
	task->cipher_start_src_offset_in_bytes = ESP_HEADER + CBC_IV;
	task->msg_len_to_cipher_in_bytes = job->text_len;
	task->iv = job->esp + ESP_HEADER;
	task->iv_len_in_bytes = CBC_IV;
	task->hash_alg = cbc->hash;
	task->hash_start_src_offset_in_bytes = 0;
	task->msg_len_to_hash_in_bytes = ESP_HEADER + CBC_IV + job->text_len + (job->esn ? 4 : 0);
	task->u.HMAC._hashed_auth_key_xor_ipad = cbc->inner;
	task->u.HMAC._hashed_auth_key_xor_opad = cbc->outer;
	task->auth_tag_output = ret_icv;
	task->auth_tag_output_len_in_bytes = context->suite.icv_bytes;
	task->user_data = job;
}

static void settle(const IMB_JOB *task)
{
	struct suite_job *job = task->user_data;

	job->ok = task->status == IMB_STATUS_COMPLETED;
}

/* n <= AT_ONCE. Afterwards ok means that cipher and hash were computed. */
static void cbc_run(struct mb_context *context, struct suite_job *jobs, size_t n,
	uint8_t (*icvs)[SUITE_MAX_ICV], bool encrypt)
{
	const IMB_JOB *task;

	for (size_t i = 0; i < n; i++) {
		jobs[i].ok = false;
		cbc_submit(context, &jobs[i], icvs[i], encrypt);
		for (task = IMB_SUBMIT_JOB(context->manager); task;
			task = IMB_GET_COMPLETED_JOB(context->manager))
			settle(task);
	}
	for (task = IMB_FLUSH_JOB(context->manager); task; task = IMB_FLUSH_JOB(context->manager))
		settle(task);
}

static void cbc_seal(struct mb_context *context, struct suite_job *jobs, size_t n)
{
	uint8_t icvs[AT_ONCE][SUITE_MAX_ICV];

	for (size_t i = 0; i < n; i++) {
		if (!jobs[i].iv_given &&
			!suite_random_iv(&context->cbc.random, jobs[i].esp + ESP_HEADER, CBC_IV)) {
			for (i = 0; i < n; i++)
				jobs[i].ok = false;
			return;
		}
	}
	cbc_run(context, jobs, n, icvs, true);
	for (size_t i = 0; i < n; i++)
		memcpy(jobs[i].esp + ESP_HEADER + CBC_IV + jobs[i].text_len, icvs[i],
			context->suite.icv_bytes);
}

static void cbc_open(struct mb_context *context, struct suite_job *jobs, size_t n)
{
	uint8_t icvs[AT_ONCE][SUITE_MAX_ICV], received[AT_ONCE][SUITE_MAX_ICV];

	for (size_t i = 0; i < n; i++)
		memcpy(received[i], jobs[i].esp + ESP_HEADER + CBC_IV + jobs[i].text_len,
			context->suite.icv_bytes);
	cbc_run(context, jobs, n, icvs, false);
	for (size_t i = 0; i < n; i++)
		judge(&context->suite, &jobs[i], jobs[i].ok, icvs[i], received[i]);
}

static size_t at_once(size_t left)
{
	return left < AT_ONCE ? left : AT_ONCE;
}

static void seal_jobs(void *own, struct suite_job *jobs, size_t n)
{
	struct mb_context *context = own;

	if (is_gcm(context->suite.cipher)) {
		for (size_t i = 0; i < n; i++)
			gcm_seal(context, &jobs[i]);
		return;
	}
	for (size_t i = 0; i < n; i += AT_ONCE)
		cbc_seal(context, jobs + i, at_once(n - i));
}

static void open_jobs(void *own, struct suite_job *jobs, size_t n)
{
	struct mb_context *context = own;

	if (is_gcm(context->suite.cipher)) {
		for (size_t i = 0; i < n; i++)
			gcm_open(context, &jobs[i]);
		return;
	}
	for (size_t i = 0; i < n; i += AT_ONCE)
		cbc_open(context, jobs + i, at_once(n - i));
}

const struct suite_provider suite_ipsec_mb = {
	.name = "ipsec-mb",
	.supports = supports,
	.context_new = context_new,
	.context_free = context_free,
	.seal = seal_jobs,
	.open = open_jobs,
};
