/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which of many rules covers a selector wholly: the question of whoever looks for rules that never
 * decide. Answered by a few hash probes, one for each shape of selector that the rules have.
 */
#ifndef SPD_SPD_COVER_H
#define SPD_SPD_COVER_H

#include "common/model/rule.h"

/* Rules with ranges and ICMP types under one pair of prefixes that are looked at; more go unseen. */
#define SPD_COVER_RANGES_MAX 64

struct spd_cover;

struct spd_cover *spd_cover_new(void); /* NULL: no memory */
struct spd_cover *spd_cover_free(struct spd_cover *cover);
DEFINE_CLEANUP(struct spd_cover *, spd_cover_free)

/* Borrowed until the end. Directions are the caller's business. Return: 0 or -ENOMEM. */
int spd_cover_add(struct spd_cover *cover, const struct rule *rule) MUST_CHECK;
/* Of the rules of this head that cover @selector, the one that was added first; NULL: none. */
const struct rule *spd_cover_find(
	const struct spd_cover *cover, const char *tunnel, const struct selector *selector);

#endif
