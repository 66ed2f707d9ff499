/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/model/rule.h"

#include "tests/unit/rules.h"

START_TEST(sizes)
{
	CLEANUP(rule_freep) struct rule *most = rule_new(RULE_MAX_ACTIONS);

	ck_assert_ptr_nonnull(most);
	ck_assert_ptr_null(rule_new(0));
	ck_assert_ptr_null(rule_new(RULE_MAX_ACTIONS + 1));
}
END_TEST

START_TEST(copying)
{
	CLEANUP(rule_freep) struct rule *rule = rule_new(2);
	CLEANUP(rule_freep) struct rule *copy = NULL;

	ck_assert_ptr_nonnull(rule);
	rule->actions[0] = rules_esp;
	rule->actions[1] = rules_bypass;
	rule->line = 7;
	copy = rule_copy(rule);
	ck_assert_ptr_nonnull(copy);
	ck_assert_uint_eq(copy->line, 7);
	ck_assert(action_equal(&copy->actions[0], &rules_esp));
	ck_assert(action_equal(&copy->actions[1], &rules_bypass));
}
END_TEST

START_TEST(action_equality)
{
	struct action a = rules_esp, b = rules_esp;

	ck_assert(action_equal(&a, &b));
	b.esp.min_bits = 192;
	ck_assert(!action_equal(&a, &b));
	b = a;
	b.unique = true;
	ck_assert(!action_equal(&a, &b));
	b = a;
	b.has_esp_auth = false;
	ck_assert(!action_equal(&a, &b));
	a.has_esp_auth = false; /* what is not there is not compared */
	b.esp_auth.number = 99;
	ck_assert(action_equal(&a, &b));
}
END_TEST

START_TEST(kinds)
{
	CLEANUP(rule_freep) struct rule *rule = rule_new(2);

	ck_assert_ptr_nonnull(rule);
	rule->actions[0] = rules_esp;
	rule->actions[1] = rules_bypass;
	ck_assert(rule_has_bypass(rule) && !rule_is_bypass(rule));
	ck_assert(rule_protects(rule) && !rule_is_discard(rule));
	rule->actions[0] = rules_drop;
	ck_assert(rule_is_discard(rule) && !rule_protects(rule));
	rule->actions[0] = rules_bypass;
	ck_assert(rule_is_bypass(rule));
}
END_TEST

static struct alg_table *names(void)
{
	static const struct algorithm entries[] = {
		{ .proto = ALG_PROTO_ESP,
			.number = ALG_ENCR_AES_CBC,
			.n_names = 1,
			.names = { "aes-cbc" } },
		{ .proto = ALG_PROTO_ESP,
			.number = ALG_ENCR_NULL,
			.n_names = 1,
			.names = { "null" } },
		{ .proto = ALG_PROTO_AH,
			.number = ALG_AUTH_HMAC_SHA256,
			.n_names = 1,
			.names = { "hmac-sha256" } },
	};
	struct alg_table *table = alg_table_new(entries, ARRAY_SIZE(entries));

	ck_assert_ptr_nonnull(table);
	return table;
}

START_TEST(printing)
{
	CLEANUP(rule_freep) struct rule *rule = rule_new(3);
	CLEANUP(alg_table_freep) struct alg_table *table = names();
	CLEANUP(text_done) struct text text = { 0 };
	CLEANUP(text_done) struct text plain = { 0 };

	ck_assert_ptr_nonnull(rule);
	rule->selector.protocol = 6;
	rule->selector.remote = rules_prefix("192.0.2.17", 32);
	rule->actions[0] = rules_esp;
	rule->actions[1] = (struct action){
		.kind = ACTION_PROTECT,
		.unique = true,
		.has_ah = true,
		.has_esp = true,
		.ah = { 77, 128, UINT16_MAX },
		.esp = { ALG_ENCR_NULL, 0, 0 },
	};
	rule->actions[2] = rules_bypass;
	rule_print(rule, table, DIRECTION_BIT_OUT, &text);
	ck_assert_str_eq(text.str,
		"{ ulp 6 raddr 192.0.2.17/32 dir out } "
		"ipsec { encr_algs aes-cbc(128..256) encr_auth_algs hmac-sha256(256) sa shared } "
		"or ipsec { auth_algs 77(128..) encr_algs null sa unique } or pass { } ");
	ck_assert_int_eq(text_copy(rule->tunnel, sizeof(rule->tunnel), "tun0"), 0);
	rule->negotiate = TUNNEL_TRANSPORT;
	rule->selector = (struct selector){ 0 };
	rule->n_actions = 1;
	rule->actions[0] = rules_drop;
	rule_print(rule, NULL, DIRECTION_BIT_BOTH, &plain);
	ck_assert_str_eq(plain.str, "{ tunnel tun0 negotiate transport dir both } drop { } ");
}
END_TEST

START_TEST(ids)
{
	CLEANUP(rule_freep) struct rule *a = NULL;
	CLEANUP(rule_freep) struct rule *b = NULL;
	char text[RULE_ID_TEXT_MAX];
	uint64_t first;

	a = rules_make((struct selector){ .remote_port = 80 }, rules_esp, 0);
	b = rules_make((struct selector){ .remote_port = 80 }, rules_esp, 5);
	b->line = 9; /* neither place nor position is part of the identity */
	ck_assert_int_eq(rule_assign_id(a, 0), 0);
	ck_assert_int_eq(rule_assign_id(b, 0), 0);
	ck_assert_uint_eq(a->id, b->id);
	first = a->id;
	ck_assert_int_eq(rule_assign_id(a, 1), 0);
	ck_assert_uint_ne(a->id, first);
	a->selector.family = AF_INET;
	ck_assert_int_eq(rule_assign_id(a, 0), 0);
	ck_assert_uint_ne(a->id, first);
	ck_assert_str_eq(rule_id_format(UINT64_C(0xabc), text), "0000000000000abc");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("rule");
	TCase *tc = tcase_create("rule");

	tcase_add_test(tc, sizes);
	tcase_add_test(tc, copying);
	tcase_add_test(tc, action_equality);
	tcase_add_test(tc, kinds);
	tcase_add_test(tc, printing);
	tcase_add_test(tc, ids);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
