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
 * back and used from here.
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

/* Who has no right at all learns nothing, of what others do neither. */
static void check_shut_out(struct lab *lab)
{
	say_sa(lab, 1, PFKEY_GET, fixture_sa(0x1001));
	expect(lab, 1, PFKEY_GET, EPERM, 0);
	say_base(lab, 1, PFKEY_DUMP, 0);
	expect(lab, 1, PFKEY_DUMP, EPERM, 0);
	say_sa(lab, 0, PFKEY_ADD, fixture_sa(0x1009));
	expect(lab, 0, PFKEY_ADD, 0, 0);
	hear_nothing(lab, 1);
	say_sa(lab, 0, PFKEY_DELETE, fixture_sa(0x1009));
	expect(lab, 0, PFKEY_DELETE, 0, 0);
	hear_nothing(lab, 1);
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
	ck_assert_int_eq(chmod(lab->f->dir, 0755), 0);
	(void)close(lab->fds[1]);
	lab->fds[1] = connect_as(lab->path, peers[_i].uid, peers[_i].group);
	turn(lab);
	if (peers[_i].may_change || peers[_i].sees_keys)
		check_reads(lab, peers[_i].sees_keys);
	else
		check_shut_out(lab);
	if (peers[_i].may_change)
		check_allowed(lab, peers[_i].sees_keys);
	else
		check_refused(lab);
	lab_done(lab);
}
END_TEST

struct heard {
	char last[128], right[32];
	int error;
	uid_t uid;
	size_t n;
	uint64_t times;
};

static void on_audit(const struct pfkey_audit *record, void *userdata)
{
	struct heard *heard = userdata;

	heard->n++;
	heard->times += record->times;
	heard->error = record->error;
	heard->uid = record->uid;
	(void)!text_fixed(
		heard->last, sizeof(heard->last), "%s %s", record->message, record->object);
	(void)!text_fixed(heard->right, sizeof(heard->right), "%s", record->right);
}

/* Each change and each refusal; who looks and may look leaves nothing. */
START_TEST(changes_are_written_down)
{
	struct lab *lab = lab_new();
	struct heard heard = { 0 };

	pfkey_door_set_audit(lab->door, on_audit, &heard);
	say_sa(lab, 0, PFKEY_ADD, fixture_sa(0x1001));
	ck_assert_str_eq(heard.last, "ADD esp spi 0x1001 192.0.2.1 > 192.0.2.17 transport");
	ck_assert_int_eq(heard.error, 0);
	ck_assert_uint_eq(heard.uid, getuid());
	ck_assert_str_eq(heard.right, getuid() == 0 ? "root" : "own user");
	say_sa(lab, 0, PFKEY_ADD, fixture_sa(0x1001));
	ck_assert_int_eq(heard.error, EEXIST);
	say_sa(lab, 0, PFKEY_DELETE, fixture_sa(0x1001));
	ck_assert_str_eq(heard.last, "DELETE esp spi 0x1001 192.0.2.1 > 192.0.2.17 transport");
	say_base(lab, 0, PFKEY_FLUSH, 0);
	ck_assert_str_eq(heard.last, "FLUSH ");
	say_bytes(lab, 0, (const uint8_t[16]){ 2, PFKEY_ADD, 0, 3, 2 }, 16);
	ck_assert_int_eq(heard.error, EINVAL);
	ck_assert_uint_eq(heard.n, 5);
	say_sa(lab, 0, PFKEY_GET, fixture_sa(0x1001));
	say_base(lab, 0, PFKEY_DUMP, 0);
	say_base(lab, 0, PFKEY_REGISTER, PFKEY_SATYPE_ESP);
	ck_assert_uint_eq(heard.n, 5);
	lab_done(lab);
}
END_TEST

/* Of many the rest is told as a number, but none is left out. */
START_TEST(many_changes_are_counted)
{
	struct lab *lab = lab_new();
	struct heard heard = { 0 };

	pfkey_door_set_audit(lab->door, on_audit, &heard);
	for (uint32_t i = 0; i < 300; i++) {
		struct pfkey_message *msg;

		say_base(lab, 0, i % 3 ? PFKEY_FLUSH : PFKEY_ADD, PFKEY_SATYPE_ESP);
		for (int who = 0; who < CLIENTS; who++)
			while ((msg = hear(lab, who)))
				pfkey_message_free(msg);
	}
	ck_assert_uint_eq(heard.n, 50);
	lab->door = pfkey_door_free(lab->door); /* the time is over, or we are */
	ck_assert_uint_eq(heard.times, 300);
	ck_assert_uint_eq(heard.n, 52);
	lab_done(lab);
}
END_TEST

START_TEST(strangers_are_few)
{
	struct pfkey_door_groups groups = { ADMINS, KEEPERS };
	struct heard heard = { 0 };
	struct lab *lab;
	int fds[40];

	if (!has_other_users())
		return;
	lab = lab_new_for(&groups);
	ck_assert_int_eq(chmod(lab->f->dir, 0755), 0);
	pfkey_door_set_audit(lab->door, on_audit, &heard);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		fds[i] = connect_as(lab->path, NOBODY, NOBODY);
		turn(lab);
	}
	ck_assert_uint_eq(pfkey_door_peers(lab->door), CLIENTS + 16);
	ck_assert_int_eq(send(fds[0], (const uint8_t[16]){ 2, PFKEY_DUMP, [4] = 2 }, 16, 0), 16);
	turn(lab);
	ck_assert_str_eq(heard.last, "DUMP ");
	ck_assert_str_eq(heard.right, "none");
	ck_assert_int_eq(heard.error, EPERM);
	ck_assert_uint_eq(heard.uid, NOBODY);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		(void)close(fds[i]);
	lab_done(lab);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pfkey_rights");
	TCase *tc = tcase_create("pfkey_rights");

	tcase_add_loop_test(tc, rights, 0, (int)ARRAY_SIZE(peers));
	tcase_add_test(tc, changes_are_written_down);
	tcase_add_test(tc, many_changes_are_counted);
	tcase_add_test(tc, strangers_are_few);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
