/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/packet/packet.h"

#include <assert.h>
#include <netinet/in.h>
#include <string.h>

#include "common/base/bytes.h"

#define IPV4_MIN_HEADER 20U
#define IPV6_HEADER	40U
/* Hostile packets chain hundreds of extension headers; RFC 8200 section 4.1 knows seven places. */
#define IPV6_MAX_EXTENSIONS 12U

#define IPV4_OPTION_END	 0U
#define IPV4_OPTION_NOP	 1U
#define IPV4_OPTION_LSRR 131U
#define IPV4_OPTION_SSRR 137U

#define IPV6_ROUTING_SOURCE  0U
#define IPV6_ROUTING_HOME    2U
#define IPV6_ROUTING_SEGMENT 4U

void packet_init(struct packet *pkt, uint8_t *buffer, size_t size)
{
	assert(size >= PACKET_HEADROOM);
	*pkt = (struct packet){ .buffer = buffer, .size = size, .data = buffer + PACKET_HEADROOM };
}

uint8_t *packet_push(struct packet *pkt, size_t len)
{
	if (len > (size_t)(pkt->data - pkt->buffer))
		return NULL;
	pkt->data -= len;
	pkt->len += len;
	return pkt->data;
}

uint8_t *packet_append(struct packet *pkt, size_t len)
{
	size_t used = (size_t)(pkt->data - pkt->buffer) + pkt->len;
	uint8_t *at = pkt->data + pkt->len;

	if (len > pkt->size - used)
		return NULL;
	pkt->len += len;
	return at;
}

bool packet_pull(struct packet *pkt, size_t len)
{
	if (len > pkt->len)
		return false;
	pkt->data += len;
	pkt->len -= len;
	return true;
}

bool packet_trim(struct packet *pkt, size_t len)
{
	if (len > pkt->len)
		return false;
	pkt->len -= len;
	return true;
}

/* RFC 791 section 3.1: the last address of a source route that is not used up. */
static bool ipv4_source_route(const uint8_t *option, size_t len, struct address *ret_dst)
{
	if (len < 3 || option[2] < 4)
		return false;
	if (option[2] + 3U > len) /* pointer behind the last address: the route is used up */
		return true;
	*ret_dst = address_v4(option + 3 + (len - 3) / 4 * 4 - 4);
	return true;
}

static bool ipv4_options(const uint8_t *header, size_t header_len, struct packet_view *view)
{
	size_t at = IPV4_MIN_HEADER;

	while (at < header_len) {
		uint8_t kind = header[at];
		size_t len;

		if (kind == IPV4_OPTION_END)
			return true;
		if (kind == IPV4_OPTION_NOP) {
			at++;
			continue;
		}
		if (header_len - at < 2)
			return false;
		len = header[at + 1];
		if (len < 2 || len > header_len - at)
			return false;
		if ((kind == IPV4_OPTION_LSRR || kind == IPV4_OPTION_SSRR) &&
			!ipv4_source_route(header + at, len, &view->final_dst))
			return false;
		at += len;
	}
	return true;
}

/* In place and in one piece: an address that is made in parts is waited for by who reads it whole. */
static void put_ipv4(struct address *addr, const uint8_t *bytes)
{
	uint32_t words[4] = { 0 };

	memcpy(words, bytes, 4);
	memcpy(addr->bytes, words, sizeof(addr->bytes));
	addr->family = AF_INET;
}

static void put_ipv6(struct address *addr, const uint8_t *bytes)
{
	addr->family = AF_INET6;
	memcpy(addr->bytes, bytes, sizeof(addr->bytes));
}

static bool parse_ipv4(struct packet *pkt, struct packet_view *view)
{
	const uint8_t *p = pkt->data;
	uint16_t fragment;

	if (pkt->len < IPV4_MIN_HEADER)
		return false;
	view->family = AF_INET;
	view->header_len = (size_t)(p[0] & 0x0f) * 4;
	view->total_len = load_be16(p + 2);
	if (view->header_len < IPV4_MIN_HEADER || view->total_len < view->header_len ||
		view->total_len > pkt->len)
		return false;
	fragment = load_be16(p + 6);
	view->dont_fragment = (fragment & 0x4000) != 0;
	view->is_fragment = (fragment & 0x3fff) != 0;
	view->is_first_fragment = view->is_fragment && (fragment & 0x1fff) == 0;
	view->fragment_id = load_be16(p + 4);
	view->protocol = p[9];
	view->protocol_at = 9;
	view->upper = view->header_len;
	put_ipv4(&view->src, p + 12);
	put_ipv4(&view->dst, p + 16);
	put_ipv4(&view->final_dst, p + 16);
	view->esp_at = view->upper;
	view->esp_protocol = view->protocol;
	view->esp_protocol_at = view->protocol_at;
	view->fragment_at = 0;
	return ipv4_options(p, view->header_len, view);
}

/* The address that the last segment of a routing header leads to; unknown kinds change nothing. */
static bool ipv6_routing(const uint8_t *header, size_t len, struct packet_view *view)
{
	uint8_t kind = header[2], segments_left = header[3];
	size_t addresses = (len - 8) / 16;

	if (segments_left == 0)
		return true;
	switch (kind) {
	case IPV6_ROUTING_SOURCE:
	case IPV6_ROUTING_HOME:
		if (segments_left > addresses || (len - 8) % 16 != 0)
			return false;
		view->final_dst = address_v6(header + 8 + 16 * (addresses - 1));
		return true;
	case IPV6_ROUTING_SEGMENT: /* RFC 8754: the list is in reverse */
		if (addresses == 0 || header[4] >= addresses || segments_left > header[4] + 1U)
			return false;
		view->final_dst = address_v6(header + 8);
		return true;
	default:
		return true;
	}
}

/* Behind the extension header at view->upper. False: broken; *ret_more: another may follow. */
static bool ipv6_extension(const struct packet *pkt, struct packet_view *view, bool *ret_more)
{
	const uint8_t *p = pkt->data + view->upper;
	size_t left = view->total_len - view->upper, len;
	bool outside = view->protocol != IPPROTO_DSTOPTS; /* where ESP goes is behind this one */

	*ret_more = true;
	if (left < 8)
		return false;
	len = view->protocol == IPPROTO_FRAGMENT ? 8 : ((size_t)p[1] + 1) * 8;
	if (len > left)
		return false;
	if (view->protocol == IPPROTO_ROUTING && !ipv6_routing(p, len, view))
		return false;
	if (view->protocol == IPPROTO_FRAGMENT) {
		uint16_t fragment = load_be16(p + 2);

		if (view->fragment_at != 0) /* a second one could unsay what the first said */
			return false;
		view->fragment_at = view->upper;
		view->is_fragment = (fragment & 0xfff9) != 0; /* an atomic one is whole */
		view->is_first_fragment = view->is_fragment && (fragment & 0xfff8) == 0;
		view->fragment_id = load_be32(p + 4);
		if ((fragment & 0xfff8) != 0)
			*ret_more = false; /* what follows is the middle of something */
	}
	view->protocol = p[0];
	view->protocol_at = view->upper;
	view->upper += len;
	if (outside) {
		view->esp_at = view->upper;
		view->esp_protocol = view->protocol;
		view->esp_protocol_at = view->protocol_at;
	}
	return true;
}

static bool parse_ipv6(struct packet *pkt, struct packet_view *view)
{
	const uint8_t *p = pkt->data;
	bool more = true;

	if (pkt->len < IPV6_HEADER)
		return false;
	view->family = AF_INET6;
	view->header_len = IPV6_HEADER;
	view->total_len = IPV6_HEADER + load_be16(p + 4);
	if (view->total_len > pkt->len)
		return false;
	view->dont_fragment = true;
	view->protocol = p[6];
	view->protocol_at = 6;
	view->upper = IPV6_HEADER;
	put_ipv6(&view->src, p + 8);
	put_ipv6(&view->dst, p + 24);
	put_ipv6(&view->final_dst, p + 24);
	view->esp_at = view->upper;
	view->esp_protocol = view->protocol;
	view->esp_protocol_at = view->protocol_at;
	view->is_fragment = false;
	view->is_first_fragment = false;
	view->fragment_at = 0;
	view->fragment_id = 0;

	for (unsigned int n = 0; more; n++) {
		switch (view->protocol) {
		case IPPROTO_HOPOPTS:
			if (n > 0) /* RFC 8200 section 4.1: first or not at all */
				return false;
			break;
		case IPPROTO_ROUTING:
		case IPPROTO_FRAGMENT:
		case IPPROTO_DSTOPTS:
			break;
		default:
			return true;
		}
		if (n == IPV6_MAX_EXTENSIONS || !ipv6_extension(pkt, view, &more))
			return false;
	}
	return true;
}

bool packet_parse(struct packet *pkt, struct packet_view *ret_view)
{
	bool sound = false;

	if (pkt->len == 0 || pkt->len > PACKET_MAX_LEN + IPV6_HEADER)
		return false;
	if (pkt->data[0] >> 4 == 4)
		sound = parse_ipv4(pkt, ret_view);
	else if (pkt->data[0] >> 4 == 6)
		sound = parse_ipv6(pkt, ret_view);
	if (!sound)
		return false;
	pkt->len = ret_view->total_len;
	return true;
}

bool packet_is_plain(const struct packet_view *view)
{
	return !view->is_fragment && address_equal(&view->dst, &view->final_dst) &&
	       view->protocol != IPPROTO_IPIP && view->protocol != IPPROTO_IPV6;
}

void packet_flow(const struct packet *pkt, const struct packet_view *view, enum direction direction,
	struct flow *ret_flow)
{
	const uint8_t *p = pkt->data + view->upper;
	size_t left = view->total_len - view->upper;
	bool visible = !view->is_fragment || view->is_first_fragment;
	bool out = direction == DIRECTION_OUT;

	*ret_flow = (struct flow){
		.direction = direction,
		.local = out ? view->src : view->dst,
		.remote = out ? view->final_dst : view->src,
		.protocol = view->protocol,
	};
	if (!visible || left < 4)
		return;
	if (protocol_has_ports(view->protocol)) {
		ret_flow->has_ports = true;
		ret_flow->local_port = load_be16(p + (out ? 0 : 2));
		ret_flow->remote_port = load_be16(p + (out ? 2 : 0));
	} else if (protocol_is_icmp(view->protocol, view->family)) {
		ret_flow->has_icmp = true;
		ret_flow->icmp_type = p[0];
		ret_flow->icmp_code = p[1];
	}
}

static uint16_t fold(uint64_t sum)
{
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static uint64_t sum_words(const uint8_t *bytes, size_t len)
{
	uint64_t sum = 0;

	for (; len >= 4; bytes += 4, len -= 4)
		sum += load_be32(bytes);
	if (len >= 2) {
		sum += load_be16(bytes);
		bytes += 2;
		len -= 2;
	}
	return len > 0 ? sum + ((uint64_t)bytes[0] << 8) : sum;
}

/* The header is summed before it is changed, and what changes is taken out: what was just written
 * in parts cannot be read in words at once. */
void packet_set_length(struct packet *pkt)
{
	uint8_t *p = pkt->data;
	uint64_t sum;

	if (p[0] >> 4 == 6) {
		store_be16(p + 4, (uint16_t)(pkt->len - IPV6_HEADER));
		return;
	}
	sum = sum_words(p, (size_t)(p[0] & 0x0f) * 4);
	sum -= (uint64_t)load_be16(p + 2) + load_be16(p + 10);
	sum += (uint16_t)pkt->len;
	store_be16(p + 2, (uint16_t)pkt->len);
	store_be16(p + 10, fold(sum));
}

uint16_t packet_checksum(const uint8_t *bytes, size_t len, uint32_t start)
{
	return fold(start + sum_words(bytes, len));
}
