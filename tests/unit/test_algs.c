/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From the algorithm file to the model's table: names, sizes, what has no room. */
#include "common/daemon/algs.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "common/base/memfd.h"
#include "tests/unit/suite.h"

/* What algorithms of the built-in table take. */
static const struct {
	const char *name;
	uint8_t proto, number;
	uint16_t key_default, key_min, key_max, block, iv, icv, salt;
} rows[] = {
	{ "hmac-md5", ALG_PROTO_AH, ALG_AUTH_HMAC_MD5, 128, 128, 128, 12, 0, 0, 0 },
	{ "sha", ALG_PROTO_AH, ALG_AUTH_HMAC_SHA1, 160, 160, 160, 12, 0, 0, 0 },
	{ "hmac-sha512", ALG_PROTO_AH, ALG_AUTH_HMAC_SHA512, 512, 512, 512, 32, 0, 0, 0 },
	{ "null", ALG_PROTO_ESP, ALG_ENCR_NULL, 0, 0, 0, 0, 0, 0, 0 },
	{ "3DES", ALG_PROTO_ESP, ALG_ENCR_3DES, 192, 192, 192, 8, 8, 0, 0 },
	{ "aes", ALG_PROTO_ESP, ALG_ENCR_AES_CBC, 128, 128, 256, 16, 16, 0, 0 },
	{ "aes-ccm8", ALG_PROTO_ESP, ALG_ENCR_AES_CCM8, 128, 128, 256, 16, 8, 8, 3 },
	{ "aes-gcm", ALG_PROTO_ESP, ALG_ENCR_AES_GCM16, 128, 128, 256, 16, 8, 16, 4 },
};

START_TEST(built_in_sizes)
{
	CLEANUP(alg_table_freep) struct alg_table *table = NULL;
	const struct algorithm *alg;

	ck_assert_int_eq(algs_builtin(&table), 0);
	alg = alg_find_name(table, rows[_i].proto, rows[_i].name, strlen(rows[_i].name));
	ck_assert_msg(alg != NULL, "%s", rows[_i].name);
	ck_assert_uint_eq(alg->number, rows[_i].number);
	ck_assert_uint_eq(alg->key_default_bits, rows[_i].key_default);
	ck_assert_uint_eq(alg->key_min_bits, rows[_i].key_min);
	ck_assert_uint_eq(alg->key_max_bits, rows[_i].key_max);
	ck_assert_uint_eq(alg->block_bytes, rows[_i].block);
	ck_assert_uint_eq(alg->iv_bytes, rows[_i].iv);
	ck_assert_uint_eq(alg->icv_bytes, rows[_i].icv);
	ck_assert_uint_eq(alg->salt_bytes, rows[_i].salt);
	ck_assert(alg_takes_key(alg, alg->key_default_bits));
	ck_assert(!alg_takes_key(alg, alg->key_max_bits + 8U));
}
END_TEST

static const struct {
	const char *name, *source;
	bool ah_async, esp_async;
} modes[] = {
	{ "both here", "PROTO|2|A|sync\nPROTO|3|E|sync\n", false, false },
	{ "one of each", "PROTO|2|A|sync\nPROTO|3|E|async\n", false, true },
	{ "the other way", "PROTO|2|A|async\nPROTO|3|E|sync\n", true, false },
	{ "no line", "PROTO|3|E|sync\n", true, false },
};

START_TEST(execution_modes)
{
	CLEANUP(conf_diags_freep) struct conf_diags *diags = conf_diags_new();
	CLEANUP(alg_table_freep) struct alg_table *table = NULL;

	ck_assert_int_eq(
		algs_parse("t", modes[_i].source, strlen(modes[_i].source), diags, &table), 0);
	ck_assert_msg(table->execution.ah_async == modes[_i].ah_async &&
			      table->execution.esp_async == modes[_i].esp_async,
		"%s", modes[_i].name);
	ck_assert_uint_eq(table->execution.cpu_percent, ALG_CPU_ALL);
}
END_TEST

#define ESP  "PROTO|3|PROTO_IPSEC_ESP|sync\n"
#define NINE "a,b,c,d,e,f,g,h,i"
#define LONG "a-name-that-is-longer-than-the-model-has-room"

static const struct {
	const char *name, *source;
	int want;
	size_t count;
	const char *code;
} cases[] = {
	{ "nothing", "", 0, 0, NULL },
	{ "one", ESP "ALG|3|12|aes|-|128,256|16|0|0\n", 0, 1, NULL },
	{ "of two equal ones the first",
		ESP "ALG|3|12|aes|-|128|16|0|0\nALG|3|12|aes2|-|256|16|0|0\n", 0, 1, NULL },
	{ "another protocol", "PROTO|7|other|sync\nALG|7|1|odd|-|0|0|0|0\n", 0, 0, NULL },
	{ "nine names", ESP "ALG|3|12|" NINE "|-|128|16|0|0\n", -EBADMSG, 0, "algs-limit" },
	{ "a long name", ESP "ALG|3|12|" LONG "|-|128|16|0|0\n", -EBADMSG, 0, "algs-limit" },
	{ "nine sizes", ESP "ALG|3|12|aes|-|8,16,24,32,40,48,56,64,72|16|0|0\n", -EBADMSG, 0,
		"algs-limit" },
	{ "no algorithm", ESP "ALG|3|x|aes|-|128|16|0|0\n", -EBADMSG, 0, NULL },
};

START_TEST(texts_are_judged)
{
	CLEANUP(conf_diags_freep) struct conf_diags *diags = conf_diags_new();
	CLEANUP(alg_table_freep) struct alg_table *table = NULL;
	int r = algs_parse("algs", cases[_i].source, strlen(cases[_i].source), diags, &table);

	ck_assert_msg(r == cases[_i].want, "%s: %d", cases[_i].name, r);
	ck_assert_int_eq(conf_diags_errors(diags) > 0, cases[_i].want < 0);
	if (cases[_i].code)
		ck_assert_str_eq(conf_diags_get(diags, 0)->code, cases[_i].code);
	if (r == 0)
		ck_assert_uint_eq(table->count, cases[_i].count);
	if (cases[_i].count == 1) {
		ck_assert_str_eq(table->entries[0].names[0], "aes");
		ck_assert(alg_takes_key(&table->entries[0], 128));
	}
}
END_TEST

static void make_directories(const char *root)
{
	static const char *const below[] = { "/etc", "/etc/inet" };
	char path[128];

	for (size_t i = 0; i < ARRAY_SIZE(below); i++) {
		ck_assert_int_eq(text_fixed(path, sizeof(path), "%s%s", root, below[i]), 0);
		ck_assert_int_eq(mkdir(path, 0755), 0);
	}
}

static void remove_directories(const char *root)
{
	static const char *const below[] = { ALGS_FILE, "/etc/inet", "/etc", "" };
	char path[128];

	for (size_t i = 0; i < ARRAY_SIZE(below); i++) {
		ck_assert_int_eq(text_fixed(path, sizeof(path), "%s%s", root, below[i]), 0);
		ck_assert_int_eq(remove(path), 0);
	}
}

START_TEST(the_default_file_stands_behind_the_root)
{
	CLEANUP(conf_diags_freep) struct conf_diags *diags = conf_diags_new();
	CLEANUP(alg_table_freep) struct alg_table *builtin = NULL;
	CLEANUP(alg_table_freep) struct alg_table *absent = NULL;
	CLEANUP(alg_table_freep) struct alg_table *own = NULL;
	CLEANUP(freep) char *path = NULL;
	char root[] = "/tmp/netipsec-algs-XXXXXX";

	ck_assert_ptr_nonnull(mkdtemp(root));
	ck_assert_int_eq(setenv("NETIPSEC_ROOT", root, 1), 0);
	ck_assert_int_eq(algs_builtin(&builtin), 0);
	ck_assert_int_eq(algs_load(NULL, diags, &absent), 0);
	ck_assert_uint_eq(absent->count, builtin->count);
	make_directories(root);
	ck_assert_int_eq(file_system_path(ALGS_FILE, &path), 0);
	ck_assert_int_eq(file_replace(path, cases[1].source, strlen(cases[1].source), 0644), 0);
	ck_assert_int_eq(algs_load(NULL, diags, &own), 0);
	ck_assert_uint_eq(own->count, 1);
	ck_assert_int_eq(algs_load("/nonexistent/ipsecalgs", diags, &absent), -ENOENT);
	remove_directories(root);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("algs");
	TCase *tc = tcase_create("algs");

	tcase_add_loop_test(tc, built_in_sizes, 0, ARRAY_SIZE(rows));
	tcase_add_loop_test(tc, execution_modes, 0, ARRAY_SIZE(modes));
	tcase_add_loop_test(tc, texts_are_judged, 0, ARRAY_SIZE(cases));
	tcase_add_test(tc, the_default_file_stands_behind_the_root);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
