/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/counter_store.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "common/base/hash.h"

struct counter_blocks {
	uint64_t kind; /* hash of the verdicts' names: what the numbers count */
	struct counters workers[SAD_MAX_WORKERS];
};

static uint64_t kind_of_verdicts(void)
{
	uint64_t kind = 0;

	for (size_t i = 0; i < VERDICT_COUNT; i++) {
		const char *name = verdict_name((enum verdict)i);

		kind = kind * 31 + hash_stable(name, strlen(name));
	}
	return kind;
}

static struct counter_blocks *map_blocks(int fd)
{
	void *at = mmap(
		NULL, sizeof(struct counter_blocks), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	return at == MAP_FAILED ? NULL : at;
}

/* A memfd that can shrink would let a read of ours fault. */
static int check_former(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0 || st.st_size != (off_t)sizeof(struct counter_blocks))
		return -EBADMSG;
	return (fcntl(fd, F_GET_SEALS) & F_SEAL_SHRINK) ? 0 : -EBADMSG;
}

static int make_new(int *ret_fd)
{
	CLEANUP(fd_closep) int fd = memfd_create(
		"netipsec-counters", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || ftruncate(fd, (off_t)sizeof(struct counter_blocks)) < 0 ||
		fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		return -errno;
	*ret_fd = STEAL_FD(fd);
	return 0;
}

int counter_store_open(int fd, struct counter_store *ret_store, bool *ret_new)
{
	struct counter_store store = { .fd = fd };
	int r;

	if (fd >= 0 && check_former(fd) == 0)
		store.blocks = map_blocks(fd);
	*ret_new = !store.blocks || store.blocks->kind != kind_of_verdicts();
	if (*ret_new) {
		counter_store_close(&store);
		r = make_new(&store.fd);
		if (r < 0)
			return r;
		store.blocks = map_blocks(store.fd);
		if (!store.blocks) {
			counter_store_close(&store);
			return -ENOMEM;
		}
		store.blocks->kind = kind_of_verdicts();
	}
	*ret_store = store;
	return 0;
}

void counter_store_close(struct counter_store *store)
{
	if (store->blocks)
		(void)munmap(store->blocks, sizeof(*store->blocks)); /* it was mapped so */
	fd_closep(&store->fd);
	*store = (struct counter_store){ .fd = -1 };
}

struct counters *counter_store_of(struct counter_store *store, size_t worker)
{
	return &store->blocks->workers[worker];
}
