/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is suspicious about rules without being wrong: warnings, each with a code and a place. */
#ifndef POLICY_LINT_H
#define POLICY_LINT_H

#include "common/model/sa.h"
#include "services/policy/policy_file.h"

/* The rules of one text, and what is known about where they are going to stand. */
struct policy_lint {
	const struct policy_file *file;
	size_t first; /* rules before it are those of other sources: they count, and go unreported */
	size_t first_entry; /* the entry that holds it */
	const char *label; /* of the source, from conf_diags_file() */
	enum spd_precedence precedence;
	struct conf_diags *diags;
};

struct policy_tunnel {
	char name[RULE_TUNNEL_MAX];
	bool is_configured;
	bool is_routed; /* routes over it come and go by a routing protocol */
};

/* Names of interfaces, and what is known of them. */
struct policy_tunnels {
	bool known; /* the list of tunnels is complete */
	size_t count;
	struct policy_tunnel *tunnels;
};

struct policy_tunnels *policy_tunnels_new(void); /* NULL: no memory */
struct policy_tunnels *policy_tunnels_free(struct policy_tunnels *tunnels);
DEFINE_CLEANUP(struct policy_tunnels *, policy_tunnels_free)
/* Marks are or-ed to those that the name has. Return: 0, -ENAMETOOLONG, -ENOMEM. */
int policy_tunnels_add(
	struct policy_tunnels *tunnels, const char *name, bool configured, bool routed) MUST_CHECK;

/* Where warnings about an entry point to. */
struct conf_loc lint_place(const struct policy_lint *lint, const struct policy_entry *entry);
/*
 * Rules that never decide or never match, one direction without the other, algorithms that nothing
 * here computes. Return: 0 or -ENOMEM.
 */
int policy_lint_rules(const struct policy_lint *lint) MUST_CHECK;
/* Rules of tunnels that are not there, and subnets where routes move. Return: 0 or -ENOMEM. */
int policy_lint_tunnels(
	const struct policy_lint *lint, const struct policy_tunnels *tunnels) MUST_CHECK;
/* Rules times SAs that are looked at; that there were more is noted. */
#define POLICY_SAS_PAIRS_MAX 20000000U
/*
 * Protective rules that no SA serves and nobody can negotiate one for. @sas: those in the datapath.
 * @negotiates: key management takes requests.
 */
int policy_lint_sas(const struct policy_lint *lint, const struct sa *const *sas, size_t count,
	bool negotiates) MUST_CHECK;

#endif
