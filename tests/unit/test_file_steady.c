/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A file that somebody writes while it is read: it is read again, or not at all. Linked with --wrap
 * for read(), which lets the file grow in the middle.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "common/base/memfd.h"
#include "common/base/text.h"
#include "tests/unit/suite.h"

static struct {
	char path[64];
	unsigned int changes; /* still to come */
	unsigned int reads;
} w;

ssize_t real_read(int fd, void *buffer, size_t size) __asm__("__real_read");
ssize_t disturbed_read(int fd, void *buffer, size_t size) __asm__("__wrap_read");

static void grow(void)
{
	CLEANUP(fd_closep) int fd = open(w.path, O_WRONLY | O_APPEND | O_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, "more\n", 5), 5);
}

ssize_t disturbed_read(int fd, void *buffer, size_t size)
{
	ssize_t n = real_read(fd, buffer, size);

	w.reads++;
	if (w.changes > 0 && n == 0) {
		w.changes--;
		grow();
	}
	return n;
}

static void setup(void)
{
	ck_assert_int_eq(text_copy(w.path, sizeof(w.path), "/tmp/netipsec-steady-XXXXXX"), 0);
	(void)close(mkstemp(w.path));
	grow();
}

static void teardown(void)
{
	(void)unlink(w.path);
}

static const struct {
	unsigned int changes;
	int want;
	const char *text;
} cases[] = {
	{ 0, 0, "more\n" },
	{ 1, 0, "more\nmore\n" },
	{ 2, 0, "more\nmore\nmore\n" },
	{ 3, -EAGAIN, NULL },
	{ 1000, -EAGAIN, NULL },
};

START_TEST(what_changes_is_read_again)
{
	CLEANUP(freep) char *text = NULL;
	size_t len = 0;

	w.changes = cases[_i].changes;
	ck_assert_int_eq(file_read_path(w.path, 1000, &text, &len), cases[_i].want);
	if (cases[_i].want < 0) {
		ck_assert_ptr_null(text);
		ck_assert_str_eq(file_error(cases[_i].want), "it changed while it was read");
		return;
	}
	ck_assert_str_eq(text, cases[_i].text);
	ck_assert_uint_eq(len, strlen(cases[_i].text));
}
END_TEST

START_TEST(one_descriptor_is_not_tried_again)
{
	CLEANUP(fd_closep) int fd = open(w.path, O_RDONLY | O_CLOEXEC);
	char *text = NULL;
	size_t len;

	w.changes = 1;
	ck_assert_int_eq(file_read_regular(fd, 1000, &text, &len), -EAGAIN);
	ck_assert_ptr_null(text);
}
END_TEST

START_TEST(nothing_is_read_of_what_is_no_file)
{
	char *text = NULL;
	size_t len;

	w.reads = 0;
	ck_assert_int_eq(unlink(w.path), 0);
	ck_assert_int_eq(mkfifo(w.path, 0600), 0);
	ck_assert_int_eq(file_read_path(w.path, 1000, &text, &len), -EBADF);
	ck_assert_int_eq(unlink(w.path), 0);
	ck_assert_int_eq(file_read_path(w.path, 1000, &text, &len), -ENOENT);
	ck_assert_int_eq(symlink("nowhere", w.path), 0);
	ck_assert_int_eq(file_read_path(w.path, 1000, &text, &len), -EBADF);
	ck_assert_int_eq(file_read_path("/dev/zero", 1000, &text, &len), -EBADF);
	ck_assert_uint_eq(w.reads, 0);
	ck_assert_str_eq(file_error(-EBADF), "not a regular file");
	ck_assert_str_eq(file_error(-EACCES), strerror(EACCES));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("file_steady");
	TCase *tc = tcase_create("file_steady");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, what_changes_is_read_again, 0, ARRAY_SIZE(cases));
	tcase_add_test(tc, one_descriptor_is_not_tried_again);
	tcase_add_test(tc, nothing_is_read_of_what_is_no_file);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
