/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/spd/spd_diff.h"

#include <errno.h>
#include <string.h>

#include "common/base/hash.h"

/* A rule of either side; `place` counts rules, then audit rules. */
struct diff_end {
	const struct rule *rule;
	size_t place;
	uint64_t where; /* hash of head, directions and selectors */
	struct diff_end *other; /* its counterpart on the other side */
};

struct diff_side {
	size_t count;
	struct diff_end *ends; /* in match order */
	struct diff_end **sorted;
};

static bool rules_agree(const struct rule *a, const struct rule *b)
{
	return a->audit == b->audit && a->directions == b->directions &&
	       strcmp(a->tunnel, b->tunnel) == 0 && a->negotiate == b->negotiate &&
	       selector_equal(&a->selector, &b->selector) &&
	       a->selector.family == b->selector.family;
}

static uint64_t hash_where(const struct rule *rule, struct text *text)
{
	text->len = 0;
	text_addf(text, "%s %d %u %u %d ", rule->tunnel, (int)rule->negotiate, rule->directions,
		rule->selector.family, rule->audit);
	selector_print(&rule->selector, text);
	return text->failed ? 0 : hash_stable(text->str, text->len);
}

static void side_done(struct diff_side *side)
{
	free(side->ends);
	free(side->sorted);
}

static int side_init(struct diff_side *side, const struct spd *spd)
{
	CLEANUP(text_done) struct text text = { 0 };
	size_t count = spd ? spd->count + spd->n_audit : 0;

	side->ends = calloc(count + 1, sizeof(*side->ends));
	side->sorted = calloc(count + 1, sizeof(struct diff_end *));
	if (!side->ends || !side->sorted)
		return -ENOMEM;
	for (; side->count < count; side->count++) {
		size_t i = side->count;
		struct diff_end *end = &side->ends[i];

		end->rule = i < spd->count ? spd->rules[i] : spd->audit[i - spd->count];
		end->place = i;
		end->where = hash_where(end->rule, &text);
		side->sorted[i] = end;
	}
	return text.failed ? -ENOMEM : 0;
}

static int compare_place(const struct diff_end *a, const struct diff_end *b)
{
	return (a->place > b->place) - (a->place < b->place);
}

static int compare_ids(const void *x, const void *y)
{
	const struct diff_end *a = *(struct diff_end *const *)x, *b = *(struct diff_end *const *)y;

	if (a->rule->id != b->rule->id)
		return a->rule->id < b->rule->id ? -1 : 1;
	return compare_place(a, b);
}

/* Those that have a counterpart already come last. */
static int compare_where(const void *x, const void *y)
{
	const struct diff_end *a = *(struct diff_end *const *)x, *b = *(struct diff_end *const *)y;

	if (!a->other != !b->other)
		return a->other ? 1 : -1;
	if (a->where != b->where)
		return a->where < b->where ? -1 : 1;
	return compare_place(a, b);
}

static void pair_by_id(struct diff_side *before, struct diff_side *after)
{
	size_t i = 0, j = 0;

	qsort(before->sorted, before->count, sizeof(struct diff_end *), compare_ids);
	qsort(after->sorted, after->count, sizeof(struct diff_end *), compare_ids);
	while (i < before->count && j < after->count) {
		struct diff_end *a = before->sorted[i], *b = after->sorted[j];

		if (a->rule->id == b->rule->id) {
			a->other = b;
			b->other = a;
			i++;
			j++;
		} else if (a->rule->id < b->rule->id) {
			i++;
		} else {
			j++;
		}
	}
}

/* What is left and selects the same packets has changed its actions. */
static void pair_by_selectors(struct diff_side *before, struct diff_side *after)
{
	size_t i = 0, j = 0;

	qsort(before->sorted, before->count, sizeof(struct diff_end *), compare_where);
	qsort(after->sorted, after->count, sizeof(struct diff_end *), compare_where);
	while (i < before->count && j < after->count && !before->sorted[i]->other &&
		!after->sorted[j]->other) {
		struct diff_end *a = before->sorted[i], *b = after->sorted[j];

		if (a->where == b->where && rules_agree(a->rule, b->rule)) {
			a->other = b;
			b->other = a;
			i++;
			j++;
		} else if (a->where < b->where) {
			i++;
		} else {
			j++;
		}
	}
}

/*
 * Marks in @stays the rules that keep their order among each other: a longest increasing run of
 * places. @work: room for twice the count.
 */
static void find_staying(const struct diff_side *before, bool *stays, size_t *work)
{
	size_t *tails = work, *previous = work + before->count; /* tails: by length of the run */
	size_t longest = 0, at;

	for (size_t i = 0; i < before->count; i++) {
		const struct diff_end *end = &before->ends[i];
		size_t low = 0, high = longest;

		if (!end->other)
			continue;
		while (low < high) {
			size_t middle = (low + high) / 2;

			if (before->ends[tails[middle]].other->place < end->other->place)
				low = middle + 1;
			else
				high = middle;
		}
		previous[i] = low > 0 ? tails[low - 1] : SIZE_MAX;
		tails[low] = i;
		longest = low == longest ? longest + 1 : longest;
	}
	at = longest > 0 ? tails[longest - 1] : SIZE_MAX;
	for (; at != SIZE_MAX; at = previous[at])
		stays[at] = true;
}

static void add(struct spd_diff *diff, enum spd_change_kind kind, const struct rule *before,
	const struct rule *after)
{
	diff->changes[diff->count++] = (struct spd_change){ kind, before, after };
}

static int make_changes(
	const struct diff_side *before, const struct diff_side *after, struct spd_diff *diff)
{
	CLEANUP(freep) bool *stays = calloc(before->count + 1, sizeof(*stays));
	CLEANUP(freep) size_t *work = calloc(2 * before->count + 1, sizeof(*work));

	if (!stays || !work)
		return -ENOMEM;
	find_staying(before, stays, work);
	diff->changes = calloc(before->count + after->count + 1, sizeof(*diff->changes));
	if (!diff->changes)
		return -ENOMEM;
	for (size_t i = 0; i < before->count; i++) {
		const struct diff_end *end = &before->ends[i];

		if (!end->other)
			add(diff, SPD_REMOVED, end->rule, NULL);
		else if (end->rule->id != end->other->rule->id)
			add(diff, SPD_CHANGED, end->rule, end->other->rule);
		else if (!stays[i])
			add(diff, SPD_MOVED, end->rule, end->other->rule);
	}
	for (size_t i = 0; i < after->count; i++)
		if (!after->ends[i].other)
			add(diff, SPD_ADDED, NULL, after->ends[i].rule);
	return 0;
}

int spd_diff(const struct spd *before, const struct spd *after, struct spd_diff *ret_diff)
{
	CLEANUP(side_done) struct diff_side old = { 0 }, new = { 0 };
	struct spd_diff diff = { 0 };
	int r = side_init(&old, before);

	if (r == 0)
		r = side_init(&new, after);
	if (r < 0 || !old.sorted || !new.sorted)
		return r < 0 ? r : -ENOMEM;
	pair_by_id(&old, &new);
	pair_by_selectors(&old, &new);
	r = make_changes(&old, &new, &diff);
	if (r < 0)
		return r;
	*ret_diff = diff;
	return 0;
}

void spd_diff_done(struct spd_diff *diff)
{
	free(diff->changes);
	*diff = (struct spd_diff){ 0 };
}

const char *spd_change_name(enum spd_change_kind kind)
{
	static const char *const names[] = {
		[SPD_ADDED] = "added",
		[SPD_REMOVED] = "removed",
		[SPD_CHANGED] = "changed",
		[SPD_MOVED] = "moved",
	};

	return names[kind];
}

static bool actions_agree(const struct rule *a, const struct rule *b)
{
	if (!a || !b)
		return true; /* there the treatment says all */
	if (a->n_actions != b->n_actions)
		return false;
	for (size_t i = 0; i < a->n_actions; i++)
		if (!action_equal(&a->actions[i], &b->actions[i]))
			return false;
	return true;
}

void spd_diff_flow(const struct spd *before, const struct spd *after, const struct spd_query *query,
	struct spd_flow_change *ret_change)
{
	struct spd_flow_change change = { 0 };

	if (before)
		change.before = spd_decide(before, query, &change.rule_before);
	if (after)
		change.after = spd_decide(after, query, &change.rule_after);
	change.differs = change.before != change.after ||
			 !actions_agree(change.rule_before, change.rule_after);
	*ret_change = change;
}
