/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The addresses of this machine, and how long packets on its links may be, kept up to date. */
#ifndef DATAPATH_LOCALS_H
#define DATAPATH_LOCALS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/cleanup.h"
#include "common/model/address.h"

struct locals;

int locals_new(struct locals **ret_locals) MUST_CHECK;
struct locals *locals_free(struct locals *locals);
DEFINE_CLEANUP(struct locals *, locals_free)
/* Readable when something changed; then call locals_refresh(). */
int locals_fd(const struct locals *locals);
int locals_refresh(struct locals *locals) MUST_CHECK;
bool locals_has(const struct locals *locals, const struct address *addr);
/* All of them, sorted; borrowed until the next locals_refresh(). */
const struct address *locals_list(const struct locals *locals, size_t *ret_count);
/* Grows with each change of the set of addresses. */
uint64_t locals_version(const struct locals *locals);
uint32_t locals_smallest_mtu(const struct locals *locals);

#endif
