/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rules of an SPD compiled for look-up: the same answer as spd_match(), at a cost that hardly
 * depends on their number. Immutable; any number of threads may search it.
 */
#ifndef DATAPATH_CLASSIFIER_H
#define DATAPATH_CLASSIFIER_H

#include <stddef.h>
#include <stdint.h>

#include "common/spd/spd.h"

#define CLASSIFIER_NONE	   UINT32_MAX /* no rule */
#define CLASSIFIER_NO_HEAD (-1)

struct classifier;

/*
 * @rules: in match order, borrowed for as long as the classifier lives (an SPD's rules, or its audit
 * rules). Return: 0 or -ENOMEM.
 */
int classifier_new(
	struct rule *const *rules, size_t count, struct classifier **ret_classifier) MUST_CHECK;
struct classifier *classifier_free(struct classifier *classifier);
DEFINE_CLEANUP(struct classifier *, classifier_free)

/* Number of the head of this name ("": host policy), or CLASSIFIER_NO_HEAD: it has no rules. */
int classifier_head(const struct classifier *classifier, const char *name);
/* What its rules negotiate: one mode a tunnel. */
enum tunnel_mode classifier_mode(const struct classifier *classifier, int head);
/* Does a rule of it name ports or ICMP types, which later fragments do not show? */
bool classifier_names_ports(const struct classifier *classifier, int head);
/* Position in match order of the rule that decides, or CLASSIFIER_NONE. */
uint32_t classifier_find(const struct classifier *classifier, int head, const struct flow *flow);
/* Several packets at a time, whose loads from memory overlap. */
struct classifier_query {
	const struct flow *flow;
	int head;
	uint32_t rule; /* answer, as of classifier_find() */
};
void classifier_find_batch(
	const struct classifier *classifier, struct classifier_query *queries, size_t n);
/* The same, also where so few rules stay in the cache that one at a time is faster. */
void classifier_find_staged(
	const struct classifier *classifier, struct classifier_query *queries, size_t n);
size_t classifier_bytes(const struct classifier *classifier); /* memory that it takes */

#endif
