/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/epoll.h>

#include "common/bus/wire.h"

#define RETRY_USEC    (100 * UINT64_C(1000))
#define ACCURACY_USEC 1000

/*
 * libdbus makes a watch for reading and another for writing on one descriptor, which epoll takes
 * only once: the events that all enabled watches of a descriptor want are gathered in one source.
 */
static uint32_t wanted_events(const struct bus *bus, int fd, bool *ret_watched)
{
	uint32_t events = 0;

	*ret_watched = false;
	for (size_t i = 0; i < BUS_MAX_WATCHES; i++) {
		DBusWatch *watch = bus->watches[i];
		unsigned int flags;

		if (!watch || dbus_watch_get_unix_fd(watch) != fd)
			continue;
		*ret_watched = true;
		if (!dbus_watch_get_enabled(watch))
			continue;
		flags = dbus_watch_get_flags(watch);
		if (flags & DBUS_WATCH_READABLE)
			events |= EPOLLIN;
		if (flags & DBUS_WATCH_WRITABLE)
			events |= EPOLLOUT;
	}
	return events;
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct bus *bus = userdata;
	unsigned int ready = 0;

	(void)source;
	if (revents & EPOLLIN)
		ready |= DBUS_WATCH_READABLE;
	if (revents & EPOLLOUT)
		ready |= DBUS_WATCH_WRITABLE;
	if (revents & EPOLLHUP)
		ready |= DBUS_WATCH_HANGUP;
	if (revents & EPOLLERR)
		ready |= DBUS_WATCH_ERROR;
	/* Handling one watch may remove or toggle the others: each is looked at anew. */
	for (size_t i = 0; i < BUS_MAX_WATCHES; i++) {
		DBusWatch *watch = bus->watches[i];
		unsigned int mine;

		if (!watch || dbus_watch_get_unix_fd(watch) != fd || !dbus_watch_get_enabled(watch))
			continue;
		mine = ready & (dbus_watch_get_flags(watch) | DBUS_WATCH_HANGUP | DBUS_WATCH_ERROR);
		if (mine)
			(void)dbus_watch_handle(
				watch, mine); /* FALSE: no memory; epoll tells again */
	}
	return 0;
}

static struct bus_io *io_of(struct bus *bus, int fd)
{
	for (size_t i = 0; i < BUS_MAX_WATCHES; i++)
		if (bus->ios[i].fd == fd)
			return &bus->ios[i];
	return NULL;
}

/* Make the source of this descriptor say what its watches want. */
static bool io_update(struct bus *bus, int fd)
{
	bool watched;
	uint32_t events = wanted_events(bus, fd, &watched);
	struct bus_io *io = io_of(bus, fd);

	if (!watched) {
		if (io) {
			io->source = sd_event_source_disable_unref(io->source);
			io->fd = -1;
		}
		return true;
	}
	if (!io) {
		io = io_of(bus, -1);
		if (!io || sd_event_add_io(bus->event, &io->source, fd, events, on_io, bus) < 0)
			return false;
		io->fd = fd;
	}
	/* A source without events would still report a hang-up, round and round. */
	return sd_event_source_set_io_events(io->source, events) >= 0 &&
	       sd_event_source_set_enabled(io->source, events ? SD_EVENT_ON : SD_EVENT_OFF) >= 0;
}

static dbus_bool_t watch_add(DBusWatch *watch, void *userdata)
{
	struct bus *bus = userdata;

	for (size_t i = 0; i < BUS_MAX_WATCHES; i++) {
		if (bus->watches[i])
			continue;
		bus->watches[i] = watch;
		if (io_update(bus, dbus_watch_get_unix_fd(watch)))
			return TRUE;
		bus->watches[i] = NULL;
		(void)io_update(bus, dbus_watch_get_unix_fd(watch)); /* back to what it was */
		return FALSE;
	}
	return FALSE;
}

static void watch_remove(DBusWatch *watch, void *userdata)
{
	struct bus *bus = userdata;

	for (size_t i = 0; i < BUS_MAX_WATCHES; i++)
		if (bus->watches[i] == watch)
			bus->watches[i] = NULL;
	(void)io_update(bus, dbus_watch_get_unix_fd(watch)); /* taking away does not allocate */
}

static void watch_toggle(DBusWatch *watch, void *userdata)
{
	(void)io_update(userdata, dbus_watch_get_unix_fd(watch)); /* the source exists already */
}

static int timeout_arm(sd_event_source *source, DBusTimeout *timeout)
{
	int r;

	if (!dbus_timeout_get_enabled(timeout))
		return sd_event_source_set_enabled(source, SD_EVENT_OFF);
	r = sd_event_source_set_time_relative(
		source, (uint64_t)dbus_timeout_get_interval(timeout) * 1000);
	return r < 0 ? r : sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static int on_timeout(sd_event_source *source, uint64_t usec, void *userdata)
{
	DBusTimeout *timeout = userdata;
	sd_event_source *kept = sd_event_source_ref(source);

	(void)usec;
	(void)dbus_timeout_handle(timeout); /* FALSE: no memory; the next round tries again */
	/* The handler may have removed the timeout, and then nothing holds the source but us. */
	if (sd_event_source_get_userdata(kept))
		(void)timeout_arm(kept, timeout);
	(void)sd_event_source_unref(kept);
	return 0;
}

static dbus_bool_t timeout_add(DBusTimeout *timeout, void *userdata)
{
	struct bus *bus = userdata;
	sd_event_source *source;

	if (sd_event_add_time_relative(bus->event, &source, CLOCK_MONOTONIC,
		    (uint64_t)dbus_timeout_get_interval(timeout) * 1000, ACCURACY_USEC, on_timeout,
		    timeout) < 0)
		return FALSE;
	dbus_timeout_set_data(timeout, source, NULL);
	return timeout_arm(source, timeout) >= 0;
}

static void timeout_remove(DBusTimeout *timeout, void *userdata)
{
	sd_event_source *source = dbus_timeout_get_data(timeout);

	(void)userdata;
	if (!source)
		return;
	(void)sd_event_source_set_userdata(source, NULL);
	(void)sd_event_source_disable_unref(source);
	dbus_timeout_set_data(timeout, NULL, NULL);
}

static void timeout_toggle(DBusTimeout *timeout, void *userdata)
{
	sd_event_source *source = dbus_timeout_get_data(timeout);

	(void)userdata;
	if (source)
		(void)timeout_arm(source, timeout);
}

/* One message a round, so that other sources of the loop get their turn. */
static int on_dispatch(sd_event_source *source, void *userdata)
{
	struct bus *bus = userdata;
	DBusDispatchStatus status;

	(void)source;
	if (bus->dispatching)
		return 0;
	bus->dispatching = true;
	status = dbus_connection_dispatch(bus->connection);
	bus->dispatching = false;
	if (status == DBUS_DISPATCH_DATA_REMAINS)
		return sd_event_source_set_enabled(bus->dispatch, SD_EVENT_ONESHOT);
	if (status == DBUS_DISPATCH_NEED_MEMORY) {
		(void)sd_event_source_set_time_relative(bus->retry, RETRY_USEC);
		return sd_event_source_set_enabled(bus->retry, SD_EVENT_ONESHOT);
	}
	return 0;
}

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct bus *bus = userdata;

	(void)source;
	(void)usec;
	return sd_event_source_set_enabled(bus->dispatch, SD_EVENT_ONESHOT);
}

static void on_dispatch_status(
	DBusConnection *connection, DBusDispatchStatus status, void *userdata)
{
	struct bus *bus = userdata;

	(void)connection;
	if (status != DBUS_DISPATCH_COMPLETE)
		(void)sd_event_source_set_enabled(bus->dispatch, SD_EVENT_ONESHOT);
}

/* One thread owns the connection: to wake it is to have it look at the queue once more. */
static void on_wakeup(void *userdata)
{
	struct bus *bus = userdata;

	(void)sd_event_source_set_enabled(bus->dispatch, SD_EVENT_ONESHOT);
}

int loop_timeout_ms(uint64_t usec)
{
	uint64_t ms = (usec + 999) / 1000;

	if (usec == UINT64_MAX || ms >= (uint64_t)INT_MAX)
		return DBUS_TIMEOUT_INFINITE;
	return (int)ms;
}

int loop_attach(struct bus *bus)
{
	int r;

	for (size_t i = 0; i < BUS_MAX_WATCHES; i++)
		bus->ios[i].fd = -1;
	r = sd_event_add_defer(bus->event, &bus->dispatch, on_dispatch, bus);
	if (r >= 0)
		r = sd_event_add_time_relative(bus->event, &bus->retry, CLOCK_MONOTONIC, RETRY_USEC,
			ACCURACY_USEC, on_retry, bus);
	if (r >= 0)
		r = sd_event_source_set_enabled(bus->retry, SD_EVENT_OFF);
	if (r < 0)
		return r;
	if (!dbus_connection_set_watch_functions(
		    bus->connection, watch_add, watch_remove, watch_toggle, bus, NULL) ||
		!dbus_connection_set_timeout_functions(
			bus->connection, timeout_add, timeout_remove, timeout_toggle, bus, NULL))
		return -ENOMEM;
	dbus_connection_set_dispatch_status_function(
		bus->connection, on_dispatch_status, bus, NULL);
	dbus_connection_set_wakeup_main_function(bus->connection, on_wakeup, bus, NULL);
	return 0;
}

void loop_detach(struct bus *bus)
{
	dbus_connection_set_wakeup_main_function(bus->connection, NULL, NULL, NULL);
	dbus_connection_set_dispatch_status_function(bus->connection, NULL, NULL, NULL);
	/* Setting no functions removes every watch and timeout; it cannot fail. */
	(void)dbus_connection_set_watch_functions(bus->connection, NULL, NULL, NULL, NULL, NULL);
	(void)dbus_connection_set_timeout_functions(bus->connection, NULL, NULL, NULL, NULL, NULL);
	bus->dispatch = sd_event_source_disable_unref(bus->dispatch);
	bus->retry = sd_event_source_disable_unref(bus->retry);
}
