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

bool policyd_knows_tunnel(const struct policyd *d, const char *tunnel)
{
	for (size_t i = 0; i < d->n_counters; i++)
		if (strcmp(d->counters[i].tunnel, tunnel) == 0)
			return true;
	return false;
}

/* A number that a rule in force has; sorted by what the rule means. */
struct known_rule {
	uint64_t id; /* of its text; audit rules of several fragments may share it */
	uint32_t index; /* 0: taken */
};

struct known_rules {
	size_t count;
	struct known_rule *list;
};

static int compare_known(const void *x, const void *y)
{
	const struct known_rule *a = x, *b = y;

	return (a->id > b->id) - (a->id < b->id);
}

static int collect_known(const struct policy_file *file, struct known_rules *ret)
{
	size_t count = file ? file->n_rules : 0;
	struct known_rule *known = calloc(count ? count : 1, sizeof(*known));

	if (!known)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		known[i] = (struct known_rule){ .id = file->rules[i]->id,
			.index = file->rules[i]->index };
	qsort(known, count, sizeof(*known), compare_known);
	*ret = (struct known_rules){ .count = count, .list = known };
	return 0;
}

/* The number of a rule that means the same, taken; @wanted: this one, 0: any. 0: there is none. */
static uint32_t take_known(struct known_rules *known, uint64_t id, uint32_t wanted)
{
	struct known_rule key = { .id = id }, *end = known->list + known->count;
	struct known_rule *at = bsearch(
		&key, known->list, known->count, sizeof(key), compare_known);

	while (at && at > known->list && at[-1].id == id)
		at--;
	for (; at && at < end && at->id == id; at++) {
		uint32_t index = at->index;

		if (index != 0 && (wanted == 0 || index == wanted)) {
			at->index = 0;
			return index;
		}
	}
	return 0;
}

static int give_new(struct policyd *d, struct rule *rule)
{
	struct policy_counter *counter = find_counter(d, rule->tunnel);

	if (!counter)
		return -ENOMEM;
	counter->last += policyd_spd_entries(rule);
	rule->index = counter->last;
	return 0;
}

/* A number that a former process gave is not given again either. */
static int keep_off(struct policyd *d, const struct rule *rule)
{
	struct policy_counter *counter = find_counter(d, rule->tunnel);

	if (counter && counter->last < rule->index)
		counter->last = rule->index;
	return counter ? 0 : -ENOMEM;
}

int policyd_give_indexes(struct policyd *d, struct policy_file *next)
{
	struct known_rules known = { 0 };
	int r = collect_known(policyd_in_force(d), &known);

	for (size_t i = 0; r == 0 && i < next->n_rules; i++) {
		r = rule_assign_id(next->rules[i], 0);
		if (r == 0 && next->rules[i]->index != 0)
			(void)take_known(&known, next->rules[i]->id, next->rules[i]->index);
	}
	for (size_t i = 0; r == 0 && i < next->n_rules; i++)
		if (next->rules[i]->index != 0)
			r = keep_off(d, next->rules[i]);
	for (size_t i = 0; r == 0 && i < next->n_rules; i++) {
		struct rule *rule = next->rules[i];

		if (rule->index == 0)
			rule->index = take_known(&known, rule->id, 0);
		if (rule->index == 0)
			r = give_new(d, rule);
	}
	free(known.list);
	return r;
}
