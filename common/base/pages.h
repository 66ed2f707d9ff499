/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Large arrays in large pages, where the kernel has them: finding a page costs as much as the cache
 * line in it. They are pages of their own, fresh from the kernel, since what an allocator had in use
 * before stays in small ones.
 */
#ifndef BASE_PAGES_H
#define BASE_PAGES_H

#include <stddef.h>

/* Zeroed, aligned to a cache line at least; NULL: no memory. */
void *pages_new(size_t size);
void pages_free(void *pages, size_t size); /* NULL too; @size as it was asked for */

#endif
