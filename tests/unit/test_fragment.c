/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Fragments, put together again by a few lines that know nothing of those under test. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/bytes.h"
#include "services/datapath/packet/fragment.h"

#define OPTIONS_LEN 12

static uint8_t whole[PACKET_BUFFER], piece[PACKET_BUFFER];

static const struct {
	const char *name;
	int family;
	bool extension; /* IPv4: options, IPv6: a hop-by-hop header */
	size_t payload, mtu, want;
} cases[] = {
	{ "IPv4, two", AF_INET, false, 1600, 1500, 2 },
	{ "IPv4, last of eight octets", AF_INET, false, 1488, 1500, 2 },
	{ "IPv4, fits", AF_INET, false, 1480, 1500, 1 },
	{ "IPv4, small MTU", AF_INET, false, 4000, 68, 84 },
	{ "IPv4, options", AF_INET, true, 3000, 1500, 3 },
	{ "IPv4, the longest", AF_INET, false, 65515, 1500, 45 },
	{ "IPv6, two", AF_INET6, false, 1600, 1500, 2 },
	{ "IPv6, at the minimum", AF_INET6, false, 4000, 1280, 4 },
	{ "IPv6, hop-by-hop stays in front", AF_INET6, true, 3000, 1500, 3 },
};

static void make_ipv4(struct packet *pkt, size_t payload, bool options)
{
	uint8_t *ip = packet_append(pkt, 20 + (options ? OPTIONS_LEN : 0));

	memset(ip, 0, pkt->len);
	ip[0] = (uint8_t)(0x40 | pkt->len / 4);
	ip[8] = 64;
	ip[9] = IPPROTO_ESP;
	memcpy(ip + 12, (const uint8_t[]){ 192, 0, 2, 1, 192, 0, 2, 2 }, 8);
	if (options) /* router alert (copied), timestamp (not copied), end */
		memcpy(ip + 20,
			(const uint8_t[OPTIONS_LEN]){ 0x94, 4, 0, 0, 0x44, 4, 5, 0, 1, 1, 1, 0 },
			OPTIONS_LEN);
	memset(packet_append(pkt, payload), 0, payload);
}

static void make_ipv6(struct packet *pkt, size_t payload, bool extension)
{
	uint8_t *ip = packet_append(pkt, 40U + (extension ? 8 : 0));

	memset(ip, 0, pkt->len);
	ip[0] = 0x60;
	ip[6] = extension ? IPPROTO_HOPOPTS : IPPROTO_ESP;
	ip[7] = 64;
	ip[8] = ip[24] = 0x20;
	ip[23] = 1;
	ip[39] = 2;
	if (extension)
		memcpy(ip + 40, (const uint8_t[8]){ IPPROTO_ESP, 0, 1, 4, 0, 0, 0, 0 }, 8);
	memset(packet_append(pkt, payload), 0, payload);
}

static void make(struct packet *pkt, int family, size_t payload, bool extension)
{
	packet_init(pkt, whole, sizeof(whole));
	if (family == AF_INET)
		make_ipv4(pkt, payload, extension);
	else
		make_ipv6(pkt, payload, extension);
	for (size_t i = 0; i < payload; i++)
		pkt->data[pkt->len - payload + i] = (uint8_t)(i * 7 + i / 251);
	packet_set_length(pkt);
}

/* Where the payload of a fragment begins and belongs. */
static size_t look(
	const struct packet *out, int family, size_t *ret_offset, bool *ret_more, uint32_t *ret_id)
{
	const uint8_t *ip = out->data;
	size_t at = 40;

	if (family == AF_INET) {
		ck_assert_uint_eq(load_be16(ip + 2), out->len);
		ck_assert_uint_eq(packet_checksum(ip, (size_t)(ip[0] & 0xf) * 4, 0), 0);
		*ret_offset = (load_be16(ip + 6) & 0x1fffU) * 8U;
		*ret_more = (load_be16(ip + 6) & 0x2000) != 0;
		*ret_id = load_be16(ip + 4);
		return (size_t)(ip[0] & 0xf) * 4;
	}
	ck_assert_uint_eq(load_be16(ip + 4) + 40U, out->len);
	if (ip[6] == IPPROTO_HOPOPTS) {
		ck_assert_uint_eq(ip[40], IPPROTO_FRAGMENT);
		at = 48;
	} else {
		ck_assert_uint_eq(ip[6], IPPROTO_FRAGMENT);
	}
	ck_assert_uint_eq(ip[at], IPPROTO_ESP);
	*ret_offset = load_be16(ip + at + 2) & 0xfff8U;
	*ret_more = ip[at + 3] & 1;
	*ret_id = load_be32(ip + at + 4);
	return at + 8;
}

START_TEST(cuts)
{
	struct packet pkt, out = { .buffer = piece, .size = sizeof(piece) };
	size_t payload = cases[_i].payload, next = 0;
	struct fragment_plan plan;

	make(&pkt, cases[_i].family, payload, cases[_i].extension);
	ck_assert(fragment_plan(&pkt, cases[_i].mtu, 0xbeef, &plan));
	ck_assert_msg(
		plan.count == cases[_i].want, "%s: %zu fragments", cases[_i].name, plan.count);
	for (size_t i = 0; i < plan.count; i++) {
		size_t offset, at;
		uint32_t id;
		bool more;

		fragment_make(&plan, i, &out);
		ck_assert_msg(
			out.len <= cases[_i].mtu, "%s: fragment of %zu", cases[_i].name, out.len);
		at = look(&out, cases[_i].family, &offset, &more, &id);
		ck_assert_uint_eq(id, 0xbeef);
		ck_assert_uint_eq(offset, next);
		ck_assert(more == (i + 1 < plan.count));
		ck_assert_int_eq(
			memcmp(out.data + at, pkt.data + pkt.len - payload + offset, out.len - at),
			0);
		next = offset + out.len - at;
	}
	ck_assert_uint_eq(next, payload);
}
END_TEST

START_TEST(later_fragments_keep_only_copied_options)
{
	struct packet pkt, out = { .buffer = piece, .size = sizeof(piece) };
	struct fragment_plan plan;

	make(&pkt, AF_INET, 3000, true);
	ck_assert(fragment_plan(&pkt, 1500, 1, &plan));
	fragment_make(&plan, 0, &out);
	ck_assert_uint_eq(out.data[0] & 0xf, 8);
	fragment_make(&plan, 1, &out);
	ck_assert_uint_eq(out.data[0] & 0xf, 6);
	ck_assert_int_eq(memcmp(out.data + 20, (const uint8_t[]){ 0x94, 4, 0, 0 }, 4), 0);
}
END_TEST

START_TEST(some_are_never_cut)
{
	struct fragment_plan plan;
	struct packet pkt;

	make(&pkt, AF_INET, 3000, false);
	pkt.data[6] = 0x40; /* DF */
	packet_set_length(&pkt);
	ck_assert(!fragment_plan(&pkt, 1500, 1, &plan));
	make(&pkt, AF_INET, 3000, false);
	pkt.data[6] = 0x20; /* a fragment already */
	packet_set_length(&pkt);
	ck_assert(!fragment_plan(&pkt, 1500, 1, &plan));
	make(&pkt, AF_INET, 3000, false);
	ck_assert(!fragment_plan(&pkt, 27, 1, &plan));
	make(&pkt, AF_INET, 3000, false);
	pkt.data[0] = 0x55;
	ck_assert(!fragment_plan(&pkt, 1500, 1, &plan));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("fragment");
	TCase *tc = tcase_create("fragment");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(tc, cuts, 0, (int)ARRAY_SIZE(cases));
	tcase_add_test(tc, later_fragments_keep_only_copied_options);
	tcase_add_test(tc, some_are_never_cut);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
