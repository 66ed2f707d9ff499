/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The text of a packet, the rule that decides for it, and why the others do not. */
#include "common/spd/spd_explain.h"

#include <errno.h>

#include "common/spd/spd_diff.h"
#include "tests/unit/rules.h"

static struct spd_query query(const char *text)
{
	struct spd_flow_error error = { 0 };
	struct spd_query q;

	ck_assert_msg(spd_flow_parse(text, strlen(text), &q, NULL, &error) == 0, "%s: %s", text,
		error.text);
	return q;
}

/* What is read prints to what reads the same; `print`: NULL, it is the text itself. */
static const struct {
	const char *text, *print;
} flows[] = {
	{ "out tcp 10.0.0.5:41000 192.0.2.7:443", "out tcp 10.0.0.5:41000 > 192.0.2.7:443" },
	{ "in tcp 192.0.2.7:443 > 10.0.0.5:41000", NULL },
	{ "  out\ttcp 10.0.0.5 192.0.2.7 ", "out tcp 10.0.0.5 > 192.0.2.7" },
	{ "in icmp type 8 code 0 192.0.2.7 10.0.0.5",
		"in icmp 192.0.2.7 > 10.0.0.5 type 8 code 0" },
	{ "in icmp 192.0.2.7 > 10.0.0.5 type 8", "in icmp 192.0.2.7 > 10.0.0.5 type 8 code 0" },
	{ "in icmp 192.0.2.7 > 10.0.0.5", NULL },
	{ "out icmp 2001:db8::1 2001:db8::2 type 128 code 1",
		"out icmp6 2001:db8::1 > 2001:db8::2 type 128 code 1" },
	{ "out UDP [2001:db8::1]:53 [2001:db8::2]:0",
		"out udp [2001:db8::1]:53 > [2001:db8::2]:0" },
	{ "out sctp [2001:db8::1] [2001:db8::2]", "out sctp 2001:db8::1 > 2001:db8::2" },
	{ "forward tcp 10.0.0.5:1 192.0.2.7:2", "forward tcp 10.0.0.5:1 > 192.0.2.7:2" },
	{ "tunnel tun0 in 6 10.0.0.5:1 192.0.2.7:2",
		"tunnel tun0 in tcp 10.0.0.5:1 > 192.0.2.7:2" },
	{ "out protocol 47 10.0.0.5 > 192.0.2.7", NULL },
	{ "out gre 10.0.0.5 > 192.0.2.7", "out protocol 47 10.0.0.5 > 192.0.2.7" },
	{ "out icmp type 3 code 3 10.0.0.5 192.0.2.7 about udp 192.0.2.7:9 10.0.0.5:53",
		"out icmp 10.0.0.5 > 192.0.2.7 type 3 code 3 about udp 192.0.2.7:9 > 10.0.0.5:53" },
	{ "in icmp 2001:db8::9 2001:db8::1 type 2 about icmp type 128 2001:db8::1 2001:db8::2",
		"in icmp6 2001:db8::9 > 2001:db8::1 type 2 code 0 about icmp6 2001:db8::1 > "
		"2001:db8::2 type 128 code 0" },
	{ "in icmp 192.0.2.9 > 10.0.0.5 type 11 code 0 about protocol 47 10.0.0.5 > 192.0.2.7",
		NULL },
};

START_TEST(flows_are_read)
{
	CLEANUP(text_done) struct text text = { 0 };
	CLEANUP(text_done) struct text again = { 0 };
	struct spd_query q = query(flows[_i].text);

	spd_flow_print(&q, &text);
	ck_assert_str_eq(text.str, flows[_i].print ? flows[_i].print : flows[_i].text);
	q = query(text.str);
	spd_flow_print(&q, &again);
	ck_assert_str_eq(again.str, text.str);
}
END_TEST

START_TEST(ends_stand_as_in_the_packet)
{
	struct spd_query out = query("out tcp 10.0.0.5:41000 192.0.2.7:443");
	struct spd_query in = query("in tcp 10.0.0.5:41000 192.0.2.7:443");
	struct address a = rules_addr("10.0.0.5");

	ck_assert_int_eq(out.flow.direction, DIRECTION_OUT);
	ck_assert_int_eq(in.flow.direction, DIRECTION_IN);
	ck_assert(address_equal(&out.flow.local, &a) && address_equal(&in.flow.remote, &a));
	ck_assert(out.flow.local_port == 41000 && in.flow.remote_port == 41000);
	ck_assert(out.flow.remote_port == 443 && in.flow.local_port == 443);
	ck_assert(out.flow.has_ports && !out.forward && query("forward 6 ::1 ::2").forward);
}
END_TEST

static const struct {
	const char *text;
	size_t offset, length;
	const char *message;
} wrongs[] = {
	{ "", 0, 0, "in, out, forward or tunnel expected" },
	{ "sideways tcp", 0, 8, "in, out, forward or tunnel expected" },
	{ "tunnel t forward tcp 1.2.3.4 1.2.3.5", 9, 7, "in or out expected" },
	{ "tunnel", 6, 0, "the name of a tunnel expected" },
	{ "tunnel a23456789012345678901234567890123 in", 7, 33,
		"the name of a tunnel has at most 31 letters" },
	{ "out tpc 1.2.3.4 1.2.3.5", 4, 3,
		"a protocol expected: tcp, udp, sctp, icmp, icmp6 or 1 to 255" },
	{ "out 0 1.2.3.4 1.2.3.5", 4, 1,
		"a protocol expected: tcp, udp, sctp, icmp, icmp6 or 1 to 255" },
	{ "out 256 1.2.3.4 1.2.3.5", 4, 3,
		"a protocol expected: tcp, udp, sctp, icmp, icmp6 or 1 to 255" },
	{ "out tcp 1.2.3.4:65536 1.2.3.5:1", 8, 13,
		"a port from 0 to 65535 expected behind the colon" },
	{ "out tcp 1.2.3.4: 1.2.3.5:1", 8, 8, "a port from 0 to 65535 expected behind the colon" },
	{ "out tcp 1.2.3.4:80 1.2.3.5", 19, 7, "both ends have a port or neither" },
	{ "out icmp 1.2.3.4:80 1.2.3.5:80", 9, 10, "this protocol has no ports" },
	{ "out tcp host 1.2.3.5", 8, 4, "a numeric address expected" },
	{ "out tcp 1.2.3.4", 15, 0, "a numeric address expected" },
	{ "out tcp 1.2.3.4 ::1", 16, 3, "both addresses must be of one family" },
	{ "out tcp [::1:80 ::2", 8, 7, "an address with port is written [2001:db8::1]:80" },
	{ "out tcp type 8 1.2.3.4 1.2.3.5", 8, 4, "only icmp and icmp6 have a type" },
	{ "out icmp6 type 8 1.2.3.4 1.2.3.5", 4, 5, "a type is known of a family's own icmp only" },
	{ "out icmp type 256 1.2.3.4 1.2.3.5", 14, 3, "a number from 0 to 255 expected" },
	{ "out icmp type 8 code 0 1.2.3.4 1.2.3.5 code 1", 39, 4, "nothing more expected" },
	{ "out tcp 1.2.3.4 1.2.3.5 ipsec", 24, 5, "nothing more expected" },
	{ "in icmp 1.2.3.4 1.2.3.5 about udp 1.2.3.5:1 1.2.3.4:2", 24, 5,
		"only an ICMP error is about another packet" },
	{ "in icmp type 5 1.2.3.4 1.2.3.5 about udp 1.2.3.5:1 1.2.3.4:2", 31, 5,
		"only an ICMP error is about another packet" },
	{ "in icmp type 130 ::1 ::2 about udp [::2]:1 [::1]:2", 25, 5,
		"only an ICMP error is about another packet" },
	{ "tunnel t in icmp type 3 1.2.3.4 1.2.3.5 about udp 1.2.3.5:1 1.2.3.4:2", 40, 5,
		"rules of a tunnel judge errors as any other packet" },
	{ "in icmp type 3 1.2.3.4 1.2.3.5 about", 36, 0,
		"a protocol expected: tcp, udp, sctp, icmp, icmp6 or 1 to 255" },
	{ "in icmp type 3 1.2.3.4 1.2.3.5 about udp 1.2.3.5 1.2.3.4", 37, 3,
		"the packet in an error shows its ports" },
	{ "in icmp type 3 1.2.3.4 1.2.3.5 about icmp 1.2.3.5 1.2.3.4", 37, 4,
		"the packet in an error shows its type" },
	{ "in icmp type 3 1.2.3.4 1.2.3.5 about udp [::1]:1 [::2]:2", 37, 3,
		"an error and the packet in it are of one family" },
};

START_TEST(wrong_texts_are_told)
{
	struct spd_flow_error error = { 0 };
	struct spd_query q;

	ck_assert_int_eq(spd_flow_parse(wrongs[_i].text, strlen(wrongs[_i].text), &q, NULL, &error),
		-EINVAL);
	ck_assert_str_eq(error.text, wrongs[_i].message);
	ck_assert_msg(error.offset == wrongs[_i].offset && error.length == wrongs[_i].length,
		"%s: %zu, %zu", wrongs[_i].text, error.offset, error.length);
}
END_TEST

START_TEST(what_follows_is_the_callers)
{
	static const char text[] = "out icmp 1.2.3.4 1.2.3.5 type 8  drop rule";
	struct spd_query q;
	size_t used;

	ck_assert_int_eq(spd_flow_parse(text, strlen(text), &q, &used, NULL), 0);
	ck_assert_str_eq(text + used, "drop rule");
	/* No further than its length. */
	ck_assert_int_eq(spd_flow_parse(text, 24, &q, &used, NULL), 0);
	ck_assert_uint_eq(used, 24);
	ck_assert(!q.flow.has_icmp);
}
END_TEST

static const struct {
	const char *query;
	struct selector selector;
	enum spd_miss miss;
	const char *text;
} misses[] = {
	{ "out tcp 10.0.0.5:1 192.0.2.7:2", { 0 }, SPD_MISS_NONE, "matches" },
	{ "out tcp 10.0.0.5:1 192.0.2.7:2", { .family = AF_INET6 }, SPD_MISS_FAMILY,
		"is for IPv6" },
	{ "out tcp ::1 ::2", { .family = AF_INET }, SPD_MISS_FAMILY, "is for IPv4" },
	{ "out tcp ::1 ::2", { .remote = { .addr = { .family = AF_INET } } }, SPD_MISS_FAMILY,
		"is for IPv4" },
	{ "out tcp ::1 ::2", { .protocol = 17 }, SPD_MISS_PROTOCOL, "protocol 6 is not 17" },
	{ "out tcp ::1 ::2", { .local_port = 17 }, SPD_MISS_HIDDEN_PORTS,
		"names ports, of which the packet shows none" },
	{ "out tcp 10.0.0.5:1 192.0.2.7:2", { .local_port = 2 }, SPD_MISS_LOCAL_PORT,
		"local port 1 is not 2" },
	{ "out tcp 10.0.0.5:1 192.0.2.7:2", { .remote_port = 3, .remote_port_last = 9 },
		SPD_MISS_REMOTE_PORT, "remote port 2 is not in 3-9" },
	{ "out tcp 10.0.0.5:1 192.0.2.7:2", { .remote_port = 1, .remote_port_last = 2 },
		SPD_MISS_NONE, "matches" },
	{ "out tcp 10.0.0.5:1 192.0.2.7:2", { .has_icmp_code = true }, SPD_MISS_HIDDEN_ICMP,
		"names an ICMP type, of which the packet shows none" },
	{ "out icmp 10.0.0.5 192.0.2.7 type 8",
		{ .has_icmp_type = true, .icmp_type_low = 9, .icmp_type_high = 10 },
		SPD_MISS_ICMP_TYPE, "type 8 is not in 9-10" },
	{ "out icmp 10.0.0.5 192.0.2.7 type 8 code 1", { .has_icmp_code = true },
		SPD_MISS_ICMP_CODE, "code 1 is not 0" },
	{ "out tcp 10.0.0.5:1 192.0.2.7:2",
		{ .local = { .addr = { .family = AF_INET, .bytes = { 11 } }, .bits = 8 } },
		SPD_MISS_LOCAL_ADDRESS, "local address 10.0.0.5 is outside 11.0.0.0/8" },
	{ "in tcp 10.0.0.5:1 192.0.2.7:2",
		{ .remote = { .addr = { .family = AF_INET, .bytes = { 10, 0, 0, 6 } },
			  .bits = 32 } },
		SPD_MISS_REMOTE_ADDRESS, "remote address 10.0.0.5 is not 10.0.0.6/32" },
};

START_TEST(each_part_is_told)
{
	CLEANUP(rule_freep) struct rule *rule = rules_make(misses[_i].selector, rules_esp, 0);
	CLEANUP(text_done) struct text text = { 0 };
	struct spd_query q = query(misses[_i].query);
	struct spd_missed missed = { rule, spd_miss_of(rule, &q.flow) };

	ck_assert_str_eq(spd_miss_name(missed.why), spd_miss_name(misses[_i].miss));
	ck_assert_int_eq(
		selector_match(&rule->selector, &q.flow), misses[_i].miss == SPD_MISS_NONE);
	spd_miss_print(&missed, &q.flow, &text);
	ck_assert_str_eq(text.str, misses[_i].text);
}
END_TEST

static struct spd *policy(void)
{
	struct rule *rules[] = {
		rules_make((struct selector){ .protocol = 17 }, rules_bypass, 0),
		rules_make((struct selector){ .remote_port = 80 }, rules_drop, 1),
		rules_make((struct selector){ .protocol = 6 }, rules_esp, 2),
		rules_make((struct selector){ .protocol = 6 }, rules_drop, 3),
		rules_make((struct selector){ .protocol = 17 }, rules_esp, 4),
		rules_make((struct selector){ .remote_port = 443 }, rules_drop, 5),
	};
	struct spd *spd = NULL;

	rules[1]->directions = DIRECTION_BIT_IN;
	ck_assert_int_eq(text_copy(rules[4]->tunnel, RULE_TUNNEL_MAX, "tun0"), 0);
	rules[5]->audit = true;
	ck_assert_int_eq(spd_new(rules, ARRAY_SIZE(rules), SPD_FIRST_MATCH, &spd), 0);
	return spd;
}

static const struct {
	const char *query;
	int rule; /* place in match order, -1: none */
	enum spd_treatment treatment;
	size_t n_missed;
	bool audited;
} decisions[] = {
	{ "out tcp 10.0.0.5:1 192.0.2.7:80", 2, SPD_PROTECT, 2, false },
	{ "out tcp 10.0.0.5:1 192.0.2.7:443", 2, SPD_PROTECT, 2, true },
	{ "in tcp 10.0.0.5:80 192.0.2.7:1", 1, SPD_DISCARD, 1, false },
	{ "out udp 10.0.0.5:1 192.0.2.7:80", 0, SPD_BYPASS, 0, false },
	{ "out icmp 10.0.0.5 192.0.2.7", -1, SPD_NOT_COVERED, 4, false },
	{ "forward tcp 10.0.0.5:1 192.0.2.7:80", -1, SPD_NOT_COVERED, 0, false },
	/* Errors: about what came, about what was sent, and about what is forwarded. */
	{ "out icmp type 3 10.0.0.5 192.0.2.7 about tcp 192.0.2.7:80 10.0.0.5:9", 2, SPD_PROTECT, 2,
		false },
	{ "out icmp type 3 10.0.0.5 192.0.2.7 about tcp 192.0.2.7:443 10.0.0.5:9", 2, SPD_PROTECT,
		2, true },
	{ "out icmp type 3 10.0.0.5 192.0.2.7 about udp 192.0.2.7:80 10.0.0.5:9", 0, SPD_BYPASS, 0,
		false },
	{ "in icmp type 3 10.0.0.5 192.0.2.7 about tcp 192.0.2.7:1 10.0.0.5:80", 1, SPD_DISCARD, 1,
		false },
	{ "in icmp type 3 203.0.113.1 192.0.2.7 about tcp 192.0.2.7:1 10.0.0.5:80", 1, SPD_DISCARD,
		1, false },
	{ "out icmp type 3 10.0.0.6 192.0.2.7 about tcp 192.0.2.7:1 10.0.0.5:80", -1,
		SPD_NOT_COVERED, 0, false },
	{ "tunnel tun0 out udp 10.0.0.5:1 192.0.2.7:80", 4, SPD_PROTECT, 0, false },
	{ "tunnel tun0 out tcp 10.0.0.5:1 192.0.2.7:80", -1, SPD_DISCARD, 1, false },
	{ "tunnel tun1 out tcp 10.0.0.5:1 192.0.2.7:80", -1, SPD_NOT_COVERED, 0, false },
};

START_TEST(decisions_are_explained)
{
	CLEANUP(spd_freep) struct spd *spd = policy();
	CLEANUP(spd_explanation_done) struct spd_explanation e = { 0 };
	struct spd_query q = query(decisions[_i].query);
	int place = decisions[_i].rule;
	const struct rule *want = place < 0 ? NULL : spd->rules[place], *decided = NULL;
	enum spd_treatment treatment;
	const char *name;

	ck_assert_int_eq(spd_explain(spd, &q, &e), 0);
	ck_assert_ptr_eq(e.rule, want);
	ck_assert_int_eq(e.treatment, decisions[_i].treatment);
	ck_assert_uint_eq(e.n_missed, decisions[_i].n_missed);
	ck_assert_int_eq(e.audit != NULL, decisions[_i].audited);
	ck_assert_int_eq(e.not_subject, spd_query_is_forwarded(&q));
	for (size_t i = 0; i < e.n_missed; i++)
		ck_assert_int_ne(e.missed[i].why, SPD_MISS_NONE);
	ck_assert_int_eq(spd_decide(spd, &q, &decided), e.treatment);
	ck_assert_ptr_eq(decided, want);
	name = spd_treatment_name(e.treatment);
	ck_assert_int_eq(spd_treatment_parse(name, strlen(name), &treatment), 0);
	ck_assert_int_eq(treatment, e.treatment);
	ck_assert_int_eq(spd_treatment_parse(name, strlen(name) - 1, &treatment), -EINVAL);
}
END_TEST

/* Kind and order of its rule on the old side, on the new one; -1: none. */
static void expect_change(
	const struct spd_diff *diff, size_t i, enum spd_change_kind kind, int before, int after)
{
	const struct spd_change *c = &diff->changes[i];

	ck_assert_uint_lt(i, diff->count);
	ck_assert_str_eq(spd_change_name(c->kind), spd_change_name(kind));
	ck_assert_int_eq(c->before ? (int)c->before->order : -1, before);
	ck_assert_int_eq(c->after ? (int)c->after->order : -1, after);
}

START_TEST(differences)
{
	struct rule *old[5], *new[5];
	CLEANUP(spd_freep) struct spd *before = NULL;
	CLEANUP(spd_freep) struct spd *after = NULL;
	CLEANUP(spd_diff_done) struct spd_diff diff = { 0 };
	CLEANUP(spd_diff_done) struct spd_diff same = { 0 };
	CLEANUP(spd_diff_done) struct spd_diff all = { 0 };

	for (uint16_t i = 0; i < 5; i++)
		old[i] = rules_make(
			(struct selector){ .remote_port = (uint16_t)(i + 1) }, rules_esp, i);
	/* 1 changes, 2 goes, 3 and 4 change places, 5 stays, 6 comes. */
	new[0] = rules_make((struct selector){ .remote_port = 1 }, rules_drop, 0);
	new[1] = rules_make((struct selector){ .remote_port = 4 }, rules_esp, 1);
	new[2] = rules_make((struct selector){ .remote_port = 3 }, rules_esp, 2);
	new[3] = rules_make((struct selector){ .remote_port = 5 }, rules_esp, 3);
	new[4] = rules_make((struct selector){ .remote_port = 6 }, rules_esp, 4);
	new[4]->audit = true;
	ck_assert_int_eq(spd_new(old, 5, SPD_FIRST_MATCH, &before), 0);
	ck_assert_int_eq(spd_new(new, 5, SPD_FIRST_MATCH, &after), 0);
	ck_assert_int_eq(spd_diff(before, after, &diff), 0);
	ck_assert_uint_eq(diff.count, 4);
	expect_change(&diff, 0, SPD_CHANGED, 0, 0);
	expect_change(&diff, 1, SPD_REMOVED, 1, -1);
	expect_change(&diff, 2, SPD_MOVED, 2, 2);
	expect_change(&diff, 3, SPD_ADDED, -1, 4);
	ck_assert_int_eq(spd_diff(after, after, &same), 0);
	ck_assert_uint_eq(same.count, 0);
	ck_assert_int_eq(spd_diff(NULL, after, &all), 0);
	ck_assert_uint_eq(all.count, 5);
}
END_TEST

START_TEST(flows_change)
{
	struct rule *old = rules_make((struct selector){ .protocol = 6 }, rules_esp, 0);
	struct rule *new = rules_make((struct selector){ .protocol = 6 }, rules_ah, 0);
	CLEANUP(spd_freep) struct spd *before = NULL;
	CLEANUP(spd_freep) struct spd *after = NULL;
	struct spd_query tcp = query("out tcp 10.0.0.5:1 192.0.2.7:80");
	struct spd_query udp = query("out udp 10.0.0.5:1 192.0.2.7:80");
	struct spd_flow_change change;

	ck_assert_int_eq(spd_new(&old, 1, SPD_FIRST_MATCH, &before), 0);
	ck_assert_int_eq(spd_new(&new, 1, SPD_FIRST_MATCH, &after), 0);
	spd_diff_flow(before, after, &tcp, &change);
	ck_assert(change.differs && change.before == SPD_PROTECT && change.after == SPD_PROTECT);
	ck_assert(change.rule_before == old && change.rule_after == new);
	spd_diff_flow(before, before, &tcp, &change);
	ck_assert(!change.differs);
	spd_diff_flow(before, NULL, &tcp, &change);
	ck_assert(change.differs && change.after == SPD_NOT_COVERED);
	spd_diff_flow(before, NULL, &udp, &change);
	ck_assert(!change.differs);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("spd_explain");
	TCase *tc = tcase_create("spd_explain");

	tcase_add_loop_test(tc, flows_are_read, 0, ARRAY_SIZE(flows));
	tcase_add_test(tc, ends_stand_as_in_the_packet);
	tcase_add_loop_test(tc, wrong_texts_are_told, 0, ARRAY_SIZE(wrongs));
	tcase_add_test(tc, what_follows_is_the_callers);
	tcase_add_loop_test(tc, each_part_is_told, 0, ARRAY_SIZE(misses));
	tcase_add_loop_test(tc, decisions_are_explained, 0, ARRAY_SIZE(decisions));
	tcase_add_test(tc, differences);
	tcase_add_test(tc, flows_change);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
