/* SPDX-License-Identifier: GPL-2.0-or-later */
/* org.netipsec.Datapath1: drops of late. They show other users' flows. */
#include "services/datapath/bus/datapath_bus_parts.h"
#include "services/datapath/bus/listing.h"

int datapath_on_list_drops(struct bus_call *call, struct bus_reader *args, void *userdata)
{
	struct datapathd *d = userdata;
	CLEANUP(text_done) struct text json = { 0 };
	uint64_t after;
	int r = bus_read(args, "t", &after);

	if (r < 0)
		return r;
	datapathd_gather_drops(d);
	r = listing_drops(d->plant, after, &json);
	return datapath_reply_listing(call, "netipsec-drops", r, &json);
}
