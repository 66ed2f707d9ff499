/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The policies that clients of the Linux numbering bring. */
#include "tests/unit/pfkey_linux_world.h"

START_TEST(add_makes_rules)
{
	struct world *w = world_new();
	uint32_t out = add(w, 0, PFKEY_LINUX_DIR_OUT), in = add(w, 0, PFKEY_LINUX_DIR_IN);

	ck_assert_uint_ne(out, in);
	ck_assert_uint_eq(w->n, 2);
	ck_assert_uint_eq(w->lines[0], out);
	ck_assert_uint_eq(w->lines[1], in);
	ck_assert_msg(
		strncmp(w->rules[0], "{ laddr 192.0.2.1/32 raddr 192.0.2.2/32 dir out } ", 50) == 0,
		"%s", w->rules[0]);
	ck_assert_msg(
		strncmp(w->rules[1], "{ laddr 192.0.2.1/32 raddr 192.0.2.2/32 dir in } ", 49) == 0,
		"%s", w->rules[1]);
	/* Every cipher is an alternative; DES (2) and no cipher (11) behind what is better. */
	ck_assert_ptr_nonnull(strstr(w->rules[0], "encr_algs 20("));
	ck_assert(strstr(w->rules[0], "encr_algs 20(") < strstr(w->rules[0], "encr_algs 2("));
	ck_assert(strstr(w->rules[0], "encr_algs 2(") < strstr(w->rules[0], "encr_algs 11 "));
	ck_assert_ptr_null(strstr(w->rules[0], "encr_auth_algs"));
	world_done(w);
}
END_TEST

START_TEST(the_same_twice)
{
	struct world *w = world_new();
	struct pfkey_message *msg;
	uint32_t id = add(w, 0, PFKEY_LINUX_DIR_OUT);

	(void)ask(w, 0, policy_message(PFKEY_LINUX_SPDADD, PFKEY_LINUX_DIR_OUT), EEXIST);
	ck_assert_uint_eq(w->n, 1);
	msg = policy_message(PFKEY_LINUX_SPDUPDATE, PFKEY_LINUX_DIR_OUT);
	msg->policy.type = PFKEY_LINUX_POLICY_DISCARD;
	msg->policy.n_requests = 0;
	ck_assert_uint_eq(ask(w, 0, msg, 0), id);
	ck_assert_uint_eq(w->n, 1);
	ck_assert_ptr_nonnull(strstr(w->rules[0], "drop"));
	/* Another connection's policies are others. */
	ck_assert_uint_ne(add(w, 1, PFKEY_LINUX_DIR_OUT), id);
	ck_assert_uint_eq(w->n, 2);
	world_done(w);
}
END_TEST

START_TEST(lower_priority_first)
{
	struct world *w = world_new();
	struct pfkey_message *msg = policy_message(PFKEY_LINUX_SPDADD, PFKEY_LINUX_DIR_OUT);
	uint32_t late, early;

	msg->policy.priority = 2000;
	late = ask(w, 0, msg, 0);
	msg = policy_message(PFKEY_LINUX_SPDADD, PFKEY_LINUX_DIR_OUT);
	msg->policy.priority = 1000;
	msg->policy.protocol = IPPROTO_TCP;
	msg->policy.dst_port = 80;
	early = ask(w, 1, msg, 0);
	ck_assert_uint_eq(w->lines[0], early);
	ck_assert_uint_eq(w->lines[1], late);
	ck_assert_ptr_nonnull(strstr(w->rules[0], "ulp 6 "));
	ck_assert_ptr_nonnull(strstr(w->rules[0], "rport 80 "));
	world_done(w);
}
END_TEST

/* The rules of who has gone go; those of others stay. */
START_TEST(rules_go_with_the_connection)
{
	struct world *w = world_new();
	uint32_t stays;

	(void)add(w, 0, PFKEY_LINUX_DIR_OUT);
	stays = add(w, 1, PFKEY_LINUX_DIR_IN);
	(void)close(w->fds[0]);
	w->fds[0] = -1;
	turn(w->lab);
	ck_assert_uint_eq(w->n, 1);
	ck_assert_uint_eq(w->lines[0], stays);
	world_done(w);
}
END_TEST

/* What is enforced when the daemon stops is its business, not the door's. */
START_TEST(end_of_the_door_changes_nothing)
{
	struct world *w = world_new();
	size_t calls;

	(void)add(w, 0, PFKEY_LINUX_DIR_OUT);
	calls = w->calls;
	w->lab->door = pfkey_door_free(w->lab->door);
	ck_assert_uint_eq(w->calls, calls);
	ck_assert_uint_eq(w->n, 1);
	world_done(w);
}
END_TEST

START_TEST(what_cannot_be_enforced)
{
	struct world *w = world_new();
	uint32_t id = add(w, 0, PFKEY_LINUX_DIR_OUT);

	w->refuse = -ENOMEM;
	(void)ask(w, 0, policy_message(PFKEY_LINUX_SPDADD, PFKEY_LINUX_DIR_IN), ENOMEM);
	(void)ask(w, 0, policy_message(PFKEY_LINUX_SPDDELETE, PFKEY_LINUX_DIR_OUT), ENOMEM);
	(void)ask(w, 0, policy_message(PFKEY_LINUX_SPDUPDATE, PFKEY_LINUX_DIR_OUT), ENOMEM);
	(void)ask(w, 0, policy_message(PFKEY_LINUX_SPDFLUSH, PFKEY_LINUX_DIR_OUT), ENOMEM);
	w->refuse = 0;
	(void)add(w, 0, PFKEY_LINUX_DIR_IN);
	ck_assert_uint_eq(w->n, 2);
	ck_assert_uint_eq(w->lines[0], id);
	world_done(w);
}
END_TEST

START_TEST(delete_and_flush)
{
	struct world *w = world_new();
	struct pfkey_message *msg;
	uint32_t id;

	(void)add(w, 0, PFKEY_LINUX_DIR_OUT);
	id = add(w, 0, PFKEY_LINUX_DIR_IN);
	/* Not by another connection, by selector or by number. */
	(void)ask(w, 1, policy_message(PFKEY_LINUX_SPDDELETE, PFKEY_LINUX_DIR_OUT), ENOENT);
	msg = policy_message(PFKEY_LINUX_SPDDELETE2, PFKEY_LINUX_DIR_IN);
	msg->policy.id = id;
	(void)ask(w, 1, msg, ENOENT);
	ck_assert_uint_eq(w->n, 2);
	(void)ask(w, 0, policy_message(PFKEY_LINUX_SPDDELETE, PFKEY_LINUX_DIR_OUT), 0);
	ck_assert_uint_eq(w->n, 1);
	msg = policy_message(PFKEY_LINUX_SPDDELETE2, PFKEY_LINUX_DIR_IN);
	msg->policy.id = id;
	ck_assert_uint_eq(ask(w, 0, msg, 0), id);
	ck_assert_uint_eq(w->n, 0);
	(void)add(w, 0, PFKEY_LINUX_DIR_OUT);
	(void)add(w, 1, PFKEY_LINUX_DIR_OUT);
	(void)ask(w, 0, policy_message(PFKEY_LINUX_SPDFLUSH, PFKEY_LINUX_DIR_OUT), 0);
	ck_assert_uint_eq(w->n, 1);
	world_done(w);
}
END_TEST

START_TEST(get_and_dump)
{
	struct world *w = world_new();
	struct pfkey_message *msg = policy_message(PFKEY_LINUX_SPDDUMP, PFKEY_LINUX_DIR_OUT),
			     *answer;
	uint32_t ids[2];

	tell(w, 0, msg);
	pfkey_message_free(told(w, 0, PFKEY_LINUX_SPDDUMP, ENOENT));
	ids[0] = add(w, 0, PFKEY_LINUX_DIR_OUT);
	ids[1] = add(w, 1, PFKEY_LINUX_DIR_IN);
	tell(w, 0, msg);
	for (uint32_t i = 0; i < 2; i++) { /* the last has number 0 */
		answer = told(w, 0, PFKEY_LINUX_SPDDUMP, 0);
		ck_assert_uint_eq(answer->seq, 1 - i);
		ck_assert_uint_eq(answer->policy.id, ids[i]);
		ck_assert_uint_eq(answer->policy.requests[0].proto, IPPROTO_ESP);
		pfkey_message_free(answer);
	}
	msg->type = PFKEY_LINUX_SPDGET;
	msg->policy.id = ids[1];
	tell(w, 0, msg);
	answer = told(w, 0, PFKEY_LINUX_SPDGET, 0);
	ck_assert_uint_eq(answer->policy.direction, PFKEY_LINUX_DIR_IN);
	ck_assert_uint_eq(answer->policy.src.bits, 32);
	pfkey_message_free(answer);
	told_nothing(w, 0);
	told_nothing(w, 1);
	pfkey_message_free(msg);
	world_done(w);
}
END_TEST

static void to_tunnel(struct pfkey_policy *policy)
{
	policy->dst = prefix_of("10.9.0.0", 16);
	policy->requests[0].mode = PFKEY_LINUX_MODE_TUNNEL;
	policy->requests[0].src = fixture_addr("192.0.2.1");
	policy->requests[0].dst = fixture_addr("203.0.113.9");
}

static void to_no_tunnel(struct pfkey_policy *policy)
{
	to_tunnel(policy);
	policy->requests[0].dst = fixture_addr("203.0.113.10");
}

static void to_own_ends(struct pfkey_policy *policy)
{
	policy->requests[0].mode = PFKEY_LINUX_MODE_TUNNEL;
	policy->requests[0].src = fixture_addr("192.0.2.1");
	policy->requests[0].dst = fixture_addr("192.0.2.2");
}

static void to_forward(struct pfkey_policy *policy)
{
	policy->direction = PFKEY_LINUX_DIR_FWD;
}

static void to_bypass(struct pfkey_policy *policy)
{
	policy->type = PFKEY_LINUX_POLICY_NONE;
	policy->n_requests = 0;
}

static void to_ping(struct pfkey_policy *policy)
{
	policy->protocol = IPPROTO_ICMP;
	policy->src_port = 8;
}

static void to_ah(struct pfkey_policy *policy)
{
	policy->requests[0].proto = IPPROTO_AH;
}

static void to_optional(struct pfkey_policy *policy)
{
	policy->requests[0].level = PFKEY_LINUX_LEVEL_USE;
}

static void to_compression(struct pfkey_policy *policy)
{
	policy->requests[0].proto = IPPROTO_COMP;
}

static void to_esp_twice(struct pfkey_policy *policy)
{
	policy->n_requests = 2;
	policy->requests[1] = policy->requests[0];
}

static void to_ports_of_gre(struct pfkey_policy *policy)
{
	policy->protocol = IPPROTO_GRE;
	policy->dst_port = 5;
}

static void to_socket(struct pfkey_policy *policy)
{
	policy->type = 3;
}

static const struct {
	const char *name;
	void (*change)(struct pfkey_policy *policy);
	int error;
	const char *rule; /* what stands in it; NULL: there is none */
} meanings[] = {
	{ "a tunnel that there is", to_tunnel, 0, "{ tunnel " TUNNEL " negotiate tunnel " },
	{ "one that there is not", to_no_tunnel, EOPNOTSUPP, NULL },
	{ "a tunnel between the ends", to_own_ends, 0, "{ laddr 192.0.2.1/32 " },
	{ "forwarding", to_forward, 0, NULL },
	{ "bypass", to_bypass, 0, "pass { }" },
	{ "an ICMP type", to_ping, 0, "type 8" },
	{ "AH", to_ah, 0, "auth_algs" },
	{ "protection that may be missing", to_optional, EOPNOTSUPP, NULL },
	{ "compression", to_compression, EOPNOTSUPP, NULL },
	{ "the same header twice", to_esp_twice, EINVAL, NULL },
	{ "ports of what has none", to_ports_of_gre, EINVAL, NULL },
	{ "a socket's own policy", to_socket, EINVAL, NULL },
};

START_TEST(meaning)
{
	struct world *w = world_new();
	struct pfkey_message *msg = policy_message(PFKEY_LINUX_SPDADD, PFKEY_LINUX_DIR_OUT);

	meanings[_i].change(&msg->policy);
	(void)ask(w, 0, msg, meanings[_i].error);
	ck_assert_msg(w->n == (meanings[_i].rule != NULL), "%s", meanings[_i].name);
	if (meanings[_i].rule)
		ck_assert_msg(strstr(w->rules[0], meanings[_i].rule) != NULL, "%s: %s",
			meanings[_i].name, w->rules[0]);
	world_done(w);
}
END_TEST

START_TEST(optional_inbound_may_be_clear)
{
	struct world *w = world_new();
	struct pfkey_message *msg = policy_message(PFKEY_LINUX_SPDADD, PFKEY_LINUX_DIR_IN);

	to_optional(&msg->policy);
	(void)ask(w, 0, msg, 0);
	ck_assert_ptr_nonnull(strstr(w->rules[0], "or pass { }"));
	world_done(w);
}
END_TEST

START_TEST(request_id)
{
	struct world *w = world_new();
	struct pfkey_message *msg = policy_message(PFKEY_LINUX_SPDADD, PFKEY_LINUX_DIR_OUT);

	msg->policy.requests[0].level = PFKEY_LINUX_LEVEL_UNIQUE;
	msg->policy.requests[0].reqid = 16385;
	(void)ask(w, 0, msg, 0);
	ck_assert_uint_eq(w->reqids[0], 16385);
	world_done(w);
}
END_TEST

/* A question names the policy that asks, if a client brought it. */
START_TEST(acquire_names_the_policy)
{
	struct world *w = world_new();
	struct pfkey_message *msg = pfkey_message_new(), *heard;
	CLEANUP(rule_freep) struct rule *rule = rule_new(1);
	struct sadb_acquire acquire = { .proto = SA_PROTO_ESP,
		.src = fixture_addr("192.0.2.1"),
		.dst = fixture_addr("192.0.2.2"),
		.rule = rule };

	msg->type = PFKEY_REGISTER;
	msg->satype = PFKEY_SATYPE_ESP;
	tell(w, 0, msg);
	pfkey_message_free(msg);
	pfkey_message_free(told(w, 0, PFKEY_REGISTER, 0));
	rule->line = add(w, 0, PFKEY_LINUX_DIR_OUT);
	rule->directions = DIRECTION_BIT_OUT;
	rule->selector.local = prefix_of("192.0.2.1", _i ? 24 : 32); /* a file's: other ends */
	rule->selector.remote = prefix_of("192.0.2.2", 32);
	rule->actions[0] = (struct action){
		.kind = ACTION_PROTECT, .has_esp = true, .esp = { ALG_ENCR_AES_CBC, 128, 256 }
	};
	acquire.flow.local = acquire.src;
	acquire.flow.remote = acquire.dst;
	sadb_need(w->lab->f->sadb, &acquire);
	heard = told(w, 0, PFKEY_ACQUIRE, 0);
	ck_assert_uint_eq(heard->n_combs, 1);
	ck_assert_uint_eq(heard->policy.id, _i ? 0 : rule->line);
	told_nothing(w, 1);
	pfkey_message_free(heard);
	world_done(w);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pfkey_linux_policy");
	TCase *tc = tcase_create("pfkey_linux_policy");

	tcase_add_test(tc, add_makes_rules);
	tcase_add_test(tc, the_same_twice);
	tcase_add_test(tc, lower_priority_first);
	tcase_add_test(tc, rules_go_with_the_connection);
	tcase_add_test(tc, end_of_the_door_changes_nothing);
	tcase_add_test(tc, what_cannot_be_enforced);
	tcase_add_test(tc, delete_and_flush);
	tcase_add_test(tc, get_and_dump);
	tcase_add_loop_test(tc, meaning, 0, (int)ARRAY_SIZE(meanings));
	tcase_add_test(tc, optional_inbound_may_be_clear);
	tcase_add_test(tc, request_id);
	tcase_add_loop_test(tc, acquire_names_the_policy, 0, 2);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
