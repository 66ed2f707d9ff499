/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/base/bytes.h"

#include <string.h>

#include "common/base/checked.h"
#include "tests/unit/suite.h"

START_TEST(round_trip)
{
	uint8_t buffer[64], eight = 0;
	struct writer wr;
	struct reader rd;
	uint16_t a = 0, b = 0;
	uint32_t c = 0, d = 0;
	uint64_t e = 0, f = 0;

	writer_init(&wr, buffer, sizeof(buffer));
	ck_assert(write_u8(&wr, 0xfe));
	ck_assert(write_be16(&wr, 0x0102));
	ck_assert(write_le16(&wr, 0x0102));
	ck_assert(write_be32(&wr, 0x01020304));
	ck_assert(write_le32(&wr, 0x01020304));
	ck_assert(write_be64(&wr, UINT64_C(0x0102030405060708)));
	ck_assert(write_le64(&wr, UINT64_C(0x0102030405060708)));
	ck_assert(write_zeros(&wr, 3));
	ck_assert_uint_eq(writer_used(&wr), 1 + 2 + 2 + 4 + 4 + 8 + 8 + 3);
	ck_assert_mem_eq(buffer, "\xfe\x01\x02\x02\x01\x01\x02\x03\x04\x04\x03\x02\x01", 13);

	reader_init(&rd, buffer, writer_used(&wr));
	ck_assert(read_u8(&rd, &eight) && read_be16(&rd, &a) && read_le16(&rd, &b));
	ck_assert(read_be32(&rd, &c) && read_le32(&rd, &d));
	ck_assert(read_be64(&rd, &e) && read_le64(&rd, &f));
	ck_assert_uint_eq(eight, 0xfe);
	ck_assert_uint_eq(a, 0x0102);
	ck_assert_uint_eq(b, 0x0102);
	ck_assert_uint_eq(c, 0x01020304);
	ck_assert_uint_eq(d, 0x01020304);
	ck_assert(e == f && e == UINT64_C(0x0102030405060708));
	ck_assert(read_skip(&rd, 3));
	ck_assert_uint_eq(reader_left(&rd), 0);
	ck_assert(!rd.failed);
}
END_TEST

START_TEST(short_reads_fail_for_good)
{
	static const uint8_t bytes[] = { 1, 2, 3 };
	uint32_t x = 7;
	uint8_t y = 7;
	struct reader rd;

	reader_init(&rd, bytes, sizeof(bytes));
	ck_assert(!read_be32(&rd, &x));
	ck_assert_uint_eq(x, 7);
	ck_assert(rd.failed);
	ck_assert_ptr_eq(rd.at, bytes);
	ck_assert(!read_u8(&rd, &y));
	ck_assert_uint_eq(y, 7);
	reader_init(&rd, NULL, 0);
	ck_assert(read_bytes(&rd, &y, 0));
	ck_assert(!read_skip(&rd, SIZE_MAX));
}
END_TEST

START_TEST(short_writes_fail_for_good)
{
	uint8_t buffer[4] = { 9, 9, 9, 9 };
	struct writer wr;

	writer_init(&wr, buffer, 3);
	ck_assert(!write_be32(&wr, 1));
	ck_assert(wr.failed);
	ck_assert(!write_u8(&wr, 1));
	ck_assert_uint_eq(writer_used(&wr), 0);
	ck_assert_mem_eq(buffer, "\x09\x09\x09\x09", 4);
}
END_TEST

START_TEST(sums_and_products)
{
	size_t x = 5;

	ck_assert(checked_add(1, 2, &x) && x == 3);
	ck_assert(!checked_add(SIZE_MAX, 1, &x));
	ck_assert(checked_mul(1000, 1000, &x) && x == 1000000);
	ck_assert(!checked_mul(SIZE_MAX / 2, 3, &x));
	ck_assert_uint_eq(round_up(0, 8), 0);
	ck_assert_uint_eq(round_up(9, 8), 16);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("bytes");
	TCase *tc = tcase_create("bytes");

	tcase_add_test(tc, round_trip);
	tcase_add_test(tc, short_reads_fail_for_good);
	tcase_add_test(tc, short_writes_fail_for_good);
	tcase_add_test(tc, sums_and_products);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
