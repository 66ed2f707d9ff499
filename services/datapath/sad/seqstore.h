/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sequence numbers on disk, ahead of use: no number, and so no counter-mode IV, is ever used twice
 * with one key, whatever dies. One 64-bit counter a key, indexed by HMAC(host secret, key and salt).
 */
#ifndef DATAPATH_SEQSTORE_H
#define DATAPATH_SEQSTORE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/cleanup.h"
#include "common/model/sa.h"

#define SEQSTORE_ID_BYTES  16
#define SEQSTORE_CHUNK_MIN (UINT64_C(1) << 14)
#define SEQSTORE_CHUNK_MAX (UINT64_C(1) << 20)

struct seqstore;

/* @directory: made 0700 when missing. -EIO, -EACCES, -EBADMSG: SAs must then be refused. */
int seqstore_open(const char *directory, struct seqstore **ret_store) MUST_CHECK;
struct seqstore *seqstore_free(struct seqstore *store);
DEFINE_CLEANUP(struct seqstore *, seqstore_free)

/*
 * Identity of the key of an SA: the same key bytes and salt give the same id. Without a store (NULL)
 * too, for comparisons in memory. Return: 0 or -EIO.
 */
int seqstore_id(const struct seqstore *store, const struct sa *sa,
	uint8_t ret_id[static SEQSTORE_ID_BYTES]) MUST_CHECK;
/* The same with the SA's own identity in it: for inbound windows, which are an SA's and not a key's. */
int seqstore_window_id(const struct seqstore *store, const struct sa *sa,
	uint8_t ret_id[static SEQSTORE_ID_BYTES]) MUST_CHECK;

/*
 * Between begin and commit, changes are written but wait for the disk together: numbers reserved in
 * between may be used only after commit returned 0.
 */
void seqstore_begin(struct seqstore *store);
int seqstore_commit(struct seqstore *store) MUST_CHECK;
/* End a batch in which nothing was reserved: waits for the disk only if there are new counters. */
int seqstore_end(struct seqstore *store) MUST_CHECK;

/* Numbers that the caller may use: first to last, both included. */
struct seqstore_range {
	uint64_t first, last;
};
/*
 * Reserve up to @count numbers behind what was reserved before, none above @limit. On disk
 * (fdatasync) before it returns, outside begin and commit. Return: 0, -ERANGE (the key is used up;
 * recorded for good), -EIO, -ENOSPC, -ENOMEM.
 */
int seqstore_reserve(struct seqstore *store, const uint8_t id[static SEQSTORE_ID_BYTES],
	uint64_t count, uint64_t limit, struct seqstore_range *ret_range) MUST_CHECK;
/* Numbers up to @last are used, whatever the store says: it was younger than its user. */
int seqstore_raise(struct seqstore *store, const uint8_t id[static SEQSTORE_ID_BYTES],
	uint64_t last) MUST_CHECK;
/*
 * Nobody uses numbers between @last and @reserved any more: give them back, if nothing was reserved
 * behind them since. Either outcome of a crash is safe, so it does not wait for the disk.
 */
int seqstore_settle(struct seqstore *store, const uint8_t id[static SEQSTORE_ID_BYTES],
	uint64_t reserved, uint64_t last) MUST_CHECK;
/*
 * Inbound: no number above this one is taken, so that a restart need not accept old packets again.
 * Never goes back. On disk before it returns, outside begin and commit.
 */
int seqstore_set_top(struct seqstore *store, const uint8_t id[static SEQSTORE_ID_BYTES],
	uint64_t top) MUST_CHECK;
/*
 * Numbers above @top will not be taken after all. @exact: and up to it nobody takes any.
 * Either outcome of a crash is safe.
 */
int seqstore_lower_top(struct seqstore *store, const uint8_t id[static SEQSTORE_ID_BYTES],
	uint64_t top, bool exact) MUST_CHECK;
/* False: numbers were reserved and nobody came to say which of them were seen. */
bool seqstore_top_is_exact(
	const struct seqstore *store, const uint8_t id[static SEQSTORE_ID_BYTES]);
uint64_t seqstore_top(const struct seqstore *store, const uint8_t id[static SEQSTORE_ID_BYTES]);
/* Last number reserved; 0: none. */
uint64_t seqstore_reserved(
	const struct seqstore *store, const uint8_t id[static SEQSTORE_ID_BYTES]);
bool seqstore_exhausted(const struct seqstore *store, const uint8_t id[static SEQSTORE_ID_BYTES]);
/* Wait for the disk. */
int seqstore_sync(struct seqstore *store) MUST_CHECK;

#endif
