/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/plant/plant_waiting.h"

#include <string.h>

#include "services/datapath/workers/control_lane.h"

void plant_lost(enum verdict why, void *userdata)
{
	struct plant *plant = userdata;

	if (plant->counters.fd >= 0) /* not before there are any */
		counters_add(counter_store_of(&plant->counters, SAD_CONTROL_WORKER), why);
}

void plant_release(const struct sadb_packet *packet, void *userdata)
{
	struct plant *plant = userdata;
	struct handover_way way = { .inbound = packet->inbound, .tunnel = packet->tunnel };

	if (!plant->lane || !control_lane_put(plant->lane, packet->bytes, packet->len, way))
		plant_lost(VERDICT_SADB_ACQUIRE, plant);
}
