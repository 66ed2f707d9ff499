/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The file half of memfd.h: whole files in, whole files out, and where they stand. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>

#include "common/base/instance.h"
#include "common/base/memfd.h"
#include "common/base/secret.h"
#include "common/base/text.h"

#define FILE_FIRST_SIZE 4096
#define FILE_TRIES	3

/* A buffer that is wiped when it moves or goes: any file may be the key file. */
struct file_buffer {
	char *bytes;
	size_t len, size;
};

static void file_buffer_done(struct file_buffer *buf)
{
	secret_wipe(buf->bytes, buf->len);
	free(buf->bytes);
}

static int file_buffer_grow(struct file_buffer *buf, size_t size)
{
	char *bytes = malloc(size);

	if (!bytes)
		return -ENOMEM;
	if (buf->len)
		memcpy(bytes, buf->bytes, buf->len);
	secret_wipe(buf->bytes, buf->len);
	free(buf->bytes);
	buf->bytes = bytes;
	buf->size = size;
	return 0;
}

int file_read_fd(int fd, size_t max_len, char **ret_bytes, size_t *ret_len)
{
	CLEANUP(file_buffer_done) struct file_buffer buf = { 0 };
	size_t first = FILE_FIRST_SIZE;
	struct stat st;
	ssize_t n;
	int r;

	if (max_len > SSIZE_MAX / 2)
		return -EINVAL;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	if (S_ISREG(st.st_mode) && st.st_size > 0) {
		if ((uint64_t)st.st_size > max_len)
			return -EFBIG;
		first = (size_t)st.st_size + 2;
	}
	r = file_buffer_grow(&buf, first);
	if (r < 0)
		return r;
	/* One byte is kept for the NUL; the size that fstat gave is only a guess. */
	for (;;) {
		if (buf.len + 1 == buf.size) {
			r = file_buffer_grow(&buf, buf.size * 2);
			if (r < 0)
				return r;
		}
		n = read(fd, buf.bytes + buf.len, buf.size - buf.len - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		buf.len += (size_t)n;
		if (buf.len > max_len)
			return -EFBIG;
	}
	buf.bytes[buf.len] = '\0';
	*ret_len = buf.len;
	*ret_bytes = STEAL(buf.bytes);
	return 0;
}

static bool is_same(const struct stat *a, const struct stat *b)
{
	return a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec && a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
	       a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

int file_read_regular(int fd, size_t max_len, char **ret_bytes, size_t *ret_len)
{
	CLEANUP(freep) char *bytes = NULL;
	struct stat before, after;
	size_t len = 0;
	int r;

	if (fstat(fd, &before) < 0)
		return -errno;
	if (!S_ISREG(before.st_mode))
		return -EBADF;
	r = file_read_fd(fd, max_len, &bytes, &len);
	if (r == 0 && fstat(fd, &after) < 0)
		r = -errno;
	if (r == 0 && !is_same(&before, &after)) {
		secret_wipe(bytes, len);
		r = -EAGAIN;
	}
	if (r < 0)
		return r;
	*ret_bytes = STEAL(bytes);
	*ret_len = len;
	return 0;
}

static bool is_trusted(const struct stat *st)
{
	return st->st_uid == 0 || st->st_uid == geteuid();
}

int file_check_guard(const char *path, int fd)
{
	CLEANUP(fd_closep) int name = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat file, named;

	if (name < 0 || fstat(name, &named) < 0 || fstat(fd, &file) < 0)
		return -errno;
	if (!S_ISREG(file.st_mode))
		return -EBADF;
	if (!is_trusted(&file) || (file.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return -EPERM;
	/* A link of somebody else's could lead to any good file. */
	if (S_ISLNK(named.st_mode))
		return is_trusted(&named) ? 0 : -EPERM;
	return named.st_dev == file.st_dev && named.st_ino == file.st_ino ? 0 : -EAGAIN;
}

/* Without waiting: a pipe has no writer until somebody means to open one. */
static int open_file(const char *path)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd >= 0)
		return fd;
	/* A link to nowhere is no missing file: what it named was meant to be read. */
	if (errno == ENOENT && lstat(path, &st) == 0)
		return -EBADF;
	return errno == ENXIO ? -EBADF : -errno; /* sockets */
}

static int read_path(
	const char *path, bool guarded, size_t max_len, char **ret_bytes, size_t *ret_len)
{
	int r = -EAGAIN;

	for (int i = 0; i < FILE_TRIES && r == -EAGAIN; i++) {
		CLEANUP(fd_closep) int fd = open_file(path);

		r = fd < 0 ? fd : 0;
		if (r == 0 && guarded)
			r = file_check_guard(path, fd);
		if (r == 0)
			r = file_read_regular(fd, max_len, ret_bytes, ret_len);
	}
	return r;
}

int file_read_path(const char *path, size_t max_len, char **ret_bytes, size_t *ret_len)
{
	return read_path(path, false, max_len, ret_bytes, ret_len);
}

int file_read_guarded(const char *path, size_t max_len, char **ret_bytes, size_t *ret_len)
{
	return read_path(path, true, max_len, ret_bytes, ret_len);
}

const char *file_error(int error)
{
	switch (error) {
	case -EBADF:
		return "not a regular file";
	case -EAGAIN:
		return "it changed while it was read";
	case -EFBIG:
		return "it is too large";
	case -EPERM:
		return "others than root may change it";
	default:
		return strerror(-error);
	}
}

int file_write_fd(int fd, const void *bytes, size_t len)
{
	const uint8_t *at = bytes;

	while (len > 0) {
		ssize_t n = write(fd, at, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

/* The directory part of @path; "." when it has none. */
static int directory_of(const char *path, char **ret_dir)
{
	const char *slash = strrchr(path, '/');

	*ret_dir = !slash ? strdup(".") : strndup(path, slash == path ? 1 : (size_t)(slash - path));
	return *ret_dir ? 0 : -ENOMEM;
}

static int sync_directory(const char *path)
{
	CLEANUP(freep) char *dir = NULL;
	CLEANUP(fd_closep) int fd = -1;
	int r;

	r = directory_of(path, &dir);
	if (r < 0)
		return r;
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) < 0)
		return -errno;
	return 0;
}

int file_replace(const char *path, const void *bytes, size_t len, unsigned int mode)
{
	CLEANUP(text_done) struct text temporary = { 0 };
	CLEANUP(fd_closep) int fd = -1;
	int r;

	text_addf(&temporary, "%s.XXXXXX", path);
	if (temporary.failed)
		return -ENOMEM;
	fd = mkostemp(temporary.str, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = file_write_fd(fd, bytes, len);
	if (r == 0 && (fchmod(fd, mode) < 0 || fsync(fd) < 0 || rename(temporary.str, path) < 0))
		r = -errno;
	if (r < 0) {
		(void)unlink(temporary.str); /* the first error is the one to report */
		return r;
	}
	return sync_directory(path);
}

int file_system_path(const char *path, char **ret_path)
{
	const char *root = getauxval(AT_SECURE) ? NULL : getenv("NETIPSEC_ROOT");
	CLEANUP(text_done) struct text t = { 0 };
	int r;

	if (root)
		text_add(&t, root);
	r = instance_add_path(&t, path);
	return r < 0 ? r : text_take(&t, ret_path);
}
