/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <string.h>

#include "common/base/memfd.h"
#include "services/datapath/stat/stat.h"

#define DATAPATH_NAME  "org.netipsec.Datapath1"
#define DATAPATH_PATH  "/org/netipsec/Datapath1"
#define LIST_MAX_BYTES (1U << 30)

static struct bus_writer *writer(struct bus *bus, const char *method)
{
	return bus_method_writer(bus, DATAPATH_NAME, DATAPATH_PATH, DATAPATH_NAME, method);
}

static int call(struct bus *bus, const char *method, struct bus_reply **ret_reply,
	struct bus_error *ret_error)
{
	struct bus_writer *wr = writer(bus, method);

	return wr ? bus_method_call(wr, BUS_DEFAULT_USEC, ret_reply, ret_error) : -ENOMEM;
}

static int read_counter(struct bus_reader *rd, struct stat_counter *counter)
{
	const char *name;
	int r = bus_enter(rd, 'e', "st");

	if (r == 0)
		r = bus_read(rd, "st", &name, &counter->packets);
	if (r == 0)
		r = text_copy(counter->name, sizeof(counter->name), name);
	return r < 0 ? r : bus_leave(rd);
}

int stat_fetch_counters(struct bus *bus, struct stat_counter ret_counters[static VERDICT_COUNT],
	size_t *ret_count, struct bus_error *ret_error)
{
	CLEANUP(bus_reply_freep) struct bus_reply *reply = NULL;
	struct bus_reader *rd;
	size_t n = 0;
	int r = call(bus, "GetStatistics", &reply, ret_error);

	if (r < 0)
		return r;
	rd = bus_reply_reader(reply);
	r = bus_enter(rd, 'a', "{st}");
	while (r == 0 && !bus_at_end(rd) && n < VERDICT_COUNT)
		r = read_counter(rd, &ret_counters[n++]);
	*ret_count = n;
	return r;
}

/* @r: of what went into the writer, which is freed in any case. */
static int send_call(
	struct bus_writer *wr, int r, struct bus_reply **ret_reply, struct bus_error *ret_error)
{
	if (r == 0)
		return bus_method_call(wr, BUS_DEFAULT_USEC, ret_reply, ret_error);
	bus_writer_free(wr);
	return r;
}

static int take_listing(struct bus_reply *reply, char **ret_text)
{
	CLEANUP(memfd_unmap) struct memfd_view view = { 0 };
	CLEANUP(fd_closep) int fd = -1;
	int r = bus_read(bus_reply_reader(reply), "h", &fd);

	if (r == 0)
		r = memfd_map(fd, LIST_MAX_BYTES, &view);
	if (r < 0)
		return r;
	*ret_text = strndup(view.bytes ? (const char *)view.bytes : "", view.len);
	return *ret_text ? 0 : -ENOMEM;
}

int stat_fetch_listing(
	struct bus *bus, const char *method, char **ret_text, struct bus_error *ret_error)
{
	CLEANUP(bus_reply_freep) struct bus_reply *reply = NULL;
	int r = call(bus, method, &reply, ret_error);

	return r < 0 ? r : take_listing(reply, ret_text);
}

int stat_fetch_drops(struct bus *bus, uint64_t after, char **ret_text, struct bus_error *ret_error)
{
	CLEANUP(bus_reply_freep) struct bus_reply *reply = NULL;
	struct bus_writer *wr = writer(bus, "ListDrops");
	int r = send_call(wr, wr ? bus_write(wr, "t", after) : -ENOMEM, &reply, ret_error);

	return r < 0 ? r : take_listing(reply, ret_text);
}

int stat_set_tunable(struct bus *bus, const char *name, uint64_t value, struct bus_error *ret_error)
{
	CLEANUP(bus_reply_freep) struct bus_reply *reply = NULL;
	struct bus_writer *wr = writer(bus, "SetTunable");

	return send_call(wr, wr ? bus_write(wr, "st", name, value) : -ENOMEM, &reply, ret_error);
}
