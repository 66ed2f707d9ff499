/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/sad/seqstore_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "common/base/secret.h"

off_t seqstore_file_size(size_t pairs)
{
	return SEQSTORE_HEADER_BYTES + (off_t)(pairs * 2 * sizeof(struct seqstore_record));
}

static int write_all(int fd, const void *bytes, size_t len, off_t at)
{
	const uint8_t *from = bytes;

	while (len > 0) {
		ssize_t n = pwrite(fd, from, len, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		from += n;
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

static uint64_t record_check(const struct seqstore_file *file, const struct seqstore_record *record)
{
	return hash_keyed(&file->check_key, record, offsetof(struct seqstore_record, check));
}

bool seqstore_record_is_sound(
	const struct seqstore_file *file, const struct seqstore_record *record)
{
	return record->magic == SEQSTORE_MAGIC && record->version != 0 &&
	       record->check == record_check(file, record);
}

int seqstore_file_write(const struct seqstore_file *file, size_t pair, unsigned int which,
	struct seqstore_record *record)
{
	struct seqstore_record both[2] = { 0 };

	record->magic = SEQSTORE_MAGIC;
	record->check = record_check(file, record);
	both[0] = *record;
	/* The first write makes room for both, so that a file that was cut short shows. */
	return write_all(file->fd, both, record->version == 1 ? sizeof(both) : sizeof(both[0]),
		seqstore_file_size(pair) + (off_t)(which * sizeof(*record)));
}

int seqstore_file_read(const struct seqstore_file *file, size_t first_pair, size_t n,
	struct seqstore_record (*ret_pairs)[2])
{
	size_t len = n * sizeof(*ret_pairs), done = 0;
	uint8_t *to = (uint8_t *)ret_pairs;

	memset(to, 0, len);
	while (done < len) {
		ssize_t got = pread(file->fd, to + done, len - done,
			seqstore_file_size(first_pair) + (off_t)done);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		done += (size_t)got;
	}
	return 0;
}

static void use_secret(struct seqstore_file *file, const struct seqstore_header *header)
{
	memcpy(file->secret, header->secret, sizeof(file->secret));
	memcpy(&file->check_key, header->secret, sizeof(file->check_key));
}

static uint64_t header_check(const struct seqstore_file *file, const struct seqstore_header *header)
{
	return hash_keyed(&file->check_key, header, offsetof(struct seqstore_header, check));
}

/* Secret and an empty count, whole, before the file gets its name. */
static int file_fill(struct seqstore_file *file)
{
	struct seqstore_header header = { .magic = SEQSTORE_MAGIC,
		.record_bytes = sizeof(struct seqstore_record) };
	struct seqstore_record count = { .version = 1 };
	int r;

	if (getrandom(header.secret, sizeof(header.secret), 0) != (ssize_t)sizeof(header.secret))
		return -EIO;
	use_secret(file, &header);
	header.check = header_check(file, &header);
	r = write_all(file->fd, &header, sizeof(header), 0);
	secret_wipe(&header, sizeof(header));
	if (r == 0 && ftruncate(file->fd, seqstore_file_size(1)) < 0)
		r = -errno;
	if (r == 0)
		r = seqstore_file_write(file, 0, 0, &count);
	if (r == 0 && fsync(file->fd) < 0)
		r = -errno;
	return r;
}

static int file_create(struct seqstore_file *file)
{
	int r;

	file->fd = openat(file->dir, SEQSTORE_FILE_NEW,
		O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (file->fd < 0 || fchmod(file->fd, 0600) < 0)
		return -errno;
	r = file_fill(file);
	if (r < 0)
		return r;
	if (renameat(file->dir, SEQSTORE_FILE_NEW, file->dir, SEQSTORE_FILE) < 0 ||
		fsync(file->dir) < 0)
		return -errno;
	return 0;
}

static int file_check(struct seqstore_file *file, off_t *ret_size)
{
	struct seqstore_header header;
	struct stat st;
	int r = 0;

	if (fstat(file->fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_mode & 077)
		return -EACCES;
	if (st.st_size < seqstore_file_size(1) ||
		pread(file->fd, &header, sizeof(header), 0) != (ssize_t)sizeof(header))
		return -EBADMSG;
	use_secret(file, &header);
	if (header.magic != SEQSTORE_MAGIC ||
		header.record_bytes != sizeof(struct seqstore_record) ||
		header.check != header_check(file, &header))
		r = -EBADMSG;
	secret_wipe(&header, sizeof(header));
	*ret_size = st.st_size;
	return r;
}

int seqstore_file_open(struct seqstore_file *file, const char *directory, off_t *ret_size)
{
	int r;

	file->dir = file->fd = -1;
	if (mkdir(directory, 0700) < 0 && errno != EEXIST)
		return -errno;
	file->dir = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (file->dir < 0)
		return -errno;
	file->fd = openat(file->dir, SEQSTORE_FILE, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY);
	if (file->fd < 0) {
		if (errno != ENOENT)
			return -errno;
		r = file_create(file);
		if (r < 0)
			return r;
	}
	return file_check(file, ret_size);
}

void seqstore_file_done(struct seqstore_file *file)
{
	fd_closep(&file->fd);
	fd_closep(&file->dir);
	secret_wipe(file->secret, sizeof(file->secret));
	secret_wipe(&file->check_key, sizeof(file->check_key));
}
