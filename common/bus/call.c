/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <string.h>

#include "common/bus/wire.h"

struct bus_call *call_new(DBusConnection *connection, DBusMessage *message)
{
	struct bus_call *call = calloc(1, sizeof(*call));

	if (!call)
		return NULL;
	call->refs = 1;
	call->connection = dbus_connection_ref(connection);
	call->message = dbus_message_ref(message);
	reader_start(&call->reader, message);
	return call;
}

static void call_unref(struct bus_call *call)
{
	if (--call->refs > 0)
		return;
	writer_done(&call->writer);
	reader_done(&call->reader);
	dbus_message_unref(call->message);
	dbus_connection_unref(call->connection);
	free(call);
}

static int send_error(
	DBusConnection *connection, DBusMessage *message, const char *name, const char *words)
{
	CLEANUP(freep) char *clean = NULL;
	DBusMessage *reply;
	int r;

	if (dbus_message_get_no_reply(message))
		return 0;
	if (!dbus_validate_utf8(words, NULL)) {
		clean = utf8_clean(words);
		if (!clean)
			return -ENOMEM;
		words = clean;
	}
	reply = dbus_message_new_error(message, name, words);
	if (!reply)
		return -ENOMEM;
	r = dbus_connection_send(connection, reply, NULL) ? 0 : -ENOMEM;
	dbus_message_unref(reply);
	return r;
}

int call_refuse(
	DBusConnection *connection, DBusMessage *message, const char *name, const char *format, ...)
{
	struct text words = { 0 };
	va_list args;
	int r;

	va_start(args, format);
	text_vaddf(&words, format, args);
	va_end(args);
	r = words.failed ? -ENOMEM
			 : send_error(connection, message, name, words.str ? words.str : "");
	text_done(&words);
	return r;
}

/* The call has its answer: a kept one gives up the reference that its keeper had. */
static void call_answered(struct bus_call *call, const char *error)
{
	call->answered = true;
	if (call->on_end)
		call->on_end(error, call->end_userdata);
	if (call->kept) {
		call->kept = false;
		call_unref(call);
	}
}

static void call_failed(struct bus_call *call, int error)
{
	/* Without memory for the error there is nobody left to tell; the caller's timeout does. */
	(void)send_error(
		call->connection, call->message, error_from_errno(error), strerror(-error));
	call_answered(call, error_from_errno(error));
}

struct bus_writer *bus_call_writer(struct bus_call *call)
{
	struct bus_writer *wr = &call->writer;

	if (wr->message)
		return wr;
	/* A writer that could not start refuses all that is written; bus_call_send() tells. */
	wr->error = writer_start(
		wr, NULL, call->connection, dbus_message_new_method_return(call->message));
	return wr;
}

int bus_call_send(struct bus_call *call)
{
	struct bus_writer *wr = bus_call_writer(call);
	int r = wr->error;

	if (call->answered)
		return -EALREADY;
	if (r == 0 && strcmp(dbus_message_get_signature(wr->message), call->method->out) != 0)
		r = -EINVAL;
	if (r == 0 && !dbus_message_get_no_reply(call->message))
		r = writer_send(wr);
	if (r < 0)
		call_failed(call, r);
	else
		call_answered(call, NULL);
	return r;
}

int bus_call_reply(struct bus_call *call, const char *signature, ...)
{
	va_list args;

	va_start(args, signature);
	writer_append(bus_call_writer(call), signature, args);
	va_end(args);
	return bus_call_send(call);
}

static int call_fail(struct bus_call *call, const char *prefix, const char *name,
	const char *format, va_list args) PRINTF_LIKE(4, 0);

/* @prefix and @name make the name of the error. */
static int call_fail(struct bus_call *call, const char *prefix, const char *name,
	const char *format, va_list args)
{
	CLEANUP(text_done) struct text full = { 0 }, words = { 0 };
	int r;

	if (call->answered)
		return -EALREADY;
	text_addf(&full, "%s%s", prefix, name);
	text_addf(&words, "%s", ""); /* a message, if an empty one */
	text_vaddf(&words, format, args);
	if (full.failed || words.failed || !dbus_validate_error_name(full.str, NULL))
		r = full.failed || words.failed ? -ENOMEM : -EINVAL;
	else
		r = send_error(call->connection, call->message, full.str, words.str);
	if (r < 0)
		call_failed(call, r);
	else
		call_answered(call, full.str);
	return r;
}

int bus_call_fail(struct bus_call *call, const char *short_name, const char *format, ...)
{
	va_list args;
	int r;

	va_start(args, format);
	r = call_fail(call, BUS_ERROR_PREFIX, short_name, format, args);
	va_end(args);
	return r;
}

int bus_call_refuse(struct bus_call *call, const char *name, const char *format, ...)
{
	va_list args;
	int r;

	va_start(args, format);
	r = call_fail(call, "", name, format, args);
	va_end(args);
	return r;
}

struct bus_call *bus_call_keep(struct bus_call *call)
{
	if (!call->kept) {
		call->kept = true;
		call->refs++;
	}
	return call;
}

struct bus_call *bus_call_free(struct bus_call *call)
{
	if (call && !call->answered)
		call_failed(call, -ECANCELED);
	return NULL;
}

const char *bus_call_sender(const struct bus_call *call)
{
	const char *sender = dbus_message_get_sender(call->message);

	return sender ? sender : "";
}

const char *bus_call_interface(const struct bus_call *call)
{
	return call->interface;
}

const char *bus_call_member(const struct bus_call *call)
{
	return call->method->name;
}

bool bus_call_is_interactive(const struct bus_call *call)
{
	return dbus_message_get_allow_interactive_authorization(call->message);
}

void bus_call_on_end(struct bus_call *call, bus_end_fn on_end, void *userdata)
{
	call->on_end = on_end;
	call->end_userdata = userdata;
}

void bus_call_go_on(struct bus_call *call)
{
	/* The keeper's reference is that of a call under way from here. */
	call->kept = false;
	call_finish(call, call->method->call(call, &call->reader, call->userdata));
}

void call_finish(struct bus_call *call, int result)
{
	if (!call->answered && !call->kept)
		call_failed(call, result < 0 ? result : -ENOSYS);
	call_unref(call);
}
