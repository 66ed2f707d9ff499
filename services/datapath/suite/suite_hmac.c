/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Built on libcrypto's plain hash states: the fetched interfaces (EVP_MAC, EVP_MD) allocate each time
 * that a prepared state is copied, and the packet path does not allocate.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "services/datapath/suite/suite_hmac.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/md5.h>
#include <openssl/sha.h>
#include <string.h>

#define MAX_BLOCK 128
#define INNER_PAD 0x36
#define OUTER_PAD 0x5c

union hash_state {
	MD5_CTX md5;
	SHA_CTX sha1;
	SHA256_CTX sha256;
	SHA512_CTX sha512;
};

/* One hash function, all taking the union, so that a table can hold them. */
struct hash {
	const char *name;
	uint8_t block_bytes, digest_bytes;
	void (*init)(union hash_state *state);
	void (*update)(union hash_state *state, const uint8_t *bytes, size_t len);
	void (*final)(union hash_state *state, uint8_t *ret_digest);
};

struct suite_hmac {
	const struct hash *hash;
	size_t icv_bytes;
	union hash_state inner, outer;
};

/* libcrypto's functions fail only on a NULL state. */
#define DEFINE_HASH(stem, field, INIT, UPDATE, FINAL)                                        \
	static void stem##_init(union hash_state *state)                                     \
	{                                                                                    \
		(void)INIT(&state->field);                                                   \
	}                                                                                    \
	static void stem##_update(union hash_state *state, const uint8_t *bytes, size_t len) \
	{                                                                                    \
		(void)UPDATE(&state->field, bytes, len);                                     \
	}                                                                                    \
	static void stem##_final(union hash_state *state, uint8_t *ret_digest)               \
	{                                                                                    \
		(void)FINAL(ret_digest, &state->field);                                      \
	}

DEFINE_HASH(md5, md5, MD5_Init, MD5_Update, MD5_Final)
DEFINE_HASH(sha1, sha1, SHA1_Init, SHA1_Update, SHA1_Final)
DEFINE_HASH(sha256, sha256, SHA256_Init, SHA256_Update, SHA256_Final)
DEFINE_HASH(sha384, sha512, SHA384_Init, SHA384_Update, SHA384_Final)
DEFINE_HASH(sha512, sha512, SHA512_Init, SHA512_Update, SHA512_Final)

static const struct hash hashes[] = {
	{ "MD5", 64, 16, md5_init, md5_update, md5_final },
	{ "SHA1", 64, 20, sha1_init, sha1_update, sha1_final },
	{ "SHA256", 64, 32, sha256_init, sha256_update, sha256_final },
	{ "SHA384", 128, 48, sha384_init, sha384_update, sha384_final },
	{ "SHA512", 128, 64, sha512_init, sha512_update, sha512_final },
};

static const struct hash *hash_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(hashes); i++) {
		if (strcmp(hashes[i].name, name) == 0)
			return &hashes[i];
	}
	return NULL;
}

static void hash_key_block(const struct hash *hash, const uint8_t *key, size_t len, uint8_t pad,
	union hash_state *state)
{
	uint8_t block[MAX_BLOCK];

	memset(block, pad, sizeof(block));
	for (size_t i = 0; i < len; i++)
		block[i] ^= key[i];
	hash->init(state);
	hash->update(state, block, hash->block_bytes);
	OPENSSL_cleanse(block, sizeof(block));
}

int suite_hmac_new(const struct suite_auth *auth, const uint8_t *key, size_t key_len,
	struct suite_hmac **ret_hmac)
{
	const struct hash *hash = hash_find(auth->evp);
	struct suite_hmac *hmac;

	if (!hash || key_len > hash->block_bytes)
		return -ENOTSUP;
	hmac = calloc(1, sizeof(*hmac));
	if (!hmac)
		return -ENOMEM;
	hmac->hash = hash;
	hmac->icv_bytes = auth->icv_bytes;
	hash_key_block(hash, key, key_len, INNER_PAD, &hmac->inner);
	hash_key_block(hash, key, key_len, OUTER_PAD, &hmac->outer);
	*ret_hmac = hmac;
	return 0;
}

struct suite_hmac *suite_hmac_free(struct suite_hmac *hmac)
{
	if (hmac)
		OPENSSL_cleanse(hmac, sizeof(*hmac));
	free(hmac);
	return NULL;
}

void suite_hmac_sum(
	const struct suite_hmac *hmac, const struct suite_part *parts, size_t n, uint8_t *ret_icv)
{
	union hash_state state = hmac->inner;
	uint8_t digest[SUITE_HMAC_MAX_DIGEST];

	for (size_t i = 0; i < n; i++) {
		if (parts[i].len > 0)
			hmac->hash->update(&state, parts[i].bytes, parts[i].len);
	}
	hmac->hash->final(&state, digest);
	state = hmac->outer;
	hmac->hash->update(&state, digest, hmac->hash->digest_bytes);
	hmac->hash->final(&state, digest);
	memcpy(ret_icv, digest, hmac->icv_bytes);
}
