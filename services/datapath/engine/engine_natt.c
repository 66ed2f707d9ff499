/* SPDX-License-Identifier: GPL-2.0-or-later */
/* UDP encapsulation (RFC 3948): what a datagram on port 4500 is, and what NATs do to peers. */
#include <netinet/in.h>

#include "common/base/bytes.h"
#include "services/datapath/engine/engine_internal.h"
#include "services/datapath/replay/sa_use.h"

#define UDP_HEADER 8
#define UDP_LEN_AT 4
#define MARKER	   4 /* octets of zero where ESP has its SPI: key exchange */

enum verdict engine_demultiplex(const struct packet *pkt, const struct packet_view *view)
{
	const uint8_t *udp = pkt->data + view->upper;
	size_t len = view->total_len - view->upper;

	if (view->is_fragment)
		return VERDICT_SPD_MALFORMED_FRAG;
	if (len < UDP_HEADER || load_be16(udp + UDP_LEN_AT) != len)
		return VERDICT_SPD_MALFORMED_PACKET;
	if (len < UDP_HEADER + MARKER)
		return VERDICT_ESP_NAT_T_KA;
	if (load_be32(udp + UDP_HEADER) == 0)
		return VERDICT_ESP_NAT_T_IKE;
	return pkt->decrypted ? VERDICT_ESP_NAT_T_IPSEC : VERDICT_IN_ACCEPTED;
}

/* What goes back to that peer, if that is known; NULL: the key manager has to find it. */
static struct sad_entry *way_back(
	const struct engine *engine, const struct sad_entry *entry, const struct address *peer)
{
	struct sa_key key = { .proto = entry->sa->proto, .spi = entry->sa->pair_spi, .dst = *peer };
	struct sad_entry *pair = key.spi ? sad_find(engine->view->sad, &key) : NULL;

	return pair && pair->sa->flags & SA_FLAG_ENCAP && pair->directions & SA_OUTBOUND ? pair
											 : NULL;
}

/*
 * RFC 3947 section 7: only who is not behind a NAT himself follows his peer, and only an authentic
 * packet moves it. Without a pair nothing moves but what we know of the peer, which is told.
 */
void engine_follow_peer(
	struct engine *engine, struct sad_entry *entry, const struct address *peer, uint16_t port)
{
	const struct sa *sa = entry->sa;
	uint32_t before = atomic_load_explicit(&entry->run->events, memory_order_relaxed);
	struct sad_entry *pair;

	if ((sa->flags & SA_FLAG_ENCAP) == 0 || port == 0 ||
		port == esp_peer_port(sa, entry->run) || sa->natt_local.family != AF_UNSPEC ||
		entry->suite.icv_bytes == 0)
		return;
	atomic_store_explicit(&entry->run->peer_port, port, memory_order_relaxed);
	sa_use_raise(entry->run, SA_EVENT_MAPPING);
	engine_tell_events(engine, entry, before);
	pair = way_back(engine, entry, peer);
	if (!pair)
		return;
	atomic_store_explicit(&pair->run->peer_port, port, memory_order_relaxed);
	counters_add(engine->setup.counters, VERDICT_SA_PORT_RENUMBERS);
}

void engine_repair_checksum(struct packet *pkt, const struct packet_view *view, const struct sa *sa)
{
	const struct address *src = &sa->natt_remote, *dst = &sa->natt_local;

	if ((sa->flags & SA_FLAG_ENCAP) == 0 || sa->mode != SA_MODE_TRANSPORT)
		return;
	packet_move_checksum(pkt, view,
		src->family == AF_UNSPEC || address_is_unspecified(src) ? &view->src : src,
		dst->family == AF_UNSPEC ? &view->dst : dst);
}
