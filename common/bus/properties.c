/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <string.h>

#include "common/bus/wire.h"

static const struct bus_member *find_property(const struct bus_member *members, const char *name)
{
	for (const struct bus_member *m = members; m->kind != BUS_MEMBER_END; m++)
		if (m->kind == BUS_MEMBER_PROPERTY && strcmp(m->name, name) == 0)
			return m;
	return NULL;
}

static int write_value(struct bus_writer *wr, const struct bus_member *property, void *userdata)
{
	int r = bus_open_container(wr, 'v', property->out);

	if (r == 0)
		r = property->get(wr, userdata);
	return r < 0 ? r : bus_close_container(wr);
}

static int write_entry(struct bus_writer *wr, const struct bus_member *property, void *userdata)
{
	int r = bus_open_container(wr, 'e', "");

	if (r == 0)
		r = bus_write(wr, "s", property->name);
	if (r == 0)
		r = write_value(wr, property, userdata);
	return r < 0 ? r : bus_close_container(wr);
}

static int refuse(struct bus_call *call, const char *name, const char *words, const char *what)
{
	int r = call_refuse(call->connection, call->message, name, "%s %s", words, what);

	if (r == 0)
		call->answered = true;
	return r;
}

/* An interface of the object, standard ones (which have no properties) included. */
static bool interface_known(const struct bus *bus, const char *path, const char *interface)
{
	return object_interface(bus, path, interface) || *interface == '\0' ||
	       strcmp(interface, DBUS_INTERFACE_PROPERTIES) == 0 ||
	       strcmp(interface, DBUS_INTERFACE_INTROSPECTABLE) == 0 ||
	       strcmp(interface, DBUS_INTERFACE_PEER) == 0;
}

/* An empty interface name stands for all interfaces of the object. */
static const struct bus_member *look_up(const struct bus *bus, const char *path,
	const char *interface, const char *name, void **ret_userdata)
{
	const struct bus_member *found = NULL;

	for (const struct bus_interface *i = bus->interfaces; i && !found; i = i->next) {
		if (strcmp(i->path, path) != 0 || (*interface && strcmp(i->name, interface) != 0))
			continue;
		found = find_property(i->members, name);
		*ret_userdata = i->userdata;
	}
	return found;
}

int properties_get(struct bus_call *call, struct bus_reader *args, void *userdata)
{
	struct bus *bus = userdata;
	const char *interface, *name, *path = dbus_message_get_path(call->message);
	const struct bus_member *property;
	void *owner;
	int r;

	r = bus_read(args, "ss", &interface, &name);
	if (r < 0)
		return r;
	if (!interface_known(bus, path, interface))
		return refuse(call, DBUS_ERROR_UNKNOWN_INTERFACE, "no interface", interface);
	property = look_up(bus, path, interface, name, &owner);
	if (!property)
		return refuse(call, DBUS_ERROR_UNKNOWN_PROPERTY, "no property", name);
	r = write_value(bus_call_writer(call), property, owner);
	return r < 0 ? r : bus_call_send(call);
}

int properties_get_all(struct bus_call *call, struct bus_reader *args, void *userdata)
{
	struct bus *bus = userdata;
	const char *interface, *path = dbus_message_get_path(call->message);
	struct bus_writer *wr = bus_call_writer(call);
	int r;

	r = bus_read(args, "s", &interface);
	if (r < 0)
		return r;
	if (!interface_known(bus, path, interface))
		return refuse(call, DBUS_ERROR_UNKNOWN_INTERFACE, "no interface", interface);
	r = bus_open_container(wr, 'a', "{sv}");
	for (const struct bus_interface *i = bus->interfaces; i && r == 0; i = i->next) {
		if (strcmp(i->path, path) != 0 || (*interface && strcmp(i->name, interface) != 0))
			continue;
		for (const struct bus_member *m = i->members; m->kind != BUS_MEMBER_END && r == 0;
			m++)
			if (m->kind == BUS_MEMBER_PROPERTY)
				r = write_entry(wr, m, i->userdata);
	}
	if (r == 0)
		r = bus_close_container(wr);
	return r < 0 ? r : bus_call_send(call);
}

int properties_set(struct bus_call *call, struct bus_reader *args, void *userdata)
{
	struct bus *bus = userdata;
	const char *interface, *name, *path = dbus_message_get_path(call->message);
	void *owner;
	int r;

	r = bus_read(args, "ss", &interface, &name);
	if (r < 0)
		return r;
	if (!interface_known(bus, path, interface))
		return refuse(call, DBUS_ERROR_UNKNOWN_INTERFACE, "no interface", interface);
	if (!look_up(bus, path, interface, name, &owner))
		return refuse(call, DBUS_ERROR_UNKNOWN_PROPERTY, "no property", name);
	return refuse(call, DBUS_ERROR_PROPERTY_READ_ONLY, "read only:", name);
}

/* The changed values, or the names of those that say only that they changed. */
static int write_changes(struct bus_writer *wr, const struct bus_interface *of,
	const char *const *names, enum bus_emits emits)
{
	int r = bus_open_container(wr, 'a', emits == BUS_EMITS_TRUE ? "{sv}" : "s");

	for (; *names && r == 0; names++) {
		const struct bus_member *property = find_property(of->members, *names);

		if (!property)
			return -ENOENT;
		if (property->emits != emits)
			continue;
		r = emits == BUS_EMITS_TRUE ? write_entry(wr, property, of->userdata)
					    : bus_write(wr, "s", *names);
	}
	return r < 0 ? r : bus_close_container(wr);
}

int bus_properties_changed(
	struct bus *bus, const char *path, const char *interface, const char *const *names)
{
	const struct bus_interface *of = object_interface(bus, path, interface);
	struct bus_writer wr = { 0 };
	int r;

	if (!of)
		return -ENOENT;
	r = writer_start(&wr, bus, bus->connection,
		dbus_message_new_signal(path, DBUS_INTERFACE_PROPERTIES, "PropertiesChanged"));
	if (r == 0)
		r = bus_write(&wr, "s", interface);
	if (r == 0)
		r = write_changes(&wr, of, names, BUS_EMITS_TRUE);
	if (r == 0)
		r = write_changes(&wr, of, names, BUS_EMITS_INVALIDATES);
	if (r == 0)
		r = writer_send(&wr);
	writer_done(&wr);
	return r;
}

const struct bus_member properties_members[] = {
	BUS_METHOD("Get", "ss", "v", "interface_name property_name value", properties_get),
	BUS_METHOD("GetAll", "s", "a{sv}", "interface_name properties", properties_get_all),
	BUS_METHOD("Set", "ssv", "", "interface_name property_name value", properties_set),
	BUS_SIGNAL("PropertiesChanged", "sa{sv}as",
		"interface_name changed_properties invalidated_properties"),
	BUS_END,
};
