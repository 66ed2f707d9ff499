/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/ipsecalgs/algs_service.h"

#include <errno.h>
#include <string.h>

#include "common/base/memfd.h"
#include "common/bus/bus.h"

#define DATAPATH_NAME  "org.netipsec.Datapath1"
#define DATAPATH_PATH  "/org/netipsec/Datapath1"
#define PROPERTIES     "org.freedesktop.DBus.Properties"
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

	return r < 0 ? failed("ipsecalgs.service", r, error) : 0;
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

static int ask_usable(struct bus *bus, struct bus_error *error, struct usable *ret)
{
	CLEANUP(bus_reply_freep) struct bus_reply *reply = NULL;
	struct bus_writer *wr = bus_method_writer(
		bus, DATAPATH_NAME, DATAPATH_PATH, PROPERTIES, "Get");
	int r = wr ? bus_write(wr, "ss", DATAPATH_NAME, "UsableAlgorithms") : -ENOMEM;

	if (r < 0)
		bus_writer_free(wr);
	else
		r = bus_method_call(wr, BUS_DEFAULT_USEC, &reply, error);
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

int algs_service_in_force(struct ipsecalgs **ret_table)
{
	CLEANUP(bus_freep) struct bus *bus = NULL;
	CLEANUP(bus_reply_freep) struct bus_reply *reply = NULL;
	CLEANUP(bus_error_done) struct bus_error error = { 0 };
	CLEANUP(ipsecalgs_freep) struct ipsecalgs *table = NULL;
	CLEANUP(freep) struct usable *usable = calloc(1, sizeof(*usable));
	CLEANUP(fd_closep) int fd = -1;
	uint64_t generation = 0;
	int r = usable ? open_bus(&bus, &error) : -ENOMEM;

	if (r < 0)
		return r;
	r = bus_get_property(bus, &algorithms, "Generation", "t", &generation, &error);
	if (r < 0)
		return failed("ipsecalgs.service", r, &error);
	if (generation == 0) {
		fprintf(stderr, "ipsecalgs: no table is in force\n");
		return 0;
	}
	r = call(bus, "ListAlgorithms", &reply, &error);
	if (r < 0)
		return r;
	r = bus_read(bus_reply_reader(reply), "h", &fd);
	if (r == 0)
		r = parse_listing(fd, &table);
	if (r < 0 || !table)
		return failed("ipsecalgs.service", r, &error);
	r = ask_usable(bus, &error, usable);
	if (r < 0)
		return r;
	mark_valid(table, usable);
	*ret_table = STEAL(table);
	return 0;
}
