/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packets that mean nothing, so that silence means nothing either (RFC 4303 section 2.6). */
#include <string.h>
#include <sys/random.h>

#include "services/datapath/engine/engine_internal.h"

/* False: there is no chance to be had. */
static bool choose_length(struct engine *engine, const struct sad_entry *entry, size_t *ret_len)
{
	size_t most = entry->sa->tfc_pad, path = engine_path_mtu(engine, &entry->sa->dst);
	uint32_t random;

	if (path != 0) {
		size_t room = esp_clear_mtu(entry->sa, &entry->suite, path, 0);

		most = most < room ? most : room;
	}
	if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return false;
	*ret_len = random % (most + 1);
	return true;
}

static enum verdict seal(struct engine *engine, struct sad_entry *entry, struct packet *pkt)
{
	const struct engine_view *view = rcu_read(engine->setup.view);
	int tunnel = view ? engine_find_tunnel(view, &entry->sa->src, &entry->sa->dst)
			  : ENGINE_HOST;
	struct esp_sa esp;
	size_t len = 0;
	uint8_t *at;

	if (!engine_prepare(engine, entry, &esp) || !choose_length(engine, entry, &len))
		return VERDICT_IP_IPSEC_NOT_LOADED;
	if (tunnel != ENGINE_HOST)
		esp.outer_rules = &view->tunnels->tunnels[tunnel].outer;
	at = packet_append(pkt, len);
	if (!at)
		return VERDICT_ESP_NOMEM;
	memset(at, 0, len);
	return esp_seal_dummy(&esp, pkt);
}

void engine_dummy(struct engine *engine, struct sad_entry *entry, struct packet *pkt,
	struct engine_result *ret_result)
{
	uint32_t events = atomic_load_explicit(&entry->run->events, memory_order_relaxed);

	engine->now_usec = clock_boot_lately(&engine->clock);
	*ret_result = (struct engine_result){ .tunnel = ENGINE_HOST, .entry = entry };
	ret_result->verdict = seal(engine, entry, pkt);
	ret_result->exit = ret_result->verdict == VERDICT_OUT_PROTECTED ? ENGINE_TO_WIRE
									: ENGINE_DROP;
	engine_tell_events(engine, entry, events);
	engine_end(engine, ret_result);
}
