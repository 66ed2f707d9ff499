/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/workers/control_lane.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "services/datapath/workers/station.h"

#define ROUNDS 4 /* batches in a row; then the control thread looks at its other tasks */

struct control_lane {
	struct worker_setup setup;
	struct station *station;
	struct packet *batch[ENGINE_BATCH];
	struct engine_result results[ENGINE_BATCH];
	uint8_t buffer[PACKET_BUFFER]; /* for one packet that waited */
};

int control_lane_new(const struct worker_setup *setup, struct control_lane **ret_lane)
{
	CLEANUP(control_lane_freep) struct control_lane *lane = calloc(1, sizeof(*lane));
	int r = lane ? station_new(setup, &lane->station) : -ENOMEM;

	if (r < 0)
		return r;
	lane->setup = *setup;
	*ret_lane = STEAL(lane);
	return 0;
}

struct control_lane *control_lane_free(struct control_lane *lane)
{
	if (!lane)
		return NULL;
	station_free(lane->station);
	free(lane);
	return NULL;
}

struct mailbox *control_lane_mailbox(struct control_lane *lane)
{
	return station_mailbox(lane->station);
}

/* False: nothing is there. */
static bool run_batch(struct control_lane *lane, struct handover *handover)
{
	struct engine *engine = station_engine(lane->station);
	struct handover_way way;
	size_t n = handover_take(handover, lane->batch, ENGINE_BATCH, &way);

	if (n == 0)
		return false;
	if (way.inbound)
		engine_inbound(engine, lane->batch, n, lane->results);
	else
		engine_outbound(engine, lane->batch, n, way.tunnel, lane->results);
	station_deliver(lane->station, lane->batch, lane->results, n,
		way.inbound ? DIRECTION_IN : DIRECTION_OUT);
	handover_done(handover, n);
	return true;
}

bool control_lane_put(
	struct control_lane *lane, const uint8_t *bytes, size_t len, struct handover_way way)
{
	struct engine *engine = station_engine(lane->station);
	struct engine_result result;
	struct packet pkt, *one = &pkt;
	uint8_t *to;

	packet_init(&pkt, lane->buffer, sizeof(lane->buffer));
	to = packet_append(&pkt, len);
	if (!to)
		return false;
	memcpy(to, bytes, len);
	station_refresh(lane->station);
	if (way.inbound)
		engine_inbound(engine, &one, 1, &result);
	else
		engine_outbound(engine, &one, 1, way.tunnel, &result);
	station_deliver(
		lane->station, &one, &result, 1, way.inbound ? DIRECTION_IN : DIRECTION_OUT);
	return true;
}

void control_lane_dummy(struct control_lane *lane, struct sad_entry *entry)
{
	struct engine_result result;
	struct packet pkt, *one = &pkt;

	packet_init(&pkt, lane->buffer, sizeof(lane->buffer));
	station_refresh(lane->station);
	engine_dummy(station_engine(lane->station), entry, &pkt, &result);
	if (result.exit == ENGINE_TO_WIRE)
		station_deliver(lane->station, &one, &result, 1, DIRECTION_OUT);
}

void control_lane_run(struct control_lane *lane, struct handover *handover)
{
	struct budget_account account;
	int rounds = 0;

	budget_skip(lane->setup.budget, &account);
	station_refresh(lane->station);
	while (rounds < ROUNDS && run_batch(lane, handover))
		rounds++;
	/* Who feeds us waits until what this overdraws is paid. */
	(void)budget_settle(lane->setup.budget, &account);
	if (rounds == ROUNDS)
		handover_tell(handover);
}
