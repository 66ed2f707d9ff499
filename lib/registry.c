/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/registry.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#define FILE_MAX_BYTES (1U << 20)

/* What tells one content of the file from the next. All zero: no file. */
struct stamp {
	dev_t device;
	ino_t inode;
	off_t size;
	struct timespec changed;
};

struct registry {
	pthread_mutex_t lock;
	bool tried; /* `stamp` says something */
	struct stamp stamp; /* of the last reading, be it good or bad */
	struct ipsecalgs *table; /* of the last good one; NULL: none */
};

/* A process has one such file, and so one such table. */
static struct registry *registry(void)
{
	static struct registry one = { .lock = PTHREAD_MUTEX_INITIALIZER };

	return &one;
}

static struct stamp stamp_of(const struct stat *st)
{
	struct stamp stamp = { .device = st->st_dev,
		.inode = st->st_ino,
		.size = st->st_size,
		.changed = st->st_mtim };

	return stamp;
}

static bool same_stamp(const struct stamp *a, const struct stamp *b)
{
	return a->device == b->device && a->inode == b->inode && a->size == b->size &&
	       a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}

/* Behind NETIPSEC_ROOT, unless the process runs with elevated rights. NULL: no memory. */
static char *file_path(void)
{
	const char *root = secure_getenv("NETIPSEC_ROOT");
	char *path = NULL;

	return asprintf(&path, "%s%s", root ? root : "", IPSECALGS_PATH) < 0 ? NULL : path;
}

/* Return: the length, or negative errno. */
static ssize_t read_all(int fd, char *bytes, size_t size)
{
	size_t len = 0;

	while (len < size) {
		ssize_t n = read(fd, bytes + len, size - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return (ssize_t)len;
		len += (size_t)n;
	}
	return -EFBIG;
}

static void complain(const struct ipsecalgs_problem *problem, void *userdata)
{
	(void)userdata;
	if (problem->fatal)
		syslog(LOG_ERR, "%s:%u: %s; the file may be corrupt", IPSECALGS_PATH, problem->line,
			problem->text);
}

/* Parse what @fd has; *stamp becomes that of what was read, whatever came of it. */
static int read_table(int fd, struct stamp *stamp, struct ipsecalgs **ret_table)
{
	struct stat st;
	char *bytes;
	ssize_t len;
	int r;

	if (fstat(fd, &st) < 0)
		return -errno;
	*stamp = stamp_of(&st);
	bytes = malloc(FILE_MAX_BYTES);
	if (!bytes)
		return -ENOMEM;
	len = S_ISREG(st.st_mode) ? read_all(fd, bytes, FILE_MAX_BYTES) : -EINVAL;
	r = len < 0 ? (int)len : ipsecalgs_parse(bytes, (size_t)len, complain, NULL, ret_table);
	if (len < 0)
		syslog(LOG_ERR, "%s: %s", IPSECALGS_PATH, strerror((int)-len));
	free(bytes);
	return r;
}

static int read_builtin(struct ipsecalgs **ret_table)
{
	const char *text = ipsecalgs_default_text();

	return ipsecalgs_parse(text, strlen(text), NULL, NULL, ret_table);
}

/* Read the file that changed. What does not work out leaves the former table. */
static int refresh(struct registry *r, const char *path)
{
	struct stamp stamp = { 0 };
	struct ipsecalgs *table = NULL;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int result;

	if (fd >= 0) {
		result = read_table(fd, &stamp, &table);
		(void)close(fd); /* it was only read */
	} else {
		result = errno == ENOENT ? read_builtin(&table) : -errno;
	}
	if (result == -ENOMEM)
		return result; /* to be tried again, though nothing changed */
	r->stamp = stamp;
	r->tried = true;
	if (result == 0) {
		(void)ipsecalgs_free(r->table);
		r->table = table;
	}
	return 0;
}

int registry_lock(const struct ipsecalgs **ret_table)
{
	struct registry *r = registry();
	struct stamp stamp = { 0 };
	struct stat st;
	char *path;
	int result = -ENOMEM;

	(void)pthread_mutex_lock(&r->lock); /* a plain mutex that nobody destroys */
	path = file_path();
	if (path) {
		if (stat(path, &st) == 0)
			stamp = stamp_of(&st);
		result = r->tried && same_stamp(&stamp, &r->stamp) ? 0 : refresh(r, path);
	}
	free(path);
	*ret_table = r->table;
	if (r->table)
		return 0;
	return result == -ENOMEM ? ENOMEM : EINVAL;
}

void registry_unlock(void)
{
	(void)pthread_mutex_unlock(&registry()->lock);
}
