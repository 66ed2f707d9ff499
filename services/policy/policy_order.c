/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rules that the other precedence would rank the other way round. Prefixes are nested or apart:
 * sorted by their remote ends, the rules that a rule can meet are those whose prefix is still open.
 */
#include <errno.h>
#include <string.h>

#include "services/policy/policy_parser.h"

struct order_rule {
	const struct rule *rule;
	uint32_t priority; /* under "solaris-priority" */
	bool bypass;
	uint32_t at; /* its place in the file */
	uint32_t met; /* the first rule before it that is ranked otherwise, or its own place */
};

struct order_search {
	struct order_rule *rules;
	size_t count;
	uint32_t *open; /* rules whose remote end holds the present one, widest first */
	size_t n_open;
	uint64_t pairs; /* may still be looked at */
};

static const struct prefix *remote_of(const struct order_rule *x)
{
	return &x->rule->selector.remote;
}

/* Wider prefixes stand before those in them, rules for any address before all. */
static int compare_remote(const void *x, const void *y)
{
	const struct order_rule *rule_a = x, *rule_b = y;
	const struct prefix *a = remote_of(rule_a), *b = remote_of(rule_b);
	int r = (a->addr.family > b->addr.family) - (a->addr.family < b->addr.family);

	if (r == 0 && a->addr.family != AF_UNSPEC)
		r = memcmp(a->addr.bytes, b->addr.bytes, sizeof(a->addr.bytes));
	if (r == 0)
		r = (a->bits > b->bits) - (a->bits < b->bits);
	return r != 0 ? r : (rule_a->at > rule_b->at) - (rule_a->at < rule_b->at);
}

/* Under "solaris-priority", does the later rule stand before the earlier one, and only there? */
static bool order_differs(const struct order_rule *earlier, const struct order_rule *later)
{
	bool now = later->bypass && !earlier->bypass;
	bool then = later->priority > earlier->priority;

	return now != then && policy_rules_meet(earlier->rule, later->rule) &&
	       !policy_same_actions(earlier->rule, later->rule);
}

static void compare_pair(struct order_rule *a, struct order_rule *b)
{
	struct order_rule *earlier = a->at < b->at ? a : b, *later = a->at < b->at ? b : a;

	if (earlier->at < later->met && order_differs(earlier, later))
		later->met = earlier->at;
}

/* Return: false when there are too many pairs. */
static bool search_one(struct order_search *x, uint32_t i)
{
	struct order_rule *rule = &x->rules[i];

	while (x->n_open > 0) {
		const struct prefix *top = remote_of(&x->rules[x->open[x->n_open - 1]]);

		if (top->addr.family == AF_UNSPEC || prefix_overlaps(top, remote_of(rule)))
			break;
		x->n_open--;
	}
	if (x->n_open > x->pairs)
		return false;
	x->pairs -= x->n_open;
	for (size_t n = 0; n < x->n_open; n++)
		compare_pair(&x->rules[x->open[n]], rule);
	x->open[x->n_open++] = i;
	return true;
}

static int compare_place(const void *x, const void *y)
{
	const struct order_rule *a = x, *b = y;

	return (a->at > b->at) - (a->at < b->at);
}

static void report(const struct order_search *x, const struct policy_file *file, const char *label,
	struct conf_diags *diags)
{
	for (size_t i = 0; i < x->count; i++) {
		const struct order_rule *rule = &x->rules[i];
		struct conf_loc at = { .file = label, .line = rule->rule->line };

		if (rule->met != rule->at)
			conf_warning(diags, at, "rule-order",
				"with precedence \"solaris-priority\" this rule and the one on "
				"line %u would be ranked the other way round",
				file->rules[rule->met]->line);
	}
}

static void search(struct order_search *x, const struct policy_file *file, const char *label,
	struct conf_diags *diags)
{
	bool complete = true;

	qsort(x->rules, x->count, sizeof(*x->rules), compare_remote);
	for (uint32_t i = 0; i < x->count && complete; i++)
		complete = search_one(x, i);
	qsort(x->rules, x->count, sizeof(*x->rules), compare_place);
	report(x, file, label, diags);
	if (!complete)
		conf_note(diags, (struct conf_loc){ .file = label }, "rule-order",
			"so many rules meet that not all were compared for their order");
}

int policy_warn_order(
	const struct policy_file *file, size_t first, const char *label, struct conf_diags *diags)
{
	struct order_search x = { .count = file->n_rules - first, .pairs = POLICY_ORDER_PAIRS_MAX };
	int r = 0;

	if (x.count < 2)
		return 0;
	x.rules = calloc(x.count, sizeof(*x.rules));
	x.open = calloc(x.count, sizeof(*x.open));
	for (size_t i = 0; x.rules && i < x.count; i++) {
		const struct rule *rule = file->rules[first + i];
		uint32_t at = (uint32_t)(first + i);

		x.rules[i] = (struct order_rule){ .rule = rule,
			.priority = spd_solaris_priority(rule),
			.bypass = rule_is_bypass(rule),
			.at = at,
			.met = at };
	}
	if (x.rules && x.open)
		search(&x, file, label, diags);
	else
		r = -ENOMEM;
	free(x.rules);
	free(x.open);
	return r == 0 && conf_diags_failed(diags) ? -ENOMEM : r;
}
