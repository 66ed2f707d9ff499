/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bench-sad: what a SAD of some size costs: look-ups by SPI and by flow, in random order, in batches as
 * the engine does them and one by one; SAs added at once, as from the key file, and one by one, as over
 * PF_KEY; memory; and a second of idleness.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/base/text.h"
#include "services/datapath/sad/sadb.h"

#define LOOKUPS	  32000U /* a round */
#define ROUNDS	  101U
#define BATCH	  32U
#define TICKS	  20U
#define NSEC	  1000000000.0
#define FIRST_SPI 0x1000U

struct bench {
	char dir[64];
	struct rcu *rcu;
	struct sad *sad;
	struct arena *arena;
	struct seqstore *store;
	struct sadb *sadb;
	size_t n;
};

static double now(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / NSEC;
}

static double cpu(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / NSEC;
}

static void fail(const char *what, int error)
{
	fprintf(stderr, "bench-sad: %s: %s\n", what, strerror(error));
	exit(1);
}

/* Resident octets. */
static double memory(void)
{
	FILE *file = fopen("/proc/self/statm", "re");
	double resident = 0;
	char line[128], *total_end = NULL;

	/* Its first field is the whole address space. */
	if (file && fgets(line, sizeof(line), file)) {
		(void)strtod(line, &total_end);
		resident = strtod(total_end, NULL);
	}
	if (file)
		(void)fclose(file);
	if (resident < 1)
		fail("/proc/self/statm", EIO);
	return resident * (double)sysconf(_SC_PAGESIZE);
}

static bool is_local(const struct address *addr, void *userdata)
{
	(void)userdata;
	return addr->bytes[0] == 192;
}

static void open_all(struct bench *bench)
{
	struct sadb_parts parts = { .is_local = is_local };
	int r = rcu_new(&bench->rcu);

	memcpy(bench->dir, "/var/tmp/bench-sad-XXXXXX", 26);
	if (r == 0 && !mkdtemp(bench->dir))
		r = -errno;
	if (r == 0)
		r = arena_open(-1, &bench->arena);
	if (r == 0)
		r = seqstore_open(bench->dir, &bench->store);
	bench->sad = r == 0 ? sad_new(bench->rcu) : NULL;
	if (!bench->sad)
		fail("open", r ? -r : ENOMEM);
	parts.sad = bench->sad;
	parts.arena = bench->arena;
	parts.seqstore = bench->store;
	r = sadb_new(&parts, &bench->sadb);
	if (r < 0)
		fail("open", -r);
}

static void close_all(struct bench *bench)
{
	char path[96];

	(void)sadb_free(bench->sadb);
	(void)sad_free(bench->sad);
	(void)rcu_free(bench->rcu);
	(void)seqstore_free(bench->store);
	(void)arena_free(bench->arena);
	if (text_fixed(path, sizeof(path), "%s/counters", bench->dir) == 0)
		(void)unlink(path); /* it lies in a directory for such files */
	(void)rmdir(bench->dir);
}

/* Half of them go out, to 64 hosts, each for a flow of its own; AES-128-GCM, a key each. */
static struct sa *make_sa(uint32_t i)
{
	struct sa *sa = sa_new();
	uint8_t key[20] = { 1 };

	if (!sa)
		fail("SA", ENOMEM);
	memcpy(key + 1, &i, sizeof(i));
	*sa = (struct sa){ .proto = SA_PROTO_ESP,
		.spi = FIRST_SPI + i,
		.src = { .family = AF_INET, .bytes = { 192, 0, 2, 1 } },
		.dst = { .family = AF_INET, .bytes = { 10, 0, 0, (uint8_t)(i / 2 % 64) } },
		.protocol = IPPROTO_UDP,
		.src_port = (uint16_t)(1 + i / 128 % 60000),
		.dst_port = (uint16_t)(1 + i / 128 / 60000),
		.encr = ALG_ENCR_AES_GCM16,
		.encr_key_bits = 128,
		.salt_bits = 32,
		.state = SA_MATURE,
		.hard = { .add_sec = 28800 + i % 7200 } };
	if (i % 2) {
		struct address swap = sa->src;

		sa->src = sa->dst;
		sa->dst = swap;
		sa->replay_window = 64;
	}
	if (secret_new(key, sizeof(key), &sa->encr_key) < 0)
		fail("key", ENOMEM);
	return sa;
}

static double add_all(struct bench *bench, size_t n)
{
	struct sa_list *list = sa_list_new(n);
	struct text why = { 0 };
	double begun;
	int r = 0;

	for (uint32_t i = 0; list && r == 0 && i < n; i++)
		r = sa_list_add(list, make_sa(i));
	begun = now();
	if (!list || r < 0 || sadb_apply_keys(bench->sadb, list, &why) < 0)
		fail(why.str ? why.str : "add", ENOMEM);
	begun = now() - begun;
	bench->n = n;
	(void)sa_list_free(list);
	text_done(&why);
	return begun;
}

static uint32_t draw(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return (uint32_t)(*state >> 16);
}

/* What the packets of a batch ask, each about an SA that goes out, or the one behind it. */
struct questions {
	struct address here, hosts[BATCH];
	struct flow flows[BATCH];
	struct sad_query out[BATCH];
	struct sad_inbound in[BATCH];
};

static void prepare(struct questions *q)
{
	q->here = (struct address){ .family = AF_INET, .bytes = { 192, 0, 2, 1 } };
	for (size_t i = 0; i < BATCH; i++) {
		q->hosts[i] = (struct address){ .family = AF_INET, .bytes = { 10, 0, 0, 0 } };
		q->flows[i] = (struct flow){ .direction = DIRECTION_OUT,
			.protocol = IPPROTO_UDP,
			.has_ports = true,
			.local = q->here };
		q->out[i] = (struct sad_query){
			.proto = SA_PROTO_ESP, .src = q->here, .flow = &q->flows[i]
		};
		q->in[i] = (struct sad_inbound){
			.proto = SA_PROTO_ESP, .dst = &q->here, .src = &q->hosts[i]
		};
	}
}

static void draw_questions(
	struct questions *q, const struct bench *bench, uint64_t *state, bool outbound)
{
	for (size_t k = 0; k < BATCH; k++) {
		uint32_t i = (uint32_t)((uint64_t)draw(state) * bench->n >> 32) & ~1U;

		q->hosts[k].bytes[3] = (uint8_t)(i / 2 % 64);
		q->in[k].spi = FIRST_SPI + i + 1;
		if (!outbound)
			continue;
		q->out[k].dst = q->flows[k].remote = q->hosts[k];
		q->flows[k].local_port = (uint16_t)(1 + i / 128 % 60000);
		q->flows[k].remote_port = (uint16_t)(1 + i / 128 / 60000);
	}
}

static size_t find_singly(const struct bench *bench, struct questions *q, bool outbound)
{
	size_t found = 0;

	for (size_t i = 0; i < BATCH; i++)
		if (outbound)
			found += sad_find_outbound(bench->sad, &q->out[i]) != NULL;
		else
			found += sad_find_inbound(bench->sad, SA_PROTO_ESP, q->in[i].spi,
					 q->in[i].dst, q->in[i].src) != NULL;
	return found;
}

/* As the engine does it with the packets that a worker has read at once. */
static size_t find_batch(const struct bench *bench, struct questions *q, bool outbound)
{
	struct sad_entry *entries[BATCH];
	size_t found = 0;

	if (outbound)
		sad_find_outbound_batch(bench->sad, q->out, BATCH, entries);
	else
		sad_find_inbound_batch(bench->sad, q->in, BATCH);
	for (size_t i = 0; i < BATCH; i++)
		found += (outbound ? entries[i] : q->in[i].entry) != NULL;
	return found;
}

/* ns for each, in random order, questions included: the best of some rounds. */
static double look_up(const struct bench *bench, bool outbound, bool batch)
{
	static struct questions q;
	uint64_t state = 88172645463325252U;
	double best = 0;

	prepare(&q);
	for (unsigned int round = 0; round < ROUNDS; round++) {
		double begun = cpu(); /* the machine may be busy */
		size_t found = 0;

		for (size_t k = 0; k < LOOKUPS; k += BATCH) {
			draw_questions(&q, bench, &state, outbound);
			found += batch ? find_batch(bench, &q, outbound)
				       : find_singly(bench, &q, outbound);
		}
		begun = cpu() - begun;
		if (found != LOOKUPS)
			fail("look-up", ENOENT);
		if (round == 0 || begun < best)
			best = begun;
	}
	return best / LOOKUPS * NSEC;
}

/* Part of a core that a SAD takes of which nobody asks anything. */
static double idle(struct bench *bench)
{
	double begun = cpu();

	for (unsigned int i = 0; i < TICKS; i++)
		sadb_tick(bench->sadb);
	return (cpu() - begun) / TICKS;
}

static double add_singly(struct bench *bench, uint32_t first, uint32_t n)
{
	struct sadb_refusal refusal;
	double begun = now();

	/* The odd ones come in: nothing has to be reserved on disk for them. */
	for (uint32_t i = 0; i < n; i++)
		if (sadb_add(bench->sadb, make_sa((first + 2 * i) | 1), NULL, &refusal) < 0)
			fail("add", refusal.error);
	return now() - begun;
}

static void measure(size_t n)
{
	struct bench bench = { .n = 0 };
	double before, added, resident, ns[4], rest;

	open_all(&bench);
	before = memory();
	added = add_all(&bench, n);
	resident = memory() - before;
	for (unsigned int i = 0; i < ARRAY_SIZE(ns); i++)
		ns[i] = look_up(&bench, i % 2, i < 2);
	rest = idle(&bench);
	printf("%8zu SAs: a look-up in batches in %6.1f ns, out %6.1f ns, one by one in %6.1f ns, "
	       "out %6.1f ns\n"
	       "%8s      added in %.3f s, %.0f octets each; idle %.4f %% of a core\n",
		n, ns[0], ns[1], ns[2], ns[3], "", added, resident / (double)n, rest * 100);
	if (n >= 1000)
		printf("%8s      one by one, inbound: %.1f us each\n", "",
			add_singly(&bench, (uint32_t)n, 1000) / 1000 * 1e6);
	close_all(&bench);
}

static size_t number(const char *text)
{
	size_t n = 0;

	for (; *text >= '0' && *text <= '9' && n < 100000000; text++)
		n = n * 10 + (size_t)(*text - '0');
	if (*text)
		fail("a number of SAs is needed", EINVAL);
	return n;
}

int main(int argc, char **argv)
{
	static const size_t sizes[] = { 100, 10000, 100000, 1000000 };
	size_t most = argc > 1 ? number(argv[1]) : 1000000;

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
		if (sizes[i] <= most)
			measure(sizes[i]);
	return 0;
}
