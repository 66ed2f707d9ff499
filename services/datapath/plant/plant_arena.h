/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where the arena of SAs comes from, and where it stays when we die. */
#ifndef DATAPATH_PLANT_ARENA_H
#define DATAPATH_PLANT_ARENA_H

#include "services/datapath/plant/plant.h"

/* From the manager's store; where there is no manager, from a file that dies with the machine. */
int plant_arena_open(struct plant *plant, struct fdstore *store) MUST_CHECK;

#endif
