/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What ipsecconf asks of the policy service: show, add, replace, flush. */
#include <errno.h>
#include <json-c/json.h>
#include <net/if.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/memfd.h"
#include "services/policy/ipsecconf.h"
#include "services/policy/policy_file.h"
#include "services/policy/policyd_names.h"

#define LIST_MAX_BYTES (256U << 20)
#define CALL_USEC      (85 * USEC_PER_SEC)
#define INDEX_MARK     "#INDEX "
#define PRIVILEGE_HINT "  hint: it takes root, or membership in the group 'ipsecadm'\n"

DEFINE_CLEANUP(struct json_object *, json_object_put)

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
		(void)fprintf(stderr, "Insufficient privilege to run ipsecconf.\n%s",
			conf_is_managed() ? "" : PRIVILEGE_HINT);
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

struct bus_writer *conf_policy_method(struct bus *bus, const char *method)
{
	return bus_method_writer(bus, POLICYD_BUS_NAME, POLICYD_BUS_PATH, POLICYD_BUS_NAME, method);
}

int conf_policy_call(struct bus_writer *wr, struct bus_reply **ret_reply)
{
	CLEANUP(bus_error_done) struct bus_error error = { 0 };
	int r = bus_method_call(wr, CALL_USEC, ret_reply, &error);

	return r < 0 ? conf_bus_failed(r, &error, POLICYD_UNIT) : 0;
}

int conf_reply_text(struct bus_reply *reply, char **ret_text, size_t *ret_len)
{
	CLEANUP(fd_closep) int fd = -1;
	struct memfd_view view = { 0 };
	int r = bus_read(bus_reply_reader(reply), "h", &fd);

	if (r == 0)
		r = memfd_map(fd, LIST_MAX_BYTES, &view);
	if (r == 0) {
		*ret_text = strndup(view.len > 0 ? (const char *)view.bytes : "", view.len);
		*ret_len = view.len;
		memfd_unmap(&view);
		r = *ret_text ? 0 : -ENOMEM;
	}
	if (r < 0)
		(void)fprintf(stderr, "ipsecconf: %s: %s\n", POLICYD_UNIT, strerror(-r));
	return r;
}

const struct bus_place conf_datapath = {
	.name = "org.netipsec.Datapath1",
	.path = "/org/netipsec/Datapath1",
	.interface = "org.netipsec.Datapath1",
};

int conf_ask_json(struct bus *bus, const struct bus_place *place, const char *method,
	struct json_object **ret_json, struct bus_error *ret_error)
{
	CLEANUP(bus_reply_freep) struct bus_reply *reply = NULL;
	CLEANUP(freep) char *text = NULL;
	size_t len = 0;
	int r = bus_method_call(
		bus_method_writer(bus, place->name, place->path, place->interface, method),
		CALL_USEC, &reply, ret_error);

	if (r == 0)
		r = conf_reply_text(reply, &text, &len);
	if (r < 0)
		return r;
	*ret_json = json_tokener_parse(text);
	return *ret_json ? 0 : -EBADMSG;
}

/* What holds for every change by hand; standard output, as ever. */
void conf_warn_by_hand(const struct conf_request *request)
{
	if (request->quiet || conf_is_managed())
		return;
	(void)printf(
		"WARNING : policy is changed by hand.\n"
		"\tThe service ipsec-policy keeps it: what is set here lasts until the service\n"
		"\treads its file again. To make it stay, put it into\n"
		"\t/etc/inet/ipsecinit.conf, check that with 'ipsecconf -c' and run\n"
		"\t'systemctl reload ipsec-policy.service'.\n");
}

/* ---- what was configured ---- */

/* {"index":"t0,2","text":"..."}: @at stands on "#INDEX ", @end behind the entry. */
static struct json_object *configured_row(const char *at, const char *end)
{
	const char *number = at + strlen(INDEX_MARK),
		   *newline = memchr(at, '\n', (size_t)(end - at));
	struct json_object *row = json_object_new_object();

	if (!newline || newline < number)
		newline = end;
	while (end > newline && end[-1] == '\n')
		end--;
	if (row &&
		json_object_object_add(row, "index",
			json_object_new_string_len(number, (int)(newline - number))) == 0 &&
		json_object_object_add(row, "text",
			json_object_new_string_len(newline < end ? newline + 1 : end,
				newline < end ? (int)(end - newline - 1) : 0)) == 0)
		return row;
	json_object_put(row);
	return NULL;
}

/* Entries begin at lines "#INDEX"; in their own text there are no comments. */
static int print_configured(const char *text)
{
	CLEANUP(json_object_putp) struct json_object *out = json_object_new_object();
	struct json_object *list = json_object_new_array();
	const char *at = strstr(text, INDEX_MARK);

	if (!out || !list || json_object_object_add(out, "version", json_object_new_int(1)) < 0 ||
		json_object_object_add(out, "entries", list) < 0)
		return -ENOMEM;
	while (at) {
		const char *next = strstr(at + 1, "\n" INDEX_MARK);
		struct json_object *row = configured_row(at, next ? next : at + strlen(at));

		if (!row || json_object_array_add(list, row) < 0)
			return -ENOMEM;
		at = next ? next + 1 : NULL;
	}
	(void)puts(json_object_to_json_string_ext(out, JSON_C_TO_STRING_PLAIN));
	return 0;
}

int conf_show(const struct conf_request *request)
{
	CLEANUP(bus_freep) struct bus *bus = NULL;
	CLEANUP(bus_reply_freep) struct bus_reply *reply = NULL;
	CLEANUP(freep) char *text = NULL;
	size_t len = 0;
	int r = conf_bus_open(request, &bus);

	if (r == 0)
		r = conf_policy_call(conf_policy_method(bus, "ListConfigured"), &reply);
	if (r == 0)
		r = conf_reply_text(reply, &text, &len);
	if (r < 0 || !text)
		return r;
	if (request->json)
		return print_configured(text);
	(void)fwrite(text, 1, len, stdout);
	return 0;
}

/* ---- add and replace ---- */

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

static int write_confirm(struct bus_writer *wr, const struct conf_request *request)
{
	if (request->confirm_sec == 0)
		return 0;
	return bus_write_option(wr, "confirm_usec", "t", request->confirm_sec * USEC_PER_SEC);
}

static int write_apply(
	struct bus_writer *wr, const struct conf_request *request, int fd, const char *label)
{
	int r = wr ? bus_write(wr, "hs", fd, label) : -ENOMEM;

	if (r == 0)
		r = bus_open_container(wr, 'a', "{sv}");
	if (r == 0)
		r = bus_write_option(wr, "mode", "s", apply_mode(request));
	if (r == 0)
		r = write_confirm(wr, request);
	return r < 0 ? r : bus_close_container(wr);
}

static const struct bus_place policy_service = {
	.name = POLICYD_BUS_NAME, .path = POLICYD_BUS_PATH, .interface = POLICYD_BUS_NAME
};

/* What a person has to do now. What was in force before is on no trial. */
static void tell_trial(struct bus *bus, const struct conf_request *request)
{
	int on_trial = 1;

	if (request->confirm_sec == 0)
		return;
	if (bus_get_property(bus, &policy_service, "OnTrial", "b", &on_trial, NULL) == 0 &&
		!on_trial)
		(void)fprintf(stderr,
			"ipsecconf: nothing is new, so that nothing waits to be confirmed\n");
	else
		(void)fprintf(stderr,
			"ipsecconf: on trial: rolled back in %u seconds, unless 'ipsecconf "
			"--confirm-yes' is run before\n",
			(unsigned int)request->confirm_sec);
}

static uint32_t count_rules(struct bus *bus)
{
	uint32_t count = 0;

	if (bus_get_property(bus, &policy_service, "RuleCount", "u", &count, NULL) < 0)
		return 0; /* it is only told */
	return count;
}

/* Entries that are all there already change nothing. */
static bool is_news(uint64_t before, uint64_t generation)
{
	return before == 0 || generation != before;
}

static int send_source(
	struct bus *bus, const struct conf_request *request, int fd, const char *label)
{
	CLEANUP(bus_reply_freep) struct bus_reply *reply = NULL;
	struct bus_writer *wr = conf_policy_method(bus, "Apply");
	uint32_t before = conf_is_managed() && request->flush == FLUSH_NONE ? count_rules(bus) : 0;
	const char *warnings = "";
	uint64_t generation, former = 0;
	int r;

	if (bus_get_property(bus, &policy_service, "Generation", "t", &former, NULL) < 0)
		former = 0; /* it is only told */

	(void)write_apply(wr, request, fd, label); /* the call fails when the writing did */
	r = conf_policy_call(wr, &reply);
	if (r < 0)
		return r;
	r = bus_read(bus_reply_reader(reply), "ts", &generation, &warnings);
	if (r < 0)
		return r;
	(void)fputs(warnings, stderr);
	if (conf_is_managed())
		(void)printf("%u policy rules added.\n", count_rules(bus) - before);
	else if (!request->quiet && is_news(former, generation))
		(void)printf("WARNING : new policy entries may change the treatment of "
			     "connections that exist.\n");
	tell_trial(bus, request);
	return 0;
}

int conf_apply(const struct conf_request *request)
{
	CLEANUP(bus_freep) struct bus *bus = NULL;
	CLEANUP(freep) char *source = NULL;
	CLEANUP(fd_closep) int fd = -1;
	const char *label;
	size_t len;
	int r;

	if (request->fragment)
		return conf_fragment_add(request);
	r = conf_read_source(request->file, &source, &len, &label);
	if (r == -ENOENT && conf_is_managed())
		return 0; /* as on Solaris: without a file the service is online, and said so */
	if (r == 0)
		r = memfd_seal("ipsecconf", source, len, &fd);
	if (r == 0)
		r = conf_bus_open(request, &bus);
	if (r < 0)
		return r;
	conf_warn_by_hand(request);
	return send_source(bus, request, fd, label);
}

/* ---- flush and reload ---- */

static int write_flush(struct bus_writer *wr, const struct conf_request *request)
{
	const char *tunnel = request->interface ? request->interface : "";
	int r = wr ? bus_write(wr, "s", tunnel) : -ENOMEM;

	if (r == 0)
		r = bus_open_container(wr, 'a', "{sv}");
	if (r == 0 && request->flush == FLUSH_ALL)
		r = bus_write_option(wr, "all", "b", 1);
	if (r == 0)
		r = write_confirm(wr, request);
	return r < 0 ? r : bus_close_container(wr);
}

/* A tunnel that there is, of which no policy speaks, is flushed already. */
static int flush_failed(const struct conf_request *request, int r, const struct bus_error *error)
{
	if (!request->interface || !bus_error_is(error, "NotFound"))
		return conf_bus_failed(r, error, POLICYD_UNIT);
	if (if_nametoindex(request->interface) != 0)
		return 0;
	(void)fprintf(stderr,
		"ipsecconf: %s\n"
		"ipsecconf: 'ipsecconf -L' lists the rules of all tunnels\n",
		error->message ? error->message : "Tunnel not found");
	return r;
}

int conf_flush_policy(const struct conf_request *request)
{
	CLEANUP(bus_freep) struct bus *bus = NULL;
	CLEANUP(bus_reply_freep) struct bus_reply *reply = NULL;
	CLEANUP(bus_error_done) struct bus_error error = { 0 };
	struct bus_writer *wr;
	int r;

	if (request->fragment)
		return conf_fragment_drop(request);
	r = conf_bus_open(request, &bus);
	if (r < 0)
		return r;
	conf_warn_by_hand(request);
	wr = conf_policy_method(bus, "Flush");
	(void)write_flush(wr, request); /* the call fails when the writing did */
	r = bus_method_call(wr, CALL_USEC, &reply, &error);
	if (r < 0)
		return flush_failed(request, r, &error);
	tell_trial(bus, request);
	return 0;
}

static int write_reload(struct bus_writer *wr, const struct conf_request *request)
{
	int r = wr ? bus_open_container(wr, 'a', "{sv}") : -ENOMEM;

	if (r == 0)
		r = write_confirm(wr, request);
	return r < 0 ? r : bus_close_container(wr);
}

int conf_reload(const struct conf_request *request)
{
	CLEANUP(bus_freep) struct bus *bus = NULL;
	CLEANUP(bus_reply_freep) struct bus_reply *reply = NULL;
	struct bus_writer *wr;
	int r = conf_bus_open(request, &bus);

	if (r < 0)
		return r;
	wr = conf_policy_method(bus, "ReloadWith");
	(void)write_reload(wr, request); /* the call fails when the writing did */
	r = conf_policy_call(wr, &reply);
	if (r == 0)
		tell_trial(bus, request);
	return r;
}

int conf_confirm(const struct conf_request *request)
{
	CLEANUP(bus_freep) struct bus *bus = NULL;
	CLEANUP(bus_reply_freep) struct bus_reply *reply = NULL;
	int r = conf_bus_open(request, &bus);

	return r < 0 ? r : conf_policy_call(conf_policy_method(bus, "Confirm"), &reply);
}
