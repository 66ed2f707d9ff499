/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between sections and their trials. */
#ifndef DATAPATH_SECTION_PARTS_H
#define DATAPATH_SECTION_PARTS_H

#include "services/datapath/bus/section.h"

/* section.c: as their namesakes in section.h, but trials stay as they are. */
enum publish_verdict section_publish(struct sections *sections, enum snapshot_section section,
	uint64_t generation, int fd, struct text *why);
int section_withdraw(struct sections *sections, enum snapshot_section section) MUST_CHECK;
int section_apply_nothing(struct sections *sections, enum snapshot_section section) MUST_CHECK;

/* What is in force for good comes into force again at the next boot; of policy only. */
void section_keep_for_boot(struct sections *sections, enum snapshot_section section);

/* section_trial.c */
/* What is in force stays for good; nothing when there is no trial. */
void section_trial_end(struct sections *sections, enum snapshot_section section);
void section_trial_drop(struct section_trial *trial); /* memory and descriptor only */
/* One that began in a former life, if it is about what was restored. */
void section_trial_restore(
	struct sections *sections, enum snapshot_section section, struct fdstore *store);

#endif
