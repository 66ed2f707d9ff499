/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What every daemon's main() shares: options, event loop with signals, readiness and status towards
 * the service manager, reload over the bus, and how the process ends.
 */
#ifndef DAEMON_DAEMON_H
#define DAEMON_DAEMON_H

#include <stdbool.h>
#include <systemd/sd-event.h>

#include "common/bus/bus.h"
#include "common/conf/diag.h"
#include "common/daemon/settings.h"

enum daemon_action { DAEMON_RUN, DAEMON_CHECK, DAEMON_RELOAD, DAEMON_SETTINGS, DAEMON_EXIT };

/* What a daemon is called; static. */
struct daemon_identity {
	const char *program; /* "ipsec-policyd" */
	const char *summary; /* one line for --help */
	const char *bus_name; /* also its interface: "org.netipsec.Policy1" */
	const char *bus_path;
	const char *unit; /* "ipsec-policy.service" */
	const char *config; /* "/etc/netipsec/policy.cfg" */
	const char *without; /* what holds without it; NULL: what was in force before */
};

struct daemon_options {
	enum daemon_action action;
	const char *config; /* --config, or the identity's; borrowed from argv */
	bool config_given; /* a missing file is an error only when it was named */
	const char *bus; /* --bus, default "system" */
	const struct daemon_identity *identity;
};

/*
 * --config FILE, --bus ADDRESS|system, --check, --reload, --settings, --help, --version. Prints help,
 * version and usage errors itself. Return: 0 (see ret->action), or -EINVAL after a usage error.
 */
int daemon_options_parse(const struct daemon_identity *identity, int argc, char **argv,
	struct daemon_options *ret) MUST_CHECK;

/* DAEMON_RELOAD: call Reload on the running instance, print its error on stderr. Return: exit code. */
int daemon_reload_remote(
	const struct daemon_identity *identity, const struct daemon_options *options);

/*
 * Both of the above, as main() begins. Return: true when the caller goes on with DAEMON_RUN,
 * DAEMON_CHECK or DAEMON_SETTINGS; false when all is done and the process ends with *ret_exit.
 */
bool daemon_begin(const struct daemon_identity *identity, int argc, char **argv,
	struct daemon_options *ret_options, int *ret_exit) MUST_CHECK;

/* Diagnostics where they are read: a person's terminal with --check, else the log. */
void daemon_report(const struct daemon_options *options, const struct conf_diags *diags);

/*
 * A daemon that cannot start for what @diags tell (or else @message) says so in the status line that
 * its unit keeps, and what holds without it.
 */
void daemon_start_failed(
	const struct daemon_options *options, const struct conf_diags *diags, const char *message);

/*
 * What a file that could not be read at the start makes of the start: a place that holds no file of
 * reasonable size is a bad file, and starting again mends nothing.
 */
int daemon_file_fault(int result);

/*
 * The settings from a daemon's --config or the identity's file. @diags: collects what is wrong, when
 * they are read again; NULL at the start: told as by the two above, and --settings shows them.
 * Return: 0 or a negative errno.
 */
int daemon_settings(const struct daemon_options *options, const struct setting *table,
	void *ret_settings, struct conf_diags *diags) MUST_CHECK;

struct daemon;

#define DAEMON_RELOADS_LATER 1

struct daemon_hooks {
	/*
	 * For SIGHUP: read the owned file again and publish. Return: 0, negative errno, or
	 * DAEMON_RELOADS_LATER: daemon_reloaded() follows.
	 */
	int (*reload)(void *userdata);
	/* Before the loop ends. @withdraw: the unit's job is stop, not restart, and the manager goes on. */
	void (*stop)(bool withdraw, void *userdata);
	void *userdata;
};

/*
 * Makes the event loop, blocks signals and turns them into events (SIGTERM, SIGINT: stop; SIGHUP:
 * reload), arms the watchdog, opens the bus and lets it come back when it is lost. The daemon owns
 * loop and bus.
 */
int daemon_new(const struct daemon_identity *identity, const struct daemon_options *options,
	const struct daemon_hooks *hooks, struct daemon **ret_daemon) MUST_CHECK;
struct daemon *daemon_free(struct daemon *daemon);
DEFINE_CLEANUP(struct daemon *, daemon_free)
sd_event *daemon_event(struct daemon *daemon);
struct bus *daemon_bus(struct daemon *daemon);
/* Own the bus name, unless that was done before. publisher_new() does it. */
int daemon_own_name(struct daemon *daemon) MUST_CHECK;
/* Own the bus name, tell the manager READY=1. */
int daemon_ready(struct daemon *daemon) MUST_CHECK;
/* STATUS=..., one line. */
void daemon_status(struct daemon *daemon, const char *format, ...) PRINTF_LIKE(2, 3);
/* RELOADING=1 with MONOTONIC_USEC before, READY=1 after. */
void daemon_reloading(struct daemon *daemon);
void daemon_reloaded(struct daemon *daemon, int result);
int daemon_run(struct daemon *daemon) MUST_CHECK; /* until stopped; 0 or negative errno */
void daemon_quit(struct daemon *daemon, int result);

/* Exit codes: 0, 1 for a failure, 2 usage, 95 configuration, 100 permission (under the manager). */
int daemon_exit_code(int result);

#endif
