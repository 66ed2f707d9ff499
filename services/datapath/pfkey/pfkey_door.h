/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PF_KEY in the Solaris numbering on a Unix socket (SOCK_SEQPACKET, a message is one packet): the
 * door of the SADB for ipseckey and key managers. Control thread only.
 */
#ifndef DATAPATH_PFKEY_DOOR_H
#define DATAPATH_PFKEY_DOOR_H

#include <stddef.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#include "common/base/cleanup.h"
#include "services/datapath/sad/sadb.h"

/* Who may what, beside root and the daemon's own user; (gid_t)-1: nobody else. */
struct pfkey_door_groups {
	gid_t admin; /* ipsecadm: may change, register, watch */
	gid_t keys; /* ipseckey: sees key material */
};

struct pfkey_door;

/*
 * Listen on @path (mode 0660, of the admin group where that can be set; a stale socket there is
 * replaced). Whoever may connect may read state without keys. @event and @sadb are borrowed.
 */
int pfkey_door_new(sd_event *event, struct sadb *sadb, const char *path,
	const struct pfkey_door_groups *groups, struct pfkey_door **ret_door) MUST_CHECK;
struct pfkey_door *pfkey_door_free(struct pfkey_door *door); /* closes all, removes the path */
DEFINE_CLEANUP(struct pfkey_door *, pfkey_door_free)

/* Serve a socket that is connected already (consumed). -EMFILE: too many are. */
int pfkey_door_serve(struct pfkey_door *door, int fd) MUST_CHECK;
size_t pfkey_door_peers(const struct pfkey_door *door);

/* X_INVERSE_ACQUIRE: packets as this host would send them; inner: of a tunnel between the outer ends. */
struct pfkey_policy_query {
	struct flow outer, inner;
	bool has_inner;
	bool tunnel_mode; /* answer: the rule asks for tunnel mode */
};
/* Return: the rule that protects such packets, borrowed until the next event; NULL: there is none. */
typedef const struct rule *(*pfkey_policy_fn)(struct pfkey_policy_query *query, void *userdata);
/* Who knows the policy in force; without one there is none. */
void pfkey_door_set_policy(struct pfkey_door *door, pfkey_policy_fn fn, void *userdata);
/* The table of algorithms has changed: tell who is registered. */
void pfkey_door_algorithms_changed(struct pfkey_door *door);

#endif
