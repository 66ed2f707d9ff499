/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The packet parser: views lie inside the packet, places name what stands there, a packet that was
 * parsed parses again to the same, and what segmentation cuts is sound and complete.
 */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/bytes.h"
#include "services/datapath/packet/packet.h"

#define INPUT_MAX (PACKET_MAX_LEN + 40)
#define BUFFER	  (PACKET_HEADROOM + INPUT_MAX + PACKET_TAILROOM)

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void require(bool promise)
{
	if (!promise)
		abort();
}

static void check_view(const struct packet *pkt, const struct packet_view *view, size_t len)
{
	require(view->total_len <= len && pkt->len == view->total_len);
	require(view->family == AF_INET || view->family == AF_INET6);
	require(view->header_len <= view->upper && view->upper <= view->total_len);
	require(view->esp_at >= view->header_len && view->esp_at <= view->upper);
	require(view->protocol_at < view->upper && view->esp_protocol_at < view->esp_at);
	require(pkt->data[view->protocol_at] == view->protocol);
	require(pkt->data[view->esp_protocol_at] == view->esp_protocol);
	require(view->src.family == view->family && view->final_dst.family == view->family);
	require(!view->is_first_fragment || view->is_fragment);
}

static void check_flow(const struct packet *pkt, const struct packet_view *view)
{
	struct flow in, out;

	packet_flow(pkt, view, DIRECTION_IN, &in);
	packet_flow(pkt, view, DIRECTION_OUT, &out);
	require(in.has_ports == out.has_ports && in.has_icmp == out.has_icmp);
	require(in.local_port == out.remote_port && in.remote_port == out.local_port);
	require(!in.has_ports || !view->is_fragment || view->is_first_fragment);
	require(!(in.has_ports && in.has_icmp));
}

static void check_segments(struct packet *pkt, const struct packet_view *view, struct packet *part)
{
	size_t sum = 0, headers = 0, n = 0;
	struct packet_view cut;

	pkt->offload = (struct packet_offload){
		.gso_type = view->protocol == IPPROTO_UDP ? 5
			    : view->family == AF_INET	  ? 1
							  : 4,
		.gso_size = 536,
	};
	for (; packet_segment(pkt, view, n, part); n++) {
		require(n < INPUT_MAX);
		require(packet_parse(part, &cut));
		require(cut.upper == view->upper && cut.protocol == view->protocol);
		headers = cut.upper + (view->protocol == IPPROTO_UDP
						      ? 8U
						      : (part->data[cut.upper + 12] >> 4) * 4U);
		require(part->len >= headers && part->len - headers <= 536);
		require(memcmp(part->data + headers, pkt->data + headers + sum,
				part->len - headers) == 0);
		sum += part->len - headers;
	}
	require(n == 0 || headers + sum == view->total_len);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	/* The packet ends where its memory ends, so that a sanitizer sees one octet too far. */
	uint8_t *buffer, *part_buffer;
	struct packet pkt, part;
	struct packet_view view, again;

	if (len > INPUT_MAX)
		return 0;
	buffer = malloc(PACKET_HEADROOM + len);
	part_buffer = malloc(BUFFER);
	require(buffer && part_buffer);
	packet_init(&pkt, buffer, PACKET_HEADROOM + len);
	packet_init(&part, part_buffer, BUFFER);
	require(packet_append(&pkt, len) != NULL);
	memcpy(pkt.data, bytes, len);
	if (packet_parse(&pkt, &view)) {
		check_view(&pkt, &view, len);
		require(packet_parse(&pkt, &again));
		require(again.total_len == view.total_len && again.upper == view.upper);
		require(again.protocol == view.protocol && again.esp_at == view.esp_at);
		check_flow(&pkt, &view);
		check_segments(&pkt, &view, &part);
		packet_set_length(&pkt);
		require(packet_parse(&pkt, &again) && again.total_len == view.total_len);
	}
	free(buffer);
	free(part_buffer);
	return 0;
}
