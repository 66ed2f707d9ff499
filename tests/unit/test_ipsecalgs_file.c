/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lib/ipsecalgs*.c: the reader and the writer of /etc/inet/ipsecalgs. */
#include "lib/netipsec/ipsecalgs.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/cleanup.h"

DEFINE_CLEANUP(struct ipsecalgs *, ipsecalgs_free)

#define PROTOS "PROTO|2|PROTO_IPSEC_AH|sync\nPROTO|3|PROTO_IPSEC_ESP|async\n"
#define ALG    "ALG|3|12|aes-cbc,aes|CKM_AES_CBC|128/128-256,64|16|0|0\n"

/* All problems of a text, one line each: "line:column severity code\n". */
struct problems {
	char text[2048];
	size_t len;
};

static void collect(const struct ipsecalgs_problem *problem, void *userdata)
{
	struct problems *seen = userdata;
	int len = snprintf(seen->text + seen->len, sizeof(seen->text) - seen->len, "%u:%u %s %s\n",
		problem->line, problem->column, problem->fatal ? "error" : "warning",
		problem->code);

	ck_assert_int_gt(len, 0);
	seen->len += (size_t)len;
	ck_assert_uint_lt(seen->len, sizeof(seen->text));
	ck_assert_uint_gt(strlen(problem->text), 0);
}

static int parse(const char *text, struct problems *seen, struct ipsecalgs **ret)
{
	return ipsecalgs_parse(text, strlen(text), collect, seen, ret);
}

static const struct {
	const char *name;
	const char *text;
	const char *want; /* NULL: the file is good and says nothing */
} cases[] = {
	{ "empty", "", NULL },
	{ "no newline at the end", "PROTO|2|AH|sync", NULL },
	{ "comments and blank lines", "#\n\n  \t\n   # PROTO\n" PROTOS, NULL },
	{ "lower-case keywords", "proto|3|ESP|sync\nalg|3|12|aes|CKM|128|16\n", NULL },
	{ "params and flags absent", PROTOS "ALG|3|12|aes|CKM|128|16\n", NULL },
	{ "fields after the last known", PROTOS "ALG|3|12|aes|CKM|128|16|8|1|more||x\n", NULL },
	{ "trailing bar after flags", PROTOS "ALG|3|12|aes|CKM|128|16|8|1|\n", NULL },
	{ "algorithm before its protocol", ALG PROTOS, NULL },
	{ "zero among parameters", PROTOS "ALG|3|12|a|-|128|16|8,0,4\n", NULL },
	{ "comment that looks like a bracket", "# Start of the table\n" PROTOS, NULL },
	{ "package", PROTOS "# Start SUNWx\n" ALG "# End SUNWx\n", NULL },

	{ "no protocol", "PROTO|2|AH|sync\n" ALG, "2:0 error algs-proto\n" },
	{ "other keyword", "PROTOS|2|AH|sync\n", "1:1 error algs-keyword\n" },
	{ "blank before the keyword", " PROTO|2|AH|sync\n", "1:1 error algs-keyword\n" },
	{ "too few fields of PROTO", "PROTO|2|AH\n", "1:1 error algs-fields\n" },
	{ "too few fields of ALG", PROTOS "ALG|3|12|aes|CKM|128\n", "3:1 error algs-fields\n" },
	{ "protocol 0", "PROTO|0|AH|sync\n", "1:7 error algs-number\n" },
	{ "protocol no number", "PROTO|x|AH|sync\n", "1:7 error algs-number\n" },
	{ "protocol too large", "PROTO|256|AH|sync\n", "1:7 error algs-number\n" },
	{ "mode", "PROTO|2|AH|Sync\n", "1:12 error algs-mode\n" },
	{ "carriage return", "PROTO|2|AH|sync\r\n", "1:12 error algs-mode\n" },
	{ "number with a tail", PROTOS "ALG|3|12x|aes|CKM|128|16\n", "3:7 error algs-number\n" },
	{ "number with a blank", PROTOS "ALG|3| 12|aes|CKM|128|16\n", "3:7 error algs-number\n" },
	{ "number with a sign", PROTOS "ALG|3|+1|aes|CKM|128|16\n", "3:7 error algs-number\n" },
	{ "algorithm 256", PROTOS "ALG|3|256|aes|CKM|128|16\n", "3:7 error algs-number\n" },
	{ "number that wraps 64 bits", PROTOS "ALG|3|18446744073709551628|aes|CKM|128|16\n",
		"3:7 error algs-number\n" },
	{ "empty names", PROTOS "ALG|3|12||CKM|128|16\n", "3:10 error algs-name\n" },
	{ "empty name in the list", PROTOS "ALG|3|12|a,,b|CKM|128|16\n", "3:12 error algs-name\n" },
	{ "name ends with a comma", PROTOS "ALG|3|12|a,|CKM|128|16\n", "3:12 error algs-name\n" },
	{ "blank in a name", PROTOS "ALG|3|12|a b|CKM|128|16\n", "3:11 error algs-name\n" },
	{ "eight-bit name", PROTOS "ALG|3|12|\xc3\xa4|CKM|128|16\n", "3:10 error algs-name\n" },
	{ "empty mechanism", PROTOS "ALG|3|12|a||128|16\n", "3:12 error algs-name\n" },
	{ "empty keys", PROTOS "ALG|3|12|a|CKM||16\n", "3:16 error algs-number\n" },
	{ "empty blocks", PROTOS "ALG|3|12|a|CKM|128|\n", "3:20 error algs-number\n" },
	{ "empty params", PROTOS "ALG|3|12|a|CKM|128|16|\n", "3:23 error algs-number\n" },
	{ "empty flags", PROTOS "ALG|3|12|a|CKM|128|16|0|\n", "3:25 error algs-number\n" },
	{ "flags in hex", PROTOS "ALG|3|12|a|CKM|128|16|0|0x1\n", "3:25 error algs-number\n" },
	{ "flags too large", PROTOS "ALG|3|12|a|-|128|16|0|4294967296\n",
		"3:23 error algs-number\n" },
	{ "0 in a list of sizes", PROTOS "ALG|3|12|a|CKM|128,0|16\n", "3:16 error algs-number\n" },
	{ "size too large", PROTOS "ALG|3|12|a|CKM|65536|16\n", "3:16 error algs-number\n" },
	{ "four params", PROTOS "ALG|3|12|a|CKM|128|16|1,2,3,4\n", "3:29 error algs-fields\n" },
	{ "range without increment", PROTOS "ALG|3|12|a|C|128/128-256|16\n",
		"3:14 error algs-keys\n" },
	{ "range with increment 0", PROTOS "ALG|3|12|a|C|128/128-256,0|16\n",
		"3:26 error algs-keys\n" },
	{ "range with empty increment", PROTOS "ALG|3|12|a|C|128/128-256,|16\n",
		"3:26 error algs-number\n" },
	{ "range without high end", PROTOS "ALG|3|12|a|C|128/128,64|16\n",
		"3:14 error algs-keys\n" },
	{ "range from 0", PROTOS "ALG|3|12|a|C|128/0-256,64|16\n", "3:14 error algs-keys\n" },
	{ "range to 0", PROTOS "ALG|3|12|a|C|128/128-0,64|16\n", "3:14 error algs-keys\n" },
	{ "range of one", PROTOS "ALG|3|12|a|C|128/128-128,64|16\n", "3:14 error algs-keys\n" },
	{ "range downwards", PROTOS "ALG|3|12|a|C|128/256-128,64|16\n", "3:14 error algs-keys\n" },
	{ "default off the range", PROTOS "ALG|3|12|a|C|64/128-256,64|16\n",
		"3:14 warning algs-keys\n" },
	{ "default off the steps", PROTOS "ALG|3|12|a|C|130/128-256,64|16\n",
		"3:14 warning algs-keys\n" },
	{ "same algorithm twice", PROTOS "ALG|3|1|a|-|0|0\nALG|3|1|b|-|0|0\n",
		"4:7 warning algs-duplicate\n" },
	{ "same name twice", PROTOS "ALG|3|1|a|-|0|0\nALG|3|2|b,A|-|0|0\n",
		"4:11 warning algs-duplicate\n" },
	{ "same protocol twice", PROTOS "PROTO|3|X|sync\n", "3:7 warning algs-duplicate\n" },
	{ "nested packages", "# Start A\n# Start B\n# End A\n", "2:9 error algs-package\n" },
	{ "package ends otherwise", "# Start A\n# End B\n# End A\n", "2:7 error algs-package\n" },
	{ "end without start", "# End A\n", "1:7 error algs-package\n" },
	{ "package open at the end", "# Start A\n" PROTOS, "1:0 error algs-package\n" },
	{ "everything at once", "PROTO|0|AH|no\nALG|3|x||C|1/2|y\nwhat\n",
		"1:7 error algs-number\n1:12 error algs-mode\n2:7 error algs-number\n"
		"2:9 error algs-name\n2:12 error algs-keys\n2:16 error algs-number\n"
		"3:1 error algs-keyword\n" },
};

START_TEST(verdict)
{
	CLEANUP(ipsecalgs_freep) struct ipsecalgs *table = NULL;
	struct problems seen = { .len = 0 };
	const char *want = cases[_i].want ? cases[_i].want : "";
	int r = parse(cases[_i].text, &seen, &table);

	ck_assert_msg(strcmp(seen.text, want) == 0, "%s: got\n%s", cases[_i].name, seen.text);
	ck_assert_msg(r == (strstr(want, " error ") ? -EBADMSG : 0), "%s: %d", cases[_i].name, r);
	ck_assert_msg((table != NULL) == (r == 0), "%s: table and result differ", cases[_i].name);
}
END_TEST

START_TEST(round_trip)
{
	CLEANUP(ipsecalgs_freep) struct ipsecalgs *table = NULL, *again = NULL;
	CLEANUP(freep) char *text = NULL, *second = NULL;
	struct problems seen = { .len = 0 };

	if (parse(cases[_i].text, &seen, &table) < 0)
		return; /* verdict says which */
	ck_assert_int_eq(ipsecalgs_print(table, &text), 0);
	ck_assert_int_eq(parse(text, &seen, &again), 0);
	ck_assert_int_eq(ipsecalgs_print(again, &second), 0);
	ck_assert_str_eq(text, second);
	ck_assert_uint_eq(table->n_items, again->n_items);
}
END_TEST

START_TEST(default_is_canonical)
{
	CLEANUP(ipsecalgs_freep) struct ipsecalgs *table = NULL;
	CLEANUP(freep) char *text = NULL;
	struct problems seen = { .len = 0 };

	ck_assert_int_eq(parse(ipsecalgs_default_text(), &seen, &table), 0);
	ck_assert_str_eq(seen.text, "");
	ck_assert_int_eq(ipsecalgs_print(table, &text), 0);
	ck_assert_str_eq(text, ipsecalgs_default_text());
	ck_assert_uint_eq(ipsecalgs_count(table, IPSECALGS_PROTO), 2);
	ck_assert_uint_eq(ipsecalgs_count(table, IPSECALGS_ALG), 26);
}
END_TEST

/* What an administrator finds after installation is what stands without the file. */
START_TEST(default_is_the_installed_file)
{
	char text[3072] = "";
	CLEANUP(fclosep) FILE *file = fopen(SOURCE_ROOT "/etc/inet/ipsecalgs", "re");

	ck_assert_ptr_nonnull(file);
	ck_assert_uint_gt(fread(text, 1, sizeof(text) - 1, file), 0);
	ck_assert_str_eq(strchr(text, '\n') + 1, ipsecalgs_default_text()); /* behind the licence */
}
END_TEST

START_TEST(values)
{
	CLEANUP(ipsecalgs_freep) struct ipsecalgs *table = NULL;
	struct problems seen = { .len = 0 };
	const struct ipsecalgs_alg *alg;

	ck_assert_int_eq(
		parse(PROTOS "ALG|3|20|aes-gcm,AES-gcm16|CKM_AES_GCM|128/128-256,64|16|8,16,4|23\n"
			     "ALG|3|7|bf|-|448,128|8\nALG|2|20|mac|CKM_M|256|16,12\n",
			&seen, &table),
		0);
	alg = ipsecalgs_find_name(table, IPSECALGS_PROTO_ESP, "aes-GCM16");
	ck_assert_ptr_nonnull(alg);
	ck_assert_ptr_eq(alg, ipsecalgs_find_alg(table, IPSECALGS_PROTO_ESP, 20));
	ck_assert_str_eq(alg->names[0], "aes-gcm");
	ck_assert_str_eq(alg->mechanism, "CKM_AES_GCM");
	ck_assert_uint_eq(alg->key_increment, 64);
	ck_assert_uint_eq(alg->key_sizes[0], 128);
	ck_assert_uint_eq(alg->key_sizes[2], 256);
	ck_assert_uint_eq(alg->params[IPSECALGS_PARAM_SALT], 4);
	ck_assert_uint_eq(alg->flags, 23);
	alg = ipsecalgs_find_alg(table, IPSECALGS_PROTO_ESP, 7);
	ck_assert_ptr_nonnull(alg);
	ck_assert_ptr_null(alg->mechanism);
	ck_assert_uint_eq(alg->key_increment, 0);
	ck_assert_uint_eq(alg->n_key_sizes, 2);
	ck_assert_uint_eq(alg->key_sizes[0], 448);
	ck_assert_uint_eq(alg->flags, 0); /* not those of the line before */
	ck_assert_uint_eq(alg->n_params, 0);
	ck_assert_uint_eq(ipsecalgs_find_alg(table, IPSECALGS_PROTO_AH, 20)->block_sizes[1], 12);
	ck_assert_ptr_null(ipsecalgs_find_alg(table, IPSECALGS_PROTO_AH, 7));
	ck_assert_ptr_null(ipsecalgs_find_name(table, IPSECALGS_PROTO_AH, "aes-gcm"));
	ck_assert_int_eq(ipsecalgs_find_proto(table, 3)->mode, IPSECALGS_ASYNC);
	ck_assert_ptr_null(ipsecalgs_find_proto(table, 4));
}
END_TEST

START_TEST(rewriting_keeps_packages_and_loses_comments)
{
	CLEANUP(ipsecalgs_freep) struct ipsecalgs *table = NULL;
	CLEANUP(freep) char *text = NULL;
	struct problems seen = { .len = 0 };

	ck_assert_int_eq(parse("# mine\nPROTO|3|ESP|sync\n  #\tStart  PKGx \n# inner\n"
			       "alg|3|12|aes|CKM|128|16\n# End PKGx\n",
				 &seen, &table),
		0);
	ck_assert_int_eq(ipsecalgs_print(table, &text), 0);
	ck_assert_ptr_nonnull(strstr(text,
		"#\nPROTO|3|ESP|sync\n# Start PKGx\nALG|3|12|aes|CKM|128|16|0|0\n# End PKGx\n"));
	ck_assert_ptr_null(strstr(text, "mine"));
	ck_assert_ptr_null(strstr(text, "inner"));
}
END_TEST

START_TEST(line_length)
{
	CLEANUP(ipsecalgs_freep) struct ipsecalgs *table = NULL;
	struct problems seen = { .len = 0 };
	char text[IPSECALGS_LINE_MAX + 3];

	memset(text, 'x', sizeof(text));
	text[0] = '#';
	text[IPSECALGS_LINE_MAX] = '\n';
	ck_assert_int_eq(ipsecalgs_parse(text, IPSECALGS_LINE_MAX + 1, collect, &seen, &table), 0);
	table = ipsecalgs_free(table);
	text[IPSECALGS_LINE_MAX] = 'x';
	ck_assert_int_eq(
		ipsecalgs_parse(text, IPSECALGS_LINE_MAX + 1, collect, &seen, &table), -EBADMSG);
	ck_assert_str_eq(seen.text, "1:0 error algs-line\n");
}
END_TEST

START_TEST(nobody_listens)
{
	CLEANUP(ipsecalgs_freep) struct ipsecalgs *table = NULL;

	ck_assert_int_eq(ipsecalgs_parse("what\n", 5, NULL, NULL, &table), -EBADMSG);
	ck_assert_ptr_null(table);
	ck_assert_int_eq(ipsecalgs_parse(NULL, 0, NULL, NULL, &table), 0);
	ck_assert_uint_eq(table->n_items, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ipsecalgs_file");
	TCase *tc = tcase_create("file");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tc);
	tcase_add_loop_test(tc, verdict, 0, ARRAY_SIZE(cases));
	tcase_add_loop_test(tc, round_trip, 0, ARRAY_SIZE(cases));
	tcase_add_test(tc, default_is_canonical);
	tcase_add_test(tc, default_is_the_installed_file);
	tcase_add_test(tc, values);
	tcase_add_test(tc, rewriting_keeps_packages_and_loses_comments);
	tcase_add_test(tc, line_length);
	tcase_add_test(tc, nobody_listens);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
