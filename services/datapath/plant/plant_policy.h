/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The policy in force, asked by key management before there is a packet. */
#ifndef DATAPATH_PLANT_POLICY_H
#define DATAPATH_PLANT_POLICY_H

#include "services/datapath/engine/engine.h"
#include "services/datapath/pfkey/pfkey_door.h"

/* A pfkey_policy_fn; @plant: struct plant. */
const struct rule *plant_policy_for(struct pfkey_policy_query *query, void *plant);
/* The same of a policy and its tunnels. NULL: none. */
const struct rule *plant_policy_find(const struct spd *spd, const struct tunnel_table *tunnels,
	struct pfkey_policy_query *query);

#endif
