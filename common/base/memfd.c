/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/base/memfd.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define MEMFD_SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL)

int memfd_seal(const char *name, const void *bytes, size_t len, int *ret_fd)
{
	CLEANUP(fd_closep) int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int r;

	if (fd < 0)
		return -errno;
	r = file_write_fd(fd, bytes, len);
	if (r < 0)
		return r;
	if (lseek(fd, 0, SEEK_SET) < 0 || fcntl(fd, F_ADD_SEALS, MEMFD_SEALS) < 0)
		return -errno;
	*ret_fd = STEAL_FD(fd);
	return 0;
}

int memfd_map(int fd, size_t max_len, struct memfd_view *ret_view)
{
	struct stat st;
	void *map;
	int seals;

	/* Seals come first: before they are known to be there the length may still change. */
	seals = fcntl(fd, F_GET_SEALS);
	if (seals < 0)
		return errno == EBADF ? -EBADF : -EINVAL;
	if ((seals & MEMFD_SEALS) != MEMFD_SEALS)
		return -EPERM;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size < 0)
		return -EINVAL;
	if ((uint64_t)st.st_size > max_len)
		return -EFBIG;
	*ret_view = (struct memfd_view){ 0 };
	if (st.st_size == 0)
		return 0;
	map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (map == MAP_FAILED)
		return -errno;
	ret_view->bytes = map;
	ret_view->len = (size_t)st.st_size;
	return 0;
}

void memfd_unmap(struct memfd_view *view)
{
	if (view->bytes)
		(void)munmap((void *)(uintptr_t)view->bytes, view->len);
	*view = (struct memfd_view){ 0 };
}

int memfd_hash(const void *bytes, size_t len, uint8_t ret_hash[static MEMFD_HASH_BYTES])
{
	unsigned int hash_len = 0;

	if (EVP_Digest(len ? bytes : "", len, ret_hash, &hash_len, EVP_sha256(), NULL) != 1 ||
		hash_len != MEMFD_HASH_BYTES)
		return -EIO;
	return 0;
}
