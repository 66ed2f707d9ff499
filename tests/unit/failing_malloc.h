/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An allocator that fails once, at the call that fail_at names. For suites linked with failing_malloc_dep. */
#ifndef UNIT_FAILING_MALLOC_H
#define UNIT_FAILING_MALLOC_H

#include <stdbool.h>
#include <stdlib.h>

static unsigned long calls, fail_at; /* counted from 1; fail_at 0: never */

static inline bool fails(void)
{
	return ++calls == fail_at;
}

void *real_malloc(size_t size) __asm__("__real_malloc");
void *failing_malloc(size_t size) __asm__("__wrap_malloc");
void *real_calloc(size_t count, size_t size) __asm__("__real_calloc");
void *failing_calloc(size_t count, size_t size) __asm__("__wrap_calloc");
void *real_realloc(void *old, size_t size) __asm__("__real_realloc");
void *failing_realloc(void *old, size_t size) __asm__("__wrap_realloc");
void *real_reallocarray(void *old, size_t count, size_t size) __asm__("__real_reallocarray");
void *failing_reallocarray(void *old, size_t count, size_t size) __asm__("__wrap_reallocarray");
char *real_strdup(const char *str) __asm__("__real_strdup");
char *failing_strdup(const char *str) __asm__("__wrap_strdup");
void *real_aligned_alloc(size_t align, size_t size) __asm__("__real_aligned_alloc");
void *failing_aligned_alloc(size_t align, size_t size) __asm__("__wrap_aligned_alloc");

void *failing_malloc(size_t size)
{
	return fails() ? NULL : real_malloc(size);
}

void *failing_calloc(size_t count, size_t size)
{
	return fails() ? NULL : real_calloc(count, size);
}

void *failing_realloc(void *old, size_t size)
{
	return fails() ? NULL : real_realloc(old, size);
}

void *failing_reallocarray(void *old, size_t count, size_t size)
{
	return fails() ? NULL : real_reallocarray(old, count, size);
}

char *failing_strdup(const char *str)
{
	return fails() ? NULL : real_strdup(str);
}

void *failing_aligned_alloc(size_t align, size_t size)
{
	return fails() ? NULL : real_aligned_alloc(align, size);
}

/* As many times as @run allocates, each time with another of the allocations failing. Returns how many. */
static inline unsigned long fail_each(int (*run)(void *userdata), void *userdata, int want,
	void (*check)(int result, unsigned long number, int want))
{
	unsigned long all;
	int first;

	calls = 0;
	first = run(userdata);
	all = calls;
	check(first, 0, want); /* which itself allocates */
	for (unsigned long n = 1; n <= all; n++) {
		int r;

		calls = 0;
		fail_at = n;
		r = run(userdata);
		fail_at = 0;
		check(r, n, want);
	}
	check(run(userdata), 0, want);
	return all;
}

#endif
