/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who may call which method. Root may, a member of the group ipsecadm may what manages, and of
 * anybody else polkit is asked where it runs; no answer, or one that cannot be read, is a no.
 * What changes something is written down by audit.h, allowed and refused alike.
 */
#ifndef DAEMON_RIGHTS_H
#define DAEMON_RIGHTS_H

#include <stddef.h>

#include "common/bus/bus.h"

#define RIGHTS_ADMIN_GROUP "ipsecadm"

enum right_kind {
	RIGHT_ROOT, /* root alone; also what has no row */
	RIGHT_OPEN, /* everybody */
	RIGHT_VIEW, /* shows other users' flows */
	RIGHT_MANAGE, /* changes something */
	RIGHT_PUBLISH, /* the method asks who the caller is: the owner of a section */
};

struct right {
	const char *interface, *member;
	enum right_kind kind;
	const char *action; /* of polkit, NULL: none can grant it */
};

/* NULL: nobody has thought about this method. */
const struct right *right_find(const char *interface, const char *member);
/* The whole table, for tests: row @i, or NULL behind the last. */
const struct right *right_at(size_t i);

struct rights;
/* Guards all methods that are added to @bus; to be freed before the bus. */
int rights_new(struct bus *bus, struct rights **ret_rights) MUST_CHECK;
struct rights *rights_free(struct rights *rights);
DEFINE_CLEANUP(struct rights *, rights_free)

#endif
