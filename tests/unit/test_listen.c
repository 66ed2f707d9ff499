/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/base/listen.h"
#include "common/base/text.h"
#include "tests/unit/suite.h"

#define NOBODY 65534

static char folder[] = "/tmp/listen-XXXXXX", path[64];

static void setup(void)
{
	ck_assert_ptr_nonnull(mkdtemp(folder));
	ck_assert_int_eq(text_fixed(path, sizeof(path), "%s/door", folder), 0);
}

static void teardown(void)
{
	(void)unlink(path);
	(void)rmdir(folder);
}

static int opened(mode_t mode, gid_t group)
{
	int fd = -1;
	int r = listen_open(
		&(struct listen_at){ .path = path, .mode = mode, .group = group, .backlog = 1 },
		&fd);

	return r < 0 ? r : fd;
}

static void expect_inode(mode_t mode, gid_t group)
{
	struct stat st;

	ck_assert_int_eq(lstat(path, &st), 0);
	ck_assert(S_ISSOCK(st.st_mode));
	ck_assert_int_eq(st.st_mode & 07777, mode);
	ck_assert_int_eq(st.st_gid, group);
}

START_TEST(messages_go_through)
{
	CLEANUP(fd_closep) int door = opened(0600, (gid_t)-1);
	CLEANUP(fd_closep) int visitor = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	CLEANUP(fd_closep) int inside = -1;
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	char word[8] = "";

	ck_assert_int_ge(door, 0);
	expect_inode(0600, getegid());
	ck_assert_int_ne(fcntl(door, F_GETFD) & FD_CLOEXEC, 0);
	ck_assert_int_eq(text_copy(addr.sun_path, sizeof(addr.sun_path), path), 0);
	ck_assert_int_eq(connect(visitor, (struct sockaddr *)&addr, sizeof(addr)), 0);
	inside = accept(door, NULL, NULL);
	ck_assert_int_ge(inside, 0);
	ck_assert_int_eq(send(visitor, "a", 1, 0), 1);
	ck_assert_int_eq(send(visitor, "bc", 2, 0), 2);
	ck_assert_int_eq(recv(inside, word, sizeof(word), 0), 1);
	ck_assert_int_eq(recv(inside, word, sizeof(word), 0), 2);
}
END_TEST

START_TEST(what_a_former_life_left_is_replaced)
{
	CLEANUP(fd_closep) int former = opened(0666, (gid_t)-1);
	CLEANUP(fd_closep) int door = opened(0600, (gid_t)-1);

	ck_assert_int_ge(former, 0);
	ck_assert_int_ge(door, 0);
	expect_inode(0600, getegid());
}
END_TEST

START_TEST(nothing_but_a_socket_is_removed)
{
	CLEANUP(fd_closep) int file = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	struct stat st;

	ck_assert_int_ge(file, 0);
	ck_assert_int_eq(opened(0600, (gid_t)-1), -EEXIST);
	ck_assert_int_eq(lstat(path, &st), 0);
	ck_assert(S_ISREG(st.st_mode));
}
END_TEST

START_TEST(a_group_gets_it_or_loses_its_bits)
{
	CLEANUP(fd_closep) int door = opened(0660, NOBODY);

	ck_assert_int_ge(door, 0);
	if (geteuid() == 0)
		expect_inode(0660, NOBODY);
	else
		expect_inode(0600, getegid());
}
END_TEST

START_TEST(a_path_that_is_too_long)
{
	char buffer[200];
	int fd = -1;

	memset(buffer, 'x', sizeof(buffer) - 1);
	buffer[sizeof(buffer) - 1] = '\0';
	ck_assert_int_lt(listen_open(&(struct listen_at){ .path = buffer, .mode = 0600 }, &fd), 0);
	ck_assert_int_eq(fd, -1);
}
END_TEST

/* With no descriptor left a visitor is sent away: else whoever waits for the door would spin. */
START_TEST(nobody_waits_at_a_full_house)
{
	CLEANUP(fd_closep) int door = opened(0600, (gid_t)-1);
	CLEANUP(fd_closep) int spare = -1;
	CLEANUP(fd_closep) int visitor = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct pollfd knock = { .fd = door, .events = POLLIN };
	struct rlimit limit, full;
	char word;

	ck_assert_int_ge(door, 0);
	spare = listen_spare(door);
	ck_assert_int_ge(spare, 0);
	ck_assert_int_eq(text_copy(addr.sun_path, sizeof(addr.sun_path), path), 0);
	ck_assert_int_eq(connect(visitor, (struct sockaddr *)&addr, sizeof(addr)), 0);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	full = limit;
	full.rlim_cur = (rlim_t)spare + 1; /* the highest */
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &full), 0);
	ck_assert_int_eq(listen_accept(door, &spare), -EMFILE);
	ck_assert_int_ge(fcntl(spare, F_GETFD), 0);
	ck_assert_int_eq(poll(&knock, 1, 0), 0);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	ck_assert_int_eq(recv(visitor, &word, sizeof(word), 0), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("listen");
	TCase *tc = tcase_create("doors");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, messages_go_through);
	tcase_add_test(tc, what_a_former_life_left_is_replaced);
	tcase_add_test(tc, nothing_but_a_socket_is_removed);
	tcase_add_test(tc, a_group_gets_it_or_loses_its_bits);
	tcase_add_test(tc, a_path_that_is_too_long);
	tcase_add_test(tc, nobody_waits_at_a_full_house);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
