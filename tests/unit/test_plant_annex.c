/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rules beside the policy section: they stand behind it, and the section's stay what they are. */
#include "services/datapath/plant/plant_annex.h"

#include <netinet/in.h>

#include "tests/unit/suite.h"

static struct rule *rule_of(uint16_t port, enum action_kind kind, uint32_t order)
{
	struct rule *rule = rule_new(1);

	ck_assert_ptr_nonnull(rule);
	rule->directions = DIRECTION_BIT_OUT;
	rule->order = order;
	rule->line = order;
	rule->selector.protocol = IPPROTO_UDP;
	rule->selector.remote_port = port;
	rule->actions[0].kind = kind;
	if (kind == ACTION_PROTECT) {
		rule->actions[0].has_esp = true;
		rule->actions[0].esp.number = ALG_ENCR_AES_CBC;
	}
	return rule;
}

static struct spd *section(enum spd_precedence precedence)
{
	struct rule *rules[] = { rule_of(7, ACTION_PROTECT, 0), rule_of(7, ACTION_PROTECT, 1),
		rule_of(8, ACTION_BYPASS, 2), rule_of(9, ACTION_DISCARD, 3) };
	struct spd *spd = NULL;

	rules[3]->audit = true;
	ck_assert_int_eq(spd_new(rules, ARRAY_SIZE(rules), precedence, &spd), 0);
	ck_assert_int_eq(spd_add_source(spd, "/etc/inet/ipsecinit.conf"), 0);
	return spd;
}

static struct spd *joined(struct plant_annex *annex, struct spd *base)
{
	struct spd *spd = NULL;

	ck_assert_int_eq(plant_annex_join(annex, base, &spd), 0);
	return spd;
}

static uint16_t decides(const struct spd *spd, uint16_t port)
{
	struct flow flow = { .direction = DIRECTION_OUT,
		.protocol = IPPROTO_UDP,
		.has_ports = true,
		.remote_port = port };
	const struct rule *rule = spd_match(spd, NULL, &flow);

	return rule ? rule->source : UINT16_MAX;
}

START_TEST(nothing_beside)
{
	struct plant_annex annex = { 0 };
	struct spd *base = section(SPD_FIRST_MATCH), *spd = joined(&annex, base);

	ck_assert_ptr_eq(spd, base);
	spd_free(spd);
	ck_assert_ptr_null(joined(&annex, NULL));
}
END_TEST

START_TEST(behind_the_section)
{
	struct rule *rules[] = { rule_of(7, ACTION_DISCARD, 0), rule_of(10, ACTION_DISCARD, 0),
		rule_of(10, ACTION_PROTECT, 0) };
	struct plant_annex annex = { .rules = rules, .n = ARRAY_SIZE(rules) };
	CLEANUP(spd_freep) struct spd *alone = section(_i ? SPD_SOLARIS_PRIORITY : SPD_FIRST_MATCH);
	CLEANUP(spd_freep) struct spd *spd = joined(
		&annex, section(_i ? SPD_SOLARIS_PRIORITY : SPD_FIRST_MATCH));

	ck_assert_uint_eq(spd->count, alone->count + 3);
	ck_assert_uint_eq(spd->n_audit, 1);
	ck_assert_uint_eq(spd->n_sources, 2);
	ck_assert_str_eq(spd->sources[1], PLANT_ANNEX_SOURCE);
	/* Hits, logs and metrics of the section's rules go on under the same numbers. */
	for (size_t i = 0; i < alone->count; i++) {
		const struct rule *same = NULL;

		for (size_t j = 0; j < spd->count; j++)
			if (spd->rules[j]->id == alone->rules[i]->id)
				same = spd->rules[j];
		ck_assert_ptr_nonnull(same);
		ck_assert_uint_eq(same->source, 0);
		ck_assert_uint_eq(same->line, alone->rules[i]->line);
	}
	ck_assert_uint_eq(spd->audit[0]->id, alone->audit[0]->id);
	ck_assert_uint_eq(decides(spd, 7), 0);
	ck_assert_uint_eq(decides(spd, 8), 0);
	ck_assert_uint_eq(decides(spd, 10), 1);
	if (_i == 0) /* among themselves in the order that was given */
		ck_assert(rule_is_discard(spd->rules[spd->count - 2]));
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
		rule_free(rules[i]);
}
END_TEST

START_TEST(without_a_section)
{
	struct rule *rules[] = { rule_of(7, ACTION_DISCARD, 0) };
	struct plant_annex annex = { .rules = rules, .n = ARRAY_SIZE(rules) };
	CLEANUP(spd_freep) struct spd *spd = joined(&annex, NULL);

	ck_assert_uint_eq(spd->count, 1);
	ck_assert_str_eq(spd_source(spd, spd->rules[0]), PLANT_ANNEX_SOURCE);
	rule_free(rules[0]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("plant_annex");
	TCase *tc = tcase_create("plant_annex");

	tcase_add_test(tc, nothing_beside);
	tcase_add_loop_test(tc, behind_the_section, 0, 2);
	tcase_add_test(tc, without_a_section);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
