/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A local socket that listens: the door of a daemon to whom D-Bus is not the way. */
#ifndef BASE_LISTEN_H
#define BASE_LISTEN_H

#include <sys/types.h>

#include "common/base/cleanup.h"

struct listen_at {
	const char *path; /* made anew; what stands there goes if it is a socket */
	mode_t mode;
	gid_t group; /* whose the socket becomes; (gid_t)-1: ours */
	int backlog;
};

/*
 * A socket of whole messages (SOCK_SEQPACKET), close-on-exec and non-blocking. There is no moment
 * at which it can be reached by more than @at says. Where we may not give it to the group, the
 * group's bits are taken off. Return: 0 or a negative errno; *ret_fd is the caller's.
 */
int listen_open(const struct listen_at *at, int *ret_fd) MUST_CHECK;
/* A descriptor to give up when there are no others left; -1: there is none even now. */
int listen_spare(int fd) MUST_CHECK;
/*
 * Who has come: his descriptor, close-on-exec and non-blocking, or a negative errno. When there is none
 * left for him he is sent away with the help of *spare: while he waited the door would be ready, and
 * the loop would spin.
 */
int listen_accept(int fd, int *spare) MUST_CHECK;

#endif
