/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Index numbers as ipsecconf -l shows them; ipsecinit.conf(5), INDEX NUMBERS. */
#include <errno.h>
#include <string.h>

#include "services/policy/policyd.h"

static struct policy_counter *find_counter(struct policyd *d, const char *tunnel)
{
	struct policy_counter *grown;

	for (size_t i = 0; i < d->n_counters; i++)
		if (strcmp(d->counters[i].tunnel, tunnel) == 0)
			return &d->counters[i];
	grown = reallocarray(d->counters, d->n_counters + 1, sizeof(*grown));
	if (!grown)
		return NULL;
	d->counters = grown;
	grown[d->n_counters] = (struct policy_counter){ 0 };
	if (text_copy(grown[d->n_counters].tunnel, RULE_TUNNEL_MAX, tunnel) < 0)
		return NULL;
	return &grown[d->n_counters++];
}

/* How many SPD entries a rule makes: one for each direction and family. */
static uint32_t entries_of(const struct rule *rule)
{
	uint32_t directions = rule->directions == DIRECTION_BIT_BOTH ? 2 : 1;

	return rule->selector.family == AF_UNSPEC ? 2 * directions : directions;
}

/* A rule's place in a list that is sorted by what the rule means. */
struct known_rule {
	uint64_t id; /* of its text; no two rules of a policy share it */
	uint32_t index;
};

static int compare_known(const void *x, const void *y)
{
	const struct known_rule *a = x, *b = y;

	return (a->id > b->id) - (a->id < b->id);
}

static int collect_known(const struct policyd *d, struct known_rule **ret_known, size_t *ret_count)
{
	size_t count = d->current ? d->current->n_rules : 0;
	struct known_rule *known = calloc(count ? count : 1, sizeof(*known));

	if (!known)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		known[i] = (struct known_rule){ .id = d->current->rules[i]->id,
			.index = d->current->rules[i]->index };
	qsort(known, count, sizeof(*known), compare_known);
	*ret_known = known;
	*ret_count = count;
	return 0;
}

int policyd_give_indexes(struct policyd *d, struct policy_file *next)
{
	CLEANUP(freep) struct known_rule *known = NULL;
	size_t count;
	int r = collect_known(d, &known, &count);

	for (size_t i = 0; r == 0 && i < next->n_rules; i++) {
		struct rule *rule = next->rules[i];
		struct known_rule *former, key = { 0 };
		struct policy_counter *counter;

		r = rule_assign_id(rule, 0);
		key.id = rule->id;
		former = bsearch(&key, known, count, sizeof(*known), compare_known);
		if (former && former->index) {
			rule->index = former->index;
			former->index = 0; /* taken */
			continue;
		}
		counter = find_counter(d, rule->tunnel);
		if (!counter)
			return -ENOMEM;
		counter->last += entries_of(rule);
		rule->index = counter->last;
	}
	return r;
}
