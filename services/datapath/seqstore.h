/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sequence numbers on disk, ahead of use: no number, and so no counter-mode IV, is ever used twice
 * with one key, whatever dies. One 64-bit counter a key, indexed by HMAC(host secret, key and salt).
 */
#ifndef DATAPATH_SEQSTORE_H
#define DATAPATH_SEQSTORE_H

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

/* Identity of the key of an SA: the same key bytes and salt give the same id. */
int seqstore_id(const struct seqstore *store, const struct sa *sa,
	uint8_t ret_id[static SEQSTORE_ID_BYTES]) MUST_CHECK;
/*
 * Reserve @count numbers behind what was reserved before: *ret_first is the first of them. On disk
 * (fdatasync) before it returns. -ERANGE: the key is used up (recorded for good).
 */
int seqstore_reserve(struct seqstore *store, const uint8_t id[static SEQSTORE_ID_BYTES],
	uint64_t count, uint64_t limit, uint64_t *ret_first) MUST_CHECK;
/* A clean stop: numbers above @last were not used. */
int seqstore_settle(struct seqstore *store, const uint8_t id[static SEQSTORE_ID_BYTES],
	uint64_t last) MUST_CHECK;
/* Inbound: top of the window, kept so that a restart does not accept old packets again. */
int seqstore_set_top(struct seqstore *store, const uint8_t id[static SEQSTORE_ID_BYTES],
	uint64_t top) MUST_CHECK;
int seqstore_top(struct seqstore *store, const uint8_t id[static SEQSTORE_ID_BYTES],
	uint64_t *ret_top) MUST_CHECK; /* 0 when unknown */

#endif
