/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/spd/spd.h"

#include <errno.h>
#include <string.h>

#define PRIORITY_BYPASS	  0x00800000U
#define PRIORITY_ESP	  0x00400000U
#define PRIORITY_AH	  0x00200000U
#define PRIORITY_POSITION 0x000fffffU

/* What decides where a rule stands, worked out once a rule. */
struct spd_rank {
	uint32_t rank; /* the higher stands first */
	uint32_t order; /* then the lower */
	uint32_t remote_is_many; /* then the one that names a single remote host */
	uint32_t position; /* then the lower */
	uint64_t base_id;
	struct rule *rule;
};

uint32_t spd_solaris_priority(const struct rule *rule)
{
	uint32_t position = rule->order < PRIORITY_POSITION ? rule->order : PRIORITY_POSITION;
	uint32_t boost = rule_has_bypass(rule) ? PRIORITY_BYPASS : 0;

	for (size_t i = 0; i < rule->n_actions; i++) {
		const struct action *action = &rule->actions[i];

		if (action->kind != ACTION_PROTECT)
			continue;
		if (action->has_esp || action->has_esp_auth)
			boost |= PRIORITY_ESP;
		if (action->has_ah)
			boost |= PRIORITY_AH;
	}
	return boost | (PRIORITY_POSITION - position);
}

static int compare_u32(uint32_t a, uint32_t b)
{
	return (a > b) - (a < b);
}

static int compare_match_order(const void *x, const void *y)
{
	const struct spd_rank *a = x, *b = y;
	int r;

	r = compare_u32(b->rank, a->rank);
	if (r == 0)
		r = compare_u32(a->order, b->order);
	if (r == 0)
		r = compare_u32(a->remote_is_many, b->remote_is_many);
	return r ? r : compare_u32(a->position, b->position);
}

static int compare_id(const void *x, const void *y)
{
	const struct spd_rank *a = x, *b = y;

	if (a->base_id != b->base_id)
		return a->base_id < b->base_id ? -1 : 1;
	return compare_u32(a->position, b->position);
}

static void rank_init(
	struct spd_rank *rank, struct rule *rule, size_t position, enum spd_precedence precedence)
{
	*rank = (struct spd_rank){ .position = (uint32_t)position, .rule = rule };
	switch (precedence) {
	case SPD_FIRST_MATCH:
		/*
		 * A list that merely ends in `pass` does not jump the queue: what such a rule
		 * does first is protect.
		 */
		rank->rank = rule_is_bypass(rule);
		rank->order = rule->order;
		break;
	case SPD_SOLARIS_PRIORITY:
		rank->rank = spd_solaris_priority(rule);
		rank->remote_is_many = !prefix_is_host(&rule->selector.remote);
		break;
	}
}

/* Ids must not depend on the precedence: occurrences count in the order that was handed in. */
static int ranks_assign_ids(struct spd_rank *ranks, size_t count)
{
	uint32_t occurrence = 0;
	int r;

	for (size_t i = 0; i < count; i++) {
		r = rule_assign_id(ranks[i].rule, 0);
		if (r < 0)
			return r;
		ranks[i].base_id = ranks[i].rule->id;
	}
	qsort(ranks, count, sizeof(*ranks), compare_id);
	for (size_t i = 1; i < count; i++) {
		occurrence = ranks[i].base_id == ranks[i - 1].base_id ? occurrence + 1 : 0;
		if (occurrence == 0)
			continue;
		r = rule_assign_id(ranks[i].rule, occurrence);
		if (r < 0)
			return r;
	}
	return 0;
}

int spd_new(struct rule *const *rules, size_t count, enum spd_precedence precedence,
	struct spd **ret_spd)
{
	CLEANUP(freep) struct spd_rank *ranks = NULL;
	CLEANUP(freep) struct rule **ordered = NULL, **audit = NULL;
	size_t n_audit = 0;
	struct spd *spd;
	int r;

	if (count > UINT32_MAX)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		n_audit += rules[i]->audit;
	ranks = calloc(count ? count : 1, sizeof(*ranks));
	ordered = calloc(count - n_audit + 1, sizeof(struct rule *));
	audit = calloc(n_audit + 1, sizeof(struct rule *));
	if (!ranks || !ordered || !audit)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		rank_init(&ranks[i], rules[i], i, precedence);
	r = ranks_assign_ids(ranks, count);
	if (r < 0)
		return r;
	spd = calloc(1, sizeof(*spd));
	if (!spd)
		return -ENOMEM;
	qsort(ranks, count, sizeof(*ranks), compare_match_order);
	spd->precedence = precedence;
	spd->rules = STEAL(ordered);
	spd->audit = STEAL(audit);
	for (size_t i = 0; i < count; i++) {
		if (ranks[i].rule->audit)
			spd->audit[spd->n_audit++] = ranks[i].rule;
		else
			spd->rules[spd->count++] = ranks[i].rule;
	}
	*ret_spd = spd;
	return 0;
}

struct spd *spd_free(struct spd *spd)
{
	if (spd) {
		for (size_t i = 0; i < spd->count; i++)
			rule_free(spd->rules[i]);
		for (size_t i = 0; i < spd->n_audit; i++)
			rule_free(spd->audit[i]);
		for (size_t i = 0; i < spd->n_sources; i++)
			free(spd->sources[i]);
		free(spd->rules);
		free(spd->audit);
		free(spd->sources);
		free(spd);
	}
	return NULL;
}

static bool label_is_valid(const char *label)
{
	size_t len = strlen(label);

	if (len == 0 || len >= SPD_SOURCE_TEXT_MAX)
		return false;
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)label[i] < 0x20 || label[i] == 0x7f)
			return false;
	return true;
}

int spd_add_source(struct spd *spd, const char *label)
{
	char **more, *copy;

	if (!label_is_valid(label))
		return -EINVAL;
	if (spd->n_sources == SPD_MAX_SOURCES)
		return -E2BIG;
	more = reallocarray(spd->sources, spd->n_sources + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	spd->sources = more;
	copy = strdup(label);
	if (!copy)
		return -ENOMEM;
	spd->sources[spd->n_sources++] = copy;
	return 0;
}

const char *spd_source(const struct spd *spd, const struct rule *rule)
{
	return rule->source < spd->n_sources ? spd->sources[rule->source] : "";
}

static const struct rule *first_match(
	struct rule *const *rules, size_t count, const char *tunnel, const struct flow *flow)
{
	const char *head = tunnel ? tunnel : "";

	for (size_t i = 0; i < count; i++) {
		const struct rule *rule = rules[i];

		if ((rule->directions & 1U << flow->direction) && strcmp(rule->tunnel, head) == 0 &&
			selector_match(&rule->selector, flow))
			return rule;
	}
	return NULL;
}

const struct rule *spd_match(const struct spd *spd, const char *tunnel, const struct flow *flow)
{
	return first_match(spd->rules, spd->count, tunnel, flow);
}

const struct rule *spd_match_audit(
	const struct spd *spd, const char *tunnel, const struct flow *flow)
{
	return first_match(spd->audit, spd->n_audit, tunnel, flow);
}

bool spd_has_tunnel(const struct spd *spd, const char *tunnel)
{
	for (size_t i = 0; i < spd->count; i++)
		if (strcmp(spd->rules[i]->tunnel, tunnel) == 0)
			return true;
	return false;
}

bool spd_rules_conflict(const struct rule *a, const struct rule *b)
{
	return (a->directions & b->directions) != 0 && strcmp(a->tunnel, b->tunnel) == 0 &&
	       selector_equal(&a->selector, &b->selector);
}
