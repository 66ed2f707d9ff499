/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two hash tables. The first knows each (head, remote prefix, local prefix) that some rule has,
 * with what kinds of ports and protocols stand under it; a look-up walks the prefix lengths in use
 * and asks it. The second finds the rule below such a node by its protocol and ports.
 */
#include "common/spd/spd_cover.h"

#include <errno.h>
#include <string.h>

#include "common/base/hash.h"

#define NONE	  UINT32_MAX
#define N_LENGTHS 130 /* of a prefix: absent, 0 to 128 */
#define N_COMBOS  8

/* Bits of a combo: what a plain rule names. */
#define COMBO_PROTOCOL 1U
#define COMBO_LOCAL    2U
#define COMBO_REMOTE   4U

struct pair_key {
	uint64_t words[6]; /* remote, local, families and lengths, head */
};

/* Rules under one remote and one local prefix. */
struct pair_node {
	struct pair_key key;
	uint32_t next; /* of the bucket */
	uint32_t ranges; /* the newest rule that is not plain, NONE */
	uint32_t n_ranges;
	uint8_t combos; /* bit i: some plain rule has combo i */
};

struct rule_node {
	const struct rule *rule;
	uint32_t pair;
	uint32_t next; /* of the bucket, or of the pair's ranges */
};

struct bucket_list {
	uint32_t *heads;
	size_t count; /* a power of two */
};

struct spd_cover {
	/* Prefix lengths in use, by family: 0 absent, 1 IPv4, 2 IPv6; index is length + 1. */
	bool remote_used[3][N_LENGTHS], local_used[3][N_LENGTHS];
	uint8_t remote_most[3], local_most[3];
	struct pair_node *pairs;
	size_t n_pairs, pair_room;
	struct bucket_list pair_buckets;
	struct rule_node *rules;
	size_t n_rules, rule_room;
	struct bucket_list rule_buckets;
};

struct spd_cover *spd_cover_new(void)
{
	return calloc(1, sizeof(struct spd_cover));
}

struct spd_cover *spd_cover_free(struct spd_cover *cover)
{
	if (cover) {
		free(cover->pairs);
		free(cover->pair_buckets.heads);
		free(cover->rules);
		free(cover->rule_buckets.heads);
		free(cover);
	}
	return NULL;
}

static uint64_t mix(uint64_t x)
{
	x ^= x >> 32;
	x *= UINT64_C(0xd6e8feb86659fd93);
	return x ^ x >> 32;
}

static size_t pair_hash(const struct pair_key *key)
{
	uint64_t hash = 0;

	for (size_t i = 0; i < ARRAY_SIZE(key->words); i++)
		hash = mix(hash + key->words[i]) * UINT64_C(0x9e3779b97f4a7c15);
	return (size_t)(hash >> 20);
}

static size_t plain_hash(uint32_t pair, uint8_t protocol, uint16_t local, uint16_t remote)
{
	return (size_t)mix(
		(uint64_t)pair << 32 ^ (uint64_t)local << 16 ^ remote ^ (uint64_t)protocol << 56);
}

static unsigned int family_index(int family)
{
	if (family == AF_INET)
		return 1;
	return family == AF_INET6 ? 2 : 0;
}

/* The first @bits of an address as two words of the machine; used as a name only. */
static void masked_words(const struct prefix *prefix, unsigned int bits, uint64_t ret[static 2])
{
	uint8_t bytes[16] = { 0 };

	memcpy(bytes, prefix->addr.bytes, bits / 8);
	if (bits % 8 != 0)
		bytes[bits / 8] = (uint8_t)(prefix->addr.bytes[bits / 8] & (0xff00U >> bits % 8));
	memcpy(ret, bytes, sizeof(bytes));
}

/* @length: -1 for an absent prefix. */
static void key_set_end(struct pair_key *key, size_t end, const struct prefix *prefix, int length)
{
	unsigned int family = length < 0 ? 0 : family_index(prefix->addr.family);
	uint64_t kind = (uint64_t)family << 8 | (uint64_t)(length + 1);

	if (length < 0)
		key->words[2 * end] = key->words[2 * end + 1] = 0;
	else
		masked_words(prefix, (unsigned int)length, &key->words[2 * end]);
	key->words[4] &= ~(UINT64_C(0xffffffff) << 32 * end);
	key->words[4] |= kind << 32 * end;
}

static int prefix_length(const struct prefix *prefix)
{
	return prefix->addr.family == AF_UNSPEC ? -1 : prefix->bits;
}

/* Tunnels of one hash share their nodes, where every answer is checked. */
static uint64_t head_word(const char *tunnel)
{
	return hash_stable(tunnel, strlen(tunnel));
}

/* ---- the two tables ---- */

static int buckets_make(struct bucket_list *list, size_t count)
{
	uint32_t *heads = malloc(count * sizeof(*heads));

	if (!heads)
		return -ENOMEM;
	memset(heads, 0xff, count * sizeof(*heads)); /* NONE */
	free(list->heads);
	*list = (struct bucket_list){ .heads = heads, .count = count };
	return 0;
}

static uint32_t *bucket(const struct bucket_list *list, size_t hash)
{
	return &list->heads[hash & (list->count - 1)];
}

static uint32_t find_pair(const struct spd_cover *cover, const struct pair_key *key)
{
	uint32_t at = *bucket(&cover->pair_buckets, pair_hash(key));

	while (at != NONE && memcmp(&cover->pairs[at].key, key, sizeof(*key)) != 0)
		at = cover->pairs[at].next;
	return at;
}

static void link_pair(struct spd_cover *cover, uint32_t at)
{
	uint32_t *head = bucket(&cover->pair_buckets, pair_hash(&cover->pairs[at].key));

	cover->pairs[at].next = *head;
	*head = at;
}

static int grow_pairs(struct spd_cover *cover)
{
	size_t room = cover->pair_room ? 2 * cover->pair_room : 64;
	struct pair_node *grown = reallocarray(cover->pairs, room, sizeof(*grown));
	int r;

	if (!grown)
		return -ENOMEM;
	cover->pairs = grown;
	r = buckets_make(&cover->pair_buckets, 2 * room);
	if (r < 0)
		return r;
	cover->pair_room = room;
	for (size_t i = 0; i < cover->n_pairs; i++)
		link_pair(cover, (uint32_t)i);
	return 0;
}

static bool is_plain(const struct selector *s)
{
	return s->local_port_last == 0 && s->remote_port_last == 0 && !s->has_icmp_type &&
	       !s->has_icmp_code;
}

static size_t rule_hash(const struct rule_node *node)
{
	const struct selector *s = &node->rule->selector;

	return plain_hash(node->pair, s->protocol, s->local_port, s->remote_port);
}

static void link_rule(struct spd_cover *cover, uint32_t at)
{
	uint32_t *head = bucket(&cover->rule_buckets, rule_hash(&cover->rules[at]));

	cover->rules[at].next = *head;
	*head = at;
}

static int grow_rules(struct spd_cover *cover)
{
	size_t room = cover->rule_room ? 2 * cover->rule_room : 64;
	struct rule_node *grown = reallocarray(cover->rules, room, sizeof(*grown));
	int r;

	if (!grown)
		return -ENOMEM;
	cover->rules = grown;
	r = buckets_make(&cover->rule_buckets, 2 * room);
	if (r < 0)
		return r;
	cover->rule_room = room;
	for (size_t i = 0; i < cover->n_rules; i++)
		if (is_plain(&cover->rules[i].rule->selector))
			link_rule(cover, (uint32_t)i);
	return 0;
}

static int add_pair(struct spd_cover *cover, const struct pair_key *key, uint32_t *ret_pair)
{
	int r = cover->n_pairs == cover->pair_room ? grow_pairs(cover) : 0;

	if (r < 0)
		return r;
	*ret_pair = find_pair(cover, key);
	if (*ret_pair != NONE)
		return 0;
	*ret_pair = (uint32_t)cover->n_pairs++;
	cover->pairs[*ret_pair] = (struct pair_node){ .key = *key, .ranges = NONE };
	link_pair(cover, *ret_pair);
	return 0;
}

static unsigned int combo_of(const struct selector *s)
{
	return (s->protocol ? COMBO_PROTOCOL : 0) | (s->local_port ? COMBO_LOCAL : 0) |
	       (s->remote_port ? COMBO_REMOTE : 0);
}

static void note_length(bool used[3][N_LENGTHS], uint8_t most[3], const struct prefix *prefix)
{
	int length = prefix_length(prefix);
	unsigned int family = length < 0 ? 0 : family_index(prefix->addr.family);

	used[family][length + 1] = true;
	if (length + 1 > most[family])
		most[family] = (uint8_t)(length + 1);
}

int spd_cover_add(struct spd_cover *cover, const struct rule *rule)
{
	const struct selector *s = &rule->selector;
	struct pair_key key = { 0 };
	struct pair_node *pair;
	uint32_t at = 0;
	int r = 0;

	key.words[5] = head_word(rule->tunnel);
	key_set_end(&key, 0, &s->remote, prefix_length(&s->remote));
	key_set_end(&key, 1, &s->local, prefix_length(&s->local));
	if (cover->n_rules == cover->rule_room)
		r = grow_rules(cover);
	if (r == 0)
		r = add_pair(cover, &key, &at);
	if (r < 0)
		return r;
	note_length(cover->remote_used, cover->remote_most, &s->remote);
	note_length(cover->local_used, cover->local_most, &s->local);
	pair = &cover->pairs[at];
	cover->rules[cover->n_rules] = (struct rule_node){ .rule = rule, .pair = at };
	if (is_plain(s)) {
		pair->combos |= (uint8_t)(1U << combo_of(s));
		link_rule(cover, (uint32_t)cover->n_rules++);
	} else if (pair->n_ranges < SPD_COVER_RANGES_MAX) {
		cover->rules[cover->n_rules].next = pair->ranges;
		pair->ranges = (uint32_t)cover->n_rules++;
		pair->n_ranges++;
	}
	return 0;
}

/* ---- the look-up ---- */

struct search {
	const struct spd_cover *cover;
	const char *tunnel;
	const struct selector *selector;
	struct prefix remote, local; /* its ends; absent ones as the whole family, if it has one */
	struct pair_key key;
	uint32_t first; /* the least rule found so far, NONE */
};

static void consider(struct search *x, uint32_t at)
{
	const struct rule *rule = x->cover->rules[at].rule;

	if (at < x->first && strcmp(rule->tunnel, x->tunnel) == 0 &&
		selector_covers(&rule->selector, x->selector))
		x->first = at;
}

/* Plain rules under the pair that name what @combo says, as the selector has it. */
static void search_combo(struct search *x, uint32_t pair, unsigned int combo)
{
	const struct selector *s = x->selector;
	uint8_t protocol = combo & COMBO_PROTOCOL ? s->protocol : 0;
	uint16_t local = combo & COMBO_LOCAL ? s->local_port : 0;
	uint16_t remote = combo & COMBO_REMOTE ? s->remote_port : 0;
	uint32_t at = *bucket(&x->cover->rule_buckets, plain_hash(pair, protocol, local, remote));

	for (; at != NONE; at = x->cover->rules[at].next)
		if (x->cover->rules[at].pair == pair)
			consider(x, at);
}

static void search_pair(struct search *x)
{
	uint32_t at = find_pair(x->cover, &x->key);
	unsigned int named = combo_of(x->selector);
	const struct pair_node *pair;

	if (at == NONE)
		return;
	pair = &x->cover->pairs[at];
	for (unsigned int combo = 0; combo < N_COMBOS; combo++)
		if ((pair->combos & 1U << combo) && (combo & ~named) == 0)
			search_combo(x, at, combo);
	for (uint32_t rule = pair->ranges; rule != NONE; rule = x->cover->rules[rule].next)
		consider(x, rule);
}

static void search_local(struct search *x)
{
	unsigned int family = family_index(x->local.addr.family);
	int most = prefix_length(&x->local);

	if (x->cover->local_used[0][0]) {
		key_set_end(&x->key, 1, &x->local, -1);
		search_pair(x);
	}
	if (most >= x->cover->local_most[family])
		most = x->cover->local_most[family] - 1;
	for (int length = 0; length <= most; length++) {
		if (!x->cover->local_used[family][length + 1])
			continue;
		key_set_end(&x->key, 1, &x->local, length);
		search_pair(x);
	}
}

static struct prefix end_or_family(const struct prefix *prefix, uint8_t family)
{
	struct prefix end = *prefix;

	if (end.addr.family == AF_UNSPEC)
		end = (struct prefix){ .addr = { .family = family } };
	return end;
}

const struct rule *spd_cover_find(
	const struct spd_cover *cover, const char *tunnel, const struct selector *selector)
{
	struct search x = {
		.cover = cover,
		.tunnel = tunnel,
		.selector = selector,
		.remote = end_or_family(&selector->remote, selector->family),
		.local = end_or_family(&selector->local, selector->family),
		.first = NONE,
	};
	unsigned int family = family_index(x.remote.addr.family);
	int most = prefix_length(&x.remote);

	if (cover->n_rules == 0)
		return NULL;
	x.key.words[5] = head_word(tunnel);
	if (cover->remote_used[0][0]) {
		key_set_end(&x.key, 0, &x.remote, -1);
		search_local(&x);
	}
	if (most >= cover->remote_most[family])
		most = cover->remote_most[family] - 1;
	for (int length = 0; length <= most; length++) {
		if (!cover->remote_used[family][length + 1])
			continue;
		key_set_end(&x.key, 0, &x.remote, length);
		search_local(&x);
	}
	return x.first == NONE ? NULL : cover->rules[x.first].rule;
}
