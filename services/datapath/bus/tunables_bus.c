/* SPDX-License-Identifier: GPL-2.0-or-later */
/* org.netipsec.Datapath1: tunables. */
#include <inttypes.h>

#include "common/daemon/log.h"
#include "services/datapath/bus/datapath_bus_parts.h"
#include "services/datapath/bus/listing.h"

int datapath_on_set_tunable(struct bus_call *call, struct bus_reader *args, void *userdata)
{
	struct datapathd *d = userdata;
	const struct tunable_row *row;
	enum tunable which;
	const char *name;
	uint64_t value;
	int r = bus_read(args, "st", &name, &value);

	if (r < 0)
		return r;
	if (!tunable_find(name, &which))
		return bus_call_fail(call, "NotFound", "'%s' is no tunable", name);
	row = tunable_row(which);
	r = plant_set_tunable(d->plant, which, value);
	if (r < 0)
		return bus_call_fail(call, "Invalid",
			"%s is %" PRIu64 ", not between %" PRIu64 " and %" PRIu64, row->name, value,
			row->least, row->most);
	log_info("tunable %s: set to %" PRIu64 " on behalf of %s", row->name, value,
		bus_call_sender(call));
	return bus_call_reply(call, "");
}

int datapath_on_list_tunables(struct bus_call *call, struct bus_reader *args, void *userdata)
{
	struct datapathd *d = userdata;
	CLEANUP(text_done) struct text json = { 0 };
	int r = listing_tunables(&d->plant->tunables, &json);

	(void)args;
	return datapath_reply_listing(call, "netipsec-tunables", r, &json);
}
