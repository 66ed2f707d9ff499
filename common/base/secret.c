/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/base/secret.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#define BLOCK_PAGES 4U

/* Pages that many secrets share, so that they are locked once and not for each. */
struct secret_block {
	_Atomic size_t refs; /* of secrets in it, and of the pool that fills it */
	size_t used, size;
};

struct secret {
	_Atomic uint32_t refs;
	uint32_t len;
	struct secret_block *block; /* NULL: it stands alone */
	uint8_t bytes[];
};

/*
 * Locks and dump advice work on whole pages, and neighbours on the heap get them too. They are
 * never undone: a page that held keys is likely to hold some again. Both are best effort, which is
 * why secret_protect_process() exists.
 */
static void secret_pin(void *bytes, size_t len)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uintptr_t start = (uintptr_t)bytes / page * page;
	uintptr_t end = ((uintptr_t)bytes + len + page - 1) / page * page;

	(void)mlock(bytes, len);
	(void)madvise((void *)start, end - start, MADV_DONTDUMP);
}

static void block_unref(struct secret_block *block)
{
	if (block && atomic_fetch_sub_explicit(&block->refs, 1, memory_order_acq_rel) == 1)
		free(block);
}

static struct secret_block *block_new(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), size = BLOCK_PAGES * page;
	struct secret_block *block = aligned_alloc(page, size);

	if (!block)
		return NULL;
	secret_pin(block, size);
	atomic_init(&block->refs, 1);
	block->used = (sizeof(*block) + 15) / 16 * 16;
	block->size = size;
	return block;
}

/* Room for one more in the pool's block, or in another one. */
static struct secret *pool_take(struct secret_pool *pool, size_t size)
{
	struct secret_block *block = pool->block;
	struct secret *secret;

	size = (size + 15) / 16 * 16;
	if (!block || block->size - block->used < size) {
		block = block_new();
		if (!block)
			return NULL;
		secret_pool_done(pool);
		pool->block = block;
	}
	secret = (void *)((uint8_t *)block + block->used);
	block->used += size;
	atomic_fetch_add_explicit(&block->refs, 1, memory_order_relaxed);
	secret->block = block;
	return secret;
}

void secret_pool_done(struct secret_pool *pool)
{
	block_unref(pool->block);
	pool->block = NULL;
}

int secret_new_in(
	struct secret_pool *pool, const uint8_t *bytes, size_t len, struct secret **ret_secret)
{
	struct secret *secret;

	if (len == 0 || len > SECRET_MAX_BYTES)
		return -EINVAL;
	secret = pool ? pool_take(pool, sizeof(*secret) + len) : malloc(sizeof(*secret) + len);
	if (!secret)
		return -ENOMEM;
	if (!pool) {
		secret_pin(secret, sizeof(*secret) + len);
		secret->block = NULL;
	}
	atomic_init(&secret->refs, 1);
	secret->len = (uint32_t)len;
	memcpy(secret->bytes, bytes, len);
	*ret_secret = secret;
	return 0;
}

int secret_new(const uint8_t *bytes, size_t len, struct secret **ret_secret)
{
	return secret_new_in(NULL, bytes, len, ret_secret);
}

struct secret *secret_ref(struct secret *secret)
{
	if (secret)
		atomic_fetch_add_explicit(&secret->refs, 1, memory_order_relaxed);
	return secret;
}

struct secret *secret_unref(struct secret *secret)
{
	if (secret && atomic_fetch_sub_explicit(&secret->refs, 1, memory_order_acq_rel) == 1) {
		struct secret_block *block = secret->block;

		secret_wipe(secret->bytes, secret->len);
		if (block)
			block_unref(block);
		else
			free(secret);
	}
	return NULL;
}

size_t secret_len(const struct secret *secret)
{
	return secret ? secret->len : 0;
}

const uint8_t *secret_bytes(const struct secret *secret)
{
	return secret ? secret->bytes : NULL;
}

bool secret_equal(const struct secret *a, const struct secret *b)
{
	if (secret_len(a) != secret_len(b))
		return false;
	return a == b || CRYPTO_memcmp(a->bytes, b->bytes, a->len) == 0;
}

void secret_wipe(void *bytes, size_t len)
{
	if (bytes)
		OPENSSL_cleanse(bytes, len);
}

int secret_protect_process(void)
{
	static const struct rlimit no_core = { 0, 0 };

	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || setrlimit(RLIMIT_CORE, &no_core) < 0)
		return -errno;
	return 0;
}
