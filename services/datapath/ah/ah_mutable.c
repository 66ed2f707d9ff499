/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What may change on the way: RFC 4302 section 3.3.3.1 and appendix A. */
#include <netinet/in.h>
#include <string.h>

#include "common/base/bytes.h"
#include "services/datapath/ah/ah.h"

#define IPV4_HEADER 20U
#define IPV6_HEADER 40U

#define IPV4_OPTION_END 0U
#define IPV4_OPTION_NOP 1U

#define IPV6_OPTION_PAD1    0U
#define IPV6_OPTION_CHANGES 0x20U /* RFC 8200 section 4.2: data may change on the way */

#define IPV6_ROUTING_SOURCE 0U
#define IPV6_ROUTING_HOME   2U

/* Options that arrive as they were sent; all others are zeroed whole. */
static bool ipv4_option_stays(uint8_t kind)
{
	switch (kind) {
	case 130: /* security */
	case 133: /* extended security */
	case 134: /* commercial security */
	case 148: /* router alert */
	case 149: /* sender directed multi-destination delivery */
		return true;
	default:
		return false;
	}
}

static enum verdict mask_ipv4(uint8_t *ip, size_t len, const struct packet_view *view)
{
	ip[1] = 0; /* DSCP and ECN */
	memset(ip + 6, 0, 3); /* flags, fragment offset, TTL */
	memset(ip + 10, 0, 2); /* checksum */
	memcpy(ip + 16, view->final_dst.bytes, 4);
	for (size_t at = IPV4_HEADER, option; at < len; at += option) {
		if (ip[at] == IPV4_OPTION_END)
			break;
		option = 1;
		if (ip[at] == IPV4_OPTION_NOP)
			continue;
		if (len - at < 2 || ip[at + 1] < 2 || ip[at + 1] > len - at)
			return VERDICT_AH_BAD_V4_OPTS;
		option = ip[at + 1];
		if (!ipv4_option_stays(ip[at]))
			memset(ip + at, 0, option);
	}
	return VERDICT_OUT_PROTECTED;
}

/* Hop-by-hop and destination options; @header is whole. */
static bool mask_options(uint8_t *header, size_t len)
{
	for (size_t at = 2, option; at < len; at += option) {
		option = 1;
		if (header[at] == IPV6_OPTION_PAD1)
			continue;
		if (len - at < 2 || header[at + 1] + 2U > len - at)
			return false;
		option = header[at + 1] + 2U;
		if ((header[at] & IPV6_OPTION_CHANGES) != 0)
			memset(header + at + 2, 0, option - 2);
	}
	return true;
}

/* As it will be at the last stop: each stop swaps the destination with the next address. */
static bool predict_routing(uint8_t *ip, uint8_t *header, size_t len)
{
	size_t addresses = (len - 8) / 16, left = header[3];

	if (left == 0)
		return true;
	/* RFC 8754 section 4.3 and unknown kinds: nobody says what they will be. */
	if ((header[2] != IPV6_ROUTING_SOURCE && header[2] != IPV6_ROUTING_HOME) ||
		left > addresses)
		return false;
	for (size_t i = addresses - left; i < addresses; i++) {
		uint8_t address[16], *slot = header + 8 + 16 * i;

		memcpy(address, slot, 16);
		memcpy(slot, ip + 24, 16);
		memcpy(ip + 24, address, 16);
	}
	header[3] = 0;
	return true;
}

static enum verdict mask_ipv6(uint8_t *ip, size_t len)
{
	uint8_t protocol = ip[6];
	size_t header_len;

	ip[0] = 0x60; /* traffic class, flow label */
	memset(ip + 1, 0, 3);
	ip[7] = 0; /* hop limit */
	for (size_t at = IPV6_HEADER; at < len; at += header_len) {
		uint8_t *header = ip + at;
		bool sound;

		if (len - at < 8)
			return VERDICT_AH_BAD_V6_HDRS;
		header_len = ((size_t)header[1] + 1) * 8;
		if (header_len > len - at)
			return VERDICT_AH_BAD_V6_HDRS;
		switch (protocol) {
		case IPPROTO_HOPOPTS:
		case IPPROTO_DSTOPTS:
			sound = mask_options(header, header_len);
			break;
		case IPPROTO_ROUTING:
			sound = predict_routing(ip, header, header_len);
			break;
		default:
			sound = false;
			break;
		}
		if (!sound)
			return VERDICT_AH_BAD_V6_HDRS;
		protocol = header[0];
	}
	return VERDICT_OUT_PROTECTED;
}

enum verdict ah_mask(uint8_t *headers, size_t len, const struct packet_view *view)
{
	return view->family == AF_INET6 ? mask_ipv6(headers, len) : mask_ipv4(headers, len, view);
}

bool ah_drop_atomic_fragment(struct packet *pkt, struct packet_view *view)
{
	size_t at = IPV6_HEADER, names = 6;

	if (view->family != AF_INET6 || view->is_fragment)
		return true;
	while (at < view->upper && pkt->data[names] != IPPROTO_FRAGMENT) {
		names = at;
		at += ((size_t)pkt->data[at + 1] + 1) * 8;
	}
	if (at >= view->upper)
		return true;
	pkt->data[names] = pkt->data[at];
	memmove(pkt->data + 8, pkt->data, at);
	(void)packet_pull(pkt, 8);
	packet_set_length(pkt);
	return packet_parse(pkt, view);
}
