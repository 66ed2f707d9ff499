/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Calls from one connection to another: types, refusals, descriptors, properties, introspection. */
#include "tests/unit/bus_world.h"
#include "tests/unit/suite.h"

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
	ck_assert_int_eq(bus_read(rd, "ybnqiuxtdsogay", &y, &b, &n, &q, &i, &u, &x, &t, &d, &s, &o,
				 &g, &bytes, &len),
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
				 (uint32_t)4000000000U, INT64_MIN, UINT64_MAX, 0.25, "\xff grün",
				 "/a/b", "a{sv}", (const uint8_t *)"\0\1\2", (size_t)3),
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
	struct bus_writer *wr = begin_at(
		refusals[_i].path, refusals[_i].interface, refusals[_i].method);

	if (refusals[_i].argument)
		ck_assert_int_eq(bus_write(wr, "s", refusals[_i].argument), 0);
	finish(wr, &answer);
	ck_assert_str_eq(answer.error, refusals[_i].error);
	if (strcmp(answer.error, BUS_ERROR_PREFIX "Stale") == 0)
		ck_assert_str_eq(
			answer.message, "generation 7 \xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd is old");
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
	ck_assert_int_eq(bus_watch_signal(w.client, &(struct bus_place){ SERVICE, PATH, PROPS },
				 "PropertiesChanged", on_changed_properties, &heard),
		0);
	ck_assert_int_eq(bus_properties_changed(w.server, PATH, SERVICE, missing), -ENOENT);
	ck_assert_int_eq(bus_properties_changed(w.server, PATH, SERVICE, names), 0);
	pump(w.event, &heard.done);
	ck_assert_uint_eq(heard.number, 11);
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
	"    <method name=\"Options\">\n      <arg name=\"options\" type=\"a{sv}\" "
	"direction=\"in\"/>\n",
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
	tcase_add_test(tc, options_are_held_against_a_table);
	tcase_add_test(tc, introspection_follows_the_table);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
