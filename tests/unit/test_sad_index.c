/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Outbound look-up by shapes against a plain walk over all SAs; walkers and raised entries. */
#include "services/datapath/sad/sad.h"

#include "tests/unit/sadb_fixture.h"

#define N_SAS	  600U
#define N_QUERIES 4000U

static uint32_t next_random(uint32_t *state)
{
	*state = *state * 1664525U + 1013904223U;
	return *state >> 8;
}

static struct address host(uint32_t n)
{
	return (struct address){ .family = AF_INET, .bytes = { 10, 0, 0, (uint8_t)(n % 4) } };
}

static struct prefix network(uint32_t random)
{
	static const uint8_t bits[] = { 0, 8, 24, 32 };
	struct address addr = host(random);
	struct prefix prefix;

	ck_assert_int_eq(prefix_make(&addr, bits[random / 7 % 4], &prefix), 0);
	return prefix;
}

static struct sa *random_sa(uint32_t spi, uint32_t *state)
{
	struct sa *sa = fixture_sa(spi);
	bool tunnel = next_random(state) % 2;
	uint8_t protocol = next_random(state) % 3 ? 0 : IPPROTO_UDP;
	uint16_t src_port = next_random(state) % 3 ? 0 : (uint16_t)(next_random(state) % 3 + 1);
	uint16_t dst_port = next_random(state) % 3 ? 0 : (uint16_t)(next_random(state) % 3 + 1);

	sa->dst = host(next_random(state));
	sa->src = next_random(state) % 2 ? host(next_random(state)) : (struct address){ 0 };
	sa->directions = SA_OUTBOUND;
	if (tunnel) {
		sa->mode = SA_MODE_TUNNEL;
		sa->inner_src = network(next_random(state));
		sa->inner_dst = network(next_random(state));
		sa->inner_protocol = protocol;
		sa->inner_src_port = src_port;
		sa->inner_dst_port = dst_port;
	} else {
		sa->protocol = protocol;
		sa->src_port = src_port;
		sa->dst_port = dst_port;
	}
	return sa;
}

static bool port_fits(uint16_t wanted, bool has_ports, uint16_t port)
{
	return wanted == 0 || (has_ports && wanted == port);
}

/* RFC 4301 in the plainest words: what an SA asks for, the packet has. */
static bool fits(const struct sa *sa, const struct sad_query *query)
{
	const struct flow *flow = query->flow;
	bool tunnel = sa->mode == SA_MODE_TUNNEL;
	uint8_t protocol = tunnel ? sa->inner_protocol : sa->protocol;

	if (sa->mode != query->mode || !address_equal(&sa->dst, &query->dst) ||
		(!address_is_unspecified(&sa->src) && !address_equal(&sa->src, &query->src)))
		return false;
	if (tunnel && (!prefix_contains(&sa->inner_src, &flow->local) ||
			      !prefix_contains(&sa->inner_dst, &flow->remote)))
		return false;
	return (protocol == 0 || protocol == flow->protocol) &&
	       port_fits(tunnel ? sa->inner_src_port : sa->src_port, flow->has_ports,
		       flow->local_port) &&
	       port_fits(tunnel ? sa->inner_dst_port : sa->dst_port, flow->has_ports,
		       flow->remote_port);
}

struct search {
	const struct sad_query *query;
	struct sad_entry *best;
	unsigned int rank;
	bool oldest_first;
};

static bool plain_step(struct sad_entry *entry, void *userdata)
{
	struct search *search = userdata;
	unsigned int rank = (entry->sa->flags & SA_FLAG_UNIQUE ? 4U : 0U) +
			    (atomic_load(&entry->run->state) == SA_MATURE ? 2U : 0U) +
			    (address_is_unspecified(&entry->sa->src) ? 0U : 1U);

	if (!fits(entry->sa, search->query))
		return true;
	/* In order of serial: a later one of the same rank is newer. */
	if (!search->best || (search->oldest_first ? rank > search->rank : rank >= search->rank)) {
		search->best = entry;
		search->rank = rank;
	}
	return true;
}

static void draw_query(uint32_t *state, struct flow *ret_flow, struct sad_query *ret_query)
{
	*ret_flow = (struct flow){ .direction = DIRECTION_OUT,
		.local = host(next_random(state)),
		.remote = host(next_random(state)),
		.protocol = next_random(state) % 2 ? IPPROTO_UDP : IPPROTO_TCP,
		.has_ports = next_random(state) % 4 != 0,
		.local_port = (uint16_t)(next_random(state) % 4),
		.remote_port = (uint16_t)(next_random(state) % 4) };
	*ret_query = (struct sad_query){ .proto = SA_PROTO_ESP,
		.mode = next_random(state) % 2 ? SA_MODE_TUNNEL : SA_MODE_TRANSPORT,
		.src = host(next_random(state)),
		.dst = host(next_random(state)),
		.flow = ret_flow };
}

static void compare(struct sadb_fixture *f, uint32_t *state)
{
	static struct flow flows[SAD_BATCH];
	static struct sad_query queries[SAD_BATCH];
	struct sad_entry *found[SAD_BATCH];

	for (size_t i = 0; i < N_QUERIES; i += SAD_BATCH) {
		bool oldest_first = next_random(state) % 2;

		sad_prefer_oldest(f->sad, oldest_first);
		for (size_t k = 0; k < SAD_BATCH; k++)
			draw_query(state, &flows[k], &queries[k]);
		sad_find_outbound_batch(f->sad, queries, SAD_BATCH, found);
		for (size_t k = 0; k < SAD_BATCH; k++) {
			struct search search = { .query = &queries[k],
				.oldest_first = oldest_first };

			sad_each(f->sad, plain_step, &search);
			ck_assert_ptr_eq(sad_find_outbound(f->sad, &queries[k]), search.best);
			ck_assert_ptr_eq(found[k], search.best);
		}
	}
}

START_TEST(finds_what_a_walk_finds)
{
	struct sadb_fixture *f = fixture_new();
	uint32_t state = 4711U + (uint32_t)_i;

	for (uint32_t spi = 1; spi <= N_SAS; spi++) {
		struct sad_entry *entry;
		struct sa *sa = random_sa(0x1000 + spi, &state);
		struct sa_key key = sa_key_of(sa);

		(void)fixture_add(f, sa);
		entry = sad_find(f->sad, &key);
		if (next_random(&state) % 4 == 0)
			atomic_store(&entry->run->state, SA_DYING);
	}
	compare(f, &state);
	/* Half of them go, their shapes with the last of each. */
	for (struct sad_entry *entry = NULL; sad_count(f->sad) > N_SAS / 2;) {
		struct sad_cursor cursor;

		sad_cursor_open(f->sad, &cursor);
		while ((entry = sad_cursor_next(&cursor)))
			if (next_random(&state) % 3 == 0) {
				struct sa_key key = sa_key_of(entry->sa);
				struct sadb_refusal refusal;

				ck_assert_int_eq(
					sadb_delete(f->sadb, &key, NULL, NULL, &refusal), 0);
			}
		sad_cursor_close(&cursor);
	}
	compare(f, &state);
	sadb_flush(f->sadb, 0, NULL);
	compare(f, &state);
	fixture_done(f);
}
END_TEST

/* More shapes than there are places: the rest is found all the same. */
START_TEST(too_many_shapes)
{
	struct sadb_fixture *f = fixture_new();
	struct flow flow = { .local = host(1), .remote = host(2), .direction = DIRECTION_OUT };
	struct sad_query query = { .proto = SA_PROTO_ESP,
		.mode = SA_MODE_TUNNEL,
		.src = fixture_addr("192.0.2.1"),
		.dst = fixture_addr("192.0.2.17"),
		.flow = &flow };

	for (uint8_t src = 0; src <= 32; src++)
		for (uint8_t dst = 0; dst <= 32; dst++) {
			struct sa *sa = fixture_sa(0x1000 + src * 64U + dst);
			uint32_t spi = sa->spi;

			sa->mode = SA_MODE_TUNNEL;
			ck_assert_int_eq(prefix_make(&flow.local, src, &sa->inner_src), 0);
			ck_assert_int_eq(prefix_make(&flow.remote, dst, &sa->inner_dst), 0);
			(void)fixture_add(f, sa);
			ck_assert_uint_eq(sad_find_outbound(f->sad, &query)->sa->spi, spi);
		}
	flow.local.bytes[0] = 11; /* only those of /0 to /7 are for this one */
	ck_assert_uint_eq(sad_find_outbound(f->sad, &query)->sa->spi, 0x1000 + 7 * 64 + 32);
	fixture_done(f);
}
END_TEST

START_TEST(cursor_meets_each_once)
{
	struct sadb_fixture *f = fixture_new();
	struct sad_cursor cursor;
	struct sa *wanted = fixture_sa(0x1004);
	struct sadb_wish wish = { .sa = wanted };
	struct sa_key key = { SA_PROTO_ESP, 0x1003, fixture_addr("192.0.2.17") };
	struct sadb_refusal refusal;

	for (uint32_t spi = 0x1001; spi <= 0x1005; spi++)
		(void)fixture_add(f, fixture_sa(spi));
	sad_cursor_open(f->sad, &cursor);
	ck_assert_uint_eq(sad_cursor_next(&cursor)->sa->spi, 0x1001);
	ck_assert_uint_eq(sad_cursor_next(&cursor)->sa->spi, 0x1002);
	ck_assert_int_eq(sadb_delete(f->sadb, &key, NULL, NULL, &refusal), 0); /* the next one */
	ck_assert_int_eq(sadb_update(f->sadb, &wish, &refusal), 0); /* another in its place */
	(void)fixture_add(f, fixture_sa(0x1006)); /* was not there */
	key.spi = 0x1001;
	ck_assert_int_eq(sadb_delete(f->sadb, &key, NULL, NULL, &refusal), 0);
	ck_assert_ptr_eq(sad_cursor_next(&cursor), fixture_find(f, 0x1004));
	ck_assert_uint_eq(sad_cursor_next(&cursor)->sa->spi, 0x1005);
	ck_assert_ptr_null(sad_cursor_next(&cursor));
	sad_cursor_close(&cursor);
	sa_free(wanted);
	fixture_done(f);
}
END_TEST

START_TEST(raised_until_seen_to)
{
	struct sadb_fixture *f = fixture_new();
	struct sad_entry *a = fixture_add(f, fixture_sa(0x1001));
	struct sad_entry *b = fixture_add(f, fixture_sa(0x1002));
	struct sa_key key = { SA_PROTO_ESP, 0x1002, fixture_addr("192.0.2.17") };
	struct sadb_refusal refusal;

	sad_raise(a);
	sad_raise(b);
	sad_raise(a);
	sad_gather(f->sad);
	/* Freed while it waits to be seen. */
	ck_assert_int_eq(sadb_delete(f->sadb, &key, NULL, NULL, &refusal), 0);
	rcu_barrier(f->rcu);
	ck_assert_ptr_eq(sad_take_raised(f->sad), a);
	sad_raise(a);
	ck_assert_ptr_null(sad_take_raised(f->sad));
	sad_gather(f->sad);
	ck_assert_ptr_eq(sad_take_raised(f->sad), a);
	ck_assert_ptr_null(sad_take_raised(f->sad));
	fixture_done(f);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sad_index");
	TCase *tc = tcase_create("sad_index");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, finds_what_a_walk_finds, 0, 4);
	tcase_add_test(tc, too_many_shapes);
	tcase_add_test(tc, cursor_meets_each_once);
	tcase_add_test(tc, raised_until_seen_to);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
