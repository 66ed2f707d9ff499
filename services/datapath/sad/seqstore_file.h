/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The file `counters` of the sequence store. A page with the host's secret, written whole before the
 * file gets its name; then records of 64 octets, two for each counter, in the order of the host.
 *
 * Writing a counter overwrites the one of its two records with the lower version, so the other still
 * says what was granted when the write is torn. The first pair holds how many pairs count. A pair
 * is added in two steps, each on disk before the next: its record, then the number; only then
 * are numbers handed out. So what stands behind the counted pairs was never granted and is cut off,
 * and a counted pair of which nothing can be read is damage: the whole store is refused, because a
 * lost counter would be used again.
 */
#ifndef DATAPATH_SEQSTORE_FILE_H
#define DATAPATH_SEQSTORE_FILE_H

#include <stdint.h>
#include <sys/types.h>

#include "common/base/hash.h"
#include "services/datapath/sad/seqstore.h"

#define SEQSTORE_FILE	      "counters"
#define SEQSTORE_FILE_NEW     "counters.new"
#define SEQSTORE_MAGIC	      UINT32_C(0x53514331)
#define SEQSTORE_EXHAUSTED    0x1U
#define SEQSTORE_EXACT	      0x2U /* nothing above the window was reserved with the top */
#define SEQSTORE_SECRET_BYTES 32
#define SEQSTORE_HEADER_BYTES 4096

struct seqstore_header {
	uint32_t magic;
	uint32_t record_bytes;
	uint8_t secret[SEQSTORE_SECRET_BYTES];
	uint64_t check; /* keyed hash of what stands before, by the secret */
};

struct seqstore_record {
	uint32_t magic;
	uint32_t flags;
	uint8_t id[SEQSTORE_ID_BYTES];
	uint64_t version; /* 1, 2, ... */
	uint64_t
		reserved; /* numbers up to this one may have been used; first pair: pairs that count */
	uint64_t top; /* inbound: numbers up to this one may have been seen */
	uint64_t zero;
	uint64_t check; /* keyed hash of what stands before */
};
_Static_assert(sizeof(struct seqstore_record) == 64, "records are shared with former lives");

struct seqstore_file {
	int dir, fd;
	uint8_t secret[SEQSTORE_SECRET_BYTES];
	struct hash_key check_key;
};

/*
 * Open or make the file. Return: 0, -EACCES (mode), -EBADMSG, other errno; on failure too the
 * caller closes with seqstore_file_done().
 */
int seqstore_file_open(
	struct seqstore_file *file, const char *directory, off_t *ret_size) MUST_CHECK;
void seqstore_file_done(struct seqstore_file *file);
bool seqstore_record_is_sound(
	const struct seqstore_file *file, const struct seqstore_record *record);
/* Fills in magic and check. @which: 0 or 1 of the pair. */
int seqstore_file_write(const struct seqstore_file *file, size_t pair, unsigned int which,
	struct seqstore_record *record) MUST_CHECK;
/* What stands there; zeros behind the end of the file. */
int seqstore_file_read(const struct seqstore_file *file, size_t first_pair, size_t n,
	struct seqstore_record (*ret_pairs)[2]) MUST_CHECK;
off_t seqstore_file_size(size_t pairs);

#endif
