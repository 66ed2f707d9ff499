/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Policies of the Linux numbering end as their limits say. */
#include "tests/unit/pfkey_linux_world.h"

static struct pfkey_message *limited(struct sa_limits soft, struct sa_limits hard)
{
	struct pfkey_message *msg = policy_message(PFKEY_LINUX_SPDADD, PFKEY_LINUX_DIR_OUT);

	msg->sa->soft = soft;
	msg->sa->hard = hard;
	msg->present |= PFKEY_BIT(PFKEY_EXT_LIFETIME_SOFT) | PFKEY_BIT(PFKEY_EXT_LIFETIME_HARD);
	return msg;
}

static void pass(struct world *w, uint64_t sec)
{
	w->lab->f->now += sec * UINT64_C(1000000);
	pfkey_door_tick(w->lab->door);
}

/* All hear which policy it is and which limit, without the other one. */
static void ck_told(struct world *w, uint32_t id, bool hard)
{
	for (int i = 0; i < LINUX_CLIENTS; i++) {
		struct pfkey_message *heard = told(w, i, PFKEY_LINUX_SPDEXPIRE, 0);
		uint64_t soft_bit = PFKEY_BIT(PFKEY_EXT_LIFETIME_SOFT);
		uint64_t hard_bit = PFKEY_BIT(PFKEY_EXT_LIFETIME_HARD);

		ck_assert_uint_eq(heard->policy.id, id);
		ck_assert_uint_eq(heard->pid, 0);
		ck_assert(heard->present & PFKEY_BIT(PFKEY_EXT_LIFETIME_CURRENT));
		ck_assert_uint_gt(heard->current.add_wall_sec, 0);
		ck_assert((heard->present & (soft_bit | hard_bit)) == (hard ? hard_bit : soft_bit));
		pfkey_message_free(heard);
	}
	for (int i = 0; i < CLIENTS; i++)
		hear_nothing(w->lab, i);
}

static void ck_silent(struct world *w)
{
	for (int i = 0; i < LINUX_CLIENTS; i++)
		told_nothing(w, i);
}

START_TEST(soft_then_hard_by_time)
{
	struct world *w = world_new();
	struct sa_limits soft = { .add_sec = 10 }, hard = { .add_sec = 20 };
	uint32_t id = ask(w, 0, limited(soft, hard), 0);

	pass(w, 9);
	ck_silent(w);
	pass(w, 1);
	ck_told(w, id, false);
	pass(w, 9);
	ck_silent(w);
	ck_assert_uint_eq(w->n, 1);
	pass(w, 1);
	ck_told(w, id, true);
	ck_assert_uint_eq(w->n, 0);
	pass(w, 100);
	ck_silent(w);
	(void)ask(w, 0, policy_message(PFKEY_LINUX_SPDDELETE, PFKEY_LINUX_DIR_OUT), ENOENT);
	world_done(w);
}
END_TEST

/* Time that counts from the first packet, and what packets there may be. */
START_TEST(by_use)
{
	static const struct sa_limits hards[] = { { .use_sec = 5 }, { .bytes = 1000 },
		{ .allocations = 10 } };
	struct world *w = world_new();

	for (size_t i = 0; i < ARRAY_SIZE(hards); i++) {
		struct sa_limits none = { 0 };
		uint32_t id;

		w->packets = 500; /* a rule like it was there before */
		w->bytes = 50000;
		id = ask(w, 0, limited(none, hards[i]), 0);
		pass(w, 1000);
		ck_silent(w);
		w->packets += 9;
		w->bytes += 999;
		pass(w, 1);
		ck_silent(w);
		w->packets++;
		w->bytes++;
		pass(w, 5);
		ck_told(w, id, true);
		ck_assert_uint_eq(w->n, 0);
	}
	world_done(w);
}
END_TEST

/* Each policy has limits of its own, and an update begins anew. */
START_TEST(others_stay)
{
	struct world *w = world_new();
	struct sa_limits hard = { .add_sec = 10 }, none = { 0 };
	struct pfkey_message *again;
	uint32_t id = ask(w, 0, limited(none, hard), 0);

	(void)ask(w, 1, policy_message(PFKEY_LINUX_SPDADD, PFKEY_LINUX_DIR_IN), 0);
	pass(w, 9);
	again = limited(none, hard);
	again->type = PFKEY_LINUX_SPDUPDATE;
	ck_assert_uint_eq(ask(w, 0, again, 0), id);
	pass(w, 9);
	ck_silent(w);
	pass(w, 1);
	ck_told(w, id, true);
	ck_assert_uint_eq(w->n, 1);
	pass(w, 1000);
	ck_silent(w);
	world_done(w);
}
END_TEST

/* Another name for X_SPDADD, as on Linux. */
START_TEST(set_index)
{
	struct world *w = world_new();
	struct pfkey_message *msg = policy_message(PFKEY_LINUX_SPDSETIDX, PFKEY_LINUX_DIR_OUT);

	msg->present &= ~PFKEY_LINUX_HAS_POLICY;
	(void)ask(w, 0, msg, EINVAL);
	msg = policy_message(PFKEY_LINUX_SPDSETIDX, PFKEY_LINUX_DIR_OUT);
	msg->present &= ~PFKEY_BIT(PFKEY_EXT_ADDRESS_DST);
	(void)ask(w, 0, msg, EINVAL);
	ck_assert_uint_eq(w->n, 0);
	msg = policy_message(PFKEY_LINUX_SPDSETIDX, PFKEY_LINUX_DIR_OUT);
	ck_assert_uint_ne(ask(w, 0, msg, 0), 0);
	ck_assert_uint_eq(w->n, 1);
	(void)ask(w, 0, policy_message(PFKEY_LINUX_SPDSETIDX, PFKEY_LINUX_DIR_OUT), EEXIST);
	ck_assert_uint_eq(w->n, 1);
	world_done(w);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pfkey_linux_expire");
	TCase *tc = tcase_create("pfkey_linux_expire");

	tcase_add_test(tc, soft_then_hard_by_time);
	tcase_add_test(tc, by_use);
	tcase_add_test(tc, others_stay);
	tcase_add_test(tc, set_index);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
