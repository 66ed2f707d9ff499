/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/base/pages.h"

#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#define HUGE_PAGE ((size_t)1 << 21)

static size_t round_up(size_t size)
{
	size_t page = size >= HUGE_PAGE ? HUGE_PAGE : (size_t)sysconf(_SC_PAGESIZE);

	return (size + page - 1) / page * page;
}

static void *map(size_t size)
{
	void *pages = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return pages == MAP_FAILED ? NULL : pages;
}

void *pages_new(size_t size)
{
	size_t before;
	uint8_t *all, *pages;

	if (size > SIZE_MAX / 2)
		return NULL;
	size = round_up(size ? size : 1);
	if (size < HUGE_PAGE)
		return map(size);
	all = map(size + HUGE_PAGE);
	if (!all)
		return NULL;
	/* Of one more than are needed those between two borders. */
	before = (HUGE_PAGE - (uintptr_t)all % HUGE_PAGE) % HUGE_PAGE;
	pages = all + before;
	(void)madvise(pages, size, MADV_HUGEPAGE); /* small pages do too */
	(void)munmap(pages + size, HUGE_PAGE - before);
	if (before > 0)
		(void)munmap(all, before);
	return pages;
}

void pages_free(void *pages, size_t size)
{
	if (pages)
		(void)munmap(pages, round_up(size ? size : 1));
}
