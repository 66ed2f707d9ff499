/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The compiled rules against the linear scan: for every packet the same rule, whatever the rules. */
#include "services/datapath/spd/classifier.h"

#include "common/spd/spd_explain.h"
#include "tests/unit/random_policy.h"

#define ROUNDS	   50
#define PER_ROUND  20000 /* comparisons: a million in all */
#define MOST_RULES 400
#define BATCH	   35

static struct spd *random_policy(uint64_t *state, uint32_t count)
{
	CLEANUP(freep) struct rule **rules = calloc(count + 1, sizeof(struct rule *));
	struct spd *spd = NULL;

	ck_assert_ptr_nonnull(rules);
	for (uint32_t i = 0; i < count; i++)
		rules[i] = random_rule(state, i);
	ck_assert_int_eq(
		spd_new(rules, count,
			random_below(state, 2) ? SPD_FIRST_MATCH : SPD_SOLARIS_PRIORITY, &spd),
		0);
	return spd;
}

static const struct rule *find(const struct classifier *classifier, const struct spd *spd,
	const char *head, const struct flow *flow)
{
	int number = classifier_head(classifier, head);
	struct classifier_query query = { .flow = flow, .head = number };
	uint32_t found;

	if (number == CLASSIFIER_NO_HEAD)
		return NULL;
	found = classifier_find(classifier, number, flow);
	ck_assert(found == CLASSIFIER_NONE || found < spd->count);
	classifier_find_staged(classifier, &query, 1);
	ck_assert_uint_eq(query.rule, found);
	return found == CLASSIFIER_NONE ? NULL : spd->rules[found];
}

static void tell(const struct spd *spd, const struct flow *flow, const struct rule *got,
	const struct rule *want, uint64_t seed)
{
	CLEANUP(text_done) struct text text = { 0 };

	flow_print(flow, &text);
	text_add(&text, flow->direction == DIRECTION_IN ? " in; got " : " out; got ");
	if (got)
		rule_print(got, NULL, got->directions, &text);
	text_add(&text, "; wanted ");
	if (want)
		rule_print(want, NULL, want->directions, &text);
	ck_abort_msg("seed %llu, %zu rules: %s", (unsigned long long)seed, spd->count, text.str);
}

/* Many at a time say what one at a time says. */
static void check_batch(const struct classifier *classifier, const struct flow *flows,
	const int *heads, const uint32_t *wants, size_t n)
{
	struct classifier_query queries[BATCH];

	for (size_t i = 0; i < n; i++)
		queries[i] = (struct classifier_query){ .flow = &flows[i], .head = heads[i] };
	classifier_find_staged(classifier, queries, n);
	for (size_t i = 0; i < n; i++)
		ck_assert_uint_eq(queries[i].rule, wants[i]);
	for (size_t i = 0; i < n; i++)
		queries[i].rule = CLASSIFIER_NONE - 1;
	classifier_find_batch(classifier, queries, n);
	for (size_t i = 0; i < n; i++)
		ck_assert_uint_eq(queries[i].rule, wants[i]);
}

START_TEST(batches)
{
	uint64_t state = 362436069U + (uint64_t)_i;
	CLEANUP(spd_freep) struct spd *spd = random_policy(&state, 10 + 40 * (uint32_t)_i);
	CLEANUP(classifier_freep) struct classifier *classifier = NULL;
	struct flow flows[BATCH];
	uint32_t wants[BATCH];
	int heads[BATCH];

	ck_assert_int_eq(classifier_new(spd->rules, spd->count, &classifier), 0);
	for (unsigned int round = 0; round < 300; round++) {
		size_t n = random_below(&state, BATCH + 1);

		for (size_t i = 0; i < n; i++) {
			const struct rule *aim =
				spd->rules[random_below(&state, (uint32_t)spd->count)];

			flows[i] = random_flow(&state, aim);
			heads[i] = classifier_head(classifier, aim->tunnel);
			wants[i] = classifier_find(classifier, heads[i], &flows[i]);
		}
		check_batch(classifier, flows, heads, wants, n);
	}
}
END_TEST

/* Each case has a seed and a number of rules of its own. */
START_TEST(same_as_linear)
{
	static const char *const heads[] = { "", "", "tun0", "tun1" };
	uint64_t seed = 88172645463325252U + (uint64_t)_i * 7919, state = seed;
	uint32_t count = _i % 5 == 0 ? 1 + (uint32_t)_i / 5 : random_below(&state, MOST_RULES);
	CLEANUP(spd_freep) struct spd *spd = random_policy(&state, count);
	CLEANUP(classifier_freep) struct classifier *classifier = NULL;
	unsigned int found = 0;

	ck_assert_int_eq(classifier_new(spd->rules, spd->count, &classifier), 0);
	for (unsigned int i = 0; i < PER_ROUND; i++) {
		const struct rule *aim =
			spd->count > 0 && i % 4
				? spd->rules[random_below(&state, (uint32_t)spd->count)]
				: NULL;
		struct flow flow = random_flow(&state, aim);
		const char *head = aim ? aim->tunnel : heads[i / 4 % ARRAY_SIZE(heads)];
		const struct rule *want = spd_match(spd, head, &flow);
		const struct rule *got = find(classifier, spd, head, &flow);

		if (got != want)
			tell(spd, &flow, got, want, seed);
		found += want != NULL;
	}
	/* A test that never meets a rule shows nothing. */
	ck_assert(spd->count == 0 || found > PER_ROUND / 50);
}
END_TEST

/* What people are told is what happens. */
START_TEST(same_as_explained)
{
	uint64_t state = 2463534242U + (uint64_t)_i;
	CLEANUP(spd_freep) struct spd *spd = random_policy(&state, 60);
	CLEANUP(classifier_freep) struct classifier *classifier = NULL;

	ck_assert_int_eq(classifier_new(spd->rules, spd->count, &classifier), 0);
	for (unsigned int i = 0; i < 300; i++) {
		const struct rule *aim = spd->rules[random_below(&state, (uint32_t)spd->count)];
		CLEANUP(spd_explanation_done) struct spd_explanation e = { 0 };
		CLEANUP(text_done) struct text text = { 0 };
		struct spd_query query = { .flow = random_flow(&state, aim) }, again;

		ck_assert_int_eq(text_copy(query.tunnel, RULE_TUNNEL_MAX, aim->tunnel), 0);
		ck_assert_int_eq(spd_explain(spd, &query, &e), 0);
		ck_assert_ptr_eq(e.rule, find(classifier, spd, query.tunnel, &query.flow));
		for (size_t k = 0; k < e.n_missed; k++)
			ck_assert(!(e.missed[k].rule->directions & 1U << query.flow.direction) ||
				  !selector_match(&e.missed[k].rule->selector, &query.flow));
		/* And its text says the same packet again. */
		spd_flow_print(&query, &text);
		if (query.flow.protocol == IPPROTO_ICMP && query.flow.local.family == AF_INET6)
			continue; /* which no name tells from ICMPv6 */
		ck_assert_int_eq(spd_flow_parse(text.str, text.len, &again, NULL, NULL), 0);
		ck_assert_ptr_eq(spd_match(spd, again.tunnel, &again.flow), e.rule);
	}
}
END_TEST

/* Shapes that fill lists and groups: many rules under one prefix, deep nests, many ranges. */
START_TEST(crowded_shapes)
{
	uint64_t state = 123456789U + (uint64_t)_i;
	uint32_t count = 400;
	struct rule *rules[400];
	CLEANUP(spd_freep) struct spd *spd = NULL;
	CLEANUP(classifier_freep) struct classifier *classifier = NULL;

	for (uint32_t i = 0; i < count; i++) {
		struct selector s = { .family = AF_INET, .protocol = i % 3 ? IPPROTO_TCP : 0 };
		struct address addr = rules_addr("10.129.66.36");
		struct prefix *end = i % 2 ? &s.remote : &s.local;

		switch (_i % 4) {
		case 0: /* one prefix, ports by the hundred */
			*end = rules_prefix("10.0.0.0", 8);
			s.remote_port = (uint16_t)(1 + i);
			break;
		case 1: /* nests as deep as there are bits, crowded at each depth */
			ck_assert_int_eq(prefix_make(&addr, 1 + i % 32, end), 0);
			s.local_port = (uint16_t)(1 + i % 7);
			break;
		case 2: /* ranges without end */
			random_ports(&state, &s.remote_port, &s.remote_port_last);
			s.local_port = i % 5 ? 0 : (uint16_t)i;
			break;
		default: /* pairs that share both ends */
			s.remote = rules_prefix("10.0.0.0", 8 + i % 3);
			s.local = rules_prefix("10.128.0.0", 9 + i % 5);
			s.remote_port = (uint16_t)(1 + i % 40);
			break;
		}
		rules[i] = rules_make(s, i % 9 ? rules_esp : rules_bypass, i);
		rules[i]->directions = (uint8_t)(1 + i % 3);
	}
	ck_assert_int_eq(spd_new(rules, count, SPD_FIRST_MATCH, &spd), 0);
	ck_assert_int_eq(classifier_new(spd->rules, count, &classifier), 0);
	for (unsigned int i = 0; i < PER_ROUND; i++) {
		struct flow flow = random_flow(&state, spd->rules[random_below(&state, count)]);
		const struct rule *want = spd_match(spd, "", &flow);
		const struct rule *got = find(classifier, spd, "", &flow);

		if (got != want)
			tell(spd, &flow, got, want, (uint64_t)_i);
	}
}
END_TEST

/* A packet with more keys in a group than a search keeps: all but the last are of the other direction. */
START_TEST(many_keys_of_one_packet)
{
	struct flow flow = { .direction = DIRECTION_OUT,
		.protocol = IPPROTO_TCP,
		.has_ports = true,
		.local = rules_addr("10.129.66.36"),
		.remote = rules_addr("10.1.2.3"),
		.local_port = 1000,
		.remote_port = 2000 };
	struct rule *rules[40];
	CLEANUP(spd_freep) struct spd *spd = NULL;
	CLEANUP(classifier_freep) struct classifier *classifier = NULL;

	for (uint32_t i = 0; i < ARRAY_SIZE(rules); i++) {
		struct selector s = { .family = AF_INET };

		if (_i == 0)
			s.remote = rules_prefix("10.0.0.0", 8); /* all under one prefix */
		s.protocol = i & 1 ? IPPROTO_TCP : 0;
		s.local_port = i & 2 ? 1000 : 0;
		s.remote_port = i & 4 ? 2000 : 0;
		rules[i] = rules_make(s, rules_drop, i);
		rules[i]->directions = i % 20 == 7 ? DIRECTION_BIT_OUT : DIRECTION_BIT_IN;
	}
	ck_assert_int_eq(spd_new(rules, ARRAY_SIZE(rules), SPD_FIRST_MATCH, &spd), 0);
	ck_assert_int_eq(classifier_new(spd->rules, spd->count, &classifier), 0);
	ck_assert_ptr_eq(find(classifier, spd, "", &flow), spd->rules[7]);
	flow.direction = DIRECTION_IN;
	ck_assert_ptr_eq(find(classifier, spd, "", &flow), spd->rules[0]);
}
END_TEST

/* So many that nothing is small any more: levels above the leaves, and batches side by side. */
START_TEST(thousands_of_prefixes)
{
	uint64_t state = 521288629U + (uint64_t)_i;
	uint32_t count = 6000;
	CLEANUP(freep) struct rule **rules = calloc(count, sizeof(struct rule *));
	CLEANUP(spd_freep) struct spd *spd = NULL;
	CLEANUP(classifier_freep) struct classifier *classifier = NULL;
	struct address host = rules_addr("10.129.66.36");

	ck_assert_ptr_nonnull(rules);
	if (_i % 2)
		host = rules_addr("2001:db8::1");
	for (uint32_t i = 0; i < count; i++) {
		struct selector s = { .family = host.family,
			.protocol = i % 3 ? IPPROTO_TCP : IPPROTO_UDP };
		unsigned int bits = address_bits(host.family);

		for (size_t k = 1; k < address_len(host.family); k++)
			host.bytes[k] = (uint8_t)random_below(&state, _i < 2 ? 256 : 4);
		bits -= random_below(&state, bits - 14);
		ck_assert_int_eq(prefix_make(&host, bits, i % 16 ? &s.remote : &s.local), 0);
		s.remote_port = i % 4 || bits < 28 ? (uint16_t)(1 + i % 50) : 0;
		rules[i] = rules_make(s, i % 9 ? rules_esp : rules_bypass, i);
		rules[i]->directions = (uint8_t)(1 + i % 3);
	}
	ck_assert_int_eq(spd_new(rules, count, SPD_FIRST_MATCH, &spd), 0);
	ck_assert_int_eq(classifier_new(spd->rules, count, &classifier), 0);
	ck_assert_uint_gt(classifier_bytes(classifier), _i < 2 ? 1U << 16 : 1U << 10);
	for (unsigned int i = 0; i < PER_ROUND / BATCH / 2; i++) {
		struct flow flows[BATCH];
		uint32_t wants[BATCH];
		int heads[BATCH] = { 0 };

		for (size_t k = 0; k < BATCH; k++) {
			const struct rule *want;

			flows[k] = random_flow(&state, spd->rules[random_below(&state, count)]);
			want = spd_match(spd, "", &flows[k]);
			ck_assert_ptr_eq(find(classifier, spd, "", &flows[k]), want);
			wants[k] = classifier_find(classifier, 0, &flows[k]);
		}
		check_batch(classifier, flows, heads, wants, BATCH);
	}
}
END_TEST

/* What an earlier rule takes whole is not kept; what it takes in part, of one direction or of one
 * protocol, is. */
START_TEST(hidden_rules_take_no_room)
{
	static const struct {
		uint8_t protocol, directions;
		bool hides;
	} first[] = {
		{ IPPROTO_TCP, DIRECTION_BIT_BOTH, true },
		{ 0, DIRECTION_BIT_BOTH, true },
		{ IPPROTO_TCP, DIRECTION_BIT_IN, false },
		{ IPPROTO_UDP, DIRECTION_BIT_BOTH, false },
		{ IPPROTO_SCTP, DIRECTION_BIT_BOTH, false },
	};
	struct flow flow = { .direction = DIRECTION_OUT,
		.protocol = IPPROTO_TCP,
		.has_ports = true,
		.local = rules_addr("10.129.66.36"),
		.remote = rules_addr("10.1.2.3"),
		.local_port = 1000 };
	struct rule *rules[400];
	CLEANUP(spd_freep) struct spd *spd = NULL;
	CLEANUP(classifier_freep) struct classifier *classifier = NULL;

	for (uint32_t i = 0; i < ARRAY_SIZE(rules); i++) {
		struct selector s = { .family = AF_INET, .protocol = IPPROTO_TCP };

		s.remote = rules_prefix("10.0.0.0", 8 + i / 100);
		s.remote_port = (uint16_t)i;
		rules[i] = rules_make(s, rules_esp, i);
		rules[i]->directions = DIRECTION_BIT_BOTH;
	}
	rules[0]->selector.protocol = first[_i].protocol;
	rules[0]->directions = first[_i].directions;
	ck_assert_int_eq(spd_new(rules, ARRAY_SIZE(rules), SPD_FIRST_MATCH, &spd), 0);
	ck_assert_int_eq(classifier_new(spd->rules, spd->count, &classifier), 0);
	ck_assert_int_eq(classifier_bytes(classifier) < 2048, first[_i].hides);
	for (size_t i = 0; i < ARRAY_SIZE(rules); i += 50) {
		flow.remote_port = (uint16_t)i;
		ck_assert_ptr_eq(find(classifier, spd, "", &flow), spd_match(spd, "", &flow));
	}
}
END_TEST

START_TEST(heads_are_told)
{
	struct rule *rules[] = { rules_make((struct selector){ .protocol = 6 }, rules_esp, 0),
		rules_make((struct selector){ .remote_port = 80 }, rules_esp, 1) };
	CLEANUP(spd_freep) struct spd *spd = NULL;
	CLEANUP(classifier_freep) struct classifier *classifier = NULL;
	CLEANUP(classifier_freep) struct classifier *empty = NULL;
	int tunnel;

	rules[1]->negotiate = TUNNEL_TUNNEL;
	ck_assert_int_eq(text_copy(rules[1]->tunnel, RULE_TUNNEL_MAX, "tun0"), 0);
	ck_assert_int_eq(spd_new(rules, 2, SPD_FIRST_MATCH, &spd), 0);
	ck_assert_int_eq(classifier_new(spd->rules, 2, &classifier), 0);
	tunnel = classifier_head(classifier, "tun0");
	ck_assert_int_ne(tunnel, CLASSIFIER_NO_HEAD);
	ck_assert_int_eq(classifier_mode(classifier, tunnel), TUNNEL_TUNNEL);
	ck_assert(classifier_names_ports(classifier, tunnel));
	ck_assert(!classifier_names_ports(classifier, classifier_head(classifier, "")));
	ck_assert_int_eq(classifier_head(classifier, "tun1"), CLASSIFIER_NO_HEAD);
	ck_assert_uint_lt(classifier_bytes(classifier), 8192);
	ck_assert_int_eq(classifier_new(NULL, 0, &empty), 0);
	ck_assert_int_eq(classifier_head(empty, ""), CLASSIFIER_NO_HEAD);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("classifier");
	TCase *tc = tcase_create("classifier");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, same_as_linear, 0, ROUNDS);
	tcase_add_loop_test(tc, same_as_explained, 0, 10);
	tcase_add_loop_test(tc, crowded_shapes, 0, 8);
	tcase_add_loop_test(tc, batches, 0, 12);
	tcase_add_loop_test(tc, thousands_of_prefixes, 0, 4);
	tcase_add_loop_test(tc, hidden_rules_take_no_room, 0, 5);
	tcase_add_loop_test(tc, many_keys_of_one_packet, 0, 2);
	tcase_add_test(tc, heads_are_told);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
