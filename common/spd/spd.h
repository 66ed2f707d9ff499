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
};

/*
 * Takes the rules (in file order), orders them, gives ids. @rules: the array is copied, the rules
 * are consumed on success only. Rules of equal rank keep the order of the array (under
 * SPD_SOLARIS_PRIORITY those that name a single remote host come before the others).
 * Return: 0 or -ENOMEM.
 */
int spd_new(struct rule *const *rules, size_t count, enum spd_precedence precedence,
	struct spd **ret_spd) MUST_CHECK;
struct spd *spd_free(struct spd *spd);
DEFINE_CLEANUP(struct spd *, spd_free)

/*
 * The rule that decides, by linear scan in match order; NULL when none matches.
 * @tunnel: NULL or "" for the host head.
 */
const struct rule *spd_match(const struct spd *spd, const char *tunnel, const struct flow *flow);
/* Does this head hold any rule (a tunnel with rules drops what matches none)? */
bool spd_has_tunnel(const struct spd *spd, const char *tunnel);
/* Rank under SPD_SOLARIS_PRIORITY: higher wins. Reference: ipsecinit.conf(5), ORDER. */
uint32_t spd_solaris_priority(const struct rule *rule);
/*
 * Two rules of one head and direction with equal selectors (duplicates, section 7 of the language).
 */
bool spd_rules_conflict(const struct rule *a, const struct rule *b);

#endif
