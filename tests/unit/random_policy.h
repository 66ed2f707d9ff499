/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rules and packets at random, drawn from few enough values that they meet often. */
#ifndef UNIT_RANDOM_POLICY_H
#define UNIT_RANDOM_POLICY_H

#include <stdint.h>
#include <string.h>

#include "tests/unit/rules.h"

static inline uint64_t random_next(uint64_t *state)
{
	uint64_t x = *state;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	*state = x;
	return x * UINT64_C(0x2545f4914f6cdd1d) >> 11;
}

static inline uint32_t random_below(uint64_t *state, uint32_t n)
{
	return (uint32_t)(random_next(state) % n);
}

/* Bytes from a small alphabet with the corners in it, so that prefixes nest. */
static inline struct address random_address(uint64_t *state, int family)
{
	static const uint8_t values[] = { 0, 1, 10, 0x7f, 0x80, 0xc0, 0xfe, 0xff };
	struct address addr = { .family = (uint8_t)family };
	unsigned int spread = 1 + random_below(state, 8);

	for (size_t i = 0; i < address_len(family); i++)
		addr.bytes[i] = values[random_below(state, spread)];
	return addr;
}

static inline struct prefix random_prefix(uint64_t *state, int family)
{
	static const uint8_t many[] = { 1, 8, 12, 16, 31, 32, 33, 48, 63, 64, 65, 96, 127, 128 };
	struct address addr = random_address(state, family);
	unsigned int bits = many[random_below(state, ARRAY_SIZE(many))];
	struct prefix prefix;

	if (random_below(state, 20) == 0)
		bits = 0;
	if (bits > address_bits(family))
		bits = random_below(state, address_bits(family) + 1);
	ck_assert_int_eq(prefix_make(&addr, bits, &prefix), 0);
	return prefix;
}

static inline uint16_t random_port(uint64_t *state)
{
	static const uint16_t ports[] = { 1, 22, 53, 80, 443, 1024, 8080, 65535 };

	return random_below(state, 4) ? ports[random_below(state, ARRAY_SIZE(ports))]
				      : (uint16_t)(1 + random_below(state, 65535));
}

static inline void random_ports(uint64_t *state, uint16_t *ret_first, uint16_t *ret_last)
{
	uint32_t width = 1 + random_below(state, random_below(state, 2) ? 8 : 30000);

	*ret_first = random_port(state);
	if (random_below(state, 3) == 0 && *ret_first < 65535)
		*ret_last = (uint16_t)(*ret_first + width > 65535 ? 65535 : *ret_first + width);
}

static inline void random_icmp(uint64_t *state, struct selector *s)
{
	s->has_icmp_type = random_below(state, 4) != 0;
	s->has_icmp_code = random_below(state, 3) == 0;
	s->icmp_type_low = (uint8_t)random_below(state, 12);
	s->icmp_type_high = (uint8_t)(s->icmp_type_low + random_below(state, 3));
	s->icmp_code_low = (uint8_t)random_below(state, 3);
	s->icmp_code_high = (uint8_t)(s->icmp_code_low + random_below(state, 2));
}

static const uint8_t random_protocols[] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP, IPPROTO_ICMP,
	IPPROTO_ICMPV6, IPPROTO_ESP };

/* A rule of one action for one of the heads "", "tun0" and "tun1". */
static inline struct rule *random_rule(uint64_t *state, uint32_t order)
{
	static const struct action *const actions[] = { &rules_esp, &rules_drop, &rules_ah,
		&rules_bypass };
	int family = random_below(state, 3) ? AF_INET : AF_INET6;
	struct selector s = { .family = AF_UNSPEC };
	struct rule *rule;

	if (random_below(state, 4))
		s.local = random_prefix(state, family);
	if (random_below(state, 3))
		s.remote = random_prefix(state, family);
	if (random_below(state, 3) == 0)
		s.family = (uint8_t)family;
	if (random_below(state, 4))
		s.protocol = random_protocols[random_below(state, ARRAY_SIZE(random_protocols))];
	if (random_below(state, 3) == 0)
		random_ports(state, &s.local_port, &s.local_port_last);
	if (random_below(state, 2) == 0)
		random_ports(state, &s.remote_port, &s.remote_port_last);
	if (random_below(state, 8) == 0 || s.protocol == IPPROTO_ICMP)
		random_icmp(state, &s);
	rule = rules_make(s, *actions[random_below(state, random_below(state, 4) ? 3 : 4)], order);
	rule->directions = (uint8_t)(1 + random_below(state, 3));
	if (random_below(state, 8) == 0)
		ck_assert_int_eq(text_copy(rule->tunnel, RULE_TUNNEL_MAX,
					 random_below(state, 2) ? "tun0" : "tun1"),
			0);
	return rule;
}

/* A packet that lies, with luck, in @rule (NULL: in none on purpose). */
static inline struct flow random_flow(uint64_t *state, const struct rule *rule)
{
	const struct selector *s = rule ? &rule->selector : NULL;
	int family = random_below(state, 3) ? AF_INET : AF_INET6;
	struct flow flow = { .direction = (enum direction)random_below(state, 2) };

	if (s && s->local.addr.family != AF_UNSPEC)
		family = s->local.addr.family;
	else if (s && s->remote.addr.family != AF_UNSPEC)
		family = s->remote.addr.family;
	flow.local = random_address(state, family);
	flow.remote = random_address(state, family);
	flow.protocol =
		s && s->protocol
			? s->protocol
			: random_protocols[random_below(state, ARRAY_SIZE(random_protocols))];
	if (s && s->local.addr.family == family)
		for (unsigned int i = 0; i < s->local.bits / 8U; i++)
			flow.local.bytes[i] = s->local.addr.bytes[i];
	if (s && s->remote.addr.family == family)
		for (unsigned int i = 0; i < s->remote.bits / 8U; i++)
			flow.remote.bytes[i] = s->remote.addr.bytes[i];
	flow.has_ports = protocol_has_ports(flow.protocol) && random_below(state, 8) != 0;
	flow.has_icmp = protocol_is_icmp(flow.protocol, family) && random_below(state, 8) != 0;
	if (flow.has_ports) {
		flow.local_port = s && s->local_port ? s->local_port : random_port(state);
		flow.remote_port = s && s->remote_port ? s->remote_port : random_port(state);
		if (s && s->remote_port_last && random_below(state, 2))
			flow.remote_port = s->remote_port_last;
		if (random_below(state, 10) == 0)
			flow.local_port++;
	}
	flow.icmp_type = flow.has_icmp ? (uint8_t)random_below(state, 14) : 0;
	flow.icmp_code = flow.has_icmp ? (uint8_t)random_below(state, 4) : 0;
	return flow;
}

#endif
