/* SPDX-License-Identifier: GPL-2.0-or-later */
/* XCBC and CMAC are both CBC-MACs under one key with a mask on the last block; they share all else. */
#include "services/datapath/suite/suite_mac.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

#include "services/datapath/suite/suite_hmac.h"

#define BLOCK	   16U
#define SALT	   4U
#define NONCE	   12U
#define CHUNK	   512U /* ciphertext that nobody wants, at a time */
#define CMAC_CARRY 0x87 /* RFC 4493 section 2.3 */

struct suite_mac {
	const struct suite_auth *row;
	struct suite_hmac *hmac;
	EVP_CIPHER_CTX *aes; /* CBC, or GCM */
	uint8_t whole[BLOCK], padded[BLOCK]; /* masks of the last block: K2 and K3, or K1 and K2 */
	uint8_t salt[SALT];
};

static EVP_CIPHER_CTX *aes_context(const char *name, const uint8_t *key)
{
	EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, name, NULL);
	EVP_CIPHER_CTX *ctx = cipher ? EVP_CIPHER_CTX_new() : NULL;

	if (ctx && (EVP_EncryptInit_ex(ctx, cipher, NULL, key, NULL) != 1 ||
			   EVP_CIPHER_CTX_set_padding(ctx, 0) != 1)) {
		EVP_CIPHER_CTX_free(ctx);
		ctx = NULL;
	}
	EVP_CIPHER_free(cipher);
	return ctx;
}

/* One block in the key of @ctx alone. */
static bool encrypt_block(EVP_CIPHER_CTX *ctx, const uint8_t *in, uint8_t *ret)
{
	static const uint8_t zero[BLOCK];
	int len = 0;

	return EVP_EncryptInit_ex(ctx, NULL, NULL, NULL, zero) == 1 &&
	       EVP_EncryptUpdate(ctx, ret, &len, in, BLOCK) == 1;
}

/* RFC 3566 section 4: three keys out of one; the first enciphers. */
static int prepare_xcbc(struct suite_mac *mac, const uint8_t *key)
{
	EVP_CIPHER_CTX *ctx = aes_context(mac->row->evp, key);
	uint8_t constant[BLOCK], first[BLOCK];
	bool done;

	if (!ctx)
		return -EIO;
	memset(constant, 1, BLOCK);
	done = encrypt_block(ctx, constant, first);
	memset(constant, 2, BLOCK);
	done = done && encrypt_block(ctx, constant, mac->whole);
	memset(constant, 3, BLOCK);
	done = done && encrypt_block(ctx, constant, mac->padded);
	EVP_CIPHER_CTX_free(ctx);
	if (done)
		mac->aes = aes_context(mac->row->evp, first);
	OPENSSL_cleanse(first, sizeof(first));
	return mac->aes ? 0 : -EIO;
}

/* Times x in the field of 128 bits. */
static void double_block(const uint8_t *in, uint8_t *ret)
{
	uint8_t carry = (uint8_t)((in[0] >> 7) * CMAC_CARRY);

	for (size_t i = 0; i < BLOCK - 1; i++)
		ret[i] = (uint8_t)(in[i] << 1 | in[i + 1] >> 7);
	ret[BLOCK - 1] = (uint8_t)((in[BLOCK - 1] << 1) ^ carry);
}

static int prepare_cmac(struct suite_mac *mac, const uint8_t *key)
{
	uint8_t block[BLOCK] = { 0 };

	mac->aes = aes_context(mac->row->evp, key);
	if (!mac->aes || !encrypt_block(mac->aes, block, block))
		return -EIO;
	double_block(block, mac->whole);
	double_block(mac->whole, mac->padded);
	OPENSSL_cleanse(block, sizeof(block));
	return 0;
}

static int prepare_gmac(struct suite_mac *mac, const uint8_t *key)
{
	mac->aes = aes_context(mac->row->evp, key);
	memcpy(mac->salt, key + mac->row->key_bytes - SALT, SALT);
	return mac->aes ? 0 : -EIO;
}

static int prepare(struct suite_mac *mac, const uint8_t *key, size_t key_len)
{
	switch (mac->row->mac) {
	case SUITE_MAC_HMAC:
		return suite_hmac_new(mac->row, key, key_len, &mac->hmac);
	case SUITE_MAC_XCBC:
		return prepare_xcbc(mac, key);
	case SUITE_MAC_CMAC:
		return prepare_cmac(mac, key);
	case SUITE_MAC_GMAC:
		return prepare_gmac(mac, key);
	}
	return -ENOTSUP;
}

int suite_mac_new(const struct suite_auth *row, const uint8_t *key, size_t key_len,
	struct suite_mac **ret_mac)
{
	CLEANUP(suite_mac_freep) struct suite_mac *mac = NULL;
	int r;

	if (key_len != row->key_bytes)
		return -EINVAL;
	mac = calloc(1, sizeof(*mac));
	if (!mac)
		return -ENOMEM;
	mac->row = row;
	r = prepare(mac, key, key_len);
	if (r < 0)
		return r;
	*ret_mac = STEAL(mac);
	return 0;
}

struct suite_mac *suite_mac_free(struct suite_mac *mac)
{
	if (!mac)
		return NULL;
	(void)suite_hmac_free(mac->hmac);
	EVP_CIPHER_CTX_free(mac->aes);
	OPENSSL_cleanse(mac, sizeof(*mac));
	free(mac);
	return NULL;
}

/* A CBC-MAC on its way: the last block is kept back, since it gets a mask. */
struct chain {
	EVP_CIPHER_CTX *ctx;
	uint8_t block[BLOCK];
	size_t fill;
	bool ok;
};

static void chain_blocks(struct chain *chain, const uint8_t *bytes, size_t len)
{
	uint8_t unwanted[CHUNK];
	int out = 0;

	while (chain->ok && len > 0) {
		size_t now = len < CHUNK ? len : CHUNK;

		chain->ok = EVP_EncryptUpdate(chain->ctx, unwanted, &out, bytes, (int)now) == 1;
		bytes += now;
		len -= now;
	}
}

static void chain_add(struct chain *chain, const uint8_t *bytes, size_t len)
{
	size_t now = BLOCK - chain->fill < len ? BLOCK - chain->fill : len;

	if (len == 0)
		return;
	memcpy(chain->block + chain->fill, bytes, now);
	chain->fill += now;
	bytes += now;
	len -= now;
	if (len == 0)
		return;
	chain_blocks(chain, chain->block, BLOCK);
	now = (len - 1) / BLOCK * BLOCK; /* one to sixteen octets stay */
	chain_blocks(chain, bytes, now);
	chain->fill = len - now;
	memcpy(chain->block, bytes + now, chain->fill);
}

static bool chain_sum(
	struct suite_mac *mac, const struct suite_part *parts, size_t n, uint8_t *ret_icv)
{
	static const uint8_t zero[BLOCK];
	struct chain chain = { .ctx = mac->aes };
	const uint8_t *mask = mac->whole;
	uint8_t sum[BLOCK];
	int len = 0;

	chain.ok = EVP_EncryptInit_ex(mac->aes, NULL, NULL, NULL, zero) == 1;
	for (size_t i = 0; i < n; i++)
		chain_add(&chain, parts[i].bytes, parts[i].len);
	if (chain.fill < BLOCK) {
		memset(chain.block + chain.fill, 0, BLOCK - chain.fill);
		chain.block[chain.fill] = 0x80;
		mask = mac->padded;
	}
	for (size_t i = 0; i < BLOCK; i++)
		chain.block[i] ^= mask[i];
	if (!chain.ok || EVP_EncryptUpdate(mac->aes, sum, &len, chain.block, BLOCK) != 1)
		return false;
	memcpy(ret_icv, sum, mac->row->icv_bytes);
	return true;
}

static bool gmac_sum(struct suite_mac *mac, const uint8_t *iv, const struct suite_part *parts,
	size_t n, uint8_t *ret_icv)
{
	uint8_t nonce[NONCE], none[BLOCK];
	int len = 0;

	memcpy(nonce, mac->salt, SALT);
	memcpy(nonce + SALT, iv, NONCE - SALT);
	if (EVP_EncryptInit_ex(mac->aes, NULL, NULL, NULL, nonce) != 1)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (parts[i].len > 0 && EVP_EncryptUpdate(mac->aes, NULL, &len, parts[i].bytes,
						(int)parts[i].len) != 1)
			return false;
	}
	return EVP_EncryptFinal_ex(mac->aes, none, &len) == 1 &&
	       EVP_CIPHER_CTX_ctrl(mac->aes, EVP_CTRL_AEAD_GET_TAG, mac->row->icv_bytes, ret_icv) ==
		       1;
}

bool suite_mac_sum(struct suite_mac *mac, const uint8_t *iv, const struct suite_part *parts,
	size_t n, uint8_t *ret_icv)
{
	switch (mac->row->mac) {
	case SUITE_MAC_HMAC:
		suite_hmac_sum(mac->hmac, parts, n, ret_icv);
		return true;
	case SUITE_MAC_XCBC:
	case SUITE_MAC_CMAC:
		return chain_sum(mac, parts, n, ret_icv);
	case SUITE_MAC_GMAC:
		return gmac_sum(mac, iv, parts, n, ret_icv);
	}
	return false;
}
