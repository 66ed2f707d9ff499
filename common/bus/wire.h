/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of this room share: the shapes behind bus.h, and libdbus itself. */
#ifndef BUS_WIRE_H
#define BUS_WIRE_H

#include <dbus/dbus.h>
#include <stdarg.h>

#include "common/bus/bus.h"

#define BUS_MAX_DEPTH	  8
#define BUS_MAX_WATCHES	  8
#define BUS_MAX_CACHED	  64
#define BUS_ASK_USEC	  (5 * UINT64_C(1000000)) /* bound of the questions to the bus itself */
#define BUS_NAME_MAX	  256
#define BUS_PASSWORD_USEC (150 * UINT64_C(1000000))

/*
 * The name under which a service of ours is found by this process: of an instance, the host's with
 * ".ns_NAME" behind it. Others keep theirs, and so does what is one already. @buffer may be returned.
 */
const char *names_of_instance(const char *name, char buffer[static BUS_NAME_MAX]);

struct bus_reader {
	DBusMessage *message; /* borrowed from what embeds the reader */
	unsigned int depth;
	DBusMessageIter iters[BUS_MAX_DEPTH];
	char *peeked; /* of bus_peek(), libdbus memory */
};

struct bus_writer {
	struct bus *bus; /* NULL in the writer of a call */
	DBusConnection *connection; /* owned reference */
	DBusMessage *message; /* owned reference */
	unsigned int depth, n_fds;
	int error; /* the first one stays */
	DBusMessageIter iters[BUS_MAX_DEPTH];
};

struct bus_call {
	unsigned int refs;
	bool answered, kept;
	DBusConnection *connection; /* owned reference */
	DBusMessage *message; /* owned reference */
	const struct bus_member *method; /* NULL in a call that nobody's table has */
	const char *interface;
	void *userdata; /* of the table */
	bus_end_fn on_end;
	void *end_userdata;
	struct bus_writer writer; /* its message is NULL until asked for */
	struct bus_reader reader;
};

struct bus_reply {
	DBusMessage *message; /* owned reference */
	struct bus_error error;
	struct bus_reader reader;
};

struct bus_interface {
	struct bus_interface *next;
	const char *path, *name;
	const struct bus_member *members;
	void *userdata;
};

/* A name whose owner is followed. */
struct bus_name {
	struct bus_name *next;
	char *name;
	char owner[BUS_NAME_MAX];
	bus_owner_fn on_owner; /* NULL: followed for the sake of a signal watch */
	void *userdata;
};

/* A name that is ours, to be owned again on another connection. */
struct bus_owned {
	struct bus_owned *next;
	char *name;
};

struct bus_match {
	struct bus_match *next;
	char *sender, *path, *interface, *signal;
	bus_signal_fn on_signal;
	void *userdata;
};

/* A call that is under way; unlinked and freed when libdbus drops it. */
struct bus_pending {
	struct bus_pending *next, **link;
	DBusPendingCall *call; /* owned reference */
	bus_reply_fn on_reply;
	void *userdata;
};

struct bus_cached {
	char name[BUS_NAME_MAX];
	struct bus_credentials credentials;
};

struct bus {
	DBusConnection *connection;
	sd_event *event; /* owned reference; NULL: blocking calls only */
	sd_event_source *dispatch; /* defer source: the only caller of dbus_connection_dispatch() */
	sd_event_source *retry; /* after libdbus ran out of memory */
	bool dispatching, lost;
	bool interactive; /* calls out may have a password asked for */
	char *address; /* owned */
	sd_event_source *reopen; /* of a bus that shall be opened again when lost */
	DBusWatch *watches[BUS_MAX_WATCHES];
	struct bus_io {
		int fd; /* of an unused slot: -1 */
		sd_event_source *source;
	} ios[BUS_MAX_WATCHES];
	void (*on_lost)(void *userdata);
	void (*on_back)(void *userdata);
	void *userdata;
	struct bus_owned *owned;
	struct bus_interface *interfaces;
	bus_guard_fn guard; /* NULL: every call goes on */
	void (*on_leave)(const char *unique_name, void *userdata);
	void *guard_userdata;
	struct bus_name *names;
	struct bus_match *matches;
	struct bus_pending *pendings;
	struct bus_cached *cached; /* BUS_MAX_CACHED slots */
	unsigned int next_cached;
};

/* loop.c: the connection's watches and timeouts as event sources. */
int loop_attach(struct bus *bus) MUST_CHECK;
void loop_detach(struct bus *bus);
int loop_timeout_ms(uint64_t usec);

/* message.c */
void reader_start(struct bus_reader *rd, DBusMessage *message);
void reader_done(struct bus_reader *rd);
int writer_start(struct bus_writer *wr, struct bus *bus, DBusConnection *connection,
	DBusMessage *message) MUST_CHECK; /* @message: consumed, also on failure; NULL: -ENOMEM */
void writer_done(struct bus_writer *wr);
int writer_send(struct bus_writer *wr) MUST_CHECK;
/* An error stays in the writer and comes out of writer_send(). */
void writer_append(struct bus_writer *wr, const char *signature, va_list args);
void writer_put(struct bus_writer *wr, const char *signature, ...); /* NULL writer allowed */
/* A copy in which each byte that is not UTF-8 became U+FFFD. NULL: no memory. */
char *utf8_clean(const char *str);

/* call.c */
struct bus_call *call_new(DBusConnection *connection, DBusMessage *message);
/* An answer without a call object: standard errors of the object tree. */
int call_refuse(DBusConnection *connection, DBusMessage *message, const char *name,
	const char *format, ...) PRINTF_LIKE(4, 5) MUST_CHECK;
/* The verdict of a method: turns a negative result into an error reply, drops the reference. */
void call_finish(struct bus_call *call, int result);

/* object.c, properties.c, introspect.c */
const struct bus_interface *object_interface(
	const struct bus *bus, const char *path, const char *interface);
bool object_exists(const struct bus *bus, const char *path);
DBusHandlerResult object_dispatch(struct bus *bus, DBusMessage *message);
int properties_get(struct bus_call *call, struct bus_reader *args, void *userdata);
int properties_get_all(struct bus_call *call, struct bus_reader *args, void *userdata);
int properties_set(struct bus_call *call, struct bus_reader *args, void *userdata);
extern const struct bus_member properties_members[];
extern const struct bus_member introspect_members[];
extern const struct bus_member peer_members[];

/* client.c */
/* Answer what is under way: libdbus itself would wait for each to time out. */
void pending_lost(struct bus *bus);

/* names.c */
/* No name has an owner any more, as far as we can tell. */
void names_lost(struct bus *bus);
/* Own, watch and match on a new connection what was on the former. */
int names_restore(struct bus *bus) MUST_CHECK;
void names_signal(struct bus *bus, DBusMessage *message);
void names_done(struct bus *bus);
/* A question to the bus itself with one string argument; *ret_reply is owned. */
int names_ask(struct bus *bus, const char *method, const char *argument,
	struct bus_reply **ret_reply, struct bus_error *ret_error) MUST_CHECK;

/* error.c */
const char *error_from_errno(int error);
void error_set(struct bus_error *error, const char *name, const char *message);

#endif
