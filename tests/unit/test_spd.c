/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/spd/spd.h"

#include "tests/unit/rules.h"

static struct spd *make(struct rule *const *rules, size_t count, enum spd_precedence precedence)
{
	struct spd *spd = NULL;

	ck_assert_int_eq(spd_new(rules, count, precedence, &spd), 0);
	return spd;
}

static struct flow web(void)
{
	return (struct flow){
		.direction = DIRECTION_OUT,
		.local = rules_addr("192.0.2.1"),
		.remote = rules_addr("192.0.2.17"),
		.protocol = IPPROTO_TCP,
		.has_ports = true,
		.local_port = 1234,
		.remote_port = 80,
	};
}

START_TEST(first_match)
{
	struct rule *rules[] = {
		rules_make((struct selector){ .remote_port = 80 }, rules_drop, 0),
		rules_make((struct selector){ .protocol = 6 }, rules_esp, 1),
		rules_make((struct selector){ .protocol = 17 }, rules_bypass, 2),
	};
	CLEANUP(spd_freep) struct spd *spd = make(rules, ARRAY_SIZE(rules), SPD_FIRST_MATCH);
	struct flow flow = web();

	ck_assert_ptr_eq(spd->rules[0], rules[2]);
	ck_assert_ptr_eq(spd_match(spd, NULL, &flow), rules[0]);
	flow.remote_port = 81;
	ck_assert_ptr_eq(spd_match(spd, "", &flow), rules[1]);
	flow.protocol = 99;
	flow.has_ports = false;
	ck_assert_ptr_null(spd_match(spd, NULL, &flow));
}
END_TEST

START_TEST(bypass_wins_wherever_it_stands)
{
	struct rule *rules[] = {
		rules_make((struct selector){ .protocol = 6 }, rules_esp, 0),
		rules_make((struct selector){ .remote_port = 80 }, rules_drop, 1),
		rules_make((struct selector){ .remote_port = 80, .protocol = 6 }, rules_bypass, 2),
	};
	CLEANUP(spd_freep) struct spd *spd = make(rules, ARRAY_SIZE(rules), SPD_FIRST_MATCH);
	struct flow flow = web();

	ck_assert_ptr_eq(spd_match(spd, NULL, &flow), rules[2]);
}
END_TEST

START_TEST(a_list_that_ends_in_pass_is_no_bypass_rule)
{
	struct rule *rules[] = { rules_make((struct selector){ .protocol = 6 }, rules_esp, 0),
		rule_new(2) };
	CLEANUP(spd_freep) struct spd *spd = NULL;

	ck_assert_ptr_nonnull(rules[1]);
	rules[1]->actions[0] = rules_ah;
	rules[1]->actions[1] = rules_bypass;
	rules[1]->order = 1;
	spd = make(rules, ARRAY_SIZE(rules), SPD_FIRST_MATCH);
	ck_assert_ptr_eq(spd->rules[0], rules[0]);
}
END_TEST

START_TEST(solaris_priority)
{
	struct rule *drop = rules_make((struct selector){ .remote_port = 80 }, rules_drop, 0);
	struct rule *ah = rules_make((struct selector){ .remote_port = 80 }, rules_ah, 1);
	struct rule *esp = rules_make((struct selector){ .remote_port = 80 }, rules_esp, 2);
	struct rule *pass = rules_make((struct selector){ .remote_port = 80 }, rules_bypass, 3);
	struct rule *both = rule_new(2), *or_pass = rule_new(2);
	struct rule *rules[] = { drop, ah, esp, pass, both, or_pass };
	struct rule *want[] = { or_pass, pass, both, esp, ah, drop };
	CLEANUP(spd_freep) struct spd *spd = NULL;

	ck_assert(both && or_pass);
	both->actions[0] = rules_esp;
	both->actions[1] = rules_ah;
	both->order = 4;
	or_pass->actions[0] = rules_ah;
	or_pass->actions[1] = rules_bypass;
	or_pass->order = 5;
	ck_assert_uint_eq(spd_solaris_priority(drop), 0x000fffff);
	ck_assert_uint_eq(spd_solaris_priority(ah), 0x002ffffe);
	ck_assert_uint_eq(spd_solaris_priority(or_pass), 0x00a00000 + 0xffffa);
	spd = make(rules, ARRAY_SIZE(rules), SPD_SOLARIS_PRIORITY);
	for (size_t i = 0; i < ARRAY_SIZE(want); i++)
		ck_assert_ptr_eq(spd->rules[i], want[i]);
}
END_TEST

START_TEST(ties_prefer_one_remote_host)
{
	struct selector net = { .remote = rules_prefix("192.0.2.0", 24) };
	struct selector host = { .remote = rules_prefix("192.0.2.17", 32) };
	struct rule *rules[] = { rules_make(net, rules_esp, 0), rules_make(host, rules_esp, 0) };
	CLEANUP(spd_freep) struct spd *spd = make(rules, 2, SPD_SOLARIS_PRIORITY);

	ck_assert_ptr_eq(spd->rules[0], rules[1]);
}
END_TEST

START_TEST(directions_and_heads)
{
	struct rule *in = rules_make((struct selector){ 0 }, rules_esp, 0);
	struct rule *tunnel = rules_make((struct selector){ 0 }, rules_bypass, 1);
	struct rule *rules[] = { in, tunnel };
	CLEANUP(spd_freep) struct spd *spd = NULL;
	struct flow flow = web();

	in->directions = DIRECTION_BIT_IN;
	ck_assert_int_eq(text_copy(tunnel->tunnel, sizeof(tunnel->tunnel), "tun0"), 0);
	spd = make(rules, 2, SPD_FIRST_MATCH);
	ck_assert_ptr_null(spd_match(spd, NULL, &flow));
	flow.direction = DIRECTION_IN;
	ck_assert_ptr_eq(spd_match(spd, NULL, &flow), in);
	ck_assert_ptr_eq(spd_match(spd, "tun0", &flow), tunnel);
	ck_assert_ptr_null(spd_match(spd, "tun1", &flow));
	ck_assert(spd_has_tunnel(spd, "tun0") && !spd_has_tunnel(spd, "tun1"));
}
END_TEST

START_TEST(ids_are_unique_and_stable)
{
	struct selector s = { .remote_port = 80 };
	struct rule *rules[4], *moved[2];
	CLEANUP(spd_freep) struct spd *spd = NULL;
	CLEANUP(spd_freep) struct spd *again = NULL;

	for (uint32_t i = 0; i < 3; i++)
		rules[i] = rules_make(s, rules_esp, i);
	rules[3] = rules_make((struct selector){ .remote_port = 81 }, rules_esp, 3);
	spd = make(rules, 4, SPD_FIRST_MATCH);
	ck_assert_uint_eq(spd->count, 4);
	for (size_t i = 0; i < 4; i++)
		for (size_t j = 0; j < i; j++)
			ck_assert_uint_ne(rules[i]->id, rules[j]->id);
	/* A rule keeps its id when others come, go and change places. */
	moved[0] = rules_make((struct selector){ .remote_port = 81 }, rules_esp, 0);
	moved[1] = rules_make(s, rules_esp, 1);
	again = make(moved, 2, SPD_SOLARIS_PRIORITY);
	ck_assert_uint_eq(again->count, 2);
	ck_assert_uint_eq(moved[0]->id, rules[3]->id);
	ck_assert_uint_eq(moved[1]->id, rules[0]->id);
}
END_TEST

START_TEST(conflicts)
{
	CLEANUP(rule_freep) struct rule *a = rules_make((struct selector){ 0 }, rules_esp, 0);
	CLEANUP(rule_freep) struct rule *b = rules_make((struct selector){ 0 }, rules_drop, 1);

	ck_assert(spd_rules_conflict(a, b));
	a->directions = DIRECTION_BIT_IN;
	b->directions = DIRECTION_BIT_OUT;
	ck_assert(!spd_rules_conflict(a, b));
	a->directions = DIRECTION_BIT_BOTH;
	ck_assert(spd_rules_conflict(a, b));
	b->tunnel[0] = 't';
	ck_assert(!spd_rules_conflict(a, b));
	b->tunnel[0] = '\0';
	b->selector.protocol = 6;
	ck_assert(!spd_rules_conflict(a, b));
}
END_TEST

START_TEST(empty)
{
	CLEANUP(spd_freep) struct spd *spd = make(NULL, 0, SPD_FIRST_MATCH);
	struct flow flow = web();

	ck_assert_uint_eq(spd->count, 0);
	ck_assert_ptr_null(spd_match(spd, NULL, &flow));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("spd");
	TCase *tc = tcase_create("spd");

	tcase_add_test(tc, first_match);
	tcase_add_test(tc, bypass_wins_wherever_it_stands);
	tcase_add_test(tc, a_list_that_ends_in_pass_is_no_bypass_rule);
	tcase_add_test(tc, solaris_priority);
	tcase_add_test(tc, ties_prefer_one_remote_host);
	tcase_add_test(tc, directions_and_heads);
	tcase_add_test(tc, ids_are_unique_and_stable);
	tcase_add_test(tc, conflicts);
	tcase_add_test(tc, empty);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
