/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rules and routes to the TUN: made, watched, and put back when somebody took them away. */
#ifndef DATAPATH_PLANT_WAYS_H
#define DATAPATH_PLANT_WAYS_H

#include <stdbool.h>

#include "common/base/cleanup.h"

struct plant;

/* The TUN is open. */
int plant_ways_open(struct plant *plant) MUST_CHECK;
/* *ret_restored: was there anything to put back? -ENODEV: the TUN itself is gone. */
int plant_ways_follow(struct plant *plant, bool *ret_restored) MUST_CHECK;

#endif
