/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a train is made of; only frag_store.c and frag_train.c look inside. */
#ifndef DATAPATH_FRAG_TRAIN_H
#define DATAPATH_FRAG_TRAIN_H

#include "services/datapath/packet/frag_store.h"

struct frag_piece {
	struct frag_piece *next;
	size_t offset, payload; /* of the datagram's payload */
	size_t payload_at; /* in bytes */
	size_t len;
	uint8_t bytes[]; /* the whole fragment */
};

struct frag_train {
	struct frag_piece *first; /* in the order of their offsets */
	size_t n;
};

struct frag_piece *frag_piece_new(const uint8_t *bytes, size_t len);

#endif
