/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Clocks: lifetimes run on the one that counts suspend, what people read is wall time. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

#define USEC_PER_SEC UINT64_C(1000000)
#define NSEC_PER_SEC UINT64_C(1000000000)

/* Microseconds of CLOCK_BOOTTIME: never goes back, goes on while suspended. */
uint64_t clock_boot_usec(void);
/* The same up to a tick of the kernel (1 to 10 ms) ago, for who asks far more often. Zeroed at first. */
struct clock_lately {
	struct timespec tick;
	uint64_t usec;
};
uint64_t clock_boot_lately(struct clock_lately *lately);
/* Microseconds since 1970 (CLOCK_REALTIME), for display only. */
uint64_t clock_wall_usec(void);
/* Microseconds of CLOCK_MONOTONIC, as sd_notify's MONOTONIC_USEC wants them. */
uint64_t clock_monotonic_usec(void);

#endif
