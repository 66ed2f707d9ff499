/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The compiled program, run by a simulator of what nftables does with it, against the linear search
 * of the SPD: random policies, random packets.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/bytes.h"
#include "services/datapath/steer/steer_plan.h"
#include "tests/unit/rules.h"

#define POLICIES 240
#define PACKETS	 500
#define SEED	 0x5eed0001U

static uint32_t next_random(uint32_t *state)
{
	*state = *state * 1664525U + 1013904223U;
	return *state >> 8;
}

static uint32_t below(uint32_t *state, uint32_t n)
{
	return next_random(state) % n;
}

/* Few values, so that prefixes nest and packets hit. */
static struct address random_address(uint32_t *state, int family)
{
	struct address addr = address_any(family);

	for (size_t i = 0; i < address_len(family); i++)
		addr.bytes[i] = (uint8_t)(below(state, 4) == 0 ? 0xff * below(state, 2)
							       : below(state, 3));
	return addr;
}

static struct prefix random_prefix(uint32_t *state, int family)
{
	struct address addr = random_address(state, family);
	unsigned int bits = address_bits(family);
	struct prefix prefix = { 0 };

	switch (below(state, 4)) {
	case 0:
		return prefix;
	case 1:
		return prefix_host(&addr);
	default:
		ck_assert_int_eq(prefix_make(&addr, below(state, bits / 4) * 4, &prefix), 0);
		return prefix;
	}
}

static void random_upper(uint32_t *state, struct selector *sel)
{
	static const uint8_t protocols[] = { 0, IPPROTO_TCP, IPPROTO_UDP, 47 };

	if (below(state, 8) == 0) {
		sel->protocol = sel->family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6;
		sel->has_icmp_type = below(state, 3) != 0;
		sel->has_icmp_code = below(state, 3) == 0;
		sel->icmp_type_low = (uint8_t)below(state, 5);
		sel->icmp_type_high = (uint8_t)(sel->icmp_type_low + below(state, 9));
		sel->icmp_code_low = (uint8_t)below(state, 3);
		sel->icmp_code_high = (uint8_t)(sel->icmp_code_low + below(state, 2));
		return;
	}
	sel->protocol = protocols[below(state, ARRAY_SIZE(protocols))];
	if (sel->protocol == 47)
		return;
	if (below(state, 3) == 0)
		sel->local_port = (uint16_t)(1 + below(state, 4));
	if (below(state, 3) == 0)
		sel->remote_port = (uint16_t)(1 + below(state, 4));
}

static struct rule *random_rule(uint32_t *state, uint32_t order, uint32_t flavour)
{
	static const uint8_t directions[] = { DIRECTION_BIT_BOTH, DIRECTION_BIT_OUT,
		DIRECTION_BIT_IN };
	struct selector sel = { .family = below(state, 2) ? AF_INET : AF_INET6 };
	struct rule *rule = rule_new(flavour && below(state, flavour) == 0 ? 2 : 1);

	ck_assert_ptr_nonnull(rule);
	random_upper(state, &sel);
	sel.local = random_prefix(state, sel.family);
	sel.remote = random_prefix(state, sel.family);
	rule->order = order;
	rule->selector = sel;
	rule->directions = directions[below(state, ARRAY_SIZE(directions))];
	switch (below(state, 4)) {
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

static struct flow random_flow(uint32_t *state, const struct spd *spd)
{
	static const uint8_t protocols[] = { IPPROTO_TCP, IPPROTO_UDP, 47, IPPROTO_ICMP,
		IPPROTO_ICMPV6 };
	const struct selector *sel = &spd->rules[below(state, (uint32_t)spd->count)]->selector;
	int family = sel->family;
	struct flow flow = { .direction = below(state, 2) ? DIRECTION_OUT : DIRECTION_IN,
		.local = random_address(state, family),
		.remote = random_address(state, family),
		.protocol = protocols[below(state, ARRAY_SIZE(protocols))] };

	/* Half of them at a rule's own addresses. */
	if (below(state, 2) && sel->local.bits)
		flow.local = sel->local.addr;
	if (below(state, 2) && sel->remote.bits)
		flow.remote = sel->remote.addr;
	flow.has_ports = protocol_has_ports(flow.protocol);
	flow.has_icmp = protocol_is_icmp(flow.protocol, family);
	if (flow.has_ports) {
		flow.local_port = (uint16_t)(1 + below(state, 5));
		flow.remote_port = (uint16_t)(1 + below(state, 5));
	}
	if (flow.has_icmp) {
		flow.icmp_type = (uint8_t)below(state, 12);
		flow.icmp_code = (uint8_t)below(state, 4);
	}
	return flow;
}

static void mask_address(uint8_t *bytes, const struct address *addr, uint8_t bits)
{
	struct prefix prefix;

	ck_assert_int_eq(prefix_make(addr, bits, &prefix), 0);
	memcpy(bytes, prefix.addr.bytes, address_len(addr->family));
}

/* The key that the layer's rule would load from the packet. Return: its length. */
static size_t load_key(const struct steer_layer *layer, const struct flow *flow, uint8_t *key)
{
	bool out = flow->direction == DIRECTION_OUT;
	size_t len = address_len(layer->family), at = 0;
	uint8_t th[STEER_TH_LEN] = { 0 };

	if (layer->has_protocol) {
		memset(key, 0, 4);
		key[0] = flow->protocol;
		at = 4;
	}
	if (flow->has_icmp) {
		th[0] = flow->icmp_type;
		th[1] = flow->icmp_code;
	} else if (flow->has_ports) {
		store_be16(th, out ? flow->local_port : flow->remote_port);
		store_be16(th + 2, out ? flow->remote_port : flow->local_port);
	}
	if (steer_layer_has_th(layer)) {
		for (size_t i = 0; i < sizeof(th); i++)
			key[at++] = th[i] & layer->th_mask[i];
	}
	if (layer->local_bits) {
		mask_address(key + at, &flow->local, layer->local_bits);
		at += len;
	}
	if (layer->remote_bits) {
		mask_address(key + at, &flow->remote, layer->remote_bits);
		at += len;
	}
	return at;
}

static bool element_has(const struct steer_plan *plan, const struct steer_layer *layer, size_t i,
	const uint8_t *key)
{
	static const uint8_t zero[STEER_KEY_MAX];
	size_t len = layer->key_len;
	const uint8_t *first = plan->keys + layer->keys_at + i * len * (layer->ranges ? 2 : 1);

	if (!layer->ranges)
		return memcmp(first, key, len) == 0;
	return memcmp(first, key, len) <= 0 &&
	       (memcmp(key, first + len, len) < 0 || memcmp(first + len, zero, len) == 0);
}

static bool line_has(const struct steer_line *line, const struct flow *flow)
{
	bool out = flow->direction == DIRECTION_OUT;
	struct selector sel = { .family = line->family,
		.protocol = line->protocol,
		.has_icmp_type = line->has_type,
		.has_icmp_code = line->has_code,
		.icmp_type_low = line->type_low,
		.icmp_type_high = line->type_high,
		.icmp_code_low = line->code_low,
		.icmp_code_high = line->code_high,
		.local_port = out ? line->sport : line->dport,
		.remote_port = out ? line->dport : line->sport,
		.local = out ? line->src : line->dst,
		.remote = out ? line->dst : line->src };

	return selector_match(&sel, flow);
}

/* NULL: nothing matches, the packet passes uncounted. */
static const struct steer_line *run(
	const struct steer_plan *plan, const struct steer_lines *lines, const struct flow *flow)
{
	uint8_t key[STEER_KEY_MAX];

	for (size_t k = 0; k < plan->n_layers; k++) {
		const struct steer_layer *layer = &plan->layers[k];
		const struct steer_line *found = NULL;

		if (layer->family != flow->local.family)
			continue;
		ck_assert_uint_eq(load_key(layer, flow, key), layer->key_len);
		for (size_t i = 0; i < layer->count; i++) {
			if (!element_has(plan, layer, i, key))
				continue;
			ck_assert_msg(!found, "two elements of a layer match");
			found = &lines->lines[plan->lines[layer->lines_at + i]];
			/* Neighbours that the engine gets are one. */
			ck_assert_msg(found->verdict == STEER_PROTECT || line_has(found, flow),
				"an element is wider than its line");
		}
		if (found)
			return found;
	}
	for (size_t i = plan->list_from; i < lines->count; i++)
		if (line_has(&lines->lines[i], flow))
			return &lines->lines[i];
	return NULL;
}

/* What spd_match() says, in the kernel's words; -1: no rule. */
static int expected(const struct spd *spd, const struct flow *flow)
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

static bool may_be(int want, int got, bool out)
{
	if (want == got)
		return true;
	if (out)
		return want == STEER_DROP && got == STEER_PROTECT; /* the engine drops it */
	return (want == STEER_DROP && got == STEER_GOT_CLEAR) ||
	       (want == STEER_GOT_CLEAR && got == STEER_DROP);
}

struct tally {
	size_t layers, listed, by[4];
};

static void try_policy(uint32_t *state, size_t count, uint32_t flavour, struct tally *tally)
{
	CLEANUP(freep) struct rule **rules = calloc(count, sizeof(*rules));
	CLEANUP(spd_freep) struct spd *spd = NULL;
	CLEANUP(steer_program_freep) struct steer_program *program = NULL;
	CLEANUP(steer_plan_freep) struct steer_plan *out = NULL, *in = NULL;

	for (size_t i = 0; i < count; i++)
		rules[i] = random_rule(state, (uint32_t)i, flavour);
	ck_assert_int_eq(spd_new(rules, count,
				 below(state, 3) ? SPD_FIRST_MATCH : SPD_SOLARIS_PRIORITY, &spd),
		0);
	ck_assert_int_eq(steer_compile(spd, &program), 0);
	ck_assert_int_eq(steer_plan_new(&program->out, true, &out), 0);
	ck_assert_int_eq(steer_plan_new(&program->in, false, &in), 0);
	tally->layers += out->n_layers + in->n_layers;
	tally->listed += in->list_from < program->in.count;
	for (size_t i = 0; i < PACKETS; i++) {
		struct flow flow = random_flow(state, spd);
		bool is_out = flow.direction == DIRECTION_OUT;
		const struct steer_line *line = run(
			is_out ? out : in, is_out ? &program->out : &program->in, &flow);
		int want = expected(spd, &flow), got = line ? (int)line->verdict : -1;

		ck_assert_msg(may_be(want, got, is_out), "packet %zu, %s: %d, not %d", i,
			is_out ? "out" : "in", got, want);
		if (want >= 0)
			tally->by[want]++;
	}
}

START_TEST(decides_as_the_first_line)
{
	uint32_t state = SEED + (uint32_t)_i;
	struct tally tally = { 0 };

	for (size_t i = 0; i < POLICIES / 4; i++)
		try_policy(&state, 20 + below(&state, 300), _i == 0 ? 0 : (uint32_t)(32 >> _i),
			&tally);
	/* The packets must have met something, or all of this proves nothing. */
	for (size_t i = 0; i < ARRAY_SIZE(tally.by); i++)
		ck_assert_uint_gt(tally.by[i], 500);
	ck_assert_uint_gt(tally.layers, 0);
}
END_TEST

/* @n hosts to protect, and nets that nest. */
static struct spd *make_large(size_t n)
{
	CLEANUP(freep) struct rule **rules = calloc(n, sizeof(*rules));
	struct spd *spd = NULL;

	for (size_t i = 0; i < n; i++) {
		struct selector sel = { .family = AF_INET };
		uint8_t bytes[4] = { 10, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i };
		struct address addr = address_v4(bytes);

		ck_assert_int_eq(prefix_make(&addr, i % 3 ? 32 : 24, &sel.remote), 0);
		rules[i] = rules_make(sel, i % 5 ? rules_esp : rules_drop, (uint32_t)i);
	}
	ck_assert_int_eq(spd_new(rules, n, SPD_FIRST_MATCH, &spd), 0);
	return spd;
}

START_TEST(many_lines_are_few_layers)
{
	CLEANUP(spd_freep) struct spd *spd = make_large(20000);
	CLEANUP(steer_program_freep) struct steer_program *program = NULL;
	CLEANUP(steer_plan_freep) struct steer_plan *out = NULL, *in = NULL;

	ck_assert_int_eq(steer_compile(spd, &program), 0);
	ck_assert_int_eq(steer_plan_new(&program->out, true, &out), 0);
	ck_assert_int_eq(steer_plan_new(&program->in, false, &in), 0);
	ck_assert_uint_le(out->n_layers, 4);
	ck_assert_uint_le(in->n_layers, 2);
	ck_assert_uint_eq(out->list_from, program->out.count);
	ck_assert_uint_eq(in->list_from, program->in.count);
}
END_TEST

/* Lines that take turns in letting through and not, all about all packets. */
START_TEST(turns_end_in_a_list)
{
	CLEANUP(freep) struct steer_line *lines = calloc(100, sizeof(*lines));
	struct steer_lines all = { .lines = lines, .count = 100 };
	CLEANUP(steer_plan_freep) struct steer_plan *plan = NULL;

	for (size_t i = 0; i < all.count; i++)
		lines[i] = (struct steer_line){ .family = AF_INET,
			.protocol = IPPROTO_TCP,
			.verdict = i % 2 ? STEER_ACCEPT : STEER_GOT_CLEAR,
			.dport = i % 3 ? (uint16_t)i : 0 };
	ck_assert_int_eq(steer_plan_new(&all, false, &plan), 0);
	ck_assert_uint_lt(plan->list_from, all.count);
	for (uint16_t port = 1; port < 200; port++) {
		struct flow flow = { .direction = DIRECTION_IN,
			.local = rules_addr("192.0.2.1"),
			.remote = rules_addr("192.0.2.2"),
			.protocol = IPPROTO_TCP,
			.has_ports = true,
			.local_port = port,
			.remote_port = 9 };
		const struct steer_line *want = NULL, *got = run(plan, &all, &flow);

		for (size_t i = 0; i < all.count && !want; i++)
			if (line_has(&lines[i], &flow))
				want = &lines[i];
		ck_assert_int_eq(want->verdict, got->verdict);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("steer_plan");
	TCase *tc = tcase_create("plan");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, decides_as_the_first_line, 0, 4);
	tcase_add_test(tc, many_lines_are_few_layers);
	tcase_add_test(tc, turns_end_in_a_list);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
