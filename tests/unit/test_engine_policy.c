/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The receiver's table (kernel-semantics of the original, section 4), cell by cell: what a rule's
 * alternatives say to a packet, by how it came. And what the engine may keep of a flow.
 */
#include <errno.h>

#include "services/datapath/engine/engine_internal.h"
#include "tests/unit/engine_host.h"
#include "tests/unit/suite.h"

#define ALTERNATIVES 3

/* clang-format off */
#define PASS { .kind = ACTION_BYPASS }
#define DROP { .kind = ACTION_DISCARD }
#define AH(a) { .kind = ACTION_PROTECT, .has_ah = true, .ah = { a, 0, UINT16_MAX } }
#define ESP(e) { .kind = ACTION_PROTECT, .has_esp = true, .esp = { e, 0, UINT16_MAX } }
#define ESP_AUTH(e, a) { .kind = ACTION_PROTECT, .has_esp = true, .esp = { e, 0, UINT16_MAX }, \
	.has_esp_auth = true, .esp_auth = { a, 0, UINT16_MAX } }
#define AUTH_ONLY(a) { .kind = ACTION_PROTECT, .has_esp_auth = true, .esp_auth = { a, 0, UINT16_MAX } }
#define AH_ESP(a, e) { .kind = ACTION_PROTECT, .has_ah = true, .ah = { a, 0, UINT16_MAX }, \
	.has_esp = true, .esp = { e, 0, UINT16_MAX } }
/* clang-format on */

#define SHA1   ALG_AUTH_HMAC_SHA1
#define SHA256 ALG_AUTH_HMAC_SHA256
#define AES    ALG_ENCR_AES_CBC
#define DES3   ALG_ENCR_3DES

/* @ah, @encr, @auth: algorithms of the SAs that opened it, 0: none of that kind. */
static const struct {
	const char *name;
	struct action actions[ALTERNATIVES];
	size_t n;
	uint8_t ah, encr, auth;
	enum verdict verdict;
	uint16_t satisfied;
} cells[] = {
	{ "clear, pass", { PASS }, 1, 0, 0, 0, VERDICT_IN_CLEAR, 0 },
	{ "clear, or pass", { AH(SHA1), PASS }, 2, 0, 0, 0, VERDICT_IN_CLEAR, 0 },
	{ "clear, drop", { DROP }, 1, 0, 0, 0, VERDICT_SPD_EXPLICIT, 0 },
	{ "clear, ESP", { ESP(AES) }, 1, 0, 0, 0, VERDICT_SPD_GOT_CLEAR, 0 },
	{ "clear, AH or ESP", { AH(SHA1), ESP(AES) }, 2, 0, 0, 0, VERDICT_SPD_GOT_CLEAR, 0 },
	{ "protected, pass", { PASS }, 1, 0, AES, 0, VERDICT_SPD_GOT_SECURE, 0 },
	{ "protected, drop", { DROP }, 1, 0, AES, 0, VERDICT_SPD_EXPLICIT, 0 },
	{ "AH", { AH(SHA1) }, 1, SHA1, 0, 0, VERDICT_IN_ACCEPTED, 1 },
	{ "other AH", { AH(SHA256) }, 1, SHA1, 0, 0, VERDICT_SPD_BAD_AHALG, 0 },
	{ "AH is missing", { AH_ESP(SHA1, AES) }, 1, 0, AES, 0, VERDICT_SPD_GOT_CLEAR, 0 },
	{ "surplus AH", { ESP(AES) }, 1, SHA1, AES, 0, VERDICT_SPD_GOT_AH, 0 },
	{ "ESP", { ESP(AES) }, 1, 0, AES, 0, VERDICT_IN_ACCEPTED, 1 },
	{ "ESP, integrity unasked", { ESP(AES) }, 1, 0, AES, SHA1, VERDICT_IN_ACCEPTED, 1 },
	{ "ESP is missing", { AH_ESP(SHA1, AES) }, 1, SHA1, 0, 0, VERDICT_SPD_GOT_CLEAR, 0 },
	{ "surplus ESP", { AH(SHA1) }, 1, SHA1, AES, 0, VERDICT_SPD_GOT_ESP, 0 },
	{ "other cipher", { ESP(AES) }, 1, 0, DES3, 0, VERDICT_SPD_BAD_ESPEALG, 0 },
	{ "integrity", { ESP_AUTH(AES, SHA1) }, 1, 0, AES, SHA1, VERDICT_IN_ACCEPTED, 1 },
	{ "other integrity", { ESP_AUTH(AES, SHA256) }, 1, 0, AES, SHA1, VERDICT_SPD_BAD_ESPAALG,
		0 },
	{ "no integrity", { ESP_AUTH(AES, SHA256) }, 1, 0, AES, 0, VERDICT_SPD_BAD_ESPAALG, 0 },
	{ "integrity alone", { AUTH_ONLY(SHA1) }, 1, 0, ALG_ENCR_NULL, SHA1, VERDICT_IN_ACCEPTED,
		1 },
	{ "integrity alone, encrypted", { AUTH_ONLY(SHA1) }, 1, 0, AES, SHA1,
		VERDICT_SPD_BAD_ESPEALG, 0 },
	{ "both", { AH_ESP(SHA1, AES) }, 1, SHA1, AES, 0, VERDICT_IN_ACCEPTED, 1 },
	{ "the second", { ESP(DES3), AH(SHA256), ESP(AES) }, 3, SHA256, 0, 0, VERDICT_IN_ACCEPTED,
		2 },
	{ "the last", { ESP(DES3), AH(SHA256), ESP(AES) }, 3, 0, AES, 0, VERDICT_IN_ACCEPTED, 3 },
	{ "none: the reason of the last", { ESP(DES3), AH(SHA256), ESP(AES) }, 3, SHA1, 0, 0,
		VERDICT_SPD_GOT_AH, 0 },
	{ "none, or pass", { ESP(DES3), PASS }, 2, 0, AES, 0, VERDICT_SPD_GOT_SECURE, 0 },
	{ "pass or ESP, protected", { PASS, ESP(AES) }, 2, 0, AES, 0, VERDICT_IN_ACCEPTED, 2 },
};

static void expect_name(enum verdict got, enum verdict want, const char *what)
{
	ck_assert_msg(got == want, "%s: %s", what, verdict_name(got));
}

static struct rule *rule_of(const struct action *actions, size_t n)
{
	struct rule *rule = rule_new(n);

	ck_assert_ptr_nonnull(rule);
	rule->directions = DIRECTION_BIT_BOTH;
	memcpy(rule->actions, actions, n * sizeof(*actions));
	return rule;
}

START_TEST(receiver_takes_any_alternative)
{
	CLEANUP(rule_freep) struct rule *rule = rule_of(cells[_i].actions, cells[_i].n);
	struct sa ah = { .proto = SA_PROTO_AH, .auth = cells[_i].ah };
	struct sa esp = { .proto = SA_PROTO_ESP, .encr = cells[_i].encr, .auth = cells[_i].auth };
	struct engine_secured by = { cells[_i].ah ? &ah : NULL, cells[_i].encr ? &esp : NULL };
	struct engine_match match = { .rule = rule };
	struct flow flow = { .protocol = IPPROTO_TCP };

	expect_name(engine_check_rule(&match, &by, &flow), cells[_i].verdict, cells[_i].name);
	ck_assert_msg(match.satisfied == cells[_i].satisfied, "%s", cells[_i].name);
}
END_TEST

/* A policy of a key manager's may want SAs that were made for it alone. */
START_TEST(request_id)
{
	struct action actions[] = { AH_ESP(SHA1, AES) };
	struct sa ah = { .proto = SA_PROTO_AH, .auth = SHA1, .reqid = 7 };
	struct sa esp = { .proto = SA_PROTO_ESP, .encr = AES, .reqid = 7 };
	struct engine_secured by = { &ah, &esp };
	struct flow flow = { .protocol = IPPROTO_TCP };

	actions[0].reqid = 7;
	for (int i = 0; i < 3; i++) {
		CLEANUP(rule_freep) struct rule *rule = rule_of(actions, 1);
		struct engine_match match = { .rule = rule };

		ah.reqid = i == 1 ? 8 : 7;
		esp.reqid = i == 2 ? 0 : 7;
		expect_name(engine_check_rule(&match, &by, &flow),
			i == 0 ? VERDICT_IN_ACCEPTED : VERDICT_SPD_BAD_REQID, "request id");
	}
}
END_TEST

/* Section 4.2: a latched socket takes its alternative and no other, nor clear through `or pass`. */
START_TEST(latched_to_one)
{
	static const struct action actions[] = { ESP(DES3), ESP(AES), PASS };
	CLEANUP(rule_freep) struct rule *rule = rule_of(actions, 3);
	struct sa aes = { .proto = SA_PROTO_ESP, .encr = AES };
	struct engine_secured by = { NULL, &aes };
	struct engine_match match = { .rule = rule };
	struct flow flow = { .protocol = IPPROTO_TCP };

	expect_name(engine_check_rule(&match, &by, &flow), VERDICT_IN_ACCEPTED, "not latched");
	match.latched = match.satisfied;
	expect_name(engine_check_rule(&match, &by, &flow), VERDICT_IN_ACCEPTED, "its own");
	match.latched = 1;
	expect_name(engine_check_rule(&match, &by, &flow), VERDICT_SPD_BAD_ESPEALG, "another");
	by.esp = NULL;
	expect_name(engine_check_rule(&match, &by, &flow), VERDICT_SPD_GOT_CLEAR, "in clear");
	match.latched = 3;
	expect_name(engine_check_rule(&match, &by, &flow), VERDICT_IN_CLEAR, "latched to pass");
}
END_TEST

/* Section 6: ICMP under ESP alone where AH and ESP are asked for. */
static const struct {
	uint8_t protocol, type, code;
	bool excused;
} messages[] = {
	{ IPPROTO_ICMP, 0, 0, true },
	{ IPPROTO_ICMP, 8, 0, false },
	{ IPPROTO_ICMP, 3, 0, true },
	{ IPPROTO_ICMP, 3, 1, true },
	{ IPPROTO_ICMP, 3, 2, false },
	{ IPPROTO_ICMP, 3, 3, false },
	{ IPPROTO_ICMP, 3, 4, true },
	{ IPPROTO_ICMP, 4, 0, true },
	{ IPPROTO_ICMP, 5, 0, false },
	{ IPPROTO_ICMP, 9, 0, true },
	{ IPPROTO_ICMP, 10, 0, false },
	{ IPPROTO_ICMP, 11, 0, true },
	{ IPPROTO_ICMP, 12, 0, false },
	{ IPPROTO_ICMP, 13, 0, false },
	{ IPPROTO_ICMP, 14, 0, true },
	{ IPPROTO_ICMP, 15, 0, false },
	{ IPPROTO_ICMP, 16, 0, true },
	{ IPPROTO_ICMP, 17, 0, false },
	{ IPPROTO_ICMP, 18, 0, false },
	{ IPPROTO_ICMP, 99, 0, false },
	{ IPPROTO_ICMPV6, 128, 0, false },
	{ IPPROTO_ICMPV6, 129, 0, true },
	{ IPPROTO_ICMPV6, 2, 0, true },
	{ IPPROTO_ICMPV6, 4, 0, false },
	{ IPPROTO_ICMPV6, 135, 0, true },
};

START_TEST(icmp_kinds)
{
	static const struct action both[] = { AH_ESP(SHA1, AES) };
	CLEANUP(rule_freep) struct rule *rule = rule_of(both, 1);
	struct sa aes = { .proto = SA_PROTO_ESP, .encr = AES };
	struct engine_secured by = { NULL, &aes };
	struct engine_match match = { .rule = rule };
	struct flow flow = { .protocol = messages[_i].protocol,
		.has_icmp = true,
		.icmp_type = messages[_i].type,
		.icmp_code = messages[_i].code };

	expect_name(engine_check_rule(&match, &by, &flow),
		messages[_i].excused ? VERDICT_IN_ACCEPTED : VERDICT_SPD_GOT_CLEAR, "host");
	/* Nothing is excused in clear, in tunnels, or when the type is not seen. */
	ck_assert_int_eq(text_copy(rule->tunnel, sizeof(rule->tunnel), "tun0"), 0);
	expect_name(engine_check_rule(&match, &by, &flow), VERDICT_SPD_GOT_CLEAR, "tunnel");
	rule->tunnel[0] = '\0';
	flow.has_icmp = false;
	expect_name(engine_check_rule(&match, &by, &flow), VERDICT_SPD_GOT_CLEAR, "hidden");
	flow.has_icmp = true;
	by.esp = NULL;
	expect_name(engine_check_rule(&match, &by, &flow), VERDICT_SPD_GOT_CLEAR, "clear");
}
END_TEST

START_TEST(identities)
{
	struct sa_identity a = { .type = 2, .value = "a.example" };
	struct sa_identity b = { .type = 2, .value = "b.example" };
	struct sa ah = { .proto = SA_PROTO_AH, .auth = SHA1, .identity_src = &a };
	struct sa esp = { .proto = SA_PROTO_ESP, .encr = AES, .identity_src = &b };
	struct engine_secured by = { &ah, &esp };
	struct flow flow = { .protocol = IPPROTO_TCP };

	expect_name(engine_check_selectors(&by, &flow), VERDICT_SPD_AHESP_DIFFID, "two peers");
	esp.identity_src = &a;
	expect_name(engine_check_selectors(&by, &flow), VERDICT_IN_ACCEPTED, "one peer");
	esp.identity_src = NULL;
	expect_name(engine_check_selectors(&by, &flow), VERDICT_IN_ACCEPTED, "one is silent");
	ah.identity_dst = &a;
	esp.identity_dst = &b;
	expect_name(engine_check_selectors(&by, &flow), VERDICT_SPD_AHESP_DIFFID, "two of us");
}
END_TEST

static uint32_t spi_of(struct host *host)
{
	static struct test_packet t;
	struct engine_result result;

	test_udp(&t, HERE, THERE, 20);
	result = send_one(host, &t.pkt, -1);
	return result.exit == ENGINE_TO_WIRE ? load_be32(t.pkt.data + 20) : 0;
}

/* What was chosen for a flow is kept no longer than it would be chosen again. */
START_TEST(kept_choices_end)
{
	static struct host host;
	struct sad_entry *entry;

	host_init(&host);
	add_rule(&host, "", 0, esp_action(AES, SHA256), NULL);
	add_sa(&host, &cbc, 0x1001, SA_MODE_TRANSPORT, HERE, THERE);
	host_start(&host, HERE, HERE6);
	ck_assert_uint_eq(spi_of(&host), 0x1001);
	ck_assert_uint_eq(spi_of(&host), 0x1001);
	/* A newer one takes over at once. */
	add_sa(&host, &cbc, 0x1002, SA_MODE_TRANSPORT, HERE, THERE);
	entry = host.entries[1];
	entry->directions = SA_OUTBOUND;
	sa_normalise(entry->sa);
	ck_assert_int_eq(sad_insert(host.sad, entry), 0);
	ck_assert_uint_eq(spi_of(&host), 0x1002);
	/* One that died in a worker's hands is not used again, nor is one that went. */
	atomic_store(&entry->run->state, SA_DEAD);
	ck_assert_uint_eq(spi_of(&host), 0x1001);
	atomic_store(&entry->run->state, SA_MATURE);
	sad_touch(host.sad);
	ck_assert_uint_eq(spi_of(&host), 0x1002);
	sad_remove(host.sad, entry, NULL, NULL);
	ck_assert_uint_eq(spi_of(&host), 0x1001);
	sad_remove(host.sad, host.entries[0], NULL, NULL);
	ck_assert_uint_eq(spi_of(&host), 0);
	ck_assert_uint_eq(host.n_asked, 1);
	host_done(&host);
}
END_TEST

/* Nor does a flow keep the rule of a former policy. */
START_TEST(kept_rules_end)
{
	static struct test_packet t;
	static struct host host;
	struct engine_view_parts parts = { .generation = 1 };
	struct engine_view *old, *next;
	struct rule *rules[] = { rule_new(1), rule_new(1) };

	host_init(&host);
	add_rule(&host, "", 0, plain_action(ACTION_BYPASS), NULL);
	host_start(&host, HERE, HERE6);
	test_udp(&t, HERE, THERE, 20);
	expect(send_one(&host, &t.pkt, -1), ENGINE_TO_WIRE_CLEAR, VERDICT_OUT_BYPASSED, "pass");
	/* In the place of the former rule stands one for other packets. */
	for (size_t i = 0; i < 2; i++) {
		ck_assert_ptr_nonnull(rules[i]);
		rules[i]->order = (uint32_t)i;
		rules[i]->directions = DIRECTION_BIT_BOTH;
		rules[i]->actions[0] = plain_action(i ? ACTION_DISCARD : ACTION_BYPASS);
	}
	rules[0]->selector.protocol = IPPROTO_TCP;
	ck_assert_int_eq(spd_new(rules, 2, SPD_FIRST_MATCH, &parts.spd), 0);
	parts.sad = host.sad;
	old = rcu_read(&host.view);
	ck_assert_int_eq(engine_view_new(&parts, &next), 0);
	rcu_publish(&host.view, next);
	expect(send_one(&host, &t.pkt, -1), ENGINE_DROP, VERDICT_SPD_EXPLICIT, "drop");
	/* The former one comes back, as when the kernel refuses its part of the next. */
	rcu_publish(&host.view, old);
	expect(send_one(&host, &t.pkt, -1), ENGINE_TO_WIRE_CLEAR, VERDICT_OUT_BYPASSED, "pass");
	(void)engine_view_free(next);
	host_done(&host);
}
END_TEST

/* Batches of flows that nobody has seen before: each packet goes by its own rule. */
START_TEST(crowds_of_new_flows)
{
	static struct test_packet t[ENGINE_BATCH];
	static struct host host;
	static struct engine_result results[ENGINE_BATCH];
	struct packet *pkts[ENGINE_BATCH];
	struct rule *rule;

	host_init(&host);
	rule = add_rule(&host, "", IPPROTO_UDP, plain_action(ACTION_DISCARD), NULL);
	rule->selector.remote = (struct prefix){ test_address("10.0.0.0"), 9 };
	rule = add_rule(&host, "", IPPROTO_UDP, esp_action(AES, SHA256), NULL);
	rule->selector.remote = (struct prefix){ test_address("10.0.0.0"), 8 };
	host_start(&host, HERE, HERE6);
	for (unsigned int round = 0; round < 200; round++) {
		for (unsigned int i = 0; i < ENGINE_BATCH; i++) {
			char dst[ADDRESS_TEXT_MAX];

			/* Some return within the batch. */
			ck_assert_int_eq(text_fixed(dst, sizeof(dst), "10.%u.%u.%u", i * 4 % 256,
						 round, i / 2),
				0);
			test_udp(&t[i], HERE, dst, 20);
			pkts[i] = &t[i].pkt;
		}
		engine_outbound(host.engine, pkts, ENGINE_BATCH, -1, results);
		for (unsigned int i = 0; i < ENGINE_BATCH; i++)
			expect(results[i], ENGINE_DROP,
				i * 4 % 256 < 128 ? VERDICT_SPD_EXPLICIT : VERDICT_SADB_ACQUIRE,
				"new");
	}
	ck_assert_uint_ge(host.engine->new_flows, ENGINE_BATCH / 2); /* it was seen as a crowd */
	host_done(&host);
}
END_TEST

/* The same under a rule that protects: each goes by the SA of its own destination. */
START_TEST(crowds_find_their_sas)
{
	static const struct {
		const char *dst;
		uint32_t spi;
	} ways[] = { { THERE, 0x1001 }, { "192.0.2.77", 0x1002 }, { "192.0.2.78", 0x1003 },
		{ "192.0.2.79", 0 } };
	static struct test_packet t[ENGINE_BATCH];
	static struct host host;
	static struct engine_result results[ENGINE_BATCH];
	const struct action second = esp_action(ALG_ENCR_AES_GCM16, ALG_AUTH_NONE);
	struct packet *pkts[ENGINE_BATCH];

	host_init(&host);
	add_rule(&host, "", IPPROTO_UDP, esp_action(AES, SHA256), &second);
	add_sa(&host, &cbc, 0x1001, SA_MODE_TRANSPORT, "0.0.0.0", ways[0].dst);
	add_sa(&host, &cbc, 0x1002, SA_MODE_TRANSPORT, "0.0.0.0", ways[1].dst);
	add_sa(&host, &gcm, 0x1003, SA_MODE_TRANSPORT, "0.0.0.0", ways[2].dst); /* the second way */
	host_start(&host, HERE, HERE6);
	for (unsigned int round = 0; round < 20; round++) {
		for (unsigned int i = 0; i < ENGINE_BATCH; i++) {
			char src[ADDRESS_TEXT_MAX];

			ck_assert_int_eq(
				text_fixed(src, sizeof(src), "10.0.%u.%u", round, i / 4), 0);
			test_udp(&t[i], src, ways[i % 4].dst, 20);
			pkts[i] = &t[i].pkt;
		}
		engine_outbound(host.engine, pkts, ENGINE_BATCH, -1, results);
		for (unsigned int i = 0; i < ENGINE_BATCH; i++) {
			uint32_t spi = ways[i % 4].spi;

			expect(results[i], spi ? ENGINE_TO_WIRE : ENGINE_DROP,
				spi ? VERDICT_OUT_PROTECTED : VERDICT_SADB_ACQUIRE,
				ways[i % 4].dst);
			if (spi)
				ck_assert_uint_eq(load_be32(pkts[i]->data + 20), spi);
		}
	}
	ck_assert_uint_ge(host.engine->new_flows, ENGINE_BATCH / 2);
	host_done(&host);
}
END_TEST

/* Section 3: alternatives in their order, both SAs from one, and no way out through `or pass`. */
START_TEST(sender_takes_the_first_that_works)
{
	static struct host host;
	const struct action pass = plain_action(ACTION_BYPASS);
	struct action gcm_first = esp_action(ALG_ENCR_AES_GCM16, ALG_AUTH_NONE);
	struct rule *rule;

	host_init(&host);
	rule = rule_new(3);
	ck_assert_ptr_nonnull(rule);
	rule->directions = DIRECTION_BIT_BOTH;
	rule->actions[0] = gcm_first;
	rule->actions[1] = esp_action(AES, SHA256);
	rule->actions[2] = pass;
	host.rules[host.n_rules++] = rule;
	host_start(&host, HERE, HERE6);
	ck_assert_uint_eq(spi_of(&host), 0); /* waits for an SA, does not go in clear */
	ck_assert_uint_eq(host.n_asked, 1);
	add_sa(&host, &cbc, 0x2002, SA_MODE_TRANSPORT, HERE, THERE);
	host.entries[0]->directions = SA_OUTBOUND;
	sa_normalise(host.entries[0]->sa);
	ck_assert_int_eq(sad_insert(host.sad, host.entries[0]), 0);
	ck_assert_uint_eq(spi_of(&host), 0x2002); /* the second can */
	add_sa(&host, &gcm, 0x2001, SA_MODE_TRANSPORT, HERE, THERE);
	host.entries[1]->directions = SA_OUTBOUND;
	sa_normalise(host.entries[1]->sa);
	ck_assert_int_eq(sad_insert(host.sad, host.entries[1]), 0);
	ck_assert_uint_eq(spi_of(&host), 0x2001); /* now the first can */
	host_done(&host);
}
END_TEST

static struct spd_query asked_of(const char *text)
{
	struct spd_query query;

	ck_assert_int_eq(spd_flow_parse(text, strlen(text), &query, NULL, NULL), 0);
	return query;
}

static uint32_t chosen_spi(const struct host *host, const char *flow)
{
	const struct spd_query query = asked_of(flow);
	struct engine_choice choice;

	ck_assert_int_eq(engine_choose(rcu_read(&host->view), &query, &choice), 0);
	ck_assert_ptr_eq(choice.rule, host->rules[0]);
	if (choice.alternative == 0)
		ck_assert(!choice.esp && !choice.ah && choice.missing == SA_PROTO_ESP);
	return choice.alternative == 0 ? 0 : choice.esp->sa->spi;
}

/* Who only asks hears what a packet would do, and changes nothing by it. */
START_TEST(asking_is_not_sending)
{
	static struct host host;
	const char *flow = "out udp " HERE ":1 > " THERE ":2",
		   *other = "out udp " HERE ":3 > " THERE ":2";
	struct spd_query none = asked_of("in udp " THERE ":1 > " HERE ":2");
	struct engine_choice choice;
	struct action action = esp_action(ALG_ENCR_AES_GCM16, ALG_AUTH_NONE);

	host_init(&host);
	action.unique = true;
	add_rule(&host, "", IPPROTO_UDP, action, NULL);
	for (uint32_t i = 0; i < 2; i++) {
		add_sa(&host, &gcm, 0x2001 + i, SA_MODE_TRANSPORT, HERE, THERE);
		sa_normalise(host.entries[i]->sa);
	}
	host_start(&host, HERE, HERE6);
	/* Each could become the flow's own; of those that are alike the newest does. */
	ck_assert_uint_eq(chosen_spi(&host, flow), 0x2002);
	ck_assert_uint_eq(chosen_spi(&host, other), 0x2002);
	ck_assert_uint_eq(atomic_load(&host.entries[1]->run->claim), 0);
	ck_assert_uint_eq(spi_of(&host), 0x2002);
	ck_assert_uint_ne(atomic_load(&host.entries[1]->run->claim), 0);
	ck_assert_uint_eq(chosen_spi(&host, other), 0x2001);
	ck_assert_uint_eq(chosen_spi(&host, "out udp " HERE ":1 > 192.0.2.9:2"), 0);
	/* Errors leave by the SAs of what they are about; about what is forwarded by none. */
	ck_assert_uint_eq(chosen_spi(&host, "out icmp type 3 code 3 " HERE " " THERE
					    " about udp " THERE ":2 " HERE ":3"),
		0x2001);
	none = asked_of(
		"out icmp type 3 code 3 192.0.2.77 " THERE " about udp " THERE ":2 " HERE ":3");
	ck_assert_int_eq(engine_choose(rcu_read(&host.view), &none, &choice), -ENOENT);
	none = asked_of("in udp " THERE ":1 > " HERE ":2");
	ck_assert_uint_eq(host.n_asked, 0);
	ck_assert_int_eq(engine_choose(rcu_read(&host.view), &none, &choice), -ENOENT);
	none = asked_of("out tcp " HERE ":1 > " THERE ":2");
	ck_assert_int_eq(engine_choose(rcu_read(&host.view), &none, &choice), -ENOENT);
	none = asked_of("tunnel t7 out udp " HERE ":1 > " THERE ":2");
	ck_assert_int_eq(engine_choose(rcu_read(&host.view), &none, &choice), -ENOENT);
	host_done(&host);
}
END_TEST

/* A rule that is not in force is asked about in its own right, with its algorithms and key sizes. */
START_TEST(asking_by_another_rule)
{
	static struct host host;
	struct spd_query query = asked_of("out udp " HERE ":1 > " THERE ":2");
	struct action gcm_action = esp_action(ALG_ENCR_AES_GCM16, ALG_AUTH_NONE),
		      cbc_action = esp_action(AES, SHA256);
	CLEANUP(rule_freep) struct rule *other = rule_new(1);
	struct engine_choice choice;

	host_init(&host);
	add_rule(&host, "", IPPROTO_UDP, gcm_action, NULL);
	add_sa(&host, &gcm, 0x2001, SA_MODE_TRANSPORT, HERE, THERE);
	sa_normalise(host.entries[0]->sa);
	host_start(&host, HERE, HERE6);
	ck_assert_ptr_nonnull(other);
	other->directions = DIRECTION_BIT_BOTH;
	other->actions[0] = cbc_action;
	ck_assert_uint_eq(chosen_spi(&host, "out udp " HERE ":1 > " THERE ":2"), 0x2001);
	ck_assert_int_eq(engine_choose_by(rcu_read(&host.view), &query, other, &choice), 0);
	ck_assert(choice.rule == other && choice.alternative == 0 && !choice.esp);
	other->actions[0] = gcm_action;
	ck_assert_int_eq(engine_choose_by(rcu_read(&host.view), &query, other, &choice), 0);
	ck_assert(choice.alternative == 1 && choice.esp == host.entries[0]);
	other->actions[0].esp.min_bits = 4096;
	ck_assert_int_eq(engine_choose_by(rcu_read(&host.view), &query, other, &choice), 0);
	ck_assert_uint_eq(choice.alternative, 0);
	other->actions[0] = plain_action(ACTION_DISCARD);
	ck_assert_int_eq(engine_choose_by(rcu_read(&host.view), &query, other, &choice), -ENOENT);
	host_done(&host);
}
END_TEST

/* What a packet that comes could have been carried by, with the checks that one would meet. */
START_TEST(what_could_have_brought_it)
{
	static struct host host;
	struct spd_query query = asked_of("in udp " THERE ":2 > " HERE ":1"),
			 far = asked_of("in udp 192.0.2.99:2 > " HERE ":1"),
			 away = asked_of("tunnel t7 in udp " THERE ":2 > " HERE ":1");
	struct engine_arrival arrival = { .asked = &query };
	const struct engine_view *view;
	size_t alternative = 0;

	host_init(&host);
	add_rule(&host, "", IPPROTO_UDP, esp_action(AES, SHA256), NULL);
	add_sa(&host, &cbc, 0x1001, SA_MODE_TRANSPORT, THERE, HERE);
	add_sa(&host, &gcm, 0x1002, SA_MODE_TRANSPORT, THERE, HERE);
	host_start(&host, HERE, HERE6);
	view = rcu_read(&host.view);
	arrival.rule = host.rules[0];
	for (size_t i = 0; i < 2; i++) {
		host.entries[i]->directions = SA_INBOUND;
		ck_assert(engine_could_bring(view, &query, host.entries[i]));
		ck_assert(!engine_could_bring(view, &far, host.entries[i]));
		ck_assert(!engine_could_bring(view, &away, host.entries[i]));
	}
	arrival.esp = host.entries[0];
	ck_assert_int_eq(engine_would_take(view, &arrival, &alternative), VERDICT_IN_ACCEPTED);
	ck_assert_uint_eq(alternative, 1);
	arrival.esp = host.entries[1];
	ck_assert_int_eq(engine_would_take(view, &arrival, &alternative), VERDICT_SPD_BAD_ESPEALG);
	ck_assert_uint_eq(alternative, 0);
	host.entries[0]->sa->src_port = 9; /* unique, of another flow */
	arrival.esp = host.entries[0];
	ck_assert_int_eq(
		engine_would_take(view, &arrival, &alternative), VERDICT_SPD_ESP_INNERMISMATCH);
	host.entries[0]->directions = SA_OUTBOUND;
	ck_assert(!engine_could_bring(view, &query, host.entries[0]));
	atomic_store(&host.entries[1]->run->state, SA_DEAD);
	ck_assert(!engine_could_bring(view, &query, host.entries[1]));
	host_done(&host);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("engine_policy");
	TCase *tc = tcase_create("engine_policy");

	tcase_add_loop_test(tc, receiver_takes_any_alternative, 0, ARRAY_SIZE(cells));
	tcase_add_test(tc, request_id);
	tcase_add_test(tc, latched_to_one);
	tcase_add_loop_test(tc, icmp_kinds, 0, ARRAY_SIZE(messages));
	tcase_add_test(tc, identities);
	tcase_add_test(tc, kept_choices_end);
	tcase_add_test(tc, kept_rules_end);
	tcase_add_test(tc, crowds_of_new_flows);
	tcase_add_test(tc, crowds_find_their_sas);
	tcase_add_test(tc, sender_takes_the_first_that_works);
	tcase_add_test(tc, asking_is_not_sending);
	tcase_add_test(tc, asking_by_another_rule);
	tcase_add_test(tc, what_could_have_brought_it);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
