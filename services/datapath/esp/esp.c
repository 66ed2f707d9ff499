/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sizes and places that sealing and opening share. */
#include "services/datapath/esp/esp.h"

#include <netinet/in.h>

#include "common/base/checked.h"

/* What stands before the text and does not depend on the packet, and the ICV. */
static size_t fixed_octets(const struct sa *sa, const struct suite *suite)
{
	size_t len = ESP_HEADER + (size_t)suite->iv_bytes + suite->icv_bytes;

	if ((sa->flags & SA_FLAG_ENCAP) != 0)
		len += ESP_UDP_HEADER;
	if (sa->mode == SA_MODE_TUNNEL)
		len += packet_outer_len(&sa->dst);
	return len;
}

size_t esp_offset(const struct packet_view *view)
{
	return view->upper + (view->protocol == IPPROTO_UDP ? ESP_UDP_HEADER : 0);
}

size_t esp_overhead(const struct sa *sa, const struct suite *suite)
{
	return fixed_octets(sa, suite) + ESP_TRAILER + suite->align - 1U;
}

size_t esp_sealed_len(const struct sa *sa, const struct suite *suite, size_t len, size_t keep)
{
	return keep + fixed_octets(sa, suite) + round_up(len - keep + ESP_TRAILER, suite->align);
}

size_t esp_clear_mtu(const struct sa *sa, const struct suite *suite, size_t mtu, size_t keep)
{
	size_t taken = keep + fixed_octets(sa, suite), text;

	if (mtu < taken + suite->align)
		return 0;
	text = (mtu - taken) / suite->align * suite->align;
	return keep + text - ESP_TRAILER;
}
