/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/packet/fragment.h"

#include <netinet/in.h>
#include <string.h>

#include "common/base/bytes.h"

#define IPV4_HEADER	  20
#define IPV4_ID_AT	  4
#define IPV4_FRAGMENT_AT  6
#define IPV4_MORE	  0x2000
#define IPV6_FRAGMENT_LEN 8
#define OPTION_COPIED	  0x80
#define OPTION_END	  0
#define OPTION_NOP	  1

bool fragment_plan(struct packet *pkt, size_t mtu, uint32_t id, struct fragment_plan *ret_plan)
{
	struct fragment_plan plan = { .pkt = pkt, .mtu = mtu, .id = id };
	size_t payload, overhead;

	if (!packet_parse(pkt, &plan.view) || plan.view.is_fragment)
		return false;
	if (plan.view.family == AF_INET) {
		if (plan.view.dont_fragment)
			return false;
		plan.kept = plan.view.header_len;
		overhead = plan.kept;
	} else {
		plan.kept = plan.view.esp_at;
		overhead = plan.kept + IPV6_FRAGMENT_LEN;
	}
	if (mtu < overhead + 8)
		return false;
	plan.step = (mtu - overhead) / 8 * 8;
	payload = pkt->len - plan.kept;
	plan.count = (payload + plan.step - 1) / plan.step;
	*ret_plan = plan;
	return plan.count > 0;
}

/* Options of later fragments: those that say so. Return: header length, a multiple of 4. */
static size_t copy_ipv4_header(const struct fragment_plan *plan, bool first, uint8_t *to)
{
	const uint8_t *from = plan->pkt->data;
	size_t used = IPV4_HEADER;

	if (first || plan->kept == IPV4_HEADER) {
		memcpy(to, from, plan->kept);
		return plan->kept;
	}
	memcpy(to, from, IPV4_HEADER);
	for (size_t at = IPV4_HEADER; at < plan->kept && from[at] != OPTION_END;) {
		size_t len = from[at] == OPTION_NOP ? 1 : 0;

		if (len == 0 && at + 1 < plan->kept)
			len = from[at + 1];
		if (len == 0 || at + len > plan->kept)
			break;
		if (from[at] & OPTION_COPIED) {
			memcpy(to + used, from + at, len);
			used += len;
		}
		at += len;
	}
	while (used % 4)
		to[used++] = OPTION_END;
	to[0] = (uint8_t)(0x40 | used / 4);
	return used;
}

static size_t make_ipv4(const struct fragment_plan *plan, size_t offset, bool more, uint8_t *to)
{
	size_t len = copy_ipv4_header(plan, offset == 0, to);

	store_be16(to + IPV4_ID_AT, (uint16_t)plan->id);
	store_be16(to + IPV4_FRAGMENT_AT, (uint16_t)(offset / 8 | (more ? IPV4_MORE : 0)));
	return len;
}

static size_t make_ipv6(const struct fragment_plan *plan, size_t offset, bool more, uint8_t *to)
{
	uint8_t *fragment = to + plan->kept;

	memcpy(to, plan->pkt->data, plan->kept);
	to[plan->view.esp_protocol_at] = IPPROTO_FRAGMENT;
	fragment[0] = plan->view.esp_protocol;
	fragment[1] = 0;
	store_be16(fragment + 2, (uint16_t)(offset | (more ? 1 : 0)));
	store_be32(fragment + 4, plan->id);
	return plan->kept + IPV6_FRAGMENT_LEN;
}

void fragment_make(const struct fragment_plan *plan, size_t i, struct packet *out)
{
	size_t offset = i * plan->step, payload = plan->pkt->len - plan->kept, header, len;
	bool more = i + 1 < plan->count;

	packet_init(out, out->buffer, out->size);
	header = plan->view.family == AF_INET ? make_ipv4(plan, offset, more, out->data)
					      : make_ipv6(plan, offset, more, out->data);
	len = more ? plan->step : payload - offset;
	memcpy(out->data + header, plan->pkt->data + plan->kept + offset, len);
	out->len = header + len;
	packet_set_length(out);
}
