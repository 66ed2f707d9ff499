/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/base/secret.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

struct secret {
	_Atomic unsigned int refs;
	size_t len;
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

int secret_new(const uint8_t *bytes, size_t len, struct secret **ret_secret)
{
	struct secret *secret;

	if (len == 0 || len > SECRET_MAX_BYTES)
		return -EINVAL;
	secret = malloc(sizeof(*secret) + len);
	if (!secret)
		return -ENOMEM;
	secret_pin(secret, sizeof(*secret) + len);
	atomic_init(&secret->refs, 1);
	secret->len = len;
	memcpy(secret->bytes, bytes, len);
	*ret_secret = secret;
	return 0;
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
		secret_wipe(secret->bytes, secret->len);
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
