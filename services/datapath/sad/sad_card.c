/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/sad/sad_card.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "services/datapath/sad/sad.h"

#define CHUNK_BYTES (SAD_CARD_CHUNK_CARDS * sizeof(struct sad_card))

void sad_cards_done(struct sad_cards *cards)
{
	for (size_t i = 0; i < SAD_CARD_MAX_CHUNKS; i++)
		free(atomic_load_explicit(&cards->chunks[i], memory_order_relaxed));
}

static bool chunk_add(struct sad_cards *cards, uint32_t n)
{
	struct sad_card *chunk;

	if (n >= SAD_CARD_MAX_CHUNKS)
		return false;
	if (atomic_load_explicit(&cards->chunks[n], memory_order_relaxed))
		return true;
	chunk = aligned_alloc(CHUNK_BYTES, CHUNK_BYTES);
	if (!chunk)
		return false;
	/* Few SAs take a few small pages. */
	if (n > 0)
		(void)madvise(chunk, CHUNK_BYTES, MADV_HUGEPAGE);
	/* Before the first number out of it can be read anywhere. */
	atomic_store_explicit(&cards->chunks[n], chunk, memory_order_relaxed);
	return true;
}

bool sad_cards_reserve(struct sad_cards *cards)
{
	return cards->n_free >= 2 || chunk_add(cards, (cards->made + 2) >> SAD_CARD_CHUNK_SHIFT);
}

struct sad_card *sad_cards_take(struct sad_cards *cards)
{
	uint32_t number = cards->first_free;
	struct sad_card *card;

	if (number != 0) {
		card = sad_card_at(cards, number);
		cards->first_free = atomic_load_explicit(&card->next_key, memory_order_relaxed);
		cards->n_free--;
		return card;
	}
	number = cards->made + 1;
	if (!chunk_add(cards, number >> SAD_CARD_CHUNK_SHIFT))
		return NULL;
	cards->made = number;
	card = sad_card_at(cards, number);
	card->number = number;
	return card;
}

void sad_cards_give(struct sad_cards *cards, struct sad_card *card)
{
	atomic_store_explicit(&card->next_key, cards->first_free, memory_order_relaxed);
	cards->first_free = card->number;
	cards->n_free++;
}

void sad_card_write(struct sad_card *card, struct sad_entry *entry)
{
	const struct sa *sa = entry->sa;
	bool tunnel = sa->mode == SA_MODE_TUNNEL;

	card->entry = entry;
	card->run = entry->run;
	card->spi = sa->spi;
	card->proto = (uint8_t)sa->proto;
	card->directions = entry->directions;
	card->dst = sa->dst;
	card->src = sa->src;
	card->reqid = sa->reqid;
	card->serial = entry->serial;
	card->src_port = tunnel ? sa->inner_src_port : sa->src_port;
	card->dst_port = tunnel ? sa->inner_dst_port : sa->dst_port;
	card->protocol = tunnel ? sa->inner_protocol : sa->protocol;
	card->encr = sa->encr;
	card->auth = sa->auth;
	card->encr_key_bits = sa->encr_key_bits;
	card->auth_key_bits = sa->auth_key_bits;
	card->inner_src = sa->inner_src;
	card->inner_dst = sa->inner_dst;
	card->flags = (uint8_t)((tunnel ? SAD_CARD_TUNNEL : 0) |
				((sa->flags & SA_FLAG_UNIQUE) ? SAD_CARD_UNIQUE : 0) |
				(sa_is_self_encapsulating(sa) ? SAD_CARD_BETWEEN_ENDS : 0));
}
