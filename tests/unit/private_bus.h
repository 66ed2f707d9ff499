/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A message bus of its own for a test case, and turns of the loop until something has happened. */
#ifndef UNIT_PRIVATE_BUS_H
#define UNIT_PRIVATE_BUS_H

#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "common/bus/bus.h"

#define PUMP_USEC (20 * UINT64_C(1000000)) /* a turn without any event for so long is a failure */

struct private_bus {
	pid_t pid;
	char directory[64];
	char address[128]; /* without the GUID, so that a next bus may stand there */
};

/* Returns when clients can connect. May be called again after private_bus_stop(). */
static inline void private_bus_start(struct private_bus *bus)
{
	char option[160], line[256];
	int out[2];

	if (!*bus->directory) {
		ck_assert_int_eq(text_copy(bus->directory, sizeof(bus->directory),
					 "/tmp/netipsec-bus-XXXXXX"),
			0);
		ck_assert_ptr_nonnull(mkdtemp(bus->directory));
		ck_assert_int_eq(text_fixed(bus->address, sizeof(bus->address), "unix:path=%s/bus",
					 bus->directory),
			0);
	}
	ck_assert_int_eq(text_fixed(option, sizeof(option), "--address=%s", bus->address), 0);
	ck_assert_int_eq(pipe2(out, O_CLOEXEC), 0);
	bus->pid = fork();
	ck_assert_int_ge(bus->pid, 0);
	if (bus->pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)dup2(out[1], STDOUT_FILENO);
		(void)dup2(
			open("/dev/null", O_WRONLY), STDERR_FILENO); /* limits it could not raise */
		execlp("dbus-daemon", "dbus-daemon", "--session", "--nofork", "--nopidfile",
			"--print-address=1", option, (char *)NULL);
		_exit(127);
	}
	(void)close(out[1]);
	ck_assert_int_gt(read(out[0], line, sizeof(line)), 1);
	(void)close(out[0]);
}

static inline void private_bus_stop(struct private_bus *bus)
{
	if (bus->pid > 0) {
		(void)kill(bus->pid, SIGTERM); /* it takes its socket away */
		(void)waitpid(bus->pid, NULL, 0);
	}
	bus->pid = 0;
}

static inline void private_bus_end(struct private_bus *bus)
{
	private_bus_stop(bus);
	(void)rmdir(bus->directory);
}

/* Turn the loop until *@done. */
static inline void pump(sd_event *event, const bool *done)
{
	while (!*done) {
		int r = sd_event_run(event, PUMP_USEC);

		ck_assert_msg(r > 0, "nothing happened any more: %d", r);
	}
}

static inline void pump_until(sd_event *event, bool (*done)(void *userdata), void *userdata)
{
	while (!done(userdata))
		ck_assert_int_gt(sd_event_run(event, PUMP_USEC), 0);
}

static inline struct bus *private_bus_connect(const struct private_bus *at, sd_event *event)
{
	struct bus_error error = { 0 };
	struct bus *bus = NULL;
	int r = bus_open(event, at->address, NULL, NULL, &bus, &error);

	ck_assert_msg(r == 0, "%s", error.message ? error.message : "");
	return bus;
}

#endif
