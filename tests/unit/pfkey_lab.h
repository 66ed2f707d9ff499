/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A PF_KEY door on a socket of its own, and clients that talk to it from the same thread. */
#ifndef UNIT_PFKEY_LAB_H
#define UNIT_PFKEY_LAB_H

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "services/datapath/pfkey/pfkey_door.h"
#include "tests/unit/sadb_fixture.h"

#define CLIENTS 3

struct lab {
	struct sadb_fixture *f;
	sd_event *event;
	char path[96];
	struct pfkey_door *door;
	int fds[CLIENTS];
};

static inline int connect_to(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	memcpy(addr.sun_path, path, strlen(path));
	ck_assert_int_eq(connect(fd, (const struct sockaddr *)&addr, sizeof(addr)), 0);
	return fd;
}

/* Let the door do what there is to do now; never waits. */
static inline void turn(struct lab *lab)
{
	int r;

	do {
		r = sd_event_run(lab->event, 0);
		ck_assert_int_ge(r, 0);
	} while (r > 0);
}

static inline struct lab *lab_new_for(const struct pfkey_door_groups *groups)
{
	struct lab *lab = calloc(1, sizeof(*lab));

	ck_assert_ptr_nonnull(lab);
	lab->f = fixture_new();
	ck_assert_int_eq(sd_event_new(&lab->event), 0);
	ck_assert_int_eq(text_fixed(lab->path, sizeof(lab->path), "%s/pfkey", lab->f->dir), 0);
	ck_assert_int_eq(
		pfkey_door_new(lab->event, lab->f->sadb, lab->path, groups, &lab->door), 0);
	for (int i = 0; i < CLIENTS; i++)
		lab->fds[i] = connect_to(lab->path);
	turn(lab);
	ck_assert_uint_eq(pfkey_door_peers(lab->door), CLIENTS);
	return lab;
}

static inline struct lab *lab_new(void)
{
	struct pfkey_door_groups none = { (gid_t)-1, (gid_t)-1 };

	return lab_new_for(&none);
}

static inline void lab_done(struct lab *lab)
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

static inline void say_bytes(struct lab *lab, int who, const void *bytes, size_t len)
{
	ck_assert_int_eq(send(lab->fds[who], bytes, len, MSG_NOSIGNAL), (ssize_t)len);
	turn(lab);
}

static inline void say(struct lab *lab, int who, const struct pfkey_message *msg)
{
	uint8_t *bytes = malloc(PFKEY_MAX_BYTES);
	size_t len;

	ck_assert_ptr_nonnull(bytes);
	ck_assert_int_eq(pfkey_encode(msg, PFKEY_REQUEST, bytes, PFKEY_MAX_BYTES, &len), 0);
	say_bytes(lab, who, bytes, len);
	free(bytes);
}

/* What a client hears next; NULL: nothing. */
static inline struct pfkey_message *hear(struct lab *lab, int who)
{
	uint8_t *bytes = malloc(PFKEY_MAX_BYTES);
	struct pfkey_message *msg = NULL;
	struct pfkey_fault fault;
	ssize_t n = recv(lab->fds[who], bytes, PFKEY_MAX_BYTES, MSG_DONTWAIT);

	if (n >= 0)
		ck_assert_int_eq(pfkey_decode(bytes, (size_t)n, PFKEY_ANSWER, &msg, &fault), 0);
	free(bytes);
	return msg;
}

static inline void hear_nothing(struct lab *lab, int who)
{
	struct pfkey_message *msg = hear(lab, who);

	ck_assert_msg(!msg, "heard type %u", msg ? msg->type : 0);
}

/* The next is of this type and with this result, for the request that say_*() made. */
static inline struct pfkey_message *hear_type(
	struct lab *lab, int who, uint8_t type, int error, uint16_t diagnostic)
{
	struct pfkey_message *msg = hear(lab, who);

	ck_assert_msg(msg != NULL, "client %d heard nothing", who);
	ck_assert_uint_eq(msg->type, type);
	ck_assert_msg(msg->error == error && msg->diagnostic == diagnostic,
		"error %u, diagnostic %u", msg->error, msg->diagnostic);
	return msg;
}

static inline void expect(struct lab *lab, int who, uint8_t type, int error, uint16_t diagnostic)
{
	pfkey_message_free(hear_type(lab, who, type, error, diagnostic));
}

static inline void expect_all(struct lab *lab, uint8_t type, int error, uint16_t diagnostic)
{
	for (int i = 0; i < CLIENTS; i++)
		expect(lab, i, type, error, diagnostic);
}

static inline struct pfkey_message *request(uint8_t type, struct sa *sa)
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

static inline void say_sa(struct lab *lab, int who, uint8_t type, struct sa *sa)
{
	struct pfkey_message *msg = request(type, sa);

	say(lab, who, msg);
	pfkey_message_free(msg);
}

static inline void say_base(struct lab *lab, int who, uint8_t type, uint8_t satype)
{
	struct pfkey_message *msg = pfkey_message_new();

	msg->type = type;
	msg->satype = satype;
	msg->seq = 7;
	msg->pid = 8;
	say(lab, who, msg);
	pfkey_message_free(msg);
}

#endif
