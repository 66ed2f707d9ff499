/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What ipsecconf asks of the policy service: show, add, replace, flush. */
#include <errno.h>
#include <string.h>

#include "common/base/memfd.h"
#include "services/policy/ipsecconf.h"
#include "services/policy/policy_file.h"
#include "services/policy/policyd_names.h"

int conf_bus_failed(int r, const struct bus_error *error, const char *service)
{
	const char *message = error->message ? error->message : strerror(-r);
	size_t len = strlen(message);

	if (bus_error_is(error, "Syntax")) {
		/* Diagnostics are whole lines that name their place themselves. */
		(void)fprintf(stderr, "%s%sFatal error - exiting.\n", message,
			len > 0 && message[len - 1] == '\n' ? "" : "\n");
		return r;
	}
	if (bus_error_is(error, "NotAuthorized") ||
		(error->name &&
			strcmp(error->name, "org.freedesktop.DBus.Error.AccessDenied") == 0))
		(void)fprintf(stderr, "Insufficient privilege to run ipsecconf.\n");
	else
		(void)fprintf(stderr, "ipsecconf: %s: %s\n", service, message);
	(void)fprintf(stderr, "Fatal error - exiting.\n");
	return r;
}

int conf_bus_open(const struct conf_request *request, struct bus **ret_bus)
{
	CLEANUP(bus_error_done) struct bus_error error = { 0 };
	int r = bus_open(NULL, request->bus, NULL, NULL, ret_bus, &error);

	return r < 0 ? conf_bus_failed(r, &error, "message bus") : 0;
}

static struct bus_writer *policy_method(struct bus *bus, const char *method)
{
	return bus_method_writer(bus, POLICYD_BUS_NAME, POLICYD_BUS_PATH, POLICYD_BUS_NAME, method);
}

/* Sends what was written; @r: how the writing went. */
static int policy_call(struct bus_writer *wr, struct bus_reply **ret_reply)
{
	CLEANUP(bus_error_done) struct bus_error error = { 0 };
	int r = bus_method_call(wr, BUS_DEFAULT_USEC, ret_reply, &error);

	return r < 0 ? conf_bus_failed(r, &error, POLICYD_UNIT) : 0;
}

/* What holds for every change by hand; standard output, as ever. */
static void warn_by_hand(const struct conf_request *request)
{
	if (request->quiet)
		return;
	(void)printf(
		"WARNING : policy is changed by hand.\n"
		"\tThe service ipsec-policy keeps it: what is set here lasts until the service\n"
		"\treads its file again. To make it stay, put it into\n"
		"\t/etc/inet/ipsecinit.conf, check that with 'ipsecconf -c' and run\n"
		"\t'systemctl reload ipsec-policy.service'.\n");
}

int conf_show(const struct conf_request *request)
{
	CLEANUP(bus_freep) struct bus *bus = NULL;
	CLEANUP(bus_reply_freep) struct bus_reply *reply = NULL;
	CLEANUP(fd_closep) int fd = -1;
	struct memfd_view view = { 0 };
	int r = conf_bus_open(request, &bus);

	if (r == 0)
		r = policy_call(policy_method(bus, "ListConfigured"), &reply);
	if (r < 0)
		return r;
	r = bus_read(bus_reply_reader(reply), "h", &fd);
	if (r == 0)
		r = memfd_map(fd, POLICY_MAX_FILE_BYTES, &view);
	if (r < 0) {
		(void)fprintf(stderr, "ipsecconf: %s: %s\n", POLICYD_UNIT, strerror(-r));
		return r;
	}
	if (view.len > 0)
		(void)fwrite(view.bytes, 1, view.len, stdout);
	memfd_unmap(&view);
	return 0;
}

static const char *apply_mode(const struct conf_request *request)
{
	switch (request->flush) {
	case FLUSH_NONE:
		return "add";
	case FLUSH_SCOPE:
		return "replace";
	case FLUSH_ALL:
		return "replace-all";
	}
	return "add";
}

static int write_apply(
	struct bus_writer *wr, const struct conf_request *request, int fd, const char *label)
{
	int r = wr ? bus_write(wr, "hs", fd, label) : -ENOMEM;

	if (r == 0)
		r = bus_open_container(wr, 'a', "{sv}");
	if (r == 0)
		r = bus_write_option(wr, "mode", "s", apply_mode(request));
	return r < 0 ? r : bus_close_container(wr);
}

static int send_source(
	struct bus *bus, const struct conf_request *request, int fd, const char *label)
{
	CLEANUP(bus_reply_freep) struct bus_reply *reply = NULL;
	struct bus_writer *wr = policy_method(bus, "Apply");
	const char *warnings = "";
	uint64_t generation;
	int r;

	(void)write_apply(wr, request, fd, label); /* the call fails when the writing did */
	r = policy_call(wr, &reply);
	if (r < 0)
		return r;
	r = bus_read(bus_reply_reader(reply), "ts", &generation, &warnings);
	if (r < 0)
		return r;
	(void)fputs(warnings, stderr);
	if (!request->quiet)
		(void)printf("WARNING : new policy entries may change the treatment of "
			     "connections that exist.\n");
	return 0;
}

int conf_apply(const struct conf_request *request)
{
	CLEANUP(bus_freep) struct bus *bus = NULL;
	CLEANUP(freep) char *source = NULL;
	CLEANUP(fd_closep) int fd = -1;
	const char *label;
	size_t len;
	int r = conf_read_source(request->file, &source, &len, &label);

	if (r == 0)
		r = memfd_seal("ipsecconf", source, len, &fd);
	if (r == 0)
		r = conf_bus_open(request, &bus);
	if (r < 0)
		return r;
	warn_by_hand(request);
	return send_source(bus, request, fd, label);
}

static int write_flush(struct bus_writer *wr, const struct conf_request *request)
{
	const char *tunnel = request->interface ? request->interface : "";
	int r = wr ? bus_write(wr, "s", tunnel) : -ENOMEM;

	if (r == 0)
		r = bus_open_container(wr, 'a', "{sv}");
	if (r == 0 && request->flush == FLUSH_ALL)
		r = bus_write_option(wr, "all", "b", 1);
	return r < 0 ? r : bus_close_container(wr);
}

int conf_flush_policy(const struct conf_request *request)
{
	CLEANUP(bus_freep) struct bus *bus = NULL;
	CLEANUP(bus_reply_freep) struct bus_reply *reply = NULL;
	struct bus_writer *wr;
	int r = conf_bus_open(request, &bus);

	if (r < 0)
		return r;
	warn_by_hand(request);
	wr = policy_method(bus, "Flush");
	(void)write_flush(wr, request); /* the call fails when the writing did */
	return policy_call(wr, &reply);
}
