/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The workers' drop and pass counters in a memfd that the service manager keeps: they go on counting
 * after the daemon has died. Another set of verdicts, as after an upgrade, begins at zero.
 */
#ifndef DATAPATH_COUNTER_STORE_H
#define DATAPATH_COUNTER_STORE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/cleanup.h"
#include "services/datapath/packet/counters.h"
#include "services/datapath/sad/sad.h"

struct counter_blocks; /* as they stand in the memfd */

struct counter_store {
	int fd; /* for the descriptor store; -1: closed */
	struct counter_blocks *blocks;
};

/*
 * @fd: of a former life (consumed), -1: none. What does not fit is replaced by a new one: *ret_new
 * then. Return: 0 or negative errno.
 */
int counter_store_open(int fd, struct counter_store *ret_store, bool *ret_new) MUST_CHECK;
void counter_store_close(struct counter_store *store);
/* @worker < SAD_MAX_WORKERS. Borrowed from the store. */
struct counters *counter_store_of(struct counter_store *store, size_t worker);

#endif
