/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/conf/resolve_job.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/timerfd.h>

#define MOST_HELPERS 8

struct question {
	char *name;
	bool answered;
	bool is_network;
	int result; /* of the resolver, valid when answered */
	size_t count;
	struct address *addrs; /* owned */
};

/* Shared by its owner and the helpers; the last to leave frees it. */
struct resolve_job {
	const struct resolver *resolver;
	int fd; /* a timer: the deadline, moved to the present when all is answered */
	pthread_mutex_t lock; /* of everything below */
	size_t holders;
	size_t next; /* the first question that nobody has taken */
	size_t open; /* not answered */
	bool closed; /* answers are heard no more */
	size_t count;
	struct question questions[]; /* by name */
};

static void job_destroy(struct resolve_job *job)
{
	for (size_t i = 0; i < job->count; i++) {
		free(job->questions[i].name);
		free(job->questions[i].addrs);
	}
	if (job->fd >= 0)
		(void)close(job->fd);
	(void)pthread_mutex_destroy(&job->lock);
	free(job);
}

static void job_unref(struct resolve_job *job)
{
	bool last;

	(void)pthread_mutex_lock(&job->lock);
	last = --job->holders == 0;
	(void)pthread_mutex_unlock(&job->lock);
	if (last)
		job_destroy(job);
}

static int set_timer(const struct resolve_job *job, uint64_t usec)
{
	struct itimerspec when = {
		.it_value = { .tv_sec = (time_t)(usec / 1000000),
			.tv_nsec = (long)(usec % 1000000) * 1000 },
	};

	if (usec == 0)
		when.it_value.tv_nsec = 1; /* zero would disarm it */
	return timerfd_settime(job->fd, 0, &when, NULL) < 0 ? -errno : 0;
}

/* With the lock held. */
static void keep_answer(
	struct resolve_job *job, struct question *q, int result, const struct resolved *found)
{
	if (job->closed)
		return;
	q->result = result;
	if (result == 0 && found->count > 0) {
		q->addrs = malloc(found->count * sizeof(*q->addrs));
		if (q->addrs) {
			memcpy(q->addrs, found->addrs, found->count * sizeof(*q->addrs));
			q->count = found->count;
		} else {
			q->result = -ENOMEM;
		}
	}
	q->is_network = found->is_network;
	q->answered = true;
	if (--job->open == 0)
		(void)set_timer(job, 0); /* else the deadline is when the owner wakes */
}

static void *help(void *argument)
{
	struct resolve_job *job = argument;

	(void)pthread_mutex_lock(&job->lock);
	while (!job->closed && job->next < job->count) {
		struct question *q = &job->questions[job->next++];
		struct resolved found = { 0 };
		int r;

		(void)pthread_mutex_unlock(&job->lock);
		r = job->resolver->host(job->resolver->userdata, q->name, AF_UNSPEC, &found);
		(void)pthread_mutex_lock(&job->lock);
		keep_answer(job, q, r, &found);
	}
	(void)pthread_mutex_unlock(&job->lock);
	job_unref(job);
	return NULL;
}

static int compare_names(const void *x, const void *y)
{
	return strcmp(((const struct question *)x)->name, ((const struct question *)y)->name);
}

/* Sorted, each name once. */
static int add_questions(struct resolve_job *job, const char *const *names, size_t count)
{
	size_t kept = 0;

	for (size_t i = 0; i < count; i++) {
		job->questions[i].name = strdup(names[i]);
		if (!job->questions[i].name)
			return -ENOMEM;
		job->count++;
	}
	qsort(job->questions, job->count, sizeof(job->questions[0]), compare_names);
	for (size_t i = 0; i < job->count; i++) {
		struct question *q = &job->questions[i];

		if (kept > 0 && strcmp(job->questions[kept - 1].name, q->name) == 0)
			free(q->name);
		else
			job->questions[kept++] = *q;
	}
	job->count = kept;
	job->open = kept;
	return 0;
}

/* One that no signal of the process ever reaches. */
static int start_helper(struct resolve_job *job)
{
	pthread_attr_t attr;
	sigset_t all, former;
	pthread_t thread;
	int r = pthread_attr_init(&attr);

	if (r != 0)
		return -r;
	(void)sigfillset(&all);
	(void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	r = pthread_sigmask(SIG_SETMASK, &all, &former);
	if (r == 0) {
		(void)pthread_mutex_lock(&job->lock);
		job->holders++;
		(void)pthread_mutex_unlock(&job->lock);
		r = pthread_create(&thread, &attr, help, job);
		if (r != 0)
			job_unref(job); /* the owner still holds it */
		(void)pthread_sigmask(SIG_SETMASK, &former, NULL);
	}
	(void)pthread_attr_destroy(&attr);
	return -r;
}

static int start_helpers(struct resolve_job *job)
{
	size_t wanted = job->count < MOST_HELPERS ? job->count : MOST_HELPERS;
	int r = 0;

	for (size_t i = 0; r == 0 && i < wanted; i++) {
		r = start_helper(job);
		if (r < 0 && i > 0)
			return 0; /* fewer are slower, no more */
	}
	return r;
}

int resolve_job_new(const struct resolver *resolver, const char *const *names, size_t count,
	uint64_t timeout_usec, struct resolve_job **ret_job)
{
	CLEANUP(resolve_job_freep) struct resolve_job *job = NULL;
	int r;

	if (count > SIZE_MAX / 2 / sizeof(struct question))
		return -ENOMEM;
	job = calloc(1, sizeof(*job) + count * sizeof(struct question));
	if (!job)
		return -ENOMEM;
	(void)pthread_mutex_init(&job->lock, NULL); /* never fails for a plain one */
	job->holders = 1;
	job->resolver = resolver;
	job->fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (job->fd < 0)
		return -errno;
	r = add_questions(job, names, count);
	if (r == 0)
		r = set_timer(job, job->count ? timeout_usec : 0);
	if (r == 0)
		r = start_helpers(job);
	if (r < 0)
		return r;
	*ret_job = STEAL(job);
	return 0;
}

static void job_close(struct resolve_job *job)
{
	(void)pthread_mutex_lock(&job->lock);
	job->closed = true;
	(void)pthread_mutex_unlock(&job->lock);
}

struct resolve_job *resolve_job_free(struct resolve_job *job)
{
	if (job) {
		job_close(job);
		job_unref(job);
	}
	return NULL;
}

int resolve_job_fd(const struct resolve_job *job)
{
	return job->fd;
}

int resolve_job_wait(const struct resolve_job *job)
{
	struct pollfd poller = { .fd = job->fd, .events = POLLIN };
	int r;

	do {
		r = poll(&poller, 1, -1);
	} while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : 0;
}

/* ---- the answers: a closed job does not change, so that no lock is needed ---- */

static int answer_host(void *userdata, const char *name, int family, struct resolved *ret)
{
	const struct resolve_job *job = userdata;
	const struct question *q;
	struct question key = { 0 };
	CLEANUP(freep) char *copy = strdup(name);

	*ret = (struct resolved){ 0 };
	if (!copy)
		return -ENOMEM;
	key.name = copy;
	q = bsearch(&key, job->questions, job->count, sizeof(*q), compare_names);
	if (!q)
		return -ENOENT;
	if (!q->answered)
		return -ETIMEDOUT;
	for (size_t i = 0; i < q->count; i++)
		if (family == AF_UNSPEC || q->addrs[i].family == family)
			ret->addrs[ret->count++] = q->addrs[i];
	ret->is_network = q->is_network;
	if (q->result == 0 && ret->count == 0)
		return -ENOENT;
	return q->result;
}

static int answer_service(void *userdata, const char *name, uint16_t *ret_port)
{
	const struct resolver *resolver = ((const struct resolve_job *)userdata)->resolver;

	return resolver->service(resolver->userdata, name, ret_port);
}

static int answer_protocol(void *userdata, const char *name, uint8_t *ret_protocol)
{
	const struct resolver *resolver = ((const struct resolve_job *)userdata)->resolver;

	return resolver->protocol(resolver->userdata, name, ret_protocol);
}

struct resolver resolve_job_answers(struct resolve_job *job)
{
	job_close(job);
	return (struct resolver){
		.host = answer_host,
		.service = answer_service,
		.protocol = answer_protocol,
		.userdata = job,
	};
}
