/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sections on trial. The record of one and the snapshot to go back to stand in the service manager's
 * store before the section comes into force, so that whoever dies, the trial ends.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "common/base/clock.h"
#include "common/base/memfd.h"
#include "services/datapath/bus/section_parts.h"

#define AGAIN_USEC USEC_PER_SEC /* after a roll-back that failed */
#define NAME_BYTES 32

/* As it lies in the store. */
struct record {
	uint64_t generation, deadline_usec, has_former;
};

static void store_name(
	const char *kind, enum snapshot_section section, char ret_name[static NAME_BYTES])
{
	/* Sections' names are short. */
	(void)!text_fixed(ret_name, NAME_BYTES, "%s.%s", kind, snapshot_section_name(section));
}

static void forget(enum snapshot_section section)
{
	char name[NAME_BYTES];

	store_name("trial", section, name);
	fdstore_drop(name);
	store_name("former", section, name);
	fdstore_drop(name);
}

static int remember(const struct section_trial *trial, enum snapshot_section section)
{
	struct record record = { trial->generation, trial->deadline_usec, trial->has_former };
	CLEANUP(fd_closep) int fd = memfd_create("netipsec-trial", MFD_CLOEXEC);
	char name[NAME_BYTES];
	int r = fd < 0 ? -errno : file_write_fd(fd, &record, sizeof(record));

	if (r < 0)
		return r;
	forget(section);
	if (trial->has_former) {
		store_name("former", section, name);
		fdstore_put(name, trial->former);
	}
	store_name("trial", section, name);
	fdstore_put(name, fd);
	return 0;
}

/*
 * The store takes an open file once, whatever its name: what is to stand in it beside the section's own
 * snapshot is another file.
 */
static int copy_snapshot(int fd, int *ret_copy)
{
	struct memfd_view view = { 0 };
	int r = memfd_map(fd, SNAPSHOT_MAX_BYTES, &view);

	if (r < 0)
		return r;
	r = memfd_seal("netipsec-former", view.bytes, view.len, ret_copy);
	memfd_unmap(&view);
	return r;
}

void section_trial_drop(struct section_trial *trial)
{
	if (trial->active && trial->has_former)
		fd_closep(&trial->former);
	*trial = (struct section_trial){ .active = false };
}

void section_trial_end(struct sections *sections, enum snapshot_section section)
{
	if (!sections->trials[section].active)
		return;
	section_trial_drop(&sections->trials[section]);
	forget(section);
}

/* What a trial that begins now goes back to: what is in force, or what an earlier one goes back to. */
static int begin(const struct sections *sections, enum snapshot_section section,
	struct section_trial *ret_trial)
{
	const struct section_trial *earlier = &sections->trials[section];
	const struct section *now = &sections->sections[section];
	struct section_trial trial = { .active = true, .has_former = now->kept };
	int from = now->fd;

	if (earlier->active) {
		trial.has_former = earlier->has_former;
		from = earlier->former;
	} else if (now->generation && !now->kept) {
		return -ENODATA;
	}
	if (trial.has_former) {
		int r = copy_snapshot(from, &trial.former);

		if (r < 0)
			return r;
	}
	*ret_trial = trial;
	return 0;
}

enum publish_verdict sections_try(struct sections *sections, enum snapshot_section section,
	uint64_t generation, int fd, uint64_t confirm_usec, struct text *why)
{
	struct section_trial *trial = &sections->trials[section], next = { .active = false };
	enum publish_verdict verdict;
	int r = section == SECTION_KEYS ? -EINVAL : begin(sections, section, &next);

	if (r == -EINVAL) {
		text_add(why, "keys are kept nowhere, so they cannot be brought back");
		return PUBLISH_INVALID;
	}
	next.generation = generation;
	next.deadline_usec = clock_boot_usec() + confirm_usec;
	if (r == 0)
		r = remember(&next, section);
	if (r < 0) {
		section_trial_drop(&next);
		text_addf(why, "what is in force cannot be kept for a roll-back: %s", strerror(-r));
		return PUBLISH_FAULT;
	}
	verdict = section_publish(sections, section, generation, fd, why);
	if (verdict == PUBLISH_OK) {
		section_trial_drop(trial);
		*trial = next;
		return verdict;
	}
	section_trial_drop(&next);
	/* A trial that runs goes on; without memory its record is lost, its timer is not. */
	if (trial->active)
		(void)!remember(trial, section);
	else
		forget(section);
	return verdict;
}

int sections_confirm(struct sections *sections, enum snapshot_section section, uint64_t generation)
{
	const struct section_trial *trial = &sections->trials[section];

	if (!trial->active)
		return -ENOENT;
	if (trial->generation != generation)
		return -ESTALE;
	section_trial_end(sections, section);
	section_keep_for_boot(sections, section);
	return 0;
}

uint64_t sections_trial_left(const struct sections *sections, enum snapshot_section section)
{
	const struct section_trial *trial = &sections->trials[section];
	uint64_t now = clock_boot_usec();

	if (!trial->active)
		return 0;
	return trial->deadline_usec > now ? trial->deadline_usec - now : 1;
}

uint64_t sections_deadline(const struct sections *sections)
{
	uint64_t first = 0;

	for (size_t i = 0; i < SNAPSHOT_SECTIONS; i++) {
		const struct section_trial *trial = &sections->trials[i];

		if (trial->active && (first == 0 || trial->deadline_usec < first))
			first = trial->deadline_usec;
	}
	return first;
}

static bool roll_back(struct sections *sections, enum snapshot_section section, struct text *why)
{
	const struct section_trial *trial = &sections->trials[section];
	CLEANUP(fd_closep) int fd = -1;
	enum publish_verdict verdict;
	int r = trial->has_former ? copy_snapshot(trial->former, &fd)
				  : section_withdraw(sections, section);

	if (r < 0)
		text_add(why, strerror(-r));
	if (r < 0 || !trial->has_former)
		return r == 0;
	verdict = section_publish(
		sections, section, sections->sections[section].generation + 1, fd, why);
	return verdict == PUBLISH_OK || verdict == PUBLISH_SAME;
}

bool sections_expire(struct sections *sections, uint64_t now_usec,
	enum snapshot_section *ret_section, struct text *why)
{
	for (size_t i = 0; i < SNAPSHOT_SECTIONS; i++) {
		struct section_trial *trial = &sections->trials[i];

		if (!trial->active || now_usec < trial->deadline_usec)
			continue;
		*ret_section = (enum snapshot_section)i;
		if (roll_back(sections, *ret_section, why)) {
			section_trial_end(sections, *ret_section);
			return true;
		}
		trial->deadline_usec = now_usec + AGAIN_USEC;
		return false;
	}
	return false;
}

static bool read_record(int fd, struct record *ret_record)
{
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 && st.st_size == (off_t)sizeof(*ret_record) &&
	       pread(fd, ret_record, sizeof(*ret_record), 0) == (ssize_t)sizeof(*ret_record);
}

void section_trial_restore(
	struct sections *sections, enum snapshot_section section, struct fdstore *store)
{
	struct section_trial *trial = &sections->trials[section];
	char name[NAME_BYTES];
	CLEANUP(fd_closep) int fd = -1, former = -1;
	struct record record;

	store_name("trial", section, name);
	fd = fdstore_take(store, name);
	store_name("former", section, name);
	former = fdstore_take(store, name);
	/*
	 * The policy that was to be tried may not have come into force before we died. What is in force
	 * then is that of an earlier trial, or the former one, which it does no harm to bring back.
	 */
	if (!read_record(fd, &record) ||
		record.generation < sections->sections[section].generation ||
		(record.has_former != 0) != (former >= 0)) {
		if (fd >= 0 || former >= 0)
			forget(section);
		return;
	}
	*trial = (struct section_trial){ .active = true,
		.generation = sections->sections[section].generation,
		.deadline_usec = record.deadline_usec,
		.has_former = record.has_former != 0 };
	if (trial->has_former)
		trial->former = STEAL_FD(former);
}
