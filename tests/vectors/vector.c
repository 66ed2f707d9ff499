/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/vectors/vector.h"

#include <string.h>

#include "common/base/text.h"
#include "common/model/algorithm.h"

static const struct name_row {
	const char *name;
	uint8_t number;
} encr_names[] = {
	{ "null", ALG_ENCR_NULL },		{ "aes-cbc", ALG_ENCR_AES_CBC },
	{ "aes-gcm-8", ALG_ENCR_AES_GCM8 },	{ "aes-gcm-12", ALG_ENCR_AES_GCM12 },
	{ "aes-gcm-16", ALG_ENCR_AES_GCM16 },
}, auth_names[] = {
	{ "none", ALG_AUTH_NONE },
	{ "hmac-md5-96", ALG_AUTH_HMAC_MD5 },
	{ "hmac-sha1-96", ALG_AUTH_HMAC_SHA1 },
	{ "hmac-sha2-256-128", ALG_AUTH_HMAC_SHA256 },
	{ "hmac-sha2-384-192", ALG_AUTH_HMAC_SHA384 },
	{ "hmac-sha2-512-256", ALG_AUTH_HMAC_SHA512 },
};

static const struct name_row *find_name(const struct name_row *rows, size_t count, const char *name)
{
	for (size_t i = 0; name && i < count; i++) {
		if (strcmp(rows[i].name, name) == 0)
			return &rows[i];
	}
	return NULL;
}

const char *vector_text(struct json_object *object, const char *key)
{
	struct json_object *value;

	if (!json_object_object_get_ex(object, key, &value) || !value)
		return NULL;
	return json_object_get_string(value);
}

bool octets_get(struct json_object *object, const char *key, struct octets *ret)
{
	const char *hex = vector_text(object, key);

	ret->given = hex != NULL;
	ret->len = 0;
	for (; hex && hex[0] != '\0'; hex += 2) {
		int high = hex_digit(hex[0]), low = high < 0 ? -1 : hex_digit(hex[1]);

		if (low < 0 || ret->len == OCTETS_MAX)
			return false;
		ret->bytes[ret->len++] = (uint8_t)(high << 4 | low);
	}
	return true;
}

int64_t vector_number(struct json_object *object, const char *key, int64_t absent)
{
	struct json_object *value;

	if (!json_object_object_get_ex(object, key, &value) || !value)
		return absent;
	return json_object_get_int64(value);
}

/* Keys: the cipher's with its salt behind, and the integrity key. */
static bool read_keys(struct json_object *object, struct sa *sa)
{
	struct octets key, salt;

	if (!octets_get(object, "encr_key", &key) || !octets_get(object, "salt", &salt) ||
		key.len + salt.len > OCTETS_MAX)
		return false;
	memcpy(key.bytes + key.len, salt.bytes, salt.len);
	sa->encr_key_bits = (uint16_t)(key.len * 8);
	sa->salt_bits = (uint16_t)(salt.len * 8);
	if (key.len + salt.len > 0 && secret_new(key.bytes, key.len + salt.len, &sa->encr_key) < 0)
		return false;
	if (!octets_get(object, "auth_key", &key))
		return false;
	sa->auth_key_bits = (uint16_t)(key.len * 8);
	return key.len == 0 || secret_new(key.bytes, key.len, &sa->auth_key) == 0;
}

static const struct name_row *encr_of(struct json_object *object)
{
	return find_name(encr_names, ARRAY_SIZE(encr_names), vector_text(object, "encr"));
}

static const struct name_row *auth_of(struct json_object *object)
{
	return find_name(auth_names, ARRAY_SIZE(auth_names), vector_text(object, "auth"));
}

bool vector_has_suite(struct json_object *object)
{
	return encr_of(object) && auth_of(object);
}

bool vector_sa(struct json_object *object, struct sa *sa)
{
	const char *mode = vector_text(object, "mode");

	if (!vector_has_suite(object) || !mode)
		return false;
	sa->proto = SA_PROTO_ESP;
	sa->spi = (uint32_t)vector_number(object, "spi", 0);
	sa->encr = encr_of(object)->number;
	sa->auth = auth_of(object)->number;
	sa->mode = strcmp(mode, "tunnel") == 0 ? SA_MODE_TUNNEL : SA_MODE_TRANSPORT;
	if (vector_number(object, "esn_hi", -1) >= 0)
		sa->flags |= SA_FLAG_ESN;
	if (vector_number(object, "natt", 0) != 0)
		sa->flags |= SA_FLAG_ENCAP;
	return read_keys(object, sa);
}
