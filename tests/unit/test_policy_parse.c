/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What policy texts mean, where names of several addresses and earlier policy play a part. */
#include "services/policy/policy_file.h"
#include "services/policy/policy_names.h"
#include "tests/unit/policy_world.h"
#include "tests/unit/suite.h"

static int parse(const char *source, const struct policy_file *base, struct conf_diags *diags,
	struct policy_file **ret_file)
{
	CLEANUP(alg_table_freep) struct alg_table *algs = world_table();
	struct policy_input input = {
		.label = "in",
		.source = source,
		.len = strlen(source),
		.algs = algs,
		.resolver = &world_resolver,
		.base = base,
	};

	return policy_parse(&input, diags, ret_file);
}

/* Rules in file order with numbers in the place of names, one a line; or the codes of what is wrong. */
static char *meaning(const char *source)
{
	CLEANUP(conf_diags_freep) struct conf_diags *diags = conf_diags_new();
	CLEANUP(policy_file_freep) struct policy_file *file = NULL;
	struct text text = { 0 };
	char *str;

	if (parse(source, NULL, diags, &file) < 0) {
		for (size_t i = 0; i < conf_diags_count(diags); i++) {
			const struct conf_diag *diag = conf_diags_get(diags, i);

			if (diag->severity == CONF_ERROR)
				text_addf(&text, "%u:%u %s\n", diag->loc.line, diag->loc.column,
					diag->code);
		}
	} else {
		for (size_t i = 0; i < file->n_rules; i++) {
			rule_print(file->rules[i], NULL, file->rules[i]->directions, &text);
			text_add_char(&text, '\n');
		}
	}
	text_add(&text, "");
	ck_assert_int_eq(text_take(&text, &str), 0);
	return str;
}

static const struct {
	const char *name;
	const char *source;
	const char *want;
} cases[] = {
	{ "a name of one address", "{raddr one dir in} drop {}",
		"{ raddr 192.0.2.1/32 dir in } drop { } \n" },
	{ "a prefix on a name", "{raddr one/24 dir in} drop {}",
		"{ raddr 192.0.2.0/24 dir in } drop { } \n" },
	{ "a prefix on a name of several", "{raddr dual/24 dir in} drop {}", "1:13 addr-multi\n" },
	{ "each address", "{raddr multi dir in} drop {}",
		"{ raddr 192.0.2.10/32 dir in } drop { } \n"
		"{ raddr 192.0.2.11/32 dir in } drop { } \n"
		"{ raddr 2001:db8::10/128 dir in } drop { } \n" },
	{ "pairs of one family", "{laddr dual raddr multi dir in} drop {}",
		"{ laddr 192.0.2.20/32 raddr 192.0.2.10/32 dir in } drop { } \n"
		"{ laddr 192.0.2.20/32 raddr 192.0.2.11/32 dir in } drop { } \n"
		"{ laddr 2001:db8::20/128 raddr 2001:db8::10/128 dir in } drop { } \n" },
	{ "no pair", "{laddr one raddr six dir in} drop {}", "1:18 addr-pairs\n" },
	{ "a network", "{raddr labnet/24 dir in} drop {}",
		"{ raddr 198.51.100.0/24 dir in } drop { } \n" },
	{ "a network with a mask", "{saddr labnet smask 255.255.255.0 dir in} drop {}",
		"{ raddr 198.51.100.0/24 dir in } drop { } \n" },
	{ "a network without a prefix", "{raddr labnet dir in} drop {}", "1:8 addr-network\n" },
	{ "a name that nobody answers for", "{raddr slow dir in} drop {}", "1:8 addr-timeout\n" },
	{ "a host that is called like a selector", "{raddr src dir in} drop {}",
		"{ raddr 192.0.2.30/32 dir in } drop { } \n" },
	{ "zero means not given", "{ulp 0 lport 0 dir in} drop {}", "{ dir in } drop { } \n" },
	{ "a transport tunnel is unique",
		"{tunnel t negotiate transport dir out} ipsec {auth_algs 5}",
		"{ tunnel t negotiate transport dir out } ipsec { auth_algs 5(256) sa unique } "
		"\n" },
	{ "any, strongest first", "{dir in lport 1} ipsec {encr_algs any encr_auth_algs sha256}",
		"{ lport 1 dir in } ipsec { encr_algs 3(192) encr_auth_algs 5(256) sa shared } or "
		"ipsec { encr_algs 12(128..256) encr_auth_algs 5(256) sa shared } or "
		"ipsec { encr_algs 20(128..256) sa shared } or "
		"ipsec { encr_algs 2(64) encr_auth_algs 5(256) sa shared } or "
		"ipsec { encr_algs 11 encr_auth_algs 5(256) sa shared } \n" },
	{ "any never stands for no protection at all",
		"{dir in lport 1} ipsec {encr_algs any(0..64)}",
		"{ lport 1 dir in } ipsec { encr_algs 2(64) sa shared } \n" },
	{ "any, ciphers slowest",
		"{dir in} ipsec {encr_algs any(192) auth_algs any(160..256) encr_auth_algs "
		"any(512)}",
		"{ dir in } ipsec { auth_algs 5(256) encr_algs 3(192) encr_auth_algs 7(512) sa "
		"shared } or "
		"ipsec { auth_algs 3(160) encr_algs 3(192) encr_auth_algs 7(512) sa shared } or "
		"ipsec { auth_algs 5(256) encr_algs 12(192) encr_auth_algs 7(512) sa shared } or "
		"ipsec { auth_algs 3(160) encr_algs 12(192) encr_auth_algs 7(512) sa shared } or "
		"ipsec { auth_algs 5(256) encr_algs 20(192) sa shared } or "
		"ipsec { auth_algs 3(160) encr_algs 20(192) sa shared } \n" },
	{ "several errors in one run", "{lport x\n rport y} dorp {}\n{ulp z} drop {}",
		"1:8 port-value\n2:8 port-value\n2:11 action-unknown\n3:6 protocol-value\n" },
	{ "a value that is missing before a selector", "{lport rport 5 dir in} drop {}",
		"1:2 value-missing\n" },
};

START_TEST(meanings)
{
	char *said = meaning(cases[_i].source);

	ck_assert_msg(strcmp(said, cases[_i].want) == 0, "%s:\n%s", cases[_i].name, said);
	free(said);
}
END_TEST

START_TEST(base_stays_before)
{
	CLEANUP(conf_diags_freep) struct conf_diags *diags = conf_diags_new();
	CLEANUP(policy_file_freep) struct policy_file *base = NULL, *more = NULL, *rest = NULL;

	ck_assert_int_eq(
		parse("{lport 1 dir in} drop {}\n{tunnel t negotiate tunnel dir in} drop {}\n",
			NULL, diags, &base),
		0);
	ck_assert_int_eq(
		parse("{lport 1 dir in} pass {}\n{lport 2 dir in} drop {}\n", base, diags, &more),
		0);
	ck_assert_uint_eq(more->n_rules, 3); /* one was a duplicate of the base's */
	ck_assert_uint_eq(more->n_entries, 4);
	ck_assert_uint_eq(more->entries[2].n_rules, 0);
	ck_assert_str_eq(conf_diags_get(diags, 0)->code, "rule-duplicate");
	ck_assert_int_eq(policy_file_without(more, POLICY_HOST, "", &rest), 0);
	ck_assert_uint_eq(rest->n_rules, 1);
	ck_assert_str_eq(rest->rules[0]->tunnel, "t");
	policy_file_free(STEAL(rest));
	ck_assert_int_eq(policy_file_without(more, POLICY_ONE_TUNNEL, "t", &rest), 0);
	ck_assert_uint_eq(rest->n_rules, 2);
}
END_TEST

START_TEST(tunnel_mode_of_the_base_counts)
{
	CLEANUP(conf_diags_freep) struct conf_diags *diags = conf_diags_new();
	CLEANUP(policy_file_freep) struct policy_file *base = NULL, *more = NULL;

	ck_assert_int_eq(
		parse("{tunnel t negotiate tunnel} ipsec {auth_algs 5}", NULL, diags, &base), 0);
	ck_assert_int_eq(
		parse("{tunnel t negotiate transport} ipsec {auth_algs 5}", base, diags, &more),
		-EBADMSG);
	ck_assert_str_eq(conf_diags_get(diags, 0)->code, "tunnel-mode");
}
END_TEST

START_TEST(text_of_an_entry)
{
	CLEANUP(conf_diags_freep) struct conf_diags *diags = conf_diags_new();
	CLEANUP(policy_file_freep) struct policy_file *file = NULL;

	ck_assert_int_eq(
		parse("# head\n  {lport 1 # local\n\n# alone\n dir in}\n\tdrop {}  # tail\n", NULL,
			diags, &file),
		0);
	ck_assert_str_eq(file->entries[0].text, "{lport 1\n dir in}\n\tdrop {}");
	ck_assert_uint_eq(file->entries[0].line, 2);
	ck_assert_uint_eq(file->rules[0]->line, 2);
}
END_TEST

/* Many rules: duplicates are found, and time does not grow with their square. */
START_TEST(many_rules)
{
	CLEANUP(conf_diags_freep) struct conf_diags *diags = conf_diags_new();
	CLEANUP(policy_file_freep) struct policy_file *file = NULL;
	CLEANUP(text_done) struct text text = { 0 };
	const unsigned int count = 20000;

	for (unsigned int i = 0; i < count; i++)
		text_addf(&text, "{raddr 10.%u.%u.0/24 lport %u dir in} drop {}\n", i >> 8 & 255,
			i & 255, 1 + i % 3);
	text_add(&text, "{lport 1 raddr 10.0.0.7/24 dir both} pass {}\n");
	ck_assert_int_eq(parse(text.str, NULL, diags, &file), 0);
	ck_assert_uint_eq(file->n_rules, count);
	ck_assert_uint_eq(conf_diags_count(diags), 1);
	ck_assert_uint_eq(conf_diags_get(diags, 0)->loc.line, count + 1);
}
END_TEST

static bool some_host(void *userdata, const struct address *addr, char *ret_name, size_t size)
{
	(void)userdata;
	return addr->family == AF_INET && text_copy(ret_name, size, "peer") == 0;
}

static bool some_service(void *userdata, uint16_t port, char *ret_name, size_t size)
{
	(void)userdata;
	return port == 22 && text_copy(ret_name, size, "ssh") == 0;
}

static bool some_protocol(void *userdata, uint8_t protocol, char *ret_name, size_t size)
{
	(void)userdata;
	return protocol == 6 && text_copy(ret_name, size, "tcp") == 0;
}

START_TEST(names_in_a_listing)
{
	static const struct namer namer = {
		.host = some_host, .service = some_service, .protocol = some_protocol
	};
	struct text text = { 0 };

	policy_names_print(
		"{ ulp 6 laddr 192.0.2.0/24 lport 22 raddr 192.0.2.1/32 rport 23 dir in } "
		"ipsec { auth_algs 6 sa shared } ",
		&namer, &text);
	ck_assert_str_eq(text.str,
		"{ ulp tcp laddr 192.0.2.0/24 lport ssh raddr peer rport 23 dir in } "
		"ipsec { auth_algs 6 sa shared } ");
	text_done(&text);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("policy_parse");
	TCase *tc = tcase_create("policy_parse");

	tcase_add_loop_test(tc, meanings, 0, ARRAY_SIZE(cases));
	tcase_add_test(tc, base_stays_before);
	tcase_add_test(tc, tunnel_mode_of_the_base_counts);
	tcase_add_test(tc, text_of_an_entry);
	tcase_add_test(tc, many_rules);
	tcase_add_test(tc, names_in_a_listing);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
