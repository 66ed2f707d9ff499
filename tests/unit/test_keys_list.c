/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/manual-key/keys_list.h"

#include <string.h>

#include "common/base/text.h"
#include "common/daemon/algs.h"
#include "tests/unit/suite.h"

#define AES                                                                            \
	"encr_alg aes encrkey 000102030405060708090a0b0c0d0e0f auth_alg sha1 authkey " \
	"000102030405060708090a0b0c0d0e0f10111213\n"
#define GCM   "encr_alg aes-gcm16 encrkey 000102030405060708090a0b0c0d0e0fa0a1a2a3"
#define THERE "src 192.0.2.1 dst 192.0.2.17 "
#define BACK  "src 192.0.2.17 dst 192.0.2.1 "

static const struct {
	const char *name, *text;
	bool whole;
	const char *want; /* "line code; " of each error, then the SPIs that are left */
} cases[] = {
	{ "empty", "", true, "" },
	{ "two", "add esp spi 1001 " THERE AES "add esp spi 1002 " BACK AES, true, "1001 1002 " },
	{ "the same name in AH",
		"add esp spi 1001 " THERE AES "add ah spi 1001 " THERE
		"auth_alg sha1 authkey 000102030405060708090a0b0c0d0e0f10111213",
		true, "1001 1001 " },
	{ "the same destination",
		"add esp spi 1001 " THERE AES "add esp spi 1001 dst 192.0.2.17 " AES, true,
		"2 key-exists; 1001 " },
	{ "another destination", "add esp spi 1001 " THERE AES "add esp spi 1001 " BACK AES, true,
		"1001 1001 " },
	{ "flushed", "add esp spi 1001 " THERE AES "flush\nadd esp spi 1001 " THERE AES, true,
		"1001 " },
	{ "flush of a type", "add esp spi 1001 " THERE AES "flush ah\nadd esp spi 1002 " THERE AES,
		true, "1001 1002 " },
	{ "deleted",
		"add esp spi 1001 " THERE AES
		"delete esp spi 1001 dst 192.0.2.17\nadd esp spi 1001 " THERE AES,
		true, "1001 " },
	{ "nothing to delete", "delete esp spi 1001 dst 192.0.2.17", true, "1 key-absent; " },
	{ "perhaps something to delete", "delete esp spi 1001 dst 192.0.2.17", false, "" },
	{ "pair", "add esp spi 1001 " THERE AES "add esp spi 1002 pair-spi 1001 " BACK AES, true,
		"1001 1002 " },
	{ "pair named first",
		"add esp spi 1001 pair-spi 1002 " THERE AES "add esp spi 1002 " BACK AES, true,
		"1001 1002 " },
	{ "no pair", "add esp spi 1001 pair-spi 1002 " THERE AES, true, "1 key-pair; " },
	{ "perhaps a pair", "add esp spi 1001 pair-spi 1002 " THERE AES, false, "1001 " },
	{ "pair of the same way",
		"add esp spi 1001 " THERE AES "add esp spi 1002 pair-spi 1001 " THERE AES, true,
		"2 key-pair; 1001 " },
	{ "pair of another",
		"add esp spi 1001 pair-spi 1003 " THERE AES
		"add esp spi 1002 pair-spi 1001 " BACK AES "add esp spi 1003 " BACK AES,
		true, "2 key-pair; 1001 1003 " },
	{ "delete a pair",
		"add esp spi 1001 " THERE AES "add esp spi 1002 pair-spi 1001 " BACK AES
		"delete-pair esp spi 1002 dst 192.0.2.1",
		true, "" },
	{ "delete a pair that is none",
		"add esp spi 1001 " THERE AES "delete-pair esp spi 1001 dst 192.0.2.17", true,
		"2 key-pair; " },
	{ "counter key twice", "add esp spi 1001 " THERE GCM "\nadd esp spi 1002 " BACK GCM, true,
		"2 key-reused; 1001 " },
	{ "counter key with another salt",
		"add esp spi 1001 " THERE GCM "\nadd esp spi 1002 " BACK GCM
		"/160\nadd esp spi 1003 " BACK
		"encr_alg aes-gcm16 encrkey 000102030405060708090a0b0c0d0e0fa0a1a2a4",
		true, "2 key-reused; 1001 1003 " },
	{ "counter key twice, initial IVs apart",
		"add esp spi 1001 " THERE "encr_alg aes-gcm16 reserved_bits 64 encrkey "
		"000102030405060708090a0b0c0d0e0fa0a1a2a30000000000000001\nadd esp spi 1002 " BACK
		"encr_alg aes-gcm16 reserved_bits 64 encrkey "
		"000102030405060708090a0b0c0d0e0fa0a1a2a30000000000000002",
		true, "2 key-reused; 1001 " },
	{ "failed commands are passed over", "add esp spi 1001\nadd esp spi 1002 " THERE AES, true,
		"1 key-address; 1 key-algorithm; 1002 " },
};

START_TEST(lists)
{
	CLEANUP(conf_diags_freep) struct conf_diags *diags = conf_diags_new();
	CLEANUP(alg_table_freep) struct alg_table *algs = NULL;
	CLEANUP(keys_file_freep) struct keys_file *file = NULL;
	CLEANUP(sa_list_freep) struct sa_list *list = NULL;
	CLEANUP(freep) struct keys_times *times = NULL;
	CLEANUP(text_done) struct text said = { 0 };
	struct keys_input in = {
		.label = "keys",
		.source = cases[_i].text,
		.len = strlen(cases[_i].text),
		.place = KEYS_OF_SERVICE,
	};

	ck_assert_int_eq(algs_builtin(&algs), 0);
	in.algs = algs;
	ck_assert_int_eq(keys_parse(&in, diags, &file), 0);
	ck_assert_int_eq(keys_list_build(file, algs, cases[_i].whole, diags, &list, &times), 0);
	for (size_t i = 0; i < conf_diags_count(diags); i++) {
		const struct conf_diag *diag = conf_diags_get(diags, i);

		if (diag->severity == CONF_ERROR)
			text_addf(&said, "%u %s; ", diag->loc.line, diag->code);
	}
	for (size_t i = 0; i < list->count; i++)
		text_addf(&said, "%u ", list->sas[i]->spi);
	text_add(&said, "");
	ck_assert_msg(
		strcmp(said.str, cases[_i].want) == 0, "%s: said %s", cases[_i].name, said.str);
}
END_TEST

/* 20,000 SAs: quadratic work would not end in time. */
START_TEST(many)
{
	CLEANUP(conf_diags_freep) struct conf_diags *diags = conf_diags_new();
	CLEANUP(alg_table_freep) struct alg_table *algs = NULL;
	CLEANUP(keys_file_freep) struct keys_file *file = NULL;
	CLEANUP(sa_list_freep) struct sa_list *list = NULL;
	CLEANUP(freep) struct keys_times *times = NULL;
	CLEANUP(text_done) struct text text = { 0 };
	struct keys_input in = { .label = "keys", .place = KEYS_OF_SERVICE };

	for (unsigned int i = 1; i <= 20000; i++)
		text_addf(&text,
			"add esp spi %u " THERE
			"encr_alg aes-gcm16 encrkey 000102030405060708090a0b%08xa0a1a2a3\n",
			1000 + i, i);
	ck_assert(!text.failed);
	ck_assert_int_eq(algs_builtin(&algs), 0);
	in.algs = algs;
	in.source = text.str;
	in.len = text.len;
	ck_assert_int_eq(keys_parse(&in, diags, &file), 0);
	ck_assert_int_eq(keys_list_build(file, algs, true, diags, &list, &times), 0);
	ck_assert_uint_eq(conf_diags_errors(diags), 0);
	ck_assert_uint_eq(list->count, 20000);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("keys_list");
	TCase *tc = tcase_create("keys_list");

	tcase_set_timeout(tc, 30);
	tcase_add_loop_test(tc, lists, 0, ARRAY_SIZE(cases));
	tcase_add_test(tc, many);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
