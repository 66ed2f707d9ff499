/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/bench/bench_world.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/bytes.h"
#include "common/model/algorithm.h"

#define STRIDE (PACKET_HEADROOM + BENCH_LEN + PACKET_TAILROOM)
#define WINDOW 1024U

static const uint8_t here[4] = { 192, 0, 2, 1 }, there[4] = { 192, 0, 2, 2 };

static struct address ipv4(const uint8_t bytes[static 4])
{
	struct address addr = { .family = AF_INET };

	memcpy(addr.bytes, bytes, 4);
	return addr;
}

static int set_keys(struct sa *sa, const struct bench_suite *suite)
{
	uint8_t key[64];

	for (size_t i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)(i * 7 + 3);
	sa->encr_key_bits = suite->key_bits;
	sa->salt_bits = suite->salt_bits;
	sa->auth_key_bits = suite->auth_bits;
	if (suite->key_bits && secret_new(key, (size_t)(suite->key_bits + suite->salt_bits) / 8,
				       &sa->encr_key) < 0)
		return -ENOMEM;
	return suite->auth_bits ? secret_new(key, suite->auth_bits / 8, &sa->auth_key) : 0;
}

static struct sa *make_sa(const struct bench_suite *suite, uint32_t spi, const uint8_t *dst)
{
	struct sa *sa = sa_new();

	if (!sa)
		return NULL;
	sa->proto = SA_PROTO_ESP;
	sa->mode = SA_MODE_TRANSPORT;
	sa->spi = spi;
	sa->src = ipv4(here);
	sa->dst = ipv4(dst);
	sa->encr = suite->encr;
	sa->auth = suite->auth;
	sa->state = SA_MATURE;
	if (set_keys(sa, suite) == 0)
		return sa;
	return sa_free(sa);
}

static int add_sa(struct bench_host *host, struct sa *sa, uint8_t directions,
	const struct suite_provider *provider)
{
	struct sad_entry *entry = sad_entry_new();
	struct sa_run *run = aligned_alloc(64, sizeof(*run) / 64 * 64 + 64 + WINDOW / 8);
	int r;

	if (!entry || !run) {
		(void)sa_free(sa);
		(void)sad_entry_free(entry);
		free(run);
		return -ENOMEM;
	}
	memset(run, 0, sizeof(*run) + WINDOW / 8);
	run->window = WINDOW;
	atomic_store(&run->seq_reserved, UINT64_MAX);
	atomic_store(&run->state, SA_MATURE);
	host->runs[host->n_runs++] = run;
	entry->sa = sa;
	entry->run = run;
	entry->directions = directions;
	entry->provider = provider;
	sa_normalise(sa);
	r = suite_of(sa, &entry->suite);
	if (r == 0)
		r = sad_insert(host->sad, entry);
	if (r < 0)
		(void)sad_entry_free(entry);
	return r;
}

static int add_policy(struct bench_host *host, const struct bench_suite *suite)
{
	struct engine_view_parts parts = { .sad = host->sad, .generation = 1 };
	struct rule *rule = rule_new(1);
	struct engine_view *view;
	int r;

	if (!rule)
		return -ENOMEM;
	rule->directions = DIRECTION_BIT_BOTH;
	rule->selector.protocol = IPPROTO_UDP;
	rule->order = 1;
	rule->actions[0] = (struct action){
		.kind = ACTION_PROTECT,
		.has_esp = true,
		.esp = { .number = suite->encr, .max_bits = UINT16_MAX },
		.has_esp_auth = suite->auth != ALG_AUTH_NONE,
		.esp_auth = { .number = suite->auth, .max_bits = UINT16_MAX },
	};
	r = spd_new(&rule, 1, SPD_FIRST_MATCH, &parts.spd);
	if (r < 0)
		return r;
	r = engine_view_new(&parts, &view);
	if (r == 0)
		rcu_publish(&host->view, view);
	return r;
}

static int host_start(struct bench_world *world, struct bench_host *host,
	const struct bench_suite *suite, uint8_t direction, size_t others)
{
	struct engine_setup setup = { .view = &host->view, .counters = &host->counters };
	struct sa *sa;
	int r = 0;

	host->runs = calloc(others + 1, sizeof(*host->runs));
	host->sad = sad_new(world->rcu);
	if (!host->runs || !host->sad)
		return -ENOMEM;
	for (size_t i = 0; i <= others && r == 0; i++) {
		uint8_t dst[4] = { 10, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i };

		sa = make_sa(suite, 0x1000 + (uint32_t)i, i == others / 2 ? there : dst);
		if (!sa)
			return -ENOMEM;
		if (i == others / 2)
			world->sa = sa;
		r = add_sa(host, sa, direction, world->provider);
	}
	if (r == 0)
		r = add_policy(host, suite);
	return r < 0 ? r : engine_new(&setup, &host->engine);
}

static void host_done(struct bench_host *host)
{
	(void)engine_free(host->engine);
	(void)engine_view_free(rcu_read(&host->view));
	(void)sad_free(host->sad);
	for (size_t i = 0; i < host->n_runs; i++)
		free(host->runs[i]);
	free(host->runs);
}

static int settle_provider(
	struct bench_world *world, const struct bench_suite *suite, enum suite_choice choice)
{
	CLEANUP(sa_freep) struct sa *sa = make_sa(suite, 1, there);
	int r = sa ? suite_of(sa, &world->suite) : -ENOMEM;

	if (r == 0)
		world->provider = suite_provider_for(choice, &world->suite);
	return r;
}

int bench_world_new(const struct bench_suite *suite, enum suite_choice choice, size_t others,
	struct bench_world **ret_world)
{
	CLEANUP(bench_world_freep) struct bench_world *world = calloc(1, sizeof(*world));
	int r;

	if (!world)
		return -ENOMEM;
	world->buffers = calloc(BENCH_BATCH, STRIDE);
	if (!world->buffers)
		return -ENOMEM;
	r = rcu_new(&world->rcu);
	if (r == 0)
		r = rcu_register(world->rcu, &world->slot);
	if (r == 0)
		r = settle_provider(world, suite, choice);
	if (r == 0)
		r = host_start(world, &world->out, suite, SA_OUTBOUND, others);
	if (r == 0)
		r = host_start(world, &world->in, suite, SA_INBOUND, others);
	if (r == 0)
		*ret_world = STEAL(world);
	return r;
}

struct bench_world *bench_world_free(struct bench_world *world)
{
	if (!world)
		return NULL;
	if (world->rcu) {
		rcu_unregister(world->rcu, world->slot);
		host_done(&world->out);
		host_done(&world->in);
	}
	(void)rcu_free(world->rcu);
	free(world->buffers);
	free(world);
	return NULL;
}

void bench_world_refill(struct bench_world *world, size_t len)
{
	uint8_t header[28] = { 0x45 };

	store_be16(header + 2, (uint16_t)len);
	header[8] = 64;
	header[9] = IPPROTO_UDP;
	memcpy(header + 12, here, 4);
	memcpy(header + 16, there, 4);
	store_be16(header + 10, packet_checksum(header, 20, 0));
	store_be16(header + 20, 4000);
	store_be16(header + 22, 5000);
	store_be16(header + 24, (uint16_t)(len - 20));
	for (size_t i = 0; i < BENCH_BATCH; i++) {
		packet_init(&world->pkts[i], world->buffers + i * STRIDE, STRIDE);
		world->pkts[i].len = len;
		memcpy(world->pkts[i].data, header, sizeof(header));
	}
}

static bool all_went(const struct engine_result *results, size_t n, enum engine_exit exit)
{
	for (size_t i = 0; i < n; i++) {
		if (results[i].exit != exit) {
			fprintf(stderr, "bench: a packet ended as %s\n",
				verdict_name(results[i].verdict));
			return false;
		}
	}
	return true;
}

bool bench_world_seal(struct bench_world *world, size_t batch)
{
	struct engine_result results[BENCH_BATCH];
	struct packet *pkts[BENCH_BATCH];

	for (size_t i = 0; i < BENCH_BATCH; i++)
		pkts[i] = &world->pkts[i];
	for (size_t i = 0; i < BENCH_BATCH; i += batch)
		engine_outbound(world->out.engine, pkts + i, batch, -1, results + i);
	return all_went(results, BENCH_BATCH, ENGINE_TO_WIRE);
}

bool bench_world_open(struct bench_world *world, size_t batch)
{
	struct engine_result results[BENCH_BATCH];
	struct packet *pkts[BENCH_BATCH];

	for (size_t i = 0; i < BENCH_BATCH; i++)
		pkts[i] = &world->pkts[i];
	for (size_t i = 0; i < BENCH_BATCH; i += batch)
		engine_inbound(world->in.engine, pkts + i, batch, results + i);
	return all_went(results, BENCH_BATCH, ENGINE_TO_HOST);
}

static void prepare(struct sad_entry *entry, struct esp_sa *ret_esp)
{
	*ret_esp = (struct esp_sa){
		.sa = entry->sa,
		.suite = &entry->suite,
		.context = sad_context(entry, 0),
		.run = entry->run,
	};
}

static bool seal_group(struct bench_world *world, struct packet **pkts, size_t n)
{
	struct flow flow = { .direction = DIRECTION_OUT };
	struct sad_query query = { .proto = SA_PROTO_ESP,
		.mode = SA_MODE_TRANSPORT,
		.src = ipv4(here),
		.dst = ipv4(there),
		.flow = &flow };
	enum verdict verdicts[BENCH_BATCH];
	struct sad_entry *entry = NULL;
	struct esp_sa esp;
	bool good = true;

	for (size_t i = 0; i < n; i++) {
		memcpy(query.dst.bytes, pkts[i]->data + 16, 4);
		entry = sad_find_outbound(world->out.sad, &query);
		good = good && entry;
	}
	if (!good || !entry)
		return false;
	prepare(entry, &esp);
	esp_seal_batch(&esp, pkts, n, verdicts);
	for (size_t i = 0; i < n; i++)
		good = good && verdicts[i] == VERDICT_OUT_PROTECTED;
	return good;
}

static bool open_group(struct bench_world *world, struct packet **pkts, size_t n)
{
	struct packet_view *views[BENCH_BATCH];
	enum verdict verdicts[BENCH_BATCH];
	struct sad_entry *entry = NULL;
	struct esp_sa esp;
	bool good = true;

	for (size_t i = 0; i < n; i++) {
		struct packet_view *view = views[i] = &world->views[i];

		good = good && packet_parse(pkts[i], view);
		entry = !good ? NULL
			      : sad_find_inbound(world->in.sad, SA_PROTO_ESP,
					load_be32(pkts[i]->data + view->upper), &view->dst,
					&view->src);
		good = good && entry;
	}
	if (!good || !entry)
		return false;
	prepare(entry, &esp);
	esp_open_batch(&esp, pkts, views, n, verdicts);
	for (size_t i = 0; i < n; i++)
		good = good && verdicts[i] == VERDICT_IN_ACCEPTED;
	return good;
}

bool bench_world_seal_esp(struct bench_world *world, size_t batch)
{
	struct packet *pkts[BENCH_BATCH];
	bool good = true;

	for (size_t i = 0; i < BENCH_BATCH; i++)
		pkts[i] = &world->pkts[i];
	for (size_t i = 0; i < BENCH_BATCH; i += batch)
		good = seal_group(world, pkts + i, batch) && good;
	return good;
}

bool bench_world_open_esp(struct bench_world *world, size_t batch)
{
	struct packet *pkts[BENCH_BATCH];
	bool good = true;

	for (size_t i = 0; i < BENCH_BATCH; i++)
		pkts[i] = &world->pkts[i];
	for (size_t i = 0; i < BENCH_BATCH; i += batch)
		good = open_group(world, pkts + i, batch) && good;
	return good;
}
