/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a stop means and what comes, asked of a service manager that lives in another process. */
#include "common/daemon/manager.h"

#include <errno.h>

#include "common/base/clock.h"
#include "tests/unit/private_bus.h"
#include "tests/unit/suite.h"

#define MANAGER "org.freedesktop.systemd1"
#define UNIT	"ipsec-policy.service"

static struct world {
	struct private_bus private_bus;
	struct bus *bus;
	pid_t manager;
} w;

/* What the manager says. */
static const struct answers {
	const char *name, *job, *state;
	bool present, silent, want;
	const char *active;
} cases[] = {
	{ "stop", "stop", "running", true, false, true, "active" },
	{ "stop while degraded", "stop", "degraded", true, false, true, "active" },
	{ "restart", "restart", "running", true, false, false, "active" },
	{ "no job: a signal by hand", NULL, "running", true, false, false, "active" },
	{ "shutdown", "stop", "stopping", true, false, false, "active" },
	{ "another unit", "", "running", true, false, false, "active" },
	{ "a manager that does not answer", "stop", "running", true, true, false, "active" },
	{ "no manager", "stop", "running", false, false, false, "active" },
};

/* Of another unit. */
static const struct answers left[] = {
	{ "down", NULL, "running", true, false, true, "inactive" },
	{ "failed for good", NULL, "running", true, false, true, "failed" },
	{ "about to start", "start", "running", true, false, false, "inactive" },
	{ "on its way", NULL, "running", true, false, false, "activating" },
	{ "there", NULL, "running", true, false, false, "active" },
	{ "unknown", "", "running", true, false, false, "inactive" },
	{ "a manager that does not answer", NULL, "running", true, true, false, "inactive" },
	{ "no manager", NULL, "running", false, false, false, "inactive" },
};

static int on_get_unit(struct bus_call *call, struct bus_reader *args, void *userdata)
{
	const struct answers *answers = userdata;
	const char *unit;

	if (bus_read(args, "s", &unit) < 0)
		return -EBADMSG;
	if (answers->silent) {
		(void)bus_call_keep(call);
		return 0;
	}
	if (answers->job && !*answers->job)
		return bus_call_fail(call, "NotFound", "no unit %s", unit);
	return bus_call_reply(call, "o", "/unit");
}

static int get_job(struct bus_writer *value, void *userdata)
{
	const struct answers *answers = userdata;
	int r = bus_open_container(value, 'r', "");

	if (r == 0)
		r = bus_write(value, "uo", answers->job ? 7U : 0U, answers->job ? "/job" : "/");
	return r < 0 ? r : bus_close_container(value);
}

static int get_active(struct bus_writer *value, void *userdata)
{
	const struct answers *answers = userdata;

	return bus_write(value, "s", answers->active);
}

static int get_job_type(struct bus_writer *value, void *userdata)
{
	return bus_write(value, "s", ((const struct answers *)userdata)->job);
}

static int get_state(struct bus_writer *value, void *userdata)
{
	return bus_write(value, "s", ((const struct answers *)userdata)->state);
}

static const struct bus_member manager_members[] = {
	BUS_METHOD("GetUnit", "s", "o", "name unit", on_get_unit),
	BUS_PROPERTY("SystemState", "s", get_state, BUS_EMITS_FALSE),
	BUS_END,
};
static const struct bus_member unit_members[] = {
	BUS_PROPERTY("Job", "(uo)", get_job, BUS_EMITS_TRUE),
	BUS_PROPERTY("ActiveState", "s", get_active, BUS_EMITS_TRUE),
	BUS_END,
};
static const struct bus_member job_members[] = {
	BUS_PROPERTY("JobType", "s", get_job_type, BUS_EMITS_CONST),
	BUS_END,
};

static int serve(const struct answers *answers, int ready)
{
	void *userdata = (void *)(uintptr_t)answers;
	struct bus_error error = { 0 };
	struct bus *bus;
	sd_event *event;

	if (sd_event_new(&event) < 0 ||
		bus_open(event, w.private_bus.address, NULL, NULL, &bus, &error) < 0 ||
		bus_add_interface(bus, "/org/freedesktop/systemd1", MANAGER ".Manager",
			manager_members, userdata) < 0 ||
		bus_add_interface(bus, "/unit", MANAGER ".Unit", unit_members, userdata) < 0 ||
		bus_add_interface(bus, "/job", MANAGER ".Job", job_members, userdata) < 0 ||
		bus_own_name(bus, MANAGER, &error) < 0 || write(ready, "", 1) != 1)
		return 1;
	return sd_event_loop(event) < 0;
}

static void start_manager(const struct answers *answers)
{
	char byte;
	int ends[2];

	ck_assert_int_eq(pipe(ends), 0);
	w.manager = fork();
	ck_assert_int_ge(w.manager, 0);
	if (w.manager == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(serve(answers, ends[1]));
	}
	(void)close(ends[1]);
	ck_assert_int_eq(read(ends[0], &byte, 1), 1);
	(void)close(ends[0]);
}

static void setup(void)
{
	ck_assert_int_eq(unsetenv("NETIPSEC_STOP_FILE"), 0);
	private_bus_start(&w.private_bus);
	w.bus = private_bus_connect(&w.private_bus, NULL);
}

static void teardown(void)
{
	w.bus = bus_free(w.bus);
	if (w.manager > 0) {
		(void)kill(w.manager, SIGKILL);
		(void)waitpid(w.manager, NULL, 0);
	}
	private_bus_end(&w.private_bus);
}

START_TEST(only_a_stop_that_stays)
{
	uint64_t before = clock_monotonic_usec();

	if (cases[_i].present)
		start_manager(&cases[_i]);
	ck_assert_msg(manager_stops_unit(w.bus, UNIT) == cases[_i].want, "%s", cases[_i].name);
	/* Two seconds for all questions, and as much again for a busy machine. */
	ck_assert_uint_lt(clock_monotonic_usec() - before, 4 * USEC_PER_SEC);
}
END_TEST

START_TEST(what_is_not_worth_waiting_for)
{
	uint64_t before = clock_monotonic_usec();

	if (left[_i].present)
		start_manager(&left[_i]);
	ck_assert_msg(manager_leaves_unit(w.bus, UNIT) == left[_i].want, "%s", left[_i].name);
	ck_assert_uint_lt(clock_monotonic_usec() - before, 4 * USEC_PER_SEC);
}
END_TEST

START_TEST(a_file_stands_for_the_job)
{
	char path[] = "/tmp/netipsec-stop-XXXXXX";
	int fd = mkstemp(path);

	ck_assert_int_ge(fd, 0);
	(void)close(fd);
	ck_assert_int_eq(setenv("NETIPSEC_STOP_FILE", path, 1), 0);
	ck_assert(manager_stops_unit(w.bus, UNIT));
	ck_assert_int_eq(unlink(path), 0);
	start_manager(&cases[0]); /* it would say yes, but is not asked */
	ck_assert(!manager_stops_unit(w.bus, UNIT));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("manager");
	TCase *tc = tcase_create("manager");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 30);
	tcase_add_loop_test(tc, only_a_stop_that_stays, 0, ARRAY_SIZE(cases));
	tcase_add_loop_test(tc, what_is_not_worth_waiting_for, 0, ARRAY_SIZE(left));
	tcase_add_test(tc, a_file_stands_for_the_job);
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
