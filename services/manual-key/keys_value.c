/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Values behind the keywords, but for keys. */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "common/conf/value.h"
#include "services/manual-key/keys_parser.h"

#define NAME_MAX_BYTES 256

static bool word_is(const struct token *tok, const char *name)
{
	return tok->len == strlen(name) && strncasecmp(tok->text, name, tok->len) == 0;
}

static bool read_number(struct keys_parser *p, const struct keys_keyword *kw,
	const struct token *value, uint64_t *ret_x)
{
	int r = value_number(value->text, value->len, kw->max, ret_x);

	if (r == -ERANGE)
		keys_error(p, value->at, "key-range", "%s: number is above %llu", kw->name,
			(unsigned long long)kw->max);
	else if (r < 0)
		keys_error(p, value->at, "key-number", "%s: expecting a number", kw->name);
	return r == 0;
}

/* Into the field of struct sa that the keyword's row names. */
static void store_number(struct keys_parser *p, const struct keys_keyword *kw, uint64_t x)
{
	uint8_t *field = (uint8_t *)p->command->sa + kw->offset;
	uint8_t narrow = (uint8_t)x;
	uint16_t half = (uint16_t)x;
	uint32_t word = (uint32_t)x;

	switch (kw->size) {
	case sizeof(narrow):
		memcpy(field, &narrow, sizeof(narrow));
		break;
	case sizeof(half):
		memcpy(field, &half, sizeof(half));
		break;
	case sizeof(word):
		memcpy(field, &word, sizeof(word));
		break;
	default:
		memcpy(field, &x, sizeof(x));
		break;
	}
}

void keys_parse_number(struct keys_parser *p, const struct keys_keyword *kw,
	const struct token *value, const struct token *second)
{
	uint64_t x;

	(void)second;
	if (!read_number(p, kw, value, &x))
		return;
	store_number(p, kw, x);
	if (kw->field == KEYS_REPLAY && x != 0)
		conf_warning(p->diags, value->at, "key-replay",
			"Replay with manual keying considered harmful");
	if (kw->field == KEYS_RESERVED_BITS && keys_is_given(p, KEYS_ENCR_KEY))
		keys_error(
			p, value->at, "key-order", "Reserved bits need to be specified before key");
}

void keys_parse_spi(struct keys_parser *p, const struct keys_keyword *kw, const struct token *value,
	const struct token *second)
{
	uint64_t spi;

	(void)second;
	if (!read_number(p, kw, value, &spi))
		return;
	if (spi == 0)
		keys_error(p, value->at, "key-spi", "Invalid SPI value 0");
	store_number(p, kw, spi);
}

void keys_parse_state(struct keys_parser *p, const struct keys_keyword *kw,
	const struct token *value, const struct token *second)
{
	(void)kw;
	(void)second;
	if (token_is(value, "mature"))
		return;
	if (token_is(value, "larval"))
		keys_error(p, value->at, "key-state", "Cannot set LARVAL SA state");
	else if (token_is(value, "dying") || token_is(value, "dead"))
		keys_error(p, value->at, "key-state", "an SA cannot begin as dying or dead");
	else
		keys_error(p, value->at, "key-state", "Unknown SA state");
}

void keys_parse_flags(struct keys_parser *p, const struct keys_keyword *kw,
	const struct token *value, const struct token *second)
{
	(void)kw;
	(void)second;
	if (!token_is(value, "esn")) {
		keys_error(p, value->at, "key-refused", "Don't use extension flags for add/update");
		conf_hint(p->diags, "only 'flags esn' can be set");
		return;
	}
	p->command->sa->flags |= SA_FLAG_ESN;
}

static void store_algorithm(struct keys_parser *p, const struct keys_keyword *kw, uint8_t number)
{
	if (kw->field == KEYS_AUTH_ALG)
		p->command->sa->auth = number;
	else
		p->command->sa->encr = number;
}

void keys_parse_algorithm(struct keys_parser *p, const struct keys_keyword *kw,
	const struct token *value, const struct token *second)
{
	bool auth = kw->field == KEYS_AUTH_ALG;
	uint8_t proto = auth ? ALG_PROTO_AH : ALG_PROTO_ESP;
	const struct algorithm *alg;
	uint64_t number;
	int r;

	(void)second;
	r = value_number(value->text, value->len, UINT8_MAX, &number);
	alg = r == 0 ? alg_find(p->in->algs, proto, (uint8_t)number)
		     : alg_find_name(p->in->algs, proto, value->text, value->len);
	if (!alg) {
		keys_error(p, value->at, "key-algorithm",
			auth ? "Unknown authentication algorithm" : "Unknown encryption algorithm");
		conf_hint(p->diags, "ipsecalgs(8) lists the algorithms");
		return;
	}
	if (!auth && alg->number == ALG_ENCR_NONE) {
		keys_error(p, value->at, "key-algorithm", "a cipher is needed, or null for none");
		return;
	}
	if (!auth && p->command->satype == KEYS_SATYPE_AH)
		keys_error(
			p, value->at, "key-cipher-ah", "Cannot specify encryption with SA type ah");
	store_algorithm(p, kw, alg->number);
	if (alg_is_weak(proto, alg->number))
		conf_warning(p->diags, value->at, "alg-weak", "%s is weak, for old peers only",
			alg->names[0]);
	if (alg->flags & (ALG_FLAG_COUNTER | ALG_FLAG_COMBINED))
		conf_warning(p->diags, value->at, "key-static-counter",
			"static keys with a counter mode are dangerous");
}

/* A key in the wrong place must not be asked of a name server. */
static bool looks_like_key(const char *name)
{
	size_t digits = strspn(name, "0123456789abcdefABCDEFx");

	return digits >= 16 && (name[digits] == '\0' || name[digits] == '/');
}

/* A literal, or what the name stands for in @family. False: reported. */
static bool read_addresses(struct keys_parser *p, const struct keys_keyword *kw,
	const struct token *value, int family, struct resolved *ret)
{
	char name[NAME_MAX_BYTES];

	if (value_address(value->text, value->len, &ret->addrs[0]) == 0) {
		ret->count = 1;
		if (family == AF_UNSPEC || ret->addrs[0].family == family)
			return true;
		keys_error(p, value->at, "key-address", "%s: not an %s address", kw->name,
			family == AF_INET6 ? "IPv6" : "IPv4");
		return false;
	}
	if (p->in->resolver && value->len < sizeof(name)) {
		memcpy(name, value->text, value->len);
		name[value->len] = '\0';
		if (!looks_like_key(name) &&
			p->in->resolver->host(p->in->resolver->userdata, name, family, ret) == 0 &&
			ret->count > 0 && !ret->is_network)
			return true;
	}
	keys_error(p, value->at, "key-address", "Unknown %s address%s", kw->name,
		p->in->resolver ? "" : " (names are not looked up)");
	return false;
}

void keys_parse_outer(struct keys_parser *p, const struct keys_keyword *kw,
	const struct token *value, const struct token *second)
{
	struct keys_command *command = p->command;
	bool src = kw->field == KEYS_SRC;
	struct address **slot = src ? &command->srcs : &command->dsts;
	struct resolved found = { 0 };

	(void)second;
	if (!read_addresses(p, kw, value, kw->family, &found))
		return;
	*slot = calloc(found.count, sizeof(**slot));
	if (!*slot) {
		p->no_memory = true;
		return;
	}
	memcpy(*slot, found.addrs, found.count * sizeof(**slot));
	if (src)
		command->n_srcs = found.count;
	else
		command->n_dsts = found.count;
}

void keys_parse_inner(struct keys_parser *p, const struct keys_keyword *kw,
	const struct token *value, const struct token *second)
{
	const char *slash = memchr(value->text, '/', value->len);
	struct prefix *inner = kw->field == KEYS_INNER_SRC ? &p->command->sa->inner_src
							   : &p->command->sa->inner_dst;
	struct token host = *value;
	struct resolved found = { 0 };
	uint64_t bits;

	(void)second;
	if (slash) {
		host.len = (size_t)(slash - value->text);
		host.at.length = (unsigned int)host.len;
	}
	if (!read_addresses(p, kw, &host, kw->family, &found))
		return;
	if (found.count != 1) {
		keys_error(p, host.at, "key-ambiguous", "%s: name has several addresses", kw->name);
		return;
	}
	bits = address_bits(found.addrs[0].family);
	if (slash && value_decimal(slash + 1, value->len - host.len - 1, bits, &bits) < 0)
		keys_error(p, value->at, "key-prefix", "%s: prefix length must be 0 to %u",
			kw->name, address_bits(found.addrs[0].family));
	else if (prefix_make(&found.addrs[0], (unsigned int)bits, inner) < 0)
		keys_error(p, value->at, "key-prefix", "%s: prefix length is too long", kw->name);
}

void keys_parse_nat(struct keys_parser *p, const struct keys_keyword *kw, const struct token *value,
	const struct token *second)
{
	struct resolved found = { 0 };

	(void)second;
	if (!read_addresses(p, kw, value, AF_INET, &found))
		return;
	if (found.count != 1)
		keys_error(
			p, value->at, "key-ambiguous", "%s: name has several addresses", kw->name);
	else if (kw->field == KEYS_NAT_LOCAL)
		p->command->sa->natt_local = found.addrs[0];
	else
		p->command->sa->natt_remote = found.addrs[0];
}

/* PF_KEY's identity types and the words for them. */
static const struct {
	const char *name;
	uint16_t type;
} identity_types[] = {
	{ "prefix", 1 },
	{ "fqdn", 2 },
	{ "domain", 2 },
	{ "domainname", 2 },
	{ "user_fqdn", 3 },
	{ "mailbox", 3 },
	{ "der_dn", 4 },
	{ "der_gn", 5 },
};

static bool read_identity_type(const struct token *tok, uint16_t *ret_type)
{
	uint64_t number;

	for (size_t i = 0; i < ARRAY_SIZE(identity_types); i++)
		if (word_is(tok, identity_types[i].name)) {
			*ret_type = identity_types[i].type;
			return true;
		}
	if (value_number(tok->text, tok->len, UINT16_MAX, &number) < 0)
		return false;
	*ret_type = (uint16_t)number;
	return true;
}

void keys_parse_identity(struct keys_parser *p, const struct keys_keyword *kw,
	const struct token *value, const struct token *second)
{
	struct keys_identity **slot = kw->field == KEYS_SRC_ID ? &p->command->src_id
							       : &p->command->dst_id;
	struct keys_identity *identity;

	*slot = identity = calloc(1, sizeof(*identity));
	if (!identity) {
		p->no_memory = true;
		return;
	}
	if (!read_identity_type(value, &identity->type))
		keys_error(p, value->at, "key-identity", "Unknown identity type");
	if (second->len >= sizeof(identity->value))
		keys_error(p, second->at, "key-identity", "identity is longer than %zu bytes",
			sizeof(identity->value) - 1);
	else
		memcpy(identity->value, second->text, second->len);
}

void keys_parse_encap(struct keys_parser *p, const struct keys_keyword *kw,
	const struct token *value, const struct token *second)
{
	(void)kw;
	(void)second;
	if (!token_is(value, "udp"))
		keys_error(p, value->at, "key-encap", "Unknown encapsulation, only udp is known");
	p->command->sa->flags |= SA_FLAG_ENCAP;
}

void keys_parse_direction(struct keys_parser *p, const struct keys_keyword *kw,
	const struct token *value, const struct token *second)
{
	(void)value;
	(void)second;
	p->command->sa->directions |= kw->field == KEYS_INBOUND ? SA_INBOUND : SA_OUTBOUND;
}

void keys_parse_time(struct keys_parser *p, const struct keys_keyword *kw,
	const struct token *value, const struct token *second)
{
	struct keys_times *times = &p->command->times;
	uint64_t *sec = kw->field == KEYS_SEND_FROM    ? &times->send_from
			: kw->field == KEYS_SEND_UNTIL ? &times->send_until
						       : &times->receive_until;

	(void)second;
	if (keys_time_parse(value->text, value->len, sec) == 0)
		return;
	keys_error(p, value->at, "key-time", "%s: expecting a time", kw->name);
	conf_hint(p->diags, "such as 2026-11-22T06:00:00Z, or seconds since 1970");
}

void keys_parse_refused(struct keys_parser *p, const struct keys_keyword *kw,
	const struct token *value, const struct token *second)
{
	(void)value;
	(void)second;
	keys_error(p, p->at[KEYS_REFUSED], "key-refused", "Don't use extension %s for add/update",
		kw->name);
}
