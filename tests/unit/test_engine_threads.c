/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packets go on while policy is replaced under them: each sees one version whole. */
#include <pthread.h>

#include "tests/unit/engine_host.h"
#include "tests/unit/suite.h"

#define VERSIONS 400
#define BATCH	 8

static void *send_batches(void *userdata)
{
	static struct test_packet packets[BATCH];
	struct host *host = userdata;
	struct engine_result results[BATCH];
	struct packet *pkts[BATCH];
	unsigned int slot;

	ck_assert_int_eq(rcu_register(host->rcu, &slot), 0);
	do {
		for (size_t i = 0; i < BATCH; i++) {
			test_udp(&packets[i], HERE, THERE, 10);
			pkts[i] = &packets[i].pkt;
		}
		engine_outbound(host->engine, pkts, BATCH, -1, results);
		for (size_t i = 0; i < BATCH; i++) {
			ck_assert(results[i].verdict == VERDICT_OUT_PROTECTED ||
				  results[i].verdict == VERDICT_OUT_BYPASSED);
			/* One version a batch. */
			ck_assert_int_eq(results[i].verdict, results[0].verdict);
			ck_assert_uint_eq(results[i].rule_id, results[0].rule_id);
		}
		rcu_quiescent(host->rcu, slot);
	} while (atomic_load(&host->stop) == 0);
	rcu_unregister(host->rcu, slot);
	return NULL;
}

static void free_view(void *view)
{
	(void)engine_view_free(view);
}

/* Now the one policy, now the other. */
static struct engine_view *next_view(
	const struct host *host, const struct engine_view *former, bool protect)
{
	struct engine_view_parts parts = {
		.tunnels = &host->tunnels,
		.sad = host->sad,
		.generation = former->generation + 1,
		.former = former,
	};
	struct rule *rule = rule_new(1);
	struct engine_view *view;

	ck_assert_ptr_nonnull(rule);
	rule->directions = DIRECTION_BIT_BOTH;
	rule->actions[0] = protect ? esp_action(ALG_ENCR_AES_GCM16, ALG_AUTH_NONE)
				   : plain_action(ACTION_BYPASS);
	ck_assert_int_eq(spd_new(&rule, 1, SPD_FIRST_MATCH, &parts.spd), 0);
	ck_assert_int_eq(engine_view_new(&parts, &view), 0);
	return view;
}

START_TEST(policy_is_replaced)
{
	static struct host host;
	struct engine_view *view;
	pthread_t thread;

	host_init(&host);
	add_rule(&host, "", 0, plain_action(ACTION_BYPASS), NULL);
	(void)add_sa(&host, &gcm, 1000, SA_MODE_TRANSPORT, HERE, THERE);
	host_start(&host, HERE, HERE6);
	rcu_offline(host.rcu, host.slot); /* this thread is the writer */
	ck_assert_int_eq(pthread_create(&thread, NULL, send_batches, &host), 0);
	for (unsigned int i = 0; i < VERSIONS; i++) {
		struct engine_view *former = rcu_read(&host.view);

		view = next_view(&host, former, i % 2 == 0);
		rcu_publish(&host.view, view);
		ck_assert_int_eq(rcu_defer(host.rcu, free_view, former), 0);
		if (i % 16 == 0)
			rcu_barrier(host.rcu);
		else
			(void)rcu_poll(host.rcu);
	}
	atomic_store(&host.stop, 1);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	rcu_barrier(host.rcu);
	ck_assert_uint_eq(rcu_read(&host.view)->generation, VERSIONS + 1);
	ck_assert_uint_gt(atomic_load(&host.counters.packets[VERDICT_OUT_PROTECTED]) +
				  atomic_load(&host.counters.packets[VERDICT_OUT_BYPASSED]),
		0);
	host_done(&host);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("engine_threads");
	TCase *tc = tcase_create("engine_threads");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, policy_is_replaced);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
