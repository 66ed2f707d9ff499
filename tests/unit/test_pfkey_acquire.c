/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What PF_KEY asks key management for: whom, in which words, and what counts as an answer. */
#include "services/datapath/pfkey/pfkey_door.h"

#include "tests/unit/pfkey_lab.h"
#include "tests/unit/rules.h"

static struct sadb_acquire question(const struct rule *rule)
{
	return (struct sadb_acquire){ .proto = SA_PROTO_ESP,
		.mode = SA_MODE_TRANSPORT,
		.src = fixture_addr("192.0.2.1"),
		.dst = fixture_addr("192.0.2.17"),
		.flow = { .local = fixture_addr("192.0.2.1"),
			.remote = fixture_addr("192.0.2.17"),
			.protocol = 6,
			.has_ports = true,
			.local_port = 1025,
			.remote_port = 80 },
		.rule_id = 5,
		.rule = rule };
}

static void need(struct lab *lab, const struct rule *rule, enum sa_proto proto)
{
	struct sadb_acquire acquire = question(rule);

	acquire.proto = proto;
	acquire.packet = calloc(1, sizeof(*acquire.packet) + 1);
	acquire.packet->len = 1;
	sadb_need(lab->f->sadb, &acquire);
}

/* ESP with AH around it; ESP with what this build has not; ESP alone with a wide key. */
static struct rule *three_alternatives(void)
{
	struct rule *rule = rule_new(3);

	ck_assert_ptr_nonnull(rule);
	rule->actions[0] = rules_esp;
	rule->actions[0].has_ah = true;
	rule->actions[0].ah = rules_ah.ah;
	rule->actions[1] = rules_esp;
	rule->actions[1].esp.number = 99;
	rule->actions[2] = (struct action){ .kind = ACTION_PROTECT,
		.has_esp = true,
		.esp = { ALG_ENCR_AES_GCM16, 192, UINT16_MAX } };
	return rule;
}

static void register_for(struct lab *lab, int who, uint8_t satype)
{
	say_base(lab, who, PFKEY_REGISTER, satype);
	expect(lab, who, PFKEY_REGISTER, 0, 0);
}

static void say_extended(struct lab *lab, int who, const uint8_t types[4])
{
	struct pfkey_message *msg = pfkey_message_new();

	msg->type = PFKEY_REGISTER;
	msg->present = PFKEY_BIT(PFKEY_EXT_EREG);
	memcpy(msg->extended_register, types, 4);
	say(lab, who, msg);
	pfkey_message_free(msg);
}

static void register_extended(struct lab *lab, int who)
{
	struct pfkey_message *msg;

	say_extended(lab, who, (const uint8_t[4]){ PFKEY_SATYPE_AH, PFKEY_SATYPE_ESP });
	msg = hear_type(lab, who, PFKEY_REGISTER, 0, 0);
	ck_assert_uint_eq(msg->satype, PFKEY_SATYPE_AH);
	ck_assert_uint_eq(msg->n_encrypt, 0);
	pfkey_message_free(msg);
	msg = hear_type(lab, who, PFKEY_REGISTER, 0, 0);
	ck_assert_uint_eq(msg->satype, PFKEY_SATYPE_ESP);
	ck_assert_uint_gt(msg->n_encrypt, 0);
	pfkey_message_free(msg);
}

static void answer_no(struct lab *lab, int who, uint8_t satype, uint32_t seq)
{
	struct pfkey_message *msg = pfkey_message_new();

	msg->type = PFKEY_ACQUIRE;
	msg->satype = satype;
	msg->error = ETIMEDOUT;
	msg->seq = seq;
	say(lab, who, msg);
	pfkey_message_free(msg);
}

START_TEST(plain_proposal)
{
	struct lab *lab = lab_new();
	CLEANUP(rule_freep) struct rule *rule = three_alternatives();
	struct pfkey_message *msg;

	ck_assert_int_eq(tunables_set(&lab->f->tunables, TUNABLE_ESP_SOFT_BYTES, 5000), 0);
	ck_assert_int_eq(tunables_set(&lab->f->tunables, TUNABLE_ESP_REPLAY_SIZE, 128), 0);
	ck_assert_int_eq(tunables_set(&lab->f->tunables, TUNABLE_AH_HARD_USETIME, 77), 0);
	register_for(lab, 0, PFKEY_SATYPE_ESP);
	register_for(lab, 1, PFKEY_SATYPE_AH);
	need(lab, rule, SA_PROTO_ESP);
	hear_nothing(lab, 1);
	msg = hear_type(lab, 0, PFKEY_ACQUIRE, 0, 0);
	ck_assert_uint_eq(msg->proposal_replay, 128);
	ck_assert_uint_eq(msg->n_combs, 2);
	ck_assert_uint_eq(msg->combs[0].encrypt, ALG_ENCR_AES_CBC);
	ck_assert_uint_eq(msg->combs[0].auth, ALG_AUTH_HMAC_SHA256);
	ck_assert_uint_eq(msg->combs[0].soft.bytes, 5000);
	ck_assert_uint_eq(msg->combs[0].soft.add_sec, 24000);
	ck_assert_uint_eq(msg->combs[0].hard.add_sec, 28800);
	ck_assert_uint_eq(msg->combs[0].hard.use_sec, 0);
	ck_assert_uint_eq(msg->combs[1].encrypt, ALG_ENCR_AES_GCM16);
	ck_assert_uint_eq(msg->combs[1].encrypt_min_bits, 192);
	ck_assert_uint_eq(msg->combs[1].encrypt_max_bits, 256); /* no longer than it goes */
	ck_assert_uint_eq(msg->combs[1].salt_bits, 32);
	ck_assert_uint_eq(msg->combs[1].auth, 0);
	ck_assert_uint_eq(msg->sa->protocol, 0); /* the rule names none */
	ck_assert_uint_eq(msg->sa->dst_port, 0);
	pfkey_message_free(msg);
	/* AH is a question of its own, and has limits of its own. */
	need(lab, rule, SA_PROTO_AH);
	hear_nothing(lab, 0);
	msg = hear_type(lab, 1, PFKEY_ACQUIRE, 0, 0);
	ck_assert_uint_eq(msg->satype, PFKEY_SATYPE_AH);
	ck_assert_uint_eq(msg->proposal_replay, 64);
	ck_assert_uint_eq(msg->n_combs, 1);
	ck_assert_uint_eq(msg->combs[0].auth, ALG_AUTH_HMAC_SHA1);
	ck_assert_uint_eq(msg->combs[0].auth_min_bits, 160);
	ck_assert_uint_eq(msg->combs[0].encrypt, 0);
	ck_assert_uint_eq(msg->combs[0].hard.use_sec, 77);
	pfkey_message_free(msg);
	lab_done(lab);
}
END_TEST

START_TEST(extended_registration)
{
	struct lab *lab = lab_new();

	say_extended(lab, 0, (const uint8_t[4]){ 0 });
	expect(lab, 0, PFKEY_REGISTER, EINVAL, PFKEY_DIAG_SATYPE_NEEDED);
	say_extended(lab, 0, (const uint8_t[4]){ PFKEY_SATYPE_ESP, 5 });
	expect(lab, 0, PFKEY_REGISTER, EINVAL, PFKEY_DIAG_UNKNOWN_SATYPE);
	ck_assert(!sad_is_managed(lab->f->sad));
	register_extended(lab, 0);
	ck_assert(sad_is_managed(lab->f->sad));
	say_extended(lab, 0, (const uint8_t[4]){ PFKEY_SATYPE_ESP });
	expect(lab, 0, PFKEY_REGISTER, EBUSY, 0);
	say_base(lab, 0, PFKEY_REGISTER, PFKEY_SATYPE_ESP);
	expect(lab, 0, PFKEY_REGISTER, EBUSY, 0);
	register_for(lab, 1, PFKEY_SATYPE_ESP);
	expect(lab, 0, PFKEY_REGISTER, 0, 0); /* who is registered hears of it */
	say_extended(lab, 1, (const uint8_t[4]){ PFKEY_SATYPE_AH });
	expect(lab, 1, PFKEY_REGISTER, EBUSY, 0);
	hear_nothing(lab, 2);
	pfkey_door_algorithms_changed(lab->door);
	expect(lab, 0, PFKEY_REGISTER, 0, 0);
	expect(lab, 0, PFKEY_REGISTER, 0, 0);
	expect(lab, 1, PFKEY_REGISTER, 0, 0);
	hear_nothing(lab, 1);
	lab_done(lab);
}
END_TEST

START_TEST(extended_proposal)
{
	struct lab *lab = lab_new();
	CLEANUP(rule_freep) struct rule *rule = three_alternatives();
	const struct pfkey_ecomb *ecomb;
	struct pfkey_message *msg;
	uint32_t seq;

	ck_assert_int_eq(tunables_set(&lab->f->tunables, TUNABLE_AH_SOFT_USETIME, 33), 0);
	ck_assert_int_eq(tunables_set(&lab->f->tunables, TUNABLE_AH_REPLAY_SIZE, 32), 0);
	register_for(lab, 0, PFKEY_SATYPE_ESP);
	register_extended(lab, 1);
	need(lab, rule, SA_PROTO_ESP);
	msg = hear_type(lab, 0, PFKEY_ACQUIRE, 0, 0);
	seq = msg->seq;
	ck_assert_ptr_null(msg->eprop);
	pfkey_message_free(msg);
	hear_nothing(lab, 0);
	msg = hear_type(lab, 1, PFKEY_ACQUIRE, 0, 0);
	ck_assert_uint_eq(msg->satype, 0);
	ck_assert_uint_eq(msg->seq, seq);
	ck_assert_uint_ge(seq, 0x80000000U);
	ck_assert_uint_eq(msg->pid, 0);
	ck_assert(!(msg->present & PFKEY_BIT(PFKEY_EXT_PROPOSAL)));
	ck_assert_ptr_nonnull(msg->eprop);
	ck_assert_uint_eq(msg->eprop->replay, 64); /* ESP's */
	ck_assert_uint_eq(msg->eprop->n_ecombs, 2);
	ecomb = &msg->eprop->ecombs[0];
	ck_assert_uint_eq(ecomb->n_algs, 3);
	ck_assert_uint_eq(ecomb->soft.use_sec, 33); /* AH's, which it uses */
	ck_assert_mem_eq(&ecomb->algs[0],
		(&(struct pfkey_algdesc){ 2, 1, ALG_AUTH_HMAC_SHA1, 0, 160, 160 }), 8);
	ck_assert_mem_eq(&ecomb->algs[1],
		(&(struct pfkey_algdesc){ 3, 1, ALG_AUTH_HMAC_SHA256, 0, 256, 256 }), 8);
	ck_assert_mem_eq(&ecomb->algs[2],
		(&(struct pfkey_algdesc){ 3, 2, ALG_ENCR_AES_CBC, 0, 128, 256 }), 8);
	ecomb = &msg->eprop->ecombs[1];
	ck_assert_uint_eq(ecomb->n_algs, 1);
	ck_assert_uint_eq(ecomb->soft.use_sec, 0);
	ck_assert_uint_eq(ecomb->algs[0].salt_bits, 32);
	pfkey_message_free(msg);
	hear_nothing(lab, 1);
	hear_nothing(lab, 2);
	lab_done(lab);
}
END_TEST

START_TEST(who_may_say_no)
{
	struct lab *lab = lab_new();
	CLEANUP(rule_freep) struct rule *rule = three_alternatives();
	struct pfkey_message *msg;
	uint32_t seq;

	register_for(lab, 0, PFKEY_SATYPE_ESP);
	register_extended(lab, 1);
	need(lab, rule, SA_PROTO_ESP);
	msg = hear_type(lab, 0, PFKEY_ACQUIRE, 0, 0);
	seq = msg->seq;
	pfkey_message_free(msg);
	expect(lab, 1, PFKEY_ACQUIRE, 0, 0);
	answer_no(lab, 0, PFKEY_SATYPE_UNSPEC, seq);
	expect(lab, 0, PFKEY_ACQUIRE, EINVAL, PFKEY_DIAG_SATYPE_NEEDED);
	answer_no(lab, 0, PFKEY_SATYPE_ESP, seq + 1); /* of no question */
	ck_assert_uint_eq(lab->f->n_lost, 0);
	answer_no(lab, 1, PFKEY_SATYPE_UNSPEC, seq);
	hear_nothing(lab, 1);
	ck_assert_uint_eq(lab->f->n_lost, 1);
	ck_assert_int_eq(lab->f->lost[0], VERDICT_SADB_ACQUIRE);
	lab_done(lab);
}
END_TEST

/* What fails to be added is an answer, too: the packets of the question do not wait on. */
START_TEST(failed_answer)
{
	struct lab *lab = lab_new();
	CLEANUP(rule_freep) struct rule *rule = three_alternatives();
	struct pfkey_message *msg;
	uint32_t seq;

	register_for(lab, 0, PFKEY_SATYPE_ESP);
	need(lab, rule, SA_PROTO_ESP);
	msg = hear_type(lab, 0, PFKEY_ACQUIRE, 0, 0);
	seq = msg->seq;
	pfkey_message_free(msg);
	msg = request(PFKEY_ADD, fixture_sa(0x1001));
	msg->sa->encr = 99;
	say(lab, 0, msg); /* with another number */
	expect_all(lab, PFKEY_ADD, EINVAL, PFKEY_DIAG_BAD_EALG);
	ck_assert_uint_eq(lab->f->n_lost, 0);
	msg->seq = seq;
	say(lab, 0, msg);
	pfkey_message_free(msg);
	expect_all(lab, PFKEY_ADD, EINVAL, PFKEY_DIAG_BAD_EALG);
	ck_assert_uint_eq(lab->f->n_lost, 1);
	lab_done(lab);
}
END_TEST

START_TEST(as_far_as_the_rule_goes)
{
	struct lab *lab = lab_new();
	CLEANUP(rule_freep) struct rule *rule = three_alternatives();
	struct sadb_acquire acquire = question(rule);
	struct pfkey_message *msg;

	register_for(lab, 0, PFKEY_SATYPE_ESP);
	rule->selector.protocol = 6;
	rule->selector.remote_port = 80;
	sadb_need(lab->f->sadb, &acquire);
	msg = hear_type(lab, 0, PFKEY_ACQUIRE, 0, 0);
	ck_assert_uint_eq(msg->sa->protocol, 6);
	ck_assert_uint_eq(msg->sa->src_port, 0);
	ck_assert_uint_eq(msg->sa->dst_port, 80);
	pfkey_message_free(msg);
	rule->actions[2].unique = true;
	acquire.rule_id = 6;
	sadb_need(lab->f->sadb, &acquire);
	msg = hear_type(lab, 0, PFKEY_ACQUIRE, 0, 0);
	ck_assert_uint_eq(msg->sa->src_port, 1025);
	pfkey_message_free(msg);
	/* A tunnel's rule without tunnel mode: one SA for what the tunnel sends. */
	memcpy(rule->tunnel, "tun0", 5);
	rule->negotiate = TUNNEL_TRANSPORT;
	acquire.rule_id = 7;
	acquire.flow.protocol = 4;
	acquire.flow.has_ports = false;
	sadb_need(lab->f->sadb, &acquire);
	msg = hear_type(lab, 0, PFKEY_ACQUIRE, 0, 0);
	ck_assert_uint_eq(msg->sa->protocol, 4);
	ck_assert_uint_eq(msg->sa->dst_port, 0);
	pfkey_message_free(msg);
	/* And with it: inner addresses are the rule's. */
	rule->negotiate = TUNNEL_TUNNEL;
	rule->selector.remote = rules_prefix("10.2.0.0", 16);
	acquire.rule_id = 8;
	acquire.mode = SA_MODE_TUNNEL;
	acquire.flow.local = fixture_addr("10.1.0.5");
	acquire.flow.remote = fixture_addr("10.2.0.5");
	sadb_need(lab->f->sadb, &acquire);
	msg = hear_type(lab, 0, PFKEY_ACQUIRE, 0, 0);
	ck_assert_uint_eq(msg->sa->protocol, 4);
	ck_assert_uint_eq(msg->sa->dst_port, 0);
	ck_assert_uint_eq(msg->sa->inner_dst.bits, 16);
	ck_assert_uint_eq(msg->sa->inner_src.bits, 0);
	ck_assert_uint_eq(msg->sa->inner_protocol, 6);
	ck_assert_uint_eq(msg->sa->inner_dst_port, 80);
	pfkey_message_free(msg);
	lab_done(lab);
}
END_TEST

struct policy {
	const struct rule *rule;
	struct pfkey_policy_query asked;
};

static const struct rule *on_query(struct pfkey_policy_query *query, void *userdata)
{
	struct policy *policy = userdata;

	policy->asked = *query;
	query->tunnel_mode = query->has_inner;
	return policy->rule;
}

START_TEST(inverse)
{
	struct lab *lab = lab_new();
	CLEANUP(rule_freep) struct rule *rule = three_alternatives();
	struct policy policy = { .rule = rule };
	struct sa *sa = fixture_sa(0x1001);
	struct pfkey_message *msg = request(PFKEY_X_INVERSE_ACQUIRE, sa), *answer;

	msg->satype = 0;
	msg->present &= ~PFKEY_BIT(PFKEY_EXT_SA);
	msg->sa->protocol = 6;
	msg->sa->dst_port = 80;
	say(lab, 0, msg); /* nobody knows of policy */
	expect(lab, 0, PFKEY_X_INVERSE_ACQUIRE, ENOENT, 0);
	pfkey_door_set_policy(lab->door, on_query, &policy);
	say(lab, 0, msg);
	answer = hear_type(lab, 0, PFKEY_X_INVERSE_ACQUIRE, 0, 0);
	ck_assert_uint_eq(answer->seq, 7);
	ck_assert_uint_eq(answer->pid, 8);
	ck_assert_ptr_nonnull(answer->eprop);
	ck_assert_uint_eq(answer->eprop->n_ecombs, 2);
	ck_assert_int_eq(answer->sa->mode, SA_MODE_TRANSPORT);
	pfkey_message_free(answer);
	ck_assert(policy.asked.outer.has_ports && !policy.asked.has_inner);
	ck_assert_uint_eq(policy.asked.outer.remote_port, 80);
	ck_assert(address_equal(&policy.asked.outer.local, &msg->sa->src));
	hear_nothing(lab, 1);
	/* A tunnel: inner addresses go in, and come back as the rule has them. */
	rule->selector.local = rules_prefix("10.1.0.0", 16);
	rule->selector.remote = rules_prefix("10.2.0.0", 16);
	msg->sa->protocol = 4;
	msg->sa->dst_port = 0;
	msg->sa->inner_src = rules_prefix("10.1.0.5", 32);
	msg->sa->inner_dst = rules_prefix("10.2.0.5", 32);
	msg->present |= PFKEY_BIT(PFKEY_EXT_INNER_SRC);
	say(lab, 0, msg);
	expect(lab, 0, PFKEY_X_INVERSE_ACQUIRE, EINVAL, PFKEY_DIAG_MISSING_INNER_DST);
	msg->present |= PFKEY_BIT(PFKEY_EXT_INNER_DST);
	say(lab, 0, msg);
	answer = hear_type(lab, 0, PFKEY_X_INVERSE_ACQUIRE, 0, 0);
	ck_assert_uint_eq(answer->sa->inner_dst.bits, 16);
	pfkey_message_free(answer);
	ck_assert(address_equal(&policy.asked.inner.remote, &msg->sa->inner_dst.addr));
	/* Protocol 41 carries no IPv4. */
	msg->sa->protocol = 41;
	say(lab, 0, msg);
	expect(lab, 0, PFKEY_X_INVERSE_ACQUIRE, EPROTOTYPE, PFKEY_DIAG_INNER_AF_MISMATCH);
	pfkey_message_free(msg);
	lab_done(lab);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pfkey_acquire");
	TCase *tc = tcase_create("pfkey_acquire");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, plain_proposal);
	tcase_add_test(tc, extended_registration);
	tcase_add_test(tc, extended_proposal);
	tcase_add_test(tc, who_may_say_no);
	tcase_add_test(tc, failed_answer);
	tcase_add_test(tc, as_far_as_the_rule_goes);
	tcase_add_test(tc, inverse);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
