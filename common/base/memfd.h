/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sealed memory files: how anything larger than a few words leaves a process. */
#ifndef BASE_MEMFD_H
#define BASE_MEMFD_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/cleanup.h"

#define MEMFD_HASH_BYTES 32

/* A memfd with these bytes, sealed against shrinking, growing, writing and further seals. */
int memfd_seal(const char *name, const void *bytes, size_t len, int *ret_fd) MUST_CHECK;

/* A read-only mapping of a sealed memfd. */
struct memfd_view {
	const uint8_t *bytes; /* NULL when len is 0 */
	size_t len;
};

/*
 * Map a descriptor that somebody else sent. Refused unless it is a memfd with all four seals and
 * at most @max_len long. The descriptor stays the caller's.
 * Return: 0, -EPERM (not sealed), -EFBIG, -EINVAL (no memfd), other errno.
 */
int memfd_map(int fd, size_t max_len, struct memfd_view *ret_view) MUST_CHECK;
void memfd_unmap(struct memfd_view *view);

/* SHA-256. Return 0 or -EIO. */
int memfd_hash(const void *bytes, size_t len, uint8_t ret_hash[static MEMFD_HASH_BYTES]) MUST_CHECK;

/*
 * Read a whole regular file, pipe or memfd from its current position, at most @max_len bytes
 * (-EFBIG beyond). *ret_bytes is owned by the caller and NUL-terminated behind its length.
 */
int file_read_fd(int fd, size_t max_len, char **ret_bytes, size_t *ret_len) MUST_CHECK;
/*
 * A regular file only (-EBADF), as it was at one moment (-EAGAIN): half of an old text and half of a
 * new one would be a text that nobody wrote.
 */
int file_read_regular(int fd, size_t max_len, char **ret_bytes, size_t *ret_len) MUST_CHECK;
/* As file_read_regular(), tried a few times; never waits for the writer of a pipe. */
int file_read_path(const char *path, size_t max_len, char **ret_bytes, size_t *ret_len) MUST_CHECK;
/*
 * Can nobody but root and the process's own user have written the regular file @fd, opened by @path? It,
 * and a link in its place, belong to one of them, and neither group nor others may write it.
 * Return: 0, -EPERM, -EBADF (no regular file), -EAGAIN (another one stands there by now), other errno.
 */
int file_check_guard(const char *path, int fd) MUST_CHECK;
/* As file_read_path(), of a file that passes file_check_guard(). */
int file_read_guarded(
	const char *path, size_t max_len, char **ret_bytes, size_t *ret_len) MUST_CHECK;
/* What went wrong in words: -EBADF no regular file, -EAGAIN it changed while it was read, ... */
const char *file_error(int error);
/* All of the bytes, over short writes and interrupts. */
int file_write_fd(int fd, const void *bytes, size_t len) MUST_CHECK;
/* Write a temporary file beside @path, fsync, rename over it, fsync the directory. */
int file_replace(const char *path, const void *bytes, size_t len, unsigned int mode) MUST_CHECK;

/*
 * Where a file of the system stands: @path, behind the prefix of the environment variable
 * NETIPSEC_ROOT when it is set and the program runs without elevated rights.
 * *ret_path is owned by the caller. Return: 0 or -ENOMEM.
 */
int file_system_path(const char *path, char **ret_path) MUST_CHECK;

#endif
