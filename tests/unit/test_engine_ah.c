/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Two hosts with the same policy and SAs: what one sends with AH, the other takes or refuses. */
#include "services/datapath/engine/engine_internal.h"
#include "tests/unit/ah_pair.h"
#include "tests/unit/engine_host.h"
#include "tests/unit/suite.h"

#define SPI_ESP 0x1001

static void add_ah_sa(struct host *host, uint8_t auth, enum sa_mode mode, bool v6)
{
	struct sad_entry *entry = sad_entry_new();

	ck_assert_ptr_nonnull(entry);
	entry->sa = test_ah_sa(auth, mode, v6 ? HERE6 : HERE, v6 ? THERE6 : THERE);
	entry->run = host->runs[host->n_sas] = test_run(64);
	ck_assert_int_eq(ah_suite_of(entry->sa, &entry->suite), 0);
	host->entries[host->n_sas++] = entry;
}

/* What a rule asks for, and which SAs there are. */
#define AH     0x1U
#define ESP    0x2U
#define AH_MD5 0x4U /* AH with another algorithm */

static struct action make_action(unsigned int what)
{
	struct action action = (what & ESP) != 0 ? esp_action(ALG_ENCR_AES_GCM16, ALG_AUTH_NONE)
						 : plain_action(ACTION_PROTECT);

	action.has_ah = (what & (AH | AH_MD5)) != 0;
	action.ah = (struct alg_need){ .number = (what & AH) != 0 ? ALG_AUTH_HMAC_SHA256
								  : ALG_AUTH_HMAC_MD5,
		.max_bits = UINT16_MAX };
	return action;
}

static void make_host(struct host *host, bool sender, const char *tunnel, unsigned int policy,
	unsigned int sas, bool v6)
{
	enum sa_mode mode = tunnel[0] != '\0' ? SA_MODE_TUNNEL : SA_MODE_TRANSPORT;
	const char *here = v6 ? HERE6 : HERE, *there = v6 ? THERE6 : THERE;

	host_init(host);
	if (policy != 0)
		add_rule(host, tunnel, 0, make_action(policy), NULL);
	if ((sas & ESP) != 0)
		(void)add_sa(host, &gcm, SPI_ESP, mode, here, there);
	if ((sas & AH) != 0)
		add_ah_sa(host, ALG_AUTH_HMAC_SHA256, mode, v6);
	if ((sas & AH_MD5) != 0)
		add_ah_sa(host, ALG_AUTH_HMAC_MD5, mode, v6);
	if (tunnel[0] != '\0')
		(void)add_tunnel(host, tunnel, sender ? here : there, sender ? there : here);
	host_start(host, sender ? HERE : THERE, sender ? HERE6 : THERE6);
}

static const struct {
	const char *name;
	unsigned int policy, sas;
	enum verdict verdict;
	enum sa_proto asked; /* for SADB_ACQUIRE */
	uint8_t outermost; /* protocol on the wire */
} outs[] = {
	{ "AH", AH, AH, VERDICT_OUT_PROTECTED, 0, IPPROTO_AH },
	{ "AH, both there", AH, AH | ESP, VERDICT_OUT_PROTECTED, 0, IPPROTO_AH },
	{ "ESP, both there", ESP, AH | ESP, VERDICT_OUT_PROTECTED, 0, IPPROTO_ESP },
	{ "both", AH | ESP, AH | ESP, VERDICT_OUT_PROTECTED, 0, IPPROTO_AH },
	{ "AH, no SA", AH, 0, VERDICT_SADB_ACQUIRE, SA_PROTO_AH, 0 },
	{ "AH, SA of another algorithm", AH, AH_MD5, VERDICT_SADB_ACQUIRE, SA_PROTO_AH, 0 },
	{ "AH, ESP there", AH, ESP, VERDICT_SADB_ACQUIRE, SA_PROTO_AH, 0 },
	{ "both, none there: ESP first", AH | ESP, 0, VERDICT_SADB_ACQUIRE, SA_PROTO_ESP, 0 },
	{ "both, AH there", AH | ESP, AH, VERDICT_SADB_ACQUIRE, SA_PROTO_ESP, 0 },
	{ "both, ESP there", AH | ESP, ESP, VERDICT_SADB_ACQUIRE, SA_PROTO_AH, 0 },
};

START_TEST(outbound)
{
	static struct test_packet sent;
	static struct host host;
	struct packet_view view;

	make_host(&host, true, "", outs[_i].policy, outs[_i].sas, false);
	test_udp(&sent, HERE, THERE, 20);
	expect(send_one(&host, &sent.pkt, -1), outs[_i].asked != 0 ? ENGINE_DROP : ENGINE_TO_WIRE,
		outs[_i].verdict, outs[_i].name);
	ck_assert_uint_eq(host.n_asked, outs[_i].asked != 0 ? 1 : 0);
	if (outs[_i].asked != 0) {
		ck_assert_uint_eq(host.asked.proto, outs[_i].asked);
	} else {
		ck_assert(packet_parse(&sent.pkt, &view));
		ck_assert_uint_eq(view.protocol, outs[_i].outermost);
	}
	host_done(&host);
}
END_TEST

/* What the sender did, and what the receiver's rule asks for. */
static const struct {
	const char *name;
	unsigned int sent, policy;
	enum verdict verdict;
} ins[] = {
	{ "AH as asked", AH, AH, VERDICT_IN_ACCEPTED },
	{ "both as asked", AH | ESP, AH | ESP, VERDICT_IN_ACCEPTED },
	{ "nobody asked", AH, 0, VERDICT_SPD_GOT_SECURE },
	{ "another algorithm", AH, AH_MD5, VERDICT_SPD_BAD_AHALG },
	{ "ESP asked, AH came", AH, ESP, VERDICT_SPD_GOT_AH },
	{ "AH asked, ESP came", ESP, AH, VERDICT_SPD_GOT_CLEAR },
	{ "AH asked, both came", AH | ESP, AH, VERDICT_SPD_GOT_ESP },
	{ "ESP asked, both came", AH | ESP, ESP, VERDICT_SPD_GOT_AH },
	{ "both asked, AH came", AH, AH | ESP, VERDICT_SPD_GOT_CLEAR },
	{ "both asked, ESP came", ESP, AH | ESP, VERDICT_SPD_GOT_CLEAR },
	{ "both asked, AH of another algorithm", AH | ESP, AH_MD5 | ESP, VERDICT_SPD_BAD_AHALG },
};

START_TEST(inbound)
{
	static struct test_packet sent, clear;
	static struct host sender, receiver;
	const size_t n = ARRAY_SIZE(ins);
	bool v6 = (size_t)_i >= n;
	size_t i = (size_t)_i % n;
	enum engine_exit exit = ins[i].verdict == VERDICT_IN_ACCEPTED ? ENGINE_TO_HOST
								      : ENGINE_DROP;

	make_host(&sender, true, "", ins[i].sent, AH | ESP, v6);
	make_host(&receiver, false, "", ins[i].policy, AH | ESP, v6);
	test_udp(&sent, v6 ? HERE6 : HERE, v6 ? THERE6 : THERE, 20);
	test_copy(&clear, &sent);
	expect(send_one(&sender, &sent.pkt, -1), ENGINE_TO_WIRE, VERDICT_OUT_PROTECTED,
		ins[i].name);
	expect(receive_one(&receiver, &sent.pkt), exit, ins[i].verdict, ins[i].name);
	if (exit == ENGINE_TO_HOST) {
		ck_assert_uint_eq(sent.pkt.len, clear.pkt.len);
		ck_assert_mem_eq(sent.pkt.data, clear.pkt.data, clear.pkt.len);
	}
	host_done(&sender);
	host_done(&receiver);
}
END_TEST

/* Tunnel mode: one outer header, AH, ESP where it is asked for, the inner packet. */
/* An SA that is one flow's carries no other. */
START_TEST(of_another_flow)
{
	static struct test_packet sent, copy;
	static struct host sender, receiver;
	struct sa *sa;

	make_host(&sender, true, "", AH, AH, false);
	make_host(&receiver, false, "", AH, AH, false);
	test_udp(&sent, HERE, THERE, 20);
	expect(send_one(&sender, &sent.pkt, -1), ENGINE_TO_WIRE, VERDICT_OUT_PROTECTED, "sent");
	sa = receiver.entries[0]->sa;
	sa->protocol = IPPROTO_TCP;
	test_copy(&copy, &sent);
	expect(receive_one(&receiver, &copy.pkt), ENGINE_DROP, VERDICT_SPD_AH_INNERMISMATCH,
		"another protocol");
	host_done(&sender);
	host_done(&receiver);
}
END_TEST

START_TEST(tunnels)
{
	static struct test_packet sent, clear;
	static struct host sender, receiver;
	bool v6 = (_i & 1) != 0, inner6 = (_i & 2) != 0;
	unsigned int what = (_i & 4) != 0 ? AH | ESP : AH;
	size_t outer = v6 ? 40 : 20;
	struct packet_view view;
	struct engine_result result;

	make_host(&sender, true, "vpn", what, AH | ESP, v6);
	make_host(&receiver, false, "vpn", what, AH | ESP, v6);
	if (inner6)
		test_udp(&sent, "2001:db8:1::1", "2001:db8:2::1", 20);
	else
		test_udp(&sent, "10.1.0.1", "10.2.0.1", 20);
	test_copy(&clear, &sent);
	expect(send_one(&sender, &sent.pkt, 0), ENGINE_TO_WIRE, VERDICT_OUT_PROTECTED, "sent");
	ck_assert(packet_parse(&sent.pkt, &view));
	ck_assert_uint_eq(view.protocol, IPPROTO_AH);
	ck_assert_uint_eq(view.upper, outer);
	ck_assert_uint_eq(sent.pkt.data[outer],
		what == AH ? (inner6 ? IPPROTO_IPV6 : IPPROTO_IPIP) : IPPROTO_ESP);
	result = receive_one(&receiver, &sent.pkt);
	expect(result, ENGINE_TO_HOST, VERDICT_IN_ACCEPTED, "received");
	ck_assert_int_eq(result.tunnel, 0);
	ck_assert_uint_eq(sent.pkt.len, clear.pkt.len);
	ck_assert_mem_eq(sent.pkt.data, clear.pkt.data, clear.pkt.len);
	host_done(&sender);
	host_done(&receiver);
}
END_TEST

/* Order on the wire is free for the sender, so ESP around AH is taken as well. */
START_TEST(esp_around_ah)
{
	static struct test_packet sent;
	static struct host receiver;
	struct test_esp esp;
	struct test_ah ah;

	make_host(&receiver, false, "", AH | ESP, AH | ESP, false);
	test_esp_init(&esp, test_sa(&gcm, SA_MODE_TRANSPORT, HERE, THERE), 0);
	test_ah_init(&ah, test_ah_sa(ALG_AUTH_HMAC_SHA256, SA_MODE_TRANSPORT, HERE, THERE), 0);
	test_udp(&sent, HERE, THERE, 20);
	expect_verdict(ah_seal(&ah.ah, &sent.pkt, NULL), VERDICT_OUT_PROTECTED, "AH");
	expect_verdict(esp_seal(&esp.esp, &sent.pkt, NULL), VERDICT_OUT_PROTECTED, "ESP");
	expect(receive_one(&receiver, &sent.pkt), ENGINE_TO_HOST, VERDICT_IN_ACCEPTED, "both");
	test_esp_done(&esp);
	test_ah_done(&ah);
	host_done(&receiver);
}
END_TEST

/* One AH inside the other: the innermost counts, and a pile of them is refused. */
START_TEST(piled_up)
{
	static struct test_packet sent;
	static struct host receiver;
	struct test_ah ah;

	make_host(&receiver, false, "", AH, AH, false);
	test_ah_init(&ah, test_ah_sa(ALG_AUTH_HMAC_SHA256, SA_MODE_TRANSPORT, HERE, THERE), 0);
	for (unsigned int n = 1; n <= 3; n++) {
		test_udp(&sent, HERE, THERE, 20);
		for (unsigned int k = 0; k < n; k++)
			expect_verdict(
				ah_seal(&ah.ah, &sent.pkt, NULL), VERDICT_OUT_PROTECTED, "AH");
		expect(receive_one(&receiver, &sent.pkt), n <= 2 ? ENGINE_TO_HOST : ENGINE_DROP,
			n <= 2 ? VERDICT_IN_ACCEPTED : VERDICT_AH_NO_SA, "pile");
	}
	test_ah_done(&ah);
	host_done(&receiver);
}
END_TEST

/* Packets that fit the path once protected pass; one octet more is answered. */
START_TEST(path_mtu)
{
	static struct test_packet sent;
	static struct host sender;
	unsigned int what = _i == 0 ? AH : AH | ESP;
	size_t most = 0;

	make_host(&sender, true, "", what, AH | ESP, false);
	engine_set_path_mtu(sender.engine, 1400);
	for (size_t len = 1200; len < 1400; len++) {
		struct engine_result result;

		test_udp(&sent, HERE, THERE, len);
		sent.pkt.data[6] = 0x40; /* not to be fragmented */
		packet_set_length(&sent.pkt);
		result = send_one(&sender, &sent.pkt, -1);
		if (result.exit == ENGINE_TO_SENDER)
			break;
		expect(result, ENGINE_TO_WIRE, VERDICT_OUT_PROTECTED, "sent");
		ck_assert(!result.fragment);
		ck_assert_uint_le(sent.pkt.len, 1400);
		most = sent.pkt.len;
	}
	ck_assert_uint_gt(most, 1400 - 4);
	host_done(&sender);
}
END_TEST

/* Padding leaves room for the AH around it. */
START_TEST(padding_under_ah)
{
	static struct test_packet sent;
	static struct host host;
	struct engine_result result;

	host_init(&host);
	add_rule(&host, "vpn0", 0, make_action(AH | ESP), NULL);
	add_sa(&host, &gcm, SPI_ESP, SA_MODE_TUNNEL, HERE, THERE)->tfc_pad = 9000;
	add_ah_sa(&host, ALG_AUTH_HMAC_SHA256, SA_MODE_TUNNEL, false);
	(void)add_tunnel(&host, "vpn0", HERE, THERE);
	host.mtu = 1400;
	host_start(&host, HERE, HERE6);
	test_udp(&sent, "10.1.0.5", "10.2.0.6", 20);
	result = send_one(&host, &sent.pkt, 0);
	expect(result, ENGINE_TO_WIRE, VERDICT_OUT_PROTECTED, "padded");
	ck_assert_uint_le(sent.pkt.len, 1400);
	ck_assert_uint_gt(sent.pkt.len, 1400 - 4);
	host_done(&host);
}
END_TEST

/* Packets of which protocols are left to the control thread; by what protects them. */
static const struct {
	const char *name;
	unsigned int protection, sync;
	bool left;
} modes[] = {
	{ "ESP, none", ESP, 0, false },
	{ "ESP, ESP", ESP, ENGINE_SYNC_ESP, true },
	{ "ESP, AH", ESP, ENGINE_SYNC_AH, false },
	{ "AH, AH", AH, ENGINE_SYNC_AH, true },
	{ "AH, ESP", AH, ENGINE_SYNC_ESP, false },
	{ "both, AH", AH | ESP, ENGINE_SYNC_AH, true },
	{ "both, ESP", AH | ESP, ENGINE_SYNC_ESP, true },
	{ "both, both", AH | ESP, ENGINE_SYNC_AH | ENGINE_SYNC_ESP, true },
};

static void expect_left(struct engine_result result, const struct packet *pkt,
	const struct packet *before, const char *name)
{
	expect(result, ENGINE_TO_CONTROL, VERDICT_EXEC_SYNC, name);
	ck_assert_uint_eq(pkt->len, before->len);
	ck_assert_mem_eq(pkt->data, before->data, before->len);
}

/* They are left as they came and uncounted; another engine then does with them what is due. */
START_TEST(left_to_the_control_thread)
{
	static struct test_packet sent, before;
	static struct host sender, receiver;
	const char *name = modes[_i].name;
	struct engine_result result;

	make_host(&sender, true, "", modes[_i].protection, modes[_i].protection, false);
	make_host(&receiver, false, "", modes[_i].protection, modes[_i].protection, false);
	engine_set_sync(sender.engine, modes[_i].sync);
	engine_set_sync(receiver.engine, modes[_i].sync);
	test_udp(&sent, HERE, THERE, 20);
	test_copy(&before, &sent);
	result = send_one(&sender, &sent.pkt, -1);
	if (modes[_i].left) {
		expect_left(result, &sent.pkt, &before.pkt, name);
		ck_assert_uint_eq(atomic_load(&rcu_read(&sender.view)->hits[0].packets), 0);
		engine_set_sync(sender.engine, 0);
		result = send_one(&sender, &sent.pkt, -1);
	}
	expect(result, ENGINE_TO_WIRE, VERDICT_OUT_PROTECTED, name);
	ck_assert_uint_eq(atomic_load(&rcu_read(&sender.view)->hits[0].packets), 1);
	test_copy(&before, &sent);
	result = receive_one(&receiver, &sent.pkt);
	if (modes[_i].left) {
		expect_left(result, &sent.pkt, &before.pkt, name);
		engine_set_sync(receiver.engine, 0);
		result = receive_one(&receiver, &sent.pkt);
	}
	expect(result, ENGINE_TO_HOST, VERDICT_IN_ACCEPTED, name);
	host_done(&sender);
	host_done(&receiver);
}
END_TEST

START_TEST(strangers)
{
	static struct test_packet sent;
	static struct host receiver;
	struct test_ah ah;

	make_host(&receiver, false, "", AH, 0, false);
	test_ah_init(&ah, test_ah_sa(ALG_AUTH_HMAC_SHA256, SA_MODE_TRANSPORT, HERE, THERE), 0);
	test_udp(&sent, HERE, THERE, 20);
	expect_verdict(ah_seal(&ah.ah, &sent.pkt, NULL), VERDICT_OUT_PROTECTED, "AH");
	expect(receive_one(&receiver, &sent.pkt), ENGINE_DROP, VERDICT_AH_NO_SA, "no SA");
	test_udp(&sent, HERE, THERE, 0);
	sent.pkt.data[9] = IPPROTO_AH;
	packet_set_length(&sent.pkt);
	expect(receive_one(&receiver, &sent.pkt), ENGINE_DROP, VERDICT_AH_BAD_LENGTH, "short");
	test_ah_done(&ah);
	host_done(&receiver);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("engine_ah");
	TCase *tc = tcase_create("engine_ah");

	tcase_add_loop_test(tc, outbound, 0, (int)ARRAY_SIZE(outs));
	tcase_add_loop_test(tc, inbound, 0, 2 * (int)ARRAY_SIZE(ins));
	tcase_add_test(tc, of_another_flow);
	tcase_add_loop_test(tc, tunnels, 0, 8);
	tcase_add_test(tc, esp_around_ah);
	tcase_add_test(tc, piled_up);
	tcase_add_loop_test(tc, path_mtu, 0, 2);
	tcase_add_test(tc, padding_under_ah);
	tcase_add_loop_test(tc, left_to_the_control_thread, 0, (int)ARRAY_SIZE(modes));
	tcase_add_test(tc, strangers);
	suite_add_tcase(s, tc);
	return suite_main(s);
}
