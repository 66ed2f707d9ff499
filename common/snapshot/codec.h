/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the codecs of all sections share: the header, a growing buffer, addresses and prefixes. */
#ifndef SNAPSHOT_CODEC_H
#define SNAPSHOT_CODEC_H

#include "common/base/bytes.h"
#include "common/snapshot/snapshot.h"

/* Header: magic, version (le16), section (le16), count of records (le32), an argument (le32). */
#define CODEC_HEADER_BYTES 16

/* A snapshot under way; what it leaves behind when it grows is wiped if it is secret. */
struct codec_out {
	struct snapshot_bytes snap;
	size_t room;
};

int codec_begin(struct codec_out *out, enum snapshot_section section, size_t count,
	uint32_t argument) MUST_CHECK;
/* A cursor over at least @max_bytes behind what was written; then codec_commit(). */
int codec_record(struct codec_out *out, size_t max_bytes, struct writer *ret_wr) MUST_CHECK;
int codec_commit(struct codec_out *out, const struct writer *wr) MUST_CHECK;
/* Hash and hand over. */
int codec_end(struct codec_out *out, struct snapshot_bytes *ret) MUST_CHECK;
void codec_done(struct codec_out *out); /* CLEANUP */

/*
 * The header, held against the section and the least bytes that its records can take.
 * Return: 0, -EBADMSG, -EPROTONOSUPPORT.
 */
int codec_open(struct reader *rd, enum snapshot_section section, size_t least_bytes,
	uint32_t *ret_count, uint32_t *ret_argument) MUST_CHECK;

/* Failures stay in the cursor. */
void codec_put_address(struct writer *wr, const struct address *addr);
void codec_put_prefix(struct writer *wr, const struct prefix *prefix);
bool codec_take_address(struct reader *rd, struct address *ret_addr);
bool codec_take_prefix(struct reader *rd, struct prefix *ret_prefix);
/* A NUL-terminated string of printable ASCII without blanks; @size with the NUL. */
void codec_put_word(struct writer *wr, const char *word);
bool codec_take_word(struct reader *rd, char *ret_word, size_t size);

#endif
