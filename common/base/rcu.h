/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Read-copy-update by quiescent states: packet workers read published pointers without locks, the
 * control thread publishes a next version and frees the old one after every worker has passed a
 * quiescent state. Built on C11 atomics, so that thread sanitizers see the ordering.
 */
#ifndef BASE_RCU_H
#define BASE_RCU_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/cleanup.h"

#define RCU_MAX_READERS 64

struct rcu;

int rcu_new(struct rcu **ret_rcu) MUST_CHECK;
struct rcu *rcu_free(struct rcu *rcu); /* all readers gone; runs what is still deferred */
DEFINE_CLEANUP(struct rcu *, rcu_free)

/* Reader side, one slot a thread. A reader is online from register to unregister. */
int rcu_register(struct rcu *rcu, unsigned int *ret_slot) MUST_CHECK; /* -ENOSPC */
void rcu_unregister(struct rcu *rcu, unsigned int slot);
/* The thread holds no reference to anything it read before. Call once a batch. */
void rcu_quiescent(struct rcu *rcu, unsigned int slot);
/* Around a sleep: an offline reader delays nobody. */
void rcu_offline(struct rcu *rcu, unsigned int slot);
void rcu_online(struct rcu *rcu, unsigned int slot);

/* Writer side, one thread. */
/* Call fn(object) once no reader can hold it. Return: 0 or -ENOMEM (nothing deferred then). */
int rcu_defer(struct rcu *rcu, void (*fn)(void *object), void *object) MUST_CHECK;
/* Run what is ripe, never blocks; returns how many calls are still waiting. */
size_t rcu_poll(struct rcu *rcu);
/* Wait until everything deferred so far has run. */
void rcu_barrier(struct rcu *rcu);

#define RCU_POINTER(type)	    _Atomic(type *)
#define rcu_read(pointer)	    atomic_load_explicit((pointer), memory_order_acquire)
#define rcu_publish(pointer, value) atomic_store_explicit((pointer), (value), memory_order_release)

#endif
