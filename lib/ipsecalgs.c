/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/netipsec/ipsecalgs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct ipsecalgs *ipsecalgs_new(void)
{
	return calloc(1, sizeof(struct ipsecalgs));
}

static void alg_done(struct ipsecalgs_alg *alg)
{
	for (size_t i = 0; i < alg->n_names; i++)
		free(alg->names[i]);
	free(alg->names);
	free(alg->mechanism);
	free(alg->key_sizes);
	free(alg->block_sizes);
}

void ipsecalgs_item_done(struct ipsecalgs_item *item)
{
	switch (item->kind) {
	case IPSECALGS_PROTO:
		free(item->proto.name);
		break;
	case IPSECALGS_ALG:
		alg_done(&item->alg);
		break;
	case IPSECALGS_PACKAGE_START:
	case IPSECALGS_PACKAGE_END:
		free(item->package);
		break;
	}
	memset(item, 0, sizeof(*item));
}

struct ipsecalgs *ipsecalgs_free(struct ipsecalgs *table)
{
	if (!table)
		return NULL;
	for (size_t i = 0; i < table->n_items; i++)
		ipsecalgs_item_done(&table->items[i]);
	free(table->items);
	free(table);
	return NULL;
}

int ipsecalgs_append(struct ipsecalgs *table, const struct ipsecalgs_item *item)
{
	if (table->n_items == table->room) {
		size_t room = table->room ? table->room * 2 : 32;
		struct ipsecalgs_item *items = reallocarray(
			table->items, room, sizeof(*table->items));

		if (!items)
			return -ENOMEM;
		table->items = items;
		table->room = room;
	}
	table->items[table->n_items++] = *item;
	return 0;
}

const struct ipsecalgs_proto *ipsecalgs_find_proto(
	const struct ipsecalgs *table, unsigned int number)
{
	for (size_t i = 0; i < table->n_items; i++) {
		const struct ipsecalgs_item *item = &table->items[i];

		if (item->kind == IPSECALGS_PROTO && item->proto.number == number)
			return &item->proto;
	}
	return NULL;
}

const struct ipsecalgs_alg *ipsecalgs_find_alg(
	const struct ipsecalgs *table, unsigned int proto, unsigned int number)
{
	for (size_t i = 0; i < table->n_items; i++) {
		const struct ipsecalgs_item *item = &table->items[i];

		if (item->kind == IPSECALGS_ALG && item->alg.proto == proto &&
			item->alg.number == number)
			return &item->alg;
	}
	return NULL;
}

static bool has_name(const struct ipsecalgs_alg *alg, const char *name)
{
	for (size_t i = 0; i < alg->n_names; i++) {
		if (strcasecmp(alg->names[i], name) == 0)
			return true;
	}
	return false;
}

const struct ipsecalgs_alg *ipsecalgs_find_name(
	const struct ipsecalgs *table, unsigned int proto, const char *name)
{
	for (size_t i = 0; i < table->n_items; i++) {
		const struct ipsecalgs_item *item = &table->items[i];

		if (item->kind == IPSECALGS_ALG && item->alg.proto == proto &&
			has_name(&item->alg, name))
			return &item->alg;
	}
	return NULL;
}

size_t ipsecalgs_count(const struct ipsecalgs *table, enum ipsecalgs_kind kind)
{
	size_t count = 0;

	for (size_t i = 0; i < table->n_items; i++)
		count += table->items[i].kind == kind;
	return count;
}

const char *ipsecalgs_mode_name(enum ipsecalgs_mode mode)
{
	return mode == IPSECALGS_ASYNC ? "async" : "sync";
}

const char *ipsecalgs_flag_name(uint32_t flag)
{
	static const struct {
		uint32_t flag;
		const char *name;
	} flags[] = {
		{ IPSECALGS_FLAG_VALID, "VALID" },
		{ IPSECALGS_FLAG_COUNTER, "COUNTER" },
		{ IPSECALGS_FLAG_COMBINED, "COMBINED" },
		{ IPSECALGS_FLAG_CCM, "CCM" },
		{ IPSECALGS_FLAG_GCM, "GCM" },
	};

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		if (flags[i].flag == flag)
			return flags[i].name;
	}
	return NULL;
}
