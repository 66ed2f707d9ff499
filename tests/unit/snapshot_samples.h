/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A sample of each section that uses every part of its records. */
#ifndef UNIT_SNAPSHOT_SAMPLES_H
#define UNIT_SNAPSHOT_SAMPLES_H

#include <check.h>
#include <string.h>

#include "common/snapshot/snapshot.h"

static inline struct address sample_address(const char *text)
{
	struct address addr;

	ck_assert_int_eq(address_parse(text, &addr), 0);
	return addr;
}

static inline struct prefix sample_prefix(const char *text, unsigned int bits)
{
	struct address addr = sample_address(text);
	struct prefix prefix;

	ck_assert_int_eq(prefix_make(&addr, bits, &prefix), 0);
	return prefix;
}

static inline struct alg_table *sample_algorithms(void)
{
	static const struct algorithm entries[] = {
		{ .proto = ALG_PROTO_ESP,
			.number = ALG_ENCR_AES_GCM16,
			.n_names = 2,
			.names = { "aes-gcm", "aes-gcm16" },
			.mechanism = "CKM_AES_GCM",
			.key_default_bits = 128,
			.key_min_bits = 128,
			.key_max_bits = 256,
			.key_increment_bits = 64,
			.block_bytes = 16,
			.iv_bytes = 8,
			.icv_bytes = 16,
			.salt_bytes = 4,
			.flags = ALG_FLAG_VALID | ALG_FLAG_COUNTER | ALG_FLAG_COMBINED |
				 ALG_FLAG_GCM },
		{ .proto = ALG_PROTO_AH,
			.number = ALG_AUTH_HMAC_SHA256,
			.n_names = 1,
			.names = { "hmac-sha256" },
			.key_default_bits = 256,
			.key_min_bits = 160,
			.key_max_bits = 512,
			.key_sizes_bits = { 256, 160, 512 },
			.block_bytes = 32,
			.flags = ALG_FLAG_VALID },
		{ .proto = ALG_PROTO_ESP,
			.number = ALG_ENCR_NULL,
			.n_names = 1,
			.names = { "null" } },
	};

	return alg_table_new(entries, ARRAY_SIZE(entries));
}

static inline struct rule *sample_rule(uint32_t order, enum action_kind kind)
{
	struct rule *rule = rule_new(1);

	ck_assert_ptr_nonnull(rule);
	rule->order = order;
	rule->index = order + 1;
	rule->line = 10 * order;
	rule->directions = DIRECTION_BIT_BOTH;
	rule->actions[0].kind = kind;
	return rule;
}

static inline struct rule *sample_protection(uint32_t order)
{
	struct rule *rule = rule_new(2);

	ck_assert_ptr_nonnull(rule);
	rule->order = order;
	rule->directions = DIRECTION_BIT_OUT;
	rule->negotiate = TUNNEL_TUNNEL;
	ck_assert_int_eq(text_copy(rule->tunnel, sizeof(rule->tunnel), "tun0"), 0);
	rule->selector.family = AF_INET6;
	rule->selector.protocol = IPPROTO_TCP;
	rule->selector.local_port = 443;
	rule->selector.local = sample_prefix("2001:db8::", 32);
	rule->selector.remote = sample_prefix("2001:db8:1::7", 128);
	rule->actions[0] = (struct action){ .kind = ACTION_PROTECT,
		.unique = true,
		.has_ah = true,
		.has_esp = true,
		.has_esp_auth = true,
		.ah = { ALG_AUTH_HMAC_SHA512, 512, 512 },
		.esp = { ALG_ENCR_AES_CBC, 128, UINT16_MAX },
		.esp_auth = { ALG_AUTH_HMAC_SHA256, 0, 0 } };
	rule->actions[1] = (struct action){
		.kind = ACTION_PROTECT, .has_esp = true, .esp = { ALG_ENCR_AES_GCM16, 256, 256 }
	};
	return rule;
}

static inline struct spd *sample_policy(enum spd_precedence precedence)
{
	struct rule *rules[8] = { sample_protection(0), sample_rule(1, ACTION_BYPASS),
		sample_rule(2, ACTION_DISCARD), sample_protection(3), sample_rule(4, ACTION_BYPASS),
		sample_rule(4, ACTION_DISCARD), sample_rule(5, ACTION_DISCARD),
		sample_protection(6) };
	struct spd *spd = NULL;

	rules[1]->selector = (struct selector){ .family = AF_INET,
		.protocol = IPPROTO_ICMP,
		.has_icmp_type = true,
		.icmp_type_low = 0,
		.icmp_type_high = 8,
		.has_icmp_code = true,
		.icmp_code_low = 3,
		.icmp_code_high = 3 };
	rules[2]->selector.remote = sample_prefix("192.0.2.0", 24);
	rules[2]->selector.remote_port = 1024;
	rules[2]->selector.remote_port_last = 2047;
	for (size_t i = 6; i < ARRAY_SIZE(rules); i++) {
		rules[i]->audit = true;
		rules[i]->source = 1;
		rules[i]->selector.local_port = 8000;
		rules[i]->selector.local_port_last = 8080;
	}
	ck_assert_int_eq(spd_new(rules, ARRAY_SIZE(rules), precedence, &spd), 0);
	ck_assert_int_eq(spd_add_source(spd, "/etc/inet/ipsecinit.conf"), 0);
	ck_assert_int_eq(spd_add_source(spd, "site fragment"), 0);
	return spd;
}

static inline struct sa *sample_tunnel_sa(uint32_t spi)
{
	static const uint8_t key[36] = "sixteen or so octets, and four more";
	struct sa *sa = sa_new();

	ck_assert_ptr_nonnull(sa);
	*sa = (struct sa){ .proto = SA_PROTO_ESP,
		.spi = spi,
		.src = sample_address("192.0.2.1"),
		.dst = sample_address("192.0.2.17"),
		.mode = SA_MODE_TUNNEL,
		.inner_src = sample_prefix("10.0.0.0", 8),
		.inner_dst = sample_prefix("172.16.0.0", 12),
		.inner_protocol = IPPROTO_UDP,
		.inner_src_port = 53,
		.inner_dst_port = 5353,
		.encr = ALG_ENCR_AES_GCM16,
		.encr_key_bits = 256,
		.salt_bits = 32,
		.flags = SA_FLAG_ESN | SA_FLAG_ENCAP,
		.directions = SA_OUTBOUND,
		.state = SA_MATURE,
		.replay_window = 64,
		.replay_value = UINT64_C(0x100000001),
		.pair_spi = 7,
		.reqid = 9,
		.soft = { 1, 2, 3, 4 },
		.hard = { 5, 6, 7, 8 },
		.idle_add_sec = 10,
		.idle_use_sec = 11,
		.natt_local = sample_address("192.0.2.1"),
		.natt_remote = sample_address("198.51.100.1"),
		.natt_local_port = 4500,
		.tfc_pad = 1400,
		.tfc_dummy_msec = 70000 };
	ck_assert_int_eq(secret_new(key, sizeof(key), &sa->encr_key), 0);
	ck_assert_int_eq(sa_set_identity(&sa->identity_src, 2, 5, "alpha.example"), 0);
	ck_assert_int_eq(sa_set_identity(&sa->identity_dst, 3, 0, ""), 0);
	sa->km_protocol = 1;
	sa->km_cookie = UINT64_C(0x123456789abcdef0);
	sa_normalise(sa);
	return sa;
}

static inline struct sa *sample_transport_sa(uint32_t spi)
{
	static const uint8_t key[32] = "another key of thirty-two octets";
	struct sa *sa = sa_new();

	ck_assert_ptr_nonnull(sa);
	*sa = (struct sa){ .proto = SA_PROTO_AH,
		.spi = spi,
		.dst = sample_address("2001:db8::1"),
		.protocol = IPPROTO_TCP,
		.dst_port = 22,
		.auth = ALG_AUTH_HMAC_SHA256,
		.auth_key_bits = 256,
		.state = SA_MATURE,
		.origin = SA_ORIGIN_PFKEY };
	ck_assert_int_eq(secret_new(key, sizeof(key), &sa->auth_key), 0);
	sa_normalise(sa);
	return sa;
}

static inline struct sa_list *sample_keys(void)
{
	struct sa_list *list = sa_list_new(1);

	ck_assert_ptr_nonnull(list);
	ck_assert_int_eq(sa_list_add(list, sample_tunnel_sa(0x1001)), 0);
	ck_assert_int_eq(sa_list_add(list, sample_transport_sa(0xffffffff)), 0);
	ck_assert_int_eq(sa_list_add(list, sample_tunnel_sa(0x1002)), 0);
	return list;
}

#endif
