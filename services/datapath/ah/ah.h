/* SPDX-License-Identifier: GPL-2.0-or-later */
/* AH (RFC 4302) on packets in memory: no devices, no databases. */
#ifndef DATAPATH_AH_H
#define DATAPATH_AH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "services/datapath/packet/counters.h"
#include "services/datapath/packet/packet.h"
#include "services/datapath/replay/sa_run.h"
#include "services/datapath/suite/suite_mac.h"

#define AH_HEADER 12 /* up to the sequence number */
#define AH_BEFORE_MAX \
	1024 /* octets of headers before AH; longer chains are nobody's but attackers' */

/* Everything that the transform needs of an SA; the pieces are borrowed. */
struct ah_sa {
	const struct sa *sa;
	const struct suite *suite; /* of ah_suite_of() */
	struct suite_mac *mac; /* of this worker */
	struct sa_run *run;
	const struct address
		*outer_src; /* tunnel mode, when the SA leaves its source open; else NULL */
	const struct packet_outer_rules *outer_rules; /* tunnel mode; NULL: none */
	const struct replay_room *room; /* NULL: this thread cannot wait for the disk */
	bool wrapped; /* seal: ESP has put the outer header of tunnel mode there already */
	uint64_t now_usec; /* CLOCK_BOOTTIME of the batch; 0: it is read */
};

/* Fixed by tests and vectors; zero means: choose. */
struct ah_choice {
	uint64_t seq; /* 0: take the next of run */
	const uint8_t *iv; /* NULL: the counter */
	uint16_t id; /* of an outer IPv4 header */
};

/* Sizes of an AH SA: no cipher. Return: 0, -ENOTSUP (no row, or ESP), -EINVAL (key size). */
int ah_suite_of(const struct sa *sa, struct suite *ret_suite) MUST_CHECK;

/* Octets of AH with its ICV and padding (RFC 4302 section 2.6) in a packet of this family. */
size_t ah_len(const struct suite *suite, uint8_t family);
/* The longest packet that fits @mtu with AH, and in tunnel mode the outer header, around it. */
size_t ah_clear_mtu(const struct sa *sa, const struct suite *suite, size_t mtu, bool wrapped);

/*
 * Protect in place: transport mode puts AH behind the extension headers that are for the way, tunnel
 * mode puts the SA's outer header in front. @choice: NULL for traffic.
 * Return: VERDICT_OUT_PROTECTED, or the reason; the packet is then spoilt and must be dropped.
 */
enum verdict ah_seal(const struct ah_sa *ah, struct packet *pkt, const struct ah_choice *choice);

/*
 * Verify and take AH away, in the order of RFC 4302 section 3.4: length, replay check, ICV, window.
 * The result is the packet without AH (transport), or the inner packet (tunnel). A tunnel-mode SA
 * around ESP leaves the outer packet for ESP to open: the view then says protocol 50.
 * @view: in, of the packet, whose protocol is AH; out, of what it has become.
 * Return: VERDICT_IN_ACCEPTED, or the reason.
 */
enum verdict ah_open(const struct ah_sa *ah, struct packet *pkt, struct packet_view *view);

/*
 * The headers before AH as the receiver sees them, what may change on the way zeroed (section 3.3.3.1,
 * appendix A). @headers: a copy of the @len octets before AH, changed in place; @view: of the packet.
 * Return: VERDICT_OUT_PROTECTED, or what is wrong with the options.
 */
enum verdict ah_mask(uint8_t *headers, size_t len, const struct packet_view *view);
/*
 * Take a fragment header away that cuts nothing off (RFC 6946): AH does not see it (section 3.3.3.1.2.3).
 * The packet is parsed anew. False: it does not parse.
 */
bool ah_drop_atomic_fragment(struct packet *pkt, struct packet_view *view);
/*
 * The ICV over masked headers, AH (ICV zero, padding as it stands), what follows, and the high half of
 * an extended number. @at: of AH. Return: VERDICT_OUT_PROTECTED, or why there is none.
 */
enum verdict ah_sum(const struct ah_sa *ah, const struct packet *pkt,
	const struct packet_view *view, size_t at, uint64_t seq, uint8_t *ret_icv);

#endif
