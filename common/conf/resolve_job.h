/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Host names looked up all at once by helper threads, within a time limit: the caller's loop goes
 * on, and what a parser asks afterwards is answered from memory.
 *
 *	policy_host_names(source, len, &names, &count);
 *	resolve_job_new(&resolver_system, names, count, timeout_usec, &job);
 *	... until resolve_job_fd(job) is readable ...
 *	answers = resolve_job_answers(job);
 *	policy_parse(with .resolver = &answers);
 *	resolve_job_free(job);
 */
#ifndef CONF_RESOLVE_JOB_H
#define CONF_RESOLVE_JOB_H

#include "common/conf/resolve.h"

#define RESOLVE_TIMEOUT_USEC (10 * UINT64_C(1000000))

struct resolve_job;

/**
 * resolve_job_new() - begin to look names up
 * @resolver:     who is asked, from several threads at a time; borrowed until the process ends,
 *                since a look-up cannot be broken off
 * @names:        host names; copied, repeats are asked once
 * @timeout_usec: of all look-ups together, counted from this call
 *
 * Return: 0 or negative errno.
 */
int resolve_job_new(const struct resolver *resolver, const char *const *names, size_t count,
	uint64_t timeout_usec, struct resolve_job **ret_job) MUST_CHECK;
/* Before the end, too: what is still under way ends unheard. */
struct resolve_job *resolve_job_free(struct resolve_job *job);
DEFINE_CLEANUP(struct resolve_job *, resolve_job_free)

/* Readable, and it stays so, when every name is answered or the time is over. */
int resolve_job_fd(const struct resolve_job *job);
/* For who has no loop: blocks until then. Return: 0 or negative errno. */
int resolve_job_wait(const struct resolve_job *job) MUST_CHECK;
/*
 * A resolver that answers from what is known by now: the same to the same question, -ETIMEDOUT for
 * a name that was not answered in time, -ENOENT for one that was not asked. Services and protocols
 * are asked of the job's resolver. It borrows @job.
 */
struct resolver resolve_job_answers(struct resolve_job *job);

#endif
