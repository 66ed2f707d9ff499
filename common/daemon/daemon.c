/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/daemon/daemon.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "common/base/clock.h"
#include "common/daemon/audit.h"
#include "common/daemon/log-ids.h"
#include "common/daemon/log.h"
#include "common/daemon/manager.h"
#include "common/daemon/rights.h"
#include "common/daemon/status.h"

#define EXIT_USAGE	   2
#define EXIT_CONFIGURATION 95
#define EXIT_PERMISSION	   100

struct daemon {
	const struct daemon_identity *identity;
	struct daemon_hooks hooks;
	sd_event *event;
	struct bus *bus;
	struct rights *rights;
	bool stopping, owns_name;
	int result;
};

static void on_bus_lost(void *userdata)
{
	(void)userdata;
	log_event(LOG_ERR, LOG_ID_BUS_LOST, NULL, "the message bus went away");
}

static void on_bus_back(void *userdata)
{
	(void)userdata;
	log_event(LOG_INFO, LOG_ID_BUS_BACK, NULL, "the message bus is back");
}

static int on_reload_signal(
	sd_event_source *source, const struct signalfd_siginfo *signal_info, void *userdata)
{
	struct daemon *daemon = userdata;
	struct audit record = { .what = "SIGHUP",
		.known = true,
		.uid = signal_info->ssi_uid,
		.pid = (pid_t)signal_info->ssi_pid,
		.sender = "",
		.right = "signal" };
	int r;

	(void)source;
	daemon_reloading(daemon);
	r = daemon->hooks.reload ? daemon->hooks.reload(daemon->hooks.userdata) : 0;
	record.result = r < 0 ? AUDIT_FAILED : AUDIT_DONE;
	audit_write(&record);
	if (r != DAEMON_RELOADS_LATER)
		daemon_reloaded(daemon, r);
	return 0;
}

/*
 * The manager shows the last status of a unit that has ended. One message: a manager that does not
 * read must not keep us, and one that cannot be told ends us all the same.
 */
static void tell_end(const struct daemon *daemon, bool withdraw)
{
	const char *left = withdraw ? "what it had in force is withdrawn"
				    : "what was in force stays";

	if (daemon->identity->without)
		left = daemon->identity->without;
	(void)sd_notifyf(0, "STOPPING=1\nSTATUS=stopped; %s", left);
}

static int on_stop_signal(
	sd_event_source *source, const struct signalfd_siginfo *signal_info, void *userdata)
{
	struct daemon *daemon = userdata;
	bool withdraw;

	(void)source;
	(void)signal_info;
	if (daemon->stopping)
		return 0;
	daemon->stopping = true;
	withdraw = manager_stops_unit(daemon->bus, daemon->identity->unit);
	tell_end(daemon, withdraw);
	if (daemon->hooks.stop)
		daemon->hooks.stop(withdraw, daemon->hooks.userdata);
	daemon_quit(daemon, 0);
	return 0;
}

/* Blocked before any thread is made, so that they arrive as events and nowhere else. */
static int take_signals(struct daemon *daemon)
{
	static const struct {
		int number;
		sd_event_signal_handler_t handler;
	} rows[] = {
		{ SIGTERM, on_stop_signal },
		{ SIGINT, on_stop_signal },
		{ SIGHUP, on_reload_signal },
	};
	sigset_t mask;
	int r = 0;

	if (sigemptyset(&mask) < 0)
		return -errno;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (sigaddset(&mask, rows[i].number) < 0)
			return -errno;
	/* What cannot be written is an error, not the end. */
	if (sigprocmask(SIG_BLOCK, &mask, NULL) < 0 || signal(SIGPIPE, SIG_IGN) == SIG_ERR ||
		signal(SIGXFSZ, SIG_IGN) == SIG_ERR)
		return -errno;
	for (size_t i = 0; i < ARRAY_SIZE(rows) && r >= 0; i++)
		r = sd_event_add_signal(
			daemon->event, NULL, rows[i].number, rows[i].handler, daemon);
	return r < 0 ? r : 0;
}

int daemon_new(const struct daemon_identity *identity, const struct daemon_options *options,
	const struct daemon_hooks *hooks, struct daemon **ret_daemon)
{
	CLEANUP(daemon_freep) struct daemon *daemon = calloc(1, sizeof(*daemon));
	CLEANUP(bus_error_done) struct bus_error error = { 0 };
	int r;

	if (!daemon)
		return -ENOMEM;
	daemon->identity = identity;
	daemon->hooks = *hooks;
	r = sd_event_new(&daemon->event);
	if (r >= 0)
		r = take_signals(daemon);
	if (r >= 0)
		r = sd_event_set_watchdog(daemon->event, 1);
	if (r < 0)
		return r;
	r = bus_open(daemon->event, options->bus, on_bus_lost, daemon, &daemon->bus, &error);
	if (r < 0) {
		log_error("cannot reach the message bus: %s",
			error.message ? error.message : strerror(-r));
		return r;
	}
	/* What is enforced does not hang on the bus: it may go, and come back. */
	r = bus_persist(daemon->bus, on_bus_back);
	if (r == 0)
		r = rights_new(daemon->bus, &daemon->rights);
	if (r < 0)
		return r;
	*ret_daemon = STEAL(daemon);
	return 0;
}

struct daemon *daemon_free(struct daemon *daemon)
{
	if (!daemon)
		return NULL;
	daemon->rights = rights_free(daemon->rights);
	daemon->bus = bus_free(daemon->bus);
	daemon->event = sd_event_unref(daemon->event);
	free(daemon);
	return NULL;
}

sd_event *daemon_event(struct daemon *daemon)
{
	return daemon->event;
}

struct bus *daemon_bus(struct daemon *daemon)
{
	return daemon->bus;
}

int daemon_own_name(struct daemon *daemon)
{
	CLEANUP(bus_error_done) struct bus_error error = { 0 };
	int r;

	if (daemon->owns_name)
		return 0;
	r = bus_own_name(daemon->bus, daemon->identity->bus_name, &error);
	if (r < 0)
		log_error("cannot own %s: %s", daemon->identity->bus_name,
			error.message ? error.message : strerror(-r));
	daemon->owns_name = r == 0;
	return r;
}

int daemon_ready(struct daemon *daemon)
{
	int r = daemon_own_name(daemon);

	if (r < 0)
		return r;
	r = sd_notify(0, "READY=1");
	return r < 0 ? r : 0;
}

void daemon_status(struct daemon *daemon, const char *format, ...)
{
	struct text status = { 0 };
	va_list args;

	if (daemon->stopping) /* the last word was said, see tell_end() */
		return;
	va_start(args, format);
	text_vaddf(&status, format, args);
	va_end(args);
	/* The protocol is lines: what follows a newline would be taken for an assignment. */
	if (!status.failed && status.str)
		(void)sd_notifyf(0, "STATUS=%.*s", (int)strcspn(status.str, "\n"), status.str);
	text_done(&status);
}

void daemon_reloading(struct daemon *daemon)
{
	(void)daemon;
	(void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, clock_monotonic_usec());
}

void daemon_reloaded(struct daemon *daemon, int result)
{
	(void)daemon;
	(void)sd_notifyf(0, "READY=1\nERRNO=%d", result < 0 ? -result : 0);
}

void daemon_start_failed(
	const struct daemon_options *options, const struct conf_diags *diags, const char *message)
{
	const char *without = options->identity->without;
	struct text text = { 0 };
	struct load_note note = { 0 };

	if (options->action != DAEMON_RUN)
		return;
	load_note_take(&note, diags);
	load_note_add_fault(&text, "start", &note, message);
	if (text.str && !text.failed)
		(void)sd_notifyf(0, "STATUS=%s; %s", text.str,
			without ? without : "what was in force stays");
	load_note_done(&note);
	text_done(&text);
}

int daemon_file_fault(int result)
{
	switch (result) {
	case -EBADF: /* as file_read_path() calls what is no regular file */
	case -EFBIG:
	case -ELOOP:
	case -ENAMETOOLONG:
	case -ENOTDIR:
		return -EBADMSG;
	default:
		return result;
	}
}

static int settings_at_start(
	const struct daemon_options *options, const struct setting *table, void *ret_settings)
{
	CLEANUP(conf_diags_freep) struct conf_diags *diags = conf_diags_new();
	int r = diags ? settings_load(
				options->config, !options->config_given, table, ret_settings, diags)
		      : -ENOMEM;

	if (diags)
		daemon_report(options, diags);
	if (r < 0)
		daemon_start_failed(options, diags, strerror(-r));
	else if (options->action == DAEMON_SETTINGS)
		settings_show(table, ret_settings);
	return daemon_file_fault(r);
}

int daemon_settings(const struct daemon_options *options, const struct setting *table,
	void *ret_settings, struct conf_diags *diags)
{
	if (!diags)
		return settings_at_start(options, table, ret_settings);
	return settings_load(options->config, !options->config_given, table, ret_settings, diags);
}

int daemon_run(struct daemon *daemon)
{
	int r = sd_event_loop(daemon->event);

	return r < 0 ? r : daemon->result;
}

void daemon_quit(struct daemon *daemon, int result)
{
	if (daemon->result == 0)
		daemon->result = result;
	(void)sd_event_exit(daemon->event, 0); /* fails only when the loop has ended already */
}

int daemon_exit_code(int result)
{
	if (result >= 0)
		return EXIT_SUCCESS;
	if (result == -EINVAL)
		return EXIT_USAGE;
	if (!getenv("NOTIFY_SOCKET"))
		return EXIT_FAILURE;
	if (result == -EBADMSG)
		return EXIT_CONFIGURATION;
	return result == -EACCES || result == -EPERM ? EXIT_PERMISSION : EXIT_FAILURE;
}
