/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "common/bus/wire.h"

/* Reading pauses beyond these; the bus's own limits per message stay in force. */
#define QUEUED_BYTES (16L << 20)
#define QUEUED_FDS   64L
#define REOPEN_USEC  (1 * UINT64_C(1000000))

static int on_reopen(sd_event_source *source, uint64_t usec, void *userdata);

static void lose(struct bus *bus)
{
	if (bus->lost)
		return;
	bus->lost = true;
	names_lost(bus);
	pending_lost(bus);
	if (bus->on_lost)
		bus->on_lost(bus->userdata);
	if (bus->reopen) {
		(void)sd_event_source_set_time_relative(bus->reopen, REOPEN_USEC);
		(void)sd_event_source_set_enabled(bus->reopen, SD_EVENT_ONESHOT);
	}
}

static DBusHandlerResult on_message(
	DBusConnection *connection, DBusMessage *message, void *userdata)
{
	struct bus *bus = userdata;

	(void)connection;
	if (dbus_message_is_signal(message, DBUS_INTERFACE_LOCAL, "Disconnected")) {
		lose(bus);
		return DBUS_HANDLER_RESULT_HANDLED;
	}
	if (dbus_message_get_type(message) == DBUS_MESSAGE_TYPE_METHOD_CALL)
		return object_dispatch(bus, message);
	if (dbus_message_get_type(message) == DBUS_MESSAGE_TYPE_SIGNAL)
		names_signal(bus, message);
	return DBUS_HANDLER_RESULT_NOT_YET_HANDLED;
}

static int connect_to(
	const char *address, DBusConnection **ret_connection, struct bus_error *ret_error)
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

/* @connection: consumed. */
static int attach(struct bus *bus, DBusConnection *connection)
{
	int r;

	bus->connection = connection;
	dbus_connection_set_max_received_size(connection, QUEUED_BYTES);
	dbus_connection_set_max_received_unix_fds(connection, QUEUED_FDS);
	if (!dbus_connection_add_filter(connection, on_message, bus, NULL))
		return -ENOMEM;
	r = bus->event ? loop_attach(bus) : 0;
	/* Replies to the registration may have brought other messages with them. */
	if (r == 0 && bus->event &&
		dbus_connection_get_dispatch_status(connection) != DBUS_DISPATCH_COMPLETE)
		r = sd_event_source_set_enabled(bus->dispatch, SD_EVENT_ONESHOT);
	return r < 0 ? r : 0;
}

static void detach(struct bus *bus)
{
	if (!bus->connection)
		return;
	if (dbus_connection_get_is_connected(bus->connection))
		dbus_connection_flush(bus->connection);
	dbus_connection_remove_filter(bus->connection, on_message, bus);
	if (bus->event)
		loop_detach(bus);
	dbus_connection_close(bus->connection);
	dbus_connection_unref(bus->connection);
	bus->connection = NULL;
}

int bus_open(sd_event *event, const char *address, void (*on_lost)(void *userdata), void *userdata,
	struct bus **ret_bus, struct bus_error *ret_error)
{
	CLEANUP(bus_freep) struct bus *bus = calloc(1, sizeof(*bus));
	DBusConnection *connection = NULL;
	int r;

	if (!bus)
		return -ENOMEM;
	bus->on_lost = on_lost;
	bus->userdata = userdata;
	bus->interactive = !event && isatty(STDIN_FILENO);
	bus->event = event ? sd_event_ref(event) : NULL;
	bus->address = strdup(address);
	r = bus->address ? connect_to(address, &connection, ret_error) : -ENOMEM;
	if (r == 0)
		r = attach(bus, connection);
	if (r < 0)
		return r;
	*ret_bus = STEAL(bus);
	return 0;
}

/* A half-restored connection is closed, which is the next loss. */
static int on_reopen(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct bus *bus = userdata;
	DBusConnection *fresh = NULL;

	(void)usec;
	if (connect_to(bus->address, &fresh, NULL) < 0) {
		(void)sd_event_source_set_time_relative(source, REOPEN_USEC);
		return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
	}
	detach(bus);
	bus->lost = false;
	if (attach(bus, fresh) < 0 || names_restore(bus) < 0)
		dbus_connection_close(fresh);
	else if (bus->on_back)
		bus->on_back(bus->userdata);
	return 0;
}

int bus_persist(struct bus *bus, void (*on_back)(void *userdata))
{
	int r;

	if (!bus->event || bus->reopen)
		return -EINVAL;
	bus->on_back = on_back;
	r = sd_event_add_time_relative(
		bus->event, &bus->reopen, CLOCK_MONOTONIC, REOPEN_USEC, 0, on_reopen, bus);
	return r < 0 ? r : sd_event_source_set_enabled(bus->reopen, SD_EVENT_OFF);
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
	detach(bus);
	names_done(bus);
	while (bus->interfaces) {
		struct bus_interface *next = bus->interfaces->next;

		free(bus->interfaces);
		bus->interfaces = next;
	}
	bus->reopen = sd_event_source_disable_unref(bus->reopen);
	bus->event = sd_event_unref(bus->event);
	free(bus->address);
	free(bus);
	return NULL;
}

const char *bus_unique_name(const struct bus *bus)
{
	return dbus_bus_get_unique_name(bus->connection);
}

int bus_flush(struct bus *bus)
{
	if (!dbus_connection_get_is_connected(bus->connection))
		return -ENOTCONN;
	dbus_connection_flush(bus->connection);
	return 0;
}
