/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The number of an interface in a header, as nftables left it there. */
#include <check.h>
#include <netinet/in.h>
#include <string.h>

#include "common/base/bytes.h"
#include "services/datapath/packet/packet_group.h"

#define DEVICE 0x1234
#define ID     0xabcd

static uint8_t buffer[PACKET_BUFFER];

static struct packet make_ipv4(const uint8_t dst[static 4], size_t options)
{
	struct packet pkt;
	size_t header = 20 + options;
	uint8_t *ip;

	packet_init(&pkt, buffer, sizeof(buffer));
	ip = packet_append(&pkt, header + 8);
	memset(ip, 0, pkt.len);
	ip[0] = (uint8_t)(0x40 | header / 4);
	store_be16(ip + 2, (uint16_t)pkt.len);
	store_be16(ip + 4, DEVICE);
	ip[6] = 0x40;
	ip[8] = 7;
	ip[9] = IPPROTO_UDP;
	memcpy(ip + 12, (const uint8_t[]){ 192, 0, 2, 1 }, 4);
	memcpy(ip + 16, dst, 4);
	store_be16(ip + 10, packet_checksum(ip, header, 0));
	return pkt;
}

static struct packet make_ipv6(uint8_t first)
{
	struct packet pkt;
	uint8_t *ip;

	packet_init(&pkt, buffer, sizeof(buffer));
	ip = packet_append(&pkt, 48);
	memset(ip, 0, pkt.len);
	ip[0] = 0x6a; /* traffic class 0xaf */
	ip[1] = 0xf5; /* label 0x5.... */
	store_be16(ip + 2, DEVICE);
	store_be16(ip + 4, 8);
	ip[6] = IPPROTO_UDP;
	ip[7] = 7;
	ip[24] = first;
	ip[39] = 1;
	return pkt;
}

START_TEST(test_ipv4)
{
	static const uint8_t groups[][4] = { { 224, 0, 0, 1 }, { 239, 255, 255, 255 } };
	struct packet pkt = make_ipv4(groups[_i], _i ? 12 : 0);
	size_t header = _i ? 32 : 20;

	packet_take_device(&pkt, ID);
	ck_assert_uint_eq(pkt.out_device, DEVICE);
	ck_assert_uint_eq(load_be16(pkt.data + 4), ID);
	ck_assert_uint_eq(load_be16(pkt.data + 6), 0);
	ck_assert_uint_eq(packet_checksum(pkt.data, header, 0), 0);
	ck_assert_uint_eq(pkt.data[8], 7);
}
END_TEST

START_TEST(test_ipv6)
{
	struct packet pkt = make_ipv6(0xff);

	packet_take_device(&pkt, ID);
	ck_assert_uint_eq(pkt.out_device, DEVICE);
	ck_assert_mem_eq(pkt.data, ((const uint8_t[]){ 0x6a, 0xf0, 0, 0, 0, 8 }), 6);
}
END_TEST

static void check_untouched(struct packet *pkt)
{
	uint8_t before[64];

	memcpy(before, pkt->data, 48);
	packet_take_device(pkt, ID);
	ck_assert_uint_eq(pkt->out_device, 0);
	ck_assert_mem_eq(pkt->data, before, 48);
}

START_TEST(test_to_one_host)
{
	static const uint8_t hosts[][4] = { { 223, 255, 255, 255 }, { 240, 0, 0, 1 } };
	struct packet pkt = make_ipv6(0x20);

	check_untouched(&pkt);
	for (size_t i = 0; i < ARRAY_SIZE(hosts); i++) {
		pkt = make_ipv4(hosts[i], 20);
		check_untouched(&pkt);
	}
}
END_TEST

/* What the headers' lengths do not bear out is the parser's to refuse. */
START_TEST(test_broken)
{
	static const uint8_t group[] = { 239, 0, 0, 1 };
	struct packet pkt = make_ipv6(0xff);

	pkt.len = 39;
	check_untouched(&pkt);
	pkt = make_ipv4(group, 20);
	pkt.len = 39;
	check_untouched(&pkt);
	pkt = make_ipv4(group, 20);
	pkt.data[0] = 0x44;
	check_untouched(&pkt);
	pkt = make_ipv4(group, 20);
	pkt.data[0] = 0x5a;
	check_untouched(&pkt);
	pkt.len = 0;
	check_untouched(&pkt);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("packet_group");
	TCase *tcase = tcase_create("packet_group");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(tcase, test_ipv4, 0, 2);
	tcase_add_test(tcase, test_ipv6);
	tcase_add_test(tcase, test_to_one_host);
	tcase_add_test(tcase, test_broken);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
