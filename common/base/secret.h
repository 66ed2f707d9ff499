/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Key bytes live in struct secret alone: in memory that is kept out of core dumps and, when the
 * limit allows, out of swap; cleansed when freed; compared in constant time; printed as a length.
 */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/cleanup.h"

#define SECRET_MAX_BYTES 512

struct secret; /* immutable after secret_new(), reference counted (atomically) */

/* Copies @len bytes (1 to SECRET_MAX_BYTES). Return: 0, -EINVAL, -ENOMEM. */
int secret_new(const uint8_t *bytes, size_t len, struct secret **ret_secret) MUST_CHECK;
/*
 * Many that are made together, by one thread, share the pages that are locked for them: a pair of
 * system calls for hundreds. Each is still wiped when nobody has it any more; the pages are free when
 * none of theirs is left and the pool is done. Zeroed it is ready for use.
 */
struct secret_pool {
	struct secret_block *block;
};
void secret_pool_done(struct secret_pool *pool);
/* @pool NULL: as secret_new(). */
int secret_new_in(struct secret_pool *pool, const uint8_t *bytes, size_t len,
	struct secret **ret_secret) MUST_CHECK;
struct secret *secret_ref(struct secret *secret); /* NULL allowed */
struct secret *secret_unref(struct secret *secret); /* NULL allowed; returns NULL */
DEFINE_CLEANUP(struct secret *, secret_unref)

size_t secret_len(const struct secret *secret); /* 0 for NULL */
/* Borrowed for as long as a reference is held; NULL for NULL. */
const uint8_t *secret_bytes(const struct secret *secret);
/* Constant time in the contents; two NULLs are equal. */
bool secret_equal(const struct secret *a, const struct secret *b);

/* Cleanse a buffer that held key bytes on their way into a secret. */
void secret_wipe(void *bytes, size_t len);
/* Keep this process out of core dumps and away from ptrace (PR_SET_DUMPABLE 0, RLIMIT_CORE 0). */
int secret_protect_process(void) MUST_CHECK;

#endif
