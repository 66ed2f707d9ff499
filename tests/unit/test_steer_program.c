/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rules compiled for the kernel, printed and compared as text. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "services/datapath/steer/steer_program.h"

struct draft {
	enum action_kind first,
		second; /* second: another alternative, ACTION_PROTECT twice is fine */
	uint8_t directions;
	const char *tunnel;
	const char *local, *remote; /* "192.0.2.0/24", NULL: any */
	struct selector selector; /* prefixes come from the two above */
};

static struct prefix prefix_of(const char *text)
{
	char copy[PREFIX_TEXT_MAX];
	struct prefix prefix = { 0 };
	struct address addr;
	char *slash;

	if (!text)
		return prefix;
	ck_assert_int_eq(text_copy(copy, sizeof(copy), text), 0);
	slash = strchr(copy, '/');
	ck_assert_ptr_nonnull(slash);
	*slash = '\0';
	ck_assert_int_eq(address_parse(copy, &addr), 0);
	ck_assert_int_eq(prefix_make(&addr, (unsigned int)strtod(slash + 1, NULL), &prefix), 0);
	return prefix;
}

static struct rule *make_rule(const struct draft *draft, uint64_t id)
{
	struct rule *rule = rule_new(2);

	ck_assert_ptr_nonnull(rule);
	rule->actions[0].kind = draft->first;
	rule->actions[1].kind = draft->second;
	for (size_t i = 0; i < 2; i++)
		if (rule->actions[i].kind == ACTION_PROTECT) {
			rule->actions[i].has_esp = true;
			rule->actions[i].esp.number = ALG_ENCR_AES_CBC;
		}
	rule->id = id;
	rule->directions = draft->directions;
	rule->selector = draft->selector;
	rule->selector.local = prefix_of(draft->local);
	rule->selector.remote = prefix_of(draft->remote);
	if (draft->tunnel)
		ck_assert_int_eq(text_copy(rule->tunnel, sizeof(rule->tunnel), draft->tunnel), 0);
	return rule;
}

static char *compile(const struct draft *draft)
{
	struct rule *rules[1] = { make_rule(draft, 0xabc) };
	struct spd spd = { .count = 1, .rules = rules };
	CLEANUP(steer_program_freep) struct steer_program *program = NULL;
	struct text text = { 0 };
	char *str = NULL;

	ck_assert_int_eq(steer_compile(&spd, &program), 0);
	steer_program_print(program, &text);
	text_add(&text, "");
	ck_assert_int_eq(text_take(&text, &str), 0);
	rule_free(rules[0]);
	return str;
}

#define BOTH   DIRECTION_BIT_BOTH
#define OUT    DIRECTION_BIT_OUT
#define IN     DIRECTION_BIT_IN
#define ROUTED "out source-routed -> protect\n"
#define ID     " 0000000000000abc\n"
static const struct {
	const char *name;
	struct draft draft;
	const char *want;
} cases[] = {
	{ "protect everything", { ACTION_PROTECT, ACTION_PROTECT, BOTH, NULL, NULL, NULL, { 0 } },
		ROUTED "out -> protect" ID "in -> got-clear" ID },
	{ "pass everything", { ACTION_BYPASS, ACTION_PROTECT, BOTH, NULL, NULL, NULL, { 0 } },
		"out -> accept" ID "in -> accept" ID },
	{ "a later pass is no fall-back for sending, but lets clear in",
		{ ACTION_PROTECT, ACTION_BYPASS, BOTH, NULL, NULL, NULL, { 0 } },
		ROUTED "out -> protect" ID "in -> accept" ID },
	{ "drop", { ACTION_DISCARD, ACTION_DISCARD, BOTH, NULL, NULL, NULL, { 0 } },
		ROUTED "out -> drop" ID "in -> drop" ID },
	{ "local and remote change places by direction",
		{ ACTION_PROTECT, ACTION_PROTECT, BOTH, NULL, "192.0.2.1/32", "198.51.100.0/24",
			{ .protocol = IPPROTO_TCP, .local_port = 80, .remote_port = 1024 } },
		ROUTED "out ip saddr 192.0.2.1/32 daddr 198.51.100.0/24 tcp sport 80 dport 1024"
		       " -> protect" ID
		       "in ip saddr 198.51.100.0/24 daddr 192.0.2.1/32 tcp sport 1024 dport 80"
		       " -> got-clear" ID },
	{ "a port without protocol is each of three",
		{ ACTION_BYPASS, ACTION_BYPASS, OUT, NULL, NULL, NULL, { .remote_port = 53 } },
		"out tcp dport 53 -> accept" ID "out udp dport 53 -> accept" ID
		"out proto 132 dport 53 -> accept" ID },
	{ "a range of ports",
		{ ACTION_PROTECT, ACTION_PROTECT, IN, NULL, NULL, NULL,
			{ .protocol = IPPROTO_UDP, .local_port = 53, .local_port_last = 60 } },
		"in udp dport 53-60 -> got-clear" ID },
	{ "ICMP types belong to a family",
		{ ACTION_BYPASS, ACTION_BYPASS, IN, NULL, NULL, NULL,
			{ .protocol = IPPROTO_ICMPV6,
				.has_icmp_type = true,
				.icmp_type_low = 1,
				.icmp_type_high = 4 } },
		"in ip6 proto 58 type 1-4 -> accept" ID },
	{ "IPv6 prefix",
		{ ACTION_PROTECT, ACTION_PROTECT, OUT, NULL, NULL, "2001:db8::/32", { 0 } },
		ROUTED "out ip6 daddr 2001:db8::/32 -> protect" ID },
	{ "a tunnel's rules are not the kernel's",
		{ ACTION_PROTECT, ACTION_PROTECT, BOTH, "tun0", NULL, NULL, { 0 } }, "" },
};

START_TEST(compiles)
{
	CLEANUP(freep) char *got = compile(&cases[_i].draft);

	ck_assert_msg(strcmp(got, cases[_i].want) == 0, "%s:\n%s", cases[_i].name, got);
}
END_TEST

START_TEST(no_policy_is_empty)
{
	CLEANUP(steer_program_freep) struct steer_program *program = NULL;

	ck_assert_int_eq(steer_compile(NULL, &program), 0);
	ck_assert_uint_eq(program->out.count + program->in.count, 0);
	ck_assert(!program->diverts);
}
END_TEST

START_TEST(counter_names_round_trip)
{
	struct steer_line line = { .rule_id = 0xfedcba9876543210, .verdict = STEER_DROP };
	char name[STEER_COUNTER_MAX];
	enum steer_verdict verdict;
	uint64_t id;
	bool out;

	ck_assert_str_eq(steer_counter_name(&line, false, name), "idfedcba9876543210");
	ck_assert(steer_counter_parse(name, &out, &verdict, &id));
	ck_assert(!out);
	ck_assert_int_eq(verdict, STEER_DROP);
	ck_assert(id == line.rule_id);
	line.verdict = STEER_PROTECT;
	ck_assert_str_eq(steer_counter_name(&line, true, name), "");
	ck_assert(!steer_counter_parse("idfedcba987654321", &out, &verdict, &id));
	ck_assert(!steer_counter_parse("idfedcba987654321x", &out, &verdict, &id));
	ck_assert(!steer_counter_parse("xdfedcba9876543210", &out, &verdict, &id));
	ck_assert(!steer_counter_parse("izfedcba9876543210", &out, &verdict, &id));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("steer_program");
	TCase *tc = tcase_create("compile");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(tc, compiles, 0, (int)ARRAY_SIZE(cases));
	tcase_add_test(tc, no_policy_is_empty);
	tcase_add_test(tc, counter_names_round_trip);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
