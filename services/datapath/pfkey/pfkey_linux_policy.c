/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The policies of all clients: a list in order of arrival, and the rules that it comes to. */
#include <errno.h>
#include <stdlib.h>

#include "services/datapath/pfkey/pfkey_linux.h"

#define ID_STEP 8 /* as Linux numbers them: the direction stands in the low bits */

int pfkey_linux_policies_new(const struct pfkey_door_policy *ops, struct pfkey_linux_policies **ret)
{
	struct pfkey_linux_policies *policies = calloc(1, sizeof(*policies));

	if (!policies)
		return -ENOMEM;
	policies->ops = *ops;
	*ret = policies;
	return 0;
}

struct pfkey_linux_policies *pfkey_linux_policies_free(struct pfkey_linux_policies *policies)
{
	struct pfkey_linux_entry *next;

	for (struct pfkey_linux_entry *at = policies ? policies->first : NULL; at; at = next) {
		next = at->next;
		free(at);
	}
	free(policies);
	return NULL;
}

/* The lower priority decides first, then who came first. */
static int compare_rank(const void *x, const void *y)
{
	const struct pfkey_linux_entry *const *a = x, *const *b = y;
	const struct pfkey_policy *p = &(*a)->policy, *q = &(*b)->policy;

	if (p->priority != q->priority)
		return p->priority < q->priority ? -1 : 1;
	return (p->id > q->id) - (p->id < q->id);
}

static int make_rules(const struct pfkey_door *door, struct rule **rules, size_t *ret_n)
{
	const struct pfkey_linux_policies *policies = door->policies;
	CLEANUP(freep) struct pfkey_linux_entry **ranked = calloc(
		policies->n + 1, sizeof(struct pfkey_linux_entry *));
	size_t n = 0;
	int r = ranked ? 0 : -ENOMEM;

	*ret_n = 0;
	for (struct pfkey_linux_entry *at = policies->first; at && r == 0; at = at->next)
		ranked[n++] = at;
	if (r == 0)
		qsort(ranked, n, sizeof(*ranked), compare_rank);
	for (size_t i = 0; i < n && r == 0; i++) {
		r = pfkey_linux_rule(door, &ranked[i]->policy, &rules[*ret_n]);
		if (r == 0 && rules[*ret_n])
			++*ret_n;
	}
	return r;
}

int pfkey_linux_enforce(const struct pfkey_door *door)
{
	const struct pfkey_door_policy *ops = &door->policies->ops;
	CLEANUP(freep) struct rule **rules = calloc(door->policies->n + 1, sizeof(struct rule *));
	size_t n = 0;
	int r;

	if (!rules)
		return -ENOMEM;
	r = make_rules(door, rules, &n);
	if (r == 0)
		r = ops->enforce(rules, n, ops->userdata);
	for (size_t i = 0; i < n; i++)
		rule_free(rules[i]);
	return r;
}

bool pfkey_linux_forget(struct pfkey_linux_policies *policies, uint64_t owner)
{
	struct pfkey_linux_entry **link, *entry;
	bool any = false;

	if (!policies)
		return false;
	link = &policies->first;
	while ((entry = *link)) {
		if (entry->owner != owner) {
			link = &entry->next;
			continue;
		}
		*link = entry->next;
		policies->n--;
		free(entry);
		any = true;
	}
	return any;
}

void pfkey_linux_enforce_rest(struct pfkey_door *door)
{
	/* What cannot be taken out of force protects or drops a while longer than it was asked to. */
	(void)!pfkey_linux_enforce(door);
}

static bool prefix_same(const struct prefix *a, const struct prefix *b)
{
	return a->bits == b->bits && address_equal(&a->addr, &b->addr);
}

static bool selects_the_same(const struct pfkey_policy *a, const struct pfkey_policy *b)
{
	return a->direction == b->direction && a->protocol == b->protocol &&
	       a->src_port == b->src_port && a->dst_port == b->dst_port &&
	       prefix_same(&a->src, &b->src) && prefix_same(&a->dst, &b->dst);
}

struct pfkey_linux_entry *pfkey_linux_by_selector(
	struct pfkey_linux_policies *policies, uint64_t owner, const struct pfkey_policy *wanted)
{
	for (struct pfkey_linux_entry *at = policies->first; at; at = at->next)
		if ((owner == 0 || at->owner == owner) && selects_the_same(&at->policy, wanted))
			return at;
	return NULL;
}

struct pfkey_linux_entry *pfkey_linux_by_id(
	struct pfkey_linux_policies *policies, uint64_t owner, uint32_t id)
{
	for (struct pfkey_linux_entry *at = policies->first; at; at = at->next)
		if ((owner == 0 || at->owner == owner) && at->policy.id == id)
			return at;
	return NULL;
}

static struct pfkey_linux_entry **link_of(
	struct pfkey_linux_policies *policies, const struct pfkey_linux_entry *entry)
{
	struct pfkey_linux_entry **link = &policies->first;

	while (*link && *link != entry)
		link = &(*link)->next;
	return link;
}

static uint32_t next_id(struct pfkey_linux_policies *policies, uint8_t direction)
{
	uint32_t id;

	/* All the way round: those of long ago may still be there. */
	do {
		policies->last_id += ID_STEP;
		id = policies->last_id | direction;
	} while (policies->last_id == 0 || pfkey_linux_by_id(policies, 0, id));
	return id;
}

static int replace(
	struct pfkey_door *door, struct pfkey_linux_entry *former, struct pfkey_linux_entry *entry)
{
	struct pfkey_linux_entry **link = link_of(door->policies, former);
	int r;

	entry->policy.id = former->policy.id;
	entry->next = former->next;
	*link = entry;
	r = pfkey_linux_enforce(door);
	if (r < 0) {
		*link = former;
		return r;
	}
	free(former);
	pfkey_linux_begin(door, entry);
	return 0;
}

int pfkey_linux_put(struct pfkey_door *door, struct pfkey_linux_entry *entry, bool replace_former)
{
	struct pfkey_linux_policies *policies = door->policies;
	struct pfkey_linux_entry *former = pfkey_linux_by_selector(
		policies, entry->owner, &entry->policy);
	struct pfkey_linux_entry **end = link_of(policies, NULL);
	int r;

	if (former)
		return replace_former ? replace(door, former, entry) : -EEXIST;
	if (policies->n == PFKEY_LINUX_MAX_POLICIES)
		return -ENOBUFS;
	entry->policy.id = next_id(policies, entry->policy.direction);
	entry->next = NULL;
	*end = entry;
	policies->n++;
	r = pfkey_linux_enforce(door);
	if (r < 0) {
		*end = NULL;
		policies->n--;
		return r;
	}
	pfkey_linux_begin(door, entry);
	return 0;
}

int pfkey_linux_take(struct pfkey_door *door, struct pfkey_linux_entry *entry,
	struct pfkey_linux_entry **ret_entry)
{
	struct pfkey_linux_entry **link = link_of(door->policies, entry);
	int r;

	*link = entry->next;
	door->policies->n--;
	r = pfkey_linux_enforce(door);
	if (r < 0) {
		*link = entry;
		door->policies->n++;
		return r;
	}
	*ret_entry = entry;
	return 0;
}

int pfkey_linux_clear(struct pfkey_door *door, uint64_t owner)
{
	struct pfkey_linux_policies *policies = door->policies, all = *policies, mine = { 0 };
	struct pfkey_linux_entry **rest = &policies->first, **gone = &mine.first;
	struct pfkey_linux_entry *next;
	int r;

	policies->n = 0;
	for (struct pfkey_linux_entry *at = all.first; at; at = next) {
		next = at->next;
		if (at->owner == owner) {
			*gone = at;
			gone = &at->next;
		} else {
			*rest = at;
			rest = &at->next;
			policies->n++;
		}
	}
	*rest = *gone = NULL;
	r = mine.first ? pfkey_linux_enforce(door) : 0;
	if (r < 0) { /* behind the others, but by their ids in the order that they had */
		*rest = mine.first;
		policies->n = all.n;
		return r;
	}
	while (mine.first) {
		next = mine.first->next;
		free(mine.first);
		mine.first = next;
	}
	return 0;
}
