/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ESP (RFC 4303) on packets in memory: no devices, no databases. Single packets and batches. */
#ifndef DATAPATH_ESP_H
#define DATAPATH_ESP_H

#include "services/datapath/counters.h"
#include "services/datapath/packet.h"
#include "services/datapath/sa_run.h"
#include "services/datapath/suite.h"

/* Everything that a transform needs of an SA; the pieces are borrowed. */
struct esp_sa {
	const struct sa *sa;
	const struct suite *suite;
	struct suite_context *context; /* of this worker */
	struct sa_run *run;
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
 * Return: VERDICT_OUT_PROTECTED, or the reason; the packet is then spoilt and must be dropped.
 */
enum verdict esp_seal(const struct esp_sa *esp, struct packet *pkt, const struct esp_choice *choice);

/*
 * Open in place, in the order of RFC 4303 section 3.4: length, replay check, ICV, window, padding,
 * next header; the result is the clear IP packet (transport: header repaired; tunnel: inner one).
 * @view: of the packet, whose protocol is ESP.
 * Return: VERDICT_IN_ACCEPTED, or the reason.
 */
enum verdict esp_open(const struct esp_sa *esp, struct packet *pkt, const struct packet_view *view);

/* Octets that protection adds at most to a packet of @len: header, IV, padding, trailer, ICV, outer header. */
size_t esp_overhead(const struct sa *sa, const struct suite *suite, size_t len);

#endif
