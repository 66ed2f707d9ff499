/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tunnels of the engine, and packets that are too long once they are protected. */
#include <inttypes.h>

#include "tests/unit/engine_host.h"
#include "tests/unit/suite.h"

#define GROUP "224.0.0.251"

/* Two gateways; what goes into one tunnel comes out of the other. */
static void make_gateways(
	struct host *a, struct host *b, enum tunnel_mode mode, struct action action)
{
	struct host *hosts[] = { a, b };

	for (size_t i = 0; i < 2; i++) {
		struct rule *rule;
		struct sa *sa;

		host_init(hosts[i]);
		(void)add_tunnel(hosts[i], "other0", "203.0.113.1", "203.0.113.2");
		(void)add_tunnel(hosts[i], "vpn0", i ? THERE : HERE, i ? HERE : THERE);
		if (mode != TUNNEL_NONE) {
			rule = add_rule(hosts[i], "vpn0", 0, action, NULL);
			rule->negotiate = mode;
		}
		for (uint32_t way = 0; way < 2; way++) {
			sa = add_sa(hosts[i], &gcm, 0x3001 + way,
				mode == TUNNEL_TUNNEL ? SA_MODE_TUNNEL : SA_MODE_TRANSPORT,
				way ? THERE : HERE, way ? HERE : THERE);
			if (mode != TUNNEL_TUNNEL)
				continue;
			sa->inner_src = prefix_host(&(struct address){ .family = AF_INET });
			sa->inner_dst = sa->inner_src;
			ck_assert_int_eq(
				prefix_make(&(struct address){ .family = AF_INET,
						    .bytes = { 10, (uint8_t)(way ? 2 : 1) } },
					16, &sa->inner_src),
				0);
			ck_assert_int_eq(
				prefix_make(&(struct address){ .family = AF_INET,
						    .bytes = { 10, (uint8_t)(way ? 1 : 2) } },
					16, &sa->inner_dst),
				0);
		}
	}
}

static const struct {
	const char *name;
	enum tunnel_mode mode;
	enum action_kind action;
	enum verdict out, in;
	uint8_t wire_protocol;
} ways[] = {
	{ "tunnel mode", TUNNEL_TUNNEL, ACTION_PROTECT, VERDICT_OUT_PROTECTED, VERDICT_IN_ACCEPTED,
		IPPROTO_ESP },
	{ "transport mode", TUNNEL_TRANSPORT, ACTION_PROTECT, VERDICT_OUT_PROTECTED,
		VERDICT_IN_ACCEPTED, IPPROTO_ESP },
	{ "pass", TUNNEL_TUNNEL, ACTION_BYPASS, VERDICT_OUT_ENCAPSULATED, VERDICT_IN_CLEAR,
		IPPROTO_IPIP },
	{ "no policy", TUNNEL_NONE, ACTION_BYPASS, VERDICT_OUT_ENCAPSULATED, VERDICT_IN_CLEAR,
		IPPROTO_IPIP },
};

START_TEST(through_tunnels)
{
	static struct test_packet sent, clear;
	static struct host a, b;
	struct action action = ways[_i].action == ACTION_PROTECT
				       ? esp_action(ALG_ENCR_AES_GCM16, ALG_AUTH_NONE)
				       : plain_action(ways[_i].action);
	struct engine_result result;

	make_gateways(&a, &b, ways[_i].mode, action);
	host_start(&a, HERE, HERE6);
	host_start(&b, THERE, THERE6);
	test_udp(&sent, "10.1.0.5", "10.2.0.6", 40);
	test_copy(&clear, &sent);
	expect(send_one(&a, &sent.pkt, 1), ENGINE_TO_WIRE, ways[_i].out, ways[_i].name);
	ck_assert_uint_eq(sent.pkt.data[9], ways[_i].wire_protocol);
	ck_assert_int_eq(memcmp(sent.pkt.data + 12, "\xc0\0\2\1\xc0\0\2\2", 8), 0);
	ck_assert_uint_eq(packet_checksum(sent.pkt.data, 20, 0), 0);
	result = receive_one(&b, &sent.pkt);
	expect(result, ENGINE_TO_HOST, ways[_i].in, ways[_i].name);
	ck_assert_int_eq(result.tunnel, 1);
	ck_assert_uint_eq(sent.pkt.len, clear.pkt.len);
	ck_assert_int_eq(memcmp(sent.pkt.data, clear.pkt.data, clear.pkt.len), 0);
	host_done(&a);
	host_done(&b);
}
END_TEST

static uint64_t audited(const struct host *host)
{
	const struct engine_view *view = rcu_read(&host->view);

	ck_assert_uint_eq(view->spd->n_audit, 1);
	return atomic_load(&view->hits[view->spd->count].packets);
}

static const struct {
	const char *name;
	enum tunnel_mode mode; /* of what is in force; none: nothing is */
	enum action_kind in_force, audit;
	uint8_t protocol; /* of what is in force; 0: any */
	enum verdict out, in;
	uint64_t counted;
} audits[] = {
	{ "would be protected", TUNNEL_NONE, ACTION_BYPASS, ACTION_PROTECT, 0,
		VERDICT_OUT_ENCAPSULATED, VERDICT_IN_CLEAR, 1 },
	{ "would be dropped", TUNNEL_NONE, ACTION_BYPASS, ACTION_DISCARD, 0,
		VERDICT_OUT_ENCAPSULATED, VERDICT_IN_CLEAR, 1 },
	{ "would pass", TUNNEL_NONE, ACTION_BYPASS, ACTION_BYPASS, 0, VERDICT_OUT_ENCAPSULATED,
		VERDICT_IN_CLEAR, 0 },
	{ "a rule in force decides", TUNNEL_TUNNEL, ACTION_PROTECT, ACTION_DISCARD, 0,
		VERDICT_OUT_PROTECTED, VERDICT_IN_ACCEPTED, 0 },
	{ "no rule in force knows it", TUNNEL_TUNNEL, ACTION_PROTECT, ACTION_DISCARD, IPPROTO_TCP,
		VERDICT_SPD_EXPLICIT, VERDICT_COUNT, 1 },
};

/* What audit rules of a tunnel would have done is counted, on both sides, and nothing changes. */
START_TEST(audit_of_a_tunnel)
{
	static struct test_packet sent;
	static struct host a, b;
	struct host *hosts[] = { &a, &b };

	make_gateways(&a, &b, audits[_i].mode, esp_action(ALG_ENCR_AES_GCM16, ALG_AUTH_NONE));
	for (size_t i = 0; i < 2; i++) {
		struct action action = audits[_i].audit == ACTION_PROTECT
					       ? esp_action(ALG_ENCR_AES_GCM16, ALG_AUTH_NONE)
					       : plain_action(audits[_i].audit);

		if (audits[_i].mode != TUNNEL_NONE)
			hosts[i]->rules[0]->selector.protocol = audits[_i].protocol;
		add_rule(hosts[i], "vpn0", IPPROTO_UDP, action, NULL)->audit = true;
	}
	host_start(&a, HERE, HERE6);
	host_start(&b, THERE, THERE6);
	test_udp(&sent, "10.1.0.5", "10.2.0.6", 40);
	ck_assert_msg(send_one(&a, &sent.pkt, 1).verdict == audits[_i].out, "%s", audits[_i].name);
	ck_assert_msg(
		audited(&a) == audits[_i].counted, "%s: %" PRIu64, audits[_i].name, audited(&a));
	if (audits[_i].in != VERDICT_COUNT) {
		ck_assert_msg(
			receive_one(&b, &sent.pkt).verdict == audits[_i].in, "%s", audits[_i].name);
		ck_assert_msg(audited(&b) == audits[_i].counted, "%s, in", audits[_i].name);
	}
	host_done(&a);
	host_done(&b);
}
END_TEST

/* What was still in the queue of a tunnel's interface when the tunnel was removed. */
START_TEST(an_empty_slot_takes_nothing)
{
	static struct test_packet sent;
	static struct host a, b;

	make_gateways(&a, &b, TUNNEL_NONE, plain_action(ACTION_BYPASS));
	a.tunnels.tunnels[1].name[0] = '\0';
	host_start(&a, HERE, HERE6);
	host_start(&b, THERE, THERE6);
	test_udp(&sent, "10.1.0.5", "10.2.0.6", 40);
	expect(send_one(&a, &sent.pkt, 1), ENGINE_DROP, VERDICT_SPD_NO_POLICY, "empty");
	host_done(&a);
	host_done(&b);
}
END_TEST

/* A tunnel without rules: host policy protects the outer packet, and speaks of the inner length. */
START_TEST(host_policy_for_tunnels)
{
	static struct test_packet sent, clear;
	static struct host a, b;
	struct engine_result result;

	make_gateways(&a, &b, TUNNEL_NONE, plain_action(ACTION_BYPASS));
	add_rule(&a, "", IPPROTO_IPIP, esp_action(ALG_ENCR_AES_GCM16, ALG_AUTH_NONE), NULL);
	add_rule(&b, "", IPPROTO_IPIP, esp_action(ALG_ENCR_AES_GCM16, ALG_AUTH_NONE), NULL);
	a.mtu = 1500;
	host_start(&a, HERE, HERE6);
	host_start(&b, THERE, THERE6);
	test_udp(&sent, "10.1.0.5", "10.2.0.6", 40);
	test_copy(&clear, &sent);
	expect(send_one(&a, &sent.pkt, 1), ENGINE_TO_WIRE, VERDICT_OUT_PROTECTED, "outer");
	ck_assert_uint_eq(sent.pkt.data[9], IPPROTO_ESP);
	result = receive_one(&b, &sent.pkt);
	expect(result, ENGINE_TO_HOST, VERDICT_IN_ACCEPTED, "outer");
	ck_assert_int_eq(result.tunnel, 1);
	ck_assert_uint_eq(sent.pkt.len, clear.pkt.len);
	ck_assert_int_eq(memcmp(sent.pkt.data, clear.pkt.data, clear.pkt.len), 0);
	/* In clear it is refused. */
	test_push_ip(&clear.pkt, IPPROTO_IPIP, HERE, THERE);
	expect(receive_one(&b, &clear.pkt), ENGINE_DROP, VERDICT_SPD_GOT_CLEAR, "plain");
	/* 20 + 8 + 8 + text + 16 <= 1500 as in tunnel mode. */
	for (size_t len = 1446; len <= 1447; len++) {
		test_udp(&sent, "10.1.0.5", "10.2.0.6", len - 28);
		store_be16(sent.pkt.data + 6, 0x4000);
		packet_set_length(&sent.pkt);
		result = send_one(&a, &sent.pkt, 1);
		ck_assert_int_eq(result.exit, len == 1446 ? ENGINE_TO_WIRE : ENGINE_TO_SENDER);
	}
	ck_assert_int_eq(memcmp(sent.pkt.data + 16, "\x0a\x01\x00\x05", 4), 0);
	ck_assert_uint_eq(load_be16(sent.pkt.data + 26), 1446);
	host_done(&a);
	host_done(&b);
}
END_TEST

/* Both modes look the same on the wire; the rule says which SA it takes. */
START_TEST(modes_do_not_mix)
{
	static struct test_packet t;
	static struct host a, b, c, d;

	make_gateways(&a, &b, TUNNEL_TUNNEL, esp_action(ALG_ENCR_AES_GCM16, ALG_AUTH_NONE));
	make_gateways(&c, &d, TUNNEL_TRANSPORT, esp_action(ALG_ENCR_AES_GCM16, ALG_AUTH_NONE));
	b.rules[0]->negotiate = TUNNEL_TRANSPORT;
	d.rules[0]->negotiate = TUNNEL_TUNNEL;
	host_start(&a, HERE, HERE6);
	host_start(&b, THERE, THERE6);
	host_start(&c, HERE, HERE6);
	host_start(&d, THERE, THERE6);
	test_udp(&t, "10.1.0.5", "10.2.0.6", 4);
	expect(send_one(&a, &t.pkt, 1), ENGINE_TO_WIRE, VERDICT_OUT_PROTECTED, "tunnel mode");
	expect(receive_one(&b, &t.pkt), ENGINE_DROP, VERDICT_SPD_ESP_INNERMISMATCH, "transport");
	test_udp(&t, "10.1.0.5", "10.2.0.6", 4);
	expect(send_one(&c, &t.pkt, 1), ENGINE_TO_WIRE, VERDICT_OUT_PROTECTED, "transport mode");
	expect(receive_one(&d, &t.pkt), ENGINE_DROP, VERDICT_SPD_ESP_INNERMISMATCH, "tunnel");
	host_done(&a);
	host_done(&b);
	host_done(&c);
	host_done(&d);
}
END_TEST

START_TEST(tunnel_refusals)
{
	static struct test_packet t;
	static struct host a, b;
	struct test_esp out;
	struct sa *sa;

	make_gateways(&a, &b, TUNNEL_TUNNEL, esp_action(ALG_ENCR_AES_GCM16, ALG_AUTH_NONE));
	ck_assert_int_eq(prefix_make(&(struct address){ .family = AF_INET, .bytes = { 10, 2 } }, 16,
				 &a.rules[0]->selector.remote),
		0);
	a.rules[0]->selector.family = AF_INET;
	host_start(&a, HERE, HERE6);
	host_start(&b, THERE, THERE6);
	/* A tunnel with rules drops what matches none of them, both ways. */
	test_udp(&t, "10.1.0.5", "10.9.0.6", 4);
	expect(send_one(&a, &t.pkt, 1), ENGINE_DROP, VERDICT_SPD_EXPLICIT, "no rule, out");
	test_udp(&t, "10.9.0.5", "10.1.0.6", 4);
	test_push_ip(&t.pkt, IPPROTO_IPIP, THERE, HERE);
	expect(receive_one(&a, &t.pkt), ENGINE_DROP, VERDICT_SPD_EXPLICIT, "no rule, in");
	/* Plain where protection is asked for; plain from nowhere. */
	test_udp(&t, "10.2.0.5", "10.1.0.6", 4);
	test_push_ip(&t.pkt, IPPROTO_IPIP, THERE, HERE);
	expect(receive_one(&a, &t.pkt), ENGINE_DROP, VERDICT_SPD_GOT_CLEAR, "plain");
	test_udp(&t, "10.2.0.5", "10.1.0.6", 4);
	test_push_ip(&t.pkt, IPPROTO_IPIP, "192.0.2.77", HERE);
	expect(receive_one(&a, &t.pkt), ENGINE_DROP, VERDICT_SPD_NO_POLICY, "no tunnel");
	/* The other tunnel has no SA of its own; this one's is asked for. */
	test_udp(&t, "10.1.0.5", "10.2.0.6", 4);
	atomic_store(&a.runs[0]->state, SA_DEAD);
	expect(send_one(&a, &t.pkt, 1), ENGINE_DROP, VERDICT_SADB_ACQUIRE, "dead SA");
	ck_assert_int_eq(a.asked.mode, SA_MODE_TUNNEL);
	/* The inner packet must lie within the SA that carried it. */
	sa = test_sa(&gcm, SA_MODE_TUNNEL, HERE, THERE);
	sa->spi = 0x3001;
	test_esp_init(&out, sa, 0);
	test_udp(&t, "10.7.0.5", "10.2.0.6", 4);
	ck_assert_int_eq(esp_seal(&out.esp, &t.pkt, NULL), VERDICT_OUT_PROTECTED);
	expect(receive_one(&b, &t.pkt), ENGINE_DROP, VERDICT_SPD_ESP_INNERMISMATCH, "inner source");
	test_udp(&t, "10.1.0.5", "10.7.0.6", 4);
	ck_assert_int_eq(esp_seal(&out.esp, &t.pkt, NULL), VERDICT_OUT_PROTECTED);
	expect(receive_one(&b, &t.pkt), ENGINE_DROP, VERDICT_SPD_ESP_INNERMISMATCH,
		"inner destination");
	test_esp_done(&out);
	host_done(&a);
	host_done(&b);
}
END_TEST

/* Length on the path: 1500 outside; who may be fragmented is, who may not be is told. */
static const struct {
	const char *name;
	bool v6, tcp, df;
	int tunnel;
	size_t len; /* of the whole clear packet */
	enum engine_exit exit;
	bool fragment;
	size_t mtu; /* told */
} lengths[] = {
	/* 20 + 8 + 8 + text + 16 <= 1500: text of 1448, so 1446 and 20: 1466. */
	{ "v4 fits", false, false, true, -1, 1466, ENGINE_TO_WIRE, false, 0 },
	{ "v4 DF", false, false, true, -1, 1467, ENGINE_TO_SENDER, false, 1466 },
	{ "v4 no DF", false, false, false, -1, 1467, ENGINE_TO_WIRE, true, 0 },
	/* 40 + 8 + 8 + 1428 + 16: 1426 and 40. UDP of host policy is cut outside. */
	{ "v6 fits", true, false, true, -1, 1466, ENGINE_TO_WIRE, false, 0 },
	{ "v6 TCP is told", true, true, true, -1, 1467, ENGINE_TO_SENDER, false, 1466 },
	{ "v6 too long", true, false, true, -1, 1467, ENGINE_TO_WIRE, true, 0 },
	/* 20 + 8 + 8 + 1448 + 16: 1446. */
	{ "tunnel fits", false, false, true, 0, 1446, ENGINE_TO_WIRE, false, 0 },
	{ "tunnel DF", false, false, true, 0, 1447, ENGINE_TO_SENDER, false, 1446 },
	/* Cut before it is sealed: test_engine_frag.c. */
	{ "tunnel no DF", false, false, false, 0, 1447, ENGINE_TO_WIRE, false, 0 },
	{ "tunnel v6", true, false, true, 0, 1447, ENGINE_TO_SENDER, false, 1446 },
};

START_TEST(path_mtu)
{
	static struct test_packet t;
	static struct host host;
	struct action action = esp_action(ALG_ENCR_AES_GCM16, ALG_AUTH_NONE);
	bool v6 = lengths[_i].v6;
	size_t header = v6 ? 40 : 20;
	struct engine_result result;
	struct packet_view view;
	uint8_t *p;

	host_init(&host);
	host.mtu = 1500;
	add_rule(&host, lengths[_i].tunnel < 0 ? "" : "vpn0", 0, action, NULL);
	(void)add_tunnel(&host, "vpn0", HERE, THERE);
	(void)add_sa(&host, &gcm, 1000, SA_MODE_TRANSPORT, HERE, THERE);
	(void)add_sa(&host, &gcm, 1001, SA_MODE_TRANSPORT, HERE6, THERE6);
	(void)add_sa(&host, &gcm, 1002, SA_MODE_TUNNEL, HERE, THERE);
	host_start(&host, HERE, HERE6);
	test_udp(&t, v6 ? HERE6 : HERE, v6 ? THERE6 : THERE, lengths[_i].len - header - 8);
	if (lengths[_i].tcp)
		t.pkt.data[6] = IPPROTO_TCP;
	if (!v6 && lengths[_i].df) {
		store_be16(t.pkt.data + 6, 0x4000);
		packet_set_length(&t.pkt);
	}
	result = send_one(&host, &t.pkt, lengths[_i].tunnel);
	ck_assert_msg(result.exit == lengths[_i].exit, "%s: %s", lengths[_i].name,
		verdict_name(result.verdict));
	ck_assert_msg(result.fragment == lengths[_i].fragment, "%s", lengths[_i].name);
	if (result.exit == ENGINE_TO_SENDER) {
		ck_assert_int_eq(result.verdict, VERDICT_ESP_TOO_BIG);
		ck_assert(packet_parse(&t.pkt, &view));
		p = t.pkt.data + view.upper;
		ck_assert_uint_eq(p[0], v6 ? 2 : 3);
		ck_assert_uint_eq(p[1], v6 ? 0 : 4);
		ck_assert_uint_eq(v6 ? load_be32(p + 4) : load_be16(p + 6), lengths[_i].mtu);
		/* From the destination to the sender, about the packet. */
		ck_assert_int_eq(memcmp(t.pkt.data + header - (v6 ? 32 : 8),
					 p + 8 + header - (v6 ? 16 : 4), v6 ? 16 : 4),
			0);
		ck_assert_uint_eq(p[8] >> 4, v6 ? 6 : 4);
		ck_assert_uint_le(t.pkt.len, v6 ? 1280 : 576);
		if (!v6) {
			ck_assert_uint_eq(packet_checksum(t.pkt.data, 20, 0), 0);
			ck_assert_uint_eq(packet_checksum(p, t.pkt.len - 20, 0), 0);
		}
		ck_assert_ptr_null(result.more);
	} else if (!lengths[_i].fragment) {
		while (engine_follow(host.engine, &result, &t.pkt))
			ck_assert_uint_le(t.pkt.len, 1500);
		ck_assert_uint_le(t.pkt.len, 1500);
	} else {
		ck_assert_uint_gt(t.pkt.len, 1500);
	}
	host_done(&host);
}
END_TEST

static uint32_t mtu_of_there(const struct address *dst, void *userdata)
{
	(void)userdata;
	return dst->bytes[3] == 2 ? 700 : 0;
}

/* The path to each destination counts; where it is unknown, what is known of all. */
START_TEST(mtu_by_destination)
{
	static struct test_packet t;
	static struct host host;

	host_init(&host);
	host.mtu = 1500;
	host.mtu_of = mtu_of_there;
	add_rule(&host, "", 0, esp_action(ALG_ENCR_AES_GCM16, ALG_AUTH_NONE), NULL);
	(void)add_sa(&host, &gcm, 1000, SA_MODE_TRANSPORT, HERE, THERE);
	(void)add_sa(&host, &gcm, 1001, SA_MODE_TRANSPORT, HERE, "192.0.2.3");
	host_start(&host, HERE, HERE6);
	for (int i = 0; i < 2; i++) {
		test_udp(&t, HERE, i ? "192.0.2.3" : THERE, 800);
		store_be16(t.pkt.data + 6, 0x4000);
		ck_assert_int_eq(
			send_one(&host, &t.pkt, -1).exit, i ? ENGINE_TO_WIRE : ENGINE_TO_SENDER);
	}
	host_done(&host);
}
END_TEST

START_TEST(no_error_about_errors)
{
	static struct test_packet t;
	static struct host host;
	uint8_t *p;

	host_init(&host);
	host.mtu = 600;
	add_rule(&host, "", 0, esp_action(ALG_ENCR_AES_GCM16, ALG_AUTH_NONE), NULL);
	(void)add_sa(&host, &gcm, 1000, SA_MODE_TRANSPORT, HERE, THERE);
	host_start(&host, HERE, HERE6);
	packet_init(&t.pkt, t.buffer, sizeof(t.buffer));
	p = packet_append(&t.pkt, 900);
	ck_assert_ptr_nonnull(p);
	memset(p, 0, 900);
	p[0] = 3; /* itself an unreachable */
	test_push_ip(&t.pkt, IPPROTO_ICMP, HERE, THERE);
	store_be16(t.pkt.data + 6, 0x4000);
	expect(send_one(&host, &t.pkt, -1), ENGINE_DROP, VERDICT_ESP_TOO_BIG, "error");
	host_done(&host);
}
END_TEST

/* So what is too long for it is cut, whatever it says of that. */
START_TEST(no_error_about_a_group)
{
	static struct test_packet t;
	static struct host host;
	struct engine_result result;

	host_init(&host);
	host.mtu = 600;
	add_rule(&host, "", 0, esp_action(ALG_ENCR_AES_GCM16, ALG_AUTH_NONE), NULL);
	(void)add_sa(&host, &gcm, 1000, SA_MODE_TRANSPORT, HERE, GROUP);
	host_start(&host, HERE, HERE6);
	test_udp(&t, HERE, GROUP, 800);
	store_be16(t.pkt.data + 6, 0x4000);
	packet_set_length(&t.pkt);
	result = send_one(&host, &t.pkt, -1);
	expect(result, ENGINE_TO_WIRE, VERDICT_OUT_PROTECTED, "group");
	ck_assert(result.fragment);
	host_done(&host);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("engine_tunnel");
	TCase *tc = tcase_create("engine_tunnel");

	tcase_add_loop_test(tc, through_tunnels, 0, (int)ARRAY_SIZE(ways));
	tcase_add_loop_test(tc, audit_of_a_tunnel, 0, (int)ARRAY_SIZE(audits));
	tcase_add_loop_test(tc, path_mtu, 0, (int)ARRAY_SIZE(lengths));
	tcase_add_test(tc, tunnel_refusals);
	tcase_add_test(tc, an_empty_slot_takes_nothing);
	tcase_add_test(tc, host_policy_for_tunnels);
	tcase_add_test(tc, modes_do_not_mix);
	tcase_add_test(tc, no_error_about_errors);
	tcase_add_test(tc, no_error_about_a_group);
	tcase_add_test(tc, mtu_by_destination);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
