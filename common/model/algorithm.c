/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/model/algorithm.h"

#include <string.h>
#include <strings.h>

struct alg_table *alg_table_new(const struct algorithm *entries, size_t count)
{
	struct alg_table *table;

	if (count > ALG_MAX_ENTRIES)
		return NULL;
	table = malloc(sizeof(*table) + count * sizeof(table->entries[0]));
	if (!table)
		return NULL;
	table->execution = (struct alg_execution){
		.ah_async = true, .esp_async = true, .cpu_percent = ALG_CPU_ALL
	};
	table->count = count;
	if (count)
		memcpy(table->entries, entries, count * sizeof(table->entries[0]));
	return table;
}

struct alg_table *alg_table_free(struct alg_table *table)
{
	free(table);
	return NULL;
}

const struct algorithm *alg_find(const struct alg_table *table, uint8_t proto, uint8_t number)
{
	for (size_t i = 0; i < table->count; i++)
		if (table->entries[i].proto == proto && table->entries[i].number == number)
			return &table->entries[i];
	return NULL;
}

static bool alg_has_name(const struct algorithm *alg, const char *name, size_t len)
{
	for (size_t i = 0; i < alg->n_names; i++)
		if (strlen(alg->names[i]) == len && strncasecmp(alg->names[i], name, len) == 0)
			return true;
	return false;
}

const struct algorithm *alg_find_name(
	const struct alg_table *table, uint8_t proto, const char *name, size_t len)
{
	for (size_t i = 0; i < table->count; i++)
		if (table->entries[i].proto == proto && alg_has_name(&table->entries[i], name, len))
			return &table->entries[i];
	return NULL;
}

bool alg_is_combined(const struct algorithm *alg)
{
	return alg->flags & ALG_FLAG_COMBINED;
}

bool alg_takes_key(const struct algorithm *alg, unsigned int bits)
{
	if (alg->key_default_bits == 0)
		return bits == 0;
	if (alg->key_increment_bits != 0)
		return bits >= alg->key_min_bits && bits <= alg->key_max_bits &&
		       (bits - alg->key_min_bits) % alg->key_increment_bits == 0;
	for (size_t i = 0; i < ALG_MAX_KEYS && alg->key_sizes_bits[i] != 0; i++)
		if (alg->key_sizes_bits[i] == bits)
			return true;
	return false;
}

bool alg_is_known(uint8_t proto, uint8_t number)
{
	static const uint8_t auth[] = { ALG_AUTH_HMAC_MD5, ALG_AUTH_HMAC_SHA1, ALG_AUTH_HMAC_SHA256,
		ALG_AUTH_HMAC_SHA384, ALG_AUTH_HMAC_SHA512, ALG_AUTH_AES_XCBC, ALG_AUTH_AES_GMAC128,
		ALG_AUTH_AES_GMAC192, ALG_AUTH_AES_GMAC256, ALG_AUTH_AES_CMAC };
	static const uint8_t encr[] = { ALG_ENCR_DES, ALG_ENCR_3DES, ALG_ENCR_BLOWFISH,
		ALG_ENCR_NULL, ALG_ENCR_AES_CBC, ALG_ENCR_AES_CTR, ALG_ENCR_AES_CCM8,
		ALG_ENCR_AES_CCM12, ALG_ENCR_AES_CCM16, ALG_ENCR_AES_GCM8, ALG_ENCR_AES_GCM12,
		ALG_ENCR_AES_GCM16, ALG_ENCR_AES_GMAC, ALG_ENCR_CHACHA20 };

	if (proto == ALG_PROTO_ESP)
		return memchr(encr, number, sizeof(encr)) != NULL;
	return memchr(auth, number, sizeof(auth)) != NULL;
}

bool alg_is_weak(uint8_t proto, uint8_t number)
{
	if (proto == ALG_PROTO_AH)
		return number == ALG_AUTH_HMAC_MD5;
	return proto == ALG_PROTO_ESP &&
	       (number == ALG_ENCR_DES || number == ALG_ENCR_3DES || number == ALG_ENCR_BLOWFISH);
}

bool alg_is_ah_only(uint8_t number)
{
	return number == ALG_AUTH_AES_GMAC128 || number == ALG_AUTH_AES_GMAC192 ||
	       number == ALG_AUTH_AES_GMAC256;
}

void alg_print(const struct alg_table *table, uint8_t proto, uint8_t number, struct text *text)
{
	const struct algorithm *alg = table ? alg_find(table, proto, number) : NULL;

	if (alg && alg->n_names > 0)
		text_add(text, alg->names[0]);
	else
		text_addf(text, "%u", number);
}
