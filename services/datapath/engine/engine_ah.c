/* SPDX-License-Identifier: GPL-2.0-or-later */
/* AH of one packet: its SA, the transform, and what the SA's run state raises. */
#include "common/base/bytes.h"
#include "services/datapath/ah/ah.h"
#include "services/datapath/engine/engine_internal.h"

static bool prepare(struct engine *engine, struct sad_entry *entry, struct ah_sa *ret_ah)
{
	*ret_ah = (struct ah_sa){
		.sa = entry->sa,
		.suite = &entry->suite,
		.mac = sad_mac(entry, engine->setup.worker),
		.run = entry->run,
		.now_usec = engine->now_usec,
		.room = engine_room(engine, entry),
	};
	return ret_ah->mac != NULL;
}

enum verdict engine_seal_ah(
	struct engine *engine, const struct engine_result *result, struct packet *pkt)
{
	struct sad_entry *entry = result->ah;
	uint32_t events = atomic_load_explicit(&entry->run->events, memory_order_relaxed);
	enum verdict verdict = VERDICT_IP_IPSEC_NOT_LOADED;
	struct ah_sa ah;

	if (prepare(engine, entry, &ah)) {
		ah.wrapped = result->entry != NULL;
		if (result->tunnel >= 0) {
			const struct tunnel *tunnel =
				&engine->view->tunnels->tunnels[result->tunnel];

			ah.outer_rules = &tunnel->outer;
			if (address_is_unspecified(&entry->sa->src))
				ah.outer_src = &tunnel->src;
		}
		verdict = ah_seal(&ah, pkt, NULL);
	}
	engine_tell_events(engine, entry, events);
	return verdict;
}

enum verdict engine_open_ah(struct engine *engine, struct packet *pkt, struct packet_view *view,
	struct sad_entry **ret_entry)
{
	const struct sad *sad = engine->view->sad;
	enum verdict verdict = VERDICT_IP_IPSEC_NOT_LOADED;
	struct sad_entry *entry = NULL;
	struct ah_sa ah;
	uint32_t events;

	if (view->total_len < view->upper + AH_HEADER)
		return VERDICT_AH_BAD_LENGTH;
	if (sad)
		entry = sad_find_inbound(sad, SA_PROTO_AH, load_be32(pkt->data + view->upper + 4),
			&view->dst, &view->src);
	if (!entry)
		return VERDICT_AH_NO_SA;
	events = atomic_load_explicit(&entry->run->events, memory_order_relaxed);
	if (prepare(engine, entry, &ah))
		verdict = ah_open(&ah, pkt, view);
	engine_tell_events(engine, entry, events);
	*ret_entry = entry;
	return verdict;
}
