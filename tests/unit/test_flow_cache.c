/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A note is its flow's and nobody else's, whatever strangers make up. */
#include "services/datapath/spd/flow_cache.h"

#include "tests/unit/random_policy.h"

static struct flow web(void)
{
	return (struct flow){
		.direction = DIRECTION_OUT,
		.local = rules_addr("192.0.2.1"),
		.remote = rules_addr("192.0.2.17"),
		.protocol = IPPROTO_TCP,
		.has_ports = true,
		.local_port = 1234,
		.remote_port = 80,
	};
}

static void turn(struct flow *flow)
{
	flow->direction = DIRECTION_IN;
}
static void move_local(struct flow *flow)
{
	flow->local.bytes[3]++;
}
static void move_remote(struct flow *flow)
{
	flow->remote.bytes[0]++;
}
static void change_protocol(struct flow *flow)
{
	flow->protocol = IPPROTO_UDP;
}
static void change_local_port(struct flow *flow)
{
	flow->local_port++;
}
static void change_remote_port(struct flow *flow)
{
	flow->remote_port++;
}
static void hide_ports(struct flow *flow)
{
	flow->has_ports = false;
}
static void show_type(struct flow *flow)
{
	flow->has_icmp = true;
}
static void change_type(struct flow *flow)
{
	flow->has_icmp = true;
	flow->icmp_type = 1;
}
static void change_code(struct flow *flow)
{
	flow->has_icmp = true;
	flow->icmp_code = 1;
}
static void change_family(struct flow *flow)
{
	flow->local.family = flow->remote.family = AF_INET6;
}

static void (*const changes[])(struct flow *flow) = { turn, move_local, move_remote,
	change_protocol, change_local_port, change_remote_port, hide_ports, show_type, change_type,
	change_code, change_family };

START_TEST(every_part_counts)
{
	CLEANUP(flow_cache_freep) struct flow_cache *cache = flow_cache_new();
	struct flow_note *notes[ARRAY_SIZE(changes) + 2];
	bool known;

	ck_assert_ptr_nonnull(cache);
	for (size_t i = 0; i < ARRAY_SIZE(notes); i++) {
		struct flow flow = web();

		if (i < ARRAY_SIZE(changes))
			changes[i](&flow);
		notes[i] = flow_cache_get(cache, &flow, i > ARRAY_SIZE(changes) ? 1 : 0, &known);
		ck_assert_msg(!known, "%zu", i);
		ck_assert_uint_eq(notes[i]->sad_generation, 0);
		notes[i]->rule = (uint32_t)i;
	}
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		struct flow flow = web();

		changes[i](&flow);
		ck_assert_ptr_eq(flow_cache_get(cache, &flow, 0, &known), notes[i]);
		ck_assert(known && notes[i]->rule == i);
	}
}
END_TEST

START_TEST(what_is_hidden_does_not_count)
{
	CLEANUP(flow_cache_freep) struct flow_cache *cache = flow_cache_new();
	struct flow flow = web(), other = web();
	bool known;

	ck_assert_ptr_nonnull(cache);
	flow.has_ports = other.has_ports = false;
	other.local_port = other.icmp_type = 9;
	(void)flow_cache_get(cache, &flow, 0, &known);
	(void)flow_cache_get(cache, &other, 0, &known);
	ck_assert(known);
}
END_TEST

START_TEST(another_version_forgets)
{
	CLEANUP(flow_cache_freep) struct flow_cache *cache = flow_cache_new();
	struct flow flow = web();
	struct flow_note *note;
	uint32_t stamp;
	bool known;

	ck_assert_ptr_nonnull(cache);
	flow_cache_begin(cache, 7);
	note = flow_cache_get(cache, &flow, 0, &known);
	note->sad_generation = 5;
	note->esp = note;
	stamp = note->stamp;
	flow_cache_begin(cache, 7);
	ck_assert_ptr_eq(flow_cache_get(cache, &flow, 0, &known), note);
	ck_assert(known && note->stamp == stamp);
	flow_cache_begin(cache, 8);
	note = flow_cache_get(cache, &flow, 0, &known);
	ck_assert(!known && note->sad_generation == 0 && !note->esp);
}
END_TEST

/* Many times more flows than there is room for: all are told apart, and the last ones are still known. */
START_TEST(crowds_do_no_harm)
{
	CLEANUP(flow_cache_freep) struct flow_cache *cache = flow_cache_new();
	uint64_t state = 521288629;
	unsigned int met = 0;
	struct flow_note *first;
	struct flow flow = web();
	uint32_t stamp;
	bool known;

	ck_assert_ptr_nonnull(cache);
	first = flow_cache_get(cache, &flow, 0, &known);
	stamp = first->stamp;
	for (uint32_t i = 0; i < 200000; i++) {
		struct flow_note *note;
		uint32_t mine;

		flow.local_port = (uint16_t)random_below(&state, 65536);
		flow.remote_port = (uint16_t)random_below(&state, 4);
		mine = (uint32_t)flow.local_port << 16 | flow.remote_port;
		note = flow_cache_get(cache, &flow, 0, &known);
		ck_assert(!known || note->rule == mine);
		met += known;
		note->rule = mine;
	}
	ck_assert_uint_gt(met, 100);
	ck_assert_uint_ne(first->stamp, stamp); /* it went to others, and says so */
	/* No flow of the crowd: each takes a way of its own, and as many as a set has leave room for all. */
	flow.remote_port = 4;
	for (uint32_t i = 0; i < 65536; i++) {
		uint32_t round = i / FLOW_CACHE_WAYS / 2 * FLOW_CACHE_WAYS;

		flow.local_port = (uint16_t)(round + i % FLOW_CACHE_WAYS);
		(void)flow_cache_get(cache, &flow, 0, &known);
		ck_assert(known == (i / FLOW_CACHE_WAYS % 2 == 1));
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("flow_cache");
	TCase *tc = tcase_create("flow_cache");

	tcase_add_test(tc, every_part_counts);
	tcase_add_test(tc, what_is_hidden_does_not_count);
	tcase_add_test(tc, another_version_forgets);
	tcase_add_test(tc, crowds_do_no_harm);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
