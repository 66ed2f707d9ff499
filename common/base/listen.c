/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/base/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/base/text.h"

static int remove_former(const char *path)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
}

/* In a user namespace without the group: EINVAL. */
static int give_away(const struct listen_at *at, mode_t *mode)
{
	if (at->group == (gid_t)-1 || lchown(at->path, (uid_t)-1, at->group) == 0)
		return 0;
	*mode &= ~(mode_t)S_IRWXG;
	return errno == EPERM || errno == EINVAL ? 0 : -errno;
}

int listen_open(const struct listen_at *at, int *ret_fd)
{
	CLEANUP(fd_closep) int fd = -1;
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	mode_t mode = at->mode;
	int r = text_copy(addr.sun_path, sizeof(addr.sun_path), at->path);

	if (r == 0)
		r = remove_former(at->path);
	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* The inode gets its mode from the descriptor. */
	if (fd < 0 || fchmod(fd, S_IRUSR | S_IWUSR) < 0 ||
		bind(fd, (const struct sockaddr *)&addr, sizeof(addr)) < 0)
		return -errno;
	r = give_away(at, &mode);
	if (r < 0)
		return r;
	if (chmod(at->path, mode) < 0 || listen(fd, at->backlog) < 0)
		return -errno;
	*ret_fd = STEAL_FD(fd);
	return 0;
}

int listen_spare(int fd)
{
	return fcntl(fd, F_DUPFD_CLOEXEC, 0);
}

static int take_in(int fd)
{
	/* cppcheck-suppress nullPointer; who called is asked of the socket */
	int peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	return peer < 0 ? -errno : peer;
}

int listen_accept(int fd, int *spare)
{
	int peer = take_in(fd), unwelcome;

	if (peer == -EMFILE || peer == -ENFILE) {
		fd_closep(spare);
		*spare = -1;
		unwelcome = take_in(fd);
		fd_closep(&unwelcome);
	}
	if (*spare < 0)
		*spare = listen_spare(fd);
	return peer;
}
