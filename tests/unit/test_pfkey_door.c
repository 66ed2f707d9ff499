/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/pfkey_door.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "tests/unit/sadb_fixture.h"

#define CLIENTS 3

struct lab {
	struct sadb_fixture *f;
	sd_event *event;
	char path[96];
	struct pfkey_door *door;
	int fds[CLIENTS];
};

static int connect_to(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	memcpy(addr.sun_path, path, strlen(path));
	ck_assert_int_eq(connect(fd, (const struct sockaddr *)&addr, sizeof(addr)), 0);
	return fd;
}

/* Let the door do what there is to do now; never waits. */
static void turn(struct lab *lab)
{
	int r;

	do {
		r = sd_event_run(lab->event, 0);
		ck_assert_int_ge(r, 0);
	} while (r > 0);
}

static struct lab *lab_new(void)
{
	struct lab *lab = calloc(1, sizeof(*lab));
	struct pfkey_door_groups none = { (gid_t)-1, (gid_t)-1 };

	ck_assert_ptr_nonnull(lab);
	lab->f = fixture_new();
	ck_assert_int_eq(sd_event_new(&lab->event), 0);
	ck_assert_int_eq(text_fixed(lab->path, sizeof(lab->path), "%s/pfkey", lab->f->dir), 0);
	ck_assert_int_eq(pfkey_door_new(lab->event, lab->f->sadb, lab->path, &none, &lab->door), 0);
	for (int i = 0; i < CLIENTS; i++)
		lab->fds[i] = connect_to(lab->path);
	turn(lab);
	ck_assert_uint_eq(pfkey_door_peers(lab->door), CLIENTS);
	return lab;
}

static void lab_done(struct lab *lab)
{
	for (int i = 0; i < CLIENTS; i++)
		if (lab->fds[i] >= 0)
			(void)close(lab->fds[i]);
	lab->door = pfkey_door_free(lab->door);
	ck_assert_int_ne(access(lab->path, F_OK), 0);
	lab->event = sd_event_unref(lab->event);
	fixture_done(lab->f);
	free(lab);
}

static void say_bytes(struct lab *lab, int who, const void *bytes, size_t len)
{
	ck_assert_int_eq(send(lab->fds[who], bytes, len, MSG_NOSIGNAL), (ssize_t)len);
	turn(lab);
}

static void say(struct lab *lab, int who, const struct pfkey_message *msg)
{
	uint8_t bytes[PFKEY_MAX_BYTES];
	size_t len;

	ck_assert_int_eq(pfkey_encode(msg, PFKEY_REQUEST, bytes, sizeof(bytes), &len), 0);
	say_bytes(lab, who, bytes, len);
}

/* What a client hears next; NULL: nothing. */
static struct pfkey_message *hear(struct lab *lab, int who)
{
	uint8_t bytes[PFKEY_MAX_BYTES];
	struct pfkey_message *msg = NULL;
	struct pfkey_fault fault;
	ssize_t n = recv(lab->fds[who], bytes, sizeof(bytes), MSG_DONTWAIT);

	if (n < 0)
		return NULL;
	ck_assert_int_eq(pfkey_decode(bytes, (size_t)n, PFKEY_ANSWER, &msg, &fault), 0);
	return msg;
}

static void hear_nothing(struct lab *lab, int who)
{
	struct pfkey_message *msg = hear(lab, who);

	ck_assert_msg(!msg, "heard type %u", msg ? msg->type : 0);
}

/* The next is of this type and with this result, for the request that say_*() made. */
static struct pfkey_message *hear_type(struct lab *lab, int who, uint8_t type, int error,
	uint16_t diagnostic)
{
	struct pfkey_message *msg = hear(lab, who);

	ck_assert_msg(msg != NULL, "client %d heard nothing", who);
	ck_assert_uint_eq(msg->type, type);
	ck_assert_msg(msg->error == error && msg->diagnostic == diagnostic, "error %u, diagnostic %u",
		msg->error, msg->diagnostic);
	return msg;
}

static void expect(struct lab *lab, int who, uint8_t type, int error, uint16_t diagnostic)
{
	pfkey_message_free(hear_type(lab, who, type, error, diagnostic));
}

static void expect_all(struct lab *lab, uint8_t type, int error, uint16_t diagnostic)
{
	for (int i = 0; i < CLIENTS; i++)
		expect(lab, i, type, error, diagnostic);
}

static struct pfkey_message *request(uint8_t type, struct sa *sa)
{
	struct pfkey_message *msg = pfkey_message_of_sa(type, sa, type == PFKEY_ADD);

	ck_assert_ptr_nonnull(msg);
	sa_free(sa);
	msg->seq = 7;
	msg->pid = 8;
	if (type != PFKEY_ADD)
		msg->present &= PFKEY_BIT(PFKEY_EXT_SA) | PFKEY_BIT(PFKEY_EXT_ADDRESS_SRC) |
				PFKEY_BIT(PFKEY_EXT_ADDRESS_DST);
	return msg;
}

static void say_sa(struct lab *lab, int who, uint8_t type, struct sa *sa)
{
	struct pfkey_message *msg = request(type, sa);

	say(lab, who, msg);
	pfkey_message_free(msg);
}

static void say_base(struct lab *lab, int who, uint8_t type, uint8_t satype)
{
	struct pfkey_message *msg = pfkey_message_new();

	msg->type = type;
	msg->satype = satype;
	msg->seq = 7;
	msg->pid = 8;
	say(lab, who, msg);
	pfkey_message_free(msg);
}

START_TEST(socket_mode)
{
	struct lab *lab = lab_new();
	struct stat st;

	ck_assert_int_eq(stat(lab->path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0660);
	lab_done(lab);
}
END_TEST

START_TEST(add_is_told_to_all_without_keys)
{
	struct lab *lab = lab_new();

	say_sa(lab, 0, PFKEY_ADD, fixture_sa(0x1001));
	for (int i = 0; i < CLIENTS; i++) {
		struct pfkey_message *msg = hear_type(lab, i, PFKEY_ADD, 0, 0);

		ck_assert_uint_eq(msg->seq, 7);
		ck_assert_uint_eq(msg->pid, 8);
		ck_assert_uint_eq(msg->sa->spi, 0x1001);
		ck_assert_ptr_null(msg->sa->encr_key);
		ck_assert_ptr_null(msg->sa->auth_key);
		ck_assert(msg->sa_flags & PFKEY_SAF_OUTBOUND);
		pfkey_message_free(msg);
	}
	ck_assert_uint_eq(sad_count(lab->f->sad), 1);
	say_sa(lab, 1, PFKEY_ADD, fixture_sa(0x1001));
	expect_all(lab, PFKEY_ADD, EEXIST, 0);
	lab_done(lab);
}
END_TEST

START_TEST(get)
{
	struct lab *lab = lab_new();
	struct pfkey_message *msg;
	struct sad_entry *entry;

	say_sa(lab, 0, PFKEY_GET, fixture_sa_gcm(5, 1));
	expect(lab, 0, PFKEY_GET, ESRCH, PFKEY_DIAG_SA_NOTFOUND);
	hear_nothing(lab, 1);
	entry = fixture_add(lab->f, fixture_sa_gcm(5, 1));
	expect_all(lab, PFKEY_ADD, 0, 0);
	atomic_store(&entry->run->bytes, 4321);
	atomic_store(&entry->run->packets, 3);
	atomic_store(&entry->run->seq, 3);
	atomic_store(&entry->run->first_use_usec, entry->run->added_usec + 5000000);
	say_sa(lab, 0, PFKEY_GET, fixture_sa_gcm(5, 1));
	msg = hear_type(lab, 0, PFKEY_GET, 0, 0);
	ck_assert_uint_eq(msg->sa->encr_key_bits, 128);
	ck_assert_uint_eq(msg->sa->salt_bits, 32);
	ck_assert_uint_eq(secret_len(msg->sa->encr_key), 20);
	ck_assert_uint_eq(msg->current.bytes, 4321);
	ck_assert_uint_eq(msg->current.allocations, 3);
	ck_assert_uint_eq(msg->current.use_wall_sec - msg->current.add_wall_sec, 5);
	ck_assert_uint_eq(msg->sa->replay_value, 3);
	ck_assert(msg->sa_flags & PFKEY_SAF_USED);
	ck_assert_uint_eq(msg->sa->state, SA_MATURE);
	pfkey_message_free(msg);
	hear_nothing(lab, 1);
	lab_done(lab);
}
END_TEST

START_TEST(delete_and_flush)
{
	struct lab *lab = lab_new();
	struct pfkey_message *msg = request(PFKEY_DELETE, fixture_sa(1));

	say_sa(lab, 0, PFKEY_DELETE, fixture_sa(1));
	expect_all(lab, PFKEY_DELETE, ESRCH, PFKEY_DIAG_SA_NOTFOUND);
	(void)fixture_add(lab->f, fixture_sa(1));
	(void)fixture_add(lab->f, fixture_sa(2));
	expect_all(lab, PFKEY_ADD, 0, 0);
	expect_all(lab, PFKEY_ADD, 0, 0);
	say(lab, 0, msg);
	expect_all(lab, PFKEY_DELETE, 0, 0);
	msg->present &= ~PFKEY_BIT(PFKEY_EXT_SA);
	say(lab, 0, msg);
	expect_all(lab, PFKEY_DELETE, 0, 0);
	ck_assert_uint_eq(sad_count(lab->f->sad), 0);
	say(lab, 0, msg);
	expect_all(lab, PFKEY_DELETE, ESRCH, PFKEY_DIAG_SA_NOTFOUND);
	pfkey_message_free(msg);
	(void)fixture_add(lab->f, fixture_sa(1));
	expect_all(lab, PFKEY_ADD, 0, 0);
	say_base(lab, 2, PFKEY_FLUSH, PFKEY_SATYPE_AH);
	expect_all(lab, PFKEY_FLUSH, 0, 0);
	ck_assert_uint_eq(sad_count(lab->f->sad), 1);
	say_base(lab, 2, PFKEY_FLUSH, 0);
	expect_all(lab, PFKEY_FLUSH, 0, 0);
	ck_assert_uint_eq(sad_count(lab->f->sad), 0);
	lab_done(lab);
}
END_TEST

static const unsigned int dump_sizes[] = { 0, 1, 1000 };

START_TEST(dump)
{
	struct lab *lab = lab_new();
	unsigned int n = dump_sizes[_i], heard = 0;
	bool over = false;

	for (unsigned int i = 1; i <= n; i++)
		(void)fixture_add(lab->f, fixture_sa(i));
	for (int i = 1; i < CLIENTS; i++) { /* they do not read, and lose what is too much */
		(void)close(lab->fds[i]);
		lab->fds[i] = -1;
	}
	turn(lab);
	for (struct pfkey_message *msg; (msg = hear(lab, 0)) || (turn(lab), msg = hear(lab, 0));)
		pfkey_message_free(msg);
	say_base(lab, 0, PFKEY_DUMP, 0);
	if (n == 1000) { /* the second of two at a time */
		say_base(lab, 0, PFKEY_DUMP, 0);
	}
	while (!over) {
		struct pfkey_message *msg = hear(lab, 0);

		if (!msg) {
			turn(lab);
			msg = hear(lab, 0);
			ck_assert_ptr_nonnull(msg);
		}
		ck_assert_uint_eq(msg->type, PFKEY_DUMP);
		if (msg->error) {
			ck_assert_uint_eq(msg->error, ENOMEM);
		} else if (msg->seq == 0) {
			over = true;
			ck_assert_uint_eq(msg->present, 0);
			ck_assert_uint_eq(msg->pid, 8);
		} else {
			ck_assert_ptr_nonnull(msg->sa->encr_key);
			ck_assert_uint_eq(msg->sa->spi, ++heard);
		}
		pfkey_message_free(msg);
	}
	ck_assert_uint_eq(heard, n);
	hear_nothing(lab, 0);
	lab_done(lab);
}
END_TEST

START_TEST(registered)
{
	struct lab *lab = lab_new();
	struct sadb_acquire acquire = { .proto = SA_PROTO_ESP, .src = fixture_addr("192.0.2.1"),
		.dst = fixture_addr("192.0.2.17"), .rule_id = 5 };
	CLEANUP(rule_freep) struct rule *rule = rule_new(1);
	struct pfkey_message *msg;
	bool has_gcm = false, has_sha256 = false;

	say_base(lab, 0, PFKEY_REGISTER, 0);
	expect(lab, 0, PFKEY_REGISTER, EINVAL, PFKEY_DIAG_SATYPE_NEEDED);
	say_base(lab, 0, PFKEY_REGISTER, PFKEY_SATYPE_AH);
	expect(lab, 0, PFKEY_REGISTER, ESRCH, PFKEY_DIAG_NO_SADBS);
	say_base(lab, 0, PFKEY_REGISTER, PFKEY_SATYPE_ESP);
	msg = hear_type(lab, 0, PFKEY_REGISTER, 0, 0);
	for (size_t i = 0; i < msg->n_encrypt; i++)
		has_gcm |= msg->encrypt[i].number == ALG_ENCR_AES_GCM16 &&
			   msg->encrypt[i].salt_bits == 32 && msg->encrypt[i].min_bits == 128 &&
			   msg->encrypt[i].max_bits == 256;
	for (size_t i = 0; i < msg->n_auth; i++)
		has_sha256 |= msg->auth[i].number == ALG_AUTH_HMAC_SHA256 &&
			      msg->auth[i].min_bits == 256;
	ck_assert(has_gcm && has_sha256);
	pfkey_message_free(msg);
	rule->actions[0] = (struct action){ .kind = ACTION_PROTECT, .has_esp = true,
		.esp = { ALG_ENCR_AES_CBC, 128, 256 }, .has_esp_auth = true,
		.esp_auth = { ALG_AUTH_HMAC_SHA256, 256, 256 } };
	acquire.rule = rule;
	sadb_need(lab->f->sadb, &acquire);
	hear_nothing(lab, 1);
	msg = hear_type(lab, 0, PFKEY_ACQUIRE, 0, 0);
	ck_assert_uint_eq(msg->pid, 0);
	ck_assert_uint_ge(msg->seq, 0x80000000U);
	ck_assert_uint_eq(msg->n_combs, 1);
	ck_assert_uint_eq(msg->combs[0].encrypt, ALG_ENCR_AES_CBC);
	ck_assert_uint_eq(msg->combs[0].auth_min_bits, 256);
	ck_assert(address_equal(&msg->sa->dst, &acquire.dst));
	/* The key manager cannot; then the question may be asked again. */
	sadb_need(lab->f->sadb, &acquire);
	hear_nothing(lab, 0);
	msg->error = ETIMEDOUT;
	msg->present = 0;
	say(lab, 0, msg);
	pfkey_message_free(msg);
	sadb_need(lab->f->sadb, &acquire);
	expect(lab, 0, PFKEY_ACQUIRE, 0, 0);
	/* Other algorithms: told again. */
	pfkey_door_algorithms_changed(lab->door);
	expect(lab, 0, PFKEY_REGISTER, 0, 0);
	hear_nothing(lab, 1);
	lab_done(lab);
}
END_TEST

START_TEST(expiry)
{
	struct lab *lab = lab_new();
	struct sa *sa = fixture_sa(1);
	struct pfkey_message *msg;

	sa->soft.add_sec = 10;
	sa->hard.add_sec = 20;
	(void)fixture_add(lab->f, sa);
	expect_all(lab, PFKEY_ADD, 0, 0);
	fixture_pass(lab->f, 10);
	msg = hear_type(lab, 0, PFKEY_EXPIRE, 0, 0);
	ck_assert(msg->present & PFKEY_BIT(PFKEY_EXT_LIFETIME_SOFT));
	ck_assert(!(msg->present & PFKEY_BIT(PFKEY_EXT_LIFETIME_HARD)));
	ck_assert(msg->present & PFKEY_BIT(PFKEY_EXT_LIFETIME_CURRENT));
	ck_assert_uint_eq(msg->sa->soft.add_sec, 10);
	ck_assert_uint_eq(msg->sa->state, SA_DYING);
	pfkey_message_free(msg);
	fixture_pass(lab->f, 10);
	msg = hear_type(lab, 0, PFKEY_EXPIRE, 0, 0);
	ck_assert(msg->present & PFKEY_BIT(PFKEY_EXT_LIFETIME_HARD));
	pfkey_message_free(msg);
	expect(lab, 1, PFKEY_EXPIRE, 0, 0);
	lab_done(lab);
}
END_TEST

START_TEST(promiscuous)
{
	struct lab *lab = lab_new();
	struct pfkey_message *msg;

	say_base(lab, 2, PFKEY_X_PROMISC, 1);
	expect(lab, 2, PFKEY_X_PROMISC, 0, 0);
	hear_nothing(lab, 0);
	say_sa(lab, 0, PFKEY_ADD, fixture_sa(1));
	msg = hear_type(lab, 2, PFKEY_ADD, 0, 0); /* the request, then the answer */
	ck_assert(msg->present & PFKEY_BIT(PFKEY_EXT_KEY_ENCRYPT));
	pfkey_message_free(msg);
	msg = hear_type(lab, 2, PFKEY_ADD, 0, 0);
	ck_assert(!(msg->present & PFKEY_BIT(PFKEY_EXT_KEY_ENCRYPT)));
	pfkey_message_free(msg);
	expect(lab, 0, PFKEY_ADD, 0, 0);
	hear_nothing(lab, 0);
	say_base(lab, 2, PFKEY_X_PROMISC, 0);
	expect(lab, 2, PFKEY_X_PROMISC, 0, 0);
	say_sa(lab, 0, PFKEY_GET, fixture_sa(1));
	hear_nothing(lab, 2);
	say_base(lab, 2, PFKEY_X_PROMISC, 2);
	expect(lab, 2, PFKEY_X_PROMISC, EINVAL, PFKEY_DIAG_UNKNOWN_SATYPE);
	lab_done(lab);
}
END_TEST

static const struct {
	uint8_t type;
	bool has_sa;
} unsupported[] = {
	{ PFKEY_UPDATE, true }, { PFKEY_X_UPDATEPAIR, true }, { PFKEY_X_DELPAIR, true },
	{ PFKEY_X_DELPAIR_STATE, true }, { PFKEY_X_INVERSE_ACQUIRE, true }, { PFKEY_EXPIRE, false },
};

START_TEST(not_supported)
{
	struct lab *lab = lab_new();

	if (unsupported[_i].has_sa)
		say_sa(lab, 0, unsupported[_i].type, fixture_sa(1));
	else
		say_base(lab, 0, unsupported[_i].type, PFKEY_SATYPE_ESP);
	expect(lab, 0, unsupported[_i].type, EOPNOTSUPP, 0);
	lab_done(lab);
}
END_TEST

START_TEST(rubbish)
{
	struct lab *lab = lab_new();
	struct pfkey_message *msg;
	static uint8_t big[70000];
	uint8_t base[16] = { 2, PFKEY_DUMP, 0, 3, 2, 0, 0, 0, 9, 0, 0, 0, 5, 0, 0, 0 };

	say_bytes(lab, 0, base, 15);
	expect(lab, 0, 0, EMSGSIZE, 0);
	base[1] = 99;
	say_bytes(lab, 0, base, 16);
	msg = hear_type(lab, 0, 0, EINVAL, PFKEY_DIAG_UNKNOWN_MSG);
	ck_assert_uint_eq(msg->seq, 9);
	ck_assert_uint_eq(msg->pid, 5);
	pfkey_message_free(msg);
	memcpy(big, base, sizeof(base));
	big[1] = PFKEY_GET;
	say_bytes(lab, 0, big, sizeof(big));
	expect(lab, 0, PFKEY_GET, EMSGSIZE, 0);
	hear_nothing(lab, 1);
	ck_assert_uint_eq(pfkey_door_peers(lab->door), CLIENTS);
	lab_done(lab);
}
END_TEST

/* Flags are checked where they still can be seen. */
static const struct {
	uint32_t flags;
	uint16_t diagnostic;
} bad_flags[] = {
	{ PFKEY_SAF_PFS, PFKEY_DIAG_BAD_SAFLAGS },
	{ PFKEY_SAF_TUNNEL, PFKEY_DIAG_MISSING_INNER_SRC },
	{ PFKEY_SAF_NATT_LOC, PFKEY_DIAG_MISSING_NATT_LOC },
	{ PFKEY_SAF_NATT_REM, PFKEY_DIAG_MISSING_NATT_REM },
};

START_TEST(flags)
{
	struct lab *lab = lab_new();
	struct pfkey_message *msg = request(PFKEY_ADD, fixture_sa(1));
	uint8_t bytes[PFKEY_MAX_BYTES];
	size_t len;

	ck_assert_int_eq(pfkey_encode(msg, PFKEY_REQUEST, bytes, sizeof(bytes), &len), 0);
	memcpy(bytes + 16 + 12, &bad_flags[_i].flags, 4); /* the SA extension is the first */
	say_bytes(lab, 0, bytes, len);
	expect_all(lab, PFKEY_ADD, EINVAL, bad_flags[_i].diagnostic);
	ck_assert_uint_eq(sad_count(lab->f->sad), 0);
	pfkey_message_free(msg);
	lab_done(lab);
}
END_TEST

START_TEST(slow_reader)
{
	struct lab *lab = lab_new();
	unsigned int heard = 0;
	struct pfkey_message *msg;

	/* Client 1 never reads. The others get everything, and memory stays bounded. */
	for (uint32_t i = 1; i <= 6000; i++) {
		(void)fixture_add(lab->f, fixture_sa(i));
		turn(lab);
		expect(lab, 0, PFKEY_ADD, 0, 0);
		expect(lab, 2, PFKEY_ADD, 0, 0);
	}
	do {
		for (; (msg = hear(lab, 1)); heard++)
			pfkey_message_free(msg);
		turn(lab);
	} while ((msg = hear(lab, 1)) && (heard++, pfkey_message_free(msg), true));
	ck_assert_uint_gt(heard, 100);
	ck_assert_uint_lt(heard, 6000);
	/* It is heard again after that. */
	say_base(lab, 1, PFKEY_FLUSH, 0);
	expect_all(lab, PFKEY_FLUSH, 0, 0);
	lab_done(lab);
}
END_TEST

START_TEST(comes_and_goes)
{
	struct lab *lab = lab_new();

	(void)close(lab->fds[1]);
	lab->fds[1] = -1;
	turn(lab);
	ck_assert_uint_eq(pfkey_door_peers(lab->door), CLIENTS - 1);
	say_sa(lab, 0, PFKEY_ADD, fixture_sa(1));
	expect(lab, 0, PFKEY_ADD, 0, 0);
	expect(lab, 2, PFKEY_ADD, 0, 0);
	lab_done(lab);
}
END_TEST

/*
 * A client of another user: it connects through a socket that was opened wide for it, reads state
 * without keys, and changes nothing.
 */
START_TEST(others)
{
	struct lab *lab = lab_new();
	struct pfkey_message *msg;
	int pipe_fds[2], fd;
	pid_t child;

	if (geteuid() != 0) { /* no second user to be had: the first is trusted everywhere */
		lab_done(lab);
		return;
	}
	(void)fixture_add(lab->f, fixture_sa(1));
	expect_all(lab, PFKEY_ADD, 0, 0);
	ck_assert_int_eq(chmod(lab->path, 0666), 0);
	ck_assert_int_eq(chmod(lab->f->dir, 0755), 0);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pipe_fds), 0);
	child = fork();
	if (child == 0) {
		struct msghdr header = { 0 };
		struct iovec iov = { .iov_base = lab, .iov_len = 1 };
		union {
			char room[CMSG_SPACE(sizeof(int))];
			struct cmsghdr align;
		} control = { 0 };
		struct cmsghdr *cmsg;

		/* Rights count as they are when connecting; the socket itself is then handed back. */
		if (setgid(65534) < 0 || setuid(65534) < 0)
			_exit(1);
		fd = connect_to(lab->path);
		header.msg_iov = &iov;
		header.msg_iovlen = 1;
		header.msg_control = control.room;
		header.msg_controllen = sizeof(control.room);
		cmsg = CMSG_FIRSTHDR(&header);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
		_exit(sendmsg(pipe_fds[1], &header, 0) == 1 ? 0 : 1);
	}
	{
		char byte;
		struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
		union {
			char room[CMSG_SPACE(sizeof(int))];
			struct cmsghdr align;
		} control = { 0 };
		struct msghdr header = { .msg_iov = &iov, .msg_iovlen = 1,
			.msg_control = control.room, .msg_controllen = sizeof(control.room) };

		ck_assert_int_eq(recvmsg(pipe_fds[0], &header, 0), 1);
		ck_assert_ptr_nonnull(CMSG_FIRSTHDR(&header));
		memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&header)), sizeof(fd));
	}
	(void)close(lab->fds[1]);
	lab->fds[1] = fd;
	turn(lab);
	say_sa(lab, 1, PFKEY_GET, fixture_sa(1));
	msg = hear_type(lab, 1, PFKEY_GET, 0, 0);
	ck_assert_ptr_null(msg->sa->encr_key);
	ck_assert_ptr_null(msg->sa->auth_key);
	pfkey_message_free(msg);
	say_base(lab, 1, PFKEY_DUMP, 0);
	msg = hear_type(lab, 1, PFKEY_DUMP, 0, 0);
	ck_assert_ptr_null(msg->sa->encr_key);
	pfkey_message_free(msg);
	expect(lab, 1, PFKEY_DUMP, 0, 0);
	say_base(lab, 1, PFKEY_FLUSH, 0);
	expect(lab, 1, PFKEY_FLUSH, EPERM, 0);
	say_sa(lab, 1, PFKEY_ADD, fixture_sa(2));
	expect(lab, 1, PFKEY_ADD, EPERM, 0);
	say_sa(lab, 1, PFKEY_DELETE, fixture_sa(1));
	expect(lab, 1, PFKEY_DELETE, EPERM, 0);
	say_base(lab, 1, PFKEY_REGISTER, PFKEY_SATYPE_ESP);
	expect(lab, 1, PFKEY_REGISTER, EPERM, 0);
	say_base(lab, 1, PFKEY_X_PROMISC, 1);
	expect(lab, 1, PFKEY_X_PROMISC, EPERM, 0);
	hear_nothing(lab, 0);
	ck_assert_uint_eq(sad_count(lab->f->sad), 1);
	(void)close(pipe_fds[0]);
	(void)close(pipe_fds[1]);
	lab_done(lab);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pfkey_door");
	TCase *tc = tcase_create("pfkey_door");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, socket_mode);
	tcase_add_test(tc, add_is_told_to_all_without_keys);
	tcase_add_test(tc, get);
	tcase_add_test(tc, delete_and_flush);
	tcase_add_loop_test(tc, dump, 0, (int)ARRAY_SIZE(dump_sizes));
	tcase_add_test(tc, registered);
	tcase_add_test(tc, expiry);
	tcase_add_test(tc, promiscuous);
	tcase_add_loop_test(tc, not_supported, 0, (int)ARRAY_SIZE(unsupported));
	tcase_add_test(tc, rubbish);
	tcase_add_loop_test(tc, flags, 0, (int)ARRAY_SIZE(bad_flags));
	tcase_add_test(tc, slow_reader);
	tcase_add_test(tc, comes_and_goes);
	tcase_add_test(tc, others);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
