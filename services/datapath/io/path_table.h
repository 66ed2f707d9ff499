/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Path MTUs that ICMP errors taught: by destination, with an age, shared by all workers. */
#ifndef DATAPATH_PATH_TABLE_H
#define DATAPATH_PATH_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/cleanup.h"
#include "common/model/address.h"

/*
 * What nobody signs is not believed below these: RFC 791's datagram that every host takes, RFC 8200's
 * link. A smaller one would only make us send crumbs.
 */
#define PATH_FLOOR_4 576U
#define PATH_FLOOR_6 1280U
#define PATH_AGE_SEC 600 /* RFC 1191 section 6.3, RFC 8201 section 4 */

struct path_table;

struct path_table *path_table_new(uint64_t age_sec); /* NULL: no memory */
struct path_table *path_table_free(struct path_table *table);
DEFINE_CLEANUP(struct path_table *, path_table_free)
/* Believe an error whose packet was ours. False: too small, or nothing new. */
bool path_table_learn(
	struct path_table *table, const struct address *dst, uint32_t mtu, uint64_t now_usec);

/* One thread's copy of it, so that it is read without a lock. */
struct path_copy;
struct path_copy *path_copy_new(struct path_table *table); /* NULL: no memory */
struct path_copy *path_copy_free(struct path_copy *copy);
DEFINE_CLEANUP(struct path_copy *, path_copy_free)
/* 0: nothing is known, or it is too old. */
uint32_t path_copy_get(struct path_copy *copy, const struct address *dst, uint64_t now_usec);
/* Is it worth the while to ask? */
bool path_copy_any(struct path_copy *copy);

#endif
