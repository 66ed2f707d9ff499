/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "services/svc/svc.h"

#define CHUNK_BYTES	2048
#define EXIT_NO_PROGRAM 127

/* The suite stays together, wherever it is installed. */
static int path_beside(const char *name, char **ret_path)
{
	CLEANUP(freep) char *own = realpath("/proc/self/exe", NULL);
	CLEANUP(text_done) struct text path = { 0 };
	const char *slash = own ? strrchr(own, '/') : NULL;

	if (!slash)
		return own ? -EINVAL : -errno;
	text_add_bytes(&path, own, (size_t)(slash - own) + 1);
	text_add(&path, name);
	return text_take(&path, ret_path);
}

/* In the child: never returns. */
static _Noreturn void become(const char *path, char *const *argv, const int out[2],
	const int errors[2], int input_fd, const char *instance)
{
	if (dup2(out[1], STDOUT_FILENO) < 0 || dup2(errors[1], STDERR_FILENO) < 0 ||
		(input_fd >= 0 && fcntl(input_fd, F_SETFD, 0) < 0) ||
		(instance[0] && setenv("NETIPSEC_INSTANCE", instance, 1) < 0))
		_exit(EXIT_NO_PROGRAM);
	(void)execv(path, argv);
	_exit(EXIT_NO_PROGRAM);
}

/* False at the end of it. */
static bool take_chunk(int fd, struct text *text)
{
	char chunk[CHUNK_BYTES];
	ssize_t n = read(fd, chunk, sizeof(chunk));

	if (n > 0)
		text_add_bytes(text, chunk, (size_t)n);
	return n > 0 || (n < 0 && errno == EINTR);
}

static void collect(int out, int errors, struct text *ret_out, struct text *ret_error)
{
	struct pollfd fds[] = { { .fd = out, .events = POLLIN },
		{ .fd = errors, .events = POLLIN } };

	while (fds[0].fd >= 0 || fds[1].fd >= 0) {
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			return;
		if (fds[0].fd >= 0 && fds[0].revents && !take_chunk(out, ret_out))
			fds[0].fd = -1;
		if (fds[1].fd >= 0 && fds[1].revents && !take_chunk(errors, ret_error))
			fds[1].fd = -1;
	}
}

static void close_pair(int (*pair)[2])
{
	for (size_t i = 0; i < 2; i++)
		fd_closep(&(*pair)[i]);
}

int svc_program_run(char *const *argv, int input_fd, const char *instance, struct text *ret_out,
	struct text *ret_error)
{
	CLEANUP(close_pair) int out[2] = { -1, -1 };
	CLEANUP(close_pair) int errors[2] = { -1, -1 };
	CLEANUP(freep) char *path = NULL;
	int status, r = path_beside(argv[0], &path);
	pid_t child;

	if (!path)
		return r < 0 ? r : -EIO;
	if (pipe2(out, O_CLOEXEC) < 0 || pipe2(errors, O_CLOEXEC) < 0)
		return -errno;
	child = fork();
	if (child < 0)
		return -errno;
	if (child == 0)
		become(path, argv, out, errors, input_fd, instance);
	fd_closep(&out[1]);
	fd_closep(&errors[1]);
	collect(out[0], errors[0], ret_out, ret_error);
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	if (!WIFEXITED(status) || ret_out->failed || ret_error->failed)
		return -EIO;
	return WEXITSTATUS(status) == EXIT_NO_PROGRAM ? -ENOENT : WEXITSTATUS(status);
}
