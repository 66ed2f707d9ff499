/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packets that waited for an SA: back into an engine, the control thread's, or counted as lost. */
#ifndef DATAPATH_PLANT_WAITING_H
#define DATAPATH_PLANT_WAITING_H

#include "services/datapath/plant/plant.h"

/* For struct sadb_parts; @plant: struct plant. */
void plant_release(const struct sadb_packet *packet, void *plant);
void plant_lost(enum verdict why, void *plant);

#endif
