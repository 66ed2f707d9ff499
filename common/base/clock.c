/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/base/clock.h"

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

uint64_t clock_boot_lately(struct clock_lately *lately)
{
	struct timespec tick = { 0 };

	/* It moves with the ticks, so the counter of the CPU need not be read, which waits for all before. */
	(void)clock_gettime(CLOCK_MONOTONIC_COARSE, &tick);
	if (lately->usec == 0 || tick.tv_nsec != lately->tick.tv_nsec ||
		tick.tv_sec != lately->tick.tv_sec) {
		lately->tick = tick;
		lately->usec = clock_boot_usec();
	}
	return lately->usec;
}

uint64_t clock_wall_usec(void)
{
	return clock_usec(CLOCK_REALTIME);
}

uint64_t clock_monotonic_usec(void)
{
	return clock_usec(CLOCK_MONOTONIC);
}
