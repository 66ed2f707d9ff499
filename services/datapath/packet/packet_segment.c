/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a network card would do for the sender: finish partial checksums, cut TCP and UDP super-packets
 * into segments.
 */
#include <linux/virtio_net.h>
#include <netinet/in.h>
#include <string.h>

#include "common/base/bytes.h"
#include "services/datapath/packet/packet.h"

#ifndef VIRTIO_NET_HDR_GSO_UDP_L4 /* Linux 6.2 */
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif

#define TCP_MIN_HEADER 20U
#define TCP_FIN	       0x01U
#define TCP_PSH	       0x08U
#define TCP_CWR	       0x80U
#define UDP_HEADER     8U
#define UDP_CHECKSUM   6U
#define TCP_CHECKSUM   16U

bool packet_finish_checksum(struct packet *pkt)
{
	size_t start = pkt->offload.csum_start, field = start + pkt->offload.csum_offset;
	uint16_t sum;

	if (!pkt->offload.needs_checksum)
		return true;
	if (field + 2 > pkt->len || start > pkt->len)
		return false;
	/* The field holds the sum of the pseudo header, so it is simply part of what is summed. */
	sum = packet_checksum(pkt->data + start, pkt->len - start, 0);
	if (sum == 0 && pkt->offload.csum_offset == UDP_CHECKSUM)
		sum = 0xffff;
	store_be16(pkt->data + field, sum);
	pkt->offload.needs_checksum = false;
	return true;
}

/* RFC 9293 section 3.1, RFC 8200 section 8.1. */
static uint32_t pseudo_header_sum(const struct packet_view *view, size_t upper_len)
{
	size_t len = address_len(view->family);
	uint32_t sum = view->protocol + (uint32_t)upper_len;

	for (size_t i = 0; i < len; i += 2)
		sum += (uint32_t)load_be16(view->src.bytes + i) +
		       load_be16(view->final_dst.bytes + i);
	return sum;
}

static void finish_tcp(struct packet *out, const struct packet_view *view, size_t offset, bool last)
{
	uint8_t *tcp = out->data + view->upper;
	size_t len = out->len - view->upper;

	store_be32(tcp + 4, load_be32(tcp + 4) + (uint32_t)offset);
	if (!last)
		tcp[13] &= (uint8_t) ~(TCP_FIN | TCP_PSH);
	if (offset > 0)
		tcp[13] &= (uint8_t)~TCP_CWR; /* RFC 3168 section 6.1.2: once */
	store_be16(tcp + TCP_CHECKSUM, 0);
	store_be16(tcp + TCP_CHECKSUM, packet_checksum(tcp, len, pseudo_header_sum(view, len)));
}

static void finish_udp(struct packet *out, const struct packet_view *view)
{
	uint8_t *udp = out->data + view->upper;
	size_t len = out->len - view->upper;
	uint16_t sum;

	store_be16(udp + 4, (uint16_t)len);
	store_be16(udp + UDP_CHECKSUM, 0);
	sum = packet_checksum(udp, len, pseudo_header_sum(view, len));
	store_be16(udp + UDP_CHECKSUM, sum == 0 ? 0xffff : sum);
}

/* All headers up to the data; 0: not a sound super-packet. */
static size_t segment_headers(const struct packet *pkt, const struct packet_view *view)
{
	uint8_t type = pkt->offload.gso_type & (uint8_t)~VIRTIO_NET_HDR_GSO_ECN;
	size_t left = view->total_len - view->upper, header;

	if (pkt->offload.gso_size == 0 || view->is_fragment)
		return 0;
	if (view->protocol == IPPROTO_TCP && left >= TCP_MIN_HEADER &&
		(type == VIRTIO_NET_HDR_GSO_TCPV4 || type == VIRTIO_NET_HDR_GSO_TCPV6)) {
		header = (size_t)(pkt->data[view->upper + 12] >> 4) * 4;
		if (header < TCP_MIN_HEADER)
			return 0;
	} else if (view->protocol == IPPROTO_UDP && type == VIRTIO_NET_HDR_GSO_UDP_L4) {
		header = UDP_HEADER;
	} else {
		return 0;
	}
	return header <= left ? view->upper + header : 0;
}

bool packet_segment(
	const struct packet *pkt, const struct packet_view *view, size_t i, struct packet *out)
{
	size_t headers = segment_headers(pkt, view), step = pkt->offload.gso_size, offset, len;
	bool last;

	if (headers == 0 || i > PACKET_MAX_LEN)
		return false;
	offset = i * step;
	if (offset >= view->total_len - headers && !(i == 0 && view->total_len == headers))
		return false;
	len = view->total_len - headers - offset;
	last = len <= step;
	if (!last)
		len = step;
	packet_init(out, out->buffer, out->size);
	if (!packet_append(out, headers + len))
		return false;
	memcpy(out->data, pkt->data, headers);
	memcpy(out->data + headers, pkt->data + headers + offset, len);
	if (view->family == AF_INET)
		store_be16(out->data + 4, (uint16_t)(load_be16(pkt->data + 4) + i));
	packet_set_length(out);
	if (view->protocol == IPPROTO_TCP)
		finish_tcp(out, view, offset, last);
	else
		finish_udp(out, view);
	return true;
}
