/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The last policy that was in force for good, on disk: what the next boot enforces until the policy
 * service has spoken. The bytes are those of the snapshot.
 */
#ifndef DATAPATH_LID_STORE_H
#define DATAPATH_LID_STORE_H

#include "common/snapshot/snapshot.h"

#define LID_STORE_PATH "/var/lib/netipsec/datapath/policy"

/*
 * Atomic, and on disk when it returns. Return: 0 or negative errno. Then the former one is gone, for
 * it may pass what this one protects; -ESTALE: even that did not go.
 */
int lid_store_keep(const void *bytes, size_t len) MUST_CHECK;
/* The policy was withdrawn: the next boot begins without. Return: 0 or negative errno. */
int lid_store_forget(void) MUST_CHECK;
/* Return: 0, -ENOENT (none was kept), -EBADMSG or -EPROTONOSUPPORT (damaged, other version), errno. */
int lid_store_read(struct spd **ret_spd) MUST_CHECK;

#endif
