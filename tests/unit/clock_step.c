/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Preloaded into a daemon: its wall clock is off by the seconds in the file CLOCK_STEP, an int64_t. As
 * the file is written the clock jumps, and timers that stand on it fire as the kernel's would.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define PUBLIC	   __attribute__((visibility("default")))
#define TIMERS_MAX 16

struct timer {
	int fd;
	int flags;
	struct itimerspec next; /* as it was asked for */
};

struct step {
	const _Atomic int64_t *offset_sec; /* of the file; NULL: the clock is right */
	int notice;
	pthread_mutex_t lock;
	struct timer timers[TIMERS_MAX];
	size_t n_timers;
};

static struct step *step(void)
{
	static struct step one = { .lock = PTHREAD_MUTEX_INITIALIZER };

	return &one;
}

static int64_t offset_sec(void)
{
	return step()->offset_sec ? atomic_load(step()->offset_sec) : 0;
}

static int set(int fd, int flags, const struct itimerspec *next, struct itimerspec *former)
{
	return (int)syscall(SYS_timerfd_settime, fd, flags, next, former);
}

/* A real timer that fires when the false clock would make it fire. */
static int arm(const struct timer *timer, struct itimerspec *former)
{
	struct itimerspec next = timer->next;
	bool armed = next.it_value.tv_sec != 0 || next.it_value.tv_nsec != 0;

	if (armed && timer->flags & TFD_TIMER_ABSTIME) {
		next.it_value.tv_sec -= offset_sec();
		if (next.it_value.tv_sec <= 0) /* long ago, but not "never" */
			next.it_value.tv_sec = 1;
	}
	return set(timer->fd, timer->flags, &next, former);
}

static void *follow(void *userdata)
{
	char event[1024];

	(void)userdata;
	while (read(step()->notice, event, sizeof(event)) > 0) {
		(void)pthread_mutex_lock(&step()->lock);
		for (size_t i = 0; i < step()->n_timers; i++)
			(void)arm(&step()->timers[i], NULL);
		(void)pthread_mutex_unlock(&step()->lock);
	}
	return NULL;
}

__attribute__((constructor)) static void begin(void)
{
	struct step *s = step();
	const char *path = getenv("CLOCK_STEP");
	sigset_t all, before;
	pthread_t thread;
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	void *map;

	if (fd < 0)
		return;
	map = mmap(NULL, sizeof(int64_t), PROT_READ, MAP_SHARED, fd, 0);
	(void)close(fd);
	s->notice = inotify_init1(IN_CLOEXEC);
	if (map == MAP_FAILED || inotify_add_watch(s->notice, path, IN_CLOSE_WRITE) < 0)
		abort();
	s->offset_sec = map;
	/* The daemon takes its signals where it wants them. */
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	if (pthread_create(&thread, NULL, follow, NULL) != 0)
		abort();
	(void)pthread_detach(thread);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
}

PUBLIC int clock_gettime(clockid_t clock, struct timespec *ts)
{
	int r = (int)syscall(SYS_clock_gettime, clock, ts);

	if (r == 0 && clock == CLOCK_REALTIME)
		ts->tv_sec += offset_sec();
	return r;
}

PUBLIC time_t time(time_t *ret)
{
	struct timespec ts = { 0 };

	(void)clock_gettime(CLOCK_REALTIME, &ts);
	if (ret)
		*ret = ts.tv_sec;
	return ts.tv_sec;
}

PUBLIC int timerfd_create(int clock, int flags)
{
	struct step *s = step();
	int fd = (int)syscall(SYS_timerfd_create, clock, flags);

	if (fd >= 0 && clock == CLOCK_REALTIME) {
		(void)pthread_mutex_lock(&s->lock);
		if (s->n_timers == TIMERS_MAX)
			abort();
		s->timers[s->n_timers++] = (struct timer){ .fd = fd };
		(void)pthread_mutex_unlock(&s->lock);
	}
	return fd;
}

PUBLIC int timerfd_settime(
	int fd, int flags, const struct itimerspec *next, struct itimerspec *former)
{
	struct step *s = step();
	struct timer *found = NULL;
	int r;

	(void)pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < s->n_timers; i++)
		found = s->timers[i].fd == fd ? &s->timers[i] : found;
	if (found) {
		found->flags = flags;
		found->next = *next;
	}
	r = found ? arm(found, former) : set(fd, flags, next, former);
	(void)pthread_mutex_unlock(&s->lock);
	return r;
}
