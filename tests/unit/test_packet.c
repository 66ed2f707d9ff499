/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/packet/packet.h"

#include <linux/virtio_net.h>

#include "tests/unit/packets.h"
#include "tests/unit/suite.h"

#define V6_ADDRS "20010db8000000000000000000000001 20010db8000000000000000000000002 "
#define V4_ADDRS "c0000201 c0000202 "

#define REFUSED false, 0, 0, 0, 0, 0, 0, 0, NULL

/* What a parse must say; numbers of a refused packet are not looked at. */
static const struct {
	const char *name, *hex;
	bool sound;
	size_t total, upper;
	uint8_t protocol;
	size_t protocol_at, esp_at;
	uint8_t esp_protocol;
	size_t esp_protocol_at;
	const char *flow; /* outbound */
} cases[] = {
	/* clang-format off */
	{ "empty", "", REFUSED },
	{ "version 5", "55000014 00000000 40110000 " V4_ADDRS, REFUSED },
	{ "v4 header alone", "45000014 00000000 40fd0000 " V4_ADDRS, true, 20, 20, 253, 9, 20, 253, 9,
	  "protocol 253 192.0.2.1 > 192.0.2.2" },
	{ "v4 cut in the header", "45000014 00000000 40fd0000 c0000201 c00002", REFUSED },
	{ "v4 header length 4", "44000014 00000000 40fd0000 " V4_ADDRS, REFUSED },
	{ "v4 header longer than total", "46000014 00000000 40fd0000 " V4_ADDRS "00000000", REFUSED },
	{ "v4 total longer than there is", "45000015 00000000 40fd0000 " V4_ADDRS, REFUSED },
	{ "v4 total shorter than header", "45000013 00000000 40fd0000 " V4_ADDRS, REFUSED },
	{ "v4 trailing octets", "45000014 00000000 40fd0000 " V4_ADDRS "eeeeee", true, 20, 20, 253, 9,
	  20, 253, 9, "protocol 253 192.0.2.1 > 192.0.2.2" },
	{ "v4 udp", "4500001c 00000000 40110000 " V4_ADDRS "0035 1f90 00080000", true, 28, 20, 17, 9,
	  20, 17, 9, "udp 192.0.2.1:53 > 192.0.2.2:8080" },
	{ "v4 udp, ports cut off", "45000017 00000000 40110000 " V4_ADDRS "00351f", true, 23, 20, 17, 9,
	  20, 17, 9, "udp 192.0.2.1 > 192.0.2.2" },
	{ "v4 first fragment has ports", "4500001c 00002000 40110000 " V4_ADDRS "0035 1f90 00080000",
	  true, 28, 20, 17, 9, 20, 17, 9, "udp 192.0.2.1:53 > 192.0.2.2:8080" },
	{ "v4 later fragment has none", "4500001c 00002001 40110000 " V4_ADDRS "0035 1f90 00080000",
	  true, 28, 20, 17, 9, 20, 17, 9, "udp 192.0.2.1 > 192.0.2.2" },
	{ "v4 options", "46000018 00000000 40fd0000 " V4_ADDRS "94040000", true, 24, 24, 253, 9, 24, 253,
	  9, "protocol 253 192.0.2.1 > 192.0.2.2" },
	{ "v4 option of length 1", "46000018 00000000 40fd0000 " V4_ADDRS "94010000", REFUSED },
	{ "v4 option past the header", "46000018 00000000 40fd0000 " V4_ADDRS "94050000", REFUSED },
	{ "v4 option kind alone at the end", "46000018 00000000 40fd0000 " V4_ADDRS "01010194", REFUSED },
	{ "v4 end of options hides the rest", "46000018 00000000 40fd0000 " V4_ADDRS "00940000", true,
	  24, 24, 253, 9, 24, 253, 9, "protocol 253 192.0.2.1 > 192.0.2.2" },
	{ "v4 source route", "4800 0020 00000000 40fd0000 " V4_ADDRS "01 830b04 0a000001 0a000002", true,
	  32, 32, 253, 9, 32, 253, 9, "protocol 253 192.0.2.1 > 10.0.0.2" },
	{ "v4 source route used up", "4800 0020 00000000 40fd0000 " V4_ADDRS
	  "01 830b0c 0a000001 0a000002", true, 32, 32, 253, 9, 32, 253, 9,
	  "protocol 253 192.0.2.1 > 192.0.2.2" },
	{ "v4 source route, no pointer", "46000018 00000000 40fd0000 " V4_ADDRS "83020000", REFUSED },
	{ "v6 header alone", "60000000 00003b40 " V6_ADDRS, true, 40, 40, 59, 6, 40, 59, 6,
	  "protocol 59 2001:db8::1 > 2001:db8::2" },
	{ "v6 cut", "60000000 00003b40 20010db8", REFUSED },
	{ "v6 payload longer than there is", "60000000 00013b40 " V6_ADDRS, REFUSED },
	{ "v6 udp", "60000000 00081140 " V6_ADDRS "0035 1f90 00080000", true, 48, 40, 17, 6, 40, 17, 6,
	  "udp [2001:db8::1]:53 > [2001:db8::2]:8080" },
	{ "v6 hop-by-hop", "60000000 00100040 " V6_ADDRS "1100010400000000 0035 1f90 00080000", true, 56,
	  48, 17, 40, 48, 17, 40, "udp [2001:db8::1]:53 > [2001:db8::2]:8080" },
	{ "v6 final options are inside", "60000000 00103c40 " V6_ADDRS "1100010400000000 0035 1f90 00080000",
	  true, 56, 48, 17, 40, 40, 60, 6, "udp [2001:db8::1]:53 > [2001:db8::2]:8080" },
	{ "v6 hop-by-hop twice", "60000000 00180040 " V6_ADDRS
	  "0000010400000000 1100010400000000 003500350008 0000", REFUSED },
	{ "v6 extension cut", "60000000 00040040 " V6_ADDRS "11000104", REFUSED },
	{ "v6 extension longer than the packet", "60000000 00080040 " V6_ADDRS "1101010400000000", REFUSED },
	{ "v6 atomic fragment", "60000000 00102c40 " V6_ADDRS "1100000000000001 0035 1f90 00080000", true,
	  56, 48, 17, 40, 48, 17, 40, "udp [2001:db8::1]:53 > [2001:db8::2]:8080" },
	{ "v6 later fragment", "60000000 00102c40 " V6_ADDRS "1100000800000001 0035 1f90 00080000", true,
	  56, 48, 17, 40, 48, 17, 40, "udp 2001:db8::1 > 2001:db8::2" },
	{ "v6 later fragment of options", "60000000 00102c40 " V6_ADDRS "3c00000800000001 ffffffffffffffff",
	  true, 56, 48, 60, 40, 48, 60, 40, "protocol 60 2001:db8::1 > 2001:db8::2" },
	{ "v6 second fragment header unsays the first", "60000000 00182c40 " V6_ADDRS
	  "2c00000100000001 1100000000000002 0035 1f90 00080000", REFUSED },
	{ "v6 routing type 0, one to go", "60000000 00182b40 " V6_ADDRS
	  "3b02000100000000 20010db8000000000000000000000003", true, 64, 64, 59, 40, 64, 59, 40,
	  "protocol 59 2001:db8::1 > 2001:db8::3" },
	{ "v6 routing type 0, used up", "60000000 00182b40 " V6_ADDRS
	  "3b02000000000000 20010db8000000000000000000000003", true, 64, 64, 59, 40, 64, 59, 40,
	  "protocol 59 2001:db8::1 > 2001:db8::2" },
	{ "v6 routing, more left than there are", "60000000 00182b40 " V6_ADDRS
	  "3b02000200000000 20010db8000000000000000000000003", REFUSED },
	{ "v6 segment routing", "60000000 00182b40 " V6_ADDRS
	  "3b02040100000000 20010db8000000000000000000000003", true, 64, 64, 59, 40, 64, 59, 40,
	  "protocol 59 2001:db8::1 > 2001:db8::3" },
	{ "v6 esp is not looked behind", "60000000 00083240 " V6_ADDRS "0000100100000001", true, 48, 40,
	  50, 6, 40, 50, 6, "esp 2001:db8::1 > 2001:db8::2" },
	/* clang-format on */
};

START_TEST(parses)
{
	static uint8_t bytes[512];
	static struct test_packet t;
	size_t len = test_hex(cases[_i].hex, bytes, sizeof(bytes));
	struct packet_view view;
	struct text text = { 0 };
	struct flow flow;

	test_packet_bytes(&t, bytes, len);
	ck_assert_msg(packet_parse(&t.pkt, &view) == cases[_i].sound, "%s", cases[_i].name);
	if (!cases[_i].sound)
		return;
	ck_assert_uint_eq(view.total_len, cases[_i].total);
	ck_assert_uint_eq(t.pkt.len, cases[_i].total);
	ck_assert_uint_eq(view.upper, cases[_i].upper);
	ck_assert_uint_eq(view.protocol, cases[_i].protocol);
	ck_assert_uint_eq(view.protocol_at, cases[_i].protocol_at);
	ck_assert_uint_eq(view.esp_at, cases[_i].esp_at);
	ck_assert_uint_eq(view.esp_protocol, cases[_i].esp_protocol);
	ck_assert_uint_eq(view.esp_protocol_at, cases[_i].esp_protocol_at);
	ck_assert_uint_eq(t.pkt.data[view.protocol_at], view.protocol);
	packet_flow(&t.pkt, &view, DIRECTION_OUT, &flow);
	flow_print(&flow, &text);
	ck_assert_str_eq(text.str, cases[_i].flow);
	text_done(&text);
}
END_TEST

/* Every beginning of every packet, and every octet changed: sound views lie inside the packet. */
START_TEST(views_lie_inside)
{
	static uint8_t bytes[512];
	static struct test_packet t;
	size_t whole = test_hex(cases[_i].hex, bytes, sizeof(bytes));
	struct packet_view view;

	for (size_t len = 0; len <= whole; len++) {
		for (size_t at = 0; at <= len; at++) {
			test_packet_bytes(&t, bytes, len);
			if (at < len)
				t.pkt.data[at] ^= (uint8_t)(1 << at % 8);
			if (!packet_parse(&t.pkt, &view))
				continue;
			ck_assert_uint_le(view.total_len, len);
			ck_assert_uint_le(view.upper, view.total_len);
			ck_assert_uint_le(view.esp_at, view.upper);
			ck_assert_uint_lt(view.esp_protocol_at, view.esp_at);
			ck_assert_uint_lt(view.protocol_at, view.upper);
		}
	}
}
END_TEST

START_TEST(icmp_in_flows)
{
	static struct test_packet t;
	static const uint8_t echo[8] = { 8, 3 };
	struct packet_view view;
	struct flow flow;

	test_packet_bytes(&t, echo, sizeof(echo));
	test_push_ip(&t.pkt, IPPROTO_ICMP, "192.0.2.1", "192.0.2.2");
	ck_assert(packet_parse(&t.pkt, &view));
	packet_flow(&t.pkt, &view, DIRECTION_IN, &flow);
	ck_assert(flow.has_icmp);
	ck_assert(!flow.has_ports);
	ck_assert_uint_eq(flow.icmp_type, 8);
	ck_assert_uint_eq(flow.icmp_code, 3);
	ck_assert_uint_eq(flow.local.bytes[3], 2);
	ck_assert_uint_eq(flow.remote.bytes[3], 1);
	t.pkt.data[9] = IPPROTO_ICMPV6; /* not this family's own */
	ck_assert(packet_parse(&t.pkt, &view));
	packet_flow(&t.pkt, &view, DIRECTION_IN, &flow);
	ck_assert(!flow.has_icmp);
}
END_TEST

START_TEST(inbound_ports_turn_round)
{
	static struct test_packet t;
	struct packet_view view;
	struct flow flow;

	test_udp(&t, "192.0.2.1", "192.0.2.2", 1);
	ck_assert(packet_parse(&t.pkt, &view));
	packet_flow(&t.pkt, &view, DIRECTION_IN, &flow);
	ck_assert_uint_eq(flow.local_port, UDP_PORT_B);
	ck_assert_uint_eq(flow.remote_port, UDP_PORT_A);
	packet_flow(&t.pkt, &view, DIRECTION_OUT, &flow);
	ck_assert_uint_eq(flow.local_port, UDP_PORT_A);
	ck_assert_uint_eq(flow.remote_port, UDP_PORT_B);
}
END_TEST

START_TEST(room)
{
	uint8_t buffer[PACKET_HEADROOM + 10];
	struct packet pkt;

	packet_init(&pkt, buffer, sizeof(buffer));
	ck_assert_ptr_null(packet_append(&pkt, 11));
	ck_assert_ptr_eq(packet_append(&pkt, 10), buffer + PACKET_HEADROOM);
	ck_assert_ptr_null(packet_append(&pkt, 1));
	ck_assert_ptr_null(packet_push(&pkt, PACKET_HEADROOM + 1));
	ck_assert_ptr_eq(packet_push(&pkt, PACKET_HEADROOM), buffer);
	ck_assert_uint_eq(pkt.len, sizeof(buffer));
	ck_assert(!packet_pull(&pkt, sizeof(buffer) + 1));
	ck_assert(packet_pull(&pkt, PACKET_HEADROOM + 4));
	ck_assert_uint_eq(pkt.len, 6);
	ck_assert(!packet_trim(&pkt, 7));
	ck_assert(packet_trim(&pkt, 6));
	ck_assert_uint_eq(pkt.len, 0);
}
END_TEST

/* RFC 1071 section 3: the sum of these words is ddf2. */
START_TEST(checksums)
{
	static const uint8_t words[] = { 0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7 };
	static const uint8_t odd[] = { 0xff, 0xff, 0xff };
	static uint8_t ones[4096];

	ck_assert_uint_eq(packet_checksum(words, 8, 0), (uint16_t)~0xddf2);
	ck_assert_uint_eq(packet_checksum(words + 2, 6, 0x0001), (uint16_t)~0xddf2);
	ck_assert_uint_eq(packet_checksum(odd, 3, 0), (uint16_t)~0xff00);
	ck_assert_uint_eq(packet_checksum(NULL, 0, 0), 0xffff);
	memset(ones, 0xff, sizeof(ones));
	ck_assert_uint_eq(packet_checksum(ones, sizeof(ones), UINT32_MAX), 0);
}
END_TEST

START_TEST(partial_checksum)
{
	static struct test_packet t;
	struct packet_view view;
	uint32_t pseudo = 17 + 8 + 9;

	test_udp(&t, "192.0.2.1", "192.0.2.2", 9);
	ck_assert(packet_parse(&t.pkt, &view));
	for (size_t i = 12; i < 20; i += 2)
		pseudo += load_be16(t.pkt.data + i);
	store_be16(t.pkt.data + 26, (uint16_t)~packet_checksum(NULL, 0, pseudo));
	t.pkt.offload = (struct packet_offload){
		.needs_checksum = true, .csum_start = 20, .csum_offset = 6
	};
	ck_assert(packet_finish_checksum(&t.pkt));
	ck_assert(!t.pkt.offload.needs_checksum);
	ck_assert_uint_eq(packet_checksum(t.pkt.data + 20, 17, pseudo), 0);
	t.pkt.offload = (struct packet_offload){
		.needs_checksum = true, .csum_start = 31, .csum_offset = 6
	};
	ck_assert(!packet_finish_checksum(&t.pkt));
}
END_TEST

static void make_super(struct test_packet *t, bool v6, uint8_t protocol, size_t payload)
{
	size_t header = protocol == IPPROTO_TCP ? 24 : 8;
	uint8_t *p;

	packet_init(&t->pkt, t->buffer, sizeof(t->buffer));
	p = packet_append(&t->pkt, header + payload);
	ck_assert_ptr_nonnull(p);
	memset(p, 0, header);
	store_be16(p, 1000);
	store_be16(p + 2, 2000);
	if (protocol == IPPROTO_TCP) {
		store_be32(p + 4, 0xfffffff0);
		p[12] = 6 << 4;
		p[13] = 0x99; /* CWR, ACK, PSH, FIN */
	}
	for (size_t i = 0; i < payload; i++)
		p[header + i] = (uint8_t)(i * 5);
	test_push_ip(&t->pkt, protocol, v6 ? "2001:db8::1" : "192.0.2.1",
		v6 ? "2001:db8::2" : "192.0.2.2");
	t->pkt.offload = (struct packet_offload){
		.gso_type = protocol == IPPROTO_UDP ? 5
			    : v6		    ? VIRTIO_NET_HDR_GSO_TCPV6
						    : VIRTIO_NET_HDR_GSO_TCPV4,
		.gso_size = 1000,
		.needs_checksum = true,
	};
}

static uint32_t pseudo_sum(const struct packet_view *view, size_t len)
{
	uint32_t sum = view->protocol + (uint32_t)len;

	for (size_t i = 0; i < 16; i += 2)
		sum += (uint32_t)load_be16(view->src.bytes + i) + load_be16(view->dst.bytes + i);
	return sum;
}

static const struct {
	bool v6;
	uint8_t protocol;
	size_t payload, segments;
} supers[] = {
	{ false, IPPROTO_TCP, 3500, 4 },
	{ true, IPPROTO_TCP, 3500, 4 },
	{ false, IPPROTO_TCP, 3000, 3 },
	{ true, IPPROTO_TCP, 1, 1 },
	{ false, IPPROTO_TCP, 0, 1 },
	{ false, IPPROTO_UDP, 2500, 3 },
	{ true, IPPROTO_UDP, 2000, 2 },
};

START_TEST(segments)
{
	static struct test_packet whole, part;
	bool tcp = supers[_i].protocol == IPPROTO_TCP;
	size_t header = tcp ? 24 : 8, got = 0, i;
	struct packet_view view, cut;

	make_super(&whole, supers[_i].v6, supers[_i].protocol, supers[_i].payload);
	packet_init(&part.pkt, part.buffer, sizeof(part.buffer));
	ck_assert(packet_parse(&whole.pkt, &view));
	for (i = 0; packet_segment(&whole.pkt, &view, i, &part.pkt); i++) {
		const uint8_t *p;
		bool last = i + 1 == supers[_i].segments;
		size_t len;

		ck_assert(packet_parse(&part.pkt, &cut));
		p = part.pkt.data + cut.upper;
		len = part.pkt.len - cut.upper;
		ck_assert_uint_le(len, header + 1000);
		ck_assert_uint_eq(packet_checksum(p, len, pseudo_sum(&cut, len)), 0);
		ck_assert_int_eq(memcmp(p + header, whole.pkt.data + view.upper + header + got,
					 len - header),
			0);
		if (tcp) {
			ck_assert_uint_eq(load_be32(p + 4), (uint32_t)(0xfffffff0 + got));
			ck_assert_uint_eq(p[13], 0x10 | (i == 0 ? 0x80 : 0) | (last ? 0x09 : 0));
		} else {
			ck_assert_uint_eq(load_be16(p + 4), len);
		}
		if (!supers[_i].v6) {
			ck_assert_uint_eq(packet_checksum(part.pkt.data, 20, 0), 0);
			ck_assert_uint_eq(load_be16(part.pkt.data + 4), 0x1234 + i);
		}
		got += len - header;
	}
	ck_assert_uint_eq(i, supers[_i].segments);
	ck_assert_uint_eq(got, supers[_i].payload);
}
END_TEST

START_TEST(unsound_supers)
{
	static struct test_packet whole, part;
	struct packet_view view;

	packet_init(&part.pkt, part.buffer, sizeof(part.buffer));
	make_super(&whole, false, IPPROTO_TCP, 3000);
	ck_assert(packet_parse(&whole.pkt, &view));
	whole.pkt.offload.gso_size = 0;
	ck_assert(!packet_segment(&whole.pkt, &view, 0, &part.pkt));
	whole.pkt.offload.gso_size = 1000;
	whole.pkt.offload.gso_type = 5; /* UDP said of TCP */
	ck_assert(!packet_segment(&whole.pkt, &view, 0, &part.pkt));
	whole.pkt.offload.gso_type = VIRTIO_NET_HDR_GSO_TCPV4 | VIRTIO_NET_HDR_GSO_ECN;
	ck_assert(packet_segment(&whole.pkt, &view, 0, &part.pkt));
	whole.pkt.data[view.upper + 12] = 4 << 4; /* header of 16 octets */
	ck_assert(!packet_segment(&whole.pkt, &view, 0, &part.pkt));
	whole.pkt.data[view.upper + 12] = 15 << 4;
	whole.pkt.len = view.upper + 59;
	packet_set_length(&whole.pkt);
	ck_assert(packet_parse(&whole.pkt, &view));
	ck_assert(!packet_segment(&whole.pkt, &view, 0, &part.pkt)); /* header longer than packet */
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("packet");
	TCase *tc = tcase_create("packet");

	tcase_add_loop_test(tc, parses, 0, (int)ARRAY_SIZE(cases));
	tcase_add_loop_test(tc, views_lie_inside, 0, (int)ARRAY_SIZE(cases));
	tcase_add_loop_test(tc, segments, 0, (int)ARRAY_SIZE(supers));
	tcase_add_test(tc, unsound_supers);
	tcase_add_test(tc, icmp_in_flows);
	tcase_add_test(tc, inbound_ports_turn_round);
	tcase_add_test(tc, room);
	tcase_add_test(tc, checksums);
	tcase_add_test(tc, partial_checksum);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
