/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/drops/drop_note.h"

#include <netinet/in.h>

#include "common/base/bytes.h"
#include "common/base/clock.h"
#include "services/datapath/drops/drop_words.h"

#define AH_SPI_AT 4U

static uint32_t spi_of(const struct packet *pkt, const struct packet_view *view)
{
	size_t at;

	if (view->is_fragment)
		return 0;
	switch (view->protocol) {
	case IPPROTO_ESP:
		at = view->upper;
		break;
	case IPPROTO_AH:
		at = view->upper + AH_SPI_AT;
		break;
	default:
		return 0;
	}
	return at + sizeof(uint32_t) <= view->total_len ? load_be32(pkt->data + at) : 0;
}

void drop_note(struct drops_ring *ring, struct packet *pkt, enum direction direction,
	const struct engine_result *result)
{
	struct drop drop = { .at_usec = clock_boot_usec(),
		.rule_id = result->rule_id,
		.tunnel = result->tunnel,
		.verdict = result->verdict };
	struct packet_view view;

	if (drop_is_routine(result->verdict))
		return;
	drop.flow.direction = direction;
	if (packet_parse(pkt, &view)) {
		packet_flow(pkt, &view, direction, &drop.flow);
		drop.spi = spi_of(pkt, &view);
	}
	drops_put(ring, &drop);
}
