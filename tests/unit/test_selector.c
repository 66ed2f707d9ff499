/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/model/selector.h"

#include "tests/unit/rules.h"

static struct flow tcp_flow(void)
{
	return (struct flow){
		.direction = DIRECTION_OUT,
		.local = rules_addr("192.0.2.1"),
		.remote = rules_addr("192.0.2.17"),
		.protocol = IPPROTO_TCP,
		.has_ports = true,
		.local_port = 1234,
		.remote_port = 80,
	};
}

static struct flow ping_flow(void)
{
	return (struct flow){
		.direction = DIRECTION_IN,
		.local = rules_addr("192.0.2.1"),
		.remote = rules_addr("192.0.2.17"),
		.protocol = IPPROTO_ICMP,
		.has_icmp = true,
		.icmp_type = 8,
	};
}

static const struct {
	const char *name;
	struct selector selector;
	bool tcp, ping;
} matches[] = {
	{ "empty", { 0 }, true, true },
	{ "family", { .family = AF_INET }, true, true },
	{ "other family", { .family = AF_INET6 }, false, false },
	{ "protocol", { .protocol = IPPROTO_TCP }, true, false },
	{ "remote port", { .remote_port = 80 }, true, false },
	{ "other remote port", { .remote_port = 81 }, false, false },
	{ "local port", { .protocol = IPPROTO_TCP, .local_port = 1234 }, true, false },
	{ "in a range of ports", { .local_port = 1000, .local_port_last = 1234 }, true, false },
	{ "behind a range", { .local_port = 1000, .local_port_last = 1233 }, false, false },
	{ "before a range", { .remote_port = 81, .remote_port_last = 90 }, false, false },
	{ "ports exchanged", { .local_port = 80, .remote_port = 1234 }, false, false },
	{ "type", { .has_icmp_type = true, .icmp_type_low = 8, .icmp_type_high = 8 }, false, true },
	{ "below the range", { .has_icmp_type = true, .icmp_type_low = 9, .icmp_type_high = 9 },
		false, false },
	{ "type range", { .has_icmp_type = true, .icmp_type_low = 0, .icmp_type_high = 8 }, false,
		true },
	{ "code", { .has_icmp_code = true, .icmp_code_low = 0, .icmp_code_high = 0 }, false, true },
	{ "other code", { .has_icmp_code = true, .icmp_code_low = 1, .icmp_code_high = 9 }, false,
		false },
};

START_TEST(matching)
{
	struct flow tcp = tcp_flow(), ping = ping_flow();

	ck_assert_msg(selector_match(&matches[_i].selector, &tcp) == matches[_i].tcp, "%s: tcp",
		matches[_i].name);
	ck_assert_msg(selector_match(&matches[_i].selector, &ping) == matches[_i].ping, "%s: ping",
		matches[_i].name);
}
END_TEST

START_TEST(addresses)
{
	struct flow flow = tcp_flow();
	struct selector s = { .remote = rules_prefix("192.0.2.16", 28) };

	ck_assert(selector_match(&s, &flow));
	s.local = rules_prefix("192.0.2.2", 32);
	ck_assert(!selector_match(&s, &flow));
	s.local = rules_prefix("0.0.0.0", 0);
	ck_assert(selector_match(&s, &flow));
	s.local = rules_prefix("::", 0);
	ck_assert(!selector_match(&s, &flow));
}
END_TEST

START_TEST(invisible_ports_never_match)
{
	struct flow flow = tcp_flow();
	struct selector s = { .protocol = IPPROTO_TCP, .local_port = 1234 };

	flow.has_ports = false;
	ck_assert(!selector_match(&s, &flow));
	s.local_port = 0;
	ck_assert(selector_match(&s, &flow));
}
END_TEST

START_TEST(equality)
{
	struct selector a = { .remote = rules_prefix("192.0.2.0", 24), .icmp_type_low = 3 };
	struct selector b = { .remote = rules_prefix("192.0.2.0", 24) };

	ck_assert(selector_equal(&a, &b)); /* a range that is not there does not count */
	a.has_icmp_type = b.has_icmp_type = true;
	ck_assert(!selector_equal(&a, &b));
	b.icmp_type_low = 3;
	ck_assert(selector_equal(&a, &b));
	b.remote.bits = 25;
	ck_assert(!selector_equal(&a, &b));
}
END_TEST

static const struct {
	const char *name;
	struct selector a, b;
	bool overlaps, a_covers_b, b_covers_a;
} pairs[] = {
	{ "empty", { 0 }, { 0 }, true, true, true },
	{ "families", { .family = AF_INET }, { .family = AF_INET6 }, false, false, false },
	{ "both and one family", { 0 }, { .family = AF_INET6 }, true, true, false },
	{ "protocols", { .protocol = 6 }, { .protocol = 17 }, false, false, false },
	{ "any protocol", { 0 }, { .protocol = 17 }, true, true, false },
	{ "crossed ports", { .local_port = 1 }, { .remote_port = 2 }, true, false, false },
	{ "ports", { .local_port = 1 }, { .local_port = 2 }, false, false, false },
	{ "range and port in it", { .local_port = 1, .local_port_last = 9 }, { .local_port = 9 },
		true, true, false },
	{ "range and port behind", { .local_port = 1, .local_port_last = 9 }, { .local_port = 10 },
		false, false, false },
	{ "ranges that touch", { .remote_port = 1, .remote_port_last = 9 },
		{ .remote_port = 9, .remote_port_last = 12 }, true, false, false },
	{ "range and any", { .remote_port = 1, .remote_port_last = 65535 }, { 0 }, true, false,
		true },
	{ "port and its protocol", { .protocol = 6 }, { .protocol = 6, .local_port = 2 }, true,
		true, false },
	{ "port and icmp", { .local_port = 1 }, { .protocol = IPPROTO_ICMP }, false, false, false },
	{ "port and type", { .local_port = 1 }, { .has_icmp_type = true }, false, false, false },
	{ "types apart", { .has_icmp_type = true, .icmp_type_low = 0, .icmp_type_high = 3 },
		{ .has_icmp_type = true, .icmp_type_low = 4, .icmp_type_high = 9 }, false, false,
		false },
	{ "types nested", { .has_icmp_type = true, .icmp_type_low = 0, .icmp_type_high = 9 },
		{ .has_icmp_type = true, .icmp_type_low = 9, .icmp_type_high = 9 }, true, true,
		false },
	{ "codes crossed", { .has_icmp_code = true, .icmp_code_low = 0, .icmp_code_high = 5 },
		{ .has_icmp_code = true, .icmp_code_low = 5, .icmp_code_high = 9 }, true, false,
		false },
};

START_TEST(overlap_and_cover)
{
	const struct selector *a = &pairs[_i].a, *b = &pairs[_i].b;

	ck_assert_msg(selector_overlaps(a, b) == pairs[_i].overlaps, "%s", pairs[_i].name);
	ck_assert_msg(selector_overlaps(b, a) == pairs[_i].overlaps, "%s", pairs[_i].name);
	ck_assert_msg(selector_covers(a, b) == pairs[_i].a_covers_b, "%s", pairs[_i].name);
	ck_assert_msg(selector_covers(b, a) == pairs[_i].b_covers_a, "%s", pairs[_i].name);
}
END_TEST

START_TEST(overlap_of_addresses)
{
	struct selector net = { .family = AF_INET, .remote = rules_prefix("10.0.0.0", 8) };
	struct selector host = { .family = AF_INET, .remote = rules_prefix("10.1.1.1", 32) };
	struct selector away = { .family = AF_INET, .remote = rules_prefix("11.0.0.0", 8) };
	struct selector everything = { .family = AF_INET, .remote = rules_prefix("0.0.0.0", 0) };
	struct selector any = { .family = AF_INET };

	ck_assert(selector_overlaps(&net, &host) && !selector_overlaps(&net, &away));
	ck_assert(selector_covers(&net, &host) && !selector_covers(&host, &net));
	ck_assert(selector_covers(&any, &net) && !selector_covers(&net, &any));
	ck_assert(selector_covers(&everything, &any));
	/* A prefix settles the family of a selector that names none. */
	net.family = AF_UNSPEC;
	any.family = AF_INET6;
	ck_assert(!selector_overlaps(&net, &any));
}
END_TEST

START_TEST(printing)
{
	CLEANUP(text_done) struct text text = { 0 };
	CLEANUP(text_done) struct text icmp = { 0 };
	CLEANUP(text_done) struct text ranges = { 0 };
	struct selector s = {
		.protocol = 6,
		.local = rules_prefix("192.0.2.1", 32),
		.local_port = 80,
		.remote = rules_prefix("0.0.0.0", 0),
		.remote_port = 1024,
	};
	struct selector t = {
		.protocol = 1,
		.has_icmp_type = true,
		.icmp_type_low = 3,
		.icmp_type_high = 8,
		.has_icmp_code = true,
		.icmp_code_low = 4,
		.icmp_code_high = 4,
	};

	selector_print(&s, &text);
	ck_assert_str_eq(text.str, "ulp 6 laddr 192.0.2.1/32 lport 80 raddr 0.0.0.0/0 rport 1024 ");
	s.local_port_last = 90;
	s.remote_port = 0;
	selector_print(&s, &ranges);
	ck_assert_str_eq(ranges.str, "ulp 6 laddr 192.0.2.1/32 lport 80-90 raddr 0.0.0.0/0 ");
	selector_print(&t, &icmp);
	ck_assert_str_eq(icmp.str, "ulp 1 type 3-8 code 4 ");
}
END_TEST

START_TEST(printing_flows)
{
	CLEANUP(text_done) struct text text = { 0 };
	struct flow flow = tcp_flow(), ping = ping_flow();

	flow_print(&flow, &text);
	text_add(&text, "; ");
	flow.direction = DIRECTION_IN;
	flow.local = rules_addr("2001:db8::1");
	flow.protocol = 99;
	flow_print(&flow, &text);
	text_add(&text, "; ");
	flow_print(&ping, &text);
	ck_assert_str_eq(text.str, "tcp 192.0.2.1:1234 > 192.0.2.17:80; "
				   "protocol 99 192.0.2.17:80 > [2001:db8::1]:1234; "
				   "icmp 192.0.2.17 > 192.0.2.1 type 8 code 0");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("selector");
	TCase *tc = tcase_create("selector");

	tcase_add_loop_test(tc, matching, 0, ARRAY_SIZE(matches));
	tcase_add_test(tc, addresses);
	tcase_add_test(tc, invisible_ports_never_match);
	tcase_add_test(tc, equality);
	tcase_add_loop_test(tc, overlap_and_cover, 0, ARRAY_SIZE(pairs));
	tcase_add_test(tc, overlap_of_addresses);
	tcase_add_test(tc, printing);
	tcase_add_test(tc, printing_flows);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
