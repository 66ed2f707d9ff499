/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sections in force: what was published, under which generation, and the rules by which one follows
 * another. Applies them to the plant; knows no bus.
 */
#ifndef DATAPATH_SECTION_H
#define DATAPATH_SECTION_H

#include <stdint.h>

#include "common/base/text.h"
#include "services/datapath/plant.h"

enum publish_verdict {
	PUBLISH_OK,
	PUBLISH_SAME, /* this content is in force already */
	PUBLISH_STALE,
	PUBLISH_BAD_SNAPSHOT,
	PUBLISH_INVALID, /* sound, but it cannot be enforced */
	PUBLISH_FAULT,
};

struct section {
	uint64_t generation; /* 0: absent */
	uint8_t hash[MEMFD_HASH_BYTES];
};

struct sections {
	struct plant *plant; /* borrowed */
	struct alg_table *algorithms; /* owned; NULL: none published */
	struct section sections[SNAPSHOT_SECTIONS];
};

/*
 * Take up what the service manager kept, and honour records of sections that were withdrawn while we
 * were down. Without a policy of its own a lid of a former life stays as it is.
 */
int sections_restore(struct sections *sections, struct fdstore *store) MUST_CHECK;
void sections_done(struct sections *sections);

/* @fd: the sealed memfd; borrowed. @why: filled unless the verdict is one of the first two. */
enum publish_verdict sections_publish(struct sections *sections, enum snapshot_section section,
	uint64_t generation, int fd, struct text *why);
int sections_withdraw(struct sections *sections, enum snapshot_section section) MUST_CHECK;
static inline const struct section *sections_get(
	const struct sections *sections, enum snapshot_section section)
{
	return &sections->sections[section];
}

#endif
