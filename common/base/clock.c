/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/base/clock.h"

#include <time.h>

static uint64_t clock_usec(clockid_t clock)
{
	struct timespec ts = { 0 };

	(void)clock_gettime(clock, &ts); /* cannot fail for the clocks named below */
	return (uint64_t)ts.tv_sec * USEC_PER_SEC + (uint64_t)ts.tv_nsec / 1000;
}

uint64_t clock_boot_usec(void)
{
	return clock_usec(CLOCK_BOOTTIME);
}

uint64_t clock_wall_usec(void)
{
	return clock_usec(CLOCK_REALTIME);
}

uint64_t clock_monotonic_usec(void)
{
	return clock_usec(CLOCK_MONOTONIC);
}
