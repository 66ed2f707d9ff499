/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Finding an SA by what its packets carry: protocol, SPI, destination. One cache line of the table,
 * one of a card. A batch asks for each of these for all of its packets before it looks at the first.
 */
#include <string.h>

#include "services/datapath/sad/sad_parts.h"

uint32_t sad_key_tag(
	const struct sad *sad, enum sa_proto proto, uint32_t spi, const struct address *dst)
{
	/* Words, so that they are read as they were written: each packet waits for this. */
	uint64_t key[3] = { spi | (uint64_t)proto << 32 | (uint64_t)dst->family << 40 };

	memcpy(&key[1], dst->bytes, sizeof(dst->bytes));
	return sad_index_tag(hash_keyed(&sad->hash_key, key,
		dst->family == AF_INET ? sizeof(key) - sizeof(key[2]) : sizeof(key)));
}

static bool has_key(
	const struct sad_card *card, enum sa_proto proto, uint32_t spi, const struct address *dst)
{
	return card->spi == spi && card->proto == (uint8_t)proto && address_equal(&card->dst, dst);
}

/* The one behind @number with this key, and this source unless that is NULL. */
static const struct sad_card *walk(const struct sad *sad, uint32_t number, enum sa_proto proto,
	uint32_t spi, const struct address *dst, const struct address *src)
{
	while (number != SAD_INDEX_NONE) {
		const struct sad_card *card = sad_card_at(&sad->cards, number);

		if (has_key(card, proto, spi, dst) && (!src || address_equal(&card->src, src)))
			return card;
		number = rcu_read(&card->next_key);
	}
	return NULL;
}

static const struct sad_card *find(const struct sad *sad, enum sa_proto proto, uint32_t spi,
	const struct address *dst, const struct address *src)
{
	uint32_t tag = sad_key_tag(sad, proto, spi, dst);

	return walk(sad, sad_index_find(&sad->by_key, tag), proto, spi, dst, src);
}

struct sad_entry *sad_find_same(const struct sad *sad, const struct sa *sa)
{
	/* Those of one group differ in their sources. */
	const struct address *src = address_is_multicast(&sa->dst) ? &sa->src : NULL;
	const struct sad_card *card = find(sad, sa->proto, sa->spi, &sa->dst, src);

	return card ? card->entry : NULL;
}

struct sad_entry *sad_find(const struct sad *sad, const struct sa_key *key)
{
	const struct sad_card *card = find(sad, key->proto, key->spi, &key->dst, NULL);

	return card ? card->entry : NULL;
}

bool sad_is_larval(
	const struct sad *sad, enum sa_proto proto, uint32_t spi, const struct address *dst)
{
	const struct sad_card *card = find(sad, proto, spi, dst, NULL);

	return card && atomic_load_explicit(&card->run->state, memory_order_relaxed) == SA_LARVAL;
}

/* Of those under the tag of a packet the one that is for it, in whatever state. */
static const struct sad_card *choose(
	const struct sad *sad, uint32_t number, const struct sad_inbound *asked)
{
	const struct address *dst = asked->dst;
	const struct sad_card *card;

	if (address_is_multicast(dst)) {
		struct address any = address_any(dst->family);

		card = walk(sad, number, asked->proto, asked->spi, dst, asked->src);
		if (!card)
			card = walk(sad, number, asked->proto, asked->spi, dst, &any);
	} else {
		card = walk(sad, number, asked->proto, asked->spi, dst, NULL);
	}
	if (!card || !(card->directions & SA_INBOUND))
		return NULL;
	if (!address_equal(&card->src, asked->src) && !address_is_unspecified(&card->src))
		return NULL;
	return card;
}

struct sad_entry *sad_find_inbound(const struct sad *sad, enum sa_proto proto, uint32_t spi,
	const struct address *dst, const struct address *src)
{
	const struct sad_inbound asked = { proto, spi, dst, src, NULL };
	uint32_t tag = sad_key_tag(sad, proto, spi, dst);
	const struct sad_card *card = choose(sad, sad_index_find(&sad->by_key, tag), &asked);

	return card && sad_run_is_usable(card->run) ? card->entry : NULL;
}

void sad_find_inbound_batch(const struct sad *sad, struct sad_inbound *asked, size_t n)
{
	UNINITIALISED uint32_t tags[SAD_BATCH];

	for (size_t i = 0; i < n; i++) {
		tags[i] = sad_key_tag(sad, asked[i].proto, asked[i].spi, asked[i].dst);
		sad_index_ask(&sad->by_key, tags[i]);
	}
	for (size_t i = 0; i < n; i++) {
		tags[i] = sad_index_find(&sad->by_key, tags[i]);
		if (tags[i] != SAD_INDEX_NONE)
			__builtin_prefetch(sad_card_at(&sad->cards, tags[i]));
	}
	for (size_t i = 0; i < n; i++) {
		const struct sad_card *card = choose(sad, tags[i], &asked[i]);

		asked[i].entry = card ? card->entry : NULL;
	}
}
