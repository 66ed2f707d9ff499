/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lib/getipsecalg.c and lib/registry.c: look-ups by many threads while the file changes. */
#include "lib/netipsec.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/base/text.h"
#include "tests/unit/suite.h"

#define PROTO	"PROTO|2|PROTO_IPSEC_AH|sync\nPROTO|3|PROTO_IPSEC_ESP|sync\n"
#define ONE	PROTO "ALG|3|20|one,both|CKM_ONE|128/128-256,64|16|8,16,4|23\n"
#define TWO	PROTO "ALG|3|20|two,both|CKM_TWO|192,256|16|0|0\n"
#define CORRUPT PROTO "ALG|3|x|both|CKM|128|16\n"
#define THREADS 4
#define LOOKUPS 2000

static char
	*root; /* stands for NETIPSEC_ROOT; one a test, since each runs in a process of its own */

static void make_root(void)
{
	static char name[] = "/tmp/netipsec-test-XXXXXX";
	char path[64];

	root = mkdtemp(name);
	ck_assert_ptr_nonnull(root);
	ck_assert_int_eq(text_fixed(path, sizeof(path), "%s/etc", root), 0);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	ck_assert_int_eq(text_fixed(path, sizeof(path), "%s/etc/inet", root), 0);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	ck_assert_int_eq(setenv("NETIPSEC_ROOT", root, 1), 0);
}

static void remove_root(void)
{
	static const char *const names[] = { "/etc/inet/ipsecalgs", "/etc/inet", "/etc", "" };
	char path[64];

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		ck_assert_int_eq(text_fixed(path, sizeof(path), "%s%s", root, names[i]), 0);
		ck_assert(remove(path) == 0 || errno == ENOENT);
	}
}

/* At once, as a reader sees it; a disk that others keep busy has no say in it. */
static void write_file(const char *text)
{
	char path[64], temporary[64];
	FILE *file;

	ck_assert_int_eq(text_fixed(path, sizeof(path), "%s/etc/inet/ipsecalgs", root), 0);
	ck_assert_int_eq(text_fixed(temporary, sizeof(temporary), "%s.new", path), 0);
	file = fopen(temporary, "we");
	ck_assert_ptr_nonnull(file);
	ck_assert_int_ge(fputs(text, file), 0);
	ck_assert_int_eq(fclose(file), 0);
	ck_assert_int_eq(rename(temporary, path), 0);
}

static bool knows(const char *name)
{
	int error = -1;
	struct ipsecalgent *entry = getipsecalgbyname(name, IPSEC_PROTO_ESP, &error);

	ck_assert_int_eq(error, entry ? 0 : ENOENT);
	freeipsecalgent(entry);
	return entry != NULL;
}

START_TEST(all_of_an_entry)
{
	struct ipsecalgent *entry;
	int error = -1;

	write_file(ONE);
	entry = getipsecalgbyname("BOTH", IPSEC_PROTO_ESP, &error);
	ck_assert_ptr_nonnull(entry);
	ck_assert_int_eq(error, 0);
	ck_assert_str_eq(entry->a_names[0], "one");
	ck_assert_str_eq(entry->a_names[1], "both");
	ck_assert_ptr_null(entry->a_names[2]);
	ck_assert_int_eq(entry->a_proto_num, IPSEC_PROTO_ESP);
	ck_assert_int_eq(entry->a_alg_num, 20);
	ck_assert_str_eq(entry->a_mech_name, "CKM_ONE");
	ck_assert_int_eq(entry->a_key_increment, 64);
	ck_assert_mem_eq(entry->a_key_sizes, ((const int[]){ 128, 128, 256, 0 }), 4 * sizeof(int));
	ck_assert_mem_eq(entry->a_block_sizes, ((const int[]){ 16, 0 }), 2 * sizeof(int));
	ck_assert_mem_eq(entry->a_mech_params, ((const int[]){ 8, 16, 4, 0 }), 4 * sizeof(int));
	ck_assert_int_eq(entry->a_alg_flags, 23);
	freeipsecalgent(entry);

	write_file(TWO);
	entry = getipsecalgbynum(20, IPSEC_PROTO_ESP, NULL);
	ck_assert_ptr_nonnull(entry);
	ck_assert_int_eq(entry->a_key_increment, 0);
	ck_assert_mem_eq(entry->a_key_sizes, ((const int[]){ 192, 256, 0 }), 3 * sizeof(int));
	ck_assert_int_eq(entry->a_mech_params[0], 0);
	freeipsecalgent(entry);
	freeipsecalgent(NULL);
}
END_TEST

static const struct {
	const char *name; /* NULL: by number */
	int num, proto, want;
} errors[] = {
	{ "three", 0, IPSEC_PROTO_ESP, ENOENT },
	{ "both", 0, IPSEC_PROTO_AH, ENOENT },
	{ "both", 0, 4, EINVAL },
	{ "both", 0, -3, EINVAL },
	{ "both", 0, 3 + 256, EINVAL },
	{ NULL, 21, IPSEC_PROTO_ESP, ENOENT },
	{ NULL, -20, IPSEC_PROTO_ESP, ENOENT },
	{ NULL, 20, 0, EINVAL },
};

START_TEST(error)
{
	int got = 0;
	struct ipsecalgent *entry;

	write_file(ONE);
	entry = errors[_i].name ? getipsecalgbyname(errors[_i].name, errors[_i].proto, &got)
				: getipsecalgbynum(errors[_i].num, errors[_i].proto, &got);
	ck_assert_ptr_null(entry);
	ck_assert_int_eq(got, errors[_i].want);
}
END_TEST

START_TEST(no_name)
{
	int got = 0;

	ck_assert_ptr_null(getipsecalgbyname(NULL, IPSEC_PROTO_ESP, &got));
	ck_assert_int_eq(got, EFAULT);
	ck_assert_ptr_null(getipsecalgbyname(NULL, IPSEC_PROTO_ESP, NULL));
}
END_TEST

START_TEST(protocols)
{
	char *name;

	write_file(ONE "PROTO|9|Nine|async\n");
	ck_assert_int_eq(getipsecprotobyname("proto_ipsec_ah"), IPSEC_PROTO_AH);
	ck_assert_int_eq(getipsecprotobyname("NINE"), 9);
	ck_assert_int_eq(getipsecprotobyname("ten"), -1);
	ck_assert_int_eq(getipsecprotobyname(NULL), -1);
	name = getipsecprotobynum(9);
	ck_assert_ptr_nonnull(name);
	ck_assert_str_eq(name, "Nine");
	free(name);
	ck_assert_ptr_null(getipsecprotobynum(10));
	ck_assert_ptr_null(getipsecprotobynum(-1));
}
END_TEST

START_TEST(follows_the_file)
{
	ck_assert(knows("aes-gcm")); /* there is no file: the built-in table */
	write_file(ONE);
	ck_assert(knows("one") && !knows("aes-gcm"));
	write_file(TWO);
	ck_assert(knows("two") && !knows("one"));
	write_file(CORRUPT);
	ck_assert(knows("two")); /* the last good one stays */
	write_file(ONE);
	ck_assert(knows("one") && !knows("two"));
}
END_TEST

START_TEST(corrupt_from_the_start)
{
	int got = 0;

	write_file(CORRUPT);
	ck_assert_ptr_null(getipsecalgbyname("both", IPSEC_PROTO_ESP, &got));
	ck_assert_int_eq(got, EINVAL);
	ck_assert_int_eq(getipsecprotobyname("PROTO_IPSEC_ESP"), -1);
	write_file(ONE);
	ck_assert(knows("both"));
}
END_TEST

struct watch {
	atomic_uint wrong, threads;
};

/* Each answer is one of the two tables, whole. Counts those that are not. */
static void *look_up(void *userdata)
{
	struct watch *watch = userdata;

	for (int i = 0; i < LOOKUPS; i++) {
		struct ipsecalgent *entry = getipsecalgbyname("both", IPSEC_PROTO_ESP, NULL);
		char *name = getipsecprotobynum(IPSEC_PROTO_ESP);
		bool one = entry && strcmp(entry->a_names[0], "one") == 0;

		if (!entry || !name || entry->a_key_increment != (one ? 64 : 0) ||
			strcmp(entry->a_mech_name, one ? "CKM_ONE" : "CKM_TWO") != 0 ||
			getipsecprotobyname(name) != IPSEC_PROTO_ESP)
			atomic_fetch_add(&watch->wrong, 1);
		free(name);
		freeipsecalgent(entry);
	}
	atomic_fetch_sub(&watch->threads, 1);
	return NULL;
}

START_TEST(threads)
{
	static const char *const texts[] = { ONE, TWO, CORRUPT };
	pthread_t looking[THREADS];
	struct watch watch = { .threads = THREADS };

	write_file(ONE);
	for (size_t i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&looking[i], NULL, look_up, &watch), 0);
	for (size_t i = 0; watch.threads > 0; i++)
		write_file(texts[i % ARRAY_SIZE(texts)]);
	for (size_t i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_join(looking[i], NULL), 0);
	ck_assert_uint_eq(watch.wrong, 0);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("getipsecalg");
	Suite *suite = suite_create("getipsecalg");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, make_root, remove_root);
	tcase_add_test(tc, all_of_an_entry);
	tcase_add_loop_test(tc, error, 0, (int)ARRAY_SIZE(errors));
	tcase_add_test(tc, no_name);
	tcase_add_test(tc, protocols);
	tcase_add_test(tc, follows_the_file);
	tcase_add_test(tc, corrupt_from_the_start);
	tcase_add_test(tc, threads);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
