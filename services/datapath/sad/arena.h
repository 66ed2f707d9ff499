/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The shared memory in which run states and SA records outlive the daemon: a memfd that the service
 * manager's fd store keeps. Slots never move while mapped. The reader of an old arena trusts nothing.
 */
#ifndef DATAPATH_ARENA_H
#define DATAPATH_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/cleanup.h"
#include "common/base/hash.h"
#include "common/model/sa.h"
#include "services/datapath/replay/sa_run.h"

struct arena;

/*
 * @fd: an arena of a former life (consumed), or -1 for a new memfd. A foreign or damaged one is
 * refused with -EBADMSG. The file is kept out of core dumps.
 */
int arena_open(int fd, struct arena **ret_arena) MUST_CHECK;
/*
 * The same in a file that only we may open, for where nobody keeps descriptors: what a former life left
 * there is taken up, a foreign or damaged one is begun anew. Return: 0, -EPERM (others may reach it),
 * -EBUSY (a living process has it), -EMEDIUMTYPE (not in memory: keys do not go to a disk), other errno.
 */
int arena_open_file(const char *path, struct arena **ret_arena) MUST_CHECK;
struct arena *arena_free(struct arena *arena); /* unmaps; the memfd lives on in the fd store */
DEFINE_CLEANUP(struct arena *, arena_free)
int arena_fd(const struct arena *arena); /* borrowed, for FDSTORE */

/*
 * Room for one SA: its record is written, its run state zeroed with the window's size set.
 * Return: 0, -EINVAL (window above SA_RUN_WINDOW_MAX), -ENOSPC, -ENOMEM.
 */
int arena_add(struct arena *arena, const struct sa *sa, uint8_t directions, size_t *ret_slot,
	struct sa_run **ret_run) MUST_CHECK;
/*
 * Write another record over the old, keeping the run state (same window). Whenever the process
 * dies, one of the two is found afterwards. Return: 0, -ENOSPC (record does not fit the slot).
 */
int arena_update(struct arena *arena, size_t slot, const struct sa *sa) MUST_CHECK;
/* Would arena_update() with this record succeed? */
bool arena_fits(const struct arena *arena, size_t slot, const struct sa *sa);
void arena_remove(struct arena *arena, size_t slot); /* record wiped */
/* Random, as old as the arena: what was hashed with it means the same in the next life. */
struct hash_key arena_flow_key(const struct arena *arena);
size_t arena_count(const struct arena *arena); /* slots in use */

/*
 * What a former life left, in the order in which it was added. *ret_sa is owned by the caller;
 * slots that do not decode are removed. A window that was being moved when the process died counts
 * every number in it as seen. Stops at the first negative result of @fn and returns it.
 */
typedef int (*arena_entry_fn)(
	size_t slot, struct sa *sa, uint8_t directions, struct sa_run *run, void *userdata);
int arena_each(struct arena *arena, arena_entry_fn fn, void *userdata) MUST_CHECK;

/* Packets that the window of a run state covers for an SA that asks for @packets. */
uint32_t arena_window(uint32_t packets);

#endif
