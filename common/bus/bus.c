/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <string.h>

#include "common/bus/wire.h"

/* Reading pauses beyond these; the bus's own limits per message stay in force. */
#define QUEUED_BYTES (16L << 20)
#define QUEUED_FDS   64L

static DBusHandlerResult on_message(DBusConnection *connection, DBusMessage *message, void *userdata)
{
	struct bus *bus = userdata;

	(void)connection;
	if (dbus_message_is_signal(message, DBUS_INTERFACE_LOCAL, "Disconnected")) {
		if (!bus->lost && bus->on_lost)
			bus->on_lost(bus->userdata);
		bus->lost = true;
		return DBUS_HANDLER_RESULT_HANDLED;
	}
	if (dbus_message_get_type(message) == DBUS_MESSAGE_TYPE_METHOD_CALL)
		return object_dispatch(bus, message);
	if (dbus_message_get_type(message) == DBUS_MESSAGE_TYPE_SIGNAL)
		names_signal(bus, message);
	return DBUS_HANDLER_RESULT_NOT_YET_HANDLED;
}

static int connect_to(const char *address, DBusConnection **ret_connection, struct bus_error *ret_error)
{
	DBusError failure = DBUS_ERROR_INIT;
	DBusConnection *connection;
	int r;

	if (strcmp(address, "system") == 0) {
		connection = dbus_bus_get_private(DBUS_BUS_SYSTEM, &failure);
	} else {
		connection = dbus_connection_open_private(address, &failure);
		if (connection && !dbus_bus_register(connection, &failure)) {
			dbus_connection_close(connection);
			dbus_connection_unref(connection);
			connection = NULL;
		}
	}
	if (connection) {
		dbus_connection_set_exit_on_disconnect(connection, FALSE);
		*ret_connection = connection;
		return 0;
	}
	r = bus_error_number(&(struct bus_error){ .name = (char *)(uintptr_t)failure.name });
	error_set(ret_error, failure.name, failure.message);
	dbus_error_free(&failure);
	return r;
}

int bus_open(sd_event *event, const char *address, void (*on_lost)(void *userdata), void *userdata,
	struct bus **ret_bus, struct bus_error *ret_error)
{
	CLEANUP(bus_freep) struct bus *bus = calloc(1, sizeof(*bus));
	int r;

	if (!bus)
		return -ENOMEM;
	bus->on_lost = on_lost;
	bus->userdata = userdata;
	r = connect_to(address, &bus->connection, ret_error);
	if (r < 0)
		return r;
	dbus_connection_set_max_received_size(bus->connection, QUEUED_BYTES);
	dbus_connection_set_max_received_unix_fds(bus->connection, QUEUED_FDS);
	if (!dbus_connection_add_filter(bus->connection, on_message, bus, NULL))
		return -ENOMEM;
	if (event) {
		bus->event = sd_event_ref(event);
		r = loop_attach(bus);
		if (r < 0)
			return r;
		/* Replies to the registration may have brought other messages with them. */
		if (dbus_connection_get_dispatch_status(bus->connection) != DBUS_DISPATCH_COMPLETE)
			(void)sd_event_source_set_enabled(bus->dispatch, SD_EVENT_ONESHOT);
	}
	*ret_bus = STEAL(bus);
	return 0;
}

struct bus *bus_free(struct bus *bus)
{
	if (!bus)
		return NULL;
	while (bus->pendings) {
		DBusPendingCall *call = bus->pendings->call;

		dbus_pending_call_cancel(call);
		dbus_pending_call_unref(call); /* the last reference: unlinks and frees */
	}
	if (bus->connection) {
		if (dbus_connection_get_is_connected(bus->connection))
			dbus_connection_flush(bus->connection);
		dbus_connection_remove_filter(bus->connection, on_message, bus);
		if (bus->event)
			loop_detach(bus);
		dbus_connection_close(bus->connection);
		dbus_connection_unref(bus->connection);
	}
	names_done(bus);
	while (bus->interfaces) {
		struct bus_interface *next = bus->interfaces->next;

		free(bus->interfaces);
		bus->interfaces = next;
	}
	bus->event = sd_event_unref(bus->event);
	free(bus);
	return NULL;
}

const char *bus_unique_name(const struct bus *bus)
{
	return dbus_bus_get_unique_name(bus->connection);
}

int bus_own_name(struct bus *bus, const char *name, struct bus_error *ret_error)
{
	CLEANUP(bus_reply_freep) struct bus_reply *reply = NULL;
	struct bus_writer *wr = bus_method_writer(
		bus, DBUS_SERVICE_DBUS, DBUS_PATH_DBUS, DBUS_INTERFACE_DBUS, "RequestName");
	uint32_t verdict;
	int r;

	writer_put(wr, "su", name, (uint32_t)DBUS_NAME_FLAG_DO_NOT_QUEUE);
	r = bus_method_call(wr, BUS_ASK_USEC, &reply, ret_error);
	if (r < 0)
		return r == -EACCES ? -EPERM : r;
	r = bus_read(&reply->reader, "u", &verdict);
	if (r < 0)
		return r;
	if (verdict == DBUS_REQUEST_NAME_REPLY_PRIMARY_OWNER ||
		verdict == DBUS_REQUEST_NAME_REPLY_ALREADY_OWNER)
		return 0;
	error_set(ret_error, DBUS_ERROR_FAILED, "the name is owned by another connection");
	return -EEXIST;
}

int bus_flush(struct bus *bus)
{
	if (!dbus_connection_get_is_connected(bus->connection))
		return -ENOTCONN;
	dbus_connection_flush(bus->connection);
	return 0;
}
