/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The JSON half of keys_print.h. Fields are listed in ipseckey(8). */
#include <inttypes.h>
#include <json-c/json.h>

#include "common/base/secret.h"
#include "services/manual-key/keys_print.h"

static bool has(const struct pfkey_message *msg, enum pfkey_extension extension)
{
	return msg->present & PFKEY_BIT(extension);
}

static void add_number(struct json_object *object, const char *key, uint64_t x)
{
	(void)json_object_object_add(object, key, json_object_new_uint64(x));
}

static void add_string(struct json_object *object, const char *key, const char *str)
{
	(void)json_object_object_add(object, key, json_object_new_string(str));
}

static void add_text(struct json_object *object, const char *key, struct text *text)
{
	add_string(object, key, text->str ? text->str : "");
	text_done(text);
}

static void add_algorithm(struct json_object *object, const char *key, uint8_t proto,
	uint8_t number, const struct keys_print_style *style)
{
	struct text name = { 0 };

	if (number == 0)
		return;
	alg_print(style->algs, proto, number, &name);
	add_text(object, key, &name);
}

static void add_prefix(struct json_object *object, const char *key, const struct prefix *prefix)
{
	char str[PREFIX_TEXT_MAX];

	add_string(object, key, prefix_format(prefix, str));
}

static void add_address(struct json_object *object, const char *key, const struct address *addr)
{
	char str[ADDRESS_TEXT_MAX];

	if (addr->family != AF_UNSPEC)
		add_string(object, key, address_format(addr, str));
}

static void add_nonzero(struct json_object *object, const char *key, uint64_t x)
{
	if (x != 0)
		add_number(object, key, x);
}

static void add_key(
	struct json_object *object, const char *key, const struct secret *secret, size_t bits)
{
	char hex[2 * SECRET_MAX_BYTES + 1];
	size_t len = (bits + 7) / 8;

	if (!secret || secret_len(secret) < len)
		return;
	hex_encode(secret_bytes(secret), len, hex);
	add_string(object, key, hex);
	secret_wipe(hex, sizeof(hex));
}

static void add_limits(struct json_object *object, const char *key, const struct sa_limits *limits)
{
	struct json_object *entry = json_object_new_object();

	add_nonzero(entry, "bytes", limits->bytes);
	add_nonzero(entry, "addtime", limits->add_sec);
	add_nonzero(entry, "usetime", limits->use_sec);
	add_nonzero(entry, "alloc", limits->allocations);
	(void)json_object_object_add(object, key, entry);
}

static void add_current(struct json_object *object, const struct pfkey_current *current)
{
	struct json_object *entry = json_object_new_object();

	add_number(entry, "bytes", current->bytes);
	add_number(entry, "alloc", current->allocations);
	add_nonzero(entry, "added", current->add_wall_sec);
	add_nonzero(entry, "used", current->use_wall_sec);
	(void)json_object_object_add(object, "current", entry);
}

static void add_flags(struct json_object *object, uint32_t flags)
{
	struct json_object *names = json_object_new_array();

	for (const struct pfkey_flag *flag = pfkey_flags; flag->name; flag++)
		if (flags & flag->bit)
			(void)json_object_array_add(names, json_object_new_string(flag->name));
	(void)json_object_object_add(object, "flags", names);
}

static void add_ends(struct json_object *object, const struct pfkey_message *msg)
{
	const struct sa *sa = msg->sa;

	add_address(object, "source", &sa->src);
	add_address(object, "destination", &sa->dst);
	add_nonzero(object, "protocol", sa->protocol);
	add_nonzero(object, "source_port", sa->src_port);
	add_nonzero(object, "destination_port", sa->dst_port);
	if (sa->mode == SA_MODE_TUNNEL) {
		add_prefix(object, "inner_source", &sa->inner_src);
		add_prefix(object, "inner_destination", &sa->inner_dst);
		add_nonzero(object, "inner_protocol", sa->inner_protocol);
		add_nonzero(object, "inner_source_port", sa->inner_src_port);
		add_nonzero(object, "inner_destination_port", sa->inner_dst_port);
	}
	add_address(object, "natt_local", &sa->natt_local);
	add_nonzero(object, "natt_local_port", sa->natt_local_port);
	add_address(object, "natt_remote", &sa->natt_remote);
	add_nonzero(object, "natt_remote_port", sa->natt_remote_port);
}

struct json_object *keys_print_json(
	const struct pfkey_message *msg, const struct keys_print_style *style)
{
	static const char *const states[] = { "larval", "mature", "dying", "dead" };
	struct json_object *object = json_object_new_object();
	const struct sa *sa = msg->sa;

	if (!object)
		return NULL;
	add_string(object, "type", msg->satype == PFKEY_SATYPE_AH ? "ah" : "esp");
	add_number(object, "spi", sa->spi);
	add_string(object, "mode", sa->mode == SA_MODE_TUNNEL ? "tunnel" : "transport");
	add_string(object, "state", sa->state < ARRAY_SIZE(states) ? states[sa->state] : "other");
	add_ends(object, msg);
	add_algorithm(object, "auth_alg", ALG_PROTO_AH, sa->auth, style);
	add_algorithm(object, "encr_alg", ALG_PROTO_ESP, sa->encr, style);
	add_number(object, "replay_window", sa->replay_window);
	if (has(msg, PFKEY_EXT_REPLAY_VALUE))
		add_number(object, "replay_value", sa->replay_value);
	add_nonzero(object, "pair_spi", sa->pair_spi);
	add_nonzero(object, "tfc_pad", sa->tfc_pad);
	add_nonzero(object, "tfc_dummy", sa->tfc_dummy_msec);
	add_flags(object, msg->sa_flags);
	if (has(msg, PFKEY_EXT_LIFETIME_CURRENT))
		add_current(object, &msg->current);
	if (has(msg, PFKEY_EXT_LIFETIME_SOFT))
		add_limits(object, "soft", &sa->soft);
	if (has(msg, PFKEY_EXT_LIFETIME_HARD))
		add_limits(object, "hard", &sa->hard);
	if (has(msg, PFKEY_EXT_LIFETIME_IDLE)) {
		struct sa_limits idle = { .add_sec = sa->idle_add_sec,
			.use_sec = sa->idle_use_sec };

		add_limits(object, "idle", &idle);
	}
	if (style->paranoid)
		return object;
	if (has(msg, PFKEY_EXT_KEY_AUTH))
		add_key(object, "auth_key", sa->auth_key, sa->auth_key_bits);
	if (has(msg, PFKEY_EXT_KEY_ENCRYPT))
		add_key(object, "encr_key", sa->encr_key,
			(size_t)sa->encr_key_bits + sa->salt_bits);
	return object;
}
