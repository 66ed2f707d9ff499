/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where key bytes come in: a Unix socket that takes one sealed memfd per connection, beside the bus. */
#ifndef DATAPATH_KEYS_DOOR_H
#define DATAPATH_KEYS_DOOR_H

#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#include "common/base/cleanup.h"
#include "common/base/memfd.h"

#define KEYS_DOOR_MAX_UIDS 3

struct keys_door;

struct keys_door_setup {
	sd_event *event; /* borrowed until keys_door_free() */
	const char *path; /* made anew, mode 0600 unless group is given */
	uid_t uids[KEYS_DOOR_MAX_UIDS]; /* who may hand over */
	size_t n_uids;
	gid_t group; /* of the socket, (gid_t)-1: our own */
};

int keys_door_new(const struct keys_door_setup *setup, struct keys_door **ret_door) MUST_CHECK;
struct keys_door *keys_door_free(struct keys_door *door);
DEFINE_CLEANUP(struct keys_door *, keys_door_free)
/* What was handed over last under this generation and hash, and leaves the door; -1: nothing. */
int keys_door_take(
	struct keys_door *door, uint64_t generation, const uint8_t hash[static MEMFD_HASH_BYTES]);

#endif
