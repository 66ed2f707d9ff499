/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The SAs that the datapath tells of (DumpSas), as far as rules are held against them. */
#ifndef POLICY_POLICY_SAS_H
#define POLICY_POLICY_SAS_H

#include "common/model/sa.h"
#include "services/policy/policy_file.h"

/* Who owns the name of key management, if anybody does. */
#define POLICY_NEGOTIATOR "org.netipsec.Ike1"

struct policy_listed {
	size_t count;
	struct sa **owned; /* those by which packets may leave */
	bool negotiates; /* somebody made some by PF_KEY, who may make others */
};

/* Return: 0, -EBADMSG when it is no such listing, -ENOMEM. */
int policy_listed_read(
	const char *json, const struct alg_table *algs, struct policy_listed **ret_sas) MUST_CHECK;
struct policy_listed *policy_listed_free(struct policy_listed *sas);
DEFINE_CLEANUP(struct policy_listed *, policy_listed_free)

#endif
