/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The key file and the algorithm file, with an allocator that fails at each call in turn. */
#include <errno.h>
#include <string.h>

#include "common/daemon/algs.h"
#include "services/manual-key/keys_list.h"
#include "tests/unit/failing_malloc.h"
#include "tests/unit/suite.h"

#define KEY128 "000102030405060708090a0b0c0d0e0f"
#define KEY256 "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f"
#define ENDS   "src 192.0.2.1 dst 192.0.2.17 "
#define SUITE  "encr_alg aes encrkey " KEY128 " auth_alg sha256 authkey " KEY256 " "

static const char *const sources[] = {
	"add esp spi 1001 " ENDS SUITE "\nadd esp spi 1002 src 192.0.2.17 dst 192.0.2.1 " SUITE
	"\n",
	/* bad, with hints and a warning */
	"add esp spi 1001 " ENDS "encr_alg aez encrkey " KEY128 "\n"
	"ad esp spi 1002 " ENDS SUITE "\n"
	"add esp spi 1003 " ENDS "encr_alg 3des encrkey " KEY128 "0001020304050608\n",
};

static struct {
	struct alg_table *algs;
	const char *source;
	unsigned long refused;
} w;

static int parse_keys(void *userdata)
{
	CLEANUP(conf_diags_freep) struct conf_diags *diags = conf_diags_new();
	CLEANUP(keys_file_freep) struct keys_file *file = NULL;
	CLEANUP(sa_list_freep) struct sa_list *list = NULL;
	CLEANUP(freep) struct keys_times *times = NULL;
	CLEANUP(text_done) struct text text = { 0 };
	struct keys_input in = {
		.label = "in",
		.source = w.source,
		.len = strlen(w.source),
		.resolver = &resolver_system,
		.algs = w.algs,
	};
	int r = diags ? keys_parse(&in, diags, &file) : -ENOMEM;

	(void)userdata;
	if (r == 0)
		r = keys_list_build(file, w.algs, true, diags, &list, &times);
	if (r == 0 && !list)
		return -EINVAL;
	if (diags)
		conf_diags_print(diags, &text);
	return r;
}

static int parse_algorithms(void *userdata)
{
	CLEANUP(alg_table_freep) struct alg_table *table = NULL;
	int r = algs_builtin(&table);

	(void)userdata;
	return (r == 0) == (table != NULL) ? r : -EINVAL;
}

static void check(int result, unsigned long number, int want)
{
	w.refused += result == -ENOMEM;
	ck_assert_msg(result == want || (number && (result == -ENOMEM || result == -EBADMSG)),
		"call %lu: %d", number, result);
}

START_TEST(keys)
{
	unsigned long all;
	int want;

	ck_assert_int_eq(algs_builtin(&w.algs), 0);
	w.source = sources[_i];
	want = parse_keys(NULL);
	all = fail_each(parse_keys, NULL, want, check);
	ck_assert_uint_gt(all, 20);
	ck_assert_uint_gt(w.refused, 5);
	alg_table_free(w.algs);
}
END_TEST

START_TEST(algorithms)
{
	unsigned long all = fail_each(parse_algorithms, NULL, 0, check);

	ck_assert_uint_gt(all, 20);
	ck_assert_uint_gt(w.refused, 5);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("keys_memory");
	TCase *tc = tcase_create("keys_memory");

	tcase_add_loop_test(tc, keys, 0, ARRAY_SIZE(sources));
	tcase_add_test(tc, algorithms);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
