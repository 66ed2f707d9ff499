/* SPDX-License-Identifier: GPL-2.0-or-later */
/* org.netipsec.ManualKey1; its contract stands in dbus/. */
#include "services/manual-key/keyd.h"

static int get_config_file(struct bus_writer *value, void *userdata)
{
	const struct keyd *d = service_owner(userdata);

	return bus_write(value, "s", d->settings.config_file);
}

static int get_count(struct bus_writer *value, void *userdata)
{
	const struct keyd *d = service_owner(userdata);

	return bus_write(value, "u", d->count);
}

static const struct bus_member members[] = {
	BUS_METHOD("Reload", "", "t", "generation", service_on_reload),
	SERVICE_PROPERTIES,
	BUS_PROPERTY("ConfigFile", "s", get_config_file, BUS_EMITS_TRUE),
	BUS_PROPERTY("KeyCount", "u", get_count, BUS_EMITS_TRUE),
	BUS_END,
};

int keyd_bus_add(void *userdata)
{
	struct keyd *d = userdata;

	return service_add_members(&d->service, members);
}
