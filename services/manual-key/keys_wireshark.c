/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The rows of esp_sa, and short check values, of keys_save.h. */
#include <errno.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

#include "common/base/secret.h"
#include "services/manual-key/keys_save.h"

/* The words of Wireshark's table. */
static const struct row {
	uint8_t number;
	const char *name;
} ciphers[] = {
	{ ALG_ENCR_DES, "DES-CBC [RFC2405]" },
	{ ALG_ENCR_3DES, "TripleDES-CBC [RFC2451]" },
	{ ALG_ENCR_BLOWFISH, "BLOWFISH-CBC [RFC2451]" },
	{ ALG_ENCR_NULL, "NULL" },
	{ ALG_ENCR_AES_CBC, "AES-CBC [RFC3602]" },
	{ ALG_ENCR_AES_CTR, "AES-CTR [RFC3686]" },
	{ ALG_ENCR_AES_GCM8, "AES-GCM with 8 octet ICV [RFC4106]" },
	{ ALG_ENCR_AES_GCM12, "AES-GCM with 12 octet ICV [RFC4106]" },
	{ ALG_ENCR_AES_GCM16, "AES-GCM with 16 octet ICV [RFC4106]" },
	{ 0, NULL },
}, digests[] = {
	{ ALG_AUTH_NONE, "NULL" },
	{ ALG_AUTH_HMAC_MD5, "HMAC-MD5-96 [RFC2403]" },
	{ ALG_AUTH_HMAC_SHA1, "HMAC-SHA-1-96 [RFC2404]" },
	{ ALG_AUTH_HMAC_SHA256, "HMAC-SHA-256-128 [RFC4868]" },
	{ ALG_AUTH_HMAC_SHA384, "HMAC-SHA-384-192 [RFC4868]" },
	{ ALG_AUTH_HMAC_SHA512, "HMAC-SHA-512-256 [RFC4868]" },
	{ ALG_AUTH_AES_XCBC, "ANY 96 bit authentication [no checking]" },
	{ ALG_AUTH_AES_CMAC, "ANY 96 bit authentication [no checking]" },
	{ 0, NULL },
};

static const char *row_name(const struct row *rows, uint8_t number)
{
	for (const struct row *row = rows; row->name; row++)
		if (row->number == number)
			return row->name;
	return NULL;
}

static void add_key(struct text *text, const struct secret *key, size_t bits)
{
	char hex[2 * SECRET_MAX_BYTES + 1];
	size_t len = bits / 8;

	if (key && len > 0 && secret_len(key) >= len) {
		hex_encode(secret_bytes(key), len, hex);
		text_addf(text, ",\"0x%s\"", hex);
		secret_wipe(hex, sizeof(hex));
	} else {
		text_add(text, ",\"\"");
	}
}

/* Both keys, or neither is needed. */
static bool keys_are_told(const struct sa *sa)
{
	bool cipher = sa->proto == SA_PROTO_ESP && sa->encr != ALG_ENCR_NULL;

	return (!cipher || sa->encr_key) && (sa->auth == ALG_AUTH_NONE || sa->auth_key);
}

int keys_wireshark(const struct pfkey_message *msg, struct text *text)
{
	const struct sa *sa = msg->sa;
	const char *cipher = row_name(ciphers, sa->encr), *digest = row_name(digests, sa->auth);
	char src[ADDRESS_TEXT_MAX], dst[ADDRESS_TEXT_MAX];

	if (sa->proto != SA_PROTO_ESP || !cipher || !digest || sa->state == SA_LARVAL)
		return 0;
	if (!keys_are_told(sa))
		return -EACCES;
	address_format(&sa->src, src);
	address_format(&sa->dst, dst);
	text_addf(text, "\"%s\",\"%s\",\"%s\",\"0x%08" PRIx32 "\",\"%s\"",
		sa->dst.family == AF_INET6 ? "IPv6" : "IPv4",
		address_is_unspecified(&sa->src) ? "*" : src, dst, sa->spi, cipher);
	add_key(text, sa->encr_key, (size_t)sa->encr_key_bits + sa->salt_bits);
	text_addf(text, ",\"%s\"", digest);
	add_key(text, sa->auth_key, sa->auth_key_bits);
	text_add_char(text, '\n');
	return text->failed ? -ENOMEM : 0;
}

/*
 * Six bytes of an HMAC under the keys: enough to hear a mistake on the telephone, too little to
 * say which of many keys it is.
 */
int keys_fingerprint(const struct pfkey_message *msg, struct text *text)
{
	const struct sa *sa = msg->sa;
	CLEANUP(text_done) struct text name = { 0 };
	uint8_t keys[2 * SECRET_MAX_BYTES], digest[EVP_MAX_MD_SIZE];
	size_t encr_len = ((size_t)sa->encr_key_bits + sa->salt_bits) / 8;
	size_t auth_len = sa->auth_key_bits / 8;
	unsigned int len = 0;
	char addr[ADDRESS_TEXT_MAX];
	bool ok;

	if (sa->state == SA_LARVAL)
		return 0;
	if (!keys_are_told(sa) || secret_len(sa->encr_key) < encr_len ||
		secret_len(sa->auth_key) < auth_len)
		return -EACCES;
	text_addf(&name, "%s 0x%" PRIx32 " %s", sa->proto == SA_PROTO_AH ? "ah" : "esp", sa->spi,
		address_format(&sa->dst, addr));
	text_addf(text, "%s", name.str ? name.str : "");
	text_addf(&name, " netipsec fingerprint %u/%zu %u/%zu", sa->encr, encr_len, sa->auth,
		auth_len);
	if (name.failed)
		return -ENOMEM;
	if (encr_len > 0)
		memcpy(keys, secret_bytes(sa->encr_key), encr_len);
	if (auth_len > 0)
		memcpy(keys + encr_len, secret_bytes(sa->auth_key), auth_len);
	ok = HMAC(EVP_sha256(), keys, (int)(encr_len + auth_len), (const uint8_t *)name.str,
		     name.len, digest, &len) != NULL;
	secret_wipe(keys, sizeof(keys));
	if (!ok || len < 6)
		return -ENOMEM;
	text_addf(text, " %02x%02x-%02x%02x-%02x%02x\n", digest[0], digest[1], digest[2], digest[3],
		digest[4], digest[5]);
	return text->failed ? -ENOMEM : 0;
}
