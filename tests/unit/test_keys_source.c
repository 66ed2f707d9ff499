/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/manual-key/keys_source.h"

#include <fcntl.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "common/base/memfd.h"
#include "common/base/text.h"
#include "tests/unit/suite.h"

struct place {
	char dir[32];
	char path[64];
};

static struct place place_new(void)
{
	struct place place = { .dir = "/tmp/test-keys-XXXXXX" };

	ck_assert_ptr_nonnull(mkdtemp(place.dir));
	ck_assert_int_eq(text_fixed(place.path, sizeof(place.path), "%s/keys", place.dir), 0);
	return place;
}

static void place_done(struct place *place)
{
	(void)unlink(place->path);
	(void)rmdir(place->path);
	(void)rmdir(place->dir);
}

static const struct {
	mode_t mode;
	bool fine;
} modes[] = {
	{ 0600, true },
	{ 0400, true },
	{ 0700, true },
	{ 0640, false },
	{ 0604, false },
	{ 0610, false },
	{ 0601, false },
	{ 0620, false },
	{ 0602, false },
};

START_TEST(rights)
{
	CLEANUP(place_done) struct place place = place_new();
	CLEANUP(conf_diags_freep) struct conf_diags *strict = conf_diags_new();
	CLEANUP(conf_diags_freep) struct conf_diags *lenient = conf_diags_new();
	CLEANUP(keys_source_done) struct keys_source a = { 0 };
	CLEANUP(keys_source_done) struct keys_source b = { 0 };
	bool fine = modes[_i].fine;

	ck_assert_int_eq(file_replace(place.path, "flush\n", 6, modes[_i].mode), 0);
	ck_assert_int_eq(
		keys_source_read(place.path, "keys", true, strict, &a), fine ? 0 : -EBADMSG);
	ck_assert_uint_eq(conf_diags_errors(strict), fine ? 0 : 1);
	ck_assert_int_eq(keys_source_read(place.path, "keys", false, lenient, &b), 0);
	ck_assert_str_eq(b.text, "flush\n");
	ck_assert_uint_eq(b.len, 6);
	ck_assert_uint_eq(conf_diags_errors(lenient), 0);
	ck_assert_uint_eq(conf_diags_count(lenient), fine ? 0 : 1);
}
END_TEST

START_TEST(absent)
{
	CLEANUP(conf_diags_freep) struct conf_diags *diags = conf_diags_new();
	struct keys_source source = { 0 };

	ck_assert_int_eq(keys_source_read("/nowhere/keys", "keys", true, diags, &source), -ENOENT);
	ck_assert_uint_eq(conf_diags_count(diags), 0);
}
END_TEST

START_TEST(no_regular_file)
{
	CLEANUP(place_done) struct place place = place_new();
	CLEANUP(conf_diags_freep) struct conf_diags *diags = conf_diags_new();
	struct keys_source source = { 0 };

	ck_assert_int_eq(mkdir(place.path, 0700), 0);
	ck_assert_int_eq(keys_source_read(place.path, "keys", true, diags, &source), -EBADMSG);
	ck_assert_int_eq(rmdir(place.path), 0);
	ck_assert_int_eq(mkfifo(place.path, 0600), 0); /* nobody ever writes into it */
	ck_assert_int_eq(keys_source_read(place.path, "keys", true, diags, &source), -EBADMSG);
	ck_assert_uint_eq(conf_diags_errors(diags), 2);
	ck_assert_str_eq(conf_diags_get(diags, 0)->code, "key-file");
	ck_assert_int_eq(unlink(place.path), 0);
	ck_assert_int_eq(symlink("/dev/zero", place.path), 0);
	ck_assert_int_eq(keys_source_read(place.path, "keys", false, diags, &source), -EBADMSG);
	ck_assert_str_eq(conf_diags_get(diags, 2)->message, "Not a regular file");
}
END_TEST

START_TEST(too_large)
{
	CLEANUP(place_done) struct place place = place_new();
	CLEANUP(conf_diags_freep) struct conf_diags *diags = conf_diags_new();
	CLEANUP(fd_closep) int fd = open(place.path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	struct keys_source source = { 0 };

	ck_assert_int_eq(ftruncate(fd, (off_t)1 << 31), 0);
	ck_assert_int_eq(keys_source_read(place.path, "keys", true, diags, &source), -EBADMSG);
	ck_assert_str_eq(conf_diags_get(diags, 0)->message, "cannot read: it is too large");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("keys_source");
	TCase *tc = tcase_create("keys_source");

	tcase_add_loop_test(tc, rights, 0, ARRAY_SIZE(modes));
	tcase_add_test(tc, absent);
	tcase_add_test(tc, no_regular_file);
	tcase_add_test(tc, too_large);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
