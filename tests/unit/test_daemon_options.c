/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line that all daemons share, and the codes they end with. */
#include <errno.h>
#include <string.h>

#include "common/daemon/daemon.h"
#include "tests/unit/suite.h"

static const struct daemon_identity identity = {
	.program = "ipsec-testd",
	.summary = "Stands for any daemon.",
	.config = "/etc/netipsec/test.cfg",
};

static const struct {
	const char *argv[4];
	int want;
	enum daemon_action action;
	const char *config, *bus;
	bool config_given;
} cases[] = {
	{ { NULL }, 0, DAEMON_RUN, "/etc/netipsec/test.cfg", "system", false },
	{ { "--config", "a.cfg" }, 0, DAEMON_RUN, "a.cfg", "system", true },
	{ { "--config=a.cfg" }, 0, DAEMON_RUN, "a.cfg", "system", true },
	{ { "--bus", "unix:path=/x", "--check" }, 0, DAEMON_CHECK, "/etc/netipsec/test.cfg",
		"unix:path=/x", false },
	{ { "--reload" }, 0, DAEMON_RELOAD, "/etc/netipsec/test.cfg", "system", false },
	{ { "--check", "--check" }, 0, DAEMON_CHECK, "/etc/netipsec/test.cfg", "system", false },
	{ { "--help" }, 0, DAEMON_EXIT, "/etc/netipsec/test.cfg", "system", false },
	{ { "--version", "nonsense" }, 0, DAEMON_EXIT, "/etc/netipsec/test.cfg", "system", false },
	{ { "--check", "--reload" }, -EINVAL, DAEMON_RUN, NULL, NULL, false },
	{ { "--config" }, -EINVAL, DAEMON_RUN, NULL, NULL, false },
	{ { "--unknown" }, -EINVAL, DAEMON_RUN, NULL, NULL, false },
	{ { "-x" }, -EINVAL, DAEMON_RUN, NULL, NULL, false },
	{ { "argument" }, -EINVAL, DAEMON_RUN, NULL, NULL, false },
	{ { "--check=yes" }, -EINVAL, DAEMON_RUN, NULL, NULL, false },
};

START_TEST(command_lines)
{
	char *argv[6] = { (char *)(uintptr_t)identity.program };
	struct daemon_options options = { .bus = "untouched" };
	int argc = 1;

	for (size_t i = 0; i < ARRAY_SIZE(cases[0].argv) && cases[_i].argv[i]; i++)
		argv[argc++] = (char *)(uintptr_t)cases[_i].argv[i];
	ck_assert_int_eq(daemon_options_parse(&identity, argc, argv, &options), cases[_i].want);
	if (cases[_i].want < 0) {
		ck_assert_str_eq(options.bus, "untouched");
		return;
	}
	ck_assert_int_eq(options.action, cases[_i].action);
	ck_assert_str_eq(options.config, cases[_i].config);
	ck_assert_str_eq(options.bus, cases[_i].bus);
	ck_assert_int_eq(options.config_given, cases[_i].config_given);
}
END_TEST

static const struct {
	int result, alone, managed;
} codes[] = {
	{ 0, 0, 0 },
	{ -ENOMEM, 1, 1 },
	{ -EINVAL, 2, 2 },
	{ -EBADMSG, 1, 95 },
	{ -EACCES, 1, 100 },
	{ -EPERM, 1, 100 },
};

START_TEST(exit_codes)
{
	ck_assert_int_eq(unsetenv("NOTIFY_SOCKET"), 0);
	ck_assert_int_eq(daemon_exit_code(codes[_i].result), codes[_i].alone);
	ck_assert_int_eq(setenv("NOTIFY_SOCKET", "/nonexistent", 1), 0);
	ck_assert_int_eq(daemon_exit_code(codes[_i].result), codes[_i].managed);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("daemon_options");
	TCase *tc = tcase_create("daemon_options");

	tcase_add_loop_test(tc, command_lines, 0, ARRAY_SIZE(cases));
	tcase_add_loop_test(tc, exit_codes, 0, ARRAY_SIZE(codes));
	suite_add_tcase(suite, tc);
	return suite_main(suite);
}
