/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Membership of a device in multicast groups. What comes out of a group's SA is given to the kernel
 * on our own device, and there the kernel takes for a group only what somebody has joined there.
 */
#ifndef DATAPATH_GROUPS_H
#define DATAPATH_GROUPS_H

#include <stdbool.h>

#include "common/base/cleanup.h"
#include "common/model/address.h"

struct groups;

int groups_new(int ifindex, struct groups **ret_groups) MUST_CHECK;
struct groups *groups_free(struct groups *groups); /* leaves them all */
DEFINE_CLEANUP(struct groups *, groups_free)
/* Once is enough; what is no multicast group is passed over. */
int groups_join(struct groups *groups, const struct address *group) MUST_CHECK;
/* Leave those that nobody names in groups_join() until groups_leave_unnamed(). */
void groups_unname(struct groups *groups);
void groups_leave_unnamed(struct groups *groups);

#endif
