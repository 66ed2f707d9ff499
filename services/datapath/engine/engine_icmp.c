/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ICMP errors in place of the packet that they are about. */
#include <netinet/in.h>
#include <string.h>

#include "common/base/bytes.h"
#include "services/datapath/engine/engine_internal.h"

#define ICMP_HEADER	  8U
#define ICMP4_UNREACHABLE 3U
#define ICMP4_FRAG_NEEDED 4U
#define ICMP6_TOO_BIG	  2U
#define ICMP4_ERROR_MAX	  576U /* RFC 1812 section 4.3.2.3 */
#define ICMP6_ERROR_MAX	  1280U /* RFC 4443 section 2.4 (c) */
#define ERROR_HOPS	  64U

static bool is_error(uint8_t family, uint8_t type)
{
	if (family == AF_INET6)
		return type < 128;
	return type == 3 || type == 4 || type == 5 || type == 11 || type == 12;
}

/* RFC 1122 section 3.2.2, RFC 4443 section 2.4 (e): never about errors, groups, later fragments. */
static bool may_answer(const struct packet *pkt, const struct packet_view *view)
{
	uint8_t type;

	if (view->is_fragment && !view->is_first_fragment)
		return false;
	if (address_is_multicast(&view->dst) || address_is_multicast(&view->src) ||
		address_is_unspecified(&view->src))
		return false;
	if (!protocol_is_icmp(view->protocol, view->family))
		return true;
	if (view->upper >= pkt->len)
		return false;
	type = pkt->data[view->upper];
	return !is_error(view->family, type);
}

static void write_ipv4(struct packet *pkt, const struct packet_view *view, size_t mtu)
{
	uint8_t *p = pkt->data, *icmp = p + 20;

	memset(p, 0, 20 + ICMP_HEADER);
	p[0] = 0x45;
	p[8] = ERROR_HOPS;
	p[9] = IPPROTO_ICMP;
	memcpy(p + 12, view->dst.bytes, 4);
	memcpy(p + 16, view->src.bytes, 4);
	packet_set_length(pkt);
	icmp[0] = ICMP4_UNREACHABLE;
	icmp[1] = ICMP4_FRAG_NEEDED;
	store_be16(icmp + 6, (uint16_t)(mtu < UINT16_MAX ? mtu : UINT16_MAX));
	store_be16(icmp + 2, packet_checksum(icmp, pkt->len - 20, 0));
}

static void write_ipv6(struct packet *pkt, const struct packet_view *view, size_t mtu)
{
	uint8_t *p = pkt->data, *icmp = p + 40;
	uint32_t sum = IPPROTO_ICMPV6 + (uint32_t)(pkt->len - 40);

	memset(p, 0, 40 + ICMP_HEADER);
	p[0] = 0x60;
	p[6] = IPPROTO_ICMPV6;
	p[7] = ERROR_HOPS;
	memcpy(p + 8, view->dst.bytes, 16);
	memcpy(p + 24, view->src.bytes, 16);
	packet_set_length(pkt);
	for (size_t i = 8; i < 40; i += 2)
		sum += load_be16(p + i);
	icmp[0] = ICMP6_TOO_BIG;
	store_be32(icmp + 4, (uint32_t)mtu);
	store_be16(icmp + 2, packet_checksum(icmp, pkt->len - 40, sum));
}

bool engine_too_big(struct packet *pkt, const struct packet_view *view, size_t mtu)
{
	bool v4 = view->family == AF_INET;
	size_t header = (v4 ? 20U : 40U) + ICMP_HEADER;
	size_t room = (v4 ? ICMP4_ERROR_MAX : ICMP6_ERROR_MAX) - header;

	if (!may_answer(pkt, view))
		return false;
	if (pkt->len > room)
		(void)packet_trim(pkt, pkt->len - room);
	if (!packet_push(pkt, header))
		return false;
	pkt->offload = (struct packet_offload){ 0 };
	if (v4)
		write_ipv4(pkt, view, mtu);
	else
		write_ipv6(pkt, view, mtu);
	return true;
}

/* The ends of the packet that an error is about. False: they are not there. */
static bool read_ends(const struct packet *pkt, const struct packet_view *view,
	struct address *ret_src, struct address *ret_dst)
{
	size_t at = view->upper + ICMP_HEADER, header = view->family == AF_INET ? 20 : 40;
	const uint8_t *p = pkt->data + at;

	if (view->total_len < at + header || p[0] >> 4 != (view->family == AF_INET ? 4 : 6))
		return false;
	*ret_src = view->family == AF_INET ? address_v4(p + 12) : address_v6(p + 8);
	*ret_dst = view->family == AF_INET ? address_v4(p + 16) : address_v6(p + 24);
	return true;
}

static bool is_within(const struct prefix *prefix, const struct address *addr)
{
	return prefix->addr.family == AF_UNSPEC || prefix_contains(prefix, addr);
}

enum verdict engine_check_enclosed(
	const struct engine_secured *by, const struct packet *pkt, const struct packet_view *view)
{
	const struct sa *sa = by->esp ? by->esp : by->ah;
	struct address src, dst;
	bool sound;

	if (!sa || !protocol_is_icmp(view->protocol, view->family) ||
		(view->is_fragment && !view->is_first_fragment) || view->upper >= view->total_len ||
		!is_error(view->family, pkt->data[view->upper]))
		return VERDICT_IN_ACCEPTED;
	sound = read_ends(pkt, view, &src, &dst);
	if (sound && sa->mode == SA_MODE_TUNNEL)
		sound = is_within(&sa->inner_dst, &src) && is_within(&sa->inner_src, &dst);
	else if (sound)
		sound = address_equal(&src, &view->dst) && address_equal(&dst, &view->src);
	if (sound)
		return VERDICT_IN_ACCEPTED;
	return by->esp ? VERDICT_SPD_ESP_INNERMISMATCH : VERDICT_SPD_AH_INNERMISMATCH;
}
