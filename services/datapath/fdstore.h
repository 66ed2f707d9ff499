/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Descriptors that the service manager keeps while we are dead: handed back at start by name, put
 * there as soon as they exist. A section's name carries its generation.
 */
#ifndef DATAPATH_FDSTORE_H
#define DATAPATH_FDSTORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/cleanup.h"
#include "common/snapshot/snapshot.h"

#define FDSTORE_ARENA	 "arena"
#define FDSTORE_OWNER	 "nft-owner"
#define FDSTORE_COUNTERS "counters"
#define FDSTORE_NATT_4	 "natt-ipv4"
#define FDSTORE_NATT_6	 "natt-ipv6"

struct fdstore; /* what was handed back and is not taken yet */

int fdstore_new(struct fdstore **ret_store) MUST_CHECK; /* reads LISTEN_FDS, clears it */
struct fdstore *fdstore_free(struct fdstore *store); /* closes what nobody took */
DEFINE_CLEANUP(struct fdstore *, fdstore_free)
/* -1 when there is none; owned by the caller. */
int fdstore_take(struct fdstore *store, const char *name);
/* The newest of a section. */
int fdstore_take_section(
	struct fdstore *store, enum snapshot_section section, uint64_t *ret_generation);

bool fdstore_has_manager(void); /* somebody who may keep what is put there */
/* Without a manager these do nothing. */
void fdstore_put(const char *name, int fd);
void fdstore_drop(const char *name);
/* Keep this one, then let the former one go. @fd -1: only let go; @former 0: there is none. */
void fdstore_put_section(
	enum snapshot_section section, uint64_t generation, int fd, uint64_t former);

#endif
