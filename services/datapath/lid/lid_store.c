/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/lid/lid_store.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

int lid_store_keep(const void *bytes, size_t len)
{
	CLEANUP(freep) char *path = NULL;
	int r = file_system_path(LID_STORE_PATH, &path);

	return r < 0 ? r : file_replace(path, bytes, len, S_IRUSR | S_IWUSR);
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
	CLEANUP(fd_closep) int fd = -1;
	size_t len = 0;
	int r = file_system_path(LID_STORE_PATH, &path);

	if (r < 0)
		return r;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	r = file_read_fd(fd, SNAPSHOT_MAX_BYTES, &bytes, &len);
	return r < 0 ? r : snapshot_read_policy(bytes, len, ret_spd);
}
