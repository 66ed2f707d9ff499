/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inner fragments of tunnels: those that must wait for each other, and those that we make. */
#include <netinet/in.h>
#include <string.h>

#include "services/datapath/engine/engine_internal.h"

bool engine_hold(struct engine *engine, const struct engine_held *held, struct packet *pkt,
	struct packet_view *view, struct engine_result *result)
{
	struct frag_store *const *stores = engine->setup.fragments;
	struct frag_arrival arrival = {
		.pkt = pkt,
		.view = view,
		.direction = held->direction,
		.tag = held->tag,
		.now_usec = engine->now_usec,
	};

	result->exit = ENGINE_DROP;
	result->verdict = VERDICT_SPD_MALFORMED_FRAG;
	if (!stores)
		return false;
	result->verdict = frag_store_add(
		stores[held->tunnel], &arrival, engine->setup.counters, &result->more);
	if (!verdict_is_drop(result->verdict))
		result->exit = ENGINE_HELD;
	/* It was parsed before it was kept. */
	return result->more && frag_train_next(result->more, pkt) && packet_parse(pkt, view);
}

bool engine_cut(
	struct engine_result *result, struct packet *pkt, struct packet_view *view, size_t limit)
{
	uint32_t id = view->fragment_id;

	if (view->family != AF_INET || view->is_fragment || view->dont_fragment)
		return false;
	result->more = frag_train_cut(pkt, limit, id);
	return result->more && frag_train_next(result->more, pkt) && packet_parse(pkt, view);
}

void engine_end(struct engine *engine, struct engine_result *result)
{
	size_t rest = frag_train_left(result->more);

	counters_add(engine->setup.counters, result->verdict);
	if (result->exit == ENGINE_TO_HOST || result->exit == ENGINE_TO_WIRE ||
		result->exit == ENGINE_TO_CONTROL)
		return;
	for (; rest > 0; rest--)
		counters_add(engine->setup.counters, result->verdict);
	result->more = frag_train_free(result->more);
}

/* What was done to the first one. */
static enum verdict repeat(
	struct engine *engine, const struct engine_result *result, struct packet *pkt)
{
	enum verdict verdict = VERDICT_OUT_PROTECTED;

	if (result->exit == ENGINE_TO_HOST || result->exit == ENGINE_TO_CONTROL)
		return result->verdict;
	if (!result->entry && !result->ah)
		return engine_encapsulate(
			       engine, &engine->view->tunnels->tunnels[result->tunnel], pkt)
			       ? result->verdict
			       : VERDICT_ESP_NOMEM;
	if (result->entry)
		engine_seal(engine, result, &pkt, 1, &verdict);
	if (result->ah && verdict == VERDICT_OUT_PROTECTED)
		verdict = engine_seal_ah(engine, result, pkt);
	return verdict;
}

bool engine_follow(struct engine *engine, struct engine_result *result, struct packet *pkt)
{
	while (frag_train_next(result->more, pkt)) {
		enum verdict verdict = repeat(engine, result, pkt);

		counters_add(engine->setup.counters, verdict);
		if (!verdict_is_drop(verdict))
			return true;
	}
	result->more = frag_train_free(result->more);
	return false;
}
