/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rules against those before them: duplicates, ICMP rules that disagree. */
#include <errno.h>
#include <string.h>

#include "services/policy/policy_parser.h"

#define NO_RULE SIZE_MAX

/* Protective ICMP rules of the same actions. */
struct icmp_group {
	size_t count, room;
	const struct rule **rules;
};

/* Hash chains by (tunnel, selector); tables of the protective ICMP rules and of the tunnels beside. */
struct policy_seen {
	size_t count, room;
	const struct rule **rules;
	size_t *next; /* of the same bucket, or NO_RULE */
	size_t n_buckets; /* a power of two */
	size_t *buckets;
	size_t n_groups, group_room;
	struct icmp_group *groups;
	size_t n_tunnels, tunnel_room; /* room: a power of two, at least half of it free */
	const struct rule **tunnels; /* the first rule of each, by its name, NULL: free */
};

struct policy_seen *policy_seen_new(void)
{
	return calloc(1, sizeof(struct policy_seen));
}

struct policy_seen *policy_seen_free(struct policy_seen *seen)
{
	if (seen) {
		free(seen->rules);
		free(seen->next);
		free(seen->buckets);
		for (size_t i = 0; i < seen->n_groups; i++)
			free(seen->groups[i].rules);
		free(seen->groups);
		free(seen->tunnels);
		free(seen);
	}
	return NULL;
}

/* Only chains get longer when somebody finds two texts of one hash, and he has to be the administrator. */
static uint64_t hash_words(const void *bytes, size_t len)
{
	const uint8_t *at = bytes;
	uint64_t hash = len, word;

	for (; len > 0; at += sizeof(word)) {
		size_t n = len < sizeof(word) ? len : sizeof(word);

		word = 0;
		memcpy(&word, at, n);
		hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
		hash ^= hash >> 29;
		len -= n;
		if (n < sizeof(word))
			break;
	}
	return hash;
}

static uint64_t rule_key(const struct rule *rule)
{
	const struct selector *s = &rule->selector;
	struct {
		char tunnel[RULE_TUNNEL_MAX];
		uint8_t local[17], remote[17];
		uint8_t bits[2];
		uint8_t protocol, family;
		uint8_t icmp[6];
		uint16_t ports[4];
	} key;

	memset(&key, 0, sizeof(key)); /* padding counts, too */
	memcpy(key.tunnel, rule->tunnel, strlen(rule->tunnel));
	memcpy(key.local, s->local.addr.bytes, 16);
	memcpy(key.remote, s->remote.addr.bytes, 16);
	key.local[16] = s->local.addr.family;
	key.remote[16] = s->remote.addr.family;
	key.bits[0] = s->local.bits;
	key.bits[1] = s->remote.bits;
	key.protocol = s->protocol;
	key.family = s->family;
	key.icmp[0] = s->has_icmp_type;
	key.icmp[1] = s->has_icmp_type ? s->icmp_type_low : 0;
	key.icmp[2] = s->has_icmp_type ? s->icmp_type_high : 0;
	key.icmp[3] = s->has_icmp_code;
	key.icmp[4] = s->has_icmp_code ? s->icmp_code_low : 0;
	key.icmp[5] = s->has_icmp_code ? s->icmp_code_high : 0;
	key.ports[0] = s->local_port;
	key.ports[1] = s->remote_port;
	key.ports[2] = s->local_port_last;
	key.ports[3] = s->remote_port_last;
	return hash_words(&key, sizeof(key));
}

static void link_rule(struct policy_seen *seen, size_t at)
{
	size_t bucket = (size_t)rule_key(seen->rules[at]) & (seen->n_buckets - 1);

	seen->next[at] = seen->buckets[bucket];
	seen->buckets[bucket] = at;
}

/* Twice the room, chains made anew. */
static int grow(struct policy_seen *seen)
{
	size_t room = seen->room ? 2 * seen->room : 64;
	const struct rule **rules = reallocarray(seen->rules, room, sizeof(*rules));
	size_t *next, *buckets;

	if (!rules)
		return -ENOMEM;
	seen->rules = rules;
	next = reallocarray(seen->next, room, sizeof(*next));
	if (!next)
		return -ENOMEM;
	seen->next = next;
	buckets = calloc(room, sizeof(*buckets));
	if (!buckets)
		return -ENOMEM;
	free(seen->buckets);
	seen->buckets = buckets;
	seen->n_buckets = room;
	seen->room = room;
	for (size_t i = 0; i < room; i++)
		buckets[i] = NO_RULE;
	for (size_t i = 0; i < seen->count; i++)
		link_rule(seen, i);
	return 0;
}

/* The group of the rule's actions, made if there is none. NULL: no memory. */
static struct icmp_group *find_group(struct policy_seen *seen, const struct rule *rule)
{
	for (size_t i = 0; i < seen->n_groups; i++)
		if (policy_same_actions(seen->groups[i].rules[0], rule))
			return &seen->groups[i];
	if (seen->n_groups == seen->group_room) {
		size_t more = seen->group_room ? 2 * seen->group_room : 4;
		struct icmp_group *grown = reallocarray(seen->groups, more, sizeof(*grown));

		if (!grown)
			return NULL;
		seen->groups = grown;
		seen->group_room = more;
	}
	seen->groups[seen->n_groups] = (struct icmp_group){ 0 };
	return &seen->groups[seen->n_groups];
}

static int add_icmp(struct policy_seen *seen, const struct rule *rule)
{
	struct icmp_group *group = find_group(seen, rule);

	if (!group)
		return -ENOMEM;
	if (group->count == group->room) {
		size_t more = group->room ? 2 * group->room : 16;
		const struct rule **grown = reallocarray(group->rules, more, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		group->rules = grown;
		group->room = more;
	}
	if (group->count == 0)
		seen->n_groups++; /* it has the rule that tells its actions */
	group->rules[group->count++] = rule;
	return 0;
}

/* Where a tunnel's first rule stands, or would. */
static size_t tunnel_slot(const struct rule **tunnels, size_t room, const char *name)
{
	size_t at = (size_t)hash_words(name, strlen(name)) & (room - 1);

	while (tunnels[at] && strcmp(tunnels[at]->tunnel, name) != 0)
		at = (at + 1) & (room - 1);
	return at;
}

static int add_tunnel(struct policy_seen *seen, const struct rule *rule)
{
	if (2 * seen->n_tunnels >= seen->tunnel_room) {
		size_t room = seen->tunnel_room ? 2 * seen->tunnel_room : 16;
		const struct rule **grown = calloc(room, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		for (size_t i = 0; i < seen->tunnel_room; i++)
			if (seen->tunnels[i])
				grown[tunnel_slot(grown, room, seen->tunnels[i]->tunnel)] =
					seen->tunnels[i];
		free(seen->tunnels);
		seen->tunnels = grown;
		seen->tunnel_room = room;
	}
	seen->tunnels[tunnel_slot(seen->tunnels, seen->tunnel_room, rule->tunnel)] = rule;
	seen->n_tunnels++;
	return 0;
}

static bool is_icmp_protection(const struct rule *rule)
{
	return (rule->selector.protocol == 1 || rule->selector.protocol == 58) &&
	       rule->actions[0].kind == ACTION_PROTECT;
}

int policy_seen_add(struct policy_seen *seen, const struct rule *rule)
{
	int r = 0;

	if (seen->count == seen->room)
		r = grow(seen);
	if (r < 0)
		return r;
	seen->rules[seen->count] = rule;
	link_rule(seen, seen->count++);
	if (is_icmp_protection(rule))
		r = add_icmp(seen, rule);
	if (r == 0 && rule->tunnel[0] != '\0' && !policy_seen_tunnel(seen, rule->tunnel))
		r = add_tunnel(seen, rule);
	return r;
}

bool policy_same_actions(const struct rule *a, const struct rule *b)
{
	if (a->n_actions != b->n_actions)
		return false;
	for (size_t i = 0; i < a->n_actions; i++)
		if (!action_equal(&a->actions[i], &b->actions[i]))
			return false;
	return true;
}

bool policy_rules_meet(const struct rule *a, const struct rule *b)
{
	return (a->directions & b->directions) != 0 && strcmp(a->tunnel, b->tunnel) == 0 &&
	       selector_overlaps(&a->selector, &b->selector);
}

/* One ICMP protocol is protected in one way wherever two rules meet. */
static const struct rule *find_icmp(const struct policy_seen *seen, const struct rule *rule)
{
	for (size_t i = 0; i < seen->n_groups; i++) {
		const struct icmp_group *group = &seen->groups[i];

		if (policy_same_actions(group->rules[0], rule))
			continue;
		for (size_t n = 0; n < group->count; n++)
			if (group->rules[n]->selector.protocol == rule->selector.protocol &&
				policy_rules_meet(group->rules[n], rule))
				return group->rules[n];
	}
	return NULL;
}

const struct rule *policy_seen_find(const struct policy_seen *seen, const struct rule *rule)
{
	size_t at = NO_RULE;

	if (seen->n_buckets > 0)
		at = seen->buckets[(size_t)rule_key(rule) & (seen->n_buckets - 1)];
	for (; at != NO_RULE; at = seen->next[at])
		if (spd_rules_conflict(seen->rules[at], rule))
			return seen->rules[at];
	return is_icmp_protection(rule) ? find_icmp(seen, rule) : NULL;
}

const struct rule *policy_seen_tunnel(const struct policy_seen *seen, const char *tunnel)
{
	if (seen->tunnel_room == 0)
		return NULL;
	return seen->tunnels[tunnel_slot(seen->tunnels, seen->tunnel_room, tunnel)];
}
