/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/engine/engine.h"

#include "services/datapath/engine/engine_internal.h"
#include "tests/unit/engine_host.h"
#include "tests/unit/suite.h"

/* Policy of both ends for the tables below; each case is one rule list and one packet. */
enum policy {
	P_NONE,
	P_ESP_GCM,
	P_ESP_CBC,
	P_ESP_NULL,
	P_GCM_OR_CBC,
	P_DROP,
	P_PASS,
	P_GCM_OR_PASS,
	P_TCP_ONLY,
	P_AH,
	P_PASS_UDP_THEN_ESP,
	P_GCM_OR_DROP
};

static void add_policy(struct host *host, enum policy policy)
{
	struct action gcm_esp = esp_action(ALG_ENCR_AES_GCM16, ALG_AUTH_NONE);
	struct action cbc_esp = esp_action(ALG_ENCR_AES_CBC, ALG_AUTH_HMAC_SHA256);
	struct action pass = plain_action(ACTION_BYPASS), discard = plain_action(ACTION_DISCARD);
	struct action ah = { .kind = ACTION_PROTECT,
		.has_ah = true,
		.ah = { .number = ALG_AUTH_HMAC_SHA1, .max_bits = UINT16_MAX } };

	switch (policy) {
	case P_NONE:
		return;
	case P_ESP_GCM:
		add_rule(host, "", 0, gcm_esp, NULL);
		return;
	case P_ESP_CBC:
		add_rule(host, "", 0, cbc_esp, NULL);
		return;
	case P_ESP_NULL:
		add_rule(host, "", 0, esp_action(ALG_ENCR_NULL, ALG_AUTH_HMAC_SHA1), NULL);
		return;
	case P_GCM_OR_CBC:
		add_rule(host, "", 0, gcm_esp, &cbc_esp);
		return;
	case P_DROP:
		add_rule(host, "", 0, discard, NULL);
		return;
	case P_PASS:
		add_rule(host, "", 0, pass, NULL);
		return;
	case P_GCM_OR_PASS:
		add_rule(host, "", 0, gcm_esp, &pass);
		return;
	case P_TCP_ONLY:
		add_rule(host, "", IPPROTO_TCP, gcm_esp, NULL);
		return;
	case P_AH:
		add_rule(host, "", 0, ah, NULL);
		return;
	case P_PASS_UDP_THEN_ESP:
		add_rule(host, "", 0, gcm_esp, NULL);
		add_rule(host, "", IPPROTO_UDP, pass, NULL);
		return;
	case P_GCM_OR_DROP:
		add_rule(host, "", 0, gcm_esp, &discard);
		return;
	}
}

static const struct {
	const char *name;
	enum policy policy;
	const struct test_suite *sa; /* NULL: there is none */
	enum engine_exit exit;
	enum verdict verdict;
	unsigned int asked;
} outs[] = {
	{ "no rule", P_NONE, &gcm, ENGINE_DROP, VERDICT_SPD_NO_POLICY, 0 },
	{ "no rule for this", P_TCP_ONLY, &gcm, ENGINE_DROP, VERDICT_SPD_NO_POLICY, 0 },
	{ "protect", P_ESP_GCM, &gcm, ENGINE_TO_WIRE, VERDICT_OUT_PROTECTED, 0 },
	{ "protect, no SA", P_ESP_GCM, NULL, ENGINE_DROP, VERDICT_SADB_ACQUIRE, 1 },
	{ "protect, SA with another cipher", P_ESP_GCM, &cbc, ENGINE_DROP, VERDICT_SADB_ACQUIRE,
		1 },
	{ "second alternative", P_GCM_OR_CBC, &cbc, ENGINE_TO_WIRE, VERDICT_OUT_PROTECTED, 0 },
	{ "drop", P_DROP, &gcm, ENGINE_DROP, VERDICT_SPD_EXPLICIT, 0 },
	{ "pass", P_PASS, &gcm, ENGINE_TO_WIRE_CLEAR, VERDICT_OUT_BYPASSED, 0 },
	{ "a pass behind is no way out", P_GCM_OR_PASS, NULL, ENGINE_DROP, VERDICT_SADB_ACQUIRE,
		1 },
	{ "a drop behind neither", P_GCM_OR_DROP, NULL, ENGINE_DROP, VERDICT_SADB_ACQUIRE, 1 },
	{ "bypass stands above", P_PASS_UDP_THEN_ESP, &gcm, ENGINE_TO_WIRE_CLEAR,
		VERDICT_OUT_BYPASSED, 0 },
	{ "NULL cipher", P_ESP_NULL, &null, ENGINE_TO_WIRE, VERDICT_OUT_PROTECTED, 0 },
};

START_TEST(outbound_rules)
{
	static struct test_packet sent;
	static struct host host;

	host_init(&host);
	add_policy(&host, outs[_i].policy);
	if (outs[_i].sa)
		(void)add_sa(&host, outs[_i].sa, 0x1001, SA_MODE_TRANSPORT, HERE, THERE);
	host_start(&host, HERE, HERE6);
	test_udp(&sent, HERE, THERE, 20);
	expect(send_one(&host, &sent.pkt, -1), outs[_i].exit, outs[_i].verdict, outs[_i].name);
	ck_assert_uint_eq(host.n_asked, outs[_i].asked);
	if (outs[_i].asked > 0) {
		ck_assert_uint_eq(host.asked.proto, SA_PROTO_ESP);
		ck_assert_uint_eq(host.asked.rule_id, rcu_read(&host.view)->spd->rules[0]->id);
		ck_assert_uint_eq(host.asked.dst.bytes[3], 2);
		ck_assert_uint_eq(host.asked.flow.remote_port, UDP_PORT_B);
	}
	host_done(&host);
}
END_TEST

static const struct {
	const char *name;
	enum policy policy; /* the receiver's */
	const struct test_suite *sa; /* what protects the packet */
	enum verdict verdict;
} ins[] = {
	{ "as asked", P_ESP_GCM, &gcm, VERDICT_IN_ACCEPTED },
	{ "nobody asked", P_NONE, &gcm, VERDICT_SPD_GOT_SECURE },
	{ "nobody asked for this", P_TCP_ONLY, &gcm, VERDICT_SPD_GOT_SECURE },
	{ "pass wants clear", P_PASS, &gcm, VERDICT_SPD_GOT_SECURE },
	{ "drop", P_DROP, &gcm, VERDICT_SPD_EXPLICIT },
	{ "other cipher", P_ESP_GCM, &cbc, VERDICT_SPD_BAD_ESPEALG },
	{ "other cipher, other way", P_ESP_CBC, &gcm, VERDICT_SPD_BAD_ESPEALG },
	{ "any alternative will do", P_GCM_OR_CBC, &cbc, VERDICT_IN_ACCEPTED },
	{ "first alternative too", P_GCM_OR_CBC, &gcm, VERDICT_IN_ACCEPTED },
	{ "none fits: the last one's reason", P_GCM_OR_CBC, &null, VERDICT_SPD_BAD_ESPEALG },
	{ "protected where pass is second", P_GCM_OR_PASS, &gcm, VERDICT_IN_ACCEPTED },
	{ "AH asked, ESP came", P_AH, &gcm, VERDICT_SPD_GOT_CLEAR },
	{ "bypass above: expected clear", P_PASS_UDP_THEN_ESP, &gcm, VERDICT_SPD_GOT_SECURE },
};

START_TEST(inbound_rules)
{
	static struct test_packet sent, clear;
	static struct host host;
	struct test_esp out;
	enum engine_exit exit = ins[_i].verdict == VERDICT_IN_ACCEPTED ? ENGINE_TO_HOST
								       : ENGINE_DROP;

	host_init(&host);
	add_policy(&host, ins[_i].policy);
	(void)add_sa(&host, ins[_i].sa, 0x1001, SA_MODE_TRANSPORT, HERE, THERE);
	host_start(&host, THERE, THERE6);
	test_esp_init(&out, test_sa(ins[_i].sa, SA_MODE_TRANSPORT, HERE, THERE), 0);
	test_udp(&sent, HERE, THERE, 20);
	test_copy(&clear, &sent);
	ck_assert_int_eq(esp_seal(&out.esp, &sent.pkt, NULL), VERDICT_OUT_PROTECTED);
	expect(receive_one(&host, &sent.pkt), exit, ins[_i].verdict, ins[_i].name);
	if (exit == ENGINE_TO_HOST) {
		ck_assert_uint_eq(sent.pkt.len, clear.pkt.len);
		ck_assert_int_eq(memcmp(sent.pkt.data, clear.pkt.data, clear.pkt.len), 0);
	}
	test_esp_done(&out);
	host_done(&host);
}
END_TEST

/* ESP integrity that the rule names must be the SA's; one that it does not name is not looked at. */
START_TEST(integrity_algorithms)
{
	static struct host host;
	static struct test_packet sent;
	struct test_esp out;

	for (int named = 0; named < 2; named++) {
		host_init(&host);
		add_rule(&host, "", 0,
			esp_action(ALG_ENCR_AES_CBC, named ? ALG_AUTH_HMAC_SHA512 : ALG_AUTH_NONE),
			NULL);
		(void)add_sa(&host, &cbc, 0x1001, SA_MODE_TRANSPORT, HERE, THERE);
		host_start(&host, THERE, THERE6);
		test_esp_init(&out, test_sa(&cbc, SA_MODE_TRANSPORT, HERE, THERE), 0);
		test_udp(&sent, HERE, THERE, 20);
		ck_assert_int_eq(esp_seal(&out.esp, &sent.pkt, NULL), VERDICT_OUT_PROTECTED);
		expect(receive_one(&host, &sent.pkt), named ? ENGINE_DROP : ENGINE_TO_HOST,
			named ? VERDICT_SPD_BAD_ESPAALG : VERDICT_IN_ACCEPTED, "integrity");
		test_esp_done(&out);
		host_done(&host);
	}
}
END_TEST

static const struct {
	enum policy policy;
	enum verdict verdict;
} clears[] = {
	{ P_NONE, VERDICT_IN_CLEAR },
	{ P_PASS, VERDICT_IN_CLEAR },
	{ P_GCM_OR_PASS, VERDICT_IN_CLEAR },
	{ P_TCP_ONLY, VERDICT_IN_CLEAR },
	{ P_PASS_UDP_THEN_ESP, VERDICT_IN_CLEAR },
	{ P_ESP_GCM, VERDICT_SPD_GOT_CLEAR },
	{ P_AH, VERDICT_SPD_GOT_CLEAR },
	{ P_DROP, VERDICT_SPD_EXPLICIT },
};

START_TEST(clear_packets)
{
	static struct host host;
	static struct test_packet t;
	struct packet_view view;
	struct flow flow;

	host_init(&host);
	add_policy(&host, clears[_i].policy);
	host_start(&host, THERE, THERE6);
	test_udp(&t, HERE, THERE, 3);
	ck_assert(packet_parse(&t.pkt, &view));
	packet_flow(&t.pkt, &view, DIRECTION_IN, &flow);
	ck_assert_int_eq(engine_check_clear(rcu_read(&host.view), &flow), clears[_i].verdict);
	host_done(&host);
}
END_TEST

enum spoil {
	S_NONE,
	S_SPI,
	S_ICV,
	S_SRC,
	S_DST,
	S_FRAGMENT,
	S_CUT,
	S_AH,
	S_UDP,
	S_DEAD,
	S_LARVAL,
	S_DYING
};

static const struct {
	const char *name;
	enum spoil spoil;
	enum verdict verdict;
} spoilt[] = {
	{ "sound", S_NONE, VERDICT_IN_ACCEPTED },
	{ "unknown SPI", S_SPI, VERDICT_ESP_NO_SA },
	{ "bad ICV", S_ICV, VERDICT_ESP_BAD_AUTH },
	{ "SA names another source", S_SRC, VERDICT_ESP_NO_SA },
	{ "other destination", S_DST, VERDICT_ESP_NO_SA },
	{ "fragment", S_FRAGMENT, VERDICT_SPD_MALFORMED_FRAG },
	{ "cut", S_CUT, VERDICT_ESP_RUNT },
	{ "AH", S_AH, VERDICT_AH_NO_SA },
	{ "something else", S_UDP, VERDICT_SPD_MALFORMED_PACKET },
	{ "dead SA", S_DEAD, VERDICT_ESP_NO_SA },
	{ "larval SA", S_LARVAL, VERDICT_ESP_NO_SA },
	{ "dying SA", S_DYING, VERDICT_IN_ACCEPTED },
};

static void spoil(struct host *host, struct packet *pkt, enum spoil how)
{
	switch (how) {
	case S_NONE:
		return;
	case S_SPI:
		pkt->data[23] ^= 1;
		return;
	case S_ICV:
		pkt->data[pkt->len - 1] ^= 1;
		return;
	case S_SRC:
		pkt->data[15] ^= 8;
		return;
	case S_DST:
		pkt->data[19] ^= 8;
		return;
	case S_FRAGMENT:
		pkt->data[6] = 0x20;
		return;
	case S_CUT:
		pkt->len = 36;
		packet_set_length(pkt);
		return;
	case S_AH:
		pkt->data[9] = IPPROTO_AH;
		return;
	case S_UDP:
		pkt->data[9] = IPPROTO_UDP;
		return;
	case S_DEAD:
		atomic_store(&host->runs[0]->state, SA_DEAD);
		return;
	case S_LARVAL:
		atomic_store(&host->runs[0]->state, SA_LARVAL);
		return;
	case S_DYING:
		atomic_store(&host->runs[0]->state, SA_DYING);
		return;
	}
}

START_TEST(spoilt_packets)
{
	static struct test_packet sent;
	static struct host host;
	struct test_esp out;

	host_init(&host);
	add_policy(&host, P_ESP_GCM);
	(void)add_sa(&host, &gcm, 0x1001, SA_MODE_TRANSPORT, HERE, THERE);
	host_start(&host, THERE, THERE6);
	test_esp_init(&out, test_sa(&gcm, SA_MODE_TRANSPORT, HERE, THERE), 0);
	test_udp(&sent, HERE, THERE, 20);
	ck_assert_int_eq(esp_seal(&out.esp, &sent.pkt, NULL), VERDICT_OUT_PROTECTED);
	spoil(&host, &sent.pkt, spoilt[_i].spoil);
	expect(receive_one(&host, &sent.pkt),
		spoilt[_i].verdict == VERDICT_IN_ACCEPTED ? ENGINE_TO_HOST : ENGINE_DROP,
		spoilt[_i].verdict, spoilt[_i].name);
	test_esp_done(&out);
	host_done(&host);
}
END_TEST

/* Selectors of the SA itself, whatever the rule says. */
static const struct {
	const char *name;
	uint8_t protocol;
	uint16_t src_port, dst_port;
	enum verdict verdict;
} uniques[] = {
	{ "any", 0, 0, 0, VERDICT_IN_ACCEPTED },
	{ "its protocol", IPPROTO_UDP, 0, 0, VERDICT_IN_ACCEPTED },
	{ "another protocol", IPPROTO_TCP, 0, 0, VERDICT_SPD_ESP_INNERMISMATCH },
	{ "its ports", IPPROTO_UDP, UDP_PORT_A, UDP_PORT_B, VERDICT_IN_ACCEPTED },
	{ "another source port", IPPROTO_UDP, UDP_PORT_B, 0, VERDICT_SPD_ESP_INNERMISMATCH },
	{ "another destination port", IPPROTO_UDP, 0, UDP_PORT_A, VERDICT_SPD_ESP_INNERMISMATCH },
};

START_TEST(selectors_of_the_sa)
{
	static struct test_packet sent;
	static struct host host;
	struct test_esp out;
	struct sa *sa;

	host_init(&host);
	add_policy(&host, P_ESP_GCM);
	sa = add_sa(&host, &gcm, 0x1001, SA_MODE_TRANSPORT, HERE, THERE);
	sa->protocol = uniques[_i].protocol;
	sa->src_port = uniques[_i].src_port;
	sa->dst_port = uniques[_i].dst_port;
	host_start(&host, THERE, THERE6);
	test_esp_init(&out, test_sa(&gcm, SA_MODE_TRANSPORT, HERE, THERE), 0);
	test_udp(&sent, HERE, THERE, 20);
	ck_assert_int_eq(esp_seal(&out.esp, &sent.pkt, NULL), VERDICT_OUT_PROTECTED);
	expect(receive_one(&host, &sent.pkt),
		uniques[_i].verdict == VERDICT_IN_ACCEPTED ? ENGINE_TO_HOST : ENGINE_DROP,
		uniques[_i].verdict, uniques[_i].name);
	test_esp_done(&out);
	host_done(&host);
}
END_TEST

/* A mixed batch keeps its order within each SA, and each packet has its own result. */
START_TEST(mixed_batch)
{
	static struct test_packet sent[6];
	static struct host host, peer;
	struct packet *pkts[6];
	struct engine_result results[6];

	host_init(&host);
	add_policy(&host, P_ESP_GCM);
	(void)add_sa(&host, &gcm, 0x2001, SA_MODE_TRANSPORT, HERE, THERE);
	(void)add_sa(&host, &gcm, 0x2002, SA_MODE_TRANSPORT, HERE6, THERE6);
	host_start(&host, HERE, HERE6);
	host_init(&peer);
	add_policy(&peer, P_ESP_GCM);
	(void)add_sa(&peer, &gcm, 0x2001, SA_MODE_TRANSPORT, HERE, THERE);
	(void)add_sa(&peer, &gcm, 0x2002, SA_MODE_TRANSPORT, HERE6, THERE6);
	host_start(&peer, THERE, THERE6);
	for (size_t i = 0; i < 6; i++) {
		test_udp(&sent[i], i % 2 ? HERE6 : HERE, i % 2 ? THERE6 : THERE, i * 10);
		pkts[i] = &sent[i].pkt;
	}
	test_udp(&sent[4], HERE, "192.0.2.99", 1); /* no SA goes there */
	engine_outbound(host.engine, pkts, 6, -1, results);
	for (size_t i = 0; i < 6; i++) {
		size_t at = i % 2 ? 40 : 20;

		ck_assert_int_eq(
			results[i].verdict, i == 4 ? VERDICT_SADB_ACQUIRE : VERDICT_OUT_PROTECTED);
		if (i == 4)
			continue;
		ck_assert_uint_eq(load_be32(pkts[i]->data + at), i % 2 ? 0x2002 : 0x2001);
		ck_assert_uint_eq(load_be32(pkts[i]->data + at + 4), i / 2 + 1);
	}
	ck_assert_uint_eq(atomic_load(&host.counters.packets[VERDICT_OUT_PROTECTED]), 5);
	engine_inbound(peer.engine, pkts, 6, results);
	for (size_t i = 0; i < 6; i++)
		ck_assert_int_eq(results[i].exit, i == 4 ? ENGINE_DROP : ENGINE_TO_HOST);
	ck_assert_uint_eq(atomic_load(&rcu_read(&host.view)->hits[0].packets), 6);
	ck_assert_uint_eq(atomic_load(&rcu_read(&peer.view)->hits[0].packets), 5);
	host_done(&host);
	host_done(&peer);
}
END_TEST

/* Without a policy nothing is let through that came here to be protected. */
START_TEST(no_policy_at_all)
{
	static struct test_packet t;
	static struct host host;
	struct engine_setup setup = { .view = &host.view, .counters = &host.counters };

	host_init(&host);
	ck_assert_int_eq(engine_new(&setup, &host.engine), 0);
	test_udp(&t, HERE, THERE, 5);
	expect(send_one(&host, &t.pkt, -1), ENGINE_DROP, VERDICT_SPD_NO_POLICY, "host");
	test_udp(&t, HERE, THERE, 5);
	expect(send_one(&host, &t.pkt, 0), ENGINE_DROP, VERDICT_SPD_NO_POLICY, "tunnel");
	t.pkt.len = 7;
	expect(send_one(&host, &t.pkt, -1), ENGINE_DROP, VERDICT_SPD_MALFORMED_PACKET, "cut");
	t.pkt.len = 7;
	expect(receive_one(&host, &t.pkt), ENGINE_DROP, VERDICT_SPD_MALFORMED_PACKET, "cut");
	host_done(&host);
}
END_TEST

START_TEST(events_are_told)
{
	static struct test_packet t;
	static struct host host;

	host_init(&host);
	add_policy(&host, P_ESP_GCM);
	(void)add_sa(&host, &gcm, 1000, SA_MODE_TRANSPORT, HERE, THERE);
	atomic_store(&host.runs[0]->seq_reserved, 1);
	host_start(&host, HERE, HERE6);
	test_udp(&t, HERE, THERE, 5);
	expect(send_one(&host, &t.pkt, -1), ENGINE_TO_WIRE, VERDICT_OUT_PROTECTED, "last number");
	ck_assert_uint_eq(host.n_events, 1);
	test_udp(&t, HERE, THERE, 5);
	expect(send_one(&host, &t.pkt, -1), ENGINE_DROP, VERDICT_ESP_SEQ_UNRESERVED, "none left");
	ck_assert_uint_eq(host.n_events, 1); /* known already */
	host_done(&host);
}
END_TEST

START_TEST(hits_live_on)
{
	static struct test_packet t;
	static struct host host;
	struct engine_view_parts parts = { .generation = 2 };
	struct engine_view *old, *next;
	struct rule *rules[2];

	host_init(&host);
	add_policy(&host, P_PASS);
	host_start(&host, HERE, HERE6);
	old = rcu_read(&host.view);
	for (int i = 0; i < 3; i++) {
		test_udp(&t, HERE, THERE, 5);
		(void)send_one(&host, &t.pkt, -1);
	}
	rules[0] = rule_copy(old->spd->rules[0]);
	rules[1] = rule_copy(old->spd->rules[0]);
	rules[0]->selector.protocol = IPPROTO_TCP;
	rules[1]->order = 2;
	ck_assert_int_eq(spd_new(rules, 2, SPD_FIRST_MATCH, &parts.spd), 0);
	parts.former = old;
	ck_assert_int_eq(engine_view_new(&parts, &next), 0);
	ck_assert_uint_eq(atomic_load(&next->hits[0].packets), 0);
	ck_assert_uint_eq(atomic_load(&next->hits[1].packets), 3);
	ck_assert_uint_eq(atomic_load(&next->hits[1].bytes), 3 * 33);
	(void)engine_view_free(next);
	host_done(&host);
}
END_TEST

/* The engine's classifier and the one that explains policy to people find the same rule. */
START_TEST(classifies_as_explained)
{
	static const uint8_t protocols[] = { 0, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP };
	static const char *const heads[] = { "", "vpn0" };
	static struct host host;
	uint64_t state = 2463534242 + (uint64_t)_i;
	unsigned int found = 0;

	host_init(&host);
	add_tunnel(&host, "vpn0", HERE, THERE);
	for (unsigned int i = 0; i < 12; i++) {
		struct rule *rule = add_rule(&host, heads[i % 2],
			protocols[(i + (unsigned int)_i) % 4],
			plain_action(i % 3 ? ACTION_BYPASS : ACTION_DISCARD), NULL);

		rule->directions = (uint8_t)(1 + i % 3);
		if (i % 4 == 1)
			rule->selector.remote_port = 80;
		if (i % 5 != 0)
			ck_assert_int_eq(prefix_make(&(struct address){ .family = AF_INET,
							     .bytes = { 10, (uint8_t)(i % 4) } },
						 8 + i % 9, &rule->selector.remote),
				0);
	}
	host_start(&host, HERE, HERE6);
	host.engine->view = rcu_read(&host.view);
	for (unsigned int i = 0; i < 3000; i++) {
		struct flow flow = { .local = test_address(HERE) };
		struct engine_match match;
		const struct rule *want;

		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		flow.direction = state & 1 ? DIRECTION_IN : DIRECTION_OUT;
		flow.remote = (struct address){ .family = AF_INET,
			.bytes = { 10, (uint8_t)(state >> 8 & 7) } };
		flow.protocol = protocols[1 + (state >> 16) % 3];
		flow.has_ports = protocol_has_ports(flow.protocol) && (state >> 20 & 3) != 0;
		flow.remote_port = state >> 24 & 1 ? 80 : 81;
		want = spd_match(rcu_read(&host.view)->spd, heads[state >> 30 & 1], &flow);
		engine_look_up(rcu_read(&host.view), (int)(state >> 30 & 1) - 1, &flow, &match);
		ck_assert_ptr_eq(match.rule, want);
		/* And once more out of the cache. */
		for (int again = 0; again < 2; again++) {
			engine_classify(host.engine, (int)(state >> 30 & 1) - 1, &flow, &match);
			ck_assert_ptr_eq(match.rule, want);
		}
		ck_assert(!want || rcu_read(&host.view)->spd->rules[match.index] == want);
		found += want != NULL;
	}
	ck_assert_uint_gt(found, 500);
	ck_assert_uint_lt(found, 3000);
	host_done(&host);
}
END_TEST

/* One SA for a group, in both directions: members seal and open with it, and none has a window. */
START_TEST(group_of_senders)
{
	static struct test_packet sent, copy;
	static struct host members[3];
	static const char *const names[] = { HERE, THERE, "192.0.2.3" };

	for (size_t i = 0; i < 3; i++) {
		host_init(&members[i]);
		add_rule(&members[i], "", 0, esp_action(ALG_ENCR_AES_CBC, ALG_AUTH_HMAC_SHA256),
			NULL);
		add_sa(&members[i], &cbc, 0x4001, SA_MODE_TRANSPORT, "0.0.0.0", "239.1.1.1");
		members[i].runs[0]->window = 0;
		host_start(&members[i], names[i], HERE6);
	}
	for (size_t from = 0; from < 3; from++) {
		test_udp(&sent, names[from], "239.1.1.1", 20);
		expect(send_one(&members[from], &sent.pkt, -1), ENGINE_TO_WIRE,
			VERDICT_OUT_PROTECTED, names[from]);
		/* All count from 1: the numbers of several senders say nothing. */
		ck_assert_uint_eq(load_be32(sent.pkt.data + 24), 1);
		for (size_t to = 0; to < 3; to++) {
			test_copy(&copy, &sent);
			expect(receive_one(&members[to], &copy.pkt), ENGINE_TO_HOST,
				VERDICT_IN_ACCEPTED, names[to]);
		}
	}
	for (size_t i = 0; i < 3; i++)
		host_done(&members[i]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("engine");
	TCase *tc = tcase_create("engine");

	tcase_add_loop_test(tc, outbound_rules, 0, (int)ARRAY_SIZE(outs));
	tcase_add_loop_test(tc, inbound_rules, 0, (int)ARRAY_SIZE(ins));
	tcase_add_loop_test(tc, clear_packets, 0, (int)ARRAY_SIZE(clears));
	tcase_add_loop_test(tc, spoilt_packets, 0, (int)ARRAY_SIZE(spoilt));
	tcase_add_loop_test(tc, selectors_of_the_sa, 0, (int)ARRAY_SIZE(uniques));
	tcase_add_test(tc, integrity_algorithms);
	tcase_add_test(tc, mixed_batch);
	tcase_add_test(tc, no_policy_at_all);
	tcase_add_test(tc, events_are_told);
	tcase_add_test(tc, hits_live_on);
	tcase_add_loop_test(tc, classifies_as_explained, 0, 8);
	tcase_add_test(tc, group_of_senders);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
