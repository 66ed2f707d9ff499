/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Algorithm values: name or number, key range, and what `any` stands for. */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "services/policy/policy_parser.h"

#define ALG_WORD_MAX 39
#define KEY_BITS_MAX (UINT16_MAX - 1)

static uint8_t slot_proto(enum property_slot slot)
{
	return slot == PROP_ENCR ? ALG_PROTO_ESP : ALG_PROTO_AH;
}

static int report_bad(struct policy_parser *p, enum property_slot slot, const struct token *value,
	const char *why)
{
	return entry_error(p, value->at, "alg-value", "Bad %s '%.*s': %s", property_name(slot),
		(int)value->len, value->text, why);
}

static bool read_bits(const char *digits, size_t len, uint16_t *ret_bits)
{
	uint64_t bits;

	if (value_number(digits, len, KEY_BITS_MAX, &bits) < 0)
		return false;
	*ret_bits = (uint16_t)bits;
	return true;
}

/* What stands between the parentheses: "", "n", "lo..", "..hi", "lo..hi". */
static bool read_range(const char *range, size_t len, struct alg_choice *choice)
{
	const char *dots = memmem(range, len, "..", 2);
	size_t low_len = dots ? (size_t)(dots - range) : len;
	size_t high_len = dots ? len - low_len - 2 : 0;

	if (len == 0)
		return true;
	if (dots && low_len == 0 && high_len == 0)
		return false;
	if (low_len > 0) {
		choice->has_low = true;
		if (!read_bits(range, low_len, &choice->low))
			return false;
	}
	if (!dots) {
		choice->has_high = true;
		choice->high = choice->low;
	} else if (high_len > 0) {
		choice->has_high = true;
		if (!read_bits(dots + 2, high_len, &choice->high))
			return false;
	}
	return !choice->has_low || !choice->has_high || choice->low <= choice->high;
}

static bool takes_some_key(const struct algorithm *alg, const struct alg_need *need)
{
	for (unsigned int bits = need->min_bits; bits <= need->max_bits; bits++)
		if (alg_takes_key(alg, bits))
			return true;
	return false;
}

/*
 * The sizes that are left of the algorithm's own. An end that was left out is the algorithm's:
 * its default below, its longest above, which is how the listing shows it.
 */
static bool choice_need(
	const struct algorithm *alg, const struct alg_choice *choice, struct alg_need *ret_need)
{
	unsigned int low = alg->key_default_bits, high = alg->key_max_bits;

	if (choice->has_low)
		low = choice->low > alg->key_min_bits ? choice->low : alg->key_min_bits;
	if (choice->has_high && choice->high < high)
		high = choice->high;
	if (low > high)
		return false;
	*ret_need = (struct alg_need){
		.number = alg->number, .min_bits = (uint16_t)low, .max_bits = (uint16_t)high
	};
	return true;
}

static void hint_name(struct policy_parser *p, uint8_t proto, const char *name, size_t len)
{
	CLEANUP(freep) const char **names = NULL;
	const struct alg_table *algs = p->in->algs;
	const char *nearest;
	size_t count = 0;

	names = calloc(algs->count * ALG_MAX_NAMES + 1, sizeof(*names));
	if (!names)
		return; /* the message stands without its hint */
	for (size_t i = 0; i < algs->count; i++) {
		const struct algorithm *alg = &algs->entries[i];

		for (size_t n = 0; alg->proto == proto && n < alg->n_names; n++)
			names[count++] = alg->names[n];
	}
	nearest = value_nearest(name, len, names);
	if (nearest)
		conf_hint(p->diags, "did you mean '%s'?", nearest);
}

/* Sort by what reads as strength: the longest minimum key first, the table's order among equals. */
static int compare_strength(const struct algorithm *a, const struct algorithm *b)
{
	return (int)b->key_min_bits - (int)a->key_min_bits;
}

/* GMAC is for AH among integrity algorithms, and among ciphers it hides nothing. */
static bool any_means(enum property_slot slot, const struct algorithm *alg)
{
	if (alg->proto != slot_proto(slot) || alg->number == 0)
		return false;
	if (slot == PROP_ESP_AUTH)
		return !alg_is_ah_only(alg->number);
	return slot != PROP_ENCR || alg->number != ALG_ENCR_AES_GMAC;
}

/* All algorithms that @choice lets `any` stand for; number 0 is the wildcard itself. */
static void collect_any(struct policy_parser *p, enum property_slot slot,
	const struct alg_choice *choice, struct alg_candidates *list)
{
	const struct alg_table *algs = p->in->algs;
	struct alg_need need;

	list->count = 0;
	for (size_t i = 0; i < algs->count; i++) {
		const struct algorithm *alg = &algs->entries[i];
		size_t at = list->count;

		if (!any_means(slot, alg) || !choice_need(alg, choice, &need) ||
			!takes_some_key(alg, &need))
			continue;
		for (; at > 0; at--) {
			const struct algorithm *before = alg_find(
				algs, alg->proto, list->needs[at - 1].number);

			if (compare_strength(before, alg) <= 0)
				break;
			list->needs[at] = list->needs[at - 1];
		}
		list->needs[at] = need;
		list->count++;
	}
}

static void warn_weak(struct policy_parser *p, enum property_slot slot, const struct token *value)
{
	CLEANUP(text_done) struct text names = { 0 };
	const struct alg_candidates *list = &p->candidates[slot];
	uint8_t proto = slot_proto(slot);

	for (size_t i = 0; i < list->count; i++) {
		if (!alg_is_weak(proto, list->needs[i].number))
			continue;
		if (names.len > 0)
			text_add(&names, ", ");
		alg_print(p->in->algs, proto, list->needs[i].number, &names);
	}
	if (names.len > 0)
		conf_warning(p->diags, value->at, "alg-weak",
			"weak algorithm, only for peers that know nothing better: %s", names.str);
}

static void find_one(struct policy_parser *p, struct alg_choice *choice, enum property_slot slot,
	const struct token *value, size_t name_len)
{
	struct alg_need *need = &p->candidates[slot].needs[0];
	const struct algorithm *alg;
	uint64_t number;
	uint8_t proto = slot_proto(slot);

	if (value_number(value->text, name_len, UINT8_MAX, &number) == 0)
		alg = number ? alg_find(p->in->algs, proto, (uint8_t)number) : NULL;
	else
		alg = alg_find_name(p->in->algs, proto, value->text, name_len);
	if (!alg || alg->number == 0) {
		(void)report_bad(p, slot, value, "no such algorithm");
		hint_name(p, proto, value->text, name_len);
		return;
	}
	if (slot == PROP_ESP_AUTH && alg_is_ah_only(alg->number)) {
		(void)report_bad(
			p, slot, value, "GMAC goes with AH alone; for ESP it is an encr_algs");
		return;
	}
	choice->number = alg->number;
	choice->given = true;
	p->candidates[slot].count = 1;
	if (!choice_need(alg, choice, need) ||
		(need->min_bits == need->max_bits && !takes_some_key(alg, need))) {
		choice->given = false;
		(void)report_bad(p, slot, value, "the algorithm has no key size in this range");
	} else if (!takes_some_key(alg, need)) {
		conf_warning(p->diags, value->at, "alg-key-sizes",
			"the range lies between two key sizes of the algorithm: no key fits");
	}
}

void action_parse_alg(struct policy_parser *p, struct alternative *alt, enum property_slot slot,
	const struct token *value)
{
	const char *open = memchr(value->text, '(', value->len);
	size_t name_len = open ? (size_t)(open - value->text) : value->len;
	struct alg_choice *choice = &alt->algs[slot];

	if (value->len > ALG_WORD_MAX) {
		(void)report_bad(p, slot, value, "longer than 39 characters");
		return;
	}
	if (open && value->text[value->len - 1] != ')') {
		(void)report_bad(p, slot, value, "the key range must end in ')'");
		return;
	}
	if (open && !read_range(open + 1, value->len - name_len - 2, choice)) {
		(void)report_bad(
			p, slot, value, "the key range is none of (n), (lo..hi), (lo..), (..hi)");
		return;
	}
	p->candidates[slot].count = 0;
	if (name_len == 3 && strncasecmp(value->text, "any", 3) == 0) {
		choice->any = true;
		collect_any(p, slot, choice, &p->candidates[slot]);
		choice->given = p->candidates[slot].count > 0;
		if (!choice->given)
			(void)report_bad(
				p, slot, value, "no algorithm has a key size in this range");
	} else {
		find_one(p, choice, slot, value, name_len);
	}
	warn_weak(p, slot, value);
}

static bool add_action(struct policy_parser *p, const struct alternative *alt, struct action action)
{
	if (p->n_actions == RULE_MAX_ACTIONS) {
		(void)entry_error(p, alt->at, "too-many-actions",
			"Too many actions: 'any' makes more than %d of this entry",
			RULE_MAX_ACTIONS);
		return false;
	}
	p->actions[p->n_actions++] = action;
	return true;
}

/* The algorithms of a property that was given; none otherwise. */
static void collect(struct policy_parser *p, const struct alternative *alt, enum property_slot slot)
{
	const struct alg_choice *choice = &alt->algs[slot];
	struct alg_candidates *list = &p->candidates[slot];
	const struct algorithm *alg;

	list->count = 0;
	if (!choice->given)
		return;
	if (choice->any) {
		collect_any(p, slot, choice, list);
		return;
	}
	alg = alg_find(p->in->algs, slot_proto(slot), choice->number);
	if (alg && choice_need(alg, choice, &list->needs[0]))
		list->count = 1;
}

static bool is_combined(const struct policy_parser *p, uint8_t number)
{
	const struct algorithm *alg = alg_find(p->in->algs, ALG_PROTO_ESP, number);

	return alg && alg_is_combined(alg);
}

/* With cipher and AH settled in @base: each integrity algorithm of ESP, or none. */
static bool expand_esp_auth(
	struct policy_parser *p, const struct alternative *alt, const struct action *base)
{
	const struct alg_candidates *list = &p->candidates[PROP_ESP_AUTH];
	struct action action = *base;

	if (base->has_esp && is_combined(p, base->esp.number))
		return add_action(p, alt, action);
	if (list->count == 0) {
		/* RFC 4301 section 4.2: never without cipher and integrity both. */
		if (action.has_esp && action.esp.number == ALG_ENCR_NULL && !action.has_ah &&
			alt->algs[PROP_ENCR].any)
			return true;
		return add_action(p, alt, action);
	}
	for (size_t i = 0; i < list->count; i++) {
		action.has_esp_auth = true;
		action.esp_auth = list->needs[i];
		if (!action.has_esp) {
			action.has_esp = true;
			action.esp = (struct alg_need){ .number = ALG_ENCR_NULL };
		}
		if (!add_action(p, alt, action))
			return false;
	}
	return true;
}

static bool expand_ah(
	struct policy_parser *p, const struct alternative *alt, const struct action *base)
{
	const struct alg_candidates *list = &p->candidates[PROP_AH];
	struct action action = *base;

	if (list->count == 0)
		return expand_esp_auth(p, alt, base);
	for (size_t i = 0; i < list->count; i++) {
		action.has_ah = true;
		action.ah = list->needs[i];
		if (!expand_esp_auth(p, alt, &action))
			return false;
	}
	return true;
}

void action_expand(struct policy_parser *p, const struct alternative *alt)
{
	const struct alg_candidates *list = &p->candidates[PROP_ENCR];
	struct action action = { .kind = ACTION_PROTECT, .unique = alt->unique };

	if (alt->word == WORD_BYPASS || alt->word == WORD_DROP) {
		action.kind = alt->word == WORD_DROP ? ACTION_DISCARD : ACTION_BYPASS;
		(void)add_action(p, alt, action);
		return;
	}
	if (p->pattern.negotiate != TUNNEL_NONE)
		action.unique = p->pattern.negotiate == TUNNEL_TRANSPORT;
	for (enum property_slot slot = PROP_AH; slot <= PROP_ESP_AUTH; slot++)
		collect(p, alt, slot);
	if (list->count == 0) {
		(void)expand_ah(p, alt, &action);
		return;
	}
	for (size_t i = 0; i < list->count; i++) {
		action.has_esp = true;
		action.esp = list->needs[i];
		if (!expand_ah(p, alt, &action))
			return;
	}
}
