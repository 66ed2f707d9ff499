/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Checksums of transport headers, which cover the addresses before them. */
#include <netinet/in.h>

#include "common/base/bytes.h"
#include "services/datapath/packet/packet.h"

#define UDP_HEADER	8
#define UDP_CHECKSUM_AT 6
#define TCP_CHECKSUM_AT 16

/* One's complement sum of an address, from @sum on; @flip: of its complement, which takes it away. */
static uint32_t add_address(uint32_t sum, const struct address *addr, bool flip)
{
	for (size_t i = 0; i < address_len(addr->family); i += 2) {
		uint16_t word = load_be16(addr->bytes + i);

		sum += flip ? (uint16_t)~word : word;
	}
	return sum;
}

/* Where the checksum of the next layer is; NULL: it has none that covers addresses, or is cut off. */
static uint8_t *find_checksum(struct packet *pkt, const struct packet_view *view)
{
	size_t at = view->upper;

	if (view->is_fragment && !view->is_first_fragment)
		return NULL;
	if (view->protocol == IPPROTO_TCP)
		at += TCP_CHECKSUM_AT;
	else if (view->protocol == IPPROTO_UDP)
		at += UDP_CHECKSUM_AT;
	else
		return NULL;
	return at + 2 <= view->total_len ? pkt->data + at : NULL;
}

void packet_move_checksum(struct packet *pkt, const struct packet_view *view,
	const struct address *made_src, const struct address *made_dst)
{
	uint8_t *at = find_checksum(pkt, view);
	bool udp = view->protocol == IPPROTO_UDP;
	uint32_t sum;

	if (!at || (udp && load_be16(at) == 0) || made_src->family != view->family ||
		made_dst->family != view->family)
		return;
	/* RFC 1624 */
	sum = (uint16_t)~load_be16(at);
	sum = add_address(sum, made_src, true);
	sum = add_address(sum, made_dst, true);
	sum = add_address(sum, &view->src, false);
	sum = add_address(sum, &view->dst, false);
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	sum = (uint16_t)~sum;
	store_be16(at, udp && sum == 0 ? 0xffff : (uint16_t)sum);
}

void packet_fill_checksum(struct packet *pkt)
{
	struct packet_view view;
	uint32_t start = IPPROTO_UDP;
	uint16_t sum;
	size_t len;
	uint8_t *p;

	if (pkt->len < 8 || pkt->data[0] >> 4 != 6 || !packet_parse(pkt, &view) ||
		view.protocol != IPPROTO_UDP || view.is_fragment)
		return;
	p = pkt->data + view.upper;
	len = view.total_len - view.upper;
	if (len < UDP_HEADER || load_be16(p + 4) != len || load_be16(p + UDP_CHECKSUM_AT) != 0)
		return;
	start += (uint32_t)len;
	start = add_address(start, &view.src, false);
	start = add_address(start, &view.final_dst, false);
	sum = packet_checksum(p, len, start);
	store_be16(p + UDP_CHECKSUM_AT, sum != 0 ? sum : 0xffff);
}
