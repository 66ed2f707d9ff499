/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The short check value of an SA's keys, by which two ends are compared. */
#include <errno.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

#include "common/pfkey/pfkey.h"

#define CHECK_BYTES 6

/* What both ends have alike. Ends of the key text: an initial IV is no part of a key. */
static void describe(const struct sa *sa, size_t encr_len, size_t auth_len, struct text *text)
{
	char addr[ADDRESS_TEXT_MAX];

	text_addf(text, "%s 0x%" PRIx32 " %s netipsec fingerprint %u/%zu %u/%zu",
		sa->proto == SA_PROTO_AH ? "ah" : "esp", sa->spi, address_format(&sa->dst, addr),
		sa->encr, encr_len, sa->auth, auth_len);
}

int pfkey_check_keys(const struct sa *sa, uint64_t *ret_check)
{
	CLEANUP(text_done) struct text name = { 0 };
	uint8_t keys[2 * SECRET_MAX_BYTES], digest[EVP_MAX_MD_SIZE];
	size_t encr_len = ((size_t)sa->encr_key_bits + sa->salt_bits) / 8;
	size_t auth_len = sa->auth_key_bits / 8;
	unsigned int len = 0;
	uint64_t check = 0;
	bool ok;

	if (encr_len + auth_len == 0 || secret_len(sa->encr_key) < encr_len ||
		secret_len(sa->auth_key) < auth_len)
		return -ENOENT;
	describe(sa, encr_len, auth_len, &name);
	if (name.failed)
		return -ENOMEM;
	if (encr_len > 0)
		memcpy(keys, secret_bytes(sa->encr_key), encr_len);
	if (auth_len > 0)
		memcpy(keys + encr_len, secret_bytes(sa->auth_key), auth_len);
	ok = HMAC(EVP_sha256(), keys, (int)(encr_len + auth_len), (const uint8_t *)name.str,
		     name.len, digest, &len) != NULL;
	secret_wipe(keys, sizeof(keys));
	if (!ok || len < CHECK_BYTES)
		return -ENOMEM;
	for (size_t i = 0; i < CHECK_BYTES; i++)
		check = check << 8 | digest[i];
	*ret_check = check;
	return 0;
}
