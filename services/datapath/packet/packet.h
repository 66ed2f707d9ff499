/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One IP packet in a buffer with room before and behind it, and what its headers say. Knows IPv4,
 * IPv6 and their extension headers; no policy, no devices.
 */
#ifndef DATAPATH_PACKET_H
#define DATAPATH_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/cleanup.h"
#include "common/model/selector.h"

#define PACKET_HEADROOM 128 /* outer header, UDP, ESP header, IV */
#define PACKET_TAILROOM 512 /* padding, trailer, ICV, TFC */
#define PACKET_MAX_LEN	65535
#define PACKET_BUFFER	(PACKET_HEADROOM + PACKET_MAX_LEN + PACKET_TAILROOM)

/* Segmentation that the packet still has before it, from the TUN's vnet header. */
struct packet_offload {
	uint8_t gso_type; /* VIRTIO_NET_HDR_GSO_*, 0: none */
	uint16_t gso_size; /* payload bytes a segment */
	bool needs_checksum; /* partial checksum at csum_start + csum_offset */
	uint16_t csum_start, csum_offset;
};

struct packet {
	uint8_t *buffer; /* PACKET_BUFFER bytes, borrowed from its pool */
	size_t size;
	uint8_t *data; /* first byte of the IP header, inside buffer */
	size_t len;
	struct packet_offload offload;
	uint16_t out_device; /* number of the interface it must leave by, 0: any */
	bool decrypted; /* came in through one of our own devices, so out of an SA */
};

/* Point at an empty packet with full headroom. */
void packet_init(struct packet *pkt, uint8_t *buffer, size_t size);
/* Make room in front / behind; NULL when there is none (packet unchanged). */
uint8_t *packet_push(struct packet *pkt, size_t len);
uint8_t *packet_append(struct packet *pkt, size_t len);
bool packet_pull(struct packet *pkt, size_t len);
bool packet_trim(struct packet *pkt, size_t len); /* from the end */

/* Offsets are from pkt->data. Valid after packet_parse() said yes. */
struct packet_view {
	uint8_t family;
	struct address src, dst; /* dst: of the IP header */
	struct address final_dst; /* behind a routing header; else dst */
	size_t header_len; /* IPv4 header with options, IPv6 header alone */
	size_t upper; /* where the next layer header begins, extension headers skipped */
	uint8_t protocol; /* next layer protocol at `upper` */
	size_t protocol_at; /* offset of the octet that names it (IPv4: 9; IPv6: a next header octet) */
	/* Where transport-mode ESP or AH goes: behind hop-by-hop, routing and fragment headers. */
	size_t esp_at;
	uint8_t esp_protocol; /* what stands there now */
	size_t esp_protocol_at; /* the octet that will say 50 */
	bool is_fragment, is_first_fragment;
	size_t fragment_at; /* IPv6: where the fragment header begins, 0: there is none */
	uint32_t fragment_id;
	bool dont_fragment; /* IPv4 DF; true for IPv6 */
	size_t total_len; /* as the header says, <= pkt->len */
};

/*
 * Parse and check: version, header lengths, total length within the buffer (bytes beyond it are
 * trimmed off), extension headers whole, IPv4 header checksum not looked at.
 */
bool packet_parse(struct packet *pkt, struct packet_view *ret_view);
/* Whole, straight to its destination, and with no IP packet inside. */
bool packet_is_plain(const struct packet_view *view);
/* Selector fields: ports when the transport header is there and this is no later fragment. */
void packet_flow(const struct packet *pkt, const struct packet_view *view, enum direction direction,
	struct flow *ret_flow);
/* After a change of length or protocol: total / payload length and, for IPv4, the header checksum. */
void packet_set_length(struct packet *pkt);
/* RFC 1071 sum, folded and inverted, over bytes added to a start value. */
uint16_t packet_checksum(const uint8_t *bytes, size_t len, uint32_t start);
/*
 * A transport checksum that was made for other addresses (RFC 3948 section 3.1.2) becomes right for
 * those of the header; a wrong one stays wrong, a UDP checksum of zero stays zero.
 */
void packet_move_checksum(struct packet *pkt, const struct packet_view *view,
	const struct address *made_src, const struct address *made_dst);
/* UDP over IPv6 whose checksum was left out gets one: others need not take it without. */
void packet_fill_checksum(struct packet *pkt);
/* Complete a partial TCP/UDP checksum (offload.needs_checksum) in software. */
bool packet_finish_checksum(struct packet *pkt);
/*
 * Cut one TSO packet into wire segments: segment i of the original into @out (its own buffer),
 * headers and checksums made. Return: false when i is past the last, or the packet is not sound.
 */
bool packet_segment(
	const struct packet *pkt, const struct packet_view *view, size_t i, struct packet *out);

enum packet_df { PACKET_DF_COPY, PACKET_DF_SET, PACKET_DF_CLEAR };
/* What a tunnel's settings say of outer headers; all zero: as RFC 4301 section 5.1.2 has it. */
struct packet_outer_rules {
	enum packet_df df; /* IPv4 */
	bool set_dscp; /* to dscp; else it is the inner one */
	uint8_t dscp;
	bool copy_flow_label; /* IPv6 in IPv6; else 0, gateways should not copy */
	uint8_t hop_limit; /* TTL or hop limit, 0: 64 */
};

/* The header that a tunnel puts in front. */
struct packet_outer {
	const struct address *src, *dst; /* borrowed; of one family */
	uint8_t protocol;
	uint8_t traffic_class;
	bool dont_fragment; /* IPv4 */
	uint16_t id; /* IPv4 */
	uint8_t hop_limit; /* 0: 64 */
	uint32_t flow_label; /* IPv6 */
};
/* As for plain IP in IP: protocol 4 or 41, DSCP, ECN and DF come from the inner header. */
void packet_outer_of(const struct packet *pkt, const struct packet_view *view,
	const struct address *src, const struct address *dst, struct packet_outer *ret_outer);
/* What the tunnel wants otherwise. The congestion mark is always the inner one (RFC 6040 section 4.1). */
void packet_outer_rule(struct packet_outer *outer, const struct packet_outer_rules *rules,
	const struct packet *pkt);
size_t packet_outer_len(const struct address *dst);
/* Lengths and checksum are left to packet_set_length(). */
void packet_write_outer(uint8_t *at, const struct packet_outer *outer);
uint8_t packet_traffic_class(const uint8_t *ip);
/*
 * After decapsulation: the congestion mark of the outer header passes to the inner one (RFC 6040).
 * Return: false when the packet must be dropped, its sender being deaf to marks.
 */
bool packet_merge_ecn(struct packet *pkt, uint8_t outer_class);

#endif
