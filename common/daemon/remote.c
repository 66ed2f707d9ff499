/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/daemon/daemon.h"

#define RELOAD_USEC (85 * USEC_PER_SEC) /* within the 90 s that a manager waits for ExecReload= */

static int report(const struct daemon_identity *identity, const struct bus_error *error, int r)
{
	const char *message = error->message && *error->message ? error->message : strerror(-r);
	size_t len = strlen(message);

	/* Diagnostics are whole lines and name their file themselves. */
	if (bus_error_is(error, "Syntax"))
		(void)fprintf(stderr, "%s%s", message, len && message[len - 1] == '\n' ? "" : "\n");
	else
		(void)fprintf(stderr, "%s: reload: %s\n", identity->program, message);
	return EXIT_FAILURE;
}

int daemon_reload_remote(
	const struct daemon_identity *identity, const struct daemon_options *options)
{
	CLEANUP(bus_freep) struct bus *bus = NULL;
	CLEANUP(bus_reply_freep) struct bus_reply *reply = NULL;
	CLEANUP(bus_error_done) struct bus_error error = { 0 };
	struct bus_writer *call;
	int r;

	r = bus_open(NULL, options->bus, NULL, NULL, &bus, &error);
	if (r < 0)
		return report(identity, &error, r);
	call = bus_method_writer(
		bus, identity->bus_name, identity->bus_path, identity->bus_name, "Reload");
	r = bus_method_call(call, RELOAD_USEC, &reply, &error);
	return r < 0 ? report(identity, &error, r) : EXIT_SUCCESS;
}

bool daemon_begin(const struct daemon_identity *identity, int argc, char **argv,
	struct daemon_options *ret_options, int *ret_exit)
{
	int r = daemon_options_parse(identity, argc, argv, ret_options);

	if (r < 0) {
		*ret_exit = daemon_exit_code(r);
		return false;
	}
	switch (ret_options->action) {
	case DAEMON_EXIT:
		*ret_exit = 0;
		return false;
	case DAEMON_RELOAD:
		*ret_exit = daemon_reload_remote(identity, ret_options);
		return false;
	case DAEMON_CHECK:
	case DAEMON_SETTINGS:
	case DAEMON_RUN:
		break;
	}
	return true;
}
