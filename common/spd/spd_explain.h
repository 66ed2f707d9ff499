/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which rule decides for a packet, and for each rule before it, what of its selector the packet
 * does not meet. The same comparison as spd_match(), part by part.
 */
#ifndef SPD_SPD_EXPLAIN_H
#define SPD_SPD_EXPLAIN_H

#include "common/spd/spd.h"
#include "common/spd/spd_flow.h"

/* The first part that differs, in the order in which they are compared; names in spd_miss_name(). */
#define SPD_MISSES(X)                        \
	X(NONE, "matches")                   \
	X(DIRECTION, "direction")            \
	X(FAMILY, "address family")          \
	X(PROTOCOL, "protocol")              \
	X(HIDDEN_PORTS, "ports not visible") \
	X(LOCAL_PORT, "local port")          \
	X(REMOTE_PORT, "remote port")        \
	X(HIDDEN_ICMP, "type not visible")   \
	X(ICMP_TYPE, "icmp type")            \
	X(ICMP_CODE, "icmp code")            \
	X(LOCAL_ADDRESS, "local address")    \
	X(REMOTE_ADDRESS, "remote address")

#define SPD_MISS_ENUM(name, text) SPD_MISS_##name,
enum spd_miss { SPD_MISSES(SPD_MISS_ENUM) };
#undef SPD_MISS_ENUM

/* What becomes of a packet. */
enum spd_treatment {
	SPD_NOT_COVERED, /* no rule: it goes and is taken in clear ("none") */
	SPD_BYPASS, /* a rule lets it pass in clear ("bypass") */
	SPD_DISCARD, /* ("drop") */
	SPD_PROTECT, /* AH or ESP ("ipsec") */
};

struct spd_missed {
	const struct rule *rule; /* borrowed from the database */
	enum spd_miss why; /* never SPD_MISS_NONE */
};

struct spd_explanation {
	const struct rule *rule; /* that decides; borrowed; NULL: none */
	const struct rule *audit; /* of the audit rules, the first that matches; borrowed; NULL */
	enum spd_treatment
		treatment; /* the first alternative; a tunnel with rules drops the rest */
	bool not_subject; /* forwarded past host policy: no rule was asked */
	size_t n_missed;
	struct spd_missed *missed; /* owned; rules of the same head before the one that decides */
};

/* Return: 0 or -ENOMEM. @spd: borrowed for as long as the explanation lives. */
int spd_explain(const struct spd *spd, const struct spd_query *query,
	struct spd_explanation *ret) MUST_CHECK;
void spd_explanation_done(struct spd_explanation *explanation); /* CLEANUP */

/* The rule that decides for a query and what becomes of it, without the reasons. */
enum spd_treatment spd_decide(
	const struct spd *spd, const struct spd_query *query, const struct rule **ret_rule);
const char *spd_treatment_name(
	enum spd_treatment treatment); /* "none", "bypass", "drop", "ipsec" */
/* Return: 0 or -EINVAL. */
int spd_treatment_parse(const char *word, size_t len, enum spd_treatment *ret_treatment) MUST_CHECK;

/* Does this rule match, its head aside? SPD_MISS_NONE: yes. */
enum spd_miss spd_miss_of(const struct rule *rule, const struct flow *flow);
const char *spd_miss_name(enum spd_miss miss);
/* "remote port 443 is not 80": what the packet has and what the rule asks for. */
void spd_miss_print(const struct spd_missed *missed, const struct flow *flow, struct text *text);

#endif
