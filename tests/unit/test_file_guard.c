/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files that only root and the process itself can have written. What needs other owners needs root. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "common/base/memfd.h"
#include "common/base/text.h"
#include "tests/unit/suite.h"

#define SOMEBODY 65534

static struct {
	char directory[64], file[96], link[96];
} w;

static void setup(void)
{
	CLEANUP(fd_closep) int fd = -1;

	ck_assert_int_eq(
		text_copy(w.directory, sizeof(w.directory), "/tmp/netipsec-guard-XXXXXX"), 0);
	ck_assert_ptr_nonnull(mkdtemp(w.directory));
	ck_assert_int_eq(text_fixed(w.file, sizeof(w.file), "%s/file", w.directory), 0);
	ck_assert_int_eq(text_fixed(w.link, sizeof(w.link), "%s/link", w.directory), 0);
	fd = open(w.file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	ck_assert_int_eq(write(fd, "text\n", 5), 5);
	ck_assert_int_eq(symlink("file", w.link), 0);
}

static void teardown(void)
{
	(void)unlink(w.link);
	(void)unlink(w.file);
	(void)rmdir(w.directory);
}

static int read_guarded(const char *path)
{
	CLEANUP(freep) char *text = NULL;
	size_t len = 0;
	int r = file_read_guarded(path, 100, &text, &len);

	ck_assert_int_eq(text != NULL, r == 0);
	return r;
}

static const struct {
	mode_t mode;
	int want;
} modes[] = {
	{ 0600, 0 },
	{ 0644, 0 },
	{ 0444, 0 },
	{ 0755, 0 },
	{ 0664, -EPERM },
	{ 0620, -EPERM },
	{ 0602, -EPERM },
	{ 0666, -EPERM },
};

START_TEST(only_the_owner_may_write)
{
	ck_assert_int_eq(chmod(w.file, modes[_i].mode), 0);
	ck_assert_int_eq(read_guarded(w.file), modes[_i].want);
	ck_assert_int_eq(read_guarded(w.link), modes[_i].want);
	ck_assert_str_eq(file_error(-EPERM), "others than root may change it");
}
END_TEST

START_TEST(the_owner_is_root_or_the_process)
{
	if (geteuid() != 0)
		return; /* nobody else's file can be made */
	ck_assert_int_eq(read_guarded(w.file), 0);
	ck_assert_int_eq(chown(w.file, SOMEBODY, 0), 0);
	ck_assert_int_eq(read_guarded(w.file), -EPERM);
	ck_assert_int_eq(read_guarded(w.link), -EPERM);
	ck_assert_int_eq(chown(w.file, 0, SOMEBODY), 0);
	ck_assert_int_eq(read_guarded(w.file), 0);
	/* It could lead to any good file of root's. */
	ck_assert_int_eq(lchown(w.link, SOMEBODY, 0), 0);
	ck_assert_int_eq(read_guarded(w.link), -EPERM);
	ck_assert_int_eq(seteuid(SOMEBODY), 0);
	ck_assert_int_eq(chmod(w.directory, 0755), -1);
	ck_assert_int_eq(seteuid(0), 0);
	ck_assert_int_eq(chmod(w.directory, 0755), 0);
	ck_assert_int_eq(chmod(w.file, 0644), 0);
	ck_assert_int_eq(seteuid(SOMEBODY), 0);
	ck_assert_int_eq(read_guarded(w.link), 0); /* its own */
	ck_assert_int_eq(seteuid(0), 0);
}
END_TEST

START_TEST(what_is_no_file)
{
	CLEANUP(fd_closep) int fd = open(w.file, O_RDONLY | O_CLOEXEC);

	ck_assert_int_eq(read_guarded("/dev/zero"), -EBADF);
	ck_assert_int_eq(unlink(w.file), 0);
	ck_assert_int_eq(read_guarded(w.link), -EBADF);
	ck_assert_int_eq(read_guarded(w.file), -ENOENT);
	ck_assert_int_eq(mkfifo(w.file, 0600), 0);
	ck_assert_int_eq(read_guarded(w.file), -EBADF);
	/* What was opened is not what stands there. */
	ck_assert_int_eq(unlink(w.file), 0);
	ck_assert_int_eq(close(open(w.file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600)), 0);
	ck_assert_int_eq(file_check_guard(w.file, fd), -EAGAIN);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("file_guard");
	TCase *tc = tcase_create("file_guard");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, only_the_owner_may_write, 0, ARRAY_SIZE(modes));
	tcase_add_test(tc, the_owner_is_root_or_the_process);
	tcase_add_test(tc, what_is_no_file);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
