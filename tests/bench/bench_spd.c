/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bench-spd: what it costs to find the rule of a packet: known to the flow cache ("hit"), new to it
 * ("miss": cache, then classifier), new in a batch ("batch"), and by the classifier alone ("rules").
 * Beside it what a load from a random place in memory costs that the next one waits for, measured in
 * the same rounds. Time is that of the thread; what is told is the median of the rounds.
 */
#include <errno.h>
#include <getopt.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "services/datapath/engine/engine.h"
#include "services/datapath/spd/classifier.h"
#include "services/datapath/spd/flow_cache.h"
#include "tests/bench/bench_rules.h"
#include "tests/bench/bench_spd_engine.h"
#include "tests/bench/bench_world.h"

#define FLOWS	     (1U << 16)
#define HIT_FLOWS    256U
#define MAX_ROUNDS   101
#define LINE	     64U
#define MEMORY	     (UINT64_C(64) << 20)
#define LOADS	     (1U << 17)
#define ENGINE_RULES 10000U

static const size_t sizes[] = { 10, 100, 1000, 10000, 100000 };
#define N_SIZES ARRAY_SIZE(sizes)

enum part { HIT, MISS, BATCH, RULES, N_PARTS };
static const char *const part_names[] = { "hit_ns", "miss_ns", "batch_ns", "rules_ns" };

struct options {
	unsigned long rounds, seed;
	bool json;
};

/* One size of policy. */
struct policy {
	struct spd *spd;
	struct classifier *classifier;
	struct flow *flows;
	double compile_ms;
	double ns[N_PARTS][MAX_ROUNDS];
};

/* A walk through memory in an order that nobody can foresee. */
struct walk {
	uint32_t *next;
	uint32_t at;
	double ns[MAX_ROUNDS];
};

struct bench {
	struct options options;
	struct policy policies[N_SIZES];
	struct walk walk;
	struct flow_cache *cache;
	uint64_t version;
	uint64_t sum; /* so that nothing is left out */
	double engine_ns, engine_ratio; /* of ENGINE_RULES */
};

static double now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Sorts them. */
static double median(double *values, size_t n)
{
	qsort(values, n, sizeof(*values), compare_doubles);
	return values[n / 2];
}

static int walk_init(struct walk *walk, struct bench_random *random)
{
	size_t n = MEMORY / LINE, step = LINE / sizeof(*walk->next);
	CLEANUP(freep) uint32_t *order = calloc(n, sizeof(*order));

	walk->next = aligned_alloc(UINT64_C(1) << 21, MEMORY);
	if (!walk->next || !order)
		return -ENOMEM;
	(void)madvise(walk->next, MEMORY, MADV_HUGEPAGE); /* as the classifier does */
	for (size_t i = 0; i < n; i++)
		order[i] = (uint32_t)i;
	for (size_t i = n; i > 1; i--) {
		size_t other = bench_random(random) % i;
		uint32_t line = order[i - 1];

		order[i - 1] = order[other];
		order[other] = line;
	}
	for (size_t i = 0; i < n; i++)
		walk->next[order[i] * step] = order[(i + 1) % n] * (uint32_t)step;
	return 0;
}

static double time_walk(struct walk *walk)
{
	double begin = now_ns();

	for (unsigned int i = 0; i < LOADS; i++)
		walk->at = walk->next[walk->at];
	return (now_ns() - begin) / LOADS;
}

static int policy_init(struct policy *policy, size_t count, struct bench_random *random)
{
	struct rule **rules;
	double begin;
	int r = bench_rules_new(random, count, &rules);

	if (r < 0)
		return r;
	r = spd_new(rules, count, SPD_FIRST_MATCH, &policy->spd);
	if (r < 0) {
		bench_rules_free(rules, count);
		return r;
	}
	free(rules);
	policy->flows = calloc(FLOWS, sizeof(*policy->flows));
	if (!policy->flows)
		return -ENOMEM;
	for (size_t i = 0; i < FLOWS; i++)
		policy->flows[i] = bench_flow(random, policy->spd->rules, count);
	begin = now_ns();
	r = classifier_new(policy->spd->rules, count, &policy->classifier);
	policy->compile_ms = (now_ns() - begin) / 1e6;
	return r;
}

static uint32_t look_up(struct bench *bench, const struct policy *policy, const struct flow *flow)
{
	bool known;
	struct flow_note *note = flow_cache_get(bench->cache, flow, 0, &known);

	if (!known)
		note->rule = classifier_find(policy->classifier, 0, flow);
	return note->rule;
}

static void look_up_batch(struct bench *bench, const struct policy *policy, size_t first)
{
	struct classifier_query queries[BENCH_BATCH];
	struct flow_note *notes[BENCH_BATCH];
	size_t n = 0;
	bool known;

	for (size_t i = 0; i < BENCH_BATCH; i++) {
		const struct flow *flow = &policy->flows[first + i];

		notes[n] = flow_cache_get(bench->cache, flow, 0, &known);
		if (!known)
			queries[n++] = (struct classifier_query){ .flow = flow };
	}
	classifier_find_batch(policy->classifier, queries, n);
	for (size_t i = 0; i < n; i++) {
		notes[i]->rule = queries[i].rule;
		bench->sum += queries[i].rule;
	}
}

static double time_part(struct bench *bench, const struct policy *policy, enum part part)
{
	double begin;

	flow_cache_begin(bench->cache, ++bench->version);
	if (part == HIT)
		for (size_t i = 0; i < HIT_FLOWS; i++)
			bench->sum += look_up(bench, policy, &policy->flows[i]);
	begin = now_ns();
	switch (part) {
	case HIT:
		for (size_t i = 0; i < FLOWS; i++)
			bench->sum += look_up(bench, policy, &policy->flows[i % HIT_FLOWS]);
		break;
	case MISS:
		for (size_t i = 0; i < FLOWS; i++)
			bench->sum += look_up(bench, policy, &policy->flows[i]);
		break;
	case BATCH:
		for (size_t i = 0; i < FLOWS; i += BENCH_BATCH)
			look_up_batch(bench, policy, i);
		break;
	case RULES:
		for (size_t i = 0; i < FLOWS; i++)
			bench->sum += classifier_find(policy->classifier, 0, &policy->flows[i]);
		break;
	case N_PARTS:
		break;
	}
	return (now_ns() - begin) / FLOWS;
}

static void run(struct bench *bench)
{
	for (size_t round = 0; round <= bench->options.rounds; round++) {
		size_t keep = round == 0 ? 0 : round - 1; /* the first only warms up */

		bench->walk.ns[keep] = time_walk(&bench->walk);
		for (size_t s = 0; s < N_SIZES; s++)
			for (size_t part = 0; part < N_PARTS; part++)
				bench->policies[s].ns[part][keep] = time_part(
					bench, &bench->policies[s], (enum part)part);
	}
}

/* Medians of each round's own ratio. */
static double ratio(const struct bench *bench, enum part part, size_t many, size_t few)
{
	double ratios[MAX_ROUNDS];

	for (size_t i = 0; i < bench->options.rounds; i++)
		ratios[i] = bench->policies[many].ns[part][i] / bench->policies[few].ns[part][i];
	return median(ratios, bench->options.rounds);
}

static double memory_per_rule(const struct policy *policy)
{
	size_t bytes = classifier_bytes(policy->classifier);

	for (size_t i = 0; i < policy->spd->count; i++)
		bytes += sizeof(struct rule *) + sizeof(struct rule) + sizeof(struct rule_hits) +
			 policy->spd->rules[i]->n_actions * sizeof(struct action) +
			 2 * sizeof(void *); /* what the allocator keeps */
	return (double)bytes / (double)policy->spd->count;
}

static void tell(struct bench *bench)
{
	struct json_object *out = json_object_new_object(), *rows = json_object_new_array();
	size_t n = bench->options.rounds, last = N_SIZES - 1;
	double parts[N_PARTS], load, ratios[N_PARTS];

	for (size_t part = 0; part < N_PARTS; part++)
		ratios[part] = ratio(bench, (enum part)part, last, 0);
	load = median(bench->walk.ns, n);
	if (!bench->options.json)
		printf("seed %lu, one dependent load from 64 MiB: %.0f ns\n"
		       "%7s %8s %8s %9s %9s %7s %9s %11s %9s\n",
			bench->options.seed, load, "RULES", "HIT NS", "MISS NS", "BATCH NS",
			"RULES NS", "LOADS", "COMPILE", "CLASSIFIER", "B/RULE");
	for (size_t s = 0; s < N_SIZES; s++) {
		struct policy *policy = &bench->policies[s];
		struct json_object *row = json_object_new_object();
		size_t bytes = classifier_bytes(policy->classifier);

		json_object_object_add(row, "rules", json_object_new_uint64(sizes[s]));
		for (size_t part = 0; part < N_PARTS; part++) {
			parts[part] = median(policy->ns[part], n);
			json_object_object_add(
				row, part_names[part], json_object_new_double(parts[part]));
		}
		json_object_object_add(row, "loads", json_object_new_double(parts[RULES] / load));
		json_object_object_add(
			row, "compile_ms", json_object_new_double(policy->compile_ms));
		json_object_object_add(row, "classifier_bytes", json_object_new_uint64(bytes));
		json_object_object_add(
			row, "bytes_per_rule", json_object_new_double(memory_per_rule(policy)));
		json_object_array_add(rows, row);
		if (!bench->options.json)
			printf("%7zu %8.1f %8.1f %9.1f %9.1f %7.2f %6.1f ms %11zu %9.0f\n",
				sizes[s], parts[HIT], parts[MISS], parts[BATCH], parts[RULES],
				parts[RULES] / load, policy->compile_ms, bytes,
				memory_per_rule(policy));
	}
	json_object_object_add(out, "seed", json_object_new_uint64(bench->options.seed));
	json_object_object_add(out, "load_ns", json_object_new_double(load));
	json_object_object_add(out, "sizes", rows);
	json_object_object_add(out, "miss_ratio", json_object_new_double(ratios[MISS]));
	json_object_object_add(out, "batch_ratio", json_object_new_double(ratios[BATCH]));
	json_object_object_add(out, "engine_ratio", json_object_new_double(bench->engine_ratio));
	if (bench->options.json)
		printf("%s\n", json_object_to_json_string_ext(out, JSON_C_TO_STRING_PRETTY));
	else
		printf("100,000 rules to 10: hit %.2f, miss %.2f, batch %.2f, rules %.2f\n"
		       "whole engine, 1400 octets there and back: %.0f ns under %u rules, "
		       "%.1f%% of the rate under one\n",
			ratios[HIT], ratios[MISS], ratios[BATCH], ratios[RULES], bench->engine_ns,
			ENGINE_RULES, bench->engine_ratio * 100);
	(void)json_object_put(out);
}

static void bench_done(struct bench *bench)
{
	for (size_t i = 0; i < N_SIZES; i++) {
		(void)classifier_free(bench->policies[i].classifier);
		(void)spd_free(bench->policies[i].spd);
		free(bench->policies[i].flows);
	}
	(void)flow_cache_free(bench->cache);
	free(bench->walk.next);
}

static bool number(const char *text, unsigned long least, unsigned long most, unsigned long *ret)
{
	size_t len = strspn(text, "0123456789");

	*ret = 0;
	for (size_t i = 0; i < len && *ret <= most; i++)
		*ret = *ret * 10 + (unsigned long)(text[i] - '0');
	return len > 0 && text[len] == '\0' && *ret >= least && *ret <= most;
}

static bool read_options(int argc, char **argv, struct options *options)
{
	static const struct option longs[] = { { "json", no_argument, NULL, 'j' },
		{ "rounds", required_argument, NULL, 'r' },
		{ "seed", required_argument, NULL, 's' }, { NULL, 0, NULL, 0 } };
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		bool good = true;

		if (c == 'j')
			options->json = true;
		else if (c == 'r')
			good = number(optarg, 1, MAX_ROUNDS, &options->rounds);
		else if (c == 's')
			good = number(optarg, 1, UINT32_MAX, &options->seed);
		else
			good = false;
		if (!good)
			return false;
	}
	return optind == argc;
}

int main(int argc, char **argv)
{
	static struct bench bench = { .options = { .rounds = 15, .seed = 4301 } };
	struct bench_random random;
	int r;

	if (!read_options(argc, argv, &bench.options)) {
		fputs("usage: bench-spd [--json] [--rounds N] [--seed N]\n", stderr);
		return 2;
	}
	random.state = bench.options.seed;
	bench.cache = flow_cache_new();
	r = bench.cache ? walk_init(&bench.walk, &random) : -ENOMEM;
	for (size_t i = 0; i < N_SIZES && r == 0; i++)
		r = policy_init(&bench.policies[i], sizes[i], &random);
	if (r == 0)
		r = bench_spd_engine(&random, ENGINE_RULES, &bench.engine_ns, &bench.engine_ratio);
	if (r == 0) {
		run(&bench);
		tell(&bench);
	} else {
		fprintf(stderr, "bench-spd: %s\n", strerror(-r));
	}
	bench_done(&bench);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
