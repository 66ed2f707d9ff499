/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/packet/packet_group.h"

#include "common/base/bytes.h"

#define IPV4_HEADER   20
#define IPV4_ID_AT    4
#define IPV4_FLAGS_AT 6
#define IPV4_DF	      0x40
#define IPV4_SUM_AT   10
#define IPV4_DST_AT   16
#define IPV6_HEADER   40
#define IPV6_CLASS_AT 1
#define IPV6_LABEL_AT 2
#define IPV6_DST_AT   24

static void take_ipv4(struct packet *pkt, uint16_t id)
{
	size_t header = (size_t)(pkt->data[0] & 0x0f) * 4;

	if (header < IPV4_HEADER || pkt->len < header || pkt->data[IPV4_DST_AT] >> 4 != 0xe)
		return;
	pkt->out_device = load_be16(pkt->data + IPV4_ID_AT);
	store_be16(pkt->data + IPV4_ID_AT, id);
	pkt->data[IPV4_FLAGS_AT] &= (uint8_t)~IPV4_DF;
	store_be16(pkt->data + IPV4_SUM_AT, 0);
	store_be16(pkt->data + IPV4_SUM_AT, packet_checksum(pkt->data, header, 0));
}

static void take_ipv6(struct packet *pkt)
{
	if (pkt->len < IPV6_HEADER || pkt->data[IPV6_DST_AT] != 0xff)
		return;
	pkt->out_device = load_be16(pkt->data + IPV6_LABEL_AT);
	pkt->data[IPV6_CLASS_AT] &= 0xf0;
	store_be16(pkt->data + IPV6_LABEL_AT, 0);
}

void packet_take_device(struct packet *pkt, uint16_t id)
{
	if (pkt->len >= IPV4_HEADER && pkt->data[0] >> 4 == 4)
		take_ipv4(pkt, id);
	else if (pkt->len >= IPV4_HEADER && pkt->data[0] >> 4 == 6)
		take_ipv6(pkt);
}
