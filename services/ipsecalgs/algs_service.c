/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/ipsecalgs/algs_service.h"

#include <errno.h>
#include <string.h>

#include "common/base/memfd.h"
#include "common/bus/bus.h"

#define DATAPATH_NAME  "org.netipsec.Datapath1"
#define DATAPATH_PATH  "/org/netipsec/Datapath1"
#define PROPERTIES     "org.freedesktop.DBus.Properties"
#define SERVICE	       "ipsecalgs.service"
#define LIST_MAX_BYTES (1U << 20)

DEFINE_CLEANUP(struct ipsecalgs *, ipsecalgs_free)

static const struct bus_place algorithms = {
	.name = "org.netipsec.Algorithms1",
	.path = "/org/netipsec/Algorithms1",
	.interface = "org.netipsec.Algorithms1",
};

static int failed(const char *service, int r, const struct bus_error *error)
{
	fprintf(stderr, "ipsecalgs: %s: %s\n", service,
		error->message ? error->message : strerror(-r));
	return r;
}

static int open_bus(struct bus **ret_bus, struct bus_error *error)
{
	int r = bus_open(NULL, "system", NULL, NULL, ret_bus, error);

	return r < 0 ? failed("message bus", r, error) : 0;
}

static int call(
	struct bus *bus, const char *method, struct bus_reply **ret_reply, struct bus_error *error)
{
	struct bus_writer *wr = bus_method_writer(
		bus, algorithms.name, algorithms.path, algorithms.interface, method);
	int r = wr ? bus_method_call(wr, BUS_DEFAULT_USEC, ret_reply, error) : -ENOMEM;

	return r < 0 ? failed(SERVICE, r, error) : 0;
}

int algs_service_reload(void)
{
	CLEANUP(bus_freep) struct bus *bus = NULL;
	CLEANUP(bus_reply_freep) struct bus_reply *reply = NULL;
	CLEANUP(bus_error_done) struct bus_error error = { 0 };
	int r = open_bus(&bus, &error);

	return r < 0 ? r : call(bus, "Reload", &reply, &error);
}

static int parse_listing(int fd, struct ipsecalgs **ret_table)
{
	struct memfd_view view;
	int r = memfd_map(fd, LIST_MAX_BYTES, &view);

	if (r < 0)
		return r;
	r = ipsecalgs_parse((const char *)view.bytes, view.len, NULL, NULL, ret_table);
	memfd_unmap(&view);
	return r;
}

/* Algorithms that the datapath can use, by protocol and number. */
struct usable {
	bool numbers[IPSECALGS_NUMBER_MAX + 1][IPSECALGS_NUMBER_MAX + 1];
};

static int read_usable(struct bus_reader *rd, struct usable *ret)
{
	uint8_t proto, number;
	int r = bus_enter(rd, 'v', "a(yy)");

	if (r == 0)
		r = bus_enter(rd, 'a', "(yy)");
	while (r == 0 && !bus_at_end(rd)) {
		r = bus_enter(rd, 'r', "");
		if (r == 0)
			r = bus_read(rd, "yy", &proto, &number);
		if (r == 0)
			r = bus_leave(rd);
		if (r == 0)
			ret->numbers[proto][number] = true;
	}
	return r;
}

/* A property of the datapath, whatever its type. */
static int ask_datapath(struct bus *bus, const char *property, struct bus_reply **ret_reply,
	struct bus_error *error)
{
	struct bus_writer *wr = bus_method_writer(
		bus, DATAPATH_NAME, DATAPATH_PATH, PROPERTIES, "Get");
	int r = wr ? bus_write(wr, "ss", DATAPATH_NAME, property) : -ENOMEM;

	if (r == 0)
		return bus_method_call(wr, BUS_DEFAULT_USEC, ret_reply, error);
	bus_writer_free(wr);
	return r;
}

static int ask_usable(struct bus *bus, struct bus_error *error, struct usable *ret)
{
	CLEANUP(bus_reply_freep) struct bus_reply *reply = NULL;
	int r = ask_datapath(bus, "UsableAlgorithms", &reply, error);

	if (r == 0)
		r = read_usable(bus_reply_reader(reply), ret);
	return r < 0 ? failed("ipsec-datapath.service", r, error) : 0;
}

/* The file says what should be valid, the datapath what is. "none" and "any" need nobody. */
static void mark_valid(struct ipsecalgs *table, const struct usable *usable)
{
	for (size_t i = 0; i < table->n_items; i++) {
		struct ipsecalgs_alg *alg = &table->items[i].alg;

		if (table->items[i].kind != IPSECALGS_ALG)
			continue;
		alg->flags &= ~IPSECALGS_FLAG_VALID;
		if (alg->number == 0 || usable->numbers[alg->proto][alg->number])
			alg->flags |= IPSECALGS_FLAG_VALID;
	}
}

/* *ret_table stays NULL when nothing is in force. */
static int ask_in_force(struct bus *bus, struct bus_error *error, struct ipsecalgs **ret_table)
{
	CLEANUP(bus_reply_freep) struct bus_reply *reply = NULL;
	CLEANUP(fd_closep) int fd = -1;
	uint64_t generation = 0;
	int r = bus_get_property(bus, &algorithms, "Generation", "t", &generation, error);

	if (r < 0)
		return failed(SERVICE, r, error);
	if (generation == 0) {
		fprintf(stderr, "ipsecalgs: no table is in force\n");
		return 0;
	}
	r = call(bus, "ListAlgorithms", &reply, error);
	if (r < 0)
		return r;
	r = bus_read(bus_reply_reader(reply), "h", &fd);
	if (r == 0)
		r = parse_listing(fd, ret_table);
	return r < 0 ? failed(SERVICE, r, error) : 0;
}

int algs_service_in_force(struct ipsecalgs **ret_table)
{
	CLEANUP(bus_freep) struct bus *bus = NULL;
	CLEANUP(bus_error_done) struct bus_error error = { 0 };
	CLEANUP(ipsecalgs_freep) struct ipsecalgs *table = NULL;
	CLEANUP(freep) struct usable *usable = calloc(1, sizeof(*usable));
	int r = usable ? open_bus(&bus, &error) : -ENOMEM;

	if (r == 0)
		r = ask_in_force(bus, &error, &table);
	if (r < 0 || !table)
		return r;
	r = ask_usable(bus, &error, usable);
	if (r < 0)
		return r;
	mark_valid(table, usable);
	*ret_table = STEAL(table);
	return 0;
}

/* ---- status ---- */

static int read_libraries(struct bus_reader *rd, struct algs_status *ret)
{
	int r = bus_enter(rd, 'v', "a(yys)");

	if (r == 0)
		r = bus_enter(rd, 'a', "(yys)");
	while (r == 0 && !bus_at_end(rd)) {
		uint8_t proto = 0, number = 0;
		const char *library = "";

		r = bus_enter(rd, 'r', "");
		if (r == 0)
			r = bus_read(rd, "yys", &proto, &number, &library);
		if (r == 0)
			r = text_copy(
				ret->algs[proto][number].served_by, ALGS_LIBRARY_MAX, library);
		if (r == 0)
			r = bus_leave(rd);
		ret->algs[proto][number].served = r == 0;
	}
	return r;
}

int algs_service_status(struct algs_status **ret_status)
{
	CLEANUP(bus_freep) struct bus *bus = NULL;
	CLEANUP(bus_reply_freep) struct bus_reply *reply = NULL;
	CLEANUP(bus_error_done) struct bus_error error = { 0 };
	CLEANUP(ipsecalgs_freep) struct ipsecalgs *table = NULL;
	CLEANUP(algs_status_freep) struct algs_status *status = calloc(1, sizeof(*status));
	int r = status ? open_bus(&bus, &error) : -ENOMEM;

	if (r == 0)
		r = ask_in_force(bus, &error, &table);
	if (r < 0)
		return r;
	r = ask_datapath(bus, "AlgorithmLibraries", &reply, &error);
	if (r == 0)
		r = read_libraries(bus_reply_reader(reply), status);
	if (r < 0)
		return failed("ipsec-datapath.service", r, &error);
	for (size_t i = 0; table && i < table->n_items; i++) {
		const struct ipsecalgs_alg *alg = &table->items[i].alg;

		if (table->items[i].kind == IPSECALGS_ALG)
			status->algs[alg->proto][alg->number].in_force = true;
	}
	*ret_status = STEAL(status);
	return 0;
}

/* ---- changes ---- */

static const char *operation_of(const struct request *request)
{
	switch (request->command) {
	case REQUEST_ADD_ALGORITHM:
		return "add-algorithm";
	case REQUEST_ADD_PROTOCOL:
		return "add-protocol";
	case REQUEST_REMOVE_ALGORITHM:
		return "remove-algorithm";
	case REQUEST_REMOVE_PROTOCOL:
		return "remove-protocol";
	case REQUEST_SET_MODE:
		return "set-mode";
	case REQUEST_LIST:
	case REQUEST_LIST_IN_FORCE:
	case REQUEST_SYNCHRONIZE:
		break;
	}
	return ""; /* nothing is changed by these */
}

/* What was not given stays out. */
static int write_change(struct bus_writer *wr, const struct request *request)
{
	const struct {
		const char *key, *value;
	} words[] = {
		{ "protocol", request->protocol },
		{ "name", request->name },
		{ "entry", request->entry.str },
		{ "exec-mode", request->mode },
	};
	const struct {
		const char *key;
		uint32_t value;
	} numbers[] = {
		{ "protocol-number", request->protocol_number },
		{ "number", request->number },
	};
	int r = bus_write(wr, "s", operation_of(request));

	if (r == 0)
		r = bus_open_container(wr, 'a', "{sv}");
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(words); i++) {
		if (words[i].value)
			r = bus_write_option(wr, words[i].key, "s", words[i].value);
	}
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(numbers); i++) {
		if (numbers[i].value)
			r = bus_write_option(wr, numbers[i].key, "u", numbers[i].value);
	}
	if (r == 0 && request->force)
		r = bus_write_option(wr, "force", "b", 1);
	if (r == 0 && request->synchronize)
		r = bus_write_option(wr, "synchronize", "b", 1);
	return r < 0 ? r : bus_close_container(wr);
}

/* What the table says about a change needs no mention of the service. */
static int change_failed(int r, const struct bus_error *error)
{
	if (!bus_error_is(error, "Invalid") && !bus_error_is(error, "Exists") &&
		!bus_error_is(error, "NotFound"))
		return failed(SERVICE, r, error);
	fprintf(stderr, "ipsecalgs: %s\n", error->message);
	return r;
}

int algs_service_change(const struct request *request)
{
	CLEANUP(bus_freep) struct bus *bus = NULL;
	CLEANUP(bus_reply_freep) struct bus_reply *reply = NULL;
	CLEANUP(bus_error_done) struct bus_error error = { 0 };
	struct bus_writer *wr;
	int r = open_bus(&bus, &error);

	if (r < 0)
		return r;
	wr = bus_method_writer(
		bus, algorithms.name, algorithms.path, algorithms.interface, "Change");
	r = wr ? write_change(wr, request) : -ENOMEM;
	if (r < 0)
		bus_writer_free(wr);
	else
		r = bus_method_call(wr, BUS_DEFAULT_USEC, &reply, &error);
	return r < 0 ? change_failed(r, &error) : 0;
}
