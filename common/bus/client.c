/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <string.h>

#include "common/bus/wire.h"

static struct bus_writer *writer_new(struct bus *bus, DBusMessage *message)
{
	struct bus_writer *wr = calloc(1, sizeof(*wr));

	if (!wr) {
		if (message)
			dbus_message_unref(message);
		return NULL;
	}
	if (writer_start(wr, bus, bus->connection, message) < 0) {
		free(wr);
		return NULL;
	}
	return wr;
}

void bus_writer_free(struct bus_writer *writer)
{
	if (writer)
		writer_done(writer);
	free(writer);
}

/* ---- signals ---- */

static DBusMessage *signal_message(
	const char *receiver, const char *path, const char *interface, const char *signal)
{
	DBusMessage *message;

	if (!dbus_validate_path(path, NULL) || !dbus_validate_interface(interface, NULL) ||
		!dbus_validate_member(signal, NULL) ||
		(receiver && !dbus_validate_bus_name(receiver, NULL)))
		return NULL;
	message = dbus_message_new_signal(path, interface, signal);
	if (message && receiver && !dbus_message_set_destination(message, receiver)) {
		dbus_message_unref(message);
		return NULL;
	}
	return message;
}

struct bus_writer *bus_signal_writer(struct bus *bus, const char *receiver, const char *path,
	const char *interface, const char *signal)
{
	return writer_new(bus, signal_message(receiver, path, interface, signal));
}

int bus_signal_send(struct bus_writer *writer)
{
	int r;

	if (!writer)
		return -ENOMEM;
	r = writer_send(writer);
	bus_writer_free(writer);
	return r;
}

static int emit(struct bus_writer *wr, const char *signature, va_list args)
{
	if (wr)
		writer_append(wr, signature, args);
	return bus_signal_send(wr);
}

int bus_emit(struct bus *bus, const char *path, const char *interface, const char *signal,
	const char *signature, ...)
{
	va_list args;
	int r;

	va_start(args, signature);
	r = emit(bus_signal_writer(bus, NULL, path, interface, signal), signature, args);
	va_end(args);
	return r;
}

int bus_emit_to(struct bus *bus, const char *receiver, const char *path, const char *interface,
	const char *signal, const char *signature, ...)
{
	va_list args;
	int r;

	va_start(args, signature);
	r = emit(bus_signal_writer(bus, receiver, path, interface, signal), signature, args);
	va_end(args);
	return r;
}

/* ---- calls ---- */

struct bus_writer *bus_method_writer(struct bus *bus, const char *destination, const char *path,
	const char *interface, const char *method)
{
	char buffer[BUS_NAME_MAX];
	DBusMessage *message;

	destination = names_of_instance(destination, buffer);
	if (!dbus_validate_bus_name(destination, NULL) || !dbus_validate_path(path, NULL) ||
		!dbus_validate_interface(interface, NULL) || !dbus_validate_member(method, NULL))
		return NULL;
	message = dbus_message_new_method_call(destination, path, interface, method);
	if (message && bus->interactive)
		dbus_message_set_allow_interactive_authorization(message, TRUE);
	return writer_new(bus, message);
}

static struct bus_reply *reply_new(DBusMessage *message)
{
	struct bus_reply *reply = calloc(1, sizeof(*reply));

	if (!reply)
		return NULL;
	reply->message = dbus_message_ref(message);
	reader_start(&reply->reader, message);
	if (dbus_message_get_type(message) == DBUS_MESSAGE_TYPE_ERROR) {
		const char *words;

		if (bus_read(&reply->reader, "s", &words) < 0)
			words = "";
		error_set(&reply->error, dbus_message_get_error_name(message), words);
		if (!reply->error.name)
			return bus_reply_free(reply);
	}
	return reply;
}

struct bus_reply *bus_reply_free(struct bus_reply *reply)
{
	if (!reply)
		return NULL;
	reader_done(&reply->reader);
	bus_error_done(&reply->error);
	dbus_message_unref(reply->message);
	free(reply);
	return NULL;
}

const struct bus_error *bus_reply_error(const struct bus_reply *reply)
{
	return reply->error.name ? &reply->error : NULL;
}

struct bus_reader *bus_reply_reader(struct bus_reply *reply)
{
	return &reply->reader;
}

static void pending_unlink(struct bus_pending *pending)
{
	if (!pending->link)
		return;
	*pending->link = pending->next;
	if (pending->next)
		pending->next->link = pending->link;
	pending->link = NULL;
}

static void pending_free(void *userdata)
{
	pending_unlink(userdata);
	free(userdata);
}

/* An answer that no message brought; it has nothing to read. */
static void answer_locally(struct bus_pending *pending, const char *name, const char *words)
{
	struct bus_reply none = { .error = { (char *)(uintptr_t)name, (char *)(uintptr_t)words } };

	pending->on_reply(&none, pending->userdata);
}

static void on_pending(DBusPendingCall *call, void *userdata)
{
	struct bus_pending *pending = userdata;
	DBusMessage *message = dbus_pending_call_steal_reply(call);
	struct bus_reply *reply = message ? reply_new(message) : NULL;

	pending_unlink(pending);
	if (reply)
		pending->on_reply(reply, pending->userdata);
	else
		answer_locally(pending, DBUS_ERROR_NO_MEMORY, "out of memory");
	(void)bus_reply_free(reply);
	if (message)
		dbus_message_unref(message);
	dbus_pending_call_unref(call);
}

void pending_lost(struct bus *bus)
{
	while (bus->pendings) {
		struct bus_pending *pending = bus->pendings;
		DBusPendingCall *call = pending->call;

		pending_unlink(pending);
		dbus_pending_call_cancel(call);
		answer_locally(pending, DBUS_ERROR_DISCONNECTED, "the message bus went away");
		dbus_pending_call_unref(call); /* the last reference: frees */
	}
}

int bus_method_send(
	struct bus_writer *writer, uint64_t timeout_usec, bus_reply_fn on_reply, void *userdata)
{
	struct bus_pending *pending;
	int r;

	if (!writer)
		return -ENOMEM;
	r = writer->error < 0 ? writer->error : writer->depth > 0 ? -EINVAL : 0;
	if (r == 0 && !on_reply) {
		dbus_message_set_no_reply(writer->message, TRUE);
		r = writer_send(writer);
	}
	if (r < 0 || !on_reply) {
		bus_writer_free(writer);
		return r;
	}
	pending = calloc(1, sizeof(*pending));
	if (!pending || !dbus_connection_send_with_reply(writer->connection, writer->message,
				&pending->call, loop_timeout_ms(timeout_usec))) {
		free(pending);
		bus_writer_free(writer);
		return -ENOMEM;
	}
	if (!pending->call) {
		free(pending);
		bus_writer_free(writer);
		return -ENOTCONN;
	}
	pending->on_reply = on_reply;
	pending->userdata = userdata;
	if (!dbus_pending_call_set_notify(pending->call, on_pending, pending, pending_free)) {
		dbus_pending_call_cancel(pending->call);
		dbus_pending_call_unref(pending->call);
		free(pending);
		bus_writer_free(writer);
		return -ENOMEM;
	}
	pending->next = writer->bus->pendings;
	pending->link = &writer->bus->pendings;
	if (pending->next)
		pending->next->link = &pending->next;
	writer->bus->pendings = pending;
	bus_writer_free(writer);
	return 0;
}

void bus_forget_replies(struct bus *bus, const void *userdata)
{
	struct bus_pending *next;

	for (struct bus_pending *p = bus->pendings; p; p = next) {
		DBusPendingCall *call = p->call;

		next = p->next;
		if (p->userdata != userdata)
			continue;
		dbus_pending_call_cancel(call);
		dbus_pending_call_unref(call); /* the last reference: unlinks and frees */
	}
}

int bus_method_call(struct bus_writer *writer, uint64_t timeout_usec, struct bus_reply **ret_reply,
	struct bus_error *ret_error)
{
	DBusError failure = DBUS_ERROR_INIT;
	DBusMessage *message;
	int r;

	if (!writer) {
		error_set(ret_error, DBUS_ERROR_INVALID_ARGS, "no memory, or a name is not valid");
		return -EINVAL;
	}
	r = writer->error < 0 ? writer->error : writer->depth > 0 ? -EINVAL : 0;
	if (r < 0) {
		error_set(ret_error, error_from_errno(r), strerror(-r));
		bus_writer_free(writer);
		return r;
	}
	/* Somebody may be typing a password. */
	if (dbus_message_get_allow_interactive_authorization(writer->message) &&
		timeout_usec < BUS_PASSWORD_USEC)
		timeout_usec = BUS_PASSWORD_USEC;
	message = dbus_connection_send_with_reply_and_block(
		writer->connection, writer->message, loop_timeout_ms(timeout_usec), &failure);
	bus_writer_free(writer);
	if (!message) {
		r = bus_error_number(
			&(struct bus_error){ .name = (char *)(uintptr_t)failure.name });
		error_set(ret_error, failure.name, failure.message);
		dbus_error_free(&failure);
		return r;
	}
	*ret_reply = reply_new(message);
	dbus_message_unref(message);
	if (*ret_reply)
		return 0;
	error_set(ret_error, DBUS_ERROR_NO_MEMORY, strerror(ENOMEM));
	return -ENOMEM;
}

int bus_get_property(struct bus *bus, const struct bus_place *place, const char *name,
	const char *type, void *ret, struct bus_error *ret_error)
{
	CLEANUP(bus_reply_freep) struct bus_reply *reply = NULL;
	struct bus_writer *wr = bus_method_writer(
		bus, place->name, place->path, DBUS_INTERFACE_PROPERTIES, "Get");
	const char *str;
	char *copy;
	int r;

	writer_put(wr, "ss", place->interface, name);
	r = bus_method_call(wr, BUS_DEFAULT_USEC, &reply, ret_error);
	if (r < 0)
		return r;
	r = bus_enter(&reply->reader, 'v', type);
	if (r == 0 && strcmp(type, "s") == 0) {
		r = bus_read(&reply->reader, "s", &str);
		copy = r == 0 ? strdup(str) : NULL;
		if (copy)
			*(char **)ret = copy;
		else if (r == 0)
			r = -ENOMEM;
	} else if (r == 0) {
		r = strlen(type) == 1 ? bus_read(&reply->reader, type, ret) : -EINVAL;
	}
	if (r < 0)
		error_set(ret_error, error_from_errno(r), "property of another type");
	return r;
}
