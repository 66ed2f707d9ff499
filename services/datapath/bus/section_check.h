/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Can this policy be enforced with these algorithms? */
#ifndef DATAPATH_SECTION_CHECK_H
#define DATAPATH_SECTION_CHECK_H

#include "common/model/algorithm.h"
#include "common/spd/spd.h"

/*
 * Each rule that protects needs an alternative that this engine and, when it was published, the
 * table of algorithms can serve. @algorithms: NULL: the engine's rows alone decide.
 * Return: 0, or -EINVAL with the first rule's trouble in *why.
 */
int section_check_policy(
	const struct spd *spd, const struct alg_table *algorithms, struct text *why) MUST_CHECK;

#endif
