/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How long a packet to a destination may be before the device refuses it: the kernel's route, remembered. */
#ifndef DATAPATH_PATH_MTU_H
#define DATAPATH_PATH_MTU_H

#include <stdint.h>

#include "common/base/cleanup.h"
#include "common/model/address.h"

struct path_mtu; /* one a worker */

struct path_mtu *path_mtu_new(void); /* NULL: no memory */
struct path_mtu *path_mtu_free(struct path_mtu *cache);
DEFINE_CLEANUP(struct path_mtu *, path_mtu_free)
/* Bytes of an IP packet; never below the family's minimum. 0: no route. */
uint32_t path_mtu_get(struct path_mtu *cache, const struct address *dst);
/* A packet within the remembered size was refused: ask again. */
void path_mtu_forget(struct path_mtu *cache, const struct address *dst);

#endif
