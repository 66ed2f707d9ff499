/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inbound numbers above what the disk knows of: whose turn they are, and how room is made for them. */
#include "common/base/bytes.h"
#include "services/datapath/ah/ah.h"
#include "services/datapath/engine/engine_internal.h"
#include "services/datapath/esp/esp.h"

/* @p: the SPI and the number of an SA that may be unknown. */
static bool leaps(const struct sad_entry *entry, uint32_t seq)
{
	return entry && replay_is_ahead(entry->run, (entry->sa->flags & SA_FLAG_ESN) != 0, seq);
}

static const struct sad_entry *find(const struct engine *engine, enum sa_proto proto, uint32_t spi,
	const struct packet_view *view)
{
	const struct sad *sad = engine->view->sad;

	return sad ? sad_find_inbound(sad, proto, spi, &view->dst, &view->src) : NULL;
}

static bool leaps_in_ah(
	const struct engine *engine, const struct packet *pkt, const struct packet_view *view)
{
	const uint8_t *p = pkt->data + view->upper;
	size_t left, len;

	if (view->is_fragment || view->total_len < view->upper + AH_HEADER)
		return false;
	if (leaps(find(engine, SA_PROTO_AH, load_be32(p + 4), view), load_be32(p + 8)))
		return true;
	left = view->total_len - view->upper;
	len = ((size_t)p[1] + 2) * 4;
	return p[0] == IPPROTO_ESP && left >= len + ESP_HEADER &&
	       leaps(find(engine, SA_PROTO_ESP, load_be32(p + len), view), load_be32(p + len + 4));
}

bool engine_leaps(const struct engine *engine, const struct packet *pkt,
	const struct packet_view *view, const struct sad_entry *esp)
{
	if (engine->setup.reach) /* who waits for the disk waits when the packet is authentic */
		return false;
	return esp ? leaps(esp, load_be32(pkt->data + esp_offset(view) + 4))
		   : leaps_in_ah(engine, pkt, view);
}

static bool make_room(void *userdata, uint64_t seq)
{
	struct engine *engine = userdata;

	return engine->setup.reach(engine->room_for, seq, engine->setup.userdata);
}

const struct replay_room *engine_room(struct engine *engine, struct sad_entry *entry)
{
	if (!engine->setup.reach)
		return NULL;
	engine->room_for = entry;
	engine->room = (struct replay_room){ .make = make_room, .userdata = engine };
	return &engine->room;
}

void engine_control_is_idle(struct engine *engine)
{
	engine->leapt = false;
}
