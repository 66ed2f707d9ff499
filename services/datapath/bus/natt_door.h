/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a key manager gets its sockets on UDP port 4500: a Unix socket that answers each connection
 * of the right user with one message, a socket for each family (SCM_RIGHTS), and closes it.
 */
#ifndef DATAPATH_NATT_DOOR_H
#define DATAPATH_NATT_DOOR_H

#include <stddef.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#include "common/base/cleanup.h"

#define NATT_DOOR_PATH	   "/run/netipsec/ike-natt" /* behind NETIPSEC_ROOT */
#define NATT_DOOR_MAX_UIDS 3

struct natt_door;

struct natt_door_setup {
	sd_event *event; /* borrowed until natt_door_free() */
	const char *path; /* made anew; anybody may connect, and is asked who he is */
	uid_t uids[NATT_DOOR_MAX_UIDS];
	size_t n_uids;
};

int natt_door_new(const struct natt_door_setup *setup, struct natt_door **ret_door) MUST_CHECK;
struct natt_door *natt_door_free(struct natt_door *door);
DEFINE_CLEANUP(struct natt_door *, natt_door_free)

#endif
