/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An ordered security policy database: which rule decides for a flow, and why. Used alike by
 * ipsecconf and by the datapath, which compiles its classifier from it.
 */
#ifndef SPD_SPD_H
#define SPD_SPD_H

#include <stdbool.h>
#include <stddef.h>

#include "common/model/rule.h"

enum spd_precedence {
	SPD_FIRST_MATCH, /* first rule parsed wins, bypass/pass rules before all others */
	SPD_SOLARIS_PRIORITY, /* ranking of the original, ipsecinit.conf(5) */
};

/* Immutable; rules are owned and stand in match order. */
struct spd {
	enum spd_precedence precedence;
	size_t count;
	struct rule **rules; /* match order within (tunnel, direction) */
	size_t n_audit;
	struct rule **audit; /* owned; those with rule.audit, in match order among themselves */
	size_t n_sources; /* at most SPD_MAX_SOURCES */
	char **sources; /* owned; files, "ipsecconf -a", names of fragments: what rule.source is */
};

#define SPD_MAX_SOURCES	    1024
#define SPD_SOURCE_TEXT_MAX 4097 /* with its NUL */

/*
 * Takes the rules (in file order), orders them, gives ids; audit rules go into their own list.
 * @rules: the array is copied, the rules are consumed on success only. Rules of equal rank keep the order of the array (under
 * SPD_SOLARIS_PRIORITY those that name a single remote host come before the others).
 * Return: 0 or -ENOMEM.
 */
int spd_new(struct rule *const *rules, size_t count, enum spd_precedence precedence,
	struct spd **ret_spd) MUST_CHECK;
struct spd *spd_free(struct spd *spd);
DEFINE_CLEANUP(struct spd *, spd_free)
/*
 * Name what the rules' `source` stands for, in order from 0. @label: copied. Return: 0, -EINVAL for
 * a label that is empty, too long or has control characters, -E2BIG, -ENOMEM.
 */
int spd_add_source(struct spd *spd, const char *label) MUST_CHECK;
const char *spd_source(const struct spd *spd, const struct rule *rule); /* "" if it has no name */

/*
 * The rule that decides, by linear scan in match order; NULL when none matches.
 * @tunnel: NULL or "" for the host head.
 */
const struct rule *spd_match(const struct spd *spd, const char *tunnel, const struct flow *flow);
/* The audit rule that would have decided, had it been among the rules and they empty; or NULL. */
const struct rule *spd_match_audit(
	const struct spd *spd, const char *tunnel, const struct flow *flow);
/* Does this head hold any rule (a tunnel with rules drops what matches none)? */
bool spd_has_tunnel(const struct spd *spd, const char *tunnel);
/* Rank under SPD_SOLARIS_PRIORITY: higher wins. Reference: ipsecinit.conf(5), ORDER. */
uint32_t spd_solaris_priority(const struct rule *rule);
/*
 * Two rules of one head and direction with equal selectors (duplicates, section 7 of the language).
 */
bool spd_rules_conflict(const struct rule *a, const struct rule *b);

#endif
