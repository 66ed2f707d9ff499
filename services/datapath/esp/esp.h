/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ESP (RFC 4303) on packets in memory: no devices, no databases. Single packets and batches. */
#ifndef DATAPATH_ESP_H
#define DATAPATH_ESP_H

#include <stddef.h>
#include <stdint.h>

#include "services/datapath/packet/counters.h"
#include "services/datapath/packet/packet.h"
#include "services/datapath/replay/replay.h"
#include "services/datapath/replay/sa_run.h"
#include "services/datapath/suite/suite.h"

#define ESP_BATCH      64
#define ESP_HEADER     8 /* SPI and sequence number */
#define ESP_TRAILER    2 /* pad length and next header */
#define ESP_UDP_HEADER 8 /* RFC 3948, with SA_FLAG_ENCAP */
#define ESP_NEXT_DUMMY 59
#define ESP_NATT_PORT  4500 /* also what a port of 0 in an SA means */

/* How the contents of received padding are held against 1, 2, 3, ... (RFC 4303 section 2.4). */
enum esp_padding { ESP_PADDING_ALL, ESP_PADDING_LAST, ESP_PADDING_NONE };

/* Everything that a transform needs of an SA; the pieces are borrowed. */
struct esp_sa {
	const struct sa *sa;
	const struct suite *suite;
	struct suite_context *context; /* of this worker */
	struct sa_run *run;
	const struct address
		*outer_src; /* tunnel mode, when the SA leaves its source open; else NULL */
	const struct packet_outer_rules *outer_rules; /* tunnel mode; NULL: the usual header */
	const struct replay_room *room; /* NULL: this thread cannot wait for the disk */
	size_t pad_to; /* tunnel mode: shorter inner packets are padded to so many octets (TFC) */
	enum esp_padding padding;
	uint64_t now_usec; /* CLOCK_BOOTTIME of the batch; 0: it is read */
};

/* Fixed by tests and vectors; zero means: choose. */
struct esp_choice {
	uint64_t seq; /* 0: take the next of run */
	const uint8_t *iv; /* NULL: random, or the counter */
	const uint8_t *padding; /* with padding_len: exact pad octets */
	size_t padding_len;
};

/*
 * Protect in place: transport mode puts ESP behind the extension headers that stay outside, tunnel
 * mode puts the SA's outer header in front. Sequence number and IV come from the SA's run state.
 * @choice: NULL for traffic.
 * Return: VERDICT_OUT_PROTECTED, or the reason; the packet is then spoilt and must be dropped.
 */
enum verdict esp_seal(
	const struct esp_sa *esp, struct packet *pkt, const struct esp_choice *choice);
/* The same for n <= ESP_BATCH packets of one SA, numbered in their order. */
void esp_seal_batch(
	const struct esp_sa *esp, struct packet *const *pkts, size_t n, enum verdict *ret_verdicts);

/*
 * Dummy packet (RFC 4303 section 2.6) of the octets that are there, which need mean nothing. The SA
 * names its source.
 */
enum verdict esp_seal_dummy(const struct esp_sa *esp, struct packet *pkt);

/*
 * Open in place, in the order of RFC 4303 section 3.4: length, replay check, ICV, window, padding,
 * next header; the result is the clear IP packet (transport: header repaired; tunnel: inner one).
 * @view: of the packet, whose protocol is ESP (or UDP, then ESP follows the UDP header).
 * Return: VERDICT_IN_ACCEPTED, or the reason.
 */
enum verdict esp_open(const struct esp_sa *esp, struct packet *pkt, const struct packet_view *view);
/* The same for n <= ESP_BATCH packets of one SA. @views: in, of the packets; out, of the clear ones. */
void esp_open_batch(const struct esp_sa *esp, struct packet *const *pkts,
	struct packet_view *const *views, size_t n, enum verdict *ret_verdicts);

/* Where the ESP header of a parsed packet begins. */
size_t esp_offset(const struct packet_view *view);
/* Ports of UDP encapsulation: ours, and the peer's as far as we know by now. */
static inline uint16_t esp_local_port(const struct sa *sa)
{
	return sa->natt_local_port != 0 ? sa->natt_local_port : ESP_NATT_PORT;
}

static inline uint16_t esp_peer_port(const struct sa *sa, const struct sa_run *run)
{
	uint32_t seen = atomic_load_explicit(&run->peer_port, memory_order_relaxed);

	if (seen != 0)
		return (uint16_t)seen;
	return sa->natt_remote_port != 0 ? sa->natt_remote_port : ESP_NATT_PORT;
}

/* Octets that protection adds at most to a packet: header, IV, padding, trailer, ICV, outer header. */
size_t esp_overhead(const struct sa *sa, const struct suite *suite);
/* Exact length of a packet of @len once protected; @keep: its octets before ESP (tunnel mode: 0). */
size_t esp_sealed_len(const struct sa *sa, const struct suite *suite, size_t len, size_t keep);
/* The longest packet that fits @mtu once protected (RFC 4301 section 8.2.1); 0: none does. */
size_t esp_clear_mtu(const struct sa *sa, const struct suite *suite, size_t mtu, size_t keep);

#endif
