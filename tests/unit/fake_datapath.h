/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A datapath that enforces nothing: it keeps one section's generation and hash, and counts. */
#ifndef UNIT_FAKE_DATAPATH_H
#define UNIT_FAKE_DATAPATH_H

#include <sys/socket.h>
#include <sys/un.h>

#include "common/base/bytes.h"
#include "common/base/memfd.h"
#include "common/daemon/keys_door.h"
#include "tests/unit/private_bus.h"

#define FAKE_NAME "org.netipsec.Datapath1"
#define FAKE_PATH "/org/netipsec/Datapath1"

enum fake_mood { FAKE_WILLING, FAKE_STALE_ONCE, FAKE_REFUSING, FAKE_SILENT };

struct fake_datapath {
	struct bus *bus;
	enum fake_mood mood;
	uint64_t generation;
	uint8_t hash[MEMFD_HASH_BYTES];
	unsigned int asked, published, withdrawn, knocked;
	struct bus_call *kept; /* of a silent one */
	int door;
	sd_event_source *door_source;
	uint8_t door_answer, door_hash[MEMFD_HASH_BYTES];
};

static inline int fake_get_section(struct bus_call *call, struct bus_reader *args, void *userdata)
{
	struct fake_datapath *fake = userdata;
	const char *section;

	ck_assert_int_eq(bus_read(args, "s", &section), 0);
	fake->asked++;
	return bus_call_reply(call, "tays", fake->generation, fake->hash,
		fake->generation ? sizeof(fake->hash) : 0,
		fake->generation ? "enforced" : "absent");
}

static inline int fake_enforce(
	struct fake_datapath *fake, struct bus_call *call, uint64_t generation, const uint8_t *hash)
{
	fake->published++;
	switch (fake->mood) {
	case FAKE_STALE_ONCE: /* somebody else came first */
		fake->mood = FAKE_WILLING;
		fake->generation = generation + 4;
		return bus_call_fail(call, "Stale", "generation %u is old", 1U);
	case FAKE_REFUSING:
		return bus_call_fail(call, "Invalid", "it cannot be enforced");
	case FAKE_SILENT:
		fake->kept = bus_call_keep(call);
		return 0;
	case FAKE_WILLING:
		break;
	}
	if (generation <= fake->generation)
		return bus_call_fail(call, "Stale", "generation is not above that in force");
	fake->generation = generation;
	memcpy(fake->hash, hash, sizeof(fake->hash));
	return bus_call_reply(call, "t", generation);
}

static inline int fake_publish(struct bus_call *call, struct bus_reader *args, void *userdata)
{
	CLEANUP(fd_closep) int fd = -1;
	uint8_t hash[MEMFD_HASH_BYTES];
	struct memfd_view view;
	const char *section;
	uint64_t generation;

	ck_assert_int_eq(bus_read(args, "sth", &section, &generation, &fd), 0);
	ck_assert_str_eq(section, "policy");
	ck_assert_int_eq(memfd_map(fd, 1U << 20, &view), 0);
	ck_assert_int_eq(memfd_hash(view.bytes, view.len, hash), 0);
	memfd_unmap(&view);
	return fake_enforce(userdata, call, generation, hash);
}

static inline int fake_publish_keys(struct bus_call *call, struct bus_reader *args, void *userdata)
{
	struct fake_datapath *fake = userdata;
	uint64_t generation;
	const uint8_t *hash;
	size_t len;

	ck_assert_int_eq(bus_read(args, "tay", &generation, &hash, &len), 0);
	ck_assert_uint_eq(len, sizeof(fake->door_hash));
	ck_assert_mem_eq(hash, fake->door_hash, len); /* they came through the door before */
	return fake_enforce(fake, call, generation, hash);
}

static inline int fake_withdraw(struct bus_call *call, struct bus_reader *args, void *userdata)
{
	struct fake_datapath *fake = userdata;
	const char *section;

	ck_assert_int_eq(bus_read(args, "s", &section), 0);
	fake->withdrawn++;
	fake->generation = 0;
	return bus_call_reply(call, NULL);
}

static const struct bus_member fake_members[] = {
	BUS_METHOD("Publish", "stha{sv}", "t", "section generation snapshot options in_force",
		fake_publish),
	BUS_METHOD("PublishKeys", "taya{sv}", "t", "generation sha256 options in_force",
		fake_publish_keys),
	BUS_METHOD("Withdraw", "s", "", "section", fake_withdraw),
	BUS_METHOD("GetSection", "s", "tays", "section generation sha256 state", fake_get_section),
	BUS_END,
};

static inline void fake_start(
	struct fake_datapath *fake, const struct private_bus *at, sd_event *event)
{
	struct bus_error error = { 0 };

	fake->generation = 0;
	fake->bus = private_bus_connect(at, event);
	ck_assert_int_eq(bus_add_interface(fake->bus, FAKE_PATH, FAKE_NAME, fake_members, fake), 0);
	ck_assert_int_eq(bus_own_name(fake->bus, FAKE_NAME, &error), 0);
}

/* As a crash: the name is gone, what was asked stays without an answer. */
static inline void fake_stop(struct fake_datapath *fake)
{
	fake->bus = bus_free(fake->bus);
	fake->kept = bus_call_free(fake->kept);
}

/* One visitor at a time: message and memfd are held against each other. */
static inline int fake_on_knock(sd_event_source *source, int door, uint32_t events, void *userdata)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct fake_datapath *fake = userdata;
	uint8_t bytes[KEYS_DOOR_BYTES + 1], hash[MEMFD_HASH_BYTES];
	struct iovec part = { .iov_base = bytes, .iov_len = sizeof(bytes) };
	struct msghdr message = { .msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control.room,
		.msg_controllen = sizeof(control.room) };
	CLEANUP(fd_closep) int visitor = accept4(door, NULL, NULL, SOCK_CLOEXEC), memfd = -1;
	struct memfd_view view;

	(void)source;
	(void)events;
	ck_assert_int_ge(visitor, 0);
	ck_assert_int_eq(recvmsg(visitor, &message, MSG_CMSG_CLOEXEC), KEYS_DOOR_BYTES);
	ck_assert_ptr_nonnull(CMSG_FIRSTHDR(&message));
	memcpy(&memfd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(memfd));
	ck_assert_mem_eq(bytes, "NIPK\1\0\0\0", 8);
	ck_assert_int_eq(memfd_map(memfd, 1U << 20, &view), 0);
	ck_assert_int_eq(memfd_hash(view.bytes, view.len, hash), 0);
	memfd_unmap(&view);
	ck_assert_mem_eq(hash, bytes + 16, sizeof(hash));
	memcpy(fake->door_hash, hash, sizeof(hash));
	fake->knocked++;
	ck_assert_int_eq(send(visitor, &fake->door_answer, 1, 0), 1);
	return 0;
}

static inline void fake_open_door(struct fake_datapath *fake, sd_event *event)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	CLEANUP(freep) char *path = NULL;

	ck_assert_int_eq(file_system_path(KEYS_DOOR_PATH, &path), 0);
	ck_assert_int_eq(text_copy(address.sun_path, sizeof(address.sun_path), path), 0);
	fake->door = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(fake->door, (const struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(listen(fake->door, 4), 0);
	ck_assert_int_ge(sd_event_add_io(event, &fake->door_source, fake->door, EPOLLIN,
				 fake_on_knock, fake),
		0);
}

#endif
