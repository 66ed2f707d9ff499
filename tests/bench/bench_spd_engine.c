/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/bench/bench_spd_engine.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <time.h>

#include "common/model/algorithm.h"
#include "tests/bench/bench_rules.h"
#include "tests/bench/bench_world.h"

#define ROUNDS 31
#define TURNS  64
#define LEN    1400

static const struct bench_suite gcm = { "aes-128-gcm-16", ALG_ENCR_AES_GCM16, 128, 32,
	ALG_AUTH_NONE, 0 };

/* The same policy with @count rules in front of the traffic's own, none of which it meets. */
static int crowd(struct bench_host *host, struct bench_random *random, size_t count)
{
	struct engine_view *old = rcu_read(&host->view), *next;
	struct engine_view_parts parts = { .sad = host->sad, .generation = 2 };
	struct rule **rules;
	int r = bench_rules_new(random, count, &rules);

	if (r < 0)
		return r;
	for (size_t i = 0; i < count; i++)
		rules[i]->selector.protocol = IPPROTO_TCP; /* the traffic is UDP */
	rules[count] = rule_copy(old->spd->rules[0]); /* there is room for one more */
	if (!rules[count]) {
		bench_rules_free(rules, count);
		return -ENOMEM;
	}
	rules[count]->order = (uint32_t)count;
	r = spd_new(rules, count + 1, SPD_FIRST_MATCH, &parts.spd);
	if (r < 0) {
		bench_rules_free(rules, count + 1);
		return r;
	}
	free(rules);
	r = engine_view_new(&parts, &next);
	if (r < 0) {
		(void)spd_free(parts.spd);
		return r;
	}
	rcu_publish(&host->view, next);
	(void)engine_view_free(old); /* one thread: nobody reads it */
	return 0;
}

static double now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* ns a packet to seal and to open; negative: one did not pass. */
static double run_turns(struct bench_world *world)
{
	double ns = 0, begin;

	for (unsigned int turn = 0; turn < TURNS; turn++) {
		bench_world_refill(world, LEN);
		begin = now_ns();
		if (!bench_world_seal(world, BENCH_BATCH) || !bench_world_open(world, BENCH_BATCH))
			return -1;
		ns += now_ns() - begin;
	}
	return ns / TURNS / BENCH_BATCH;
}

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

int bench_spd_engine(struct bench_random *random, size_t count, double *ret_ns, double *ret_ratio)
{
	CLEANUP(bench_world_freep) struct bench_world *one = NULL;
	CLEANUP(bench_world_freep) struct bench_world *many = NULL;
	double few_ns[ROUNDS], many_ns[ROUNDS], ratios[ROUNDS];
	int r = bench_world_new(&gcm, SUITE_CHOICE_AUTO, 0, &one);

	if (r == 0)
		r = bench_world_new(&gcm, SUITE_CHOICE_AUTO, 0, &many);
	if (r == 0)
		r = crowd(&many->out, random, count - 1);
	if (r == 0)
		r = crowd(&many->in, random, count - 1);
	for (unsigned int i = 0; i <= ROUNDS && r == 0; i++) {
		unsigned int keep = i == 0 ? 0 : i - 1; /* the first only warms up */

		few_ns[keep] = run_turns(one);
		many_ns[keep] = run_turns(many);
		ratios[keep] = few_ns[keep] / many_ns[keep];
		if (few_ns[keep] < 0 || many_ns[keep] < 0)
			r = -EPROTO;
	}
	if (r < 0)
		return r;
	qsort(many_ns, ROUNDS, sizeof(*many_ns), compare_doubles);
	qsort(ratios, ROUNDS, sizeof(*ratios), compare_doubles);
	*ret_ns = many_ns[ROUNDS / 2];
	*ret_ratio = ratios[ROUNDS / 2];
	return 0;
}
