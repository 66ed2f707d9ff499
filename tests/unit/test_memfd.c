/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/base/memfd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "common/base/text.h"
#include "tests/unit/suite.h"

#define BIG 20000 /* several times the first guess at the size of a pipe's contents */

START_TEST(sealed)
{
	CLEANUP(fd_closep) int fd = -1;
	struct memfd_view view;

	ck_assert_int_eq(memfd_seal("test", "hello", 5, &fd), 0);
	ck_assert_int_lt(write(fd, "x", 1), 0);
	ck_assert_int_lt(ftruncate(fd, 0), 0);
	ck_assert_int_eq(memfd_map(fd, 5, &view), 0);
	ck_assert_uint_eq(view.len, 5);
	ck_assert_mem_eq(view.bytes, "hello", 5);
	memfd_unmap(&view);
	ck_assert_ptr_null(view.bytes);
	ck_assert_int_eq(memfd_map(fd, 4, &view), -EFBIG);
}
END_TEST

START_TEST(empty)
{
	CLEANUP(fd_closep) int fd = -1;
	struct memfd_view view;

	ck_assert_int_eq(memfd_seal("test", "", 0, &fd), 0);
	ck_assert_int_eq(memfd_map(fd, 10, &view), 0);
	ck_assert_uint_eq(view.len, 0);
	ck_assert_ptr_null(view.bytes);
	memfd_unmap(&view);
}
END_TEST

static const int partial_seals[] = {
	0,
	F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE,
	F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL,
	F_SEAL_SHRINK | F_SEAL_WRITE | F_SEAL_SEAL,
	F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL,
};

START_TEST(unsealed_is_refused)
{
	CLEANUP(fd_closep) int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	struct memfd_view view;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, "hello", 5), 5);
	ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, partial_seals[_i]), 0);
	ck_assert_int_eq(memfd_map(fd, 100, &view), -EPERM);
}
END_TEST

START_TEST(other_descriptors_are_refused)
{
	struct memfd_view view;
	int pipe_fds[2];

	ck_assert_int_eq(pipe(pipe_fds), 0);
	ck_assert_int_eq(memfd_map(pipe_fds[0], 100, &view), -EINVAL);
	ck_assert_int_eq(memfd_map(-1, 100, &view), -EBADF);
	(void)close(pipe_fds[0]);
	(void)close(pipe_fds[1]);
}
END_TEST

START_TEST(sha256)
{
	uint8_t hash[MEMFD_HASH_BYTES];
	char str[2 * MEMFD_HASH_BYTES + 1];

	/* FIPS 180-2, appendix B.1. */
	ck_assert_int_eq(memfd_hash("abc", 3, hash), 0);
	hex_encode(hash, sizeof(hash), str);
	ck_assert_str_eq(str, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	ck_assert_int_eq(memfd_hash(NULL, 0, hash), 0);
	hex_encode(hash, sizeof(hash), str);
	ck_assert_str_eq(str, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}
END_TEST

static char *filled(char c)
{
	char *bytes = malloc(BIG);

	ck_assert_ptr_nonnull(bytes);
	memset(bytes, c, BIG);
	return bytes;
}

START_TEST(whole_files)
{
	char dir[] = "/tmp/test-memfd-XXXXXX";
	CLEANUP(freep) char *big = filled('x');
	CLEANUP(freep) char *bytes = NULL;
	char path[64];
	struct stat st;
	size_t len = 0;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(text_fixed(path, sizeof(path), "%s/f", dir), 0);
	ck_assert_int_eq(file_read_path(path, 100, &bytes, &len), -ENOENT);
	ck_assert_int_eq(file_replace(path, big, BIG, 0640), 0);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_eq(st.st_mode & 07777, 0640);
	ck_assert_int_eq(file_read_path(path, BIG - 1, &bytes, &len), -EFBIG);
	ck_assert_int_eq(file_read_path(path, BIG, &bytes, &len), 0);
	ck_assert_uint_eq(len, BIG);
	ck_assert_mem_eq(bytes, big, len);
	ck_assert_int_eq(bytes[len], 0);
	ck_assert_int_eq(file_replace(path, "", 0, 0600), 0);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_eq(st.st_size, 0);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(rmdir(dir), 0); /* nothing temporary stays behind */
}
END_TEST

START_TEST(pipes)
{
	CLEANUP(freep) char *bytes = NULL;
	CLEANUP(freep) char *big = filled('y');
	int fds[2];
	size_t len = 0;

	ck_assert_int_eq(pipe(fds), 0);
	ck_assert_int_eq(write(fds[1], big, BIG), BIG);
	(void)close(fds[1]);
	ck_assert_int_eq(file_read_fd(fds[0], 1000000, &bytes, &len), 0);
	ck_assert_uint_eq(len, BIG);
	ck_assert_mem_eq(bytes, big, len);
	(void)close(fds[0]);
}
END_TEST

START_TEST(relocation)
{
	CLEANUP(freep) char *plain = NULL;
	CLEANUP(freep) char *moved = NULL;

	(void)unsetenv("NETIPSEC_ROOT");
	ck_assert_int_eq(file_system_path("/etc/x", &plain), 0);
	ck_assert_str_eq(plain, "/etc/x");
	ck_assert_int_eq(setenv("NETIPSEC_ROOT", "/tmp/root", 1), 0);
	ck_assert_int_eq(file_system_path("/etc/x", &moved), 0);
	ck_assert_str_eq(moved, "/tmp/root/etc/x");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("memfd");
	TCase *tc = tcase_create("memfd");

	tcase_add_test(tc, sealed);
	tcase_add_test(tc, empty);
	tcase_add_loop_test(tc, unsealed_is_refused, 0, ARRAY_SIZE(partial_seals));
	tcase_add_test(tc, other_descriptors_are_refused);
	tcase_add_test(tc, sha256);
	tcase_add_test(tc, whole_files);
	tcase_add_test(tc, pipes);
	tcase_add_test(tc, relocation);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
