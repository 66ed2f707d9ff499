/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/bench/bench_rules.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH 9U

uint64_t bench_random(struct bench_random *random)
{
	uint64_t x = random->state;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	random->state = x;
	return x * UINT64_C(0x2545f4914f6cdd1d) >> 11;
}

static uint32_t below(struct bench_random *random, uint32_t n)
{
	return (uint32_t)(bench_random(random) % n);
}

static uint16_t any_port(struct bench_random *random)
{
	return (uint16_t)(1 + below(random, 65535));
}

/* The host whose prefixes the next rules name, longer each time. */
struct nest {
	struct address host;
	unsigned int depth;
};

static void random_bytes(struct bench_random *random, struct address *addr)
{
	for (size_t i = 0; i < address_len(addr->family); i++)
		addr->bytes[i] = (uint8_t)below(random, 256);
}

static int next_prefix(struct bench_random *random, struct nest *nest, struct prefix *ret)
{
	static const uint8_t bits4[DEPTH] = { 8, 11, 14, 17, 20, 23, 26, 29, 32 };
	static const uint8_t bits6[DEPTH] = { 16, 28, 32, 40, 48, 56, 64, 96, 128 };
	bool v4 = nest->host.family == AF_INET;

	if (nest->depth == 0) {
		random_bytes(random, &nest->host);
		nest->host.bytes[0] = v4 ? (uint8_t)(1 + below(random, 220)) : 0x20;
	}
	if (prefix_make(&nest->host, (v4 ? bits4 : bits6)[nest->depth], ret) < 0)
		return -EINVAL;
	nest->depth = (nest->depth + 1) % DEPTH;
	return 0;
}

static struct rule *make_rule(struct bench_random *random, struct nest nests[static 2])
{
	struct rule *rule = rule_new(1);
	struct nest *nest = &nests[below(random, 10) < 3];
	struct selector *s;

	if (!rule)
		return NULL;
	s = &rule->selector;
	rule->directions = DIRECTION_BIT_BOTH;
	rule->actions[0].kind = ACTION_DISCARD;
	s->family = nest->host.family;
	s->protocol = below(random, 4) ? IPPROTO_TCP : IPPROTO_UDP;
	if (below(random, 10) < 3) {
		*(below(random, 3) ? &s->remote_port : &s->local_port) = any_port(random);
		return rule;
	}
	if (below(random, 2))
		s->remote_port = (uint16_t)(1 + below(random, 1024));
	if (next_prefix(random, nest, &s->remote) < 0)
		return rule_free(rule);
	return rule;
}

void bench_rules_free(struct rule **rules, size_t count)
{
	for (size_t i = 0; rules && i < count; i++)
		(void)rule_free(rules[i]);
	free(rules);
}

int bench_rules_new(struct bench_random *random, size_t count, struct rule ***ret_rules)
{
	struct nest nests[2] = { { .host = { .family = AF_INET } },
		{ .host = { .family = AF_INET6 } } };
	struct rule **rules = calloc(count + 1, sizeof(*rules));

	for (size_t i = 0; rules && i < count; i++) {
		rules[i] = make_rule(random, nests);
		if (!rules[i]) {
			bench_rules_free(rules, i);
			return -ENOMEM;
		}
	}
	if (!rules)
		return -ENOMEM;
	for (size_t i = count; i > 1; i--) {
		size_t other = below(random, (uint32_t)i);
		struct rule *rule = rules[i - 1];

		rules[i - 1] = rules[other];
		rules[other] = rule;
	}
	for (size_t i = 0; i < count; i++)
		rules[i]->order = (uint32_t)i;
	*ret_rules = rules;
	return 0;
}

/* The first bits are the prefix's, the others stay. */
static void move_into(struct address *addr, const struct prefix *prefix)
{
	for (unsigned int i = 0; i < prefix->bits; i++) {
		uint8_t bit = (uint8_t)(0x80U >> i % 8);

		addr->bytes[i / 8] = (uint8_t)((addr->bytes[i / 8] & ~bit) |
					       (prefix->addr.bytes[i / 8] & bit));
	}
}

struct flow bench_flow(struct bench_random *random, struct rule *const *rules, size_t count)
{
	const struct selector *s = &rules[below(random, (uint32_t)count)]->selector;
	struct flow flow = { .direction = DIRECTION_OUT,
		.local = { .family = s->family },
		.remote = { .family = s->family },
		.protocol = s->protocol,
		.has_ports = true };

	random_bytes(random, &flow.local);
	random_bytes(random, &flow.remote);
	if (s->remote.addr.family != AF_UNSPEC)
		move_into(&flow.remote, &s->remote);
	flow.local_port = s->local_port ? s->local_port : any_port(random);
	flow.remote_port = s->remote_port ? s->remote_port : any_port(random);
	return flow;
}
