/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which text of the file a reload has put on trial, on disk: the service may die, and the one after it
 * would find in the file what nobody has confirmed, or what was rolled back meanwhile.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "common/base/memfd.h"
#include "common/daemon/log.h"
#include "services/policy/policyd.h"

#define TRIAL_FILE "/var/lib/netipsec/policy/trial"
#define TRIAL_MODE 0644

static int trial_path(char **ret_path)
{
	return file_system_path(TRIAL_FILE, ret_path);
}

int policyd_trial_mark(const struct policyd *d, const struct policy_change *change)
{
	CLEANUP(freep) char *path = NULL;
	uint8_t hash[MEMFD_HASH_BYTES];
	int r;

	if (change->kind != CHANGE_RELOAD || change->confirm_usec == 0)
		return 0;
	r = trial_path(&path);
	if (r == 0)
		r = policyd_state_directory();
	/* Where what is in force is not known here, the disk still has it. */
	if (r == 0 && d->configured && !d->gone_back)
		r = policyd_former_write(d);
	if (r == 0)
		r = memfd_hash(change->source ? change->source : "", change->len, hash);
	return r < 0 ? r : file_replace(path, hash, sizeof(hash), TRIAL_MODE);
}

void policyd_trial_unmark(void)
{
	CLEANUP(freep) char *path = NULL;
	int r = trial_path(&path);

	if (r == 0 && unlink(path) < 0 && errno != ENOENT)
		r = -errno;
	if (r < 0)
		log_warning("%s: %s", TRIAL_FILE, strerror(-r));
	policyd_former_forget();
}

bool policyd_trial_is_of(const char *source, size_t len)
{
	CLEANUP(freep) char *path = NULL, *marked = NULL;
	uint8_t hash[MEMFD_HASH_BYTES];
	size_t marked_len = 0;

	return trial_path(&path) == 0 &&
	       file_read_path(path, sizeof(hash), &marked, &marked_len) == 0 &&
	       marked_len == sizeof(hash) && memfd_hash(source, len, hash) == 0 &&
	       memcmp(hash, marked, sizeof(hash)) == 0;
}
