/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/packet/packet_about.h"

#include <netinet/in.h>
#include <string.h>

#include "common/base/bytes.h"

#define ICMP_HEADER 8U
/* RFC 1191 section 4, RFC 4443 section 3.2. */
#define ICMP_UNREACHABLE	  3
#define ICMP_FRAGMENTATION_NEEDED 4
#define ICMPV6_TOO_BIG		  2
#define ABOUT_MAX		  256U /* headers of an enclosed packet that are looked at */
#define ABOUT_UPPER		  8U /* octets of its transport header that every error brings (RFC 792) */

bool packet_is_error(const struct packet *pkt, const struct packet_view *view)
{
	return protocol_is_icmp(view->protocol, view->family) &&
	       (!view->is_fragment || view->is_first_fragment) && view->upper < view->total_len &&
	       icmp_type_is_error(pkt->data[view->upper], view->family);
}

/* The enclosed packet, as far as it came, with a length that says so. */
static bool extract(const struct packet *pkt, const struct packet_view *view,
	struct packet *ret_about, struct packet_view *ret_view)
{
	size_t at = view->upper + ICMP_HEADER, header = view->family == AF_INET ? 20 : 40;
	size_t len = view->total_len > at ? view->total_len - at : 0;
	uint8_t *p;

	len = len < ABOUT_MAX ? len : ABOUT_MAX;
	if (len < header)
		return false;
	p = packet_append(ret_about, len);
	if (!p)
		return false;
	memcpy(p, pkt->data + at, len);
	if (p[0] >> 4 != (view->family == AF_INET ? 4 : 6))
		return false;
	packet_set_length(ret_about);
	return packet_parse(ret_about, ret_view);
}

/* Nothing of it that a rule may name is missing. */
static bool shows_upper(const struct packet_view *about)
{
	if (!protocol_has_ports(about->protocol) &&
		!protocol_is_icmp(about->protocol, about->family))
		return true;
	return (!about->is_fragment || about->is_first_fragment) &&
	       about->total_len - about->upper >= ABOUT_UPPER;
}

static bool read_subject(const struct packet *pkt, const struct packet_view *view,
	enum direction direction, struct flow *ret_flow)
{
	uint8_t buffer[PACKET_HEADROOM + ABOUT_MAX] = { 0 };
	bool out = direction == DIRECTION_OUT;
	struct packet_view about_view;
	struct packet about;

	packet_init(&about, buffer, sizeof(buffer));
	if (!extract(pkt, view, &about, &about_view) || !shows_upper(&about_view))
		return false;
	packet_flow(&about, &about_view, out ? DIRECTION_IN : DIRECTION_OUT, ret_flow);
	ret_flow->direction = direction;
	return true;
}

enum packet_subject packet_subject(const struct packet *pkt, const struct packet_view *view,
	enum direction direction, struct flow *ret_flow)
{
	packet_flow(pkt, view, direction, ret_flow);
	if (!packet_is_error(pkt, view))
		return PACKET_ITSELF;
	return read_subject(pkt, view, direction, ret_flow) ? PACKET_ANOTHER : PACKET_UNREADABLE;
}

bool packet_was_too_big(const struct packet *pkt, const struct packet_view *view, uint32_t *ret_mtu)
{
	bool v4 = view->family == AF_INET;
	const uint8_t *icmp = pkt->data + view->upper, *about = icmp + ICMP_HEADER;
	uint32_t len, mtu;

	if (!packet_is_error(pkt, view) ||
		view->total_len - view->upper < ICMP_HEADER + (v4 ? 20U : 40U) ||
		icmp[0] != (v4 ? ICMP_UNREACHABLE : ICMPV6_TOO_BIG) ||
		(v4 && icmp[1] != ICMP_FRAGMENTATION_NEEDED))
		return false;
	mtu = v4 ? load_be16(icmp + 6) : load_be32(icmp + 4);
	len = v4 ? load_be16(about + 2) : load_be16(about + 4) + 40U;
	if (len <= mtu)
		return false;
	*ret_mtu = mtu;
	return true;
}
