/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One explanation under way: the rule that decides, then the SAs that the datapath has for it. */
#ifndef POLICY_IPSECCONF_EXPLAIN_H
#define POLICY_IPSECCONF_EXPLAIN_H

#include "common/spd/spd_explain.h"
#include "services/policy/ipsecconf_policy.h"

struct explaining {
	const struct conf_request *request;
	const struct alg_table *algs;
	const struct spd *spd;
	struct bus *bus; /* NULL: there is none */
	struct spd_query asked;
	struct spd_query
		query; /* that a rule is looked for by: as asked, or the tunnel's own packet */
	struct spd_explanation found;
	struct json_object *out;
};

/* ---- ipsecconf_choice.c ---- */
/*
 * A tunnel without rules: host policy decides about its own packets, so that query becomes one.
 * Return: 0 or -ENOMEM.
 */
int conf_explain_outer(struct explaining *ex) MUST_CHECK;
/* What the datapath says of SAs, into the explanation. False: no memory. */
bool conf_explain_sas(const struct explaining *ex);
/* The same for people. */
void conf_explain_print_sas(struct json_object *out);

/* ---- ipsecconf_notes.c ---- */
/* What besides the rules decides about such a packet. False: no memory. */
bool conf_explain_notes(const struct explaining *ex);
void conf_explain_print_notes(struct json_object *out);

#endif
