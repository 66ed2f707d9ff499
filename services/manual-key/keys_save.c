/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/manual-key/keys_save.h"

#include <errno.h>
#include <ifaddrs.h>
#include <inttypes.h>
#include <string.h>

#include "common/base/secret.h"
#include "services/manual-key/keys_times.h"

#define NATT_PORT 4500 /* RFC 3948 */

const char keys_save_head[] = "# Written by ipseckey save; ipseckey -f reads it.\n\n";

void keys_text_wipe(struct text *text)
{
	if (text->str)
		secret_wipe(text->str, text->len);
	text_done(text);
}

void keys_locals_done(struct keys_locals *locals)
{
	free(locals->addresses);
	*locals = (struct keys_locals){ 0 };
}

int keys_locals_read(struct keys_locals *ret_locals)
{
	struct ifaddrs *list = NULL;
	uint16_t port;
	size_t room = 0;

	if (getifaddrs(&list) < 0)
		return -errno;
	for (const struct ifaddrs *ifa = list; ifa; ifa = ifa->ifa_next)
		room++;
	ret_locals->count = 0;
	ret_locals->addresses = calloc(room + 1, sizeof(*ret_locals->addresses));
	for (const struct ifaddrs *ifa = list; ifa && ret_locals->addresses; ifa = ifa->ifa_next)
		if (ifa->ifa_addr &&
			address_from_sockaddr(ifa->ifa_addr, sizeof(struct sockaddr_in6),
				&ret_locals->addresses[ret_locals->count], &port) == 0)
			ret_locals->count++;
	freeifaddrs(list);
	return ret_locals->addresses ? 0 : -ENOMEM;
}

static bool is_local(const struct keys_locals *locals, const struct address *addr)
{
	for (size_t i = 0; i < locals->count; i++)
		if (address_equal(&locals->addresses[i], addr))
			return true;
	return false;
}

uint8_t keys_implied_directions(const struct keys_locals *locals, const struct sa *sa)
{
	bool from_us = is_local(locals, &sa->src), to_us = is_local(locals, &sa->dst);

	if (address_is_multicast(&sa->dst))
		return SA_INBOUND | SA_OUTBOUND;
	if (to_us)
		return from_us || address_is_unspecified(&sa->src) ? SA_INBOUND | SA_OUTBOUND
								   : SA_INBOUND;
	return from_us ? SA_OUTBOUND : SA_INBOUND | SA_OUTBOUND;
}

int keys_saved_init(
	struct keys_saved *saved, const struct alg_table *algs, const struct keys_locals *locals)
{
	*saved = (struct keys_saved){ .algs = algs, .locals = locals, .size = 64 };
	hash_key_random(&saved->hash_key);
	saved->names = calloc(saved->size, sizeof(*saved->names));
	return saved->names ? 0 : -ENOMEM;
}

void keys_saved_done(struct keys_saved *saved)
{
	free(saved->names);
	saved->names = NULL;
}

static uint64_t name_hash(const struct keys_saved *saved, enum sa_proto proto, uint32_t spi,
	const struct address *dst)
{
	struct {
		uint32_t proto, spi;
		uint8_t dst[sizeof(dst->bytes)];
	} bytes = { .proto = (uint32_t)proto, .spi = spi };
	uint64_t hash;

	memcpy(bytes.dst, dst->bytes, sizeof(bytes.dst));
	hash = hash_keyed(&saved->hash_key, &bytes, sizeof(bytes));
	return hash != 0 ? hash : 1;
}

/* Where the name stands, or the free place for it. */
static size_t name_place(const uint64_t *names, size_t size, uint64_t hash)
{
	size_t i = hash & (size - 1);

	while (names[i] != 0 && names[i] != hash)
		i = (i + 1) & (size - 1);
	return i;
}

static int remember(struct keys_saved *saved, const struct sa *sa)
{
	uint64_t hash = name_hash(saved, sa->proto, sa->spi, &sa->dst);

	if (2 * (saved->count + 1) > saved->size) {
		size_t size = 2 * saved->size;
		uint64_t *names = calloc(size, sizeof(*names));

		if (!names)
			return -ENOMEM;
		for (size_t i = 0; i < saved->size; i++)
			if (saved->names[i] != 0)
				names[name_place(names, size, saved->names[i])] = saved->names[i];
		free(saved->names);
		saved->names = names;
		saved->size = size;
	}
	saved->names[name_place(saved->names, saved->size, hash)] = hash;
	saved->count++;
	return 0;
}

static bool pair_is_written(const struct keys_saved *saved, const struct sa *sa)
{
	uint64_t hash = name_hash(saved, sa->proto, sa->pair_spi, &sa->src);

	return sa->pair_spi != 0 &&
	       saved->names[name_place(saved->names, saved->size, hash)] == hash;
}

static void add_nonzero(struct text *text, const char *word, uint64_t x)
{
	if (x != 0)
		text_addf(text, " %s %" PRIu64, word, x);
}

static void add_algorithms(const struct keys_saved *saved, const struct sa *sa, struct text *text)
{
	text_addf(text, "    spi 0x%" PRIx32, sa->spi);
	if (sa->proto == SA_PROTO_ESP && sa->encr != ALG_ENCR_NONE) {
		text_add(text, " encr_alg ");
		alg_print(saved->algs, ALG_PROTO_ESP, sa->encr, text);
	}
	if (sa->auth != ALG_AUTH_NONE) {
		text_add(text, " auth_alg ");
		alg_print(saved->algs, ALG_PROTO_AH, sa->auth, text);
	}
	text_addf(text, " replay %" PRIu32, sa->replay_window);
	if (sa->flags & SA_FLAG_ESN)
		text_add(text, " flags esn");
	if (sa->flags & SA_FLAG_ENCAP)
		text_add(text, " encap udp");
	if (pair_is_written(saved, sa))
		text_addf(text, " pair-spi 0x%" PRIx32, sa->pair_spi);
	text_add(text, " \\\n");
}

/* @directions: as the SA stands; said only when its addresses do not say it. */
static void add_directions(
	const struct keys_saved *saved, const struct sa *sa, uint8_t directions, struct text *text)
{
	if (directions == 0 ||
		(saved->locals && directions == keys_implied_directions(saved->locals, sa)))
		return;
	text_addf(text, "   %s%s \\\n", directions & SA_INBOUND ? " inbound" : "",
		directions & SA_OUTBOUND ? " outbound" : "");
}

static void add_limits(const char *kind, const struct sa_limits *limits, struct text *text)
{
	const struct {
		const char *name;
		uint64_t value;
	} rows[] = {
		{ "alloc", limits->allocations },
		{ "bytes", limits->bytes },
		{ "addtime", limits->add_sec },
		{ "usetime", limits->use_sec },
	};
	bool any = false;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (rows[i].value == 0)
			continue;
		text_addf(text, "%s%s_%s %" PRIu64, any ? " " : "\t", kind, rows[i].name,
			rows[i].value);
		any = true;
	}
	if (any)
		text_add(text, " \\\n");
}

static void add_inner(const char *word, const struct prefix *prefix, uint16_t port,
	const char *port_word, struct text *text)
{
	char str[PREFIX_TEXT_MAX];

	if (prefix->addr.family == AF_UNSPEC)
		return;
	text_addf(text, "    %s %s", word, prefix_format(prefix, str));
	add_nonzero(text, port_word, port);
	text_add(text, " \\\n");
}

static void add_addresses(const struct sa *sa, struct text *text)
{
	char addr[ADDRESS_TEXT_MAX];

	if (sa->protocol != 0)
		text_addf(text, "    proto %u \\\n", sa->protocol);
	if (!address_is_unspecified(&sa->src) || sa->src_port != 0) {
		text_addf(text, "    src %s", address_format(&sa->src, addr));
		add_nonzero(text, "sport", sa->src_port);
		text_add(text, " \\\n");
	}
	text_addf(text, "    dst %s", address_format(&sa->dst, addr));
	add_nonzero(text, "dport", sa->dst_port);
	text_add(text, " \\\n");
	if (sa->mode != SA_MODE_TUNNEL)
		return;
	if (sa->inner_protocol != 0)
		text_addf(text, "    iproto %u \\\n", sa->inner_protocol);
	add_inner("isrc", &sa->inner_src, sa->inner_src_port, "isport", text);
	add_inner("idst", &sa->inner_dst, sa->inner_dst_port, "idport", text);
}

static void add_nat(const struct sa *sa, struct text *text)
{
	bool addressed = sa->natt_local.family != AF_UNSPEC || sa->natt_remote.family != AF_UNSPEC;
	uint16_t remote_port = sa->natt_remote_port;
	char addr[ADDRESS_TEXT_MAX];

	if (!(sa->flags & SA_FLAG_ENCAP))
		return;
	/* A command has to name one of the four; this is what none of them means. */
	if (!addressed && !sa->natt_local_port && !remote_port)
		remote_port = NATT_PORT;
	text_add(text, "   ");
	if (sa->natt_local.family != AF_UNSPEC)
		text_addf(text, " nat_loc %s", address_format(&sa->natt_local, addr));
	add_nonzero(text, "nat_lport", sa->natt_local_port);
	if (sa->natt_remote.family != AF_UNSPEC)
		text_addf(text, " nat_rem %s", address_format(&sa->natt_remote, addr));
	add_nonzero(text, "nat_rport", remote_port);
	text_add(text, " \\\n");
}

static void add_key(const char *word, const struct secret *key, size_t bits, struct text *text)
{
	char hex[2 * SECRET_MAX_BYTES + 1];
	size_t len = (bits + 7) / 8;

	if (!key || bits == 0 || secret_len(key) < len)
		return;
	hex_encode(secret_bytes(key), len, hex);
	text_addf(text, "\t%s %s/%zu \\\n", word, hex, bits);
	secret_wipe(hex, sizeof(hex));
}

/* Between the quotes of a word: what the lexer takes, and nothing that it takes away. */
static bool is_quotable(const char *value)
{
	if (*value == '\0' || *value == ' ' || *value == '\t')
		return false;
	for (; *value; value++)
		if (((unsigned char)*value < ' ' && *value != '\t') || strchr("\"\\\x7f", *value))
			return false;
	return true;
}

static void add_identity(
	const char *word, const char *end, const struct pfkey_identity *identity, struct text *text)
{
	static const char *const types[] = { NULL, "prefix", "fqdn", "user_fqdn" };
	bool is_der = identity->type == PFKEY_IDENTITY_DN || identity->type == PFKEY_IDENTITY_GN;

	if (identity->type == 0 || is_der || !is_quotable(identity->value))
		return; /* cannot be read back, said before the command */
	text_addf(text, "\t%s ", word);
	if (identity->type < ARRAY_SIZE(types))
		text_add(text, types[identity->type]);
	else
		text_addf(text, "%u", identity->type);
	text_addf(text, " \"%s\" %s", identity->value, end);
}

static bool is_unreadable(const struct pfkey_identity *identity)
{
	CLEANUP(text_done) struct text text = { 0 };

	add_identity("", "", identity, &text);
	return identity->type != 0 && text.len == 0;
}

bool keys_are_told(const struct sa *sa)
{
	bool cipher = sa->proto == SA_PROTO_ESP && sa->encr != ALG_ENCR_NONE &&
		      sa->encr != ALG_ENCR_NULL;

	return (!cipher || sa->encr_key) && (sa->auth == ALG_AUTH_NONE || sa->auth_key);
}

int keys_save(struct keys_saved *saved, const struct pfkey_message *msg, struct text *text)
{
	const struct sa *sa = msg->sa;
	struct sa_limits idle = { .add_sec = sa->idle_add_sec, .use_sec = sa->idle_use_sec };
	char when[KEYS_TIME_TEXT_MAX];
	uint8_t directions = (uint8_t)((msg->sa_flags & PFKEY_SAF_INBOUND ? SA_INBOUND : 0U) |
				       (msg->sa_flags & PFKEY_SAF_OUTBOUND ? SA_OUTBOUND : 0U));

	if (sa->state == SA_LARVAL || sa->state == SA_DEAD)
		return 0;
	if (!keys_are_told(sa))
		return -EACCES;
	text_add(text, "# begin assoc\n");
	if (sa->state != SA_MATURE && sa_state_name(sa->state))
		text_addf(text, "# was %s\n", sa_state_name(sa->state));
	if (is_unreadable(&msg->identity_src) || is_unreadable(&msg->identity_dst))
		text_add(text, "# left out: an identity that has no text form\n");
	text_addf(text, "add %s \\\n", sa->proto == SA_PROTO_AH ? "ah" : "esp");
	add_algorithms(saved, sa, text);
	add_directions(saved, sa, directions, text);
	add_limits("hard", &sa->hard, text);
	add_limits("soft", &sa->soft, text);
	add_limits("idle", &idle, text);
	add_addresses(sa, text);
	add_nat(sa, text);
	add_key("authkey", sa->auth_key, sa->auth_key_bits, text);
	add_key("encrkey", sa->encr_key, (size_t)sa->encr_key_bits + sa->salt_bits, text);
	add_identity("srcidtype", "\\\n", &msg->identity_src, text);
	add_identity("dstidtype", "\\\n", &msg->identity_dst, text);
	if (sa->replay_value != 0)
		text_addf(text, "    replay_value %" PRIu64 " \\\n", sa->replay_value);
	if (sa->tfc_pad != 0)
		text_addf(text, "    tfc_pad %u \\\n", sa->tfc_pad);
	if (sa->tfc_dummy_msec != 0)
		text_addf(text, "    tfc_dummy %" PRIu32 " \\\n", sa->tfc_dummy_msec);
	if (saved->send_from != 0)
		text_addf(text, "    send_from %s \\\n", keys_time_format(saved->send_from, when));
	text_add(text, "\n# end assoc\n\n");
	return text->failed ? -ENOMEM : remember(saved, sa);
}
