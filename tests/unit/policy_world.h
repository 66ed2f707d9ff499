/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A small world for policy texts: an algorithm table and names that resolve the same everywhere. */
#ifndef UNIT_POLICY_WORLD_H
#define UNIT_POLICY_WORLD_H

#include <errno.h>
#include <string.h>

#include "common/conf/resolve.h"
#include "common/conf/value.h"
#include "common/model/algorithm.h"

#define WORLD_FIXED(bits)                                                           \
	.key_default_bits = (bits), .key_min_bits = (bits), .key_max_bits = (bits), \
	.key_sizes_bits = { (bits) }
#define WORLD_AES \
	.key_default_bits = 128, .key_min_bits = 128, .key_max_bits = 256, .key_increment_bits = 64

static const struct algorithm world_algs[] = {
	{ .proto = 2, .number = 0, .n_names = 2, .names = { "none", "any" } },
	{ .proto = 2, .number = 2, .n_names = 2, .names = { "hmac-md5", "md5" }, WORLD_FIXED(128) },
	{ .proto = 2,
		.number = 3,
		.n_names = 3,
		.names = { "hmac-sha1", "sha1", "sha" },
		WORLD_FIXED(160) },
	{ .proto = 2,
		.number = 5,
		.n_names = 2,
		.names = { "hmac-sha256", "sha256" },
		WORLD_FIXED(256) },
	{ .proto = 2,
		.number = 7,
		.n_names = 2,
		.names = { "hmac-sha512", "sha512" },
		WORLD_FIXED(512) },
	{ .proto = 3, .number = 0, .n_names = 1, .names = { "any" } },
	{ .proto = 3, .number = 2, .n_names = 2, .names = { "des-cbc", "des" }, WORLD_FIXED(64) },
	{ .proto = 3,
		.number = 3,
		.n_names = 2,
		.names = { "3des-cbc", "3des" },
		WORLD_FIXED(192) },
	{ .proto = 3, .number = 11, .n_names = 1, .names = { "null" } },
	{ .proto = 3, .number = 12, .n_names = 2, .names = { "aes-cbc", "aes" }, WORLD_AES },
	{ .proto = 3,
		.number = 20,
		.n_names = 2,
		.names = { "aes-gcm", "aes-gcm16" },
		WORLD_AES,
		.flags = ALG_FLAG_COUNTER | ALG_FLAG_COMBINED | ALG_FLAG_GCM },
};

static inline struct alg_table *world_table(void)
{
	struct alg_table *table = alg_table_new(world_algs, ARRAY_SIZE(world_algs));

	if (!table)
		abort();
	return table;
}

static const struct {
	const char *name;
	const char *addrs[4];
	bool is_network;
} world_hosts[] = {
	{ "one", { "192.0.2.1" }, false },
	{ "multi", { "192.0.2.10", "192.0.2.11", "2001:db8::10" }, false },
	{ "dual", { "192.0.2.20", "2001:db8::20" }, false },
	{ "six", { "2001:db8::6" }, false },
	{ "src", { "192.0.2.30" }, false },
	{ "labnet", { "198.51.100.0" }, true },
};

static inline int world_host(void *userdata, const char *name, int family, struct resolved *ret)
{
	(void)userdata;
	*ret = (struct resolved){ 0 };
	if (strcmp(name, "slow") == 0)
		return -ETIMEDOUT;
	for (size_t i = 0; i < ARRAY_SIZE(world_hosts); i++) {
		if (strcmp(world_hosts[i].name, name) != 0)
			continue;
		for (size_t n = 0; n < 4 && world_hosts[i].addrs[n]; n++) {
			struct address addr;

			if (address_parse(world_hosts[i].addrs[n], &addr) < 0)
				abort();
			if (family == AF_UNSPEC || addr.family == family)
				ret->addrs[ret->count++] = addr;
		}
		ret->is_network = world_hosts[i].is_network;
		return ret->count > 0 ? 0 : -ENOENT;
	}
	return -ENOENT;
}

static inline int world_service(void *userdata, const char *name, uint16_t *ret_port)
{
	return resolver_fixed.service(userdata, name, ret_port);
}

static inline int world_protocol(void *userdata, const char *name, uint8_t *ret_protocol)
{
	return resolver_fixed.protocol(userdata, name, ret_protocol);
}

static const struct resolver world_resolver = {
	.host = world_host,
	.service = world_service,
	.protocol = world_protocol,
};

#endif
