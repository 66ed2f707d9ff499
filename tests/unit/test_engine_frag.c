/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inner fragments of tunnels: made before encryption, and kept where rules name ports. */
#include "tests/unit/engine_host.h"
#include "tests/unit/suite.h"

#define OTHER_PORT 99

static struct host a, b;
static struct frag_store *stores_a[1], *stores_b[1];

static void make_gateway(struct host *host, bool here, uint16_t port, uint32_t mtu)
{
	struct rule *rule;

	host_init(host);
	host->mtu = mtu;
	host->fragments = here ? stores_a : stores_b;
	(void)add_tunnel(host, "vpn0", here ? HERE : THERE, here ? THERE : HERE);
	rule = add_rule(host, "vpn0", 0, esp_action(ALG_ENCR_AES_GCM16, ALG_AUTH_NONE), NULL);
	if (port != 0) {
		rule->selector.protocol = IPPROTO_UDP;
		*(here ? &rule->selector.remote_port : &rule->selector.local_port) = port;
	}
	(void)add_sa(host, &gcm, 0x3001, SA_MODE_TUNNEL, HERE, THERE);
	host_start(host, here ? HERE : THERE, here ? HERE6 : THERE6);
}

static void begin(uint16_t port_a, uint16_t port_b, uint32_t mtu)
{
	stores_a[0] = frag_store_new();
	stores_b[0] = frag_store_new();
	ck_assert(stores_a[0] && stores_b[0]);
	make_gateway(&a, true, port_a, mtu);
	make_gateway(&b, false, port_b, 0);
}

static void end(void)
{
	host_done(&a);
	host_done(&b);
	(void)frag_store_free(stores_a[0]);
	(void)frag_store_free(stores_b[0]);
}

static uint64_t count(const struct host *host, enum verdict verdict)
{
	return atomic_load(&host->counters.packets[verdict]);
}

/* Does this clear fragment say what the datagram says there? Return: its octets. */
static size_t check_part(const struct test_packet *whole, const struct packet *part)
{
	size_t offset = (load_be16(part->data + 6) & 0x1fffU) * 8U;

	ck_assert_int_eq(memcmp(part->data + 20, whole->pkt.data + 20 + offset, part->len - 20), 0);
	ck_assert_uint_eq(load_be16(part->data + 4), load_be16(whole->pkt.data + 4));
	return part->len - 20;
}

/* Length of the datagram, and how many ESP packets carry it over a path of 1500. */
static const struct {
	size_t len, want;
} cuts[] = { { 1446, 1 }, { 1447, 2 }, { 2000, 2 }, { 2868, 2 }, { 2869, 3 }, { 8900, 7 } };

START_TEST(cut_before_encryption)
{
	static struct test_packet sent, whole;
	struct engine_result result;
	size_t sum = 0, n = 0;

	begin(0, 0, 1500);
	test_udp(&sent, "10.1.0.5", "10.2.0.6", cuts[_i].len - 28);
	test_copy(&whole, &sent);
	result = send_one(&a, &sent.pkt, 0);
	expect(result, ENGINE_TO_WIRE, VERDICT_OUT_PROTECTED, "first");
	do {
		ck_assert_uint_le(sent.pkt.len, 1500);
		expect(receive_one(&b, &sent.pkt), ENGINE_TO_HOST, VERDICT_IN_ACCEPTED, "part");
		sum += check_part(&whole, &sent.pkt);
		n++;
	} while (engine_follow(a.engine, &result, &sent.pkt));
	ck_assert_uint_eq(n, cuts[_i].want);
	ck_assert_uint_eq(sum, whole.pkt.len - 20);
	ck_assert_uint_eq(count(&a, VERDICT_OUT_PROTECTED), n);
	ck_assert_ptr_null(result.more);
	end();
}
END_TEST

/* RFC 4301 section 7.1: where ports are agreed on, what has none is not sent; the outer is cut. */
START_TEST(not_cut_where_ports_count)
{
	static struct test_packet t;
	struct engine_result result;

	begin(UDP_PORT_B, UDP_PORT_B, 1500);
	test_udp(&t, "10.1.0.5", "10.2.0.6", 2000);
	result = send_one(&a, &t.pkt, 0);
	expect(result, ENGINE_TO_WIRE, VERDICT_OUT_PROTECTED, "whole");
	ck_assert(result.fragment && !result.more);
	ck_assert_uint_gt(t.pkt.len, 1500);
	end();
}
END_TEST

/* Order of three fragments through two gateways whose rules name the port. */
static const struct {
	const char *name;
	uint8_t order[3];
	uint16_t port_a, port_b; /* of the rules */
	enum verdict out, in; /* of the last one */
} waits[] = {
	{ "in order", { 0, 1, 2 }, UDP_PORT_B, UDP_PORT_B, VERDICT_OUT_PROTECTED,
		VERDICT_IN_ACCEPTED },
	{ "backwards", { 2, 1, 0 }, UDP_PORT_B, UDP_PORT_B, VERDICT_OUT_PROTECTED,
		VERDICT_IN_ACCEPTED },
	{ "first in the middle", { 1, 0, 2 }, UDP_PORT_B, UDP_PORT_B, VERDICT_OUT_PROTECTED,
		VERDICT_IN_ACCEPTED },
	{ "another port here", { 0, 1, 2 }, OTHER_PORT, UDP_PORT_B, VERDICT_SPD_EXPLICIT,
		VERDICT_COUNT },
	{ "another port there", { 2, 0, 1 }, UDP_PORT_B, OTHER_PORT, VERDICT_OUT_PROTECTED,
		VERDICT_SPD_EXPLICIT },
	{ "rules without ports there", { 2, 0, 1 }, UDP_PORT_B, 0, VERDICT_OUT_PROTECTED,
		VERDICT_IN_ACCEPTED },
};

static struct test_packet whole, parts[3], sealed[3];

static void make_parts(void)
{
	struct frag_train *train;

	test_udp(&whole, "10.1.0.5", "10.2.0.6", 2500);
	train = frag_train_cut(&whole.pkt, 1000, 0x1234);
	ck_assert_uint_eq(frag_train_left(train), 3);
	for (size_t i = 0; i < 3; i++) {
		packet_init(&parts[i].pkt, parts[i].buffer, sizeof(parts[i].buffer));
		packet_init(&sealed[i].pkt, sealed[i].buffer, sizeof(sealed[i].buffer));
		ck_assert(frag_train_next(train, &parts[i].pkt));
	}
	(void)frag_train_free(train);
}

static struct engine_result send_parts(const uint8_t *order, const char *name)
{
	struct engine_result result = { .verdict = VERDICT_COUNT };

	for (size_t i = 0; i < 3; i++) {
		sealed[0].pkt.len = 0;
		packet_init(&sealed[0].pkt, sealed[0].buffer, sizeof(sealed[0].buffer));
		memcpy(packet_append(&sealed[0].pkt, parts[order[i]].pkt.len),
			parts[order[i]].pkt.data, parts[order[i]].pkt.len);
		result = send_one(&a, &sealed[0].pkt, 0);
		if (i < 2)
			expect(result, ENGINE_HELD, VERDICT_OUT_HELD, name);
	}
	return result;
}

static void receive_parts(size_t i)
{
	struct engine_result result = { .verdict = VERDICT_COUNT };
	bool holds = waits[i].port_b != 0;
	size_t sum = 0;

	for (size_t k = 0; k < 3; k++) {
		result = receive_one(&b, &sealed[k].pkt);
		if (holds && k < 2)
			expect(result, ENGINE_HELD, VERDICT_IN_HELD, waits[i].name);
		else
			ck_assert_msg(result.verdict == waits[i].in, "%s: in: %s", waits[i].name,
				verdict_name(result.verdict));
	}
	if (result.exit != ENGINE_TO_HOST) {
		ck_assert_uint_eq(count(&b, waits[i].in), 3);
		ck_assert_ptr_null(result.more);
		return;
	}
	do
		sum += check_part(&whole, &sealed[2].pkt);
	while (engine_follow(b.engine, &result, &sealed[2].pkt));
	if (holds)
		ck_assert_uint_eq(sum, whole.pkt.len - 20);
	ck_assert_uint_eq(count(&b, VERDICT_IN_ACCEPTED), 3);
}

START_TEST(waiting)
{
	struct engine_result result;

	begin(waits[_i].port_a, waits[_i].port_b, 1500);
	make_parts();
	result = send_parts(waits[_i].order, waits[_i].name);
	ck_assert_msg(result.verdict == waits[_i].out, "%s: out: %s", waits[_i].name,
		verdict_name(result.verdict));
	if (waits[_i].in == VERDICT_COUNT) {
		ck_assert_uint_eq(count(&a, waits[_i].out), 3);
		ck_assert_ptr_null(result.more);
	} else {
		ck_assert(engine_follow(a.engine, &result, &sealed[1].pkt));
		ck_assert(engine_follow(a.engine, &result, &sealed[2].pkt));
		ck_assert(!engine_follow(a.engine, &result, &parts[0].pkt));
		ck_assert_uint_eq(count(&a, VERDICT_OUT_PROTECTED), 3);
		receive_parts((size_t)_i);
	}
	ck_assert_uint_eq(frag_store_count(stores_a[0]) + frag_store_count(stores_b[0]), 0);
	end();
}
END_TEST

START_TEST(hostile_parts)
{
	begin(UDP_PORT_B, UDP_PORT_B, 1500);
	make_parts();
	expect(send_one(&a, &parts[0].pkt, 0), ENGINE_HELD, VERDICT_OUT_HELD, "first");
	make_parts();
	parts[0].pkt.data[300] ^= 1;
	expect(send_one(&a, &parts[0].pkt, 0), ENGINE_DROP, VERDICT_SPD_OVERLAP_FRAG, "other");
	ck_assert_uint_eq(count(&a, VERDICT_SPD_OVERLAP_FRAG), 2);
	/* In clear they do not wait at all. */
	test_push_ip(&parts[1].pkt, IPPROTO_IPIP, HERE, THERE);
	expect(receive_one(&b, &parts[1].pkt), ENGINE_DROP, VERDICT_SPD_GOT_CLEAR, "clear");
	ck_assert_uint_eq(frag_store_count(stores_b[0]), 0);
	end();
}
END_TEST

START_TEST(nowhere_to_wait)
{
	begin(UDP_PORT_B, UDP_PORT_B, 1500);
	host_done(&a);
	make_gateway(&a, true, UDP_PORT_B, 1500);
	(void)engine_free(a.engine);
	{
		struct engine_setup setup = { .view = &a.view, .counters = &a.counters };

		ck_assert_int_eq(engine_new(&setup, &a.engine), 0);
	}
	make_parts();
	expect(send_one(&a, &parts[0].pkt, 0), ENGINE_DROP, VERDICT_SPD_MALFORMED_FRAG, "no store");
	end();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("engine_frag");
	TCase *tc = tcase_create("engine_frag");

	tcase_add_loop_test(tc, cut_before_encryption, 0, (int)ARRAY_SIZE(cuts));
	tcase_add_test(tc, not_cut_where_ports_count);
	tcase_add_loop_test(tc, waiting, 0, (int)ARRAY_SIZE(waits));
	tcase_add_test(tc, hostile_parts);
	tcase_add_test(tc, nowhere_to_wait);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
