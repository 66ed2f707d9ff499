/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Keeps the host's TUN a member of the groups that inbound SAs are for. */
#ifndef DATAPATH_PLANT_GROUPS_H
#define DATAPATH_PLANT_GROUPS_H

#include "services/datapath/plant/plant.h"

/* Once the SADB is open. */
int plant_groups_open(struct plant *plant) MUST_CHECK;
void plant_groups_close(struct plant *plant);
/* Leave the groups whose last SA has gone. */
void plant_groups_tick(struct plant *plant);

#endif
