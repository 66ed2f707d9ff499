/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is in force, as JSON for people's programs: rules with hits, SAs without key bytes. */
#ifndef DATAPATH_LISTING_H
#define DATAPATH_LISTING_H

#include "common/base/text.h"
#include "services/datapath/plant/plant.h"

/* @table: for names of algorithms; NULL: numbers. */
int listing_rules(
	struct plant *plant, const struct alg_table *table, struct text *ret_json) MUST_CHECK;
int listing_sas(
	struct plant *plant, const struct alg_table *table, struct text *ret_json) MUST_CHECK;
/*
 * The SAs that an outbound packet would leave by. @rule: that decided, of a policy that is not in force;
 * NULL: those in force are asked. With it also of an inbound packet: those that it could have come by.
 * Return: 0 or -ENOMEM.
 */
int listing_choice(struct plant *plant, const struct alg_table *table,
	const struct spd_query *query, const struct rule *rule, struct text *ret_json) MUST_CHECK;
int listing_tunables(const struct tunables *tunables, struct text *ret_json) MUST_CHECK;
int listing_tunnels(const struct plant *plant, struct text *ret_json) MUST_CHECK;
/* Drops with a number larger than @after, oldest first. */
int listing_drops(struct plant *plant, uint64_t after, struct text *ret_json) MUST_CHECK;

#endif
