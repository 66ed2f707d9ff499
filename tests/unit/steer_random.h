/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Random policies and packets that meet them, and what steering must make of a packet. */
#ifndef UNIT_STEER_RANDOM_H
#define UNIT_STEER_RANDOM_H

#include "common/spd/spd.h"
#include "services/datapath/steer/steer_program.h"
#include "tests/unit/rules.h"

enum random_end { RANDOM_LOCAL, RANDOM_REMOTE };

static inline uint32_t random_next(uint32_t *state)
{
	*state = *state * 1664525U + 1013904223U;
	return *state >> 8;
}

static inline uint32_t random_below(uint32_t *state, uint32_t n)
{
	return random_next(state) % n;
}

/* Few values, so that prefixes nest and packets hit. */
static inline struct address random_address(uint32_t *state, int family, enum random_end end)
{
	struct address addr = address_any(family);

	/* No address is both local and remote, and all are unicast. */
	addr.bytes[0] = family == AF_INET ? 10 : 0x20;
	addr.bytes[0] = (uint8_t)(addr.bytes[0] + (end == RANDOM_REMOTE));
	for (size_t i = 1; i < address_len(family); i++)
		addr.bytes[i] = (uint8_t)(random_below(state, 4) == 0
						  ? 0xff * random_below(state, 2)
						  : random_below(state, 3));
	return addr;
}

static inline struct prefix random_prefix(uint32_t *state, int family, enum random_end end)
{
	struct address addr = random_address(state, family, end);
	unsigned int bits = address_bits(family);
	struct prefix prefix = { 0 };

	switch (random_below(state, 4)) {
	case 0:
		return prefix;
	case 1:
		return prefix_host(&addr);
	default:
		ck_assert_int_eq(prefix_make(&addr, random_below(state, bits / 4) * 4, &prefix), 0);
		return prefix;
	}
}

static inline void random_upper(uint32_t *state, struct selector *sel)
{
	static const uint8_t protocols[] = { 0, IPPROTO_TCP, IPPROTO_UDP, 47 };

	if (random_below(state, 8) == 0) {
		sel->protocol = sel->family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6;
		sel->has_icmp_type = random_below(state, 3) != 0;
		sel->has_icmp_code = random_below(state, 3) == 0;
		sel->icmp_type_low = (uint8_t)random_below(state, 5);
		sel->icmp_type_high = (uint8_t)(sel->icmp_type_low + random_below(state, 9));
		sel->icmp_code_low = (uint8_t)random_below(state, 3);
		sel->icmp_code_high = (uint8_t)(sel->icmp_code_low + random_below(state, 2));
		return;
	}
	sel->protocol = protocols[random_below(state, ARRAY_SIZE(protocols))];
	if (sel->protocol == 47)
		return;
	if (random_below(state, 3) == 0)
		sel->local_port = (uint16_t)(1 + random_below(state, 4));
	if (random_below(state, 3) == 0)
		sel->remote_port = (uint16_t)(1 + random_below(state, 4));
	/* The generator's ports are few, so ranges begin and end among them too. */
	if (sel->local_port && random_below(state, 4) == 0)
		sel->local_port_last = (uint16_t)(sel->local_port + 1 + random_below(state, 6));
	if (sel->remote_port && random_below(state, 4) == 0)
		sel->remote_port_last = (uint16_t)(sel->remote_port + 1 + random_below(state, 3));
}

static inline struct rule *random_rule(uint32_t *state, uint32_t order, uint32_t flavour)
{
	static const uint8_t directions[] = { DIRECTION_BIT_BOTH, DIRECTION_BIT_OUT,
		DIRECTION_BIT_IN };
	struct selector sel = { .family = random_below(state, 2) ? AF_INET : AF_INET6 };
	struct rule *rule = rule_new(flavour && random_below(state, flavour) == 0 ? 2 : 1);

	ck_assert_ptr_nonnull(rule);
	random_upper(state, &sel);
	sel.local = random_prefix(state, sel.family, RANDOM_LOCAL);
	sel.remote = random_prefix(state, sel.family, RANDOM_REMOTE);
	rule->order = order;
	rule->selector = sel;
	rule->directions = directions[random_below(state, ARRAY_SIZE(directions))];
	switch (random_below(state, 4)) {
	case 0:
		rule->actions[0] = rules_bypass;
		break;
	case 1:
		rule->actions[0] = rules_drop;
		break;
	default:
		rule->actions[0] = rules_esp;
		break;
	}
	if (rule->n_actions > 1)
		rule->actions[1] = rules_bypass;
	return rule;
}

static inline struct flow random_flow(uint32_t *state, const struct spd *spd)
{
	static const uint8_t protocols[] = { IPPROTO_TCP, IPPROTO_UDP, 47, IPPROTO_ICMP,
		IPPROTO_ICMPV6 };
	const struct selector *sel =
		&spd->rules[random_below(state, (uint32_t)spd->count)]->selector;
	int family = sel->family;
	struct flow flow = { .direction = random_below(state, 2) ? DIRECTION_OUT : DIRECTION_IN,
		.local = random_address(state, family, RANDOM_LOCAL),
		.remote = random_address(state, family, RANDOM_REMOTE),
		.protocol = protocols[random_below(state, ARRAY_SIZE(protocols))] };

	/* Half of them at a rule's own addresses. */
	if (random_below(state, 2) && sel->local.bits > 8)
		flow.local = sel->local.addr;
	if (random_below(state, 2) && sel->remote.bits > 8)
		flow.remote = sel->remote.addr;
	flow.has_ports = protocol_has_ports(flow.protocol);
	flow.has_icmp = protocol_is_icmp(flow.protocol, family);
	if (flow.has_ports) {
		flow.local_port = (uint16_t)(1 + random_below(state, 9));
		flow.remote_port = (uint16_t)(1 + random_below(state, 9));
	}
	if (flow.has_icmp) {
		flow.icmp_type = (uint8_t)random_below(state, 12);
		flow.icmp_code = (uint8_t)random_below(state, 4);
	}
	return flow;
}

/* What spd_match() says, in the kernel's words; -1: no rule. */
static inline int steer_expected(const struct spd *spd, const struct flow *flow)
{
	const struct rule *rule = spd_match(spd, "", flow);

	if (!rule)
		return -1;
	if (flow->direction == DIRECTION_IN && rule_has_bypass(rule))
		return STEER_ACCEPT;
	if (rule_is_bypass(rule))
		return STEER_ACCEPT;
	if (rule_is_discard(rule))
		return STEER_DROP;
	return flow->direction == DIRECTION_IN ? STEER_GOT_CLEAR : STEER_PROTECT;
}

static inline bool steer_may_be(int want, int got, bool out)
{
	if (want == got)
		return true;
	if (out)
		return want == STEER_DROP && got == STEER_PROTECT; /* the engine drops it */
	return (want == STEER_DROP && got == STEER_GOT_CLEAR) ||
	       (want == STEER_GOT_CLEAR && got == STEER_DROP);
}

#endif
