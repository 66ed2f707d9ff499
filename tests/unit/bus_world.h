/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One connection that serves an object with every kind of member, and one that calls it. */
#ifndef UNIT_BUS_WORLD_H
#define UNIT_BUS_WORLD_H

#include <errno.h>

#include "tests/unit/private_bus.h"

#define SERVICE	 "org.example.Served1"
#define PATH	 "/org/example/Served1"
#define FREEDESK "org.freedesktop.DBus.Error."
#define PROPS	 "org.freedesktop.DBus.Properties"

static const struct bus_place served = { SERVICE, PATH, SERVICE };

/* All of a case. Check runs each in a process of its own. */
static struct world {
	struct private_bus daemon;
	sd_event *event;
	struct bus *server, *client;
	struct bus_call *kept;
	uint64_t counter;
	unsigned int lost, back;
	char xml[2][8192]; /* introspection data as it came */
} w;

/* What came back, copied out of the borrowed reply. */
struct answer {
	bool done;
	char error[128], message[256], text[128];
	uint64_t number;
	void (*read)(struct bus_reader *rd, struct answer *answer);
};

static inline void on_answer(struct bus_reply *reply, void *userdata)
{
	struct answer *answer = userdata;
	const struct bus_error *error = bus_reply_error(reply);

	answer->done = true;
	if (error) {
		ck_assert_int_eq(text_copy(answer->error, sizeof(answer->error), error->name), 0);
		ck_assert_int_eq(
			text_copy(answer->message, sizeof(answer->message), error->message), 0);
	} else if (answer->read) {
		answer->read(bus_reply_reader(reply), answer);
	}
}

static inline struct bus_writer *begin_at(
	const char *path, const char *interface, const char *method)
{
	struct bus_writer *wr = bus_method_writer(w.client, SERVICE, path, interface, method);

	ck_assert_ptr_nonnull(wr);
	return wr;
}

static inline struct bus_writer *begin(const char *method)
{
	return begin_at(PATH, SERVICE, method);
}

static inline void finish(struct bus_writer *wr, struct answer *answer)
{
	ck_assert_int_eq(bus_method_send(wr, BUS_DEFAULT_USEC, on_answer, answer), 0);
	pump(w.event, &answer->done);
}

/* ---- the served object ---- */

static inline int on_echo(struct bus_call *call, struct bus_reader *args, void *userdata)
{
	const char *s, *o, *g;
	const uint8_t *bytes;
	double d;
	int64_t x;
	uint64_t t;
	int32_t i;
	uint32_t u;
	int16_t n;
	uint16_t q;
	uint8_t y;
	size_t len;
	int b;

	(void)userdata;
	ck_assert_int_eq(bus_read(args, "ybnqiuxtdsogay", &y, &b, &n, &q, &i, &u, &x, &t, &d, &s,
				 &o, &g, &bytes, &len),
		0);
	ck_assert(bus_at_end(args));
	return bus_call_reply(
		call, "ybnqiuxtdsogay", y, b, n, q, i, u, x, t, d, s, o, g, bytes, len);
}

static inline int on_fail(struct bus_call *call, struct bus_reader *args, void *userdata)
{
	const char *how;

	(void)userdata;
	ck_assert_int_eq(bus_read(args, "s", &how), 0);
	if (strcmp(how, "named") == 0)
		return bus_call_fail(call, "Stale", "generation %d \xff\xc0\xaf is old", 7);
	if (strcmp(how, "memory") == 0)
		return -ENOMEM;
	if (strcmp(how, "wrong reply") == 0)
		return bus_call_reply(call, "s", "but a number was promised");
	return 0; /* without an answer */
}

static inline int on_swap(struct bus_call *call, struct bus_reader *args, void *userdata)
{
	CLEANUP(fd_closep) int fd = -1, pipe_read = -1;
	char byte;
	int ends[2], r;

	(void)userdata;
	ck_assert_int_eq(bus_read(args, "h", &fd), 0);
	ck_assert_int_ne(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
	ck_assert_int_eq(read(fd, &byte, 1), 1);
	ck_assert_int_eq(pipe(ends), 0);
	byte++;
	ck_assert_int_eq(write(ends[1], &byte, 1), 1);
	(void)close(ends[1]);
	pipe_read = ends[0];
	r = bus_call_reply(call, "h", pipe_read);
	return r;
}

static inline int on_wait(struct bus_call *call, struct bus_reader *args, void *userdata)
{
	(void)args;
	(void)userdata;
	w.kept = bus_call_keep(call);
	return 0;
}

/* A question to the bus from within a method: blocking, while other calls pile up. */
static inline int on_who(struct bus_call *call, struct bus_reader *args, void *userdata)
{
	struct bus_credentials who;

	(void)args;
	(void)userdata;
	ck_assert_str_eq(bus_call_sender(call), bus_unique_name(w.client));
	ck_assert_int_eq(bus_credentials(w.server, bus_call_sender(call), &who), 0);
	return bus_call_reply(call, "t", (uint64_t)who.uid);
}

static inline int on_options(struct bus_call *call, struct bus_reader *args, void *userdata)
{
	const char *mode = "none", *bad;
	int all = 0, r;
	uint64_t limit = 0;
	const struct bus_option known[] = {
		{ "mode", "s", &mode },
		{ "all", "b", &all },
		{ "limit", "t", &limit },
	};

	(void)userdata;
	r = bus_read_options(args, known, ARRAY_SIZE(known), &bad);
	if (r < 0)
		return bus_call_fail(call, "Invalid", "option %s", bad);
	ck_assert(bus_at_end(args));
	return bus_call_reply(call, "t", limit + (all ? 1000 : 0) + strlen(mode));
}

static inline int get_counter(struct bus_writer *value, void *userdata)
{
	return bus_write(value, "t", ((struct world *)userdata)->counter);
}

static inline int get_name(struct bus_writer *value, void *userdata)
{
	(void)userdata;
	return bus_write(value, "s", "caf\xe9");
}

static const struct bus_member members[] = {
	BUS_METHOD("Echo", "ybnqiuxtdsogay", "ybnqiuxtdsogay", "y b n q", on_echo),
	BUS_METHOD("Fail", "s", "t", "how number", on_fail),
	BUS_METHOD("Swap", "h", "h", "theirs ours", on_swap),
	BUS_METHOD("Wait", "", "t", "number", on_wait),
	BUS_METHOD("Who", "", "t", "uid", on_who),
	BUS_METHOD("Options", "a{sv}", "t", "options sum", on_options),
	BUS_SIGNAL("Changed", "st", "section generation"),
	BUS_PROPERTY("Counter", "t", get_counter, BUS_EMITS_TRUE),
	BUS_PROPERTY("Name", "s", get_name, BUS_EMITS_INVALIDATES),
	BUS_END,
};

static inline void count_loss(void *userdata)
{
	(void)userdata;
	w.lost++;
}

static inline void setup(void)
{
	struct bus_error error = { 0 };

	private_bus_start(&w.daemon);
	ck_assert_int_ge(sd_event_new(&w.event), 0);
	ck_assert_int_eq(
		bus_open(w.event, w.daemon.address, count_loss, NULL, &w.server, &error), 0);
	w.client = private_bus_connect(&w.daemon, w.event);
	ck_assert_int_eq(bus_add_interface(w.server, PATH, SERVICE, members, &w), 0);
	ck_assert_int_eq(bus_add_interface(w.server, PATH, SERVICE, members, &w), -EEXIST);
	ck_assert_int_eq(bus_own_name(w.server, SERVICE, &error), 0);
}

static inline void teardown(void)
{
	w.client = bus_free(w.client);
	w.server = bus_free(w.server);
	w.event = sd_event_unref(w.event);
	private_bus_end(&w.daemon);
}

static inline void read_number(struct bus_reader *rd, struct answer *answer)
{
	ck_assert_int_eq(bus_read(rd, "t", &answer->number), 0);
}

static inline bool is_kept(void *userdata)
{
	(void)userdata;
	return w.kept != NULL;
}

#endif
