/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Changes of the table in memory. An entry that is added stands behind the last one of its protocol,
 * outside the brackets of packages, so that a package's section stays what the package put there.
 */
#include "lib/netipsec/ipsecalgs.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

const char *ipsecalgs_answer_text(enum ipsecalgs_answer answer)
{
	switch (answer) {
	case IPSECALGS_CHANGED:
		return "Changed";
	case IPSECALGS_SAME:
		return "Nothing to change";
	case IPSECALGS_ALG_EXISTS:
		return "Algorithm already exists";
	case IPSECALGS_PROTO_EXISTS:
		return "Protocol already exists";
	case IPSECALGS_NO_PROTO:
		return "Unknown protocol";
	case IPSECALGS_NO_ALG:
		return "Unknown algorithm";
	case IPSECALGS_NO_MEMORY:
		return "Out of memory";
	}
	return "";
}

const struct ipsecalgs_proto *ipsecalgs_find_proto_name(
	const struct ipsecalgs *table, const char *name)
{
	for (size_t i = 0; i < table->n_items; i++) {
		const struct ipsecalgs_item *item = &table->items[i];

		if (item->kind == IPSECALGS_PROTO && strcasecmp(item->proto.name, name) == 0)
			return &item->proto;
	}
	return NULL;
}

/* ---- comparison ---- */

static bool same_sizes(const unsigned int *a, size_t n_a, const unsigned int *b, size_t n_b)
{
	return n_a == n_b && (n_a == 0 || memcmp(a, b, n_a * sizeof(*a)) == 0);
}

static bool same_mechanism(const struct ipsecalgs_alg *a, const struct ipsecalgs_alg *b)
{
	if (!a->mechanism || !b->mechanism)
		return a->mechanism == b->mechanism;
	return strcmp(a->mechanism, b->mechanism) == 0;
}

static bool same_names(const struct ipsecalgs_alg *a, const struct ipsecalgs_alg *b)
{
	if (a->n_names != b->n_names)
		return false;
	for (size_t i = 0; i < a->n_names; i++) {
		if (strcasecmp(a->names[i], b->names[i]) != 0)
			return false;
	}
	return true;
}

static bool same_alg(const struct ipsecalgs_alg *a, const struct ipsecalgs_alg *b)
{
	return a->proto == b->proto && a->number == b->number && same_names(a, b) &&
	       same_mechanism(a, b) && a->key_increment == b->key_increment &&
	       same_sizes(a->key_sizes, a->n_key_sizes, b->key_sizes, b->n_key_sizes) &&
	       same_sizes(a->block_sizes, a->n_block_sizes, b->block_sizes, b->n_block_sizes) &&
	       same_sizes(a->params, a->n_params, b->params, b->n_params) && a->flags == b->flags;
}

/* The same protocol and the same number, or a name in common. */
static bool conflicting_algs(const struct ipsecalgs_alg *a, const struct ipsecalgs_alg *b)
{
	if (a->proto != b->proto)
		return false;
	if (a->number == b->number)
		return true;
	for (size_t i = 0; i < a->n_names; i++) {
		for (size_t k = 0; k < b->n_names; k++) {
			if (strcasecmp(a->names[i], b->names[k]) == 0)
				return true;
		}
	}
	return false;
}

/* ---- removal ---- */

typedef bool (*matches_fn)(const struct ipsecalgs_item *item, const void *what);

/* How many items went. */
static size_t remove_items(struct ipsecalgs *table, matches_fn matches, const void *what)
{
	size_t kept = 0, before = table->n_items;

	for (size_t i = 0; i < before; i++) {
		if (matches(&table->items[i], what))
			ipsecalgs_item_done(&table->items[i]);
		else
			table->items[kept++] = table->items[i];
	}
	table->n_items = kept;
	return before - kept;
}

static bool is_conflicting_alg(const struct ipsecalgs_item *item, const void *what)
{
	return item->kind == IPSECALGS_ALG && conflicting_algs(&item->alg, what);
}

/* Which entries one number of one protocol means. */
struct entry_key {
	unsigned int proto, number;
};

static bool is_alg(const struct ipsecalgs_item *item, const void *what)
{
	const struct entry_key *key = what;

	return item->kind == IPSECALGS_ALG && item->alg.proto == key->proto &&
	       item->alg.number == key->number;
}

static bool is_of_proto(const struct ipsecalgs_item *item, const void *what)
{
	const struct entry_key *key = what;

	return (item->kind == IPSECALGS_ALG && item->alg.proto == key->proto) ||
	       (item->kind == IPSECALGS_PROTO && item->proto.number == key->proto);
}

enum ipsecalgs_answer ipsecalgs_remove_alg(
	struct ipsecalgs *table, unsigned int proto, unsigned int number)
{
	const struct entry_key key = { proto, number };

	if (!ipsecalgs_find_proto(table, proto))
		return IPSECALGS_NO_PROTO;
	return remove_items(table, is_alg, &key) ? IPSECALGS_CHANGED : IPSECALGS_NO_ALG;
}

static size_t remove_proto(struct ipsecalgs *table, unsigned int number)
{
	const struct entry_key key = { .proto = number };

	return remove_items(table, is_of_proto, &key);
}

enum ipsecalgs_answer ipsecalgs_remove_proto(struct ipsecalgs *table, unsigned int number)
{
	return remove_proto(table, number) ? IPSECALGS_CHANGED : IPSECALGS_NO_PROTO;
}

/* ---- addition ---- */

/* Behind the last entry of this protocol and the package that it stands in. */
static size_t place_for(const struct ipsecalgs *table, unsigned int proto)
{
	const struct entry_key key = { .proto = proto };
	bool in_package = false, wanted = false;
	size_t at = table->n_items;

	for (size_t i = 0; i < table->n_items; i++) {
		const struct ipsecalgs_item *item = &table->items[i];

		if (item->kind == IPSECALGS_PACKAGE_START)
			in_package = true;
		else if (item->kind == IPSECALGS_PACKAGE_END)
			in_package = false;
		wanted |= is_of_proto(item, &key);
		if (wanted && !in_package) {
			at = i + 1;
			wanted = false;
		}
	}
	return at;
}

/* What the item owns is consumed on success. */
static enum ipsecalgs_answer insert(
	struct ipsecalgs *table, const struct ipsecalgs_item *item, size_t at)
{
	if (ipsecalgs_append(table, item) < 0)
		return IPSECALGS_NO_MEMORY;
	memmove(&table->items[at + 1], &table->items[at],
		(table->n_items - 1 - at) * sizeof(*table->items));
	table->items[at] = *item;
	return IPSECALGS_CHANGED;
}

enum ipsecalgs_answer ipsecalgs_add_alg(
	struct ipsecalgs *table, struct ipsecalgs_alg *alg, bool force)
{
	struct ipsecalgs_item item = { .kind = IPSECALGS_ALG, .alg = *alg };
	const struct ipsecalgs_alg *same = ipsecalgs_find_alg(table, alg->proto, alg->number);
	enum ipsecalgs_answer answer;
	bool conflict = false;

	if (!ipsecalgs_find_proto(table, alg->proto))
		return IPSECALGS_NO_PROTO;
	if (same && same_alg(same, alg))
		return IPSECALGS_SAME;
	for (size_t i = 0; i < table->n_items; i++)
		conflict |= is_conflicting_alg(&table->items[i], alg);
	if (conflict && !force)
		return IPSECALGS_ALG_EXISTS;
	(void)remove_items(table, is_conflicting_alg, alg);
	answer = insert(table, &item, place_for(table, alg->proto));
	if (answer == IPSECALGS_CHANGED)
		memset(alg, 0, sizeof(*alg));
	return answer;
}

static bool is_conflicting_proto(const struct ipsecalgs_item *item, const void *what)
{
	const struct ipsecalgs_proto *proto = what;

	return item->kind == IPSECALGS_PROTO &&
	       (item->proto.number == proto->number ||
		       strcasecmp(item->proto.name, proto->name) == 0);
}

enum ipsecalgs_answer ipsecalgs_add_proto(
	struct ipsecalgs *table, const struct ipsecalgs_proto *proto, bool force)
{
	struct ipsecalgs_item item = { .kind = IPSECALGS_PROTO, .proto = *proto };
	const struct ipsecalgs_proto *same = ipsecalgs_find_proto(table, proto->number);
	enum ipsecalgs_answer answer;
	size_t i = 0;

	if (same && strcasecmp(same->name, proto->name) == 0 && same->mode == proto->mode)
		return IPSECALGS_SAME;
	while (i < table->n_items) {
		if (!is_conflicting_proto(&table->items[i], proto)) {
			i++;
			continue;
		}
		if (!force)
			return IPSECALGS_PROTO_EXISTS;
		(void)remove_proto(table, table->items[i].proto.number);
		i = 0; /* others may have gone with it */
	}
	item.proto.name = strdup(proto->name);
	if (!item.proto.name)
		return IPSECALGS_NO_MEMORY;
	answer = insert(table, &item, table->n_items);
	if (answer != IPSECALGS_CHANGED)
		ipsecalgs_item_done(&item);
	return answer;
}

enum ipsecalgs_answer ipsecalgs_set_mode(
	struct ipsecalgs *table, unsigned int number, enum ipsecalgs_mode mode)
{
	enum ipsecalgs_answer answer = IPSECALGS_NO_PROTO;

	for (size_t i = 0; i < table->n_items; i++) {
		struct ipsecalgs_item *item = &table->items[i];

		if (item->kind != IPSECALGS_PROTO || item->proto.number != number)
			continue;
		if (item->proto.mode != mode)
			answer = IPSECALGS_CHANGED;
		else if (answer == IPSECALGS_NO_PROTO)
			answer = IPSECALGS_SAME;
		item->proto.mode = mode;
	}
	return answer;
}
