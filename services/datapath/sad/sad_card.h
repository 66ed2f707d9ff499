/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Cards: of each SA what look-ups compare, in two cache lines of its own, close together in huge
 * pages. The entry behind it is touched only by who uses the SA.
 */
#ifndef DATAPATH_SAD_CARD_H
#define DATAPATH_SAD_CARD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/cleanup.h"
#include "common/model/address.h"

struct sad_entry;
struct sa_run;

#define SAD_CARD_TUNNEL	      0x1U
#define SAD_CARD_UNIQUE	      0x2U
#define SAD_CARD_BETWEEN_ENDS 0x4U

/* Immutable while it can be found, but for the chains. Fields as those of struct sa. */
struct sad_card {
	/* One line: what is asked of packets from the wire. */
	_Alignas(64) _Atomic uint32_t next_key; /* cards with the same tag; 0: the end */
	uint32_t number; /* its own */
	struct sad_entry *entry;
	struct sa_run *run;
	uint32_t spi;
	uint8_t proto;
	uint8_t directions;
	struct address dst, src;
	/* The other: of packets that go out. */
	_Alignas(64) _Atomic uint32_t next_out;
	uint32_t reqid;
	uint64_t serial;
	uint16_t src_port, dst_port; /* in tunnel mode the inner ones, and so the protocol */
	uint16_t encr_key_bits, auth_key_bits;
	uint8_t protocol, encr, auth;
	uint8_t flags; /* SAD_CARD_* */
	struct prefix inner_src, inner_dst;
};

_Static_assert(sizeof(struct sad_card) == 128, "two cache lines");

#define SAD_CARD_CHUNK_SHIFT 14
#define SAD_CARD_CHUNK_CARDS (1U << SAD_CARD_CHUNK_SHIFT) /* of 2 MiB, a huge page */
#define SAD_CARD_MAX_CHUNKS  2048U

struct sad_cards {
	_Atomic(struct sad_card *) chunks[SAD_CARD_MAX_CHUNKS];
	/* Of the writer. */
	uint32_t made; /* numbers that were ever given out; 0 is none */
	uint32_t first_free; /* of those that came back */
	size_t n_free;
};

void sad_cards_done(struct sad_cards *cards); /* no reader left; zeroed is done already */

/* Writer. Are there two cards, so that one is left to take the place of another? */
bool sad_cards_reserve(struct sad_cards *cards);
/* One with its number and nothing else; NULL: there is none. */
struct sad_card *sad_cards_take(struct sad_cards *cards);
/* Of which no reader knows. */
void sad_cards_give(struct sad_cards *cards, struct sad_card *card);
/* What the SA of the card's entry says. */
void sad_card_write(struct sad_card *card, struct sad_entry *entry);

/* Any reader; @number as it was found in a table or on another card. */
static inline struct sad_card *sad_card_at(const struct sad_cards *cards, uint32_t number)
{
	struct sad_card *chunk = atomic_load_explicit(
		&cards->chunks[number >> SAD_CARD_CHUNK_SHIFT], memory_order_relaxed);

	return &chunk[number & (SAD_CARD_CHUNK_CARDS - 1)];
}

#endif
