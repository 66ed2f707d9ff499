/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A packet that the engine dropped, as its worker notes it down. */
#ifndef DATAPATH_DROP_NOTE_H
#define DATAPATH_DROP_NOTE_H

#include "services/datapath/drops/drops.h"
#include "services/datapath/engine/engine.h"

/* @pkt: as the engine left it, so opened when it came so far; nobody looks at it after this. */
void drop_note(struct drops_ring *ring, struct packet *pkt, enum direction direction,
	const struct engine_result *result);

#endif
