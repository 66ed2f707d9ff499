/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sections in force: what was published, under which generation, and the rules by which one follows
 * another. Applies them to the plant; knows no bus.
 */
#ifndef DATAPATH_SECTION_H
#define DATAPATH_SECTION_H

#include <stdint.h>

#include "common/base/text.h"
#include "services/datapath/plant/plant.h"

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
	bool kept; /* its snapshot is, */
	int fd; /* here; owned. Never of keys */
};

/* A section whose publisher has to say that it may stay; else the former one comes back. */
struct section_trial {
	bool active;
	uint64_t generation; /* that is tried */
	uint64_t deadline_usec; /* CLOCK_BOOTTIME */
	bool has_former; /* false: the section was absent */
	int former; /* its snapshot, owned */
};

struct sections {
	struct plant *plant; /* borrowed */
	struct alg_table *algorithms; /* owned; NULL: none published */
	struct section sections[SNAPSHOT_SECTIONS];
	struct section_trial trials[SNAPSHOT_SECTIONS];
	bool unkept; /* the disk did not take the policy for the next boot */
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
/*
 * The same on trial for @confirm_usec; not for keys, which are kept nowhere. While a trial runs, its
 * successor goes back to where the first began. What is published without trial ends it.
 */
enum publish_verdict sections_try(struct sections *sections, enum snapshot_section section,
	uint64_t generation, int fd, uint64_t confirm_usec, struct text *why);
int sections_withdraw(struct sections *sections, enum snapshot_section section) MUST_CHECK;

/* Once a second: what the disk did not take is offered again. */
void sections_tick(struct sections *sections);

/* section_trial.c */
/* It may stay. Return: 0, -ENOENT (no trial), -ESTALE (another generation is tried). */
int sections_confirm(
	struct sections *sections, enum snapshot_section section, uint64_t generation) MUST_CHECK;
uint64_t sections_deadline(const struct sections *sections); /* of the first trial, 0: none */
/* How long it may still be confirmed, at least 1 us while it runs; 0: there is none. */
uint64_t sections_trial_left(const struct sections *sections, enum snapshot_section section);
/*
 * Bring back what nobody replaced for good in time. True: *ret_section changed, under a generation
 * of its own; there may be more. What cannot be brought back now is tried again in a second.
 */
bool sections_expire(struct sections *sections, uint64_t now_usec,
	enum snapshot_section *ret_section, struct text *why);

static inline const struct section *sections_get(
	const struct sections *sections, enum snapshot_section section)
{
	return &sections->sections[section];
}

#endif
