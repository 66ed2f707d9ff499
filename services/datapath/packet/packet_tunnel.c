/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Outer headers (RFC 4301 section 5.1.2, RFC 2003, RFC 2473) and congestion marks across them. */
#include <netinet/in.h>
#include <string.h>

#include "common/base/bytes.h"
#include "services/datapath/packet/packet.h"

#define OUTER_HOPS	64 /* TTL or hop limit: own value */
#define ECN_MASK	0x03U
#define ECN_DROP	0xffU
#define FLOW_LABEL_MASK UINT32_C(0xfffff)

/* RFC 6040 section 4.2, [inner][outer]; codes: 0 Not-ECT, 1 ECT(1), 2 ECT(0), 3 CE. */
static const uint8_t ecn_decapsulated[4][4] = {
	{ 0, 0, 0, ECN_DROP },
	{ 1, 1, 1, 3 },
	{ 2, 1, 2, 3 },
	{ 3, 3, 3, 3 },
};

uint8_t packet_traffic_class(const uint8_t *ip)
{
	return ip[0] >> 4 == 4 ? ip[1] : (uint8_t)(load_be16(ip) >> 4);
}

void packet_outer_of(const struct packet *pkt, const struct packet_view *view,
	const struct address *src, const struct address *dst, struct packet_outer *ret_outer)
{
	*ret_outer = (struct packet_outer){
		.src = src,
		.dst = dst,
		.protocol = view->family == AF_INET ? IPPROTO_IPIP : IPPROTO_IPV6,
		.traffic_class = packet_traffic_class(pkt->data),
		.dont_fragment = view->family == AF_INET && view->dont_fragment,
	};
}

void packet_outer_rule(struct packet_outer *outer, const struct packet_outer_rules *rules,
	const struct packet *pkt)
{
	if (rules->df != PACKET_DF_COPY)
		outer->dont_fragment = rules->df == PACKET_DF_SET;
	if (rules->set_dscp)
		outer->traffic_class = (uint8_t)((unsigned int)rules->dscp << 2 |
						 (outer->traffic_class & ECN_MASK));
	if (rules->copy_flow_label && pkt->data[0] >> 4 == 6)
		outer->flow_label = load_be32(pkt->data) & FLOW_LABEL_MASK;
	outer->hop_limit = rules->hop_limit;
}

size_t packet_outer_len(const struct address *dst)
{
	return dst->family == AF_INET6 ? 40 : 20;
}

void packet_write_outer(uint8_t *at, const struct packet_outer *outer)
{
	uint8_t hops = outer->hop_limit != 0 ? outer->hop_limit : OUTER_HOPS;

	memset(at, 0, packet_outer_len(outer->dst));
	if (outer->dst->family == AF_INET6) {
		store_be32(at, UINT32_C(6) << 28 | (uint32_t)outer->traffic_class << 20 |
				       outer->flow_label);
		at[6] = outer->protocol;
		at[7] = hops;
		memcpy(at + 8, outer->src->bytes, 16);
		memcpy(at + 24, outer->dst->bytes, 16);
		return;
	}
	at[0] = 0x45;
	at[1] = outer->traffic_class;
	store_be16(at + 4, outer->id);
	store_be16(at + 6, outer->dont_fragment ? 0x4000 : 0);
	at[8] = hops;
	at[9] = outer->protocol;
	memcpy(at + 12, outer->src->bytes, 4);
	memcpy(at + 16, outer->dst->bytes, 4);
}

/* RFC 1624: the header checksum follows the octet, and stays as wrong as it may have been. */
static void set_ecn(uint8_t *ip, uint8_t ecn)
{
	uint16_t before = load_be16(ip), after;
	uint32_t sum;

	if (ip[0] >> 4 == 6) {
		store_be16(ip, (uint16_t)((before & ~(ECN_MASK << 4)) | (uint32_t)ecn << 4));
		return;
	}
	ip[1] = (uint8_t)((ip[1] & ~ECN_MASK) | ecn);
	after = load_be16(ip);
	sum = (uint16_t)~load_be16(ip + 10);
	sum += (uint32_t)(uint16_t)~before + after;
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	store_be16(ip + 10, (uint16_t)~sum);
}

bool packet_merge_ecn(struct packet *pkt, uint8_t outer_class)
{
	uint8_t inner = packet_traffic_class(pkt->data) & ECN_MASK;
	uint8_t ecn = ecn_decapsulated[inner][outer_class & ECN_MASK];

	if (ecn == ECN_DROP)
		return false;
	if (ecn != inner)
		set_ecn(pkt->data, ecn);
	return true;
}
