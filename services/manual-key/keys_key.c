/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Key bytes: read into secrets, measured against the algorithm, weak ones refused. */
#include <string.h>

#include "common/conf/value.h"
#include "common/model/des_key.h"
#include "services/manual-key/keys_parser.h"

static bool read_key(struct keys_parser *p, const struct keys_keyword *kw,
	const struct token *value, struct secret **ret_key, uint16_t *ret_bits)
{
	const char *what = kw->field == KEYS_AUTH_KEY ? "authentication" : "encryption";
	bool cut = false;

	switch (value_key(value->text, value->len, p->pool, ret_key, ret_bits, &cut)) {
	case VALUE_KEY_OK:
		if (cut)
			conf_warning(p->diags, value->at, "key-cut",
				"the key is cut to the %u bits that were asked for", *ret_bits);
		return true;
	case VALUE_KEY_NOT_HEX:
		keys_error(p, value->at, "key-hex", "Invalid %s key: not a hex value", what);
		break;
	case VALUE_KEY_BAD_BITS:
		keys_error(p, value->at, "key-bits", "Invalid %s key: not a bit specifier", what);
		break;
	case VALUE_KEY_BITS_TOO_BIG:
		keys_error(p, value->at, "key-bits",
			"Invalid %s key: bit length is too big for the digits", what);
		break;
	case VALUE_KEY_EMPTY:
		keys_error(p, value->at, "key-hex", "Invalid %s key: no digits", what);
		break;
	case VALUE_KEY_TOO_LONG:
		keys_error(p, value->at, "key-bits", "Invalid %s key: longer than %d bytes", what,
			SECRET_MAX_BYTES);
		break;
	case VALUE_KEY_NO_MEMORY:
		p->no_memory = true;
		break;
	}
	return false;
}

/* A key without a single bit set; all of it is looked at. */
static bool is_zero(const struct secret *key, size_t len)
{
	const uint8_t *bytes = secret_bytes(key);
	uint8_t any = 0;

	for (size_t i = 0; i < len; i++)
		any |= bytes[i];
	return any == 0;
}

void keys_parse_auth_key(struct keys_parser *p, const struct keys_keyword *kw,
	const struct token *value, const struct token *second)
{
	struct sa *sa = p->command->sa;

	(void)second;
	if (!read_key(p, kw, value, &sa->auth_key, &sa->auth_key_bits))
		return;
	if (is_zero(sa->auth_key, secret_len(sa->auth_key)))
		keys_error(
			p, value->at, "key-zero", "Invalid authentication key: all bits are zero");
}

void keys_parse_encr_key(struct keys_parser *p, const struct keys_keyword *kw,
	const struct token *value, const struct token *second)
{
	struct sa *sa = p->command->sa;

	(void)second;
	if (!read_key(p, kw, value, &sa->encr_key, &p->key_bits))
		return;
	if (p->command->satype == KEYS_SATYPE_AH)
		keys_error(p, p->at[KEYS_ENCR_KEY], "key-cipher-ah",
			"Cannot specify an encryption key with SA type ah");
}

static bool is_weak_key(const struct sa *sa)
{
	const uint8_t *key = secret_bytes(sa->encr_key);

	if (sa->encr == ALG_ENCR_DES)
		return des_key_is_weak(key);
	return sa->encr == ALG_ENCR_3DES && des_key_is_weak_triple(key);
}

static void check_cipher_key(struct keys_parser *p, const struct algorithm *alg)
{
	const struct conf_loc at = p->at[KEYS_ENCR_KEY];
	struct sa *sa = p->command->sa;
	unsigned int salt_bits = alg->salt_bytes * 8U;
	unsigned int extra_bits = salt_bits + sa->iv_bits;

	if (sa->iv_bits != 0 && (sa->iv_bits % 8 != 0 || sa->iv_bits != alg->iv_bytes * 8U ||
					!(alg->flags & ALG_FLAG_COUNTER))) {
		keys_error(p, p->at[KEYS_RESERVED_BITS], "key-iv",
			"this cipher takes no initial IV of that length");
		return;
	}
	if (p->key_bits <= extra_bits || !alg_takes_key(alg, p->key_bits - extra_bits)) {
		keys_error(p, at, "key-length", "%s does not take an encryption key of %u bits%s",
			alg->names[0], p->key_bits,
			extra_bits ? " (salt and initial IV included)" : "");
		return;
	}
	sa->salt_bits = (uint16_t)salt_bits;
	sa->encr_key_bits = (uint16_t)(p->key_bits - extra_bits);
	if (is_zero(sa->encr_key, sa->encr_key_bits / 8U))
		keys_error(p, at, "key-zero", "Invalid encryption key: all bits are zero");
	else if (is_weak_key(sa))
		keys_error(p, at, "key-weak", "this is one of the weak keys of the cipher");
}

void keys_check_keys(struct keys_parser *p)
{
	const struct alg_table *algs = p->in->algs;
	const struct sa *sa = p->command->sa;
	const struct algorithm *alg;

	alg = alg_find(algs, ALG_PROTO_AH, sa->auth);
	if (sa->auth_key && alg && !alg_takes_key(alg, sa->auth_key_bits))
		keys_error(p, p->at[KEYS_AUTH_KEY], "key-length",
			"%s does not take an authentication key of %u bits", alg->names[0],
			sa->auth_key_bits);
	alg = alg_find(algs, ALG_PROTO_ESP, sa->encr);
	if (sa->encr_key && alg && sa->encr != ALG_ENCR_NONE && sa->encr != ALG_ENCR_NULL)
		check_cipher_key(p, alg);
}
