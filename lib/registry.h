/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The algorithm file as the threads of one process share it: parsed once, read again when it changed. */
#ifndef NETIPSEC_REGISTRY_H
#define NETIPSEC_REGISTRY_H

#include "lib/netipsec/ipsecalgs.h"

/*
 * Take the lock, in any case, and look whether the file changed. *ret_table is borrowed until
 * registry_unlock(). A file that cannot be read or is corrupt leaves the former table in use; without
 * a file the built-in table stands.
 * Return: 0, EINVAL (there never was a good table, so no protocol is known), ENOMEM.
 */
int registry_lock(const struct ipsecalgs **ret_table) __attribute__((warn_unused_result));
void registry_unlock(void);

#endif
