/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What lint says of rules, where it takes a host's tunnels, names and SAs to say it. */
#include "services/policy/lint.h"

#include <time.h>

#include "common/conf/hosts_file.h"
#include "services/policy/policy_parser.h"
#include "tests/unit/policy_world.h"
#include "tests/unit/random_policy.h"
#include "tests/unit/suite.h"

static int parse(const struct policy_input *given, const char *source, struct conf_diags *diags,
	struct policy_file **ret_file)
{
	CLEANUP(alg_table_freep) struct alg_table *algs = world_table();
	struct policy_input input = *given;

	input.label = "in";
	input.source = source;
	input.len = strlen(source);
	input.algs = algs;
	input.resolver = &world_resolver;
	return policy_parse(&input, diags, ret_file);
}

/* "line code" for each warning. */
static char *codes_of(const struct conf_diags *diags)
{
	struct text text = { 0 };
	char *str;

	for (size_t i = 0; i < conf_diags_count(diags); i++)
		text_addf(&text, "%u %s\n", conf_diags_get(diags, i)->loc.line,
			conf_diags_get(diags, i)->code);
	text_add(&text, "");
	ck_assert_int_eq(text_take(&text, &str), 0);
	return str;
}

#define GCM "{encr_algs aes-gcm}"

static const struct {
	const char *name, *source, *want;
	enum spd_precedence precedence;
} cases[] = {
	{ "nothing to say", "{lport 22 dir in} drop {}\n{lport 23} ipsec " GCM, "", 0 },
	{ "wider before narrower", "{lport 22 dir in} drop {}\n{lport 22 ulp tcp dir in} pass {}",
		"", 0 }, /* pass stands first */
	{ "never decides", "{lport 22 dir in} drop {}\n{lport 22 ulp tcp raddr one dir in} drop {}",
		"2 rule-shadowed\n", 0 },
	{ "one direction is left", "{lport 22 dir in} drop {}\n{lport 22 ulp tcp dir both} drop {}",
		"", 0 },
	{ "each direction by another",
		"{lport 22 dir in} drop {}\n{raddr one dir out} drop {}\n"
		"{lport 22 raddr one dir both} drop {}",
		"3 rule-shadowed\n", 0 },
	{ "a later bypass", "{lport 22 raddr one} ipsec " GCM "\n{lport 22 dir both} pass {}",
		"1 rule-shadowed\n", 0 },
	{ "other heads",
		"{raddr one dir in} drop {}\n"
		"{tunnel t negotiate tunnel raddr one lport 5 dir in} drop {}",
		"", 0 },
	{ "drop is last there", "{raddr one dir in} drop {}\n{raddr one lport 5} ipsec " GCM, "",
		SPD_SOLARIS_PRIORITY },
	{ "one warning an entry", "{dir in} drop {}\n{raddr multi dir in} drop {}",
		"2 rule-shadowed\n", 0 },
	{ "one way", "{daddr 192.0.2.1} apply " GCM, "1 rule-one-way\n", 0 },
	{ "both ways", "{daddr 192.0.2.1} apply " GCM "\n{saddr 192.0.2.1} permit " GCM, "", 0 },
	{ "the answers are bypassed", "{raddr one dir in} pass {}\n{raddr one dir out} ipsec " GCM,
		"2 rule-one-way\n", 0 },
	{ "a list with pass", "{raddr one dir out} ipsec " GCM " or pass {}", "", 0 },
	{ "wrong ICMP", "{ulp icmp raddr six dir in} drop {}", "1 rule-never\n", 0 },
	{ "groups do not send", "{raddr 224.0.0.0/4 dir in} drop {}", "1 rule-never\n", 0 },
	{ "groups receive", "{raddr 224.0.0.0/4 dir out} drop {}", "", 0 },
};

START_TEST(rules)
{
	CLEANUP(conf_diags_freep) struct conf_diags *diags = conf_diags_new();
	CLEANUP(policy_file_freep) struct policy_file *file = NULL;
	struct policy_input input = { .lint = true, .precedence = cases[_i].precedence };
	char *said;

	ck_assert_int_eq(parse(&input, cases[_i].source, diags, &file), 0);
	said = codes_of(diags);
	if (cases[_i].precedence == SPD_SOLARIS_PRIORITY)
		ck_assert_msg(!strstr(said, "shadowed"), "%s: %s", cases[_i].name, said);
	else
		ck_assert_msg(strcmp(said, cases[_i].want) == 0, "%s: %s", cases[_i].name, said);
	free(said);
}
END_TEST

START_TEST(earlier_sources_count_and_are_not_reported)
{
	CLEANUP(conf_diags_freep) struct conf_diags *diags = conf_diags_new();
	CLEANUP(policy_file_freep) struct policy_file *base = NULL, *more = NULL;
	struct policy_input input = { 0 };
	char *said;

	ck_assert_int_eq(
		parse(&input, "{lport 1 dir in} drop {}\n{lport 1 raddr one dir in} drop {}", diags,
			&base),
		0);
	input.lint = true;
	input.base = base;
	ck_assert_int_eq(parse(&input, "\n\n{lport 1 raddr six dir in} drop {}", diags, &more), 0);
	said = codes_of(diags);
	ck_assert_str_eq(said, "3 rule-shadowed\n");
	free(said);
}
END_TEST

START_TEST(tunnels_of_the_host)
{
	static const char source[] =
		"{tunnel vpn0 negotiate tunnel raddr 10.0.0.0/8 dir in} drop {}\n"
		"{tunnel vpn1 negotiate tunnel raddr 10.0.0.0/8 dir in} drop {}\n"
		"{tunnel vpn1 negotiate tunnel ulp tcp dir in} drop {}\n"
		"{tunnel vpn2 negotiate tunnel raddr 10.0.0.0/8 dir in} drop {}\n";
	CLEANUP(conf_diags_freep) struct conf_diags *diags = conf_diags_new();
	CLEANUP(policy_tunnels_freep) struct policy_tunnels *tunnels = policy_tunnels_new();
	CLEANUP(policy_file_freep) struct policy_file *file = NULL, *again = NULL;
	struct policy_input input = { .lint = true, .tunnels = tunnels };
	char *said;

	ck_assert_int_eq(policy_tunnels_add(tunnels, "vpn1", false, true), 0);
	ck_assert_int_eq(policy_tunnels_add(tunnels, "eth0", false, true), 0);
	ck_assert_int_eq(parse(&input, source, diags, &file), 0);
	said = codes_of(diags);
	ck_assert_str_eq(said, "2 tunnel-routing\n"); /* which tunnels there are is not known */
	free(said);
	conf_diags_free(STEAL(diags));
	diags = conf_diags_new();
	tunnels->known = true;
	ck_assert_int_eq(policy_tunnels_add(tunnels, "vpn1", true, false), 0);
	ck_assert_int_eq(policy_tunnels_add(tunnels, "vpn0", true, false), 0);
	ck_assert_int_eq(parse(&input, source, diags, &again), 0);
	said = codes_of(diags);
	ck_assert_str_eq(said, "2 tunnel-routing\n4 tunnel-absent\n");
	free(said);
}
END_TEST

START_TEST(names_that_need_a_network)
{
	static const char text[] =
		"127.0.0.1 localhost\n# 192.0.2.1 six\n192.0.2.1\tONE alias # dual";
	CLEANUP(conf_diags_freep) struct conf_diags *diags = conf_diags_new();
	CLEANUP(policy_file_freep) struct policy_file *file = NULL;
	CLEANUP(hosts_file_freep) struct hosts_file *hosts = NULL;
	struct policy_input input = { .lint = true };
	char *said;

	ck_assert_int_eq(hosts_file_new(text, sizeof(text) - 1, &hosts), 0);
	ck_assert(hosts_file_has(hosts, "alias") && hosts_file_has(hosts, "Localhost"));
	ck_assert(!hosts_file_has(hosts, "127.0.0.1") && !hosts_file_has(hosts, "dual"));
	input.hosts = hosts;
	ck_assert_int_eq(parse(&input,
				 "{raddr one dir in} drop {}\n{raddr six dir in} drop {}\n"
				 "{raddr labnet/24 dir in} drop {}",
				 diags, &file),
		0);
	said = codes_of(diags);
	ck_assert_str_eq(said, "2 name-network\n");
	free(said);
}
END_TEST

static struct sa *make_sa(const char *dst, uint8_t encr, uint16_t bits)
{
	struct sa *sa = sa_new();

	ck_assert_ptr_nonnull(sa);
	sa->proto = SA_PROTO_ESP;
	sa->spi = 1;
	ck_assert_int_eq(address_parse(dst, &sa->dst), 0);
	sa->encr = encr;
	sa->encr_key_bits = bits;
	return sa;
}

START_TEST(rules_that_no_sa_serves)
{
	static const char source[] = "{raddr 192.0.2.1} ipsec {encr_algs aes-gcm(256)}\n"
				     "{raddr 192.0.2.2} ipsec {encr_algs aes-gcm(256)}\n"
				     "{raddr 192.0.2.3} ipsec {encr_algs aes-gcm(128)}\n"
				     "{raddr 192.0.2.4} ipsec {auth_algs sha256}\n"
				     "{raddr 192.0.2.5 dir in} ipsec {auth_algs sha256}\n"
				     "{raddr 192.0.2.6} drop {}\n"
				     "{raddr 192.0.2.7} ipsec {encr_algs aes-gcm} or pass {}\n";
	CLEANUP(conf_diags_freep) struct conf_diags *diags = conf_diags_new();
	CLEANUP(policy_file_freep) struct policy_file *file = NULL;
	CLEANUP(sa_freep) struct sa *one = make_sa("192.0.2.1", ALG_ENCR_AES_GCM16, 256);
	CLEANUP(sa_freep) struct sa *three = make_sa("192.0.2.3", ALG_ENCR_AES_GCM16, 256);
	const struct sa *const sas[] = { one, three };
	struct policy_input input = { 0 };
	struct policy_lint lint = { .diags = diags };
	const struct sa **many;
	char *said;

	ck_assert_int_eq(parse(&input, source, diags, &file), 0);
	conf_diags_free(STEAL(diags)); /* of bypass rules without direction */
	diags = conf_diags_new();
	lint.diags = diags;
	lint.file = file;
	ck_assert_int_eq(policy_lint_sas(&lint, sas, ARRAY_SIZE(sas), true), 0);
	ck_assert_uint_eq(conf_diags_count(diags), 0);
	ck_assert_int_eq(policy_lint_sas(&lint, sas, ARRAY_SIZE(sas), false), 0);
	said = codes_of(diags);
	ck_assert_str_eq(said, "2 rule-unserved\n3 rule-unserved\n4 rule-unserved\n");
	free(said);
	conf_diags_free(STEAL(diags));
	diags = conf_diags_new();
	lint.diags = diags;
	many = calloc(POLICY_SAS_PAIRS_MAX / 4 + 1,
		sizeof(*many)); /* room for two rules, not for three */
	ck_assert_ptr_nonnull(many);
	for (size_t i = 0; i <= POLICY_SAS_PAIRS_MAX / 4; i++)
		many[i] = one;
	ck_assert_int_eq(policy_lint_sas(&lint, many, POLICY_SAS_PAIRS_MAX / 4, false), 0);
	free(many);
	said = codes_of(diags);
	ck_assert_str_eq(said, "0 rule-unserved\n2 rule-unserved\n");
	free(said);
}
END_TEST

/* What the search by prefixes has to find, from every rule and every one before it. */
static void print_order(const struct policy_file *file, struct text *text)
{
	for (size_t later = 1; later < file->n_rules; later++) {
		const struct rule *b = file->rules[later];

		for (size_t earlier = 0; earlier < later; earlier++) {
			const struct rule *a = file->rules[earlier];
			bool now = rule_is_bypass(b) && !rule_is_bypass(a);
			bool then = spd_solaris_priority(b) > spd_solaris_priority(a);

			if (now == then || !policy_rules_meet(a, b) || policy_same_actions(a, b))
				continue;
			text_addf(text, "%u line %u\n", b->line, a->line);
			break;
		}
	}
	text_add(text, "");
}

static void print_order_said(const struct conf_diags *diags, struct text *text)
{
	for (size_t i = 0; i < conf_diags_count(diags); i++) {
		const struct conf_diag *diag = conf_diags_get(diags, i);
		const char *line = strstr(diag->message, "line ");

		ck_assert_str_eq(diag->code, "rule-order");
		ck_assert_ptr_nonnull(line);
		text_addf(text, "%u %.*s\n", diag->loc.line,
			(int)(5 + strspn(line + 5, "0123456789")), line);
	}
	text_add(text, "");
}

static void add_random_rules(struct text *text, uint64_t *state)
{
	static const char *const remotes[] = { "", "raddr 10.0.0.0/8", "raddr 10.1.0.0/16",
		"raddr 10.1.1.0/24", "raddr 10.1.1.1", "raddr 10.2.0.0/16", "raddr 192.0.2.1",
		"raddr 2001:db8::/32", "raddr 2001:db8::1", "raddr 0.0.0.0/0" };
	static const char *const actions[] = { "drop {}", "pass {}", "ipsec {encr_algs aes-gcm}",
		"ipsec {auth_algs sha256}" };

	for (unsigned int i = 0; i < 24; i++)
		text_addf(text, "{%s lport %u dir in} %s\n",
			remotes[random_below(state, ARRAY_SIZE(remotes))],
			1 + random_below(state, 3),
			actions[random_below(state, ARRAY_SIZE(actions))]);
}

/* Duplicates make many of the texts invalid: these are not looked at. */
START_TEST(order_as_pair_by_pair)
{
	uint64_t state = 88172645463325252 + (uint64_t)_i;
	unsigned int found = 0, valid = 0;

	for (unsigned int round = 0; round < 400; round++) {
		CLEANUP(conf_diags_freep) struct conf_diags *diags = conf_diags_new();
		CLEANUP(conf_diags_freep) struct conf_diags *order = conf_diags_new();
		CLEANUP(policy_file_freep) struct policy_file *file = NULL;
		CLEANUP(text_done) struct text source = { 0 }, want = { 0 }, said = { 0 };
		struct policy_input input = { 0 };

		add_random_rules(&source, &state);
		if (parse(&input, source.str, diags, &file) < 0)
			continue;
		valid++;
		ck_assert_int_eq(policy_warn_order(file, 0, "in", order), 0);
		print_order(file, &want);
		print_order_said(order, &said);
		ck_assert_str_eq(said.str, want.str);
		found += conf_diags_count(order) > 0;
	}
	ck_assert_msg(valid > 20 && found > 10, "%u texts, %u with warnings", valid, found);
}
END_TEST

/* Thousands of hosts are compared with those that they meet; thousands of rules for any are not. */
START_TEST(order_of_many)
{
	CLEANUP(text_done) struct text hosts = { 0 }, ports = { 0 };
	const struct text *texts[] = { &hosts, &ports };
	static const char *const want[] = { "5001 rule-order\n", "0 rule-order\n" };

	for (unsigned int i = 0; i < 5000; i++) {
		text_addf(&hosts, "{raddr 10.0.%u.%u dir in} drop {}\n", i / 250, i % 250 + 1);
		text_addf(&ports, "{lport %u dir in} drop {}\n", i + 1);
	}
	text_add(&hosts, "{raddr 10.0.3.0/24 lport 7} ipsec " GCM "\n");
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		CLEANUP(conf_diags_freep) struct conf_diags *diags = conf_diags_new();
		CLEANUP(policy_file_freep) struct policy_file *file = NULL;
		struct policy_input input = { .lint = true };
		char *said;

		ck_assert_int_eq(parse(&input, texts[i]->str, diags, &file), 0);
		said = codes_of(diags);
		ck_assert_str_eq(said, want[i]);
		free(said);
	}
}
END_TEST

/* Three numbers between the two make a rule that no other line has. */
static const struct {
	const char *head, *tail;
} many[] = {
	{ "{raddr 10", "} ipsec " GCM }, { "{raddr 10", " ulp icmp type 8} ipsec " GCM },
	{ "{tunnel t", " negotiate tunnel} ipsec " GCM },
	{ "{raddr 10", " lport 22 ulp 47 dir out} ipsec {encr_algs 2}" }, /* warnings, many */
};

/* Processor time for @count such lines. */
static double seconds_for(unsigned int kind, unsigned int count)
{
	CLEANUP(text_done) struct text text = { 0 };
	CLEANUP(conf_diags_freep) struct conf_diags *diags = conf_diags_new();
	CLEANUP(policy_file_freep) struct policy_file *file = NULL;
	struct policy_input input = { .lint = true };
	clock_t start;

	text_add(&text, "{raddr 10.0.0.0/8 ulp 47} ipsec {encr_algs aes-gcm}\n");
	for (unsigned int i = 0; i < count; i++)
		text_addf(&text, "%s.%u.%u.%u%s\n", many[kind].head, i >> 16, i >> 8 & 255, i & 255,
			many[kind].tail);
	start = clock();
	ck_assert_int_eq(parse(&input, text.str, diags, &file), 0);
	return (double)(clock() - start) / CLOCKS_PER_SEC;
}

/* Eight times the rules take eight times the processor, not sixty-four times. */
START_TEST(time_of_many)
{
	double few = seconds_for((unsigned int)_i, 5000);
	double all = seconds_for((unsigned int)_i, 40000);

	ck_assert_msg(all < 30 * few || all < 1, "%.3f s, then %.3f s", few, all);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("policy_lint");
	TCase *tc = tcase_create("policy_lint");

	tcase_add_loop_test(tc, rules, 0, ARRAY_SIZE(cases));
	tcase_add_test(tc, earlier_sources_count_and_are_not_reported);
	tcase_add_test(tc, tunnels_of_the_host);
	tcase_add_test(tc, names_that_need_a_network);
	tcase_add_test(tc, rules_that_no_sa_serves);
	tcase_add_loop_test(tc, order_as_pair_by_pair, 0, 3);
	tcase_add_test(tc, order_of_many);
	tcase_add_loop_test(tc, time_of_many, 0, ARRAY_SIZE(many));
	tcase_set_timeout(tc, 120);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
