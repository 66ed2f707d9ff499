/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ipsecconf -d and -r, and fragments: changes of single things by the policy service. */
#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <string.h>

#include "common/base/memfd.h"
#include "services/policy/ipsecconf.h"
#include "services/policy/policy_file.h"
#include "services/policy/policyd_names.h"

DEFINE_CLEANUP(struct json_object *, json_object_put)

static int write_no_options(struct bus_writer *wr)
{
	int r = bus_open_container(wr, 'a', "{sv}");

	return r < 0 ? r : bus_close_container(wr);
}

/* ---- -d ---- */

static int delete_failed(int r, const struct bus_error *error)
{
	if (!bus_error_is(error, "NotFound"))
		return conf_bus_failed(r, error, POLICYD_UNIT);
	(void)fprintf(
		stderr, "Delete failed: %s\n", error->message ? error->message : strerror(-r));
	return r;
}

/* What went, in one line, and what its text entry still stands for. */
static void tell_deleted(
	const struct conf_request *request, const char *removed, const char *remaining)
{
	if (!request->quiet)
		(void)printf("deleted: %s\n", removed);
	if (*remaining)
		(void)fprintf(
			stderr, "ipsecconf: of the same entry these stay in force:\n%s", remaining);
}

int conf_delete(const struct conf_request *request)
{
	CLEANUP(bus_freep) struct bus *bus = NULL;
	CLEANUP(bus_reply_freep) struct bus_reply *reply = NULL;
	CLEANUP(bus_error_done) struct bus_error error = { 0 };
	const char *tunnel = request->interface ? request->interface : "";
	const char *removed = "", *remaining = "";
	uint64_t generation;
	struct bus_writer *wr;
	int r = conf_bus_open(request, &bus);

	if (r < 0)
		return r;
	conf_warn_by_hand(request);
	wr = conf_policy_method(bus, "Delete");
	/* The call fails when the writing did. */
	if (wr && bus_write(wr, "su", tunnel, request->index) == 0)
		(void)write_no_options(wr);
	r = bus_method_call(wr, BUS_DEFAULT_USEC, &reply, &error);
	if (r < 0)
		return delete_failed(r, &error);
	r = bus_read(bus_reply_reader(reply), "tss", &generation, &removed, &remaining);
	if (r == 0)
		tell_deleted(request, removed, remaining);
	return r;
}

/* ---- -r ---- */

static int send_removal(
	struct bus *bus, const struct conf_request *request, int fd, const char *label)
{
	CLEANUP(bus_reply_freep) struct bus_reply *reply = NULL;
	struct bus_writer *wr = conf_policy_method(bus, "Remove");
	const char *warnings = "";
	uint32_t removed = 0, unmatched = 0;
	uint64_t generation;
	int r;

	/* The call fails when the writing did. */
	if (wr && bus_write(wr, "hs", fd, label) == 0)
		(void)write_no_options(wr);
	r = conf_policy_call(wr, &reply);
	if (r == 0)
		r = bus_read(bus_reply_reader(reply), "tuus", &generation, &removed, &unmatched,
			&warnings);
	if (r < 0)
		return r;
	(void)fputs(warnings, stderr);
	if (!request->quiet)
		(void)printf("WARNING : removing policy entries may affect traffic. Connections "
			     "that latched a\n\tpolicy keep it until they are closed.\n");
	return unmatched > 0 ? -ENOENT : 0;
}

int conf_remove(const struct conf_request *request)
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
	conf_warn_by_hand(request);
	return send_removal(bus, request, fd, label);
}

/* ---- fragments ---- */

static int write_fragment(struct bus_writer *wr, const struct conf_request *request, int fd)
{
	int r = wr ? bus_write(wr, "sh", request->fragment, fd) : -ENOMEM;

	if (r == 0)
		r = bus_open_container(wr, 'a', "{sv}");
	/* This command leaves the bus at once. */
	if (r == 0)
		r = bus_write_option(wr, "persistent", "b", 1);
	if (r == 0)
		r = bus_write_option(wr, "enforce", "b", (int)!request->audit);
	return r < 0 ? r : bus_close_container(wr);
}

int conf_fragment_add(const struct conf_request *request)
{
	CLEANUP(bus_freep) struct bus *bus = NULL;
	CLEANUP(bus_reply_freep) struct bus_reply *reply = NULL;
	CLEANUP(freep) char *source = NULL;
	CLEANUP(fd_closep) int fd = -1;
	const char *label, *warnings = "";
	struct bus_writer *wr;
	uint64_t generation;
	size_t len;
	int r = conf_read_source(request->file, &source, &len, &label);

	if (r == 0)
		r = memfd_seal("ipsecconf", source, len, &fd);
	if (r == 0)
		r = conf_bus_open(request, &bus);
	if (r < 0)
		return r;
	wr = conf_policy_method(bus, "AddFragment");
	(void)write_fragment(wr, request, fd); /* the call fails when the writing did */
	r = conf_policy_call(wr, &reply);
	if (r == 0)
		r = bus_read(bus_reply_reader(reply), "ts", &generation, &warnings);
	if (r == 0)
		(void)fputs(warnings, stderr);
	return r;
}

int conf_fragment_drop(const struct conf_request *request)
{
	CLEANUP(bus_freep) struct bus *bus = NULL;
	CLEANUP(bus_reply_freep) struct bus_reply *reply = NULL;
	struct bus_writer *wr;
	int r = conf_bus_open(request, &bus);

	if (r < 0)
		return r;
	wr = conf_policy_method(bus, "RemoveFragment");
	if (wr && bus_write(wr, "s", request->fragment) < 0) {
		bus_writer_free(wr);
		return -ENOMEM;
	}
	return conf_policy_call(wr, &reply);
}

static const char *member(struct json_object *row, const char *key)
{
	const char *str = json_object_get_string(json_object_object_get(row, key));

	return str ? str : "";
}

static bool flag(struct json_object *row, const char *key)
{
	return json_object_get_boolean(json_object_object_get(row, key));
}

/* As a text that can be loaded, like the listing of what is configured. */
static void print_fragment(struct json_object *row)
{
	const char *text = member(row, "text"), *owner = member(row, "owner");
	const char *problem = member(row, "problem");
	size_t len = strlen(text);

	(void)printf("#FRAGMENT %s (%s%s%s%s)\n", member(row, "name"),
		flag(row, "enforce") ? "" : "audit, ",
		flag(row, "persistent") ? "persistent" : "of ",
		flag(row, "persistent") ? "" : owner, *problem ? ", not in force" : "");
	if (*problem)
		(void)fputs(problem, stderr);
	(void)printf("%s%s\n", text, len > 0 && text[len - 1] == '\n' ? "" : "\n");
}

int conf_fragments(const struct conf_request *request)
{
	const struct bus_place policy = {
		.name = POLICYD_BUS_NAME, .path = POLICYD_BUS_PATH, .interface = POLICYD_BUS_NAME
	};
	CLEANUP(bus_freep) struct bus *bus = NULL;
	CLEANUP(bus_error_done) struct bus_error error = { 0 };
	CLEANUP(json_object_putp) struct json_object *listing = NULL;
	struct json_object *rows;
	int r = conf_bus_open(request, &bus);

	if (r < 0)
		return r;
	r = conf_ask_json(bus, &policy, "ListFragments", &listing, &error);
	if (r < 0)
		return conf_bus_failed(r, &error, POLICYD_UNIT);
	if (request->json) {
		(void)puts(json_object_to_json_string_ext(listing, JSON_C_TO_STRING_PLAIN));
		return 0;
	}
	rows = json_object_object_get(listing, "fragments");
	if (!json_object_is_type(rows, json_type_array))
		return -EBADMSG;
	for (size_t i = 0; i < json_object_array_length(rows); i++)
		print_fragment(json_object_array_get_idx(rows, i));
	return 0;
}
