/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tunnels: one TUN each, in slots whose numbers stay while packets are on their way. Slots are
 * filled and emptied while workers run; a slot is free again when no worker can know what was there.
 */
#ifndef DATAPATH_PLANT_TUNNELS_H
#define DATAPATH_PLANT_TUNNELS_H

#include <stdbool.h>

#include "common/base/rcu.h"
#include "common/base/text.h"
#include "services/datapath/engine/engine.h"
#include "services/datapath/fdstore.h"
#include "services/datapath/io/tun.h"

struct plant;

/* Tunnels without gaps, and where each comes from. */
struct tunnel_list {
	struct tunnel_table table;
	bool by_call
		[ENGINE_MAX_TUNNELS]; /* added over the bus; else it stands in the settings file */
};

struct plant_tunnels {
	RCU_POINTER(struct tun) tuns[ENGINE_MAX_TUNNELS]; /* by slot; what workers look at */
	struct frag_store *fragments[ENGINE_MAX_TUNNELS]; /* of these */
	bool busy[ENGINE_MAX_TUNNELS]; /* in use, or its readers are waited for */
	size_t next; /* where the search for a free slot begins */
	struct tunnel_table *slots; /* owned; empty ones have no name */
	struct tunnel_list *list; /* owned; the same without gaps */
};

/* Those of the settings file and those that were added over the bus in a former life. */
int plant_tunnels_open(struct plant *plant, struct fdstore *store) MUST_CHECK;
void plant_tunnels_close(struct plant *plant); /* no worker is left; devices stay */

/* Nothing has changed when these fail; *why says what was in the way. */
/* The file says these now; what was added over the bus stays. */
int plant_tunnels_reload(
	struct plant *plant, const struct tunnel_table *file, struct text *why) MUST_CHECK;
/* @list: all that shall be there; copied. */
int plant_tunnels_change(
	struct plant *plant, const struct tunnel_list *list, struct text *why) MUST_CHECK;
/* -ENOENT: there is none of this name, -EPERM: it stands in the settings file. */
int plant_tunnels_remove(struct plant *plant, const char *name, struct text *why) MUST_CHECK;

#endif
