/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The fragments of one datagram, one after the other. */
#include <stdlib.h>
#include <string.h>

#include "services/datapath/packet/frag_train.h"
#include "services/datapath/packet/fragment.h"

struct frag_piece *frag_piece_new(const uint8_t *bytes, size_t len)
{
	struct frag_piece *piece = malloc(sizeof(*piece) + len);

	if (!piece)
		return NULL;
	*piece = (struct frag_piece){ .len = len };
	memcpy(piece->bytes, bytes, len);
	return piece;
}

struct frag_train *frag_train_free(struct frag_train *train)
{
	if (!train)
		return NULL;
	while (train->first) {
		struct frag_piece *piece = train->first;

		train->first = piece->next;
		free(piece);
	}
	free(train);
	return NULL;
}

size_t frag_train_left(const struct frag_train *train)
{
	return train ? train->n : 0;
}

bool frag_train_next(struct frag_train *train, struct packet *pkt)
{
	struct frag_piece *piece = train ? train->first : NULL;
	uint8_t *at;

	if (!piece)
		return false;
	packet_init(pkt, pkt->buffer, pkt->size);
	at = packet_append(pkt, piece->len);
	if (!at)
		return false;
	memcpy(at, piece->bytes, piece->len);
	train->first = piece->next;
	train->n--;
	free(piece);
	return true;
}

struct frag_train *frag_train_cut(struct packet *pkt, size_t mtu, uint32_t id)
{
	CLEANUP(frag_train_freep) struct frag_train *train = calloc(1, sizeof(*train));
	CLEANUP(freep) uint8_t *buffer = malloc(PACKET_HEADROOM + mtu);
	struct packet out = { .buffer = buffer, .size = PACKET_HEADROOM + mtu };
	struct fragment_plan plan;

	if (!train || !buffer || !fragment_plan(pkt, mtu, id, &plan))
		return NULL;
	for (struct frag_piece **link = &train->first; train->n < plan.count; train->n++) {
		fragment_make(&plan, train->n, &out);
		*link = frag_piece_new(out.data, out.len);
		if (!*link)
			return NULL;
		link = &(*link)->next;
	}
	return STEAL(train);
}
