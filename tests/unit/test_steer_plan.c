/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The compiled program, run by a simulator of what nftables does with it, against the linear search
 * of the SPD: random policies, random packets.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/bytes.h"
#include "services/datapath/steer/steer_own.h"
#include "services/datapath/steer/steer_plan.h"
#include "tests/unit/steer_random.h"

#define POLICIES 240
#define PACKETS	 500
#define SEED	 0x5eed0001U

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
	if (at > 0)
		return at;
	memset(key, 0, STEER_KEY_FAMILY);
	key[0] = (uint8_t)flow->local.family;
	return STEER_KEY_FAMILY;
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
		.local_port_last = out ? line->sport_last : line->dport_last,
		.remote_port_last = out ? line->dport_last : line->sport_last,
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
	ck_assert_int_eq(
		spd_new(rules, count,
			random_below(state, 3) ? SPD_FIRST_MATCH : SPD_SOLARIS_PRIORITY, &spd),
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
		int want = steer_expected(spd, &flow), got = line ? (int)line->verdict : -1;

		ck_assert_msg(steer_may_be(want, got, is_out), "packet %zu, %s: %d, not %d", i,
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
		try_policy(&state, 20 + random_below(&state, 300),
			_i == 0 ? 0 : (uint32_t)(32 >> _i), &tally);
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

/* ---- lines for the own addresses ---- */

#define OWN 12

static int compare_addresses(const void *a, const void *b)
{
	return address_compare(a, b);
}

/* Every rule protects in one of a few ways, some in two. */
static struct spd *make_varied(uint32_t *state, size_t count)
{
	CLEANUP(freep) struct rule **rules = calloc(count, sizeof(*rules));
	struct spd *spd = NULL;

	for (size_t i = 0; i < count; i++) {
		rules[i] = random_rule(state, (uint32_t)i, 6);
		for (size_t k = 0; k < rules[i]->n_actions; k++) {
			struct action *action = &rules[i]->actions[k];

			if (k == 1 && random_below(state, 2) == 0)
				*action = rules_esp;
			if (action->kind == ACTION_PROTECT)
				action->esp.min_bits =
					(uint16_t)(128 + 64 * random_below(state, 3));
		}
	}
	ck_assert_int_eq(spd_new(rules, count, SPD_FIRST_MATCH, &spd), 0);
	return spd;
}

static const struct steer_line *first_line(const struct steer_lines *lines, const struct flow *flow)
{
	for (size_t i = 0; i < lines->count; i++)
		if (line_has(&lines->lines[i], flow))
			return &lines->lines[i];
	return NULL;
}

/* Do both lead to the same fate of a packet on `lo`? */
static bool same_effect(const struct steer_program *program, const struct steer_line *a,
	const struct steer_line *b, bool out)
{
	if (!a || !b)
		return a == b;
	if (out)
		return a->verdict == b->verdict && a->action == b->action;
	return a->n_alternatives == b->n_alternatives &&
	       (a->n_alternatives == 0 ||
		       memcmp(program->alternatives + a->alternatives_at,
			       program->alternatives + b->alternatives_at, a->n_alternatives) == 0);
}

static size_t try_own(uint32_t *state, size_t count)
{
	CLEANUP(spd_freep) struct spd *spd = make_varied(state, count);
	CLEANUP(steer_program_freep) struct steer_program *program = NULL;
	CLEANUP(steer_own_freep) struct steer_own *own = NULL;
	struct address addresses[OWN];
	size_t met = 0;

	for (size_t i = 0; i < OWN; i++)
		addresses[i] = random_address(state, i % 2 ? AF_INET : AF_INET6,
			i % 4 < 2 ? RANDOM_LOCAL : RANDOM_REMOTE);
	qsort(addresses, OWN, sizeof(*addresses), compare_addresses);
	ck_assert_int_eq(steer_compile(spd, &program), 0);
	ck_assert_int_eq(steer_own_new(program, addresses, OWN, &own), 0);
	ck_assert_uint_lt(own->out.lines.count, program->out.count);
	for (size_t i = 0; i < PACKETS; i++) {
		struct flow flow = random_flow(state, spd);
		bool out = flow.direction == DIRECTION_OUT;
		const struct steer_side *side = out ? &own->out : &own->in;
		const struct steer_line *want, *got;

		/* The sort left those of a family together. */
		flow.local = addresses[random_below(state, OWN / 2) +
				       (flow.local.family == AF_INET6 ? OWN / 2 : 0)];
		flow.remote = addresses[random_below(state, OWN / 2) +
					(flow.remote.family == AF_INET6 ? OWN / 2 : 0)];
		want = first_line(out ? &program->out : &program->in, &flow);
		got = run(side->plan, &side->lines, &flow);
		ck_assert_msg(same_effect(program, want, got, out), "packet %zu, %s", i,
			out ? "out" : "in");
		met += want != NULL;
	}
	return met;
}

START_TEST(own_addresses_are_decided_exactly)
{
	uint32_t state = SEED + 77;
	size_t met = 0;

	for (size_t i = 0; i < POLICIES / 4; i++)
		met += try_own(&state, 100 + random_below(&state, 300));
	ck_assert_uint_gt(met, POLICIES * PACKETS / 40);
}
END_TEST

START_TEST(few_lines_are_about_the_own_addresses)
{
	CLEANUP(spd_freep) struct spd *spd = make_large(20000);
	CLEANUP(steer_program_freep) struct steer_program *program = NULL;
	CLEANUP(steer_own_freep) struct steer_own *own = NULL;
	struct address addresses[] = { rules_addr("10.0.4.7"), rules_addr("192.0.2.1") };

	ck_assert_int_eq(steer_compile(spd, &program), 0);
	ck_assert_int_eq(steer_own_new(program, addresses, ARRAY_SIZE(addresses), &own), 0);
	/* The host's own rule, and those of its net. */
	ck_assert_uint_gt(own->out.lines.count, 1);
	ck_assert_uint_lt(own->out.lines.count, 100);
	/* Loopback and groups of both families, and the two. */
	ck_assert_uint_eq(own->from.lines.count, 6);
	ck_assert_uint_eq(own->to.lines.count, 6);
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
	tcase_add_test(tc, own_addresses_are_decided_exactly);
	tcase_add_test(tc, few_lines_are_about_the_own_addresses);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
