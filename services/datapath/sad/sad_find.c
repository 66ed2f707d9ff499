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

static bool action_fits(const struct action *action, const struct sa *sa)
{
	if (action->reqid != 0 && sa->reqid != action->reqid)
		return false;
	if (sa->proto == SA_PROTO_AH)
		return action->has_ah && algorithm_fits(&action->ah, sa->auth, sa->auth_key_bits);
	if (!action->has_esp || !algorithm_fits(&action->esp, sa->encr, sa->encr_key_bits))
		return false;
	/* Integrity that nobody asked for is welcome. */
	return !action->has_esp_auth ||
	       algorithm_fits(&action->esp_auth, sa->auth, sa->auth_key_bits);
}

static bool ends_fit(const struct sa *sa, const struct sad_query *query)
{
	return address_equal(&sa->dst, &query->dst) &&
	       (address_is_unspecified(&sa->src) || address_equal(&sa->src, &query->src));
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
static bool flow_fits(const struct sa *sa, const struct flow *flow)
{
	bool tunnel = sa->mode == SA_MODE_TUNNEL;
	uint8_t protocol = tunnel ? sa->inner_protocol : sa->protocol;
	uint16_t src_port = tunnel ? sa->inner_src_port : sa->src_port;
	uint16_t dst_port = tunnel ? sa->inner_dst_port : sa->dst_port;

	if (protocol && protocol != flow->protocol)
		return false;
	if ((src_port || dst_port) && !flow->has_ports)
		return false;
	return (!src_port || src_port == flow->local_port) &&
	       (!dst_port || dst_port == flow->remote_port);
}

static bool qualifies(const struct sad_entry *entry, const struct sad_query *query)
{
	const struct selector *selector = query->rule ? &query->rule->selector : NULL;
	const struct sa *sa = entry->sa;

	if (sa->proto != query->proto || sa->mode != query->mode || !ends_fit(sa, query))
		return false;
	if (query->action && !action_fits(query->action, sa))
		return false;
	if (query->between_ends && !sa_is_self_encapsulating(sa))
		return false;
	if (sa->mode == SA_MODE_TUNNEL &&
		(!inner_fits(
			 &sa->inner_src, selector ? &selector->local : NULL, &query->flow->local) ||
			!inner_fits(&sa->inner_dst, selector ? &selector->remote : NULL,
				&query->flow->remote)))
		return false;
	return !(sa->flags & SA_FLAG_UNIQUE) || flow_fits(sa, query->flow);
}

/* Make an SA that nobody has used this flow's own. */
static bool claim(struct sad_entry *entry, uint64_t flow_hash)
{
	uint64_t none = 0;

	if (atomic_load_explicit(&entry->run->packets, memory_order_relaxed) != 0)
		return false;
	return atomic_compare_exchange_strong(&entry->run->claim, &none, flow_hash) ||
	       none == flow_hash;
}

/* What one walk over the chain found. */
struct choice {
	struct sad_entry *best; /* serves as it is */
	unsigned int best_rank;
	struct sad_entry *spare; /* shared and never used: serves once it is claimed */
	unsigned int spare_rank;
	bool oldest_first;
};

static bool is_better(const struct choice *choice, const struct sad_entry *entry, unsigned int rank,
	const struct sad_entry *than, unsigned int than_rank)
{
	return !than || rank > than_rank ||
	       (rank == than_rank && (entry->serial > than->serial) != choice->oldest_first);
}

/*
 * Candidates that are unique to the flow come first; a shared one serves shared rules as it is and
 * unique rules only when it was never used.
 */
static void consider(struct choice *choice, struct sad_entry *entry, bool rule_is_unique,
	uint64_t flow_hash, unsigned int rank)
{
	uint64_t owner = atomic_load_explicit(&entry->run->claim, memory_order_relaxed);
	bool is_unique = entry->sa->flags & SA_FLAG_UNIQUE || owner;

	if (owner && owner != flow_hash)
		return;
	if (is_unique)
		rank |= RANK_UNIQUE;
	if (is_unique || !rule_is_unique) {
		if (is_better(choice, entry, rank, choice->best, choice->best_rank)) {
			choice->best = entry;
			choice->best_rank = rank;
		}
	} else if (atomic_load_explicit(&entry->run->packets, memory_order_relaxed) == 0 &&
		   is_better(choice, entry, rank, choice->spare, choice->spare_rank)) {
		choice->spare = entry;
		choice->spare_rank = rank;
	}
}

/* The SAs of one shape that name what the packet has. */
static void walk_shape(
	const struct sad *sad, const struct sad_query *query, uint64_t hash, struct choice *choice)
{
	bool unique = query->action && query->action->unique;
	uint64_t flow_hash = 0;
	struct sad_entry *entry;
	unsigned int links;

	for (entry = sad_outbound_first(sad, hash, &links); entry;
		entry = rcu_read(&entry->next_out[links])) {
		uint32_t state = atomic_load_explicit(&entry->run->state, memory_order_relaxed);

		if ((state != SA_MATURE && state != SA_DYING) || !qualifies(entry, query))
			continue;
		if (flow_hash == 0 &&
			atomic_load_explicit(&entry->run->claim, memory_order_relaxed) != 0)
			flow_hash = sad_flow_hash(sad, query->flow);
		consider(choice, entry, unique, flow_hash,
			(state == SA_MATURE ? RANK_MATURE : 0) |
				(address_is_unspecified(&entry->sa->src) ? 0 : RANK_NAMED));
	}
}

static void walk(const struct sad *sad, const struct sad_query *query, struct choice *ret_choice)
{
	size_t n = atomic_load_explicit(&sad->shapes.n, memory_order_acquire);
	uint64_t hash;

	*ret_choice = (struct choice){ .oldest_first = atomic_load_explicit(
					       &sad->oldest_first, memory_order_relaxed) };
	for (size_t i = 0; i < n; i++) {
		uint64_t code = atomic_load_explicit(&sad->shapes.codes[i], memory_order_acquire);

		if (sad_shape_probe(sad, code, query, &hash))
			walk_shape(sad, query, hash, ret_choice);
	}
}

struct sad_entry *sad_find_outbound(const struct sad *sad, const struct sad_query *query)
{
	struct choice choice;

	for (;;) {
		walk(sad, query, &choice);
		if (choice.best || !choice.spare)
			return choice.best;
		if (query->peek || claim(choice.spare, sad_flow_hash(sad, query->flow)))
			return choice.spare;
		/* Another worker was faster; each round loses one candidate, so this ends. */
	}
}
