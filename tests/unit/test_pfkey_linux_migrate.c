/* SPDX-License-Identifier: GPL-2.0-or-later */
/* X_MIGRATE: policies and SAs between other ends, in one step or not at all. */
#include "services/datapath/replay/replay.h"
#include "tests/unit/pfkey_linux_world.h"

#define HERE  "192.0.2.1"
#define THERE "192.0.2.17"
#define NOW   "192.0.2.99"
#define FAR   "203.0.113.9" /* where the tunnel of the world ends */

static struct pfkey_request ends(uint8_t mode, const char *src, const char *dst, uint32_t reqid)
{
	return (struct pfkey_request){ .proto = IPPROTO_ESP,
		.mode = mode,
		.level = PFKEY_LINUX_LEVEL_REQUIRE,
		.reqid = reqid,
		.src = fixture_addr(src),
		.dst = fixture_addr(dst) };
}

/* Transport mode, from THERE to NOW, for the policy of policy_message(). */
static struct pfkey_message *migration(uint8_t direction)
{
	struct pfkey_message *msg = policy_message(PFKEY_LINUX_MIGRATE, direction);
	bool in = direction == PFKEY_LINUX_DIR_IN;

	msg->policy.n_requests = 2;
	msg->policy.requests[0] = ends(
		PFKEY_LINUX_MODE_TRANSPORT, in ? THERE : HERE, in ? HERE : THERE, 0);
	msg->policy.requests[1] = ends(
		PFKEY_LINUX_MODE_TRANSPORT, in ? NOW : HERE, in ? HERE : NOW, 0);
	return msg;
}

static void ck_end(const struct address *addr, const char *text)
{
	struct address wanted = fixture_addr(text);

	ck_assert(address_equal(addr, &wanted));
}

static void pass_by(struct world *w, uint8_t type)
{
	for (int i = 0; i < LINUX_CLIENTS; i++)
		pfkey_message_free(told(w, i, type, 0));
	expect_all(w->lab, type, 0, 0);
}

static struct sad_entry *add_sa(struct world *w, struct sa *sa)
{
	struct sad_entry *entry = fixture_add(w->lab->f, sa);

	pass_by(w, PFKEY_ADD);
	return entry;
}

static struct sad_entry *find_at(struct world *w, uint32_t spi, const char *dst)
{
	struct sa_key key = { SA_PROTO_ESP, spi, fixture_addr(dst) };

	return sad_find(w->lab->f->sad, &key);
}

START_TEST(an_sa_goes_on_elsewhere)
{
	struct world *w = world_new();
	struct sad_entry *out = add_sa(w, fixture_sa(0x2001)), *next;
	struct sa_run *run = out->run;
	struct pfkey_message *heard, *msg = migration(PFKEY_LINUX_DIR_OUT);

	(void)add_sa(
		w, fixture_sa_gcm(0x2002, 3)); /* nobody else may have its key, but for itself */

	(void)ask(w, 0, policy_message(PFKEY_LINUX_SPDADD, PFKEY_LINUX_DIR_OUT), 0);
	atomic_store(&run->seq, 77);
	atomic_store(&run->bytes, 5000);
	tell(w, 1, msg); /* not who added the policy */
	for (int i = 0; i < 2; i++) {
		pass_by(w, PFKEY_DELETE);
		pass_by(w, PFKEY_ADD);
	}
	for (int i = 0; i < LINUX_CLIENTS; i++) {
		heard = told(w, i, PFKEY_LINUX_MIGRATE, 0);
		ck_assert_uint_eq(heard->seq, 7);
		ck_assert_uint_eq(heard->policy.n_requests, 2);
		ck_end(&heard->policy.requests[1].dst, NOW);
		pfkey_message_free(heard);
	}
	ck_assert_ptr_null(find_at(w, 0x2001, THERE));
	next = find_at(w, 0x2001, NOW);
	ck_assert_ptr_nonnull(next);
	ck_assert_ptr_eq(next->run, run);
	ck_assert_uint_eq(atomic_load(&next->run->seq), 77);
	ck_assert_uint_eq(atomic_load(&next->run->bytes), 5000);
	ck_assert_int_eq(next->directions, SA_OUTBOUND);
	pfkey_message_free(msg);
	ck_assert_ptr_nonnull(find_at(w, 0x2002, NOW));
	/* The record goes on in another life, too. */
	ck_assert_uint_eq(sad_count(w->lab->f->sad), 2);
	rcu_barrier(w->lab->f->rcu);
	fixture_wait(w->lab->f, 1);
	ck_assert_ptr_nonnull(find_at(w, 0x2001, NOW));
	world_done(w);
}
END_TEST

/* What was received before the move is not received again after it. */
START_TEST(windows_go_along)
{
	struct world *w = world_new();
	struct sad_entry *in = add_sa(w, fixture_sa_in(0x2003)), *next;
	struct pfkey_message *msg = migration(PFKEY_LINUX_DIR_IN);

	(void)ask(w, 0, policy_message(PFKEY_LINUX_SPDADD, PFKEY_LINUX_DIR_IN), 0);
	replay_lock(in->run);
	ck_assert_int_eq(replay_accept(in->run, 9), REPLAY_OK);
	replay_unlock(in->run);
	tell(w, 0, msg);
	pfkey_message_free(msg);
	next = find_at(w, 0x2003, HERE);
	ck_assert_ptr_nonnull(next);
	ck_end(&next->sa->src, NOW);
	replay_lock(next->run);
	ck_assert_int_ne(replay_accept(next->run, 9), REPLAY_OK);
	ck_assert_int_eq(replay_accept(next->run, 10), REPLAY_OK);
	replay_unlock(next->run);
	world_done(w);
}
END_TEST

static void odd(struct pfkey_policy *policy)
{
	policy->n_requests = 1;
}

static void none(struct pfkey_policy *policy)
{
	policy->n_requests = 0;
}

static void other_protocol(struct pfkey_policy *policy)
{
	policy->requests[1].proto = IPPROTO_AH;
}

static void other_mode(struct pfkey_policy *policy)
{
	policy->requests[0].mode = PFKEY_LINUX_MODE_TUNNEL;
}

static void other_reqid(struct pfkey_policy *policy)
{
	policy->requests[1].reqid = 5;
}

static void nowhere(struct pfkey_policy *policy)
{
	policy->requests[1].dst = fixture_addr("0.0.0.0");
}

static void to_a_group(struct pfkey_policy *policy)
{
	policy->requests[1].dst = fixture_addr("224.0.0.5");
}

static void without_ends(struct pfkey_policy *policy)
{
	policy->requests[0].src = policy->requests[0].dst = (struct address){ 0 };
}

static void from_there(struct pfkey_policy *policy)
{
	policy->requests[1].src = fixture_addr(NOW);
	policy->requests[1].dst = fixture_addr(HERE);
}

static void nothing_new(struct pfkey_policy *policy)
{
	policy->requests[1] = policy->requests[0];
}

static void no_direction(struct pfkey_policy *policy)
{
	policy->direction = 9;
}

static void other_policy(struct pfkey_policy *policy)
{
	policy->dst = prefix_of("192.0.2.3", 32);
}

static void not_of_the_policy(struct pfkey_policy *policy)
{
	policy->requests[0].reqid = policy->requests[1].reqid = 6;
}

static const struct {
	const char *name;
	void (*damage)(struct pfkey_policy *policy);
	int error;
} damages[] = {
	{ "half a pair", odd, EINVAL },
	{ "no pair", none, EINVAL },
	{ "another protocol", other_protocol, EINVAL },
	{ "another mode", other_mode, EINVAL },
	{ "another request id", other_reqid, EINVAL },
	{ "to nowhere", nowhere, EINVAL },
	{ "to a group", to_a_group, EINVAL },
	{ "from nowhere", without_ends, EINVAL },
	{ "turned round", from_there, EINVAL },
	{ "nothing new", nothing_new, EINVAL },
	{ "no direction", no_direction, EINVAL },
	{ "no such policy", other_policy, ENOENT },
	{ "no such request", not_of_the_policy, ENODATA },
};

START_TEST(damaged)
{
	struct world *w = world_new();
	struct sad_entry *out = add_sa(w, fixture_sa(0x2001));
	struct pfkey_message *msg = migration(PFKEY_LINUX_DIR_OUT);

	(void)ask(w, 0, policy_message(PFKEY_LINUX_SPDADD, PFKEY_LINUX_DIR_OUT), 0);
	damages[_i].damage(&msg->policy);
	(void)ask(w, 0, msg, damages[_i].error);
	ck_assert_msg(find_at(w, 0x2001, THERE) == out, "%s", damages[_i].name);
	ck_assert_uint_eq(sad_count(w->lab->f->sad), 1);
	world_done(w);
}
END_TEST

/* An SA with its SPI is where it wants to go: all stay. */
START_TEST(taken)
{
	struct world *w = world_new();
	struct sa *other = fixture_sa(0x2002);
	struct sad_entry *first = add_sa(w, fixture_sa(0x2001)), *second;

	second = add_sa(w, fixture_sa(0x2002));
	other->dst = fixture_addr(NOW);
	(void)add_sa(w, other);
	(void)ask(w, 0, policy_message(PFKEY_LINUX_SPDADD, PFKEY_LINUX_DIR_OUT), 0);
	(void)ask(w, 0, migration(PFKEY_LINUX_DIR_OUT), EEXIST);
	ck_assert_ptr_eq(find_at(w, 0x2001, THERE), first);
	ck_assert_ptr_eq(find_at(w, 0x2002, THERE), second);
	ck_assert_ptr_null(find_at(w, 0x2001, NOW));
	ck_assert_uint_eq(sad_count(w->lab->f->sad), 3);
	world_done(w);
}
END_TEST

/* Tunnel mode: the policy has ends of its own, and where it cannot go, no SA goes. */
START_TEST(tunnels)
{
	struct world *w = world_new();
	struct pfkey_message *msg = policy_message(PFKEY_LINUX_SPDADD, PFKEY_LINUX_DIR_OUT);
	struct sa *sa = fixture_sa(0x2001);
	struct sad_entry *out;

	msg->policy.dst = prefix_of("10.2.0.0", 16);
	msg->policy.requests[0] = ends(PFKEY_LINUX_MODE_TUNNEL, HERE, FAR, 4);
	(void)ask(w, 0, msg, 0);
	ck_assert_ptr_nonnull(strstr(w->rules[0], TUNNEL));
	sa->mode = SA_MODE_TUNNEL;
	sa->reqid = 4;
	sa->dst = fixture_addr(FAR);
	sa->inner_src = prefix_of("0.0.0.0", 0);
	sa->inner_dst = prefix_of("0.0.0.0", 0);
	out = add_sa(w, sa);
	msg = migration(PFKEY_LINUX_DIR_OUT); /* no tunnel ends there */
	msg->policy.dst = prefix_of("10.2.0.0", 16);
	msg->policy.requests[0] = ends(PFKEY_LINUX_MODE_TUNNEL, HERE, FAR, 4);
	msg->policy.requests[1] = ends(PFKEY_LINUX_MODE_TUNNEL, HERE, NOW, 4);
	(void)ask(w, 0, msg, EOPNOTSUPP);
	ck_assert_ptr_eq(find_at(w, 0x2001, FAR), out);
	ck_assert_uint_eq(sad_count(w->lab->f->sad), 1);
	msg = policy_message(PFKEY_LINUX_SPDGET, PFKEY_LINUX_DIR_OUT);
	msg->policy.id = w->lines[0];
	tell(w, 0, msg);
	pfkey_message_free(msg);
	msg = told(w, 0, PFKEY_LINUX_SPDGET, 0);
	ck_assert(address_equal(&msg->policy.requests[0].dst, &out->sa->dst));
	pfkey_message_free(msg);
	world_done(w);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pfkey_linux_migrate");
	TCase *tc = tcase_create("pfkey_linux_migrate");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, an_sa_goes_on_elsewhere);
	tcase_add_test(tc, windows_go_along);
	tcase_add_loop_test(tc, damaged, 0, ARRAY_SIZE(damages));
	tcase_add_test(tc, taken);
	tcase_add_test(tc, tunnels);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
