/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/vectors/vector.h"

#include <string.h>

#include "common/base/text.h"
#include "common/model/algorithm.h"
#include "services/datapath/suite/suite.h"

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

static bool is_ah(struct json_object *object)
{
	const char *proto = vector_text(object, "proto");

	return proto && strcmp(proto, "ah") == 0;
}

/* Keys: the cipher's with its salt behind, and the integrity key. */
static bool read_keys(struct json_object *object, struct sa *sa)
{
	static struct octets key, salt;

	if (!octets_get(object, "encr_key", &key) || !octets_get(object, "salt", &salt) ||
		key.len + salt.len > OCTETS_MAX)
		return false;
	memcpy(key.bytes + key.len, salt.bytes, salt.len);
	sa->encr_key_bits = (uint16_t)(key.len * 8);
	sa->salt_bits = (uint16_t)(salt.len * 8);
	if (is_ah(object))
		sa->encr_key_bits = sa->salt_bits = 0;
	else if (key.len + salt.len > 0 &&
		 secret_new(key.bytes, key.len + salt.len, &sa->encr_key) < 0)
		return false;
	if (!octets_get(object, "auth_key", &key))
		return false;
	if (key.len > 0) { /* GMAC in AH */
		memcpy(key.bytes + key.len, salt.bytes, is_ah(object) ? salt.len : 0);
		key.len += is_ah(object) ? salt.len : 0;
	}
	sa->auth_key_bits = (uint16_t)(key.len * 8);
	return key.len == 0 || secret_new(key.bytes, key.len, &sa->auth_key) == 0;
}

/* Names are the engine's own, from its table. 0: it has no row of that name. */
static uint8_t encr_of(struct json_object *object)
{
	const char *name = vector_text(object, "encr");

	for (unsigned int n = 1; name && n <= UINT8_MAX; n++) {
		const struct suite_cipher *row = suite_cipher_row((uint8_t)n);

		if (row && strcmp(row->name, name) == 0)
			return row->encr;
	}
	return 0;
}

/* As above, ALG_AUTH_NONE for "none". GMAC in AH goes by the length of its key. */
static bool auth_of(struct json_object *object, uint8_t *ret_auth)
{
	const char *name = vector_text(object, "auth"), *key = vector_text(object, "auth_key");
	char gmac[32];

	*ret_auth = ALG_AUTH_NONE;
	if (!name || strcmp(name, "none") == 0)
		return name != NULL;
	if (is_ah(object) && strcmp(name, "aes-gmac") == 0 &&
		text_fixed(gmac, sizeof(gmac), "aes-gmac-%zu", key ? strlen(key) * 4 : 0) == 0)
		name = gmac;
	for (unsigned int n = 1; n <= UINT8_MAX; n++) {
		const struct suite_auth *row = suite_auth_row((uint8_t)n);

		*ret_auth = (uint8_t)n;
		if (row && strcmp(row->name, name) == 0)
			return true;
	}
	return false;
}

bool vector_has_suite(struct json_object *object)
{
	uint8_t auth;

	return (is_ah(object) || encr_of(object) != 0) && auth_of(object, &auth);
}

bool vector_sa(struct json_object *object, struct sa *sa)
{
	const char *mode = vector_text(object, "mode");

	sa->encr = is_ah(object) ? ALG_ENCR_NONE : encr_of(object);
	if (!mode || (sa->encr == 0 && !is_ah(object)) || !auth_of(object, &sa->auth))
		return false;
	sa->proto = is_ah(object) ? SA_PROTO_AH : SA_PROTO_ESP;
	sa->spi = (uint32_t)vector_number(object, "spi", 0);
	sa->mode = strcmp(mode, "tunnel") == 0 ? SA_MODE_TUNNEL : SA_MODE_TRANSPORT;
	if (vector_number(object, "esn_hi", -1) >= 0)
		sa->flags |= SA_FLAG_ESN;
	if (vector_number(object, "natt", 0) != 0)
		sa->flags |= SA_FLAG_ENCAP;
	return read_keys(object, sa);
}
