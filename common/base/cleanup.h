/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ownership in C: scoped release, hand-over, and results that must be looked at. */
#ifndef BASE_CLEANUP_H
#define BASE_CLEANUP_H

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Run fn(&variable) when the variable leaves its scope. */
#define CLEANUP(fn) __attribute__((cleanup(fn)))

/* Take the pointer out of an owning variable, leaving NULL behind. */
#define STEAL(p)                             \
	__extension__({                      \
		__typeof__(p) stolen_ = (p); \
		(p) = NULL;                  \
		stolen_;                     \
	})

/* The same for a descriptor; -1 stays behind. */
#define STEAL_FD(fd)                   \
	__extension__({                \
		int stolen_fd_ = (fd); \
		(fd) = -1;             \
		stolen_fd_;            \
	})

#define SWAP(a, b)                          \
	do {                                \
		__typeof__(a) swapped_ = a; \
		(a) = (b);                  \
		(b) = swapped_;             \
	} while (0)
#define MUST_CHECK __attribute__((warn_unused_result))
/* All automatic variables are zeroed by the compiler; this is for large ones on the packet path. */
#define UNINITIALISED		__attribute__((uninitialized))
#define PRINTF_LIKE(fmt, first) __attribute__((format(printf, fmt, first)))
#define ARRAY_SIZE(a)		(sizeof(a) / sizeof((a)[0]))

/* DEFINE_CLEANUP(struct sad *, sad_free) makes sad_freep(), for use with CLEANUP(). */
#define DEFINE_CLEANUP(type, fn)                 \
	static inline void fn##p(type *variable) \
	{                                        \
		if (*variable)                   \
			(void)fn(*variable);     \
	}

static inline void freep(void *variable)
{
	free(*(void **)variable);
}

static inline void fd_closep(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd); /* nothing is left to be done about a failed close */
}

DEFINE_CLEANUP(FILE *, fclose)

#endif
