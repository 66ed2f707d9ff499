/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * D-Bus for daemons and commands: one connection on an sd-event loop, objects described by member
 * tables from which introspection and properties follow, typed arguments, descriptors, error names
 * and the credentials of callers. The only room that includes libdbus.
 *
 * Signatures are D-Bus signature strings. Arguments travel as C variadic arguments in this order:
 * y uint8_t(int), b int, n/q int, i/u int32_t/uint32_t, x/t int64_t/uint64_t, d double, s/o/g
 * const char *, h int; "ay" is (const uint8_t *, size_t); "a{sv}" and other containers are
 * written and read with the struct bus_writer / bus_reader calls, see below.
 */
#ifndef BUS_BUS_H
#define BUS_BUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#include "common/base/cleanup.h"
#include "common/base/text.h"

#define BUS_ERROR_PREFIX "org.netipsec.Error."
#define BUS_MAX_FDS	 4
#define BUS_DEFAULT_USEC (30 * UINT64_C(1000000))

struct bus; /* a connection */
struct bus_call; /* one incoming method call, until it is replied to */
struct bus_reply; /* the answer to an outgoing call */
struct bus_reader; /* a cursor over the arguments of a call, reply or signal */
struct bus_writer; /* arguments being put together */

/* Where somebody else's interface is. */
struct bus_place {
	const char *name; /* bus name, well-known or unique */
	const char *path, *interface;
};

/* An error as it crosses the bus; all zero: none. */
struct bus_error {
	char *name; /* "org.netipsec.Error.Stale", owned */
	char *message; /* owned */
};
void bus_error_done(struct bus_error *error);
/* The negative errno that bus_method_call() makes of this error, see there; 0 for none. */
int bus_error_number(const struct bus_error *error);
bool bus_error_is(const struct bus_error *error, const char *short_name); /* without the prefix */

/* ---- connection ---- */
/*
 * @address: "system", or a D-Bus address. @event: a reference is kept until bus_free(); NULL: no
 * loop, blocking calls only (commands). A command at a terminal lets whom it calls ask its user for a
 * password, by polkit.
 * on_lost is called once when the connection breaks; see also bus_persist().
 */
int bus_open(sd_event *event, const char *address, void (*on_lost)(void *userdata), void *userdata,
	struct bus **ret_bus, struct bus_error *ret_error) MUST_CHECK;
/*
 * Outlive the bus: a lost connection is opened again, once a second until it works, names are owned
 * and watches set anew. Until then calls fail with -ENOTCONN or -ECONNRESET and watched names have
 * no owner. on_lost is called at each loss, on_back (may be NULL) at each return.
 */
int bus_persist(struct bus *bus, void (*on_back)(void *userdata)) MUST_CHECK;
struct bus *bus_free(struct bus *bus); /* flushes what is queued */
DEFINE_CLEANUP(struct bus *, bus_free)
const char *bus_unique_name(const struct bus *bus);
/* Without queueing: -EEXIST when somebody else has it, -EPERM when the bus policy refuses. */
int bus_own_name(struct bus *bus, const char *name, struct bus_error *ret_error) MUST_CHECK;
int bus_flush(struct bus *bus) MUST_CHECK;

/* ---- objects ---- */
typedef int (*bus_method_fn)(struct bus_call *call, struct bus_reader *args, void *userdata);
typedef int (*bus_get_fn)(struct bus_writer *value, void *userdata);

enum bus_member_kind { BUS_MEMBER_END, BUS_MEMBER_METHOD, BUS_MEMBER_SIGNAL, BUS_MEMBER_PROPERTY };
enum bus_emits { BUS_EMITS_TRUE, BUS_EMITS_INVALIDATES, BUS_EMITS_CONST, BUS_EMITS_FALSE };

struct bus_member {
	enum bus_member_kind kind;
	const char *name;
	const char *in,
		*out; /* signatures; a property's type stands in `out`, a signal's in `out` */
	const char *names; /* argument names, blank-separated: ins, then outs */
	bus_method_fn call;
	bus_get_fn get;
	enum bus_emits emits;
};
#define BUS_METHOD(n, i, o, args, fn)                                                           \
	{                                                                                       \
		.kind = BUS_MEMBER_METHOD, .name = (n), .in = (i), .out = (o), .names = (args), \
		.call = (fn)                                                                    \
	}
#define BUS_SIGNAL(n, o, args)                                                      \
	{                                                                           \
		.kind = BUS_MEMBER_SIGNAL, .name = (n), .out = (o), .names = (args) \
	}
#define BUS_PROPERTY(n, type, fn, e)                                                               \
	{                                                                                          \
		.kind = BUS_MEMBER_PROPERTY, .name = (n), .out = (type), .get = (fn), .emits = (e) \
	}
#define BUS_END                        \
	{                              \
		.kind = BUS_MEMBER_END \
	}

/* Strings and table are borrowed until bus_free(). One interface an object; call again for more. */
int bus_add_interface(struct bus *bus, const char *path, const char *interface,
	const struct bus_member *members, void *userdata) MUST_CHECK;
/* The introspection XML of an object, as Introspect answers it. */
int bus_introspect(struct bus *bus, const char *path, struct text *ret_xml) MUST_CHECK;

/*
 * A method returns 0 after it replied, failed or kept the call; a negative errno is turned into an
 * error reply by the caller. Exactly one of reply, fail, keep ends a method.
 */
int bus_call_reply(struct bus_call *call, const char *signature, ...) MUST_CHECK;
struct bus_writer *bus_call_writer(struct bus_call *call); /* then bus_call_send() */
int bus_call_send(struct bus_call *call) MUST_CHECK;
int bus_call_fail(struct bus_call *call, const char *short_name, const char *format, ...)
	PRINTF_LIKE(3, 4);
/*
 * Answer later: the reference is owned by the caller until a reply, fail or bus_call_free(), which
 * answers with an error when nobody did.
 */
struct bus_call *bus_call_keep(struct bus_call *call);
struct bus_call *bus_call_free(struct bus_call *call);
DEFINE_CLEANUP(struct bus_call *, bus_call_free)
const char *bus_call_sender(const struct bus_call *call); /* unique name */
/* What is called, as the member tables name it. */
const char *bus_call_interface(const struct bus_call *call);
const char *bus_call_member(const struct bus_call *call);
/* May the caller's user be asked for a password? */
bool bus_call_is_interactive(const struct bus_call *call);
/* As bus_call_fail(), with a name outside of our prefix. */
int bus_call_refuse(struct bus_call *call, const char *name, const char *format, ...)
	PRINTF_LIKE(3, 4);
/* Called once, when the call has its answer. @error: the name of the error, NULL: it was none. */
typedef void (*bus_end_fn)(const char *error, void *userdata);
void bus_call_on_end(struct bus_call *call, bus_end_fn on_end, void *userdata);

/*
 * Asked before each method of the interfaces that were added. It lets the call go on (0), fails it,
 * or keeps it; a kept call is carried out by bus_call_go_on(), which takes the reference.
 */
typedef int (*bus_guard_fn)(struct bus_call *call, void *userdata);
/* @on_leave: a caller whose credentials were asked for has left the bus. NULL, NULL: no guard. */
void bus_set_guard(struct bus *bus, bus_guard_fn guard,
	void (*on_leave)(const char *unique_name, void *userdata), void *userdata);
void bus_call_go_on(struct bus_call *call);

/* Who a unique name is, asked of the bus (blocking, bounded by 5 s; cached until it leaves). */
struct bus_credentials {
	uid_t uid;
	pid_t pid; /* to be told, not to be trusted: numbers come again; 0: unknown */
	size_t n_groups;
	gid_t groups[64];
};
int bus_credentials(
	struct bus *bus, const char *unique_name, struct bus_credentials *ret) MUST_CHECK;
/* The unique name that owns a well-known name now: 0, -ENOENT (nobody). @ret_owner: 256 bytes. */
int bus_name_owner(struct bus *bus, const char *name, char *ret_owner, size_t size) MUST_CHECK;

/* ---- signals and properties out ---- */
int bus_emit(struct bus *bus, const char *path, const char *interface, const char *signal,
	const char *signature, ...) MUST_CHECK;
/* To one receiver only. */
int bus_emit_to(struct bus *bus, const char *receiver, const char *path, const char *interface,
	const char *signal, const char *signature, ...) MUST_CHECK;
struct bus_writer *bus_signal_writer(struct bus *bus, const char *receiver, const char *path,
	const char *interface, const char *signal);
int bus_signal_send(struct bus_writer *writer) MUST_CHECK; /* frees the writer */
/* PropertiesChanged for these properties (NULL-terminated list), values from the table. */
int bus_properties_changed(struct bus *bus, const char *path, const char *interface,
	const char *const *names) MUST_CHECK;

/* ---- calls out ---- */
/* @reply: borrowed. Called exactly once, but not for what is still open at bus_free(). */
typedef void (*bus_reply_fn)(struct bus_reply *reply, void *userdata);
/* Give up a writer of a call or signal that is not going to be sent. NULL allowed. */
void bus_writer_free(struct bus_writer *writer);
/* Begin a call; arguments go into the writer; then one of the two sends, which free it. */
struct bus_writer *bus_method_writer(struct bus *bus, const char *destination, const char *path,
	const char *interface, const char *method);
int bus_method_send(struct bus_writer *writer, uint64_t timeout_usec, bus_reply_fn on_reply,
	void *userdata) MUST_CHECK;
/*
 * Blocking, for commands: 0 with *ret_reply owned, or negative errno with *ret_error (may be NULL)
 * set. -ENOTCONN: nobody owns the destination; -EACCES; -ETIMEDOUT; -ESTALE, -EBADMSG, -EINVAL,
 * -EEXIST, -ENOENT, -EPERM, -EAGAIN, -EIO from org.netipsec errors; -EREMOTEIO any other error.
 */
int bus_method_call(struct bus_writer *writer, uint64_t timeout_usec, struct bus_reply **ret_reply,
	struct bus_error *ret_error) MUST_CHECK;
struct bus_reply *bus_reply_free(struct bus_reply *reply);
DEFINE_CLEANUP(struct bus_reply *, bus_reply_free)
/* NULL when the reply is no error. */
const struct bus_error *bus_reply_error(const struct bus_reply *reply);
struct bus_reader *bus_reply_reader(struct bus_reply *reply);
/* Convenience for commands: read one property of simple type into *ret (s: strdup'ed). */
int bus_get_property(struct bus *bus, const struct bus_place *place, const char *name,
	const char *type, void *ret, struct bus_error *ret_error) MUST_CHECK;

/* ---- names and signals in ---- */
typedef void (*bus_owner_fn)(const char *name, const char *old_owner, const char *new_owner,
	void *userdata); /* owners are "" for nobody */
/* Called at once with the present owner if there is one, then at each change. */
int bus_watch_name(
	struct bus *bus, const char *name, bus_owner_fn on_owner, void *userdata) MUST_CHECK;
typedef void (*bus_signal_fn)(const char *sender, struct bus_reader *args, void *userdata);
int bus_watch_signal(struct bus *bus, const struct bus_place *sender, const char *signal,
	bus_signal_fn on_signal, void *userdata) MUST_CHECK;

/*
 * Nothing is called with this userdata any more: replies that are still open are dropped, watches of
 * names and signals fall silent. Interfaces are not concerned.
 */
void bus_forget(struct bus *bus, const void *userdata);
void bus_forget_replies(struct bus *bus, const void *userdata);

/* ---- arguments ---- */
/*
 * Basic types by signature, variadic as at the head of this file. 0 or -EBADMSG / -ENOMEM. A read
 * that fails has taken nothing. What is no UTF-8 is sent with U+FFFD in its place. An error of a
 * writer stays: it may be looked at once, at the end.
 */
int bus_read(struct bus_reader *rd, const char *signature,
	...) MUST_CHECK; /* s borrowed; h dup'ed, owned */
int bus_write(struct bus_writer *wr, const char *signature, ...) MUST_CHECK;
/* Containers: type 'a' (contents: element signature), 'v' (contents), 'r' or 'e' (contents ""). */
int bus_enter(struct bus_reader *rd, char type, const char *contents) MUST_CHECK;
int bus_leave(struct bus_reader *rd) MUST_CHECK;
bool bus_at_end(struct bus_reader *rd); /* of the innermost open container or the message */
int bus_peek(struct bus_reader *rd, char *ret_type, const char **ret_contents) MUST_CHECK;
int bus_skip(struct bus_reader *rd) MUST_CHECK;
int bus_open_container(struct bus_writer *wr, char type, const char *contents) MUST_CHECK;
int bus_close_container(struct bus_writer *wr) MUST_CHECK;
/* One {sv} entry of basic type into an open a{sv}. */
int bus_write_option(struct bus_writer *wr, const char *key, const char *signature, ...) MUST_CHECK;
/*
 * Read a whole a{sv} against a table of known keys; an unknown key or a wrong type: -EBADMSG with
 * the key's name in *ret_bad_key (borrowed).
 */
struct bus_option {
	const char *key;
	const char *
		signature; /* one basic type: b (int *), s (const char **), t/u (uint64_t * / uint32_t *) */
	void *ret;
};
int bus_read_options(struct bus_reader *rd, const struct bus_option *options, size_t n_options,
	const char **ret_bad_key) MUST_CHECK;

#endif
