/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/model/rule.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "common/base/hash.h"

static size_t rule_size(size_t n_actions)
{
	return sizeof(struct rule) + n_actions * sizeof(struct action);
}

struct rule *rule_new(size_t n_actions)
{
	struct rule *rule;

	if (n_actions == 0 || n_actions > RULE_MAX_ACTIONS)
		return NULL;
	rule = calloc(1, rule_size(n_actions));
	if (rule)
		rule->n_actions = n_actions;
	return rule;
}

struct rule *rule_free(struct rule *rule)
{
	free(rule);
	return NULL;
}

struct rule *rule_copy(const struct rule *rule)
{
	struct rule *copy = malloc(rule_size(rule->n_actions));

	if (copy)
		memcpy(copy, rule, rule_size(rule->n_actions));
	return copy;
}

static bool need_equal(bool has_a, const struct alg_need *a, bool has_b, const struct alg_need *b)
{
	if (!has_a || !has_b)
		return has_a == has_b;
	return a->number == b->number && a->min_bits == b->min_bits && a->max_bits == b->max_bits;
}

bool action_equal(const struct action *a, const struct action *b)
{
	return a->kind == b->kind && a->unique == b->unique && a->reqid == b->reqid &&
	       need_equal(a->has_ah, &a->ah, b->has_ah, &b->ah) &&
	       need_equal(a->has_esp, &a->esp, b->has_esp, &b->esp) &&
	       need_equal(a->has_esp_auth, &a->esp_auth, b->has_esp_auth, &b->esp_auth);
}

bool rule_has_bypass(const struct rule *rule)
{
	for (size_t i = 0; i < rule->n_actions; i++)
		if (rule->actions[i].kind == ACTION_BYPASS)
			return true;
	return false;
}

bool rule_is_bypass(const struct rule *rule)
{
	return rule->actions[0].kind == ACTION_BYPASS;
}

bool rule_is_discard(const struct rule *rule)
{
	return rule->actions[0].kind == ACTION_DISCARD;
}

bool rule_protects(const struct rule *rule)
{
	for (size_t i = 0; i < rule->n_actions; i++)
		if (rule->actions[i].kind == ACTION_PROTECT)
			return true;
	return false;
}

static void need_print(const char *name, const struct alg_need *need, uint8_t proto,
	const struct alg_table *table, struct text *text)
{
	text_addf(text, "%s ", name);
	alg_print(table, proto, need->number, text);
	if (need->min_bits == need->max_bits) {
		if (need->min_bits != 0) /* an algorithm without a key has no range to show */
			text_addf(text, "(%u)", need->min_bits);
	} else if (need->max_bits != UINT16_MAX) {
		text_addf(text, "(%u..%u)", need->min_bits, need->max_bits);
	} else {
		text_addf(text, "(%u..)", need->min_bits);
	}
	text_add_char(text, ' ');
}

static void action_print(
	const struct action *action, const struct alg_table *table, struct text *text)
{
	switch (action->kind) {
	case ACTION_BYPASS:
		text_add(text, "pass { } ");
		return;
	case ACTION_DISCARD:
		text_add(text, "drop { } ");
		return;
	case ACTION_PROTECT:
		break;
	}
	text_add(text, "ipsec { ");
	if (action->has_ah)
		need_print("auth_algs", &action->ah, ALG_PROTO_AH, table, text);
	if (action->has_esp)
		need_print("encr_algs", &action->esp, ALG_PROTO_ESP, table, text);
	if (action->has_esp_auth)
		need_print("encr_auth_algs", &action->esp_auth, ALG_PROTO_AH, table, text);
	text_add(text, action->unique ? "sa unique } " : "sa shared } ");
}

static const char *directions_word(uint8_t directions)
{
	if (directions == DIRECTION_BIT_BOTH)
		return "both";
	return directions == DIRECTION_BIT_IN ? "in" : "out";
}

void rule_print(const struct rule *rule, const struct alg_table *table, uint8_t directions,
	struct text *text)
{
	text_add(text, "{ ");
	if (rule->tunnel[0] != '\0')
		text_addf(text, "tunnel %s negotiate %s ", rule->tunnel,
			rule->negotiate == TUNNEL_TRANSPORT ? "transport" : "tunnel");
	selector_print(&rule->selector, text);
	text_addf(text, "dir %s } ", directions_word(directions));
	for (size_t i = 0; i < rule->n_actions; i++) {
		if (i > 0)
			text_add(text, "or ");
		action_print(&rule->actions[i], table, text);
	}
}

int rule_assign_id(struct rule *rule, uint32_t occurrence)
{
	CLEANUP(text_done) struct text text = { 0 };

	rule_print(rule, NULL, rule->directions, &text);
	/* The text does not tell the families of a rule without addresses apart. */
	text_addf(&text, "%u %" PRIu32, rule->selector.family, occurrence);
	if (rule->audit)
		text_add(&text, " audit");
	if (text.failed)
		return -ENOMEM;
	rule->id = hash_stable(text.str, text.len);
	return 0;
}

const char *rule_id_format(uint64_t id, char ret_text[static RULE_ID_TEXT_MAX])
{
	int r = text_fixed(ret_text, RULE_ID_TEXT_MAX, "%016" PRIx64, id);

	(void)r; /* always 16 digits */
	return ret_text;
}
