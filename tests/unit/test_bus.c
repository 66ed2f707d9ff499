/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Two connections on a real bus: what one offers, the other calls, watches and hears. */
#include <errno.h>
#include <fcntl.h>

#include "tests/unit/private_bus.h"
#include "tests/unit/suite.h"

#define SERVICE   "org.example.Served1"
#define PATH      "/org/example/Served1"
#define FREEDESK  "org.freedesktop.DBus.Error."
#define PROPS     "org.freedesktop.DBus.Properties"

/* All of a case. Check runs each in a process of its own. */
static struct world {
	struct private_bus daemon;
	sd_event *event;
	struct bus *server, *client;
	struct bus_call *kept;
	uint64_t counter;
	unsigned int lost;
	char xml[2][8192]; /* introspection data as it came */
} w;

/* What came back, copied out of the borrowed reply. */
struct answer {
	bool done;
	char error[128], message[256], text[128];
	uint64_t number;
	void (*read)(struct bus_reader *rd, struct answer *answer);
};

static void on_answer(struct bus_reply *reply, void *userdata)
{
	struct answer *answer = userdata;
	const struct bus_error *error = bus_reply_error(reply);

	answer->done = true;
	if (error) {
		ck_assert_int_eq(text_copy(answer->error, sizeof(answer->error), error->name), 0);
		ck_assert_int_eq(text_copy(answer->message, sizeof(answer->message), error->message), 0);
	} else if (answer->read) {
		answer->read(bus_reply_reader(reply), answer);
	}
}

static struct bus_writer *begin_at(const char *path, const char *interface, const char *method)
{
	struct bus_writer *wr = bus_method_writer(w.client, SERVICE, path, interface, method);

	ck_assert_ptr_nonnull(wr);
	return wr;
}

static struct bus_writer *begin(const char *method)
{
	return begin_at(PATH, SERVICE, method);
}

static void finish(struct bus_writer *wr, struct answer *answer)
{
	ck_assert_int_eq(bus_method_send(wr, BUS_DEFAULT_USEC, on_answer, answer), 0);
	pump(w.event, &answer->done);
}

/* ---- the served object ---- */

static int on_echo(struct bus_call *call, struct bus_reader *args, void *userdata)
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
	ck_assert_int_eq(bus_read(args, "ybnqiuxtdsogay", &y, &b, &n, &q, &i, &u, &x, &t, &d, &s, &o,
				 &g, &bytes, &len),
		0);
	ck_assert(bus_at_end(args));
	return bus_call_reply(
		call, "ybnqiuxtdsogay", y, b, n, q, i, u, x, t, d, s, o, g, bytes, len);
}

static int on_fail(struct bus_call *call, struct bus_reader *args, void *userdata)
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

static int on_swap(struct bus_call *call, struct bus_reader *args, void *userdata)
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

static int on_wait(struct bus_call *call, struct bus_reader *args, void *userdata)
{
	(void)args;
	(void)userdata;
	w.kept = bus_call_keep(call);
	return 0;
}

/* A question to the bus from within a method: blocking, while other calls pile up. */
static int on_who(struct bus_call *call, struct bus_reader *args, void *userdata)
{
	struct bus_credentials who;

	(void)args;
	(void)userdata;
	ck_assert_str_eq(bus_call_sender(call), bus_unique_name(w.client));
	ck_assert_int_eq(bus_credentials(w.server, bus_call_sender(call), &who), 0);
	return bus_call_reply(call, "t", (uint64_t)who.uid);
}

static int on_options(struct bus_call *call, struct bus_reader *args, void *userdata)
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

static int get_counter(struct bus_writer *value, void *userdata)
{
	return bus_write(value, "t", ((struct world *)userdata)->counter);
}

static int get_name(struct bus_writer *value, void *userdata)
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

static void count_loss(void *userdata)
{
	(void)userdata;
	w.lost++;
}

static void setup(void)
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

static void teardown(void)
{
	w.client = bus_free(w.client);
	w.server = bus_free(w.server);
	w.event = sd_event_unref(w.event);
	private_bus_stop(&w.daemon);
}

/* ---- cases ---- */

static void read_echo(struct bus_reader *rd, struct answer *answer)
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

	(void)answer;
	ck_assert_int_eq(bus_read(rd, "ybnqu", &y, &b, &n, &q, &u), -EBADMSG); /* takes nothing */
	ck_assert_int_eq(bus_read(rd, "ybnqiuxtdsogay", &y, &b, &n, &q, &i, &u, &x, &t, &d, &s, &o, &g,
				 &bytes, &len),
		0);
	ck_assert(y == 200 && b == 1 && n == -3 && q == 65535 && i == -70000 && u == 4000000000U);
	ck_assert(x == INT64_MIN && t == UINT64_MAX && d > 0.24 && d < 0.26);
	ck_assert_str_eq(s, "\xef\xbf\xbd grün");
	ck_assert_str_eq(o, "/a/b");
	ck_assert_str_eq(g, "a{sv}");
	ck_assert_uint_eq(len, 3);
	ck_assert_mem_eq(bytes, "\0\1\2", 3);
	ck_assert_int_eq(bus_read(rd, "y", &y), -EBADMSG);
}

START_TEST(types_travel)
{
	struct answer answer = { .read = read_echo };
	struct bus_writer *wr = begin("Echo");

	ck_assert_int_eq(bus_write(wr, "ybnqiuxtdsogay", 200, 7, -3, 65535, (int32_t)-70000,
				 (uint32_t)4000000000U, INT64_MIN, UINT64_MAX, 0.25, "\xff grün", "/a/b",
				 "a{sv}", (const uint8_t *)"\0\1\2", (size_t)3),
		0);
	finish(wr, &answer);
	ck_assert_str_eq(answer.error, "");
}
END_TEST

START_TEST(bad_values_stay_here)
{
	static const struct {
		const char *signature, *value;
	} cases[] = { { "o", "no path" }, { "g", "(" }, { "s", NULL }, { "o", NULL } };
	struct bus_reply *reply = NULL;
	struct bus_writer *wr;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		wr = begin("Fail");
		ck_assert_int_eq(bus_write(wr, cases[i].signature, cases[i].value), -EINVAL);
		ck_assert_int_eq(bus_write(wr, "s", "later"), -EINVAL); /* the error stays */
		ck_assert_int_eq(bus_method_call(wr, BUS_DEFAULT_USEC, &reply, NULL), -EINVAL);
	}
	wr = begin("Fail");
	ck_assert_int_eq(bus_open_container(wr, 'a', "{sv}"), 0); /* left open */
	ck_assert_int_eq(bus_method_send(wr, BUS_DEFAULT_USEC, on_answer, NULL), -EINVAL);
	wr = begin("Fail");
	ck_assert_int_eq(bus_open_container(wr, 'v', "sss"), -EINVAL);
	bus_writer_free(wr);
	ck_assert_ptr_null(bus_method_writer(w.client, "not a name", PATH, SERVICE, "Fail"));
	ck_assert_ptr_null(bus_method_writer(w.client, SERVICE, "no/path", SERVICE, "Fail"));
}
END_TEST

static const struct {
	const char *path, *interface, *method, *argument, *error;
} refusals[] = {
	{ "/nowhere", SERVICE, "Fail", "x", FREEDESK "UnknownObject" },
	{ PATH, "org.example.Other", "Fail", "x", FREEDESK "UnknownInterface" },
	{ PATH, SERVICE, "Missing", "x", FREEDESK "UnknownMethod" },
	{ PATH, SERVICE, "Wait", "x", FREEDESK "InvalidArgs" },
	{ PATH, SERVICE, "Fail", NULL, FREEDESK "InvalidArgs" },
	{ PATH, SERVICE, "Fail", "named", BUS_ERROR_PREFIX "Stale" },
	{ PATH, SERVICE, "Fail", "memory", FREEDESK "NoMemory" },
	{ PATH, SERVICE, "Fail", "wrong reply", FREEDESK "InvalidArgs" },
	{ PATH, SERVICE, "Fail", "no reply", FREEDESK "Failed" },
	{ "/org", SERVICE, "Fail", "x", FREEDESK "UnknownInterface" },
	{ "/org", PROPS, "GetAll", SERVICE, FREEDESK "UnknownInterface" },
	{ PATH, PROPS, "GetAll", "org.example.Other", FREEDESK "UnknownInterface" },
};

START_TEST(refusals_have_names)
{
	struct answer answer = { 0 };
	struct bus_writer *wr =
		begin_at(refusals[_i].path, refusals[_i].interface, refusals[_i].method);

	if (refusals[_i].argument)
		ck_assert_int_eq(bus_write(wr, "s", refusals[_i].argument), 0);
	finish(wr, &answer);
	ck_assert_str_eq(answer.error, refusals[_i].error);
	if (strcmp(answer.error, BUS_ERROR_PREFIX "Stale") == 0)
		ck_assert_str_eq(answer.message,
			"generation 7 \xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd is old");
}
END_TEST

static void read_byte(struct bus_reader *rd, struct answer *answer)
{
	CLEANUP(fd_closep) int fd = -1;

	ck_assert_int_eq(bus_read(rd, "h", &fd), 0);
	ck_assert_int_eq(read(fd, answer->text, 1), 1);
}

START_TEST(descriptors_travel)
{
	struct answer answer = { .read = read_byte };
	struct bus_writer *wr = begin("Swap");
	int ends[2];

	ck_assert_int_eq(pipe(ends), 0);
	ck_assert_int_eq(write(ends[1], "a", 1), 1);
	ck_assert_int_eq(bus_write(wr, "h", ends[0]), 0);
	finish(wr, &answer);
	ck_assert_str_eq(answer.text, "b");
	wr = begin("Swap");
	for (int i = 0; i < BUS_MAX_FDS; i++)
		ck_assert_int_eq(bus_write(wr, "h", ends[0]), 0);
	ck_assert_int_eq(bus_write(wr, "h", ends[0]), -E2BIG);
	bus_writer_free(wr);
	wr = begin("Swap");
	ck_assert_int_eq(bus_write(wr, "h", -1), -EBADF);
	bus_writer_free(wr);
	(void)close(ends[0]);
	(void)close(ends[1]);
}
END_TEST

static void read_number(struct bus_reader *rd, struct answer *answer)
{
	ck_assert_int_eq(bus_read(rd, "t", &answer->number), 0);
}

static bool is_kept(void *userdata)
{
	(void)userdata;
	return w.kept != NULL;
}

START_TEST(kept_calls_are_answered_later)
{
	struct answer first = { .read = read_number }, second = { 0 };

	ck_assert_int_eq(bus_method_send(begin("Wait"), BUS_DEFAULT_USEC, on_answer, &first), 0);
	pump_until(w.event, is_kept, NULL);
	ck_assert(!first.done);
	ck_assert_int_eq(bus_call_reply(w.kept, "t", UINT64_C(42)), 0);
	w.kept = NULL;
	pump(w.event, &first.done);
	ck_assert_uint_eq(first.number, 42);
	ck_assert_int_eq(bus_method_send(begin("Wait"), BUS_DEFAULT_USEC, on_answer, &second), 0);
	pump_until(w.event, is_kept, NULL);
	w.kept = bus_call_free(w.kept); /* dropped: the caller is told */
	pump(w.event, &second.done);
	ck_assert_str_eq(second.error, FREEDESK "Failed");
}
END_TEST

START_TEST(time_runs_out)
{
	struct answer answer = { 0 };

	ck_assert_int_eq(bus_method_send(begin("Wait"), 1000, on_answer, &answer), 0);
	pump(w.event, &answer.done);
	ck_assert_str_eq(answer.error, FREEDESK "NoReply");
	pump_until(w.event, is_kept, NULL);
	w.kept = bus_call_free(w.kept);
}
END_TEST

START_TEST(forgotten_replies_stay_away)
{
	struct answer forgotten = { 0 }, asked = { .read = read_number };

	ck_assert_int_eq(bus_method_send(begin("Who"), BUS_DEFAULT_USEC, on_answer, &forgotten), 0);
	bus_forget(w.client, &forgotten);
	finish(begin("Who"), &asked);
	ck_assert(!forgotten.done);
}
END_TEST

START_TEST(blocking_questions_do_not_recurse)
{
	static struct answer answers[50];

	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		answers[i].read = read_number;
		ck_assert_int_eq(
			bus_method_send(begin("Who"), BUS_DEFAULT_USEC, on_answer, &answers[i]), 0);
	}
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		pump(w.event, &answers[i].done);
		ck_assert_uint_eq(answers[i].number, getuid());
	}
}
END_TEST

static void read_variant(struct bus_reader *rd, struct answer *answer)
{
	ck_assert_int_eq(bus_enter(rd, 'v', "t"), 0);
	ck_assert_int_eq(bus_read(rd, "t", &answer->number), 0);
}

static void read_all(struct bus_reader *rd, struct answer *answer)
{
	const char *key, *contents, *name;
	char type;

	ck_assert_int_eq(bus_enter(rd, 'a', "{ss}"), -EBADMSG);
	ck_assert_int_eq(bus_enter(rd, 'a', "{sv}"), 0);
	ck_assert_int_eq(bus_enter(rd, 'e', ""), 0);
	ck_assert_int_eq(bus_read(rd, "s", &key), 0);
	ck_assert_str_eq(key, "Counter");
	ck_assert_int_eq(bus_peek(rd, &type, &contents), 0);
	ck_assert_int_eq(type, 'v');
	ck_assert_str_eq(contents, "t");
	read_variant(rd, answer);
	ck_assert(bus_at_end(rd));
	ck_assert_int_eq(bus_leave(rd), 0);
	ck_assert_int_eq(bus_leave(rd), 0);
	ck_assert_int_eq(bus_enter(rd, 'e', ""), 0);
	ck_assert_int_eq(bus_read(rd, "s", &key), 0);
	ck_assert_str_eq(key, "Name");
	ck_assert_int_eq(bus_enter(rd, 'v', "s"), 0);
	ck_assert_int_eq(bus_read(rd, "s", &name), 0);
	ck_assert_str_eq(name, "caf\xef\xbf\xbd");
	ck_assert_int_eq(bus_leave(rd), 0);
	ck_assert_int_eq(bus_leave(rd), 0);
	ck_assert(bus_at_end(rd));
	ck_assert_int_eq(bus_skip(rd), -EBADMSG);
}

START_TEST(properties_are_read)
{
	struct answer get = { .read = read_variant }, all = { .read = read_all }, set = { 0 },
		      missing = { 0 };
	struct bus_writer *wr = begin_at(PATH, PROPS, "Get");

	w.counter = 9;
	ck_assert_int_eq(bus_write(wr, "ss", SERVICE, "Counter"), 0);
	finish(wr, &get);
	ck_assert_uint_eq(get.number, 9);
	wr = begin_at(PATH, PROPS, "GetAll");
	ck_assert_int_eq(bus_write(wr, "s", SERVICE), 0);
	finish(wr, &all);
	ck_assert_uint_eq(all.number, 9);
	wr = begin_at(PATH, PROPS, "Get");
	ck_assert_int_eq(bus_write(wr, "ss", SERVICE, "Missing"), 0);
	finish(wr, &missing);
	ck_assert_str_eq(missing.error, FREEDESK "UnknownProperty");
	wr = begin_at(PATH, PROPS, "Set");
	ck_assert_int_eq(bus_write(wr, "ss", SERVICE, "Counter"), 0);
	ck_assert_int_eq(bus_open_container(wr, 'v', "t"), 0);
	ck_assert_int_eq(bus_write(wr, "t", UINT64_C(1)), 0);
	ck_assert_int_eq(bus_close_container(wr), 0);
	finish(wr, &set);
	ck_assert_str_eq(set.error, FREEDESK "PropertyReadOnly");
}
END_TEST

static void on_changed_properties(const char *sender, struct bus_reader *rd, void *userdata)
{
	struct answer *answer = userdata;
	const char *interface, *name;

	ck_assert_str_eq(sender, bus_unique_name(w.server));
	ck_assert_int_eq(bus_read(rd, "s", &interface), 0);
	ck_assert_str_eq(interface, SERVICE);
	ck_assert_int_eq(bus_enter(rd, 'a', "{sv}"), 0);
	ck_assert_int_eq(bus_enter(rd, 'e', ""), 0);
	ck_assert_int_eq(bus_read(rd, "s", &name), 0);
	ck_assert_str_eq(name, "Counter");
	read_variant(rd, answer);
	ck_assert_int_eq(bus_leave(rd), 0);
	ck_assert_int_eq(bus_leave(rd), 0);
	ck_assert(bus_at_end(rd));
	ck_assert_int_eq(bus_leave(rd), 0);
	ck_assert_int_eq(bus_enter(rd, 'a', "s"), 0);
	ck_assert_int_eq(bus_read(rd, "s", &name), 0);
	ck_assert_str_eq(name, "Name");
	answer->done = true;
}

START_TEST(property_changes_are_told)
{
	const char *const names[] = { "Name", "Counter", NULL }, *const missing[] = { "No", NULL };
	struct answer heard = { 0 };

	w.counter = 11;
	ck_assert_int_eq(bus_watch_signal(w.client, SERVICE, PATH, PROPS, "PropertiesChanged",
				 on_changed_properties, &heard),
		0);
	ck_assert_int_eq(bus_properties_changed(w.server, PATH, SERVICE, missing), -ENOENT);
	ck_assert_int_eq(bus_properties_changed(w.server, PATH, SERVICE, names), 0);
	pump(w.event, &heard.done);
	ck_assert_uint_eq(heard.number, 11);
}
END_TEST

static void on_changed(const char *sender, struct bus_reader *rd, void *userdata)
{
	struct answer *heard = userdata;
	const char *section;

	ck_assert_str_eq(sender, bus_unique_name(w.server));
	ck_assert_int_eq(bus_read(rd, "st", &section, &heard->number), 0);
	ck_assert_int_eq(text_copy(heard->text, sizeof(heard->text), section), 0);
	heard->done = true;
}

START_TEST(signals_come_from_their_owner)
{
	struct answer heard = { 0 };
	struct bus *stranger = private_bus_connect(&w.daemon, w.event);

	ck_assert_int_eq(
		bus_watch_signal(w.client, SERVICE, PATH, SERVICE, "Changed", on_changed, &heard), 0);
	/* Sent straight to the client, so that no match rule keeps it away. */
	ck_assert_int_eq(bus_emit_to(stranger, bus_unique_name(w.client), PATH, SERVICE, "Changed",
				 "st", "forged", UINT64_C(1)),
		0);
	ck_assert_int_eq(bus_flush(stranger), 0);
	ck_assert_int_eq(bus_emit(w.server, PATH, SERVICE, "Changed", "st", "policy", UINT64_C(2)), 0);
	pump(w.event, &heard.done);
	ck_assert_str_eq(heard.text, "policy");
	ck_assert_uint_eq(heard.number, 2);
	heard.done = false;
	ck_assert_int_eq(bus_emit_to(w.server, bus_unique_name(w.client), PATH, SERVICE, "Changed",
				 "st", "keys", UINT64_C(3)),
		0);
	pump(w.event, &heard.done);
	ck_assert_str_eq(heard.text, "keys");
	ck_assert_int_eq(
		bus_emit(w.server, "no path", SERVICE, "Changed", "st", "policy", UINT64_C(2)), -ENOMEM);
	(void)bus_free(stranger);
}
END_TEST

static void on_owner(const char *name, const char *old_owner, const char *new_owner, void *userdata)
{
	struct answer *seen = userdata;

	ck_assert_str_eq(name, SERVICE);
	seen->done = true;
	seen->number++;
	ck_assert_int_eq(text_fixed(seen->text, sizeof(seen->text), "%s>%s", old_owner, new_owner), 0);
}

START_TEST(owners_are_followed)
{
	struct answer seen = { 0 };
	struct bus_error error = { 0 };
	char before[64], after[64], owner[256];
	struct bus *heir;

	ck_assert_int_eq(text_fixed(before, sizeof(before), ">%s", bus_unique_name(w.server)), 0);
	ck_assert_int_eq(bus_watch_name(w.client, SERVICE, on_owner, &seen), 0);
	ck_assert(seen.done);
	ck_assert_str_eq(seen.text, before);
	ck_assert_int_eq(bus_name_owner(w.client, SERVICE, owner, sizeof(owner)), 0);
	ck_assert_str_eq(owner, bus_unique_name(w.server));
	heir = private_bus_connect(&w.daemon, w.event);
	ck_assert_int_eq(bus_own_name(heir, SERVICE, &error), -EEXIST);
	bus_error_done(&error);
	ck_assert_int_eq(text_fixed(after, sizeof(after), "%s>", bus_unique_name(w.server)), 0);
	seen.done = false;
	w.server = bus_free(w.server);
	pump(w.event, &seen.done);
	ck_assert_str_eq(seen.text, after);
	ck_assert_int_eq(bus_name_owner(w.client, SERVICE, owner, sizeof(owner)), -ENOENT);
	seen.done = false;
	ck_assert_int_eq(bus_own_name(heir, SERVICE, &error), 0);
	pump(w.event, &seen.done);
	ck_assert_uint_eq(seen.number, 3);
	(void)bus_free(heir);
}
END_TEST

START_TEST(callers_are_known)
{
	struct bus_credentials who = { 0 };
	gid_t groups[64];
	int n = getgroups(ARRAY_SIZE(groups), groups);

	for (int round = 0; round < 2; round++) { /* the second answer is remembered */
		ck_assert_int_eq(bus_credentials(w.server, bus_unique_name(w.client), &who), 0);
		ck_assert_uint_eq(who.uid, getuid());
		ck_assert_int_ge((int)who.n_groups, n > 0 ? 1 : 0);
	}
	ck_assert_int_eq(bus_credentials(w.server, ":1.4711", &who), -ENOENT);
	ck_assert_int_eq(bus_credentials(w.server, SERVICE, &who), -EINVAL);
}
END_TEST

START_TEST(options_are_held_against_a_table)
{
	static const struct {
		const char *keys[3];
		const char *signature;
		uint64_t sum;
		const char *error;
	} cases[] = {
		{ { NULL }, "", 4, "" },
		{ { "limit" }, "t", 54, "" },
		{ { "limit" }, "u", 0, "option limit" },
		{ { "limits" }, "t", 0, "option limits" },
		{ { "limit", "limit" }, "t", 0, "option limit" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct answer answer = { .read = read_number };
		struct bus_writer *wr = begin("Options");

		ck_assert_int_eq(bus_open_container(wr, 'a', "{sv}"), 0);
		for (const char *const *key = cases[i].keys; *key; key++) {
			if (cases[i].signature[0] == 't')
				ck_assert_int_eq(bus_write_option(wr, *key, "t", UINT64_C(50)), 0);
			else
				ck_assert_int_eq(bus_write_option(wr, *key, "u", (uint32_t)50), 0);
		}
		ck_assert_int_eq(bus_close_container(wr), 0);
		finish(wr, &answer);
		ck_assert_str_eq(answer.message, cases[i].error);
		ck_assert_uint_eq(answer.number, cases[i].sum);
	}
}
END_TEST

static const char *const expected_parts[] = {
	"<interface name=\"" SERVICE "\">",
	"    <method name=\"Fail\">\n      <arg name=\"how\" type=\"s\" direction=\"in\"/>\n"
	"      <arg name=\"number\" type=\"t\" direction=\"out\"/>\n    </method>\n",
	"    <method name=\"Options\">\n      <arg name=\"options\" type=\"a{sv}\" direction=\"in\"/>\n",
	"    <signal name=\"Changed\">\n      <arg name=\"section\" type=\"s\"/>\n",
	"    <property name=\"Name\" type=\"s\" access=\"read\">\n      <annotation "
	"name=\"org.freedesktop.DBus.Property.EmitsChangedSignal\" value=\"invalidates\"/>\n",
	"<interface name=\"org.freedesktop.DBus.Properties\">",
	"<interface name=\"org.freedesktop.DBus.Introspectable\">",
	"<interface name=\"org.freedesktop.DBus.Peer\">",
};

static void read_text(struct bus_reader *rd, struct answer *answer)
{
	const char *text;
	char *xml = w.xml[answer->number];

	ck_assert_int_eq(bus_read(rd, "s", &text), 0);
	ck_assert_int_eq(text_copy(xml, sizeof(w.xml[0]), text), 0);
}

START_TEST(introspection_follows_the_table)
{
	struct answer whole = { .read = read_text }, node = { .read = read_text, .number = 1 };
	struct text own = { 0 };

	finish(begin_at(PATH, "org.freedesktop.DBus.Introspectable", "Introspect"), &whole);
	for (size_t i = 0; i < ARRAY_SIZE(expected_parts); i++)
		ck_assert_msg(strstr(w.xml[0], expected_parts[i]) != NULL, "%s\nis not in\n%s",
			expected_parts[i], w.xml[0]);
	ck_assert_int_eq(bus_introspect(w.server, PATH, &own), 0);
	ck_assert_str_eq(own.str, w.xml[0]);
	text_done(&own);
	finish(begin_at("/org", "org.freedesktop.DBus.Introspectable", "Introspect"), &node);
	ck_assert_ptr_nonnull(strstr(w.xml[1], "<node name=\"example\"/>"));
	ck_assert_ptr_null(strstr(w.xml[1], SERVICE));
	ck_assert_int_eq(bus_introspect(w.server, "/or", &own), -ENOENT);
}
END_TEST

static bool is_lost(void *userdata)
{
	(void)userdata;
	return w.lost > 0;
}

START_TEST(loss_is_told_once)
{
	private_bus_stop(&w.daemon);
	pump_until(w.event, is_lost, NULL);
	while (sd_event_run(w.event, 0) > 0)
		;
	ck_assert_uint_eq(w.lost, 1);
	ck_assert_int_eq(bus_flush(w.server), -ENOTCONN);
	ck_assert_int_eq(
		bus_emit(w.server, PATH, SERVICE, "Changed", "st", "policy", UINT64_C(2)), -ENOTCONN);
}
END_TEST

/* A command has no loop: it blocks. The bus itself is the peer here. */
START_TEST(commands_block)
{
	struct bus_error error = { 0 };
	struct bus *command = private_bus_connect(&w.daemon, NULL);
	struct bus_reply *reply = NULL;
	struct bus_writer *wr = bus_method_writer(
		command, "org.example.Nobody", PATH, SERVICE, "Reload");
	char owner[256];
	uint64_t number;

	ck_assert_int_eq(bus_name_owner(command, SERVICE, owner, sizeof(owner)), 0);
	ck_assert_int_eq(bus_method_call(wr, BUS_DEFAULT_USEC, &reply, &error), -ENOTCONN);
	ck_assert_str_eq(error.name, FREEDESK "ServiceUnknown");
	ck_assert_int_eq(bus_get_property(command, "org.freedesktop.DBus", "/org/freedesktop/DBus",
				 "org.freedesktop.DBus", "Features", "t", &number, &error),
		-EBADMSG);
	bus_error_done(&error);
	ck_assert_int_eq(bus_open(NULL, "unix:path=/nonexistent/bus", NULL, NULL, &command, &error),
		-ECONNREFUSED);
	bus_error_done(&error);
	(void)bus_free(command);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("bus");
	TCase *tc = tcase_create("bus");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, types_travel);
	tcase_add_test(tc, bad_values_stay_here);
	tcase_add_loop_test(tc, refusals_have_names, 0, ARRAY_SIZE(refusals));
	tcase_add_test(tc, descriptors_travel);
	tcase_add_test(tc, kept_calls_are_answered_later);
	tcase_add_test(tc, time_runs_out);
	tcase_add_test(tc, forgotten_replies_stay_away);
	tcase_add_test(tc, blocking_questions_do_not_recurse);
	tcase_add_test(tc, properties_are_read);
	tcase_add_test(tc, property_changes_are_told);
	tcase_add_test(tc, signals_come_from_their_owner);
	tcase_add_test(tc, owners_are_followed);
	tcase_add_test(tc, callers_are_known);
	tcase_add_test(tc, options_are_held_against_a_table);
	tcase_add_test(tc, introspection_follows_the_table);
	tcase_add_test(tc, loss_is_told_once);
	tcase_add_test(tc, commands_block);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
