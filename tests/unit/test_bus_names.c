/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who is on the bus: signals and their senders, owners, callers, and the loss of the bus itself. */
#include "tests/unit/bus_world.h"
#include "tests/unit/suite.h"

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

	ck_assert_int_eq(bus_watch_signal(w.client, &served, "Changed", on_changed, &heard), 0);
	/* Sent straight to the client, so that no match rule keeps it away. */
	ck_assert_int_eq(bus_emit_to(stranger, bus_unique_name(w.client), PATH, SERVICE, "Changed",
				 "st", "forged", UINT64_C(1)),
		0);
	ck_assert_int_eq(bus_flush(stranger), 0);
	ck_assert_int_eq(
		bus_emit(w.server, PATH, SERVICE, "Changed", "st", "policy", UINT64_C(2)), 0);
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
		bus_emit(w.server, "no path", SERVICE, "Changed", "st", "policy", UINT64_C(2)),
		-ENOMEM);
	(void)bus_free(stranger);
}
END_TEST

static void on_owner(const char *name, const char *old_owner, const char *new_owner, void *userdata)
{
	struct answer *seen = userdata;

	ck_assert_str_eq(name, SERVICE);
	seen->done = true;
	seen->number++;
	ck_assert_int_eq(
		text_fixed(seen->text, sizeof(seen->text), "%s>%s", old_owner, new_owner), 0);
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
	ck_assert_int_eq(bus_emit(w.server, PATH, SERVICE, "Changed", "st", "policy", UINT64_C(2)),
		-ENOTCONN);
}
END_TEST

static bool is_back(void *userdata)
{
	(void)userdata;
	return w.back > 0;
}

static void count_return(void *userdata)
{
	(void)userdata;
	w.back++;
}

static bool is_owned_again(void *userdata)
{
	const struct answer *seen = userdata;

	return seen->number == 3; /* at once, lost, back */
}

START_TEST(the_bus_may_come_back)
{
	struct answer call = { .read = read_number }, late = { 0 }, heard = { 0 }, seen = { 0 };

	ck_assert_int_eq(bus_persist(w.server, count_return), 0);
	ck_assert_int_eq(bus_persist(w.client, NULL), 0);
	ck_assert_int_eq(bus_watch_signal(w.client, &served, "Changed", on_changed, &heard), 0);
	ck_assert_int_eq(bus_watch_name(w.client, SERVICE, on_owner, &seen), 0);
	ck_assert_int_eq(bus_method_send(begin("Wait"), BUS_DEFAULT_USEC, on_answer, &late), 0);
	pump_until(w.event, is_kept, NULL);
	private_bus_stop(&w.daemon);
	pump_until(w.event, is_lost, NULL);
	pump(w.event, &late.done); /* nobody is left to answer it */
	ck_assert_int_eq(bus_call_reply(w.kept, "t", UINT64_C(1)), -ENOTCONN);
	ck_assert_int_eq(
		bus_method_send(begin("Who"), BUS_DEFAULT_USEC, on_answer, &call), -ENOTCONN);
	private_bus_start(&w.daemon);
	pump_until(w.event, is_back, NULL);
	pump_until(w.event, is_owned_again, &seen);
	finish(begin("Who"), &call);
	ck_assert_uint_eq(call.number, getuid());
	ck_assert_int_eq(
		bus_emit(w.server, PATH, SERVICE, "Changed", "st", "policy", UINT64_C(5)), 0);
	pump(w.event, &heard.done);
	ck_assert_uint_eq(heard.number, 5);
	ck_assert_uint_eq(w.lost, 1);
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
	ck_assert_int_eq(bus_get_property(command,
				 &(struct bus_place){ "org.freedesktop.DBus",
					 "/org/freedesktop/DBus", "org.freedesktop.DBus" },
				 "Features", "t", &number, &error),
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
	Suite *suite = suite_create("bus_names");
	TCase *tc = tcase_create("bus_names");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, signals_come_from_their_owner);
	tcase_add_test(tc, owners_are_followed);
	tcase_add_test(tc, callers_are_known);
	tcase_add_test(tc, loss_is_told_once);
	tcase_add_test(tc, the_bus_may_come_back);
	tcase_add_test(tc, commands_block);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
