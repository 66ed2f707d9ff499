/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who is asked before a method, what he may answer, and what is told when the call has ended. */
#include "tests/unit/bus_world.h"
#include "tests/unit/suite.h"

/* What the guard does with the next call, and what it saw. */
static struct guarded {
	enum { GO_ON, FAIL, REFUSE, LATER } verdict;
	struct bus_call *call;
	unsigned int asked, ended;
	char what[64], error[128], left[64];
} g;

static void on_end(const char *error, void *userdata)
{
	struct guarded *guarded = userdata;

	guarded->ended++;
	ck_assert_int_eq(
		text_copy(guarded->error, sizeof(guarded->error), error ? error : "none"), 0);
}

static int guard(struct bus_call *call, void *userdata)
{
	struct guarded *guarded = userdata;

	guarded->asked++;
	ck_assert_int_eq(text_fixed(guarded->what, sizeof(guarded->what), "%s.%s",
				 bus_call_interface(call), bus_call_member(call)),
		0);
	bus_call_on_end(call, on_end, guarded);
	ck_assert(!bus_call_is_interactive(call));
	switch (guarded->verdict) {
	case GO_ON:
		return 0;
	case FAIL:
		return -EACCES;
	case REFUSE:
		return bus_call_refuse(call, FREEDESK "InteractiveAuthorizationRequired", "no");
	case LATER:
		guarded->call = bus_call_keep(call);
		return 0;
	}
	return -EINVAL;
}

static void on_leave(const char *unique_name, void *userdata)
{
	struct guarded *guarded = userdata;

	ck_assert_int_eq(text_copy(guarded->left, sizeof(guarded->left), unique_name), 0);
}

static void setup_guard(void)
{
	setup();
	bus_set_guard(w.server, guard, on_leave, &g);
}

static bool is_asked(void *userdata)
{
	(void)userdata;
	return g.call != NULL;
}

static const struct {
	int verdict;
	const char *how, *error;
} cases[] = {
	{ GO_ON, "named", BUS_ERROR_PREFIX "Stale" },
	{ GO_ON, "memory", FREEDESK "NoMemory" },
	{ GO_ON, "no reply", FREEDESK "Failed" },
	{ FAIL, "named", FREEDESK "AccessDenied" },
	{ REFUSE, "named", FREEDESK "InteractiveAuthorizationRequired" },
};

START_TEST(verdicts)
{
	struct answer answer = { 0 };
	struct bus_writer *wr = begin("Fail");

	g.verdict = (__typeof__(g.verdict))cases[_i].verdict;
	ck_assert_int_eq(bus_write(wr, "s", cases[_i].how), 0);
	finish(wr, &answer);
	ck_assert_str_eq(answer.error, cases[_i].error);
	ck_assert_str_eq(g.error, cases[_i].error);
	ck_assert_str_eq(g.what, SERVICE ".Fail");
	ck_assert_uint_eq(g.asked, 1);
	ck_assert_uint_eq(g.ended, 1);
}
END_TEST

START_TEST(success_is_told)
{
	struct answer answer = { .read = read_number };

	finish(begin("Who"), &answer);
	ck_assert_uint_eq(answer.number, getuid());
	ck_assert_str_eq(g.error, "none");
	ck_assert_uint_eq(g.ended, 1);
}
END_TEST

/* Carried out long after, with its arguments as they were. */
START_TEST(a_kept_call_goes_on)
{
	struct answer answer = { 0 };
	struct bus_writer *wr = begin("Fail");

	g.verdict = LATER;
	ck_assert_int_eq(bus_write(wr, "s", "named"), 0);
	ck_assert_int_eq(bus_method_send(wr, BUS_DEFAULT_USEC, on_answer, &answer), 0);
	pump_until(w.event, is_asked, NULL);
	ck_assert_uint_eq(g.ended, 0);
	bus_call_go_on(g.call);
	pump(w.event, &answer.done);
	ck_assert_str_eq(answer.error, BUS_ERROR_PREFIX "Stale");
	ck_assert_uint_eq(g.ended, 1);
}
END_TEST

/* A method may keep what the guard had kept before. */
START_TEST(a_kept_call_is_kept_again)
{
	struct answer answer = { .read = read_number };

	g.verdict = LATER;
	ck_assert_int_eq(bus_method_send(begin("Wait"), BUS_DEFAULT_USEC, on_answer, &answer), 0);
	pump_until(w.event, is_asked, NULL);
	ck_assert_ptr_null(w.kept);
	bus_call_go_on(g.call);
	ck_assert_ptr_eq(w.kept, g.call);
	ck_assert_uint_eq(g.ended, 0);
	ck_assert_int_eq(bus_call_reply(w.kept, "t", UINT64_C(77)), 0);
	pump(w.event, &answer.done);
	ck_assert_uint_eq(answer.number, 77);
	ck_assert_uint_eq(g.ended, 1);
}
END_TEST

START_TEST(a_kept_call_is_given_up)
{
	struct answer answer = { 0 };

	g.verdict = LATER;
	ck_assert_int_eq(bus_method_send(begin("Wait"), BUS_DEFAULT_USEC, on_answer, &answer), 0);
	pump_until(w.event, is_asked, NULL);
	ck_assert_ptr_null(bus_call_free(g.call));
	pump(w.event, &answer.done);
	ck_assert_str_eq(answer.error, FREEDESK "Failed");
	ck_assert_ptr_null(w.kept);
	ck_assert_uint_eq(g.ended, 1);
}
END_TEST

START_TEST(standard_interfaces_are_for_all)
{
	struct answer answer = { 0 };
	struct bus_writer *wr = begin_at(PATH, PROPS, "GetAll");

	g.verdict = FAIL;
	ck_assert_int_eq(bus_write(wr, "s", SERVICE), 0);
	finish(wr, &answer);
	ck_assert_str_eq(answer.error, "");
	ck_assert_uint_eq(g.asked, 0);
}
END_TEST

static bool is_left(void *userdata)
{
	(void)userdata;
	return *g.left != '\0';
}

START_TEST(leaving_is_told)
{
	struct answer answer = { .read = read_number };
	char name[64];

	finish(begin("Who"), &answer); /* asks for the caller's credentials */
	ck_assert_int_eq(text_copy(name, sizeof(name), bus_unique_name(w.client)), 0);
	w.client = bus_free(w.client);
	pump_until(w.event, is_left, NULL);
	ck_assert_str_eq(g.left, name);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("bus_guard");
	TCase *tc = tcase_create("bus_guard");

	tcase_add_checked_fixture(tc, setup_guard, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, verdicts, 0, ARRAY_SIZE(cases));
	tcase_add_test(tc, success_is_told);
	tcase_add_test(tc, a_kept_call_goes_on);
	tcase_add_test(tc, a_kept_call_is_kept_again);
	tcase_add_test(tc, a_kept_call_is_given_up);
	tcase_add_test(tc, standard_interfaces_are_for_all);
	tcase_add_test(tc, leaving_is_told);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
