/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who may do what at the PF_KEY door, by the credentials that the kernel gives. */
#include "services/datapath/pfkey/pfkey_door.h"

#include <grp.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "tests/unit/pfkey_lab.h"

#define NOBODY 65534

/* Receive a descriptor. */
static int take_fd(int from)
{
	char byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	union {
		char room[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	struct msghdr header = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.room,
		.msg_controllen = sizeof(control.room) };
	int fd = -1;

	ck_assert_int_eq(recvmsg(from, &header, 0), 1);
	ck_assert_ptr_nonnull(CMSG_FIRSTHDR(&header));
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&header)), sizeof(fd));
	return fd;
}

static int give_fd(int to, int fd)
{
	char byte = 0;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	union {
		char room[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	struct msghdr header = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.room,
		.msg_controllen = sizeof(control.room) };
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&header);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	return sendmsg(to, &header, 0) == 1 ? 0 : 1;
}

/*
 * A connection that another user made: rights count as they were then, so its socket can be handed
 * back and used from here. Needs a door whose socket is open to all.
 */
static int connect_as(const char *path, uid_t uid, gid_t group)
{
	int pair[2], fd, status;
	pid_t child;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	child = fork();
	if (child == 0) {
		if (setgroups(1, &group) < 0 || setgid(NOBODY) < 0 || setuid(uid) < 0)
			_exit(1);
		_exit(give_fd(pair[1], connect_to(path)));
	}
	fd = take_fd(pair[0]);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	(void)close(pair[0]);
	(void)close(pair[1]);
	return fd;
}

#define ADMINS	61001
#define KEEPERS 61002

static const struct {
	const char *name;
	uid_t uid;
	gid_t group;
	bool may_change, sees_keys;
} peers[] = {
	{ "root", 0, NOBODY, true, true },
	{ "a stranger", NOBODY, NOBODY, false, false },
	{ "ipsecadm", NOBODY, ADMINS, true, false },
	{ "ipseckey", NOBODY, KEEPERS, false, true },
};

static void check_reads(struct lab *lab, bool sees_keys)
{
	struct pfkey_message *msg;

	say_sa(lab, 1, PFKEY_GET, fixture_sa(0x1001));
	msg = hear_type(lab, 1, PFKEY_GET, 0, 0);
	ck_assert((msg->sa->encr_key != NULL) == sees_keys);
	ck_assert((msg->sa->auth_key != NULL) == sees_keys);
	pfkey_message_free(msg);
	say_base(lab, 1, PFKEY_DUMP, 0);
	msg = hear_type(lab, 1, PFKEY_DUMP, 0, 0);
	ck_assert((msg->sa->encr_key != NULL) == sees_keys);
	pfkey_message_free(msg);
	expect(lab, 1, PFKEY_DUMP, 0, 0);
}

static void check_refused(struct lab *lab)
{
	static const uint8_t bases[] = { PFKEY_FLUSH, PFKEY_REGISTER, PFKEY_X_PROMISC };
	static const uint8_t with_sa[] = { PFKEY_ADD, PFKEY_DELETE, PFKEY_UPDATE };

	for (size_t i = 0; i < ARRAY_SIZE(bases); i++) {
		say_base(lab, 1, bases[i], bases[i] == PFKEY_X_PROMISC ? 1 : PFKEY_SATYPE_ESP);
		expect(lab, 1, bases[i], EPERM, 0);
	}
	for (size_t i = 0; i < ARRAY_SIZE(with_sa); i++) {
		say_sa(lab, 1, with_sa[i], fixture_sa(0x1001));
		expect(lab, 1, with_sa[i], EPERM, 0);
	}
	/* Nobody else hears of it, not even of nonsense. */
	say_bytes(lab, 1, (const uint8_t[16]){ 2, PFKEY_ADD, 0, 3, 2 }, 16);
	expect(lab, 1, PFKEY_ADD, EPERM, 0);
	hear_nothing(lab, 0);
	ck_assert_uint_eq(sad_count(lab->f->sad), 1);
}

static void check_allowed(struct lab *lab, bool sees_keys)
{
	struct pfkey_message *msg;

	say_base(lab, 1, PFKEY_X_PROMISC, 1);
	expect(lab, 1, PFKEY_X_PROMISC, 0, 0);
	/* Watching all the rest shows keys only by that other right. */
	say_sa(lab, 0, PFKEY_ADD, fixture_sa(0x1002));
	msg = hear_type(lab, 1, PFKEY_ADD, 0, 0);
	ck_assert((msg->sa->encr_key != NULL) == sees_keys);
	pfkey_message_free(msg);
	expect(lab, 1, PFKEY_ADD, 0, 0);
	say_base(lab, 1, PFKEY_FLUSH, 0);
	expect(lab, 1, PFKEY_FLUSH, 0, 0);
	ck_assert_uint_eq(sad_count(lab->f->sad), 0);
}

/* Several users take root, and a user namespace that maps more than one. */
static bool has_other_users(void)
{
	gid_t group = ADMINS;
	int status;
	pid_t child = fork();

	if (child == 0)
		_exit(setgroups(1, &group) == 0 && setgid(NOBODY) == 0 && setuid(NOBODY) == 0 ? 0
											      : 1);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	return status == 0;
}

START_TEST(rights)
{
	struct pfkey_door_groups groups = { ADMINS, KEEPERS };
	struct lab *lab;

	if (!has_other_users()) /* the one there is is trusted */
		return;
	lab = lab_new_for(&groups);
	(void)fixture_add(lab->f, fixture_sa(0x1001));
	expect_all(lab, PFKEY_ADD, 0, 0);
	ck_assert_int_eq(chmod(lab->path, 0666), 0);
	ck_assert_int_eq(chmod(lab->f->dir, 0755), 0);
	(void)close(lab->fds[1]);
	lab->fds[1] = connect_as(lab->path, peers[_i].uid, peers[_i].group);
	turn(lab);
	check_reads(lab, peers[_i].sees_keys);
	if (peers[_i].may_change)
		check_allowed(lab, peers[_i].sees_keys);
	else
		check_refused(lab);
	lab_done(lab);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pfkey_rights");
	TCase *tc = tcase_create("pfkey_rights");

	tcase_add_loop_test(tc, rights, 0, (int)ARRAY_SIZE(peers));
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
