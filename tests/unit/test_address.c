/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/model/address.h"

#include <errno.h>
#include <string.h>

#include "tests/unit/suite.h"

static struct address addr(const char *text)
{
	struct address a;

	ck_assert_msg(address_parse(text, &a) == 0, "%s", text);
	return a;
}

static struct prefix prefix(const char *text, unsigned int bits)
{
	struct address a = addr(text);
	struct prefix p;

	ck_assert_int_eq(prefix_make(&a, bits, &p), 0);
	return p;
}

static const char *const good[] = {
	"0.0.0.0",
	"192.0.2.1",
	"255.255.255.255",
	"::",
	"::1",
	"2001:db8::1:0:0:1",
	"ff02::1",
};

START_TEST(prints_as_parsed)
{
	struct address a = addr(good[_i]);
	char text[ADDRESS_TEXT_MAX];

	ck_assert_str_eq(address_format(&a, text), good[_i]);
}
END_TEST

static const char *const bad[] = {
	"",
	"192.0.2",
	"192.0.2.256",
	"192.0.2.01",
	"192.0.2.1 ",
	" 192.0.2.1",
	"192.0.2.1/24",
	"0x7f.1",
	"fe80::1%lo",
	"1:2:3:4:5:6:7",
	"::1::",
	"localhost",
};

START_TEST(refuses)
{
	struct address a;

	ck_assert_int_eq(address_parse(bad[_i], &a), -EINVAL);
}
END_TEST

START_TEST(order)
{
	struct address a = addr("192.0.2.1"), b = addr("192.0.2.2"), c = addr("::");

	ck_assert_int_lt(address_compare(&a, &b), 0);
	ck_assert_int_gt(address_compare(&b, &a), 0);
	ck_assert_int_lt(address_compare(&b, &c), 0);
	ck_assert(address_equal(&a, &a));
	ck_assert(!address_equal(&a, &c));
}
END_TEST

START_TEST(kinds)
{
	struct address none = address_any(AF_UNSPEC);
	char text[ADDRESS_TEXT_MAX];
	struct address a;

	ck_assert_str_eq(address_format(&none, text), "-");
	ck_assert(address_is_unspecified(&none));
	a = address_any(AF_INET6);
	ck_assert(address_is_unspecified(&a));
	a = addr("0.0.0.1");
	ck_assert(!address_is_unspecified(&a));
	a = addr("224.0.0.1");
	ck_assert(address_is_multicast(&a));
	a = addr("239.255.255.255");
	ck_assert(address_is_multicast(&a));
	a = addr("255.255.255.255");
	ck_assert(address_is_multicast(&a));
	a = addr("240.0.0.0");
	ck_assert(!address_is_multicast(&a));
	a = addr("ff02::1");
	ck_assert(address_is_multicast(&a));
	a = addr("fe80::1");
	ck_assert(!address_is_multicast(&a));
	ck_assert_uint_eq(address_bits(AF_INET), 32);
	ck_assert_uint_eq(address_bits(AF_INET6), 128);
	ck_assert_uint_eq(address_bits(AF_UNSPEC), 0);
}
END_TEST

START_TEST(sockaddrs)
{
	const char *const texts[] = { "192.0.2.1", "2001:db8::1" };
	struct sockaddr_storage ss;
	struct address back;
	uint16_t port = 0;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct address a = addr(texts[i]);
		socklen_t len = address_to_sockaddr(&a, 4500, &ss);

		ck_assert_int_eq(
			address_from_sockaddr((struct sockaddr *)&ss, len, &back, &port), 0);
		ck_assert(address_equal(&a, &back));
		ck_assert_uint_eq(port, 4500);
		ck_assert_int_eq(
			address_from_sockaddr((struct sockaddr *)&ss, len - 1, &back, &port),
			-EINVAL);
	}
	ss.ss_family = AF_UNIX;
	ck_assert_int_eq(address_from_sockaddr((struct sockaddr *)&ss, sizeof(ss), &back, &port),
		-EAFNOSUPPORT);
	ck_assert_int_eq(address_from_sockaddr((struct sockaddr *)&ss, 1, &back, &port), -EINVAL);
}
END_TEST

START_TEST(mapped_becomes_ipv4)
{
	struct address mapped = addr("::ffff:192.0.2.7"), want = addr("192.0.2.7"), back;
	struct sockaddr_storage ss;
	uint16_t port;
	socklen_t len = address_to_sockaddr(&mapped, 0, &ss);

	ck_assert_int_eq(address_from_sockaddr((struct sockaddr *)&ss, len, &back, &port), 0);
	ck_assert(address_equal(&back, &want));
}
END_TEST

static const struct {
	const char *addr;
	unsigned int bits;
	const char *want; /* NULL: refused */
} prefixes[] = {
	{ "192.0.2.129", 32, "192.0.2.129/32" },
	{ "192.0.2.129", 25, "192.0.2.128/25" },
	{ "192.0.2.129", 24, "192.0.2.0/24" },
	{ "255.255.255.255", 1, "128.0.0.0/1" },
	{ "192.0.2.129", 0, "0.0.0.0/0" },
	{ "192.0.2.129", 33, NULL },
	{ "2001:db8:ffff::1", 33, "2001:db8:8000::/33" },
	{ "2001:db8::1", 128, "2001:db8::1/128" },
	{ "2001:db8::1", 129, NULL },
};

START_TEST(host_bits_go)
{
	struct address a = addr(prefixes[_i].addr);
	char text[PREFIX_TEXT_MAX];
	struct prefix p;

	if (!prefixes[_i].want) {
		ck_assert_int_eq(prefix_make(&a, prefixes[_i].bits, &p), -EINVAL);
		return;
	}
	ck_assert_int_eq(prefix_make(&a, prefixes[_i].bits, &p), 0);
	ck_assert_str_eq(prefix_format(&p, text), prefixes[_i].want);
	ck_assert(prefix_contains(&p, &a));
}
END_TEST

START_TEST(containment)
{
	struct prefix net = prefix("10.1.0.0", 16), sub = prefix("10.1.128.0", 17);
	struct prefix other = prefix("10.2.0.0", 16), all4 = prefix("0.0.0.0", 0);
	struct prefix all6 = prefix("::", 0);
	struct address inside = addr("10.1.255.255"), outside = addr("10.2.0.0");
	struct prefix host = prefix_host(&inside);

	ck_assert(prefix_contains(&net, &inside));
	ck_assert(!prefix_contains(&net, &outside));
	ck_assert(!prefix_contains(&all6, &inside));
	ck_assert(prefix_contains(&all4, &outside));
	ck_assert(prefix_covers(&net, &sub) && !prefix_covers(&sub, &net));
	ck_assert(prefix_overlaps(&net, &sub) && prefix_overlaps(&sub, &net));
	ck_assert(!prefix_overlaps(&net, &other));
	ck_assert(!prefix_overlaps(&all4, &all6));
	ck_assert(prefix_is_host(&host) && !prefix_is_host(&net));
	ck_assert(prefix_equal(&net, &net) && !prefix_equal(&net, &other));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("address");
	TCase *tc = tcase_create("address");

	tcase_add_loop_test(tc, prints_as_parsed, 0, ARRAY_SIZE(good));
	tcase_add_loop_test(tc, refuses, 0, ARRAY_SIZE(bad));
	tcase_add_test(tc, order);
	tcase_add_test(tc, kinds);
	tcase_add_test(tc, sockaddrs);
	tcase_add_test(tc, mapped_becomes_ipv4);
	tcase_add_loop_test(tc, host_bits_go, 0, ARRAY_SIZE(prefixes));
	tcase_add_test(tc, containment);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
