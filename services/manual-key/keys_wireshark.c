/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The rows of esp_sa, and short check values, of keys_save.h. */
#include <errno.h>
#include <inttypes.h>

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

/*
 * CCM is a counter mode, and its counter block is that of AES-CTR with an octet before the salt
 * (RFC 4309 section 4, RFC 3686 section 4). So Wireshark opens it as such, without the check.
 */
static bool add_ccm(const struct sa *sa, const char **ret_digest, struct text *text)
{
	static const struct row icvs[] = {
		{ ALG_ENCR_AES_CCM8, "ANY 64 bit authentication [no checking]" },
		{ ALG_ENCR_AES_CCM12, "ANY 96 bit authentication [no checking]" },
		{ ALG_ENCR_AES_CCM16, "ANY 128 bit authentication [no checking]" },
		{ 0, NULL },
	};
	size_t key_len = sa->encr_key_bits / 8, salt_len = sa->salt_bits / 8;
	const uint8_t *bytes = secret_bytes(sa->encr_key);
	char key[2 * SECRET_MAX_BYTES + 1], salt[2 * SECRET_MAX_BYTES + 1];

	*ret_digest = row_name(icvs, sa->encr);
	if (!*ret_digest || secret_len(sa->encr_key) < key_len + salt_len)
		return false;
	hex_encode(bytes, key_len, key);
	hex_encode(bytes + key_len, salt_len, salt);
	text_addf(text, "\"AES-CTR [RFC3686]\",\"0x%s03%s\"", key, salt);
	secret_wipe(key, sizeof(key));
	secret_wipe(salt, sizeof(salt));
	return true;
}

static void add_ends(const struct sa *sa, struct text *text)
{
	char src[ADDRESS_TEXT_MAX], dst[ADDRESS_TEXT_MAX];

	address_format(&sa->src, src);
	text_addf(text, "\"%s\",\"%s\",\"%s\",\"0x%08" PRIx32 "\",",
		sa->dst.family == AF_INET6 ? "IPv6" : "IPv4",
		address_is_unspecified(&sa->src) ? "*" : src, address_format(&sa->dst, dst),
		sa->spi);
}

/* A reader of the table has to know what it will not open. */
static int leave_out(const struct sa *sa, const struct alg_table *algs, struct text *text)
{
	text_add(text, "# left out, not in Wireshark's table: ");
	sa_print(sa, text);
	if (sa->proto == SA_PROTO_ESP) {
		text_add_char(text, ' ');
		alg_print(algs, ALG_PROTO_ESP, sa->encr, text);
	}
	text_add_char(text, '\n');
	return text->failed ? -ENOMEM : 0;
}

int keys_wireshark(const struct pfkey_message *msg, const struct alg_table *algs, struct text *text)
{
	const struct sa *sa = msg->sa;
	bool ccm = sa->encr == ALG_ENCR_AES_CCM8 || sa->encr == ALG_ENCR_AES_CCM12 ||
		   sa->encr == ALG_ENCR_AES_CCM16;
	const char *cipher = row_name(ciphers, sa->encr), *digest = row_name(digests, sa->auth);

	if (sa->state == SA_LARVAL)
		return 0;
	if (sa->proto != SA_PROTO_ESP || (!ccm && !cipher) || !digest)
		return leave_out(sa, algs, text);
	if (!keys_are_told(sa))
		return -EACCES;
	add_ends(sa, text);
	if (ccm) {
		if (!add_ccm(sa, &digest, text))
			return -EACCES;
	} else {
		text_addf(text, "\"%s\"", cipher);
		add_key(text, sa->encr_key, (size_t)sa->encr_key_bits + sa->salt_bits);
	}
	text_addf(text, ",\"%s\"", digest);
	add_key(text, sa->auth_key, sa->auth_key_bits);
	text_add_char(text, '\n');
	return text->failed ? -ENOMEM : 0;
}

int keys_fingerprint(const struct pfkey_message *msg, struct text *text)
{
	const struct sa *sa = msg->sa;
	uint64_t check = msg->key_check;
	char addr[ADDRESS_TEXT_MAX];

	if (sa->state == SA_LARVAL)
		return 0;
	/* Who sees keys gets these instead. */
	if (!(msg->present & PFKEY_BIT(PFKEY_EXT_CHECK)) &&
		(!keys_are_told(sa) || pfkey_check_keys(sa, &check) < 0))
		return -EACCES;
	text_addf(text, "%s 0x%" PRIx32 " %s %04x-%04x-%04x\n",
		sa->proto == SA_PROTO_AH ? "ah" : "esp", sa->spi, address_format(&sa->dst, addr),
		(unsigned int)(check >> 32 & 0xffff), (unsigned int)(check >> 16 & 0xffff),
		(unsigned int)(check & 0xffff));
	return text->failed ? -ENOMEM : 0;
}
