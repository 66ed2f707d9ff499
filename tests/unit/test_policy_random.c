/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random policies, most of them without errors: what is printed means the same rules, and the
 * peer's file means them with their ends swapped, for each random packet.
 */
#include "common/spd/spd.h"
#include "services/policy/policy_file.h"
#include "tests/unit/policy_world.h"
#include "tests/unit/suite.h"

#define N_ENTRIES 40
#define N_FLOWS	  300
#define N_ROUNDS  150

static uint64_t state;

static uint32_t pick(uint32_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 33) % below;
}

static const char *one_of(const char *const *words, size_t count)
{
	return words[pick((uint32_t)count)];
}

#define ONE_OF(...)                                  \
	one_of((const char *const[]){ __VA_ARGS__ }, \
		sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(const char *))

static void add_pattern(struct text *text)
{
	bool v6 = pick(3) == 0;

	if (pick(2))
		text_addf(text, "%s %s ", ONE_OF("laddr", "local"),
			v6 ? ONE_OF("2001:db8::/32", "2001:db8::20", "six")
			   : ONE_OF("10.0.0.0/8", "10.1.0.0/16", "192.0.2.20", "one", "dual"));
	if (pick(2))
		text_addf(text, "%s %s ", ONE_OF("raddr", "remote"),
			v6 ? ONE_OF("2001:db8:1::/48", "2001:db8::10")
			   : ONE_OF("10.2.0.0/16", "192.0.2.10", "multi", "10.9.9.9,10.8.0.0/15"));
	if (pick(4) == 0) {
		text_addf(text, "ulp %s type %s ", v6 ? "ipv6-icmp" : "icmp",
			ONE_OF("echo", "3", "0-8"));
		return;
	}
	text_addf(text, "%s%s%s", ONE_OF("", "ulp tcp ", "proto 17 "),
		ONE_OF("", "lport ssh ", "lport 1024-2048 "),
		ONE_OF("", "rport 53 ", "rport 0x50 "));
}

static void add_entry(struct text *text)
{
	text_add(text, ONE_OF("{", "{ ", "{\n"));
	add_pattern(text);
	text_addf(text, "%s} %s\n", ONE_OF("dir in", "dir out", "dir both"),
		ONE_OF("drop {}", "pass {}", "ipsec {encr_algs aes-gcm(256)}",
			"ipsec {encr_algs aes encr_auth_algs sha256 sa unique}",
			"ipsec {auth_algs sha512} or pass {}", "bypass{ }# tail"));
}

static int parse(const char *source, size_t len, struct policy_file **ret_file)
{
	CLEANUP(conf_diags_freep) struct conf_diags *diags = conf_diags_new();
	CLEANUP(alg_table_freep) struct alg_table *algs = world_table();
	CLEANUP(text_done) struct text said = { 0 };
	struct policy_input input = {
		.label = "in",
		.source = source,
		.len = len,
		.algs = algs,
		.resolver = &world_resolver,
		.extensions = true,
	};
	int r = policy_parse(&input, diags, ret_file);

	conf_diags_print(diags, &said);
	/* A name of several addresses may leave no pair, nothing else is wrong with these texts. */
	ck_assert_msg(r == 0 || strstr(said.str, "addr-pairs"), "%s\n%s", source, said.str);
	return r;
}

static void print_rules(const struct policy_file *file, struct text *text)
{
	CLEANUP(alg_table_freep) struct alg_table *algs = world_table();

	for (size_t i = 0; i < file->n_rules; i++) {
		rule_print(file->rules[i], algs, file->rules[i]->directions, text);
		text_add_char(text, '\n');
	}
}

static struct address some_address(bool v6)
{
	struct address addr;

	ck_assert_int_eq(
		address_parse(
			v6 ? ONE_OF("2001:db8::20", "2001:db8::10", "2001:db8:1::1", "2001::1")
			   : ONE_OF("10.1.2.3", "10.2.0.1", "192.0.2.20", "192.0.2.10", "192.0.2.1",
				     "10.9.9.9", "172.16.0.1"),
			&addr),
		0);
	return addr;
}

static struct flow some_flow(void)
{
	bool v6 = pick(2) == 0;
	struct flow flow = {
		.direction = pick(2) ? DIRECTION_IN : DIRECTION_OUT,
		.local = some_address(v6),
		.remote = some_address(v6),
		.protocol = (uint8_t[]){ 6, 17, v6 ? 58 : 1, 50 }[pick(4)],
	};

	if (protocol_is_icmp(flow.protocol, flow.local.family)) {
		flow.has_icmp = true;
		flow.icmp_type = (uint8_t)pick(10);
	} else if (protocol_has_ports(flow.protocol) && pick(8)) {
		flow.has_ports = true;
		flow.local_port = (uint16_t[]){ 22, 1024, 2048, 2049, 5 }[pick(5)];
		flow.remote_port = (uint16_t[]){ 53, 80, 7 }[pick(3)];
	}
	return flow;
}

static struct flow swapped(const struct flow *flow)
{
	struct flow other = *flow;

	other.direction = flow->direction == DIRECTION_IN ? DIRECTION_OUT : DIRECTION_IN;
	other.local = flow->remote;
	other.remote = flow->local;
	other.local_port = flow->remote_port;
	other.remote_port = flow->local_port;
	return other;
}

/* Entries count, not rules: pairs of addresses of one entry may stand in another order. */
static uint32_t deciding_line(const struct spd *spd, const struct flow *flow)
{
	const struct rule *rule = spd_match(spd, "", flow);

	return rule ? rule->line : 0;
}

static size_t check_mirror(const struct policy_file *file, const struct text *source)
{
	CLEANUP(policy_file_freep) struct policy_file *peers = NULL;
	CLEANUP(spd_freep) struct spd *ours = NULL, *theirs = NULL;
	CLEANUP(text_done) struct text mirrored = { 0 };
	size_t decided = 0;

	ck_assert_int_eq(policy_mirror(source->str, source->len, &mirrored), 0);
	ck_assert_int_eq(parse(mirrored.str, mirrored.len, &peers), 0);
	ck_assert_int_eq(policy_file_spd(file, SPD_FIRST_MATCH, &ours), 0);
	ck_assert_int_eq(policy_file_spd(peers, SPD_FIRST_MATCH, &theirs), 0);
	for (size_t i = 0; i < N_FLOWS; i++) {
		struct flow flow = some_flow(), other = swapped(&flow);
		uint32_t line = deciding_line(ours, &flow);

		ck_assert_uint_eq(line, deciding_line(theirs, &other));
		decided += line != 0;
	}
	return decided;
}

START_TEST(random_policies)
{
	size_t good = 0, decided = 0;

	state = UINT64_C(0x2545f4914f6cdd1d);
	for (size_t round = 0; round < N_ROUNDS; round++) {
		CLEANUP(policy_file_freep) struct policy_file *file = NULL, *again = NULL;
		CLEANUP(text_done) struct text source = { 0 }, first = { 0 }, second = { 0 };

		for (uint32_t i = 1 + pick(N_ENTRIES); i > 0; i--)
			add_entry(&source);
		if (parse(source.str, source.len, &file) < 0)
			continue;
		good++;
		print_rules(file, &first);
		ck_assert_int_eq(parse(first.str, first.len, &again), 0);
		print_rules(again, &second);
		ck_assert_str_eq(first.str, second.str);
		decided += check_mirror(file, &source);
	}
	ck_assert_uint_gt(good, N_ROUNDS / 4);
	ck_assert_uint_gt(decided, good * N_FLOWS / 10);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("policy_random");
	TCase *tc = tcase_create("policy_random");

	tcase_add_test(tc, random_policies);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
