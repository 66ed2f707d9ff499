/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <string.h>

#include "common/bus/wire.h"

/* What every object has, beside the interfaces that were added to it. */
static const struct {
	const char *name;
	const struct bus_member *members;
} standard[] = {
	{ DBUS_INTERFACE_INTROSPECTABLE, introspect_members },
	{ DBUS_INTERFACE_PROPERTIES, properties_members },
	{ DBUS_INTERFACE_PEER, peer_members },
};

int bus_add_interface(struct bus *bus, const char *path, const char *interface,
	const struct bus_member *members, void *userdata)
{
	struct bus_interface **last = &bus->interfaces, *added;

	if (!dbus_validate_path(path, NULL) || !dbus_validate_interface(interface, NULL))
		return -EINVAL;
	if (object_interface(bus, path, interface))
		return -EEXIST;
	added = calloc(1, sizeof(*added));
	if (!added)
		return -ENOMEM;
	*added = (struct bus_interface){
		.path = path, .name = interface, .members = members, .userdata = userdata
	};
	while (*last)
		last = &(*last)->next;
	*last = added;
	return 0;
}

const struct bus_interface *object_interface(
	const struct bus *bus, const char *path, const char *interface)
{
	for (const struct bus_interface *i = bus->interfaces; i; i = i->next)
		if (strcmp(i->path, path) == 0 && strcmp(i->name, interface) == 0)
			return i;
	return NULL;
}

/* An object, or a node on the way to one. */
bool object_exists(const struct bus *bus, const char *path)
{
	size_t len = strcmp(path, "/") == 0 ? 0 : strlen(path);

	for (const struct bus_interface *i = bus->interfaces; i; i = i->next)
		if (strncmp(i->path, path, len) == 0 &&
			(i->path[len] == '\0' || i->path[len] == '/'))
			return true;
	return false;
}

static bool is_object(const struct bus *bus, const char *path)
{
	for (const struct bus_interface *i = bus->interfaces; i; i = i->next)
		if (strcmp(i->path, path) == 0)
			return true;
	return false;
}

static const struct bus_member *find_method(const struct bus_member *members, const char *name)
{
	for (const struct bus_member *m = members; m->kind != BUS_MEMBER_END; m++)
		if (m->kind == BUS_MEMBER_METHOD && strcmp(m->name, name) == 0)
			return m;
	return NULL;
}

struct target {
	const struct bus_member *method;
	const char *interface;
	void *userdata;
	bool interface_known, guarded;
};

/* @interface: NULL when the caller left it out; then the first that has the method is meant. */
static struct target find_target(
	struct bus *bus, const char *path, const char *interface, const char *name)
{
	struct target found = { 0 };

	for (const struct bus_interface *i = bus->interfaces; i && !found.method; i = i->next) {
		if (strcmp(i->path, path) != 0 || (interface && strcmp(i->name, interface) != 0))
			continue;
		found.interface_known = true;
		found.method = find_method(i->members, name);
		found.interface = i->name;
		found.userdata = i->userdata;
		found.guarded = true;
	}
	for (size_t k = 0; k < ARRAY_SIZE(standard) && !found.method; k++) {
		if (interface && strcmp(standard[k].name, interface) != 0)
			continue;
		/* A node on the way to an object can be introspected, no more. */
		if (!is_object(bus, path) && standard[k].members != introspect_members)
			continue;
		found.interface_known = true;
		found.method = find_method(standard[k].members, name);
		found.interface = standard[k].name;
		found.userdata = bus;
		found.guarded = false;
	}
	return found;
}

static int refuse_unknown(struct bus *bus, DBusMessage *message, const struct target *found)
{
	const char *path = dbus_message_get_path(message);
	const char *interface = dbus_message_get_interface(message);

	if (!object_exists(bus, path))
		return call_refuse(bus->connection, message, DBUS_ERROR_UNKNOWN_OBJECT,
			"there is no object %s", path);
	if (interface && !found->interface_known)
		return call_refuse(bus->connection, message, DBUS_ERROR_UNKNOWN_INTERFACE,
			"object %s has no interface %s", path, interface);
	return call_refuse(bus->connection, message, DBUS_ERROR_UNKNOWN_METHOD,
		"object %s has no method %s", path, dbus_message_get_member(message));
}

DBusHandlerResult object_dispatch(struct bus *bus, DBusMessage *message)
{
	struct target found;
	struct bus_call *call;
	int r;

	found = find_target(bus, dbus_message_get_path(message),
		dbus_message_get_interface(message), dbus_message_get_member(message));
	if (!found.method) {
		r = refuse_unknown(bus, message, &found);
		return r < 0 ? DBUS_HANDLER_RESULT_NEED_MEMORY : DBUS_HANDLER_RESULT_HANDLED;
	}
	if (!dbus_message_has_signature(message, found.method->in)) {
		r = call_refuse(bus->connection, message, DBUS_ERROR_INVALID_ARGS,
			"%s takes arguments of the types \"%s\", not \"%s\"", found.method->name,
			found.method->in, dbus_message_get_signature(message));
		return r < 0 ? DBUS_HANDLER_RESULT_NEED_MEMORY : DBUS_HANDLER_RESULT_HANDLED;
	}
	call = call_new(bus->connection, message);
	if (!call)
		return DBUS_HANDLER_RESULT_NEED_MEMORY;
	call->method = found.method;
	call->interface = found.interface;
	call->userdata = found.userdata;
	r = found.guarded && bus->guard ? bus->guard(call, bus->guard_userdata) : 0;
	if (r == 0 && !call->answered && !call->kept)
		r = found.method->call(call, &call->reader, found.userdata);
	call_finish(call, r);
	return DBUS_HANDLER_RESULT_HANDLED;
}

void bus_set_guard(struct bus *bus, bus_guard_fn guard,
	void (*on_leave)(const char *unique_name, void *userdata), void *userdata)
{
	bus->guard = guard;
	bus->on_leave = on_leave;
	bus->guard_userdata = userdata;
}
