/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Dummy packets: made by one engine, thrown away by the other. */
#include "tests/unit/engine_host.h"
#include "tests/unit/suite.h"

#define MANY 40U
#define PAD  700U

static struct sa *make_host(struct host *host, const char *src, const char *dst)
{
	struct sa *sa;

	host_init(host);
	sa = add_sa(host, &gcm, 0x3001, SA_MODE_TUNNEL, src, dst);
	sa->inner_src = prefix_host(&sa->src);
	sa->inner_dst = prefix_host(&sa->dst);
	sa->tfc_pad = PAD;
	return sa;
}

static struct engine_result dummy(struct host *host, struct test_packet *t)
{
	struct engine_result result;

	packet_init(&t->pkt, t->buffer, sizeof(t->buffer));
	engine_dummy(host->engine, host->entries[0], &t->pkt, &result);
	ck_assert_uint_ge(atomic_load(&host->counters.packets[result.verdict]), 1);
	return result;
}

static const struct {
	const char *src, *dst;
	uint32_t mtu;
	bool udp;
	size_t most; /* header, ESP, padding and all */
} ways[] = {
	{ HERE, THERE, 0, false, 20 + 8 + 8 + PAD + 4 + 16 },
	{ HERE, THERE, 0, true, 20 + 8 + 8 + 8 + PAD + 4 + 16 },
	{ HERE6, THERE6, 0, false, 40 + 8 + 8 + PAD + 4 + 16 },
	{ HERE, THERE, 300, false, 300 },
};

START_TEST(opened_as_dummies)
{
	static struct test_packet sent;
	static struct host sender, receiver;
	struct sa *out = make_host(&sender, ways[_i].src, ways[_i].dst);
	struct sa *in = make_host(&receiver, ways[_i].src, ways[_i].dst);
	size_t shortest = SIZE_MAX, longest = 0;

	if (ways[_i].udp) {
		out->flags |= SA_FLAG_ENCAP;
		in->flags |= SA_FLAG_ENCAP;
	}
	sender.mtu = ways[_i].mtu;
	host_start(&sender, HERE, HERE6);
	host_start(&receiver, THERE, THERE6);
	for (unsigned int n = 1; n <= MANY; n++) {
		expect(dummy(&sender, &sent), ENGINE_TO_WIRE, VERDICT_OUT_PROTECTED, "dummy");
		shortest = sent.pkt.len < shortest ? sent.pkt.len : shortest;
		longest = sent.pkt.len > longest ? sent.pkt.len : longest;
		expect(receive_one(&receiver, &sent.pkt), ENGINE_DROP, VERDICT_ESP_DUMMY, "taken");
	}
	ck_assert_uint_le(longest, ways[_i].most);
	ck_assert_uint_gt(longest, shortest); /* forty equal lengths are no chance */
	ck_assert_uint_eq(atomic_load(&receiver.counters.packets[VERDICT_ESP_DUMMY]), MANY);
	/* Numbers and lifetimes are those of the SA. */
	ck_assert_uint_eq(atomic_load(&sender.runs[0]->seq), MANY);
	ck_assert_uint_eq(atomic_load(&sender.runs[0]->packets), MANY);
	ck_assert_uint_ne(atomic_load(&sender.runs[0]->last_use_usec), 0);
	ck_assert_uint_eq(
		atomic_load(&sender.runs[0]->bytes), atomic_load(&receiver.runs[0]->bytes));
	host_done(&sender);
	host_done(&receiver);
}
END_TEST

/* They look like the tunnel's other packets. */
START_TEST(header_of_the_tunnel)
{
	static struct test_packet sent;
	static struct host sender;
	struct tunnel *tunnel;

	(void)make_host(&sender, HERE, THERE);
	tunnel = add_tunnel(&sender, "vpn0", HERE, THERE);
	tunnel->outer = (struct packet_outer_rules){
		.df = PACKET_DF_SET, .set_dscp = true, .dscp = 46, .hop_limit = 200
	};
	host_start(&sender, HERE, HERE6);
	expect(dummy(&sender, &sent), ENGINE_TO_WIRE, VERDICT_OUT_PROTECTED, "dummy");
	ck_assert_uint_eq(sent.pkt.data[1], 46 << 2);
	ck_assert_uint_eq(load_be16(sent.pkt.data + 6), 0x4000);
	ck_assert_uint_eq(sent.pkt.data[8], 200);
	host_done(&sender);
}
END_TEST

/* An SA that has no numbers, or octets, left sends no dummies either. */
START_TEST(limits_hold)
{
	static struct test_packet sent;
	static struct host sender;
	struct sa *sa = make_host(&sender, HERE, THERE);

	sa->hard.bytes = 1;
	host_start(&sender, HERE, HERE6);
	expect(dummy(&sender, &sent), ENGINE_DROP, VERDICT_ESP_BYTES_EXPIRE, "octets");
	ck_assert_uint_eq(sender.n_events, 1);
	host_done(&sender);
	(void)make_host(&sender, HERE, THERE);
	atomic_store(&sender.runs[0]->seq_reserved, 0);
	host_start(&sender, HERE, HERE6);
	expect(dummy(&sender, &sent), ENGINE_DROP, VERDICT_ESP_SEQ_UNRESERVED, "numbers");
	host_done(&sender);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("engine_dummy");
	TCase *tc = tcase_create("engine_dummy");

	tcase_add_loop_test(tc, opened_as_dummies, 0, (int)ARRAY_SIZE(ways));
	tcase_add_test(tc, header_of_the_tunnel);
	tcase_add_test(tc, limits_hold);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
