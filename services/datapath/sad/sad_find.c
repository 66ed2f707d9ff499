/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Choosing an outbound SA (kernel-semantics of the original, section 8). */
#include "services/datapath/sad/sad_parts.h"

/* What speaks for a candidate, most important first. */
#define RANK_UNIQUE 4U
#define RANK_MATURE 2U
#define RANK_NAMED  1U

static bool algorithm_fits(const struct alg_need *need, uint8_t number, uint16_t key_bits)
{
	return need->number == number && key_bits >= need->min_bits;
}

static bool action_fits(const struct action *action, const struct sad_card *card)
{
	if (action->reqid != 0 && card->reqid != action->reqid)
		return false;
	if (card->proto == SA_PROTO_AH)
		return action->has_ah &&
		       algorithm_fits(&action->ah, card->auth, card->auth_key_bits);
	if (!action->has_esp || !algorithm_fits(&action->esp, card->encr, card->encr_key_bits))
		return false;
	/* Integrity that nobody asked for is welcome. */
	return !action->has_esp_auth ||
	       algorithm_fits(&action->esp_auth, card->auth, card->auth_key_bits);
}

static bool ends_fit(const struct sad_card *card, const struct sad_query *query)
{
	return address_equal(&card->dst, &query->dst) &&
	       (address_is_unspecified(&card->src) || address_equal(&card->src, &query->src));
}

static bool inner_fits(
	const struct prefix *inner, const struct prefix *selector, const struct address *addr)
{
	if (inner->addr.family == AF_UNSPEC)
		return true;
	if (selector && selector->addr.family != AF_UNSPEC && !prefix_overlaps(inner, selector))
		return false;
	/* The receiver holds the inner packet against the SA's selectors: no use to send others. */
	return prefix_contains(inner, addr);
}

/* The non-zero parts of a unique SA against the flow. */
static bool flow_fits(const struct sad_card *card, const struct flow *flow)
{
	if (card->protocol && card->protocol != flow->protocol)
		return false;
	if ((card->src_port || card->dst_port) && !flow->has_ports)
		return false;
	return (!card->src_port || card->src_port == flow->local_port) &&
	       (!card->dst_port || card->dst_port == flow->remote_port);
}

static bool qualifies(const struct sad_card *card, const struct sad_query *query)
{
	const struct selector *selector = query->rule ? &query->rule->selector : NULL;
	bool tunnel = card->flags & SAD_CARD_TUNNEL;

	if (card->proto != (uint8_t)query->proto || tunnel != (query->mode == SA_MODE_TUNNEL) ||
		!ends_fit(card, query))
		return false;
	if (query->action && !action_fits(query->action, card))
		return false;
	if (query->between_ends && !(card->flags & SAD_CARD_BETWEEN_ENDS))
		return false;
	if (tunnel && (!inner_fits(&card->inner_src, selector ? &selector->local : NULL,
			       &query->flow->local) ||
			      !inner_fits(&card->inner_dst, selector ? &selector->remote : NULL,
				      &query->flow->remote)))
		return false;
	return !(card->flags & SAD_CARD_UNIQUE) || flow_fits(card, query->flow);
}

/* Make an SA that nobody has used this flow's own. */
static bool claim(const struct sad_card *card, uint64_t flow_hash)
{
	uint64_t none = 0;

	if (atomic_load_explicit(&card->run->packets, memory_order_relaxed) != 0)
		return false;
	return atomic_compare_exchange_strong(&card->run->claim, &none, flow_hash) ||
	       none == flow_hash;
}

/* What one walk over the chains found. */
struct choice {
	const struct sad_card *best; /* serves as it is */
	unsigned int best_rank;
	const struct sad_card *spare; /* shared and never used: serves once it is claimed */
	unsigned int spare_rank;
	bool oldest_first;
};

static bool is_better(const struct choice *choice, const struct sad_card *card, unsigned int rank,
	const struct sad_card *than, unsigned int than_rank)
{
	return !than || rank > than_rank ||
	       (rank == than_rank && (card->serial > than->serial) != choice->oldest_first);
}

/*
 * Candidates that are unique to the flow come first; a shared one serves shared rules as it is and
 * unique rules only when it was never used.
 */
static void consider(struct choice *choice, const struct sad_card *card, bool rule_is_unique,
	uint64_t flow_hash, unsigned int rank)
{
	uint64_t owner = atomic_load_explicit(&card->run->claim, memory_order_relaxed);
	bool is_unique = card->flags & SAD_CARD_UNIQUE || owner;

	if (owner && owner != flow_hash)
		return;
	if (is_unique)
		rank |= RANK_UNIQUE;
	if (is_unique || !rule_is_unique) {
		if (is_better(choice, card, rank, choice->best, choice->best_rank)) {
			choice->best = card;
			choice->best_rank = rank;
		}
	} else if (atomic_load_explicit(&card->run->packets, memory_order_relaxed) == 0 &&
		   is_better(choice, card, rank, choice->spare, choice->spare_rank)) {
		choice->spare = card;
		choice->spare_rank = rank;
	}
}

/* The SAs of one shape that name what the packet has, from card @number on. */
static void walk_shape(const struct sad *sad, const struct sad_query *query, uint32_t number,
	struct choice *choice)
{
	bool unique = query->action && query->action->unique;
	uint64_t flow_hash = 0;

	while (number != SAD_INDEX_NONE) {
		const struct sad_card *card = sad_card_at(&sad->cards, number);
		uint32_t state;

		number = rcu_read(&card->next_out);
		if (!qualifies(card, query))
			continue;
		state = atomic_load_explicit(&card->run->state, memory_order_relaxed);
		if (state != SA_MATURE && state != SA_DYING)
			continue;
		if (flow_hash == 0 &&
			atomic_load_explicit(&card->run->claim, memory_order_relaxed) != 0)
			flow_hash = sad_flow_hash(sad, query->flow);
		consider(choice, card, unique, flow_hash,
			(state == SA_MATURE ? RANK_MATURE : 0) |
				(address_is_unspecified(&card->src) ? 0 : RANK_NAMED));
	}
}

/* Where the SAs of the first shapes stand that a packet may meet. */
#define ASKED_SHAPES 3U
struct prospect {
	uint32_t tags[ASKED_SHAPES]; /* then the cards in front */
	size_t n;
	size_t next_shape; /* that was not looked at */
};

static size_t shape_count(const struct sad *sad)
{
	return atomic_load_explicit(&sad->shapes.n, memory_order_acquire);
}

static bool probe(
	const struct sad *sad, size_t shape, const struct sad_query *query, uint32_t *ret_tag)
{
	uint64_t code = atomic_load_explicit(&sad->shapes.codes[shape], memory_order_acquire);

	return sad_shape_probe(sad, code, query, ret_tag);
}

static void walk(const struct sad *sad, const struct sad_query *query,
	const struct prospect *prospect, struct choice *ret_choice)
{
	size_t n = shape_count(sad);
	uint32_t tag;

	*ret_choice = (struct choice){ .oldest_first = atomic_load_explicit(
					       &sad->oldest_first, memory_order_relaxed) };
	for (size_t i = 0; i < prospect->n; i++)
		walk_shape(sad, query, prospect->tags[i], ret_choice);
	for (size_t i = prospect->next_shape; i < n; i++)
		if (probe(sad, i, query, &tag))
			walk_shape(sad, query, sad_index_find(&sad->by_names, tag), ret_choice);
}

static struct sad_entry *find(
	const struct sad *sad, const struct sad_query *query, const struct prospect *prospect)
{
	static const struct prospect nothing = { .n = 0 };
	UNINITIALISED struct choice choice;

	for (;; prospect = &nothing) {
		walk(sad, query, prospect, &choice);
		if (choice.best || !choice.spare)
			return choice.best ? choice.best->entry : NULL;
		if (query->peek || claim(choice.spare, sad_flow_hash(sad, query->flow)))
			return choice.spare->entry;
		/* Another worker was faster; each round loses one candidate, so this ends. */
	}
}

struct sad_entry *sad_find_outbound(const struct sad *sad, const struct sad_query *query)
{
	static const struct prospect nothing = { .n = 0 };

	return find(sad, query, &nothing);
}

/* The first line of the table for each of the first shapes. */
static void ask_tags(
	const struct sad *sad, const struct sad_query *query, struct prospect *ret_prospect)
{
	size_t n = shape_count(sad), i;

	ret_prospect->n = 0;
	for (i = 0; i < n && ret_prospect->n < ASKED_SHAPES; i++) {
		uint32_t *tag = &ret_prospect->tags[ret_prospect->n];

		if (!probe(sad, i, query, tag))
			continue;
		sad_index_ask(&sad->by_names, *tag);
		ret_prospect->n++;
	}
	ret_prospect->next_shape = i;
}

static void ask_cards(const struct sad *sad, struct prospect *prospect)
{
	for (size_t i = 0; i < prospect->n; i++) {
		uint32_t number = sad_index_find(&sad->by_names, prospect->tags[i]);
		const struct sad_card *card;

		prospect->tags[i] = number;
		if (number == SAD_INDEX_NONE)
			continue;
		card = sad_card_at(&sad->cards, number);
		__builtin_prefetch(card);
		__builtin_prefetch(&card->next_out);
	}
}

static void ask_runs(const struct sad *sad, const struct prospect *prospect)
{
	for (size_t i = 0; i < prospect->n; i++)
		if (prospect->tags[i] != SAD_INDEX_NONE)
			__builtin_prefetch(
				&sad_card_at(&sad->cards, prospect->tags[i])->run->state);
}

void sad_find_outbound_batch(const struct sad *sad, const struct sad_query *queries, size_t n,
	struct sad_entry **ret_entries)
{
	UNINITIALISED struct prospect prospects[SAD_BATCH];

	for (size_t i = 0; i < n; i++)
		ask_tags(sad, &queries[i], &prospects[i]);
	for (size_t i = 0; i < n; i++)
		ask_cards(sad, &prospects[i]);
	for (size_t i = 0; i < n; i++)
		ask_runs(sad, &prospects[i]);
	for (size_t i = 0; i < n; i++)
		ret_entries[i] = find(sad, &queries[i], &prospects[i]);
}
