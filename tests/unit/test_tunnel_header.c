/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a tunnel's settings make of outer headers and lengths (RFC 4301 section 5.1.2). */
#include "tests/unit/engine_host.h"
#include "tests/unit/suite.h"

#define INNER_CLASS 0xb9 /* DSCP 46, ECT(1) */
#define INNER_LABEL 0x54321

/* One setting changed at a time, for the family mixes that it shows in. */
static const struct {
	const char *name;
	bool v6_in, v6_out, df_in;
	struct packet_outer_rules rules;
	bool df;
	uint8_t class, hops;
	uint32_t label;
} headers[] = {
	{ "as it is", false, false, false, { 0 }, false, INNER_CLASS, 64, 0 },
	{ "DF copied", false, false, true, { 0 }, true, INNER_CLASS, 64, 0 },
	{ "DF set", false, false, false, { .df = PACKET_DF_SET }, true, INNER_CLASS, 64, 0 },
	{ "DF cleared", false, false, true, { .df = PACKET_DF_CLEAR }, false, INNER_CLASS, 64, 0 },
	{ "DF of IPv6 inside", true, false, false, { 0 }, false, INNER_CLASS, 64, 0 },
	{ "DF set, IPv6 inside", true, false, false, { .df = PACKET_DF_SET }, true, INNER_CLASS, 64,
		0 },
	{ "DSCP set, mark copied", false, false, false, { .set_dscp = true, .dscp = 10 }, false,
		0x29, 64, 0 },
	{ "DSCP 0", true, true, false, { .set_dscp = true }, false, 1, 64, 0 },
	{ "hop limit", false, false, false, { .hop_limit = 255 }, false, INNER_CLASS, 255, 0 },
	{ "hop limit 6", true, true, false, { .hop_limit = 1 }, false, INNER_CLASS, 1, 0 },
	{ "label zero", true, true, false, { 0 }, false, INNER_CLASS, 64, 0 },
	{ "label copied", true, true, false, { .copy_flow_label = true }, false, INNER_CLASS, 64,
		INNER_LABEL },
	{ "label of IPv4", false, true, false, { .copy_flow_label = true }, false, INNER_CLASS, 64,
		0 },
};

static void make_inner(struct test_packet *t, bool v6, bool df)
{
	test_udp(t, v6 ? "2001:db8:1::5" : "10.1.0.5", v6 ? "2001:db8:2::6" : "10.2.0.6", 40);
	if (v6) {
		store_be32(t->pkt.data, 0x60000000U | INNER_CLASS << 20 | INNER_LABEL);
		return;
	}
	t->pkt.data[1] = INNER_CLASS;
	store_be16(t->pkt.data + 6, df ? 0x4000 : 0);
	packet_set_length(&t->pkt);
}

static void make_gateway(struct host *host, const char *here, const char *there,
	const struct packet_outer_rules *rules, bool protects)
{
	struct tunnel *tunnel;

	host_init(host);
	tunnel = add_tunnel(host, "vpn0", here, there);
	tunnel->outer = *rules;
	add_rule(host, "vpn0", 0,
		protects ? esp_action(ALG_ENCR_AES_GCM16, ALG_AUTH_NONE)
			 : plain_action(ACTION_BYPASS),
		NULL);
	(void)add_sa(host, &gcm, 0x3001, SA_MODE_TUNNEL, here, there);
}

static void check_header(const struct packet *pkt, size_t i)
{
	const uint8_t *p = pkt->data;

	ck_assert_msg(packet_traffic_class(p) == headers[i].class, "%s: class %02x",
		headers[i].name, packet_traffic_class(p));
	if (headers[i].v6_out) {
		ck_assert_msg((load_be32(p) & 0xfffff) == headers[i].label, "%s", headers[i].name);
		ck_assert_msg(p[7] == headers[i].hops, "%s", headers[i].name);
		return;
	}
	ck_assert_msg(load_be16(p + 6) == (headers[i].df ? 0x4000 : 0), "%s", headers[i].name);
	ck_assert_msg(p[8] == headers[i].hops, "%s", headers[i].name);
	ck_assert_uint_eq(packet_checksum(p, 20, 0), 0);
}

START_TEST(outer_headers)
{
	static struct test_packet t;
	static struct host host;
	bool v6 = headers[_i].v6_out;

	/* Protected, and as plain IP in IP: the same header. */
	for (int protects = 0; protects < 2; protects++) {
		make_gateway(&host, v6 ? HERE6 : HERE, v6 ? THERE6 : THERE, &headers[_i].rules,
			protects);
		host_start(&host, HERE, HERE6);
		make_inner(&t, headers[_i].v6_in, headers[_i].df_in);
		expect(send_one(&host, &t.pkt, 0), ENGINE_TO_WIRE,
			protects ? VERDICT_OUT_PROTECTED : VERDICT_OUT_ENCAPSULATED,
			headers[_i].name);
		check_header(&t.pkt, (size_t)_i);
		host_done(&host);
	}
}
END_TEST

/* What is too long for a path of 1500 under each treatment of DF. */
static const struct {
	const char *name;
	enum packet_df df;
	bool df_in, v6_in;
	enum engine_exit exit;
	bool outer_cut, inner_cut;
} lengths[] = {
	{ "copy, allowed", PACKET_DF_COPY, false, false, ENGINE_TO_WIRE, false, true },
	{ "copy, forbidden", PACKET_DF_COPY, true, false, ENGINE_TO_SENDER, false, false },
	{ "set, allowed", PACKET_DF_SET, false, false, ENGINE_TO_WIRE, false, true },
	{ "set, forbidden", PACKET_DF_SET, true, false, ENGINE_TO_SENDER, false, false },
	{ "clear, allowed", PACKET_DF_CLEAR, false, false, ENGINE_TO_WIRE, false, true },
	{ "clear, forbidden", PACKET_DF_CLEAR, true, false, ENGINE_TO_WIRE, true, false },
	{ "clear, IPv6", PACKET_DF_CLEAR, false, true, ENGINE_TO_SENDER, false, false },
};

START_TEST(too_long)
{
	static struct test_packet t;
	static struct host host;
	struct engine_result result;
	const struct packet_outer_rules rules = { .df = lengths[_i].df };

	make_gateway(&host, HERE, THERE, &rules, true);
	host.mtu = 1500;
	host_start(&host, HERE, HERE6);
	test_udp(&t, lengths[_i].v6_in ? "2001:db8:1::5" : "10.1.0.5",
		lengths[_i].v6_in ? "2001:db8:2::6" : "10.2.0.6", 2000);
	if (!lengths[_i].v6_in) {
		store_be16(t.pkt.data + 6, lengths[_i].df_in ? 0x4000 : 0);
		packet_set_length(&t.pkt);
	}
	result = send_one(&host, &t.pkt, 0);
	ck_assert_msg(result.exit == lengths[_i].exit, "%s: %s", lengths[_i].name,
		verdict_name(result.verdict));
	ck_assert_msg(result.fragment == lengths[_i].outer_cut, "%s", lengths[_i].name);
	ck_assert_msg((result.more != NULL) == lengths[_i].inner_cut, "%s", lengths[_i].name);
	if (lengths[_i].outer_cut)
		ck_assert_uint_eq(load_be16(t.pkt.data + 6), 0);
	while (engine_follow(host.engine, &result, &t.pkt))
		ck_assert_uint_le(t.pkt.len, 1500);
	host_done(&host);
}
END_TEST

/* Inner octets, what shorter ones are padded to, the path, and the text that comes of it. */
static const struct {
	size_t len, pad_to;
	uint32_t path;
	size_t want;
	uint16_t tfc_pad; /* the SA's own */
} paddings[] = {
	{ 100, 0, 1500, 100, 0 },
	{ 100, 100, 1500, 100, 0 },
	{ 100, 99, 1500, 100, 0 },
	{ 100, 101, 1500, 101, 0 },
	{ 100, 1400, 1500, 1400, 0 },
	{ 1400, 1400, 1500, 1400, 0 },
	{ 100, 65535, 1500, 1446, 0 },
	{ 100, 1400, 600, 546, 0 },
	{ 100, 0, 1500, 700, 700 },
	{ 100, 1400, 1500, 700, 700 },
	{ 800, 1400, 1500, 800, 700 },
	{ 100, 0, 600, 546, 700 },
};

START_TEST(traffic_flow_padding)
{
	const struct packet_outer_rules rules = { .df = PACKET_DF_COPY };
	static struct test_packet sent, clear;
	static struct host a, b;

	make_gateway(&a, HERE, THERE, &rules, true);
	a.tunnels.tunnels[0].pad_to = (uint32_t)paddings[_i].pad_to;
	a.entries[0]->sa->tfc_pad = paddings[_i].tfc_pad;
	a.mtu = paddings[_i].path;
	host_start(&a, HERE, HERE6);
	host_init(&b);
	(void)add_tunnel(&b, "vpn0", THERE, HERE);
	add_rule(&b, "vpn0", 0, esp_action(ALG_ENCR_AES_GCM16, ALG_AUTH_NONE), NULL);
	(void)add_sa(&b, &gcm, 0x3001, SA_MODE_TUNNEL, HERE, THERE);
	host_start(&b, THERE, THERE6);
	test_udp(&sent, "10.1.0.5", "10.2.0.6", paddings[_i].len - 28);
	test_copy(&clear, &sent);
	expect(send_one(&a, &sent.pkt, 0), ENGINE_TO_WIRE, VERDICT_OUT_PROTECTED, "padded");
	/* 20 + 8 + 8, text and trailer in words, 16. */
	ck_assert_uint_eq(sent.pkt.len, 36 + (paddings[_i].want + 2 + 3) / 4 * 4 + 16);
	expect(receive_one(&b, &sent.pkt), ENGINE_TO_HOST, VERDICT_IN_ACCEPTED, "opened");
	ck_assert_uint_eq(sent.pkt.len, clear.pkt.len);
	ck_assert_int_eq(memcmp(sent.pkt.data, clear.pkt.data, clear.pkt.len), 0);
	host_done(&a);
	host_done(&b);
}
END_TEST

/* Where the packet comes from, whether the SA names its source, and whether the tunnel insists. */
static const struct {
	const char *name, *from;
	bool named, any_source;
	enum verdict want;
} sources[] = {
	{ "its own", THERE, true, false, VERDICT_IN_ACCEPTED },
	{ "its own, wildcard SA", THERE, false, false, VERDICT_IN_ACCEPTED },
	{ "elsewhere, checked", "192.0.2.77", false, false, VERDICT_SPD_GOT_SECURE },
	{ "elsewhere, not checked", "192.0.2.77", false, true, VERDICT_IN_ACCEPTED },
	{ "elsewhere, named", "192.0.2.77", true, true, VERDICT_ESP_NO_SA },
};

START_TEST(outer_source)
{
	static struct test_packet t;
	static struct host host;
	struct test_esp out;
	struct sa *sa;

	host_init(&host);
	add_tunnel(&host, "vpn0", HERE, THERE)->any_source = sources[_i].any_source;
	add_rule(&host, "vpn0", 0, esp_action(ALG_ENCR_AES_GCM16, ALG_AUTH_NONE), NULL);
	sa = add_sa(&host, &gcm, 0x1001, SA_MODE_TUNNEL, THERE, HERE);
	if (!sources[_i].named)
		sa->src = address_any(AF_INET);
	host_start(&host, HERE, HERE6);
	test_esp_init(&out, test_sa(&gcm, SA_MODE_TUNNEL, sources[_i].from, HERE), 0);
	test_udp(&t, "10.2.0.5", "10.1.0.6", 40);
	ck_assert_int_eq(esp_seal(&out.esp, &t.pkt, NULL), VERDICT_OUT_PROTECTED);
	ck_assert_msg(
		receive_one(&host, &t.pkt).verdict == sources[_i].want, "%s", sources[_i].name);
	test_esp_done(&out);
	host_done(&host);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tunnel_header");
	TCase *tc = tcase_create("tunnel_header");

	tcase_add_loop_test(tc, outer_headers, 0, (int)ARRAY_SIZE(headers));
	tcase_add_loop_test(tc, too_long, 0, (int)ARRAY_SIZE(lengths));
	tcase_add_loop_test(tc, traffic_flow_padding, 0, (int)ARRAY_SIZE(paddings));
	tcase_add_loop_test(tc, outer_source, 0, (int)ARRAY_SIZE(sources));
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
