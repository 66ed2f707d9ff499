/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/bus/listing.h"
#include "services/datapath/bus/listing_json.h"

#include <errno.h>

static struct json_object *tunable_entry(const struct tunables *tunables, enum tunable which)
{
	const struct tunable_row *row = tunable_row(which);
	struct json_object *entry = json_object_new_object();

	json_add_string(entry, "name", row->name);
	json_add_number(entry, "value", tunables_get(tunables, which));
	json_add_number(entry, "default", row->initial);
	json_add_number(entry, "least", row->least);
	json_add_number(entry, "most", row->most);
	json_add_string(entry, "unit", row->unit);
	json_add(entry, "used", json_object_new_boolean(row->use == TUNABLE_USE_LIVE));
	json_add_string(entry, "help", row->help);
	return entry;
}

int listing_tunables(const struct tunables *tunables, struct text *ret_json)
{
	struct json_object *list;
	CLEANUP(json_dropp) struct json_object *out = json_begin("tunables", &list);

	if (!out)
		return -ENOMEM;
	for (size_t i = 0; i < TUNABLE_COUNT; i++)
		json_append(list, tunable_entry(tunables, (enum tunable)i));
	return json_finish(out, ret_json);
}
