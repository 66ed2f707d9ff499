/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ICMP errors about what we sent: nobody signs them, so they must name what only the path has seen. */
#include <netinet/in.h>

#include "common/base/bytes.h"
#include "services/datapath/engine/engine_internal.h"
#include "services/datapath/packet/packet_about.h"

/* How many packets may have followed the one that the error is about. */
#define RECENT UINT32_C(65536)

#define AH_SPI_AT 4U

/* SPI and number of the packet that the error brings back. */
static bool read_header(const struct engine_report *report, uint32_t *ret_spi, uint32_t *ret_seq)
{
	size_t at = report->protocol == IPPROTO_AH ? AH_SPI_AT : 0;

	if (report->len < at + ESP_HEADER)
		return false;
	*ret_spi = load_be32(report->bytes + at);
	*ret_seq = load_be32(report->bytes + at + 4);
	return true;
}

bool engine_knows(struct engine *engine, const struct engine_report *report)
{
	const struct engine_view *view = rcu_read(engine->setup.view);
	struct sa_key key = { .proto = (enum sa_proto)report->protocol, .dst = report->dst };
	const struct sad_entry *entry;
	uint32_t seq, sent;

	counters_add(engine->setup.counters, VERDICT_ESP_ICMP);
	if (!view || !view->sad || !read_header(report, &key.spi, &seq))
		return false;
	entry = sad_find(view->sad, &key);
	if (!entry || !(entry->directions & SA_OUTBOUND))
		return false;
	sent = (uint32_t)atomic_load_explicit(&entry->run->seq, memory_order_relaxed);
	return seq != 0 && sent - seq < RECENT;
}

bool engine_path_told(const struct engine_view *view, const struct packet *pkt,
	const struct packet_view *error, struct engine_path *ret_path)
{
	struct spd_query asked = { .tunnel = "" };
	struct engine_path path;
	struct engine_choice choice;

	if (!packet_was_too_big(pkt, error, &path.mtu) ||
		packet_subject(pkt, error, DIRECTION_IN, &asked.flow) != PACKET_ANOTHER ||
		!address_equal(&asked.flow.local, &error->dst))
		return false;
	/* As the packet went that the error is about. */
	asked.flow.direction = DIRECTION_OUT;
	if (engine_choose(view, &asked, &choice) < 0 || choice.alternative == 0)
		return false;
	path.dst = choice.dst;
	*ret_path = path;
	return true;
}
