/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Compiling: rules to heads and families, to the end that tells them apart best, to one block. */
#include "services/datapath/spd/classifier.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/pages.h"
#include "services/datapath/spd/classifier_build.h"

#define LINE 64U

void vec_done(struct vec *vec)
{
	free(vec->bytes);
	vec->bytes = NULL;
	vec->count = vec->room = 0;
}

void *vec_extend(struct vec *vec, size_t n)
{
	size_t room = vec->room ? vec->room : 64;
	uint8_t *bytes;

	if (n > CLASSIFIER_SUBTREE || vec->count > CLASSIFIER_SUBTREE - 1 - n)
		return NULL;
	while (room < vec->count + n)
		room *= 2;
	if (room > vec->room || !vec->bytes) {
		bytes = reallocarray(vec->bytes, room, vec->size);
		if (!bytes)
			return NULL;
		vec->bytes = bytes;
		vec->room = room;
	}
	bytes = vec->bytes + vec->count * vec->size;
	memset(bytes, 0, n * vec->size);
	vec->count += n;
	return bytes;
}

unsigned int end_bits(const struct prefix *prefix)
{
	return prefix->addr.family == AF_UNSPEC ? 0 : prefix->bits;
}

static void set_range(union cell cells[static 2], const struct selector *s)
{
	struct record *record = &cells[0].record;
	enum record_kind kind = RECORD_ANY;
	uint16_t last = 0;

	if (s->remote_port != 0) {
		kind = RECORD_REMOTE_PORT;
		record->low = s->remote_port;
		last = s->remote_port_last;
	} else if (s->local_port != 0) {
		kind = RECORD_LOCAL_PORT;
		record->low = s->local_port;
		last = s->local_port_last;
	} else if (s->has_icmp_type) {
		kind = RECORD_ICMP_TYPE;
		record->low = s->icmp_type_low;
		last = s->icmp_type_high;
	}
	cells[1].rest.high = last > record->low ? last : record->low;
	if (cells[1].rest.high != record->low)
		record->flags |= RECORD_WIDE;
	if ((s->local_port != 0 && kind != RECORD_LOCAL_PORT) ||
		(s->has_icmp_type && kind != RECORD_ICMP_TYPE) || s->has_icmp_code)
		record->flags |= RECORD_VERIFY;
	record->flags |= (uint8_t)(kind << RECORD_KIND_SHIFT);
}

unsigned int record_of(
	const struct builder *b, const struct item *item, union cell ret_cells[static 2])
{
	const struct rule *rule = b->rules[item->rule];
	const struct selector *s = &rule->selector;
	const struct prefix *other = item->under_remote ? &s->local : &s->remote;
	unsigned int bits = item->own_bits ? end_bits(other) : 0;
	struct record *record = &ret_cells[0].record;
	struct record_rest *rest = &ret_cells[1].rest;

	*record = (struct record){ .rule = item->rule, .protocol = s->protocol };
	*rest = (struct record_rest){ .other_bits = (uint8_t)(bits < 32 ? bits : 32) };
	record->flags = rule->directions & DIRECTION_BIT_BOTH;
	set_range(ret_cells, s);
	if (bits > 0) {
		rest->other = (uint32_t)(wide_of(&other->addr).high >> 32);
		record->flags |= RECORD_WIDE;
	}
	if (bits > 32)
		record->flags |= RECORD_VERIFY;
	return record_cells(record);
}

/* How many rules name the same prefix; a guess, since hashes may coincide. */
struct tally {
	uint64_t hash;
	uint32_t count;
};

static struct tally *tally_of(struct tally *table, size_t mask, const struct prefix *prefix)
{
	struct wide addr = wide_of(&prefix->addr);
	uint64_t hash = (addr.high ^ addr.high >> 32 ^ prefix->bits) * UINT64_C(0x9e3779b97f4a7c15);
	size_t at;

	hash = ((hash ^ hash >> 32 ^ addr.low) * UINT64_C(0xd6e8feb86659fd93)) | 1;
	at = (size_t)(hash >> 32) & mask;
	while (table[at].hash != 0 && table[at].hash != hash)
		at = (at + 1) & mask;
	table[at].hash = hash;
	return &table[at];
}

/* The rules of one family of one head. */
struct part_builder {
	struct builder *b;
	int family;
	const uint32_t *rules; /* of the head */
	size_t n_rules;
	struct item *remote, *local, *any;
	size_t n_remote, n_local, n_any;
	struct tally *tallies[2]; /* by the prefix of each end */
	size_t mask;
};

static bool of_family(const struct rule *rule, int family)
{
	const struct selector *s = &rule->selector;

	return (rule->directions & DIRECTION_BIT_BOTH) != 0 &&
	       (s->family == AF_UNSPEC || s->family == family) &&
	       (s->local.addr.family == AF_UNSPEC || s->local.addr.family == family) &&
	       (s->remote.addr.family == AF_UNSPEC || s->remote.addr.family == family);
}

/* Under the end whose prefix fewer rules share, so that it leaves less to be compared. */
static bool stands_under_remote(const struct part_builder *p, const struct selector *s)
{
	if (end_bits(&s->local) == 0 || end_bits(&s->remote) == 0)
		return end_bits(&s->remote) != 0;
	return tally_of(p->tallies[REMOTE], p->mask, &s->remote)->count <=
	       tally_of(p->tallies[LOCAL], p->mask, &s->local)->count;
}

static void sort_items(struct part_builder *p)
{
	for (size_t i = 0; i < p->n_rules; i++) {
		const struct rule *rule = p->b->rules[p->rules[i]];
		const struct selector *s = &rule->selector;

		if (!of_family(rule, p->family))
			continue;
		tally_of(p->tallies[REMOTE], p->mask, &s->remote)->count++;
		tally_of(p->tallies[LOCAL], p->mask, &s->local)->count++;
	}
	for (size_t i = 0; i < p->n_rules; i++) {
		const struct rule *rule = p->b->rules[p->rules[i]];
		const struct selector *s = &rule->selector;
		struct item item = { .rule = p->rules[i] };
		const struct prefix *own;

		if (!of_family(rule, p->family))
			continue;
		item.under_remote = stands_under_remote(p, s);
		own = item.under_remote ? &s->remote : &s->local;
		item.own_bits = (uint8_t)end_bits(own);
		if (item.own_bits == 0) {
			p->any[p->n_any++] = item;
			continue;
		}
		item.own = wide_of(&own->addr);
		if (item.under_remote)
			p->remote[p->n_remote++] = item;
		else
			p->local[p->n_local++] = item;
	}
}

static int build_part(struct part_builder *p, struct part *ret_part)
{
	struct part part = { .any = 0 };
	uint32_t any;
	int r;

	sort_items(p);
	r = tree_build(p->b, p->remote, p->n_remote, p->family, &part.trees[REMOTE]);
	if (r == 0)
		r = tree_build(p->b, p->local, p->n_local, p->family, &part.trees[LOCAL]);
	if (r == 0 && p->n_any > 0) {
		r = group_build(p->b, p->any, p->n_any, &any);
		part.any = any + 1;
	}
	*ret_part = part;
	return r;
}

static int build_family(
	struct builder *b, const uint32_t *rules, size_t n_rules, int family, struct part *ret_part)
{
	size_t size = 2;
	CLEANUP(freep) struct item *items = calloc(3 * n_rules + 1, sizeof(*items));
	CLEANUP(freep) struct tally *tallies = NULL;
	struct part_builder p = { .b = b, .family = family, .rules = rules, .n_rules = n_rules };

	while (size < 2 * n_rules)
		size *= 2;
	tallies = calloc(2 * size, sizeof(*tallies));
	if (!items || !tallies)
		return -ENOMEM;
	p.remote = items;
	p.local = items + n_rules;
	p.any = items + 2 * n_rules;
	p.tallies[REMOTE] = tallies;
	p.tallies[LOCAL] = tallies + size;
	p.mask = size - 1;
	return build_part(&p, ret_part);
}

static bool names_ports(const struct selector *s)
{
	return s->local_port != 0 || s->remote_port != 0 || s->has_icmp_type || s->has_icmp_code;
}

/* Heads in the order in which rules name them; @ret_of: the head of each rule. */
static int find_heads(struct classifier *c, size_t n_rules, uint32_t *ret_of)
{
	size_t room = 0;

	for (size_t i = 0; i < n_rules; i++) {
		const struct rule *rule = c->rules[i];
		int head = classifier_head(c, rule->tunnel);

		if (head == CLASSIFIER_NO_HEAD) {
			if (c->n_heads == room) {
				struct head *more;

				room = room ? 2 * room : 4;
				more = reallocarray(c->heads, room, sizeof(*more));
				if (!more)
					return -ENOMEM;
				c->heads = more;
			}
			head = (int)c->n_heads++;
			c->heads[head] = (struct head){ .mode = rule->negotiate };
			memcpy(c->heads[head].name, rule->tunnel, sizeof(rule->tunnel));
		}
		ret_of[i] = (uint32_t)head;
		if (names_ports(&rule->selector))
			c->heads[head].names_ports = true;
	}
	return 0;
}

static int build_heads(struct classifier *c, struct builder *b)
{
	static const int families[CLASSIFIER_FAMILIES] = { AF_INET, AF_INET6 };
	CLEANUP(freep) uint32_t *of = calloc(b->n_rules + 1, sizeof(*of));
	CLEANUP(freep) uint32_t *mine = calloc(b->n_rules + 1, sizeof(*mine));
	int r = of && mine ? find_heads(c, b->n_rules, of) : -ENOMEM;

	for (size_t h = 0; h < c->n_heads && r == 0; h++) {
		size_t n = 0;

		for (uint32_t i = 0; i < b->n_rules; i++)
			if (of[i] == h)
				mine[n++] = i;
		for (size_t f = 0; f < CLASSIFIER_FAMILIES && r == 0; f++)
			r = build_family(b, mine, n, families[f], &c->heads[h].parts[f]);
	}
	return r;
}

static void *take(struct vec *vec, uint8_t *block, size_t *at)
{
	void *mine = block + *at;

	if (vec->count > 0)
		memcpy(mine, vec->bytes, vec->count * vec->size);
	*at += (vec->count * vec->size + LINE - 1) / LINE * LINE;
	vec_done(vec);
	return mine;
}

/* All arrays in one block. */
static int join_arrays(struct classifier *c, struct builder *b)
{
	struct vec *vecs[] = { &b->leaves4, &b->leaves8, &b->keys4, &b->keys8, &b->cells,
		&b->values, &b->slots, &b->subtrees, &b->groups, &b->tuples, &b->filters };
	size_t size = LINE, at = 0;
	void *joined[ARRAY_SIZE(vecs)];

	for (size_t i = 0; i < ARRAY_SIZE(vecs); i++)
		size += (vecs[i]->count * vecs[i]->size + LINE - 1) / LINE * LINE;
	c->block = pages_new(size);
	if (!c->block)
		return -ENOMEM;
	c->block_size = size;
	for (size_t i = 0; i < ARRAY_SIZE(vecs); i++)
		joined[i] = take(vecs[i], c->block, &at);
	c->arrays = (struct classifier_arrays){ joined[0], joined[1], joined[2], joined[3],
		joined[4], joined[5], joined[6], joined[7], joined[8], joined[9], joined[10] };
	c->bytes = size + c->n_heads * sizeof(*c->heads) + sizeof(*c);
	return 0;
}

static void builder_done(struct builder *b)
{
	struct vec *vecs[] = { &b->leaves4, &b->leaves8, &b->keys4, &b->keys8, &b->cells,
		&b->values, &b->slots, &b->subtrees, &b->groups, &b->tuples, &b->filters };

	for (size_t i = 0; i < ARRAY_SIZE(vecs); i++)
		vec_done(vecs[i]);
}

int classifier_new(struct rule *const *rules, size_t count, struct classifier **ret_classifier)
{
	CLEANUP(classifier_freep) struct classifier *c = calloc(1, sizeof(*c));
	CLEANUP(builder_done) struct builder b = {
		.rules = rules,
		.n_rules = count,
		.leaves4 = { .size = sizeof(struct leaf4) },
		.leaves8 = { .size = sizeof(struct leaf8) },
		.keys4 = { .size = sizeof(uint32_t) },
		.keys8 = { .size = sizeof(uint64_t) },
		.cells = { .size = sizeof(union cell) },
		.values = { .size = sizeof(struct place) },
		.slots = { .size = sizeof(struct slot) },
		.subtrees = { .size = sizeof(struct subtree) },
		.groups = { .size = sizeof(struct group) },
		.tuples = { .size = sizeof(struct tuple) },
		.filters = { .size = sizeof(uint64_t) },
	};
	int r;

	/* List 0 is none. */
	if (!c || count >= CLASSIFIER_NONE || !vec_extend(&b.cells, 1))
		return -ENOMEM;
	c->rules = rules;
	r = build_heads(c, &b);
	if (r == 0)
		r = join_arrays(c, &b);
	if (r < 0)
		return r;
	*ret_classifier = STEAL(c);
	return 0;
}

struct classifier *classifier_free(struct classifier *classifier)
{
	if (classifier) {
		free(classifier->heads);
		pages_free(classifier->block, classifier->block_size);
		free(classifier);
	}
	return NULL;
}

int classifier_head(const struct classifier *classifier, const char *name)
{
	for (size_t i = 0; i < classifier->n_heads; i++)
		if (strcmp(classifier->heads[i].name, name) == 0)
			return (int)i;
	return CLASSIFIER_NO_HEAD;
}

enum tunnel_mode classifier_mode(const struct classifier *classifier, int head)
{
	return classifier->heads[head].mode;
}

bool classifier_names_ports(const struct classifier *classifier, int head)
{
	return head != CLASSIFIER_NO_HEAD && classifier->heads[head].names_ports;
}

size_t classifier_bytes(const struct classifier *classifier)
{
	return classifier->bytes;
}
