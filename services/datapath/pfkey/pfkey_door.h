/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PF_KEY on Unix sockets (SOCK_SEQPACKET, a message is one packet), one in the Solaris numbering and,
 * where it is asked for, one in that of Linux: the door of the SADB for ipseckey and key managers.
 * Control thread only.
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
 * Listen on @path (a stale socket there is replaced). All may connect, and their credentials decide:
 * who is neither root, us, nor in one of the groups is refused whatever he asks for. Who is in any of
 * them may read state, without keys. @event and @sadb are borrowed.
 */
int pfkey_door_new(sd_event *event, struct sadb *sadb, const char *path,
	const struct pfkey_door_groups *groups, struct pfkey_door **ret_door) MUST_CHECK;
struct pfkey_door *pfkey_door_free(struct pfkey_door *door); /* closes all, removes the path */
DEFINE_CLEANUP(struct pfkey_door *, pfkey_door_free)

/* What the Linux numbering also does: policies, which the database of SAs knows nothing of. */
struct pfkey_door_policy {
	/*
	 * These rules stand behind those of the policy section from now on, in this order. The array
	 * and the rules are borrowed. Return: 0, or what was in the way; nothing has changed then.
	 */
	int (*enforce)(struct rule *const *rules, size_t n, void *userdata);
	/* The tunnel between these ends. False: there is none. */
	bool (*find_tunnel)(const struct address *src, const struct address *dst,
		char ret_name[static RULE_TUNNEL_MAX], void *userdata);
	/* What the rules of the policy with this number have let through or stopped. NULL: unknown. */
	void (*measure)(uint32_t id, uint64_t *ret_packets, uint64_t *ret_bytes, void *userdata);
	void *userdata;
};
/* Listen in the Linux numbering too. @policy: copied. */
int pfkey_door_listen_linux(struct pfkey_door *door, const char *path,
	const struct pfkey_door_policy *policy) MUST_CHECK;

/* Serve a socket that is connected already (consumed), in the Solaris numbering. -EMFILE: too many. */
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
/* What somebody changed, or tried to. */
struct pfkey_audit {
	const char *message; /* "ADD" */
	const char *object; /* "esp spi 0x1001 ..."; "": none, or many */
	uid_t uid;
	pid_t pid;
	const char *right; /* "root", "own user", "group ipsecadm", "none" */
	int error; /* errno value, positive; 0: done. EPERM: he may not */
	uint64_t times; /* so many alike */
};
typedef void (*pfkey_audit_fn)(const struct pfkey_audit *record, void *userdata);
/* Who writes that down. */
void pfkey_door_set_audit(struct pfkey_door *door, pfkey_audit_fn fn, void *userdata);
/* Lifetimes of policies: called by the loop every second. */
void pfkey_door_tick(struct pfkey_door *door);
/* The table of algorithms has changed: tell who is registered. */
void pfkey_door_algorithms_changed(struct pfkey_door *door);

#endif
