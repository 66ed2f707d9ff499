/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The policy parser with an allocator that fails once, at each call in turn: the answer is that
 * there is no memory, or a diagnostic more or less; nothing is lost and nothing is touched twice.
 * Linked with --wrap for the functions below.
 */
#include "services/policy/policy_file.h"
#include "tests/unit/failing_malloc.h"
#include "tests/unit/policy_world.h"
#include "tests/unit/suite.h"

static const char *const sources[] = {
	/* good, with warnings */
	"{laddr dual raddr multi} ipsec {encr_algs 3des}\n"
	"{lport 22} bypass {} # in clear\n"
	"{ulp icmp type 8} ipsec {encr_algs aes-gcm} or pass {}\n"
	"{ulp icmp type 8} ipsec {auth_algs md5}\n"
	"{tunnel t negotiate tunnel} ipsec {encr_algs any encr_auth_algs any}\n",
	/* bad, with hints */
	"{lprt 22} drop {}\n{lport 22} ipsec {encr_algs ase}\n{lport 22} dorp {}\n",
};

/* Parse, put in order, print; all that the service and the command do with a text. */
static int run(const char *source, struct alg_table *algs)
{
	CLEANUP(conf_diags_freep) struct conf_diags *diags = conf_diags_new();
	CLEANUP(policy_file_freep) struct policy_file *file = NULL, *rest = NULL;
	CLEANUP(spd_freep) struct spd *spd = NULL;
	CLEANUP(text_done) struct text text = { 0 };
	struct policy_input input = {
		.label = "in",
		.source = source,
		.len = strlen(source),
		.algs = algs,
		.resolver = &world_resolver,
		.lint = true,
	};
	int r = diags ? policy_parse(&input, diags, &file) : -ENOMEM;

	if (diags)
		conf_diags_print(diags, &text);
	if (r == 0)
		r = policy_file_without(file, POLICY_HOST, "", &rest);
	if (r == 0)
		r = policy_file_spd(file, SPD_FIRST_MATCH, &spd);
	if (r == 0)
		policy_file_print(file, &text);
	return r;
}

START_TEST(each_allocation_may_fail)
{
	CLEANUP(alg_table_freep) struct alg_table *algs = world_table();
	int want = run(sources[_i], algs);
	unsigned long all, refused = 0;

	calls = 0;
	ck_assert_int_eq(run(sources[_i], algs), want);
	all = calls;
	ck_assert_uint_gt(all, 20);
	for (unsigned long n = 1; n <= all; n++) {
		int r;

		calls = 0;
		fail_at = n;
		r = run(sources[_i], algs);
		fail_at = 0;
		refused += r == -ENOMEM;
		ck_assert_msg(r == want || r == -ENOMEM || r == -EBADMSG, "call %lu: %d", n, r);
	}
	ck_assert_uint_gt(refused, 5); /* the failures did reach the parser */
	ck_assert_int_eq(run(sources[_i], algs), want);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("policy_memory");
	TCase *tc = tcase_create("policy_memory");

	tcase_add_loop_test(tc, each_allocation_may_fail, 0, ARRAY_SIZE(sources));
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
