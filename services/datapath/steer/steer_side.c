/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/steer/steer_side.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "services/datapath/steer/nft_set.h"

#define CHUNK_LEAST (96U << 10) /* fits the send buffer of an unprivileged user */
#define CHUNK_MOST  (1U << 20)

int loading_commit(struct loading *loading)
{
	return lid_commit(loading->lid, loading->batch);
}

/* The kernel charges a message for about twice its octets. */
static size_t chunk_of(struct lid *lid)
{
	int bytes = 0;
	socklen_t len = sizeof(bytes);

	if (lid->chunk)
		return lid->chunk;
	lid->chunk = CHUNK_LEAST;
	if (getsockopt(lid->nl.fd, SOL_SOCKET, SO_SNDBUF, &bytes, &len) == 0 &&
		(size_t)bytes / 4 > lid->chunk)
		lid->chunk = (size_t)bytes / 4 < CHUNK_MOST ? (size_t)bytes / 4 : CHUNK_MOST;
	return lid->chunk;
}

int loading_commit_when_full(struct loading *loading)
{
	return loading->batch->buf.len < chunk_of(loading->lid) ? 0 : loading_commit(loading);
}

void loading_take_count(
	struct loading *loading, const char *name, uint64_t *packets, uint64_t *bytes)
{
	struct former_count *count = former_find(
		loading->former->counted, loading->former->n_counted, name);

	if (!count || count->taken)
		return;
	count->taken = true;
	*packets = count->packets;
	*bytes = count->bytes;
}

void steer_side_name_part(char ret_name[static STEER_NAME_MAX], const char *chain, size_t number)
{
	if (text_fixed(ret_name, STEER_NAME_MAX, "%s-%zu", chain, number) < 0)
		ret_name[0] = '\0'; /* the kernel refuses it */
}

const char *steer_side_target(const struct side *side, size_t line)
{
	const char *chain;

	if (!side->targets)
		return steer_rules_way(side->lines->lines[line].verdict, side->outbound);
	chain = side->targets[side->lines->effects[line]];
	return chain[0] == '\0' ? NULL : chain;
}

const char *steer_side_counter(const struct loading *loading, const struct side *side, size_t line,
	char ret_name[static STEER_COUNTER_MAX])
{
	if (!loading->lid->counts || side->uncounted)
		return NULL;
	return steer_counter_name(&side->lines->lines[line], side->outbound, ret_name)[0] == '\0'
		       ? NULL
		       : ret_name;
}

static int fill_map(struct loading *loading, const struct side *side,
	const struct steer_layer *layer, const char *map)
{
	const uint8_t *key = side->plan->keys + layer->keys_at;
	static const uint8_t no_end[STEER_KEY_MAX];
	struct nft_elements elements;
	int r = 0;

	nft_elements_begin(&elements, loading->batch, map);
	for (size_t i = 0; i < layer->count && r == 0; i++) {
		size_t line = side->plan->lines[layer->lines_at + i];
		char name[STEER_COUNTER_MAX];
		struct nft_element element = { .key = key,
			.key_len = layer->key_len,
			.chain = steer_side_target(side, line),
			.name = steer_side_counter(loading, side, line, name) };

		if (element.name)
			loading_take_count(loading, name, &element.packets, &element.bytes);
		nft_elements_add(&elements, &element);
		key += layer->key_len;
		if (layer->ranges) {
			element = (struct nft_element){
				.key = key, .key_len = layer->key_len, .is_end = true
			};
			if (memcmp(key, no_end, layer->key_len) != 0)
				nft_elements_add(&elements, &element);
			key += layer->key_len;
		}
		if (loading->batch->buf.len < chunk_of(loading->lid))
			continue;
		nft_elements_end(&elements);
		r = loading_commit(loading);
	}
	nft_elements_end(&elements);
	return r;
}

static int add_layers(struct loading *loading, const struct side *side)
{
	static const uint8_t families[] = { AF_INET, AF_INET6 };
	char map[STEER_NAME_MAX];
	int r = 0;

	for (size_t i = 0; i < side->plan->n_layers && r == 0; i++) {
		const struct steer_layer *layer = &side->plan->layers[i];

		steer_side_name_part(map, side->chain, i);
		nft_map_add(loading->batch,
			&(struct nft_map){ map, (uint32_t)layer->key_len, layer->ranges });
		r = fill_map(loading, side, layer, map);
	}
	/* The parts of a chain are made before it, so that it can be deleted before them. */
	for (size_t k = 0; k < ARRAY_SIZE(families) && r == 0; k++) {
		char part[STEER_NAME_MAX];

		steer_side_name_part(part, side->chain, families[k]);
		nft_chain_add(loading->batch, part);
		for (size_t i = 0; i < side->plan->n_layers; i++) {
			if (side->plan->layers[i].family != families[k])
				continue;
			steer_side_name_part(map, side->chain, i);
			steer_rules_layer(
				loading->batch, part, map, &side->plan->layers[i], side->outbound);
		}
	}
	return r;
}

int steer_side_add(struct loading *loading, const struct side *side)
{
	bool layered = side->plan->n_layers > 0;
	int r = layered ? add_layers(loading, side) : 0;

	if (r < 0)
		return r;
	nft_chain_add(loading->batch, side->chain);
	if (layered) {
		static const uint8_t families[] = { AF_INET, AF_INET6 };
		char part[STEER_NAME_MAX];

		for (size_t k = 0; k < ARRAY_SIZE(families); k++) {
			steer_side_name_part(part, side->chain, families[k]);
			steer_rules_family(loading->batch, side->chain, families[k], part);
		}
	}
	for (size_t i = side->plan->list_from; i < side->lines->count && r == 0; i++) {
		char name[STEER_COUNTER_MAX];
		/* Counters of a list are named before it is made, those of effects are not. */
		const char *counter = side->targets ? NULL
						    : steer_side_counter(loading, side, i, name);

		steer_rules_line(loading->batch, side->chain, &side->lines->lines[i], counter,
			steer_side_target(side, i));
		r = loading_commit_when_full(loading);
	}
	if (side->then)
		steer_rules_jump(loading->batch, side->chain, side->then);
	return r;
}

int steer_side_add_with(
	struct loading *loading, const struct side *side, const struct steer_side *audit)
{
	char chain[STEER_NAME_MAX];
	struct side with = *side, behind = *side;
	int r;

	if (audit->lines.count == 0)
		return steer_side_add(loading, side);
	with.then = chain;
	behind.lines = &audit->lines;
	behind.plan = audit->plan;
	behind.chain = chain;
	r = text_fixed(chain, sizeof(chain), "%s-audit", side->chain);
	if (r == 0)
		r = steer_side_add(loading, &behind);
	return r < 0 ? r : steer_side_add(loading, &with);
}
