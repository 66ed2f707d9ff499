/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/sad/sad.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "tests/unit/sad_world.h"

static struct sad_entry *find_in(struct fixture *f, uint32_t spi, const char *dst, const char *src)
{
	struct address d = addr(dst), s = addr(src);

	return sad_find_inbound(f->sad, SA_PROTO_ESP, spi, &d, &s);
}

START_TEST(inbound)
{
	struct fixture f = fixture_new();
	struct sad_entry *named = add(&f, entry_new(1, "192.0.2.1", "192.0.2.2", SA_INBOUND));
	struct sad_entry *any = add(&f, entry_new(2, NULL, "192.0.2.2", SA_INBOUND));
	struct sad_entry *twin = add(&f, entry_new(1, NULL, "2001:db8::2", SA_INBOUND));
	struct sad_entry *out = add(&f, entry_new(3, "192.0.2.2", "192.0.2.1", SA_OUTBOUND));
	struct sad_entry *again = entry_new(1, "192.0.2.9", "192.0.2.2", SA_OUTBOUND);

	ck_assert_ptr_eq(find_in(&f, 1, "192.0.2.2", "192.0.2.1"), named);
	ck_assert_ptr_null(find_in(&f, 1, "192.0.2.2", "192.0.2.3"));
	ck_assert_ptr_eq(find_in(&f, 2, "192.0.2.2", "198.51.100.1"), any);
	ck_assert_ptr_eq(find_in(&f, 1, "2001:db8::2", "2001:db8::9"), twin);
	ck_assert_ptr_null(find_in(&f, 3, "192.0.2.1", "192.0.2.2")); /* outbound only */
	ck_assert_ptr_null(find_in(&f, 4, "192.0.2.2", "192.0.2.1"));
	ck_assert_ptr_eq(
		sad_find(f.sad, &(struct sa_key){ SA_PROTO_ESP, 3, addr("192.0.2.1") }), out);
	ck_assert_ptr_null(sad_find(f.sad, &(struct sa_key){ SA_PROTO_AH, 3, addr("192.0.2.1") }));
	named->run->state = SA_DYING;
	ck_assert_ptr_eq(find_in(&f, 1, "192.0.2.2", "192.0.2.1"), named);
	named->run->state = SA_DEAD;
	ck_assert_ptr_null(find_in(&f, 1, "192.0.2.2", "192.0.2.1"));
	named->run->state = SA_LARVAL;
	ck_assert_ptr_null(find_in(&f, 1, "192.0.2.2", "192.0.2.1"));
	/* Same protocol, SPI and destination, in either direction. */
	ck_assert_int_eq(sad_insert(f.sad, again), -EEXIST);
	free(again->run);
	sad_entry_free(again);
	fixture_done(&f);
}
END_TEST

/*
 * Rows of candidates toward 192.0.2.9 for a TCP flow 192.0.2.1:1000 > 192.0.2.9:389, in order of
 * addition; the SPI that is to be chosen.
 */
enum feature {
	F_NAMED = 1,
	F_DYING = 2,
	F_DEAD = 4,
	F_UNIQUE = 8,
	F_OTHER_FLOW = 16,
	F_USED = 32,
	F_NULL = 64,
	F_INBOUND = 128,
	F_OTHER_SRC = 256,
};

static const struct {
	const char *name;
	bool unique_rule;
	unsigned int features[4]; /* SPI 1, 2, ...; ended by ~0 */
	uint32_t want;
} choices[] = {
	/* clang-format off */
	{ "the only one",                       false, { 0, ~0U }, 1 },
	{ "newest first",                       false, { 0, 0, 0, ~0U }, 3 },
	{ "named source before any",            false, { F_NAMED, 0, ~0U }, 1 },
	{ "another source is no use",           false, { F_OTHER_SRC, ~0U }, 0 },
	{ "mature before dying",                false, { 0, F_DYING, ~0U }, 1 },
	{ "dying when there is no other",       false, { F_DEAD, F_DYING, ~0U }, 2 },
	{ "a dead one hides nothing",           false, { 0, F_DEAD, ~0U }, 1 },
	{ "unique to the flow before shared",   false, { F_UNIQUE, 0, ~0U }, 1 },
	{ "unique to another flow",             false, { F_UNIQUE | F_OTHER_FLOW, ~0U }, 0 },
	{ "unique before named",                false, { F_UNIQUE, F_NAMED, ~0U }, 1 },
	{ "inbound ones do not count",          false, { F_INBOUND, ~0U }, 0 },
	{ "algorithms of the action",           false, { F_NULL, ~0U }, 0 },
	{ "none",                               false, { ~0U }, 0 },
	{ "unique rule, unique SA",             true,  { F_UNIQUE, 0, ~0U }, 1 },
	{ "unique rule takes one never used",   true,  { 0, F_USED, ~0U }, 1 },
	{ "unique rule, all used",              true,  { F_USED, F_USED, ~0U }, 0 },
	/* clang-format on */
};

static struct sad_entry *candidate(uint32_t spi, unsigned int features)
{
	const char *src = features & F_NAMED	   ? "192.0.2.1"
			  : features & F_OTHER_SRC ? "192.0.2.77"
						   : NULL;
	struct sad_entry *entry = entry_new(
		spi, src, "192.0.2.9", features & F_INBOUND ? SA_INBOUND : SA_OUTBOUND);

	if (features & F_UNIQUE) {
		entry->sa->protocol = 6;
		entry->sa->dst_port = features & F_OTHER_FLOW ? 390 : 389;
		sa_normalise(entry->sa);
	}
	if (features & F_NULL)
		entry->sa->encr = ALG_ENCR_NULL;
	if (features & F_USED)
		entry->run->packets = 1;
	entry->run->state = features & F_DEAD ? SA_DEAD : features & F_DYING ? SA_DYING : SA_MATURE;
	return entry;
}

static struct flow sample_flow(void)
{
	return (struct flow){ .direction = DIRECTION_OUT,
		.local = addr("192.0.2.1"),
		.remote = addr("192.0.2.9"),
		.protocol = 6,
		.has_ports = true,
		.local_port = 1000,
		.remote_port = 389 };
}

static struct action sample_action(bool unique)
{
	return (struct action){ .kind = ACTION_PROTECT,
		.unique = unique,
		.has_esp = true,
		.has_esp_auth = true,
		.esp = { ALG_ENCR_AES_CBC, 128, UINT16_MAX },
		.esp_auth = { ALG_AUTH_HMAC_SHA256, 0, UINT16_MAX } };
}

START_TEST(outbound)
{
	struct fixture f = fixture_new();
	struct flow flow = sample_flow();
	struct action action = sample_action(choices[_i].unique_rule);
	struct sad_query query = { .proto = SA_PROTO_ESP,
		.mode = SA_MODE_TRANSPORT,
		.src = flow.local,
		.dst = flow.remote,
		.flow = &flow,
		.action = &action };
	struct sad_entry *found;

	for (uint32_t i = 0; i < 4 && choices[_i].features[i] != ~0U; i++)
		(void)add(&f, candidate(i + 1, choices[_i].features[i]));
	found = sad_find_outbound(f.sad, &query);
	ck_assert_msg((found ? found->sa->spi : 0) == choices[_i].want, "%s: SPI %u",
		choices[_i].name, found ? found->sa->spi : 0);
	/* Asked again, the same. */
	ck_assert_ptr_eq(sad_find_outbound(f.sad, &query), found);
	fixture_done(&f);
}
END_TEST

/* Of two SAs alike the one that was made for this policy, and none rather than another's. */
START_TEST(request_id)
{
	struct fixture f = fixture_new();
	struct flow flow = sample_flow();
	struct action action = sample_action(false);
	struct sad_query query = { SA_PROTO_ESP, SA_MODE_TRANSPORT, flow.local, flow.remote,
		.flow = &flow, .action = &action };
	struct sad_entry *mine = candidate(1, 0), *other = candidate(2, 0);

	mine->sa->reqid = 7;
	(void)add(&f, mine);
	(void)add(&f, other);
	ck_assert_ptr_eq(sad_find_outbound(f.sad, &query), other); /* the newest */
	action.reqid = 7;
	ck_assert_ptr_eq(sad_find_outbound(f.sad, &query), mine);
	action.reqid = 9;
	ck_assert_ptr_null(sad_find_outbound(f.sad, &query));
	fixture_done(&f);
}
END_TEST

START_TEST(claimed)
{
	struct fixture f = fixture_new();
	struct flow flow = sample_flow(), other = sample_flow();
	struct action unique = sample_action(true), shared = sample_action(false);
	struct sad_query query = { .proto = SA_PROTO_ESP,
		.mode = SA_MODE_TRANSPORT,
		.src = flow.local,
		.dst = flow.remote,
		.flow = &flow,
		.action = &unique };
	struct sad_entry *entry = add(&f, candidate(1, 0));

	other.local_port = 2000;
	ck_assert_ptr_eq(sad_find_outbound(f.sad, &query), entry);
	entry->run->packets = 5;
	ck_assert_ptr_eq(sad_find_outbound(f.sad, &query), entry);
	query.flow = &other;
	ck_assert_ptr_null(sad_find_outbound(f.sad, &query));
	query.action = &shared;
	ck_assert_ptr_null(sad_find_outbound(f.sad, &query));
	fixture_done(&f);
}
END_TEST

static const struct {
	const char *name;
	const char *inner_src, *inner_dst;
	const char *local, *remote; /* of the rule, NULL: any */
	const char *from, *to;
	bool want;
} tunnels[] = {
	/* clang-format off */
	{ "inside",                "10.1.0.0", "10.2.0.0", "10.1.0.0", "10.2.0.0", "10.1.0.5", "10.2.0.5", true },
	{ "rule for any",          "10.1.0.0", "10.2.0.0", NULL, NULL, "10.1.0.5", "10.2.0.5", true },
	{ "source outside the SA", "10.1.0.0", "10.2.0.0", NULL, NULL, "10.3.0.5", "10.2.0.5", false },
	{ "other destination",     "10.1.0.0", "10.2.0.0", NULL, NULL, "10.1.0.5", "10.9.0.5", false },
	{ "rule of other networks", "10.1.0.0", "10.2.0.0", "10.1.0.0", "10.9.0.0", "10.1.0.5", "10.2.0.5", false },
	/* clang-format on */
};

static struct prefix net16(const char *text)
{
	struct address a = addr(text);
	struct prefix p;

	ck_assert_int_eq(prefix_make(&a, 16, &p), 0);
	return p;
}

START_TEST(tunnel_selectors)
{
	struct fixture f = fixture_new();
	CLEANUP(rule_freep) struct rule *rule = rule_new(1);
	struct flow flow = { .direction = DIRECTION_OUT,
		.local = addr(tunnels[_i].from),
		.remote = addr(tunnels[_i].to),
		.protocol = 1 };
	struct sad_query query = { .proto = SA_PROTO_ESP,
		.mode = SA_MODE_TUNNEL,
		.src = addr("192.0.2.1"),
		.dst = addr("192.0.2.9"),
		.flow = &flow,
		.rule = rule };
	struct sad_entry *entry = candidate(1, 0);

	entry->sa->mode = SA_MODE_TUNNEL;
	entry->sa->inner_src = net16(tunnels[_i].inner_src);
	entry->sa->inner_dst = net16(tunnels[_i].inner_dst);
	if (tunnels[_i].local) {
		rule->selector.local = net16(tunnels[_i].local);
		rule->selector.remote = net16(tunnels[_i].remote);
	}
	(void)add(&f, entry);
	ck_assert_msg((sad_find_outbound(f.sad, &query) != NULL) == tunnels[_i].want, "%s",
		tunnels[_i].name);
	query.mode = SA_MODE_TRANSPORT;
	ck_assert_ptr_null(sad_find_outbound(f.sad, &query));
	fixture_done(&f);
}
END_TEST

START_TEST(grows)
{
	struct fixture f = fixture_new();
	struct address dst = addr("192.0.2.2");

	for (uint32_t spi = 1; spi <= 20000; spi++)
		(void)add(&f, entry_new(spi, NULL, "192.0.2.2", SA_INBOUND));
	ck_assert_uint_eq(sad_count(f.sad), 20000);
	for (uint32_t spi = 1; spi <= 20000; spi++) {
		struct sad_entry *entry = sad_find(
			f.sad, &(struct sa_key){ SA_PROTO_ESP, spi, dst });

		ck_assert_ptr_nonnull(entry);
		if (spi % 2)
			sad_remove(f.sad, entry, run_free, NULL);
	}
	for (uint32_t spi = 1; spi <= 20000; spi++)
		ck_assert((sad_find(f.sad, &(struct sa_key){ SA_PROTO_ESP, spi, dst }) != NULL) ==
			  (spi % 2 == 0));
	fixture_done(&f);
}
END_TEST

START_TEST(replaced_in_place)
{
	static const uint8_t directions[][2] = { { SA_INBOUND, SA_INBOUND },
		{ SA_OUTBOUND, SA_OUTBOUND }, { SA_INBOUND, SA_OUTBOUND },
		{ SA_OUTBOUND, SA_INBOUND }, { SA_INBOUND | SA_OUTBOUND, SA_OUTBOUND } };
	struct fixture f = fixture_new();
	struct flow flow = sample_flow();
	struct sad_query query = {
		.proto = SA_PROTO_ESP, .src = flow.local, .dst = flow.remote, .flow = &flow
	};
	struct sad_entry *before = add(&f, entry_new(1, NULL, "192.0.2.9", directions[_i][0]));
	struct sad_entry *bystander = add(&f, entry_new(2, NULL, "192.0.2.9", SA_INBOUND));
	struct sad_entry *after = entry_new(1, NULL, "192.0.2.9", directions[_i][1]);
	struct sad_entry *wrong = entry_new(3, NULL, "192.0.2.9", SA_INBOUND);
	uint64_t serial = before->serial;
	size_t freed = 0;

	ck_assert_int_eq(sad_replace(f.sad, before, wrong, NULL, NULL), -EINVAL);
	free(wrong->run);
	sad_entry_free(wrong);
	ck_assert_int_eq(sad_replace(f.sad, before, after, run_free, &freed), 0);
	ck_assert_uint_eq(after->serial, serial);
	ck_assert_uint_eq(sad_count(f.sad), 2);
	ck_assert_ptr_eq(sad_find(f.sad, &(struct sa_key){ SA_PROTO_ESP, 1, flow.remote }), after);
	ck_assert_ptr_eq(find_in(&f, 2, "192.0.2.9", "192.0.2.1"), bystander);
	ck_assert_ptr_eq(
		sad_find_outbound(f.sad, &query), directions[_i][1] & SA_OUTBOUND ? after : NULL);
	rcu_barrier(f.rcu);
	ck_assert_uint_eq(freed, 1);
	fixture_done(&f);
}
END_TEST

START_TEST(freed_after_the_readers)
{
	struct fixture f = fixture_new();
	struct sad_entry *entry = add(&f, entry_new(1, NULL, "192.0.2.9", SA_INBOUND));
	unsigned int slot;
	size_t freed = 0;

	ck_assert_int_eq(rcu_register(f.rcu, &slot), 0);
	sad_remove(f.sad, entry, run_free, &freed);
	(void)rcu_poll(f.rcu);
	ck_assert_uint_eq(freed, 0);
	ck_assert_uint_eq(entry->sa->spi, 1); /* still there for a reader that has it */
	rcu_quiescent(f.rcu, slot);
	(void)rcu_poll(f.rcu);
	ck_assert_uint_eq(freed, 1);
	rcu_unregister(f.rcu, slot);
	fixture_done(&f);
}
END_TEST

static int refuse_context(
	const struct suite *suite, const struct sa *sa, struct suite_lane *lane, void **ret_context)
{
	(void)suite;
	(void)sa;
	(void)lane;
	*ret_context = NULL;
	return -ENOMEM;
}

START_TEST(contexts)
{
	static const struct suite_provider none = { .name = "none", .context_new = refuse_context };
	struct fixture f = fixture_new();
	struct sad_entry *entry = add(&f, entry_new(1, NULL, "192.0.2.9", SA_OUTBOUND));
	struct suite_context *first = sad_context(entry, 0);

	ck_assert_ptr_nonnull(first);
	ck_assert_ptr_eq(sad_context(entry, 0), first);
	ck_assert_ptr_ne(sad_context(entry, 1), first);
	entry->provider = &none;
	ck_assert_ptr_null(sad_context(entry, 2));
	fixture_done(&f);
}
END_TEST

/* A batch finds what one after the other would, but leaves the state to its user. */
START_TEST(inbound_batch)
{
	static const char *const dsts[] = { "192.0.2.2", "2001:db8::2", "239.1.1.1" };
	static const char *const srcs[] = { "192.0.2.1", "2001:db8::1", "192.0.2.1" };
	struct fixture f = fixture_new();
	struct sad_inbound asked[SAD_BATCH];
	struct address dst[3], src[3];
	size_t found = 0;

	for (size_t i = 0; i < 3; i++) {
		dst[i] = addr(dsts[i]);
		src[i] = addr(srcs[i]);
	}
	for (uint32_t spi = 1; spi <= 400; spi++)
		if (spi % 5)
			(void)add(&f, entry_new(spi, spi % 2 ? srcs[spi % 3] : NULL, dsts[spi % 3],
					      spi % 7 ? SA_INBOUND : SA_OUTBOUND));
	for (uint32_t first = 1; first <= 400; first += SAD_BATCH) {
		size_t n = first + SAD_BATCH <= 401 ? SAD_BATCH : 401 - first;

		for (uint32_t i = 0; i < n; i++)
			asked[i] = (struct sad_inbound){ SA_PROTO_ESP, first + i,
				&dst[(first + i + (i == 9)) % 3], &src[i % 4 ? (first + i) % 3 : 0],
				NULL };
		sad_find_inbound_batch(f.sad, asked, n);
		for (uint32_t i = 0; i < n; i++) {
			ck_assert_ptr_eq(
				asked[i].entry, sad_find_inbound(f.sad, SA_PROTO_ESP, asked[i].spi,
							asked[i].dst, asked[i].src));
			found += asked[i].entry != NULL;
		}
	}
	ck_assert_uint_gt(found, 100);
	asked[0] = (struct sad_inbound){ SA_PROTO_ESP, 6, &dst[0], &src[0], NULL };
	sad_find_inbound_batch(f.sad, asked, 1);
	ck_assert_ptr_nonnull(asked[0].entry);
	asked[0].entry->run->state = SA_DEAD;
	sad_find_inbound_batch(f.sad, asked, 1);
	ck_assert_ptr_nonnull(asked[0].entry);
	ck_assert(!sad_is_usable(asked[0].entry));
	fixture_done(&f);
}
END_TEST

/* ---- readers beside the writer ---- */

#define STABLE	512U /* always there */
#define CHURN	512U /* come and go */
#define ROUNDS	60U
#define READERS 3

struct reader_setup {
	struct fixture *f;
	_Atomic bool *stop;
	_Atomic uint64_t *rounds;
	unsigned int worker;
	const char *problem;
};

static const char *look(
	struct reader_setup *setup, const struct address *dst, const struct sad_query *query)
{
	for (uint32_t spi = 1; spi <= STABLE + CHURN; spi++) {
		struct sad_entry *entry = sad_find_inbound(
			setup->f->sad, SA_PROTO_ESP, spi, dst, &query->src);

		if (!entry && spi <= STABLE)
			return "a stable SA was not found";
		if (entry && entry->sa->spi != spi)
			return "another SA was found";
		if (entry)
			(void)atomic_fetch_add(&entry->run->packets, 1);
		if (entry && spi % 97 == 0 && !sad_context(entry, setup->worker))
			return "no context";
	}
	return sad_find_outbound(setup->f->sad, query) ? NULL : "no outbound SA";
}

static const char *look_at_batches(
	struct reader_setup *setup, const struct address *dst, const struct sad_query *query)
{
	const struct sad_query queries[] = { *query, *query };
	struct sad_entry *entries[2];
	struct sad_inbound asked[SAD_BATCH];

	for (uint32_t first = 1; first <= STABLE + CHURN; first += SAD_BATCH) {
		for (uint32_t i = 0; i < SAD_BATCH; i++)
			asked[i] = (struct sad_inbound){ SA_PROTO_ESP, first + i, dst, &query->src,
				NULL };
		sad_find_inbound_batch(setup->f->sad, asked, SAD_BATCH);
		for (uint32_t i = 0; i < SAD_BATCH; i++) {
			if (!asked[i].entry && first + i <= STABLE)
				return "a stable SA was not in the batch";
			if (asked[i].entry && asked[i].entry->sa->spi != first + i)
				return "another SA was in the batch";
		}
	}
	sad_find_outbound_batch(setup->f->sad, queries, 2, entries);
	return entries[0] && entries[1] ? NULL : "no outbound SA in the batch";
}

static void *reader(void *userdata)
{
	struct reader_setup *setup = userdata;
	struct address dst = { .family = AF_INET, .bytes = { 192, 0, 2, 9 } };
	struct address src = { .family = AF_INET, .bytes = { 192, 0, 2, 1 } };
	struct flow flow = { .direction = DIRECTION_OUT, .local = src, .remote = dst };
	struct sad_query query = { .proto = SA_PROTO_ESP, .src = src, .dst = dst, .flow = &flow };
	unsigned int slot;

	if (rcu_register(setup->f->rcu, &slot) < 0) {
		setup->problem = "no slot";
		return NULL;
	}
	while (!atomic_load(setup->stop) && !setup->problem) {
		setup->problem = look(setup, &dst, &query);
		if (!setup->problem)
			setup->problem = look_at_batches(setup, &dst, &query);
		rcu_quiescent(setup->f->rcu, slot);
		(void)atomic_fetch_add(setup->rounds, 1);
	}
	rcu_unregister(setup->f->rcu, slot);
	return NULL;
}

static void churn(struct fixture *f)
{
	struct address dst = addr("192.0.2.9");

	for (uint32_t spi = STABLE + 1; spi <= STABLE + CHURN; spi++)
		(void)add(f, entry_new(spi, NULL, "192.0.2.9", SA_INBOUND | SA_OUTBOUND));
	for (uint32_t spi = 1; spi <= STABLE; spi += 7) {
		struct sad_entry *old = sad_find(
			f->sad, &(struct sa_key){ SA_PROTO_ESP, spi, dst });

		ck_assert_int_eq(
			sad_replace(f->sad, old,
				entry_new(spi, NULL, "192.0.2.9", SA_INBOUND | SA_OUTBOUND),
				run_free, NULL),
			0);
	}
	for (uint32_t spi = STABLE + 1; spi <= STABLE + CHURN; spi++)
		sad_remove(f->sad, sad_find(f->sad, &(struct sa_key){ SA_PROTO_ESP, spi, dst }),
			run_free, NULL);
	(void)rcu_poll(f->rcu);
}

START_TEST(readers_and_writer)
{
	struct fixture f = fixture_new();
	_Atomic bool stop = false;
	_Atomic uint64_t rounds = 0;
	struct reader_setup setups[READERS];
	pthread_t threads[READERS];

	for (uint32_t spi = 1; spi <= STABLE; spi++)
		(void)add(&f, entry_new(spi, NULL, "192.0.2.9", SA_INBOUND | SA_OUTBOUND));
	for (unsigned int i = 0; i < READERS; i++) {
		setups[i] = (struct reader_setup){ &f, &stop, &rounds, i, NULL };
		ck_assert_int_eq(pthread_create(&threads[i], NULL, reader, &setups[i]), 0);
	}
	/* The tables grow meanwhile: they began with far fewer buckets. */
	for (unsigned int round = 0; round < ROUNDS || atomic_load(&rounds) < ROUNDS; round++)
		churn(&f);
	atomic_store(&stop, true);
	for (unsigned int i = 0; i < READERS; i++) {
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
		ck_assert_msg(!setups[i].problem, "%s", setups[i].problem);
	}
	fixture_done(&f);
}
END_TEST

/* RFC 4301 section 4.1: SPI, group and source before SPI and group; one SPI may serve two groups. */
START_TEST(groups)
{
	struct fixture f = fixture_new();
	uint8_t both = SA_INBOUND | SA_OUTBOUND;
	struct sad_entry *first = add(&f, entry_new(1, "192.0.2.1", "239.1.1.1", both));
	struct sad_entry *any = add(&f, entry_new(1, NULL, "239.1.1.1", both));
	struct sad_entry *second = add(&f, entry_new(1, "192.0.2.2", "239.1.1.1", both));
	struct sad_entry *other = add(&f, entry_new(1, NULL, "239.1.1.2", both));
	struct sad_entry *alone = add(&f, entry_new(2, "2001:db8::1", "ff0e::1", both));
	struct sad_entry *again[] = { entry_new(1, "192.0.2.2", "239.1.1.1", both),
		entry_new(1, NULL, "239.1.1.1", both) };

	ck_assert_ptr_eq(find_in(&f, 1, "239.1.1.1", "192.0.2.1"), first);
	ck_assert_ptr_eq(find_in(&f, 1, "239.1.1.1", "192.0.2.2"), second);
	ck_assert_ptr_eq(find_in(&f, 1, "239.1.1.1", "192.0.2.3"), any);
	ck_assert_ptr_eq(find_in(&f, 1, "239.1.1.2", "192.0.2.1"), other);
	ck_assert_ptr_null(find_in(&f, 1, "239.1.1.3", "192.0.2.1"));
	ck_assert_ptr_null(find_in(&f, 2, "ff0e::1", "2001:db8::9"));
	ck_assert_ptr_eq(find_in(&f, 2, "ff0e::1", "2001:db8::1"), alone);
	for (size_t i = 0; i < ARRAY_SIZE(again); i++) {
		ck_assert_int_eq(sad_insert(f.sad, again[i]), -EEXIST);
		free(again[i]->run);
		sad_entry_free(again[i]);
	}
	sad_remove(f.sad, second, run_free, NULL);
	ck_assert_ptr_eq(find_in(&f, 1, "239.1.1.1", "192.0.2.2"), any);
	sad_remove(f.sad, any, run_free, NULL);
	ck_assert_ptr_null(find_in(&f, 1, "239.1.1.1", "192.0.2.2"));
	fixture_done(&f);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sad");
	TCase *tc = tcase_create("sad");

	tcase_set_timeout(tc, 100);
	tcase_add_test(tc, inbound);
	tcase_add_test(tc, groups);
	tcase_add_test(tc, inbound_batch);
	tcase_add_loop_test(tc, outbound, 0, (int)ARRAY_SIZE(choices));
	tcase_add_test(tc, request_id);
	tcase_add_test(tc, claimed);
	tcase_add_loop_test(tc, tunnel_selectors, 0, (int)ARRAY_SIZE(tunnels));
	tcase_add_test(tc, grows);
	tcase_add_loop_test(tc, replaced_in_place, 0, 5);
	tcase_add_test(tc, freed_after_the_readers);
	tcase_add_test(tc, contexts);
	tcase_add_test(tc, readers_and_writer);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
