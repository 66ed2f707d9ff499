/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What separates two policies: rule by rule by their stable ids, and for given packets. */
#ifndef SPD_SPD_DIFF_H
#define SPD_SPD_DIFF_H

#include "common/spd/spd.h"
#include "common/spd/spd_explain.h"

enum spd_change_kind {
	SPD_ADDED,
	SPD_REMOVED,
	SPD_CHANGED, /* same head, directions and selectors, other actions */
	SPD_MOVED, /* the same rule at another place among those that stay */
};

struct spd_change {
	enum spd_change_kind kind;
	const struct rule *before; /* borrowed; NULL: added */
	const struct rule *after; /* borrowed; NULL: removed */
};

struct spd_diff {
	size_t count;
	struct spd_change
		*changes; /* owned; what went in the old order, then what came in the new */
};

/* NULL for a policy is an empty one; audit rules are compared too. Return: 0 or -ENOMEM. */
int spd_diff(
	const struct spd *before, const struct spd *after, struct spd_diff *ret_diff) MUST_CHECK;
void spd_diff_done(struct spd_diff *diff); /* CLEANUP */
const char *spd_change_name(enum spd_change_kind kind); /* "added", ... */

/* One packet under both. */
struct spd_flow_change {
	const struct rule *rule_before, *rule_after; /* borrowed; NULL: no rule */
	enum spd_treatment before, after;
	bool differs; /* in treatment, or in the algorithms that protect it */
};
void spd_diff_flow(const struct spd *before, const struct spd *after, const struct spd_query *query,
	struct spd_flow_change *ret_change);

#endif
