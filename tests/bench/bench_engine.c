/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bench-engine: what one core needs for a packet, from the clear IP packet to the protected one and
 * back: parsing, rule, SAD, sequence number, replay window, ESP ("engine"), or SAD, number, window and
 * ESP alone ("esp"). Beside it the bare library on a text of the same length. They take turns within each round, so that a machine that slows down slows both;
 * what is told is the median of the rounds, and the median of each round's own ratio.
 */
#include <errno.h>
#include <getopt.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#if defined(__x86_64__)
#include <x86intrin.h>
#endif

#include "common/model/algorithm.h"
#include "services/datapath/esp/esp.h"
#include "tests/bench/bench_library.h"

#define MAX_ROUNDS 101
#define MAX_TURNS  512
#define NSEC	   1000000000ULL

/* clang-format off */
static const struct bench_suite suites[] = {
	{ "aes-128-gcm-16",         ALG_ENCR_AES_GCM16, 128, 32, ALG_AUTH_NONE, 0 },
	{ "aes-256-gcm-16",         ALG_ENCR_AES_GCM16, 256, 32, ALG_AUTH_NONE, 0 },
	{ "aes-128-cbc+hmac-sha1",  ALG_ENCR_AES_CBC,   128, 0,  ALG_AUTH_HMAC_SHA1, 160 },
	{ "aes-128-cbc+hmac-sha256", ALG_ENCR_AES_CBC,  128, 0,  ALG_AUTH_HMAC_SHA256, 256 },
};
/* clang-format on */
static const size_t sizes[] = { 64, 256, 1400, 9000 };
static const size_t batches[] = { 1, BENCH_BATCH };

struct options {
	unsigned long rounds, slice_usec, others;
	unsigned long bytes; /* of each packet, 0: all the sizes in turn */
	const char *only; /* part of a suite's name */
	bool json;
};

/* What takes its turn: the engine, and the library behind it. */
enum part { ENGINE_SEAL, ENGINE_OPEN, ESP_SEAL, ESP_OPEN, LIBRARY_SEAL, LIBRARY_OPEN, N_PARTS };

/* ns and cycles a packet, one of each round. */
struct sample {
	double ns[N_PARTS][MAX_ROUNDS], cycles[N_PARTS][MAX_ROUNDS];
};

/* Of all packets once. A turn that lost the core to somebody else stands out, and does not count. */
struct turns {
	double ns[MAX_TURNS], cycles[MAX_TURNS];
};

struct bench {
	const struct options *options;
	struct json_object *rows;
	struct bench_world *world;
	struct bench_library *library;
	const char *suite;
	size_t len, batch, text_len;
	struct sample sample;
	struct turns turns[2]; /* of the slice in work: seal, open */
};

struct clock_at {
	uint64_t ns, cycles;
};

static struct clock_at clock_read(void)
{
	struct clock_at at = { 0 };
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC_RAW, &now);
	at.ns = (uint64_t)now.tv_sec * NSEC + (uint64_t)now.tv_nsec;
#if defined(__x86_64__)
	at.cycles = __rdtsc();
#endif
	return at;
}

static bool run_part(const struct bench *bench, enum part part)
{
	switch (part) {
	case ENGINE_SEAL:
		return bench_world_seal(bench->world, bench->batch);
	case ENGINE_OPEN:
		return bench_world_open(bench->world, bench->batch);
	case ESP_SEAL:
		return bench_world_seal_esp(bench->world, bench->batch);
	case ESP_OPEN:
		return bench_world_open_esp(bench->world, bench->batch);
	case LIBRARY_SEAL:
		return bench_library_seal(bench->library, bench->text_len);
	case LIBRARY_OPEN:
		return bench_library_open(bench->library, bench->text_len);
	case N_PARTS:
		break;
	}
	return false;
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

static bool time_part(struct bench *bench, enum part part, size_t turn, struct turns *turns)
{
	struct clock_at begin = clock_read(), end;
	bool good = run_part(bench, part);

	end = clock_read();
	turns->ns[turn] = (double)(end.ns - begin.ns) / BENCH_BATCH;
	turns->cycles[turn] = (double)(end.cycles - begin.cycles) / BENCH_BATCH;
	return good;
}

/* One slice of time of one pair: seal, then open what was sealed. Its median turn counts. */
static bool run_slice(struct bench *bench, enum part seal, size_t round)
{
	uint64_t end = clock_read().ns + bench->options->slice_usec * 1000;
	size_t n = 0;

	do {
		if (seal != LIBRARY_SEAL)
			bench_world_refill(bench->world, bench->len);
		if (!time_part(bench, seal, n, &bench->turns[0]) ||
			!time_part(bench, seal + 1, n, &bench->turns[1]))
			return false;
		n++;
	} while (n < MAX_TURNS && clock_read().ns < end);
	for (size_t i = 0; i < 2; i++) {
		bench->sample.ns[seal + i][round] = median(bench->turns[i].ns, n);
		bench->sample.cycles[seal + i][round] = median(bench->turns[i].cycles, n);
	}
	return true;
}

static void tell(struct bench *bench, enum part seal)
{
	const char *layer = seal == ENGINE_SEAL ? "engine" : "esp";
	size_t n = bench->options->rounds;

	for (size_t way = 0; way < 2; way++) {
		double *ours = bench->sample.ns[seal + way];
		double *bare = bench->sample.ns[LIBRARY_SEAL + way], spare[MAX_ROUNDS];
		double ratios[MAX_ROUNDS], ratio, ns, library;
		double cycles = median(bench->sample.cycles[seal + way], n);
		struct json_object *row;

		memcpy(spare, bare, n * sizeof(*bare));
		for (size_t i = 0; i < n; i++)
			ratios[i] = bare[i] / ours[i];
		ratio = median(ratios, n);
		ns = median(ours, n);
		library = median(spare, n);
		if (!bench->options->json) {
			printf("%-24s %-9s %-6s %5zu %5zu %-4s %9.1f %9.0f %11.1f %7.1f%%\n",
				bench->suite, bench->world->provider->name, layer, bench->len,
				bench->batch, way ? "open" : "seal", ns, cycles, library,
				ratio * 100);
			(void)fflush(stdout);
			continue;
		}
		row = json_object_new_object();
		json_object_object_add(row, "suite", json_object_new_string(bench->suite));
		json_object_object_add(
			row, "provider", json_object_new_string(bench->world->provider->name));
		json_object_object_add(row, "layer", json_object_new_string(layer));
		json_object_object_add(row, "bytes", json_object_new_uint64(bench->len));
		json_object_object_add(row, "batch", json_object_new_uint64(bench->batch));
		json_object_object_add(row, "way", json_object_new_string(way ? "open" : "seal"));
		json_object_object_add(row, "ns", json_object_new_double(ns));
		json_object_object_add(row, "cycles", json_object_new_double(cycles));
		json_object_object_add(row, "library_ns", json_object_new_double(library));
		json_object_object_add(row, "of_library", json_object_new_double(ratio));
		json_object_array_add(bench->rows, row);
	}
}

static bool run_shape(struct bench *bench)
{
	static const enum part order[] = { ENGINE_SEAL, LIBRARY_SEAL, ESP_SEAL };
	size_t sealed = esp_sealed_len(bench->world->sa, &bench->world->suite, bench->len, 20);

	bench->text_len = sealed - 20 - ESP_HEADER - bench->world->suite.iv_bytes -
			  bench->world->suite.icv_bytes;
	for (size_t round = 0; round <= bench->options->rounds; round++) {
		size_t keep = round == 0 ? 0 : round - 1; /* the first only warms up */

		for (size_t i = 0; i < ARRAY_SIZE(order); i++)
			if (!run_slice(bench, order[(i + round) % ARRAY_SIZE(order)], keep))
				return false;
	}
	tell(bench, ENGINE_SEAL);
	tell(bench, ESP_SEAL);
	return true;
}

static bool run_suite(
	const struct options *options, size_t i, enum suite_choice choice, struct json_object *rows)
{
	CLEANUP(bench_world_freep) struct bench_world *world = NULL;
	CLEANUP(bench_library_freep) struct bench_library *library = NULL;
	CLEANUP(freep) struct bench *bench = calloc(1, sizeof(*bench));
	int r = !bench ? -ENOMEM : bench_world_new(&suites[i], choice, options->others, &world);

	if (r == 0 && choice == SUITE_CHOICE_IPSEC_MB && world->provider != &suite_ipsec_mb)
		return true; /* not here */
	if (r == 0)
		r = bench_library_new(world, &library);
	if (r < 0) {
		fprintf(stderr, "bench-engine: %s: %s\n", suites[i].name, strerror(-r));
		return false;
	}
	bench->options = options;
	bench->rows = rows;
	bench->suite = suites[i].name;
	bench->world = world;
	bench->library = library;
	for (size_t b = 0; b < ARRAY_SIZE(batches); b++) {
		for (size_t s = 0; s < (options->bytes ? 1 : ARRAY_SIZE(sizes)); s++) {
			bench->len = options->bytes ? options->bytes : sizes[s];
			bench->batch = batches[b];
			if (!run_shape(bench))
				return false;
		}
	}
	return true;
}

static int usage(void)
{
	fputs("usage: bench-engine [--json] [--rounds N] [--slice-usec N] [--sas N] [--bytes N]\n"
	      "                    [--suite TEXT]\n",
		stderr);
	return 2;
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
		{ "slice-usec", required_argument, NULL, 's' },
		{ "sas", required_argument, NULL, 'n' }, { "suite", required_argument, NULL, 'o' },
		{ "bytes", required_argument, NULL, 'b' }, { NULL, 0, NULL, 0 } };
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		bool good = true;

		if (c == 'j')
			options->json = true;
		else if (c == 'r')
			good = number(optarg, 1, MAX_ROUNDS, &options->rounds);
		else if (c == 's')
			good = number(optarg, 1, 10000000, &options->slice_usec);
		else if (c == 'n')
			good = number(optarg, 0, 1000000, &options->others);
		else if (c == 'b')
			good = number(optarg, 28, BENCH_LEN, &options->bytes);
		else if (c == 'o')
			options->only = optarg;
		else
			good = false;
		if (!good)
			return false;
	}
	return optind == argc;
}

int main(int argc, char **argv)
{
	struct options options = { .rounds = 9, .slice_usec = 4000, .others = 1000, .only = "" };
	struct json_object *rows = json_object_new_array();
	bool good = true;

	if (!read_options(argc, argv, &options))
		return usage();
	if (!options.json)
		printf("%-24s %-9s %-6s %5s %5s %-4s %9s %9s %11s %8s\n", "SUITE", "PROVIDER",
			"LAYER", "BYTES", "BATCH", "WAY", "NS/PKT", "CYCLES", "LIBRARY NS",
			"OF LIB");
	for (size_t i = 0; i < ARRAY_SIZE(suites) && good; i++) {
		if (!strstr(suites[i].name, options.only))
			continue;
		good = run_suite(&options, i, SUITE_CHOICE_OPENSSL, rows) &&
		       run_suite(&options, i, SUITE_CHOICE_IPSEC_MB, rows);
	}
	if (options.json && good)
		printf("%s\n", json_object_to_json_string_ext(rows, JSON_C_TO_STRING_PRETTY));
	(void)json_object_put(rows);
	return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
