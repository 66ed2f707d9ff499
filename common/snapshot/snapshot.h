/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sections encoded for the way between services: a versioned little-endian byte string in a sealed
 * memfd. Writer and reader of each section stand in one file; the reader trusts nothing (counts,
 * bounds, enums, trailing bytes) and is fuzzed. Identity of a snapshot: SHA-256 of its bytes.
 */
#ifndef SNAPSHOT_SNAPSHOT_H
#define SNAPSHOT_SNAPSHOT_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/memfd.h"
#include "common/model/algorithm.h"
#include "common/model/sa.h"
#include "common/spd/spd.h"

#define SNAPSHOT_VERSION   2
#define SNAPSHOT_MAX_BYTES (256U << 20)
#define SNAPSHOT_MAX_RULES 1000000U
#define SNAPSHOT_MAX_SAS   2000000U

enum snapshot_section { SECTION_ALGORITHMS, SECTION_POLICY, SECTION_KEYS };
#define SNAPSHOT_SECTIONS 3

const char *snapshot_section_name(enum snapshot_section section); /* "algorithms", ... */
int snapshot_section_parse(
	const char *name, enum snapshot_section *ret_section) MUST_CHECK; /* -ENOENT */

/* A list of SAs; owned. */
struct sa_list {
	size_t count, room;
	bool partial; /* some could not be read: what is in force beside these stays */
	bool flush; /* what came in by other ways goes, too; never with partial */
	struct sa **sas;
};
struct sa_list *sa_list_new(size_t room); /* NULL: no memory */
int sa_list_add(struct sa_list *list, struct sa *sa) MUST_CHECK; /* consumed on success */
struct sa_list *sa_list_free(struct sa_list *list);
DEFINE_CLEANUP(struct sa_list *, sa_list_free)

/* Encoded bytes in memory; wiped before they are freed when they hold keys. */
struct snapshot_bytes {
	uint8_t *bytes;
	size_t len;
	uint8_t hash[MEMFD_HASH_BYTES];
	bool secret;
};
void snapshot_bytes_done(struct snapshot_bytes *snap);
/* A sealed memfd named "netipsec-<section>". */
int snapshot_seal(
	const struct snapshot_bytes *snap, enum snapshot_section section, int *ret_fd) MUST_CHECK;

/* Writers. Return: 0, -ENOMEM, -EFBIG. */
int snapshot_write_algorithms(const struct alg_table *table, struct snapshot_bytes *ret) MUST_CHECK;
int snapshot_write_policy(const struct spd *spd, struct snapshot_bytes *ret) MUST_CHECK;
int snapshot_write_keys(const struct sa_list *sas, struct snapshot_bytes *ret) MUST_CHECK;

/*
 * Readers. @bytes need not be aligned. Return: 0, -EBADMSG for anything that a writer would not
 * have written, -EPROTONOSUPPORT for another version, -ENOMEM.
 */
int snapshot_read_algorithms(const void *bytes, size_t len, struct alg_table **ret) MUST_CHECK;
int snapshot_read_policy(const void *bytes, size_t len, struct spd **ret) MUST_CHECK;
int snapshot_read_keys(const void *bytes, size_t len, struct sa_list **ret) MUST_CHECK;

/* One SA as a byte string (records in the datapath's arena). Same rules as above. */
#define SNAPSHOT_SA_MAX_BYTES 2112
int snapshot_write_sa(
	const struct sa *sa, uint8_t *buffer, size_t size, size_t *ret_len) MUST_CHECK;
int snapshot_read_sa(const void *bytes, size_t len, struct sa **ret) MUST_CHECK;

#endif
