/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/lid/lid_store.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static int read_store(const char *path, char **ret_bytes, size_t *ret_len)
{
	CLEANUP(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	return fd < 0 ? -errno : file_read_fd(fd, SNAPSHOT_MAX_BYTES, ret_bytes, ret_len);
}

static bool holds(const char *path, const void *bytes, size_t len)
{
	CLEANUP(freep) char *there = NULL;
	size_t there_len = 0;

	return read_store(path, &there, &there_len) == 0 && there && there_len == len &&
	       memcmp(there, bytes, len) == 0;
}

int lid_store_keep(const void *bytes, size_t len)
{
	CLEANUP(freep) char *path = NULL;
	int r = file_system_path(LID_STORE_PATH, &path);

	if (r < 0)
		return r;
	r = file_replace(path, bytes, len, S_IRUSR | S_IWUSR);
	if (r == 0 || holds(path, bytes, len))
		return 0;
	/* The former policy may pass what this one protects. A full disk still gives up a file. */
	return unlink(path) < 0 && errno != ENOENT ? -ESTALE : r;
}

int lid_store_forget(void)
{
	CLEANUP(freep) char *path = NULL;
	int r = file_system_path(LID_STORE_PATH, &path);

	if (r < 0)
		return r;
	return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
}

int lid_store_read(struct spd **ret_spd)
{
	CLEANUP(freep) char *path = NULL;
	CLEANUP(freep) char *bytes = NULL;
	size_t len = 0;
	int r = file_system_path(LID_STORE_PATH, &path);

	if (r == 0)
		r = read_store(path, &bytes, &len);
	return r < 0 ? r : snapshot_read_policy(bytes, len, ret_spd);
}
