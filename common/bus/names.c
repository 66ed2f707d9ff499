/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <string.h>

#include "common/base/instance.h"
#include "common/bus/wire.h"

#define OUR_PREFIX    "org.netipsec."
#define INSTANCE_PART ".ns_"

const char *names_of_instance(const char *name, char buffer[static BUS_NAME_MAX])
{
	const char *instance;
	int r = instance_name(&instance);

	if (strncmp(name, OUR_PREFIX, strlen(OUR_PREFIX)) != 0)
		return name;
	if (r < 0)
		return ""; /* which nobody owns */
	if (!instance || strstr(name, INSTANCE_PART))
		return name;
	r = text_fixed(buffer, BUS_NAME_MAX, "%s" INSTANCE_PART "%s", name, instance);
	return r < 0 ? "" : buffer;
}

int names_ask(struct bus *bus, const char *method, const char *argument,
	struct bus_reply **ret_reply, struct bus_error *ret_error)
{
	struct bus_writer *wr = bus_method_writer(
		bus, DBUS_SERVICE_DBUS, DBUS_PATH_DBUS, DBUS_INTERFACE_DBUS, method);

	writer_put(wr, "s", argument);
	return bus_method_call(wr, BUS_ASK_USEC, ret_reply, ret_error);
}

static int add_match(struct bus *bus, const struct text *rule)
{
	CLEANUP(bus_reply_freep) struct bus_reply *reply = NULL;

	return rule->failed ? -ENOMEM : names_ask(bus, "AddMatch", rule->str, &reply, NULL);
}

static void owner_rule(const char *name, struct text *rule)
{
	text_addf(rule,
		"type='signal',sender='org.freedesktop.DBus',path='/org/freedesktop/DBus',"
		"interface='org.freedesktop.DBus',member='NameOwnerChanged',arg0='%s'",
		name);
}

/* ---- owners ---- */

static int names_request(struct bus *bus, const char *name, struct bus_error *ret_error)
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

int bus_own_name(struct bus *bus, const char *name, struct bus_error *ret_error)
{
	char buffer[BUS_NAME_MAX];
	struct bus_owned *owned;
	int r;

	name = names_of_instance(name, buffer);
	r = names_request(bus, name, ret_error);
	if (r < 0)
		return r;
	owned = calloc(1, sizeof(*owned));
	if (!owned)
		return -ENOMEM;
	owned->name = strdup(name);
	owned->next = bus->owned;
	bus->owned = owned; /* from here bus_free() frees it */
	return owned->name ? 0 : -ENOMEM;
}

int bus_name_owner(struct bus *bus, const char *name, char *ret_owner, size_t size)
{
	CLEANUP(bus_reply_freep) struct bus_reply *reply = NULL;
	char buffer[BUS_NAME_MAX];
	const char *owner;
	int r = names_ask(bus, "GetNameOwner", names_of_instance(name, buffer), &reply, NULL);

	if (r < 0)
		return r == -ENOTCONN ? -ENOENT : r;
	r = bus_read(&reply->reader, "s", &owner);
	return r < 0 ? r : text_copy(ret_owner, size, owner);
}

/* Asked after the match stands: what changes from here on is told. */
static int name_follow(struct bus *bus, struct bus_name *watch)
{
	CLEANUP(text_done) struct text rule = { 0 };
	int r;

	owner_rule(watch->name, &rule);
	r = add_match(bus, &rule);
	if (r == 0)
		r = bus_name_owner(bus, watch->name, watch->owner, sizeof(watch->owner));
	return r == -ENOENT ? 0 : r;
}

static void name_tell(struct bus_name *watch)
{
	if (watch->on_owner && *watch->owner)
		watch->on_owner(watch->name, "", watch->owner, watch->userdata);
}

int bus_watch_name(struct bus *bus, const char *name, bus_owner_fn on_owner, void *userdata)
{
	char buffer[BUS_NAME_MAX];
	struct bus_name *watch;
	int r;

	name = names_of_instance(name, buffer);
	if (!dbus_validate_bus_name(name, NULL))
		return -EINVAL;
	watch = calloc(1, sizeof(*watch));
	if (!watch)
		return -ENOMEM;
	watch->name = strdup(name);
	r = watch->name ? name_follow(bus, watch) : -ENOMEM;
	if (r < 0) {
		free(watch->name);
		free(watch);
		return r;
	}
	watch->on_owner = on_owner;
	watch->userdata = userdata;
	watch->next = bus->names;
	bus->names = watch;
	name_tell(watch);
	return 0;
}

static void drop_cached(struct bus *bus, const char *unique_name)
{
	for (size_t i = 0; bus->cached && i < BUS_MAX_CACHED; i++) {
		struct text rule = { 0 };

		if (strcmp(bus->cached[i].name, unique_name) != 0)
			continue;
		owner_rule(unique_name, &rule);
		if (!rule.failed)
			dbus_bus_remove_match(bus->connection, rule.str, NULL);
		text_done(&rule);
		bus->cached[i].name[0] = '\0';
	}
}

static void owner_changed(struct bus *bus, const char *name, const char *owner)
{
	if (*name == ':' && *owner == '\0') {
		drop_cached(bus, name);
		if (bus->on_leave)
			bus->on_leave(name, bus->guard_userdata);
	}
	for (struct bus_name *w = bus->names; w; w = w->next) {
		char old[BUS_NAME_MAX];

		/* Equal: the signal tells what the first question had answered already. */
		if (strcmp(w->name, name) != 0 || strcmp(w->owner, owner) == 0)
			continue;
		if (text_copy(old, sizeof(old), w->owner) < 0 ||
			text_copy(w->owner, sizeof(w->owner), owner) < 0)
			continue;
		if (w->on_owner)
			w->on_owner(w->name, old, w->owner, w->userdata);
	}
}

/* ---- signals ---- */

static int match_follow(struct bus *bus, const struct bus_match *match)
{
	CLEANUP(text_done) struct text rule = { 0 };

	text_addf(&rule, "type='signal',sender='%s',path='%s',interface='%s',member='%s'",
		match->sender, match->path, match->interface, match->signal);
	return add_match(bus, &rule);
}

int bus_watch_signal(struct bus *bus, const struct bus_place *sender, const char *signal,
	bus_signal_fn on_signal, void *userdata)
{
	char buffer[BUS_NAME_MAX];
	const char *name = names_of_instance(sender->name, buffer);
	struct bus_match *match;
	int r = 0;

	if (!dbus_validate_bus_name(name, NULL) || !dbus_validate_path(sender->path, NULL) ||
		!dbus_validate_interface(sender->interface, NULL) ||
		!dbus_validate_member(signal, NULL))
		return -EINVAL;
	/* The match rule is the bus's promise; a signal sent to us alone is held against the owner. */
	if (*name != ':' && strcmp(name, DBUS_SERVICE_DBUS) != 0)
		r = bus_watch_name(bus, name, NULL, NULL);
	if (r < 0)
		return r;
	match = calloc(1, sizeof(*match));
	if (!match)
		return -ENOMEM;
	*match = (struct bus_match){ .next = bus->matches,
		.sender = strdup(name),
		.path = strdup(sender->path),
		.interface = strdup(sender->interface),
		.signal = strdup(signal),
		.on_signal = on_signal,
		.userdata = userdata };
	bus->matches = match; /* from here bus_free() frees it */
	if (!match->sender || !match->path || !match->interface || !match->signal) {
		match->on_signal = NULL;
		return -ENOMEM;
	}
	return match_follow(bus, match);
}

static bool is_sent_by(const struct bus *bus, const char *sender, const char *name)
{
	if (strcmp(sender, name) == 0)
		return true;
	for (const struct bus_name *w = bus->names; w; w = w->next)
		if (strcmp(w->name, name) == 0 && strcmp(w->owner, sender) == 0)
			return true;
	return false;
}

void names_signal(struct bus *bus, DBusMessage *message)
{
	const char *sender = dbus_message_get_sender(message);
	struct bus_reader rd;
	const char *name, *old, *owner;

	if (!sender)
		return;
	if (strcmp(sender, DBUS_SERVICE_DBUS) == 0 &&
		dbus_message_is_signal(message, DBUS_INTERFACE_DBUS, "NameOwnerChanged")) {
		reader_start(&rd, message);
		if (bus_read(&rd, "sss", &name, &old, &owner) == 0)
			owner_changed(bus, name, owner);
	}
	for (struct bus_match *m = bus->matches; m; m = m->next) {
		if (!m->on_signal || !dbus_message_is_signal(message, m->interface, m->signal) ||
			!dbus_message_has_path(message, m->path) ||
			!is_sent_by(bus, sender, m->sender))
			continue;
		reader_start(&rd, message);
		m->on_signal(sender, &rd, m->userdata);
		reader_done(&rd);
	}
}

/* The entries stay until bus_free(): a signal may be on its way through the list. */
void bus_forget(struct bus *bus, const void *userdata)
{
	bus_forget_replies(bus, userdata);
	for (struct bus_name *w = bus->names; w; w = w->next)
		if (w->userdata == userdata)
			w->on_owner = NULL;
	for (struct bus_match *m = bus->matches; m; m = m->next)
		if (m->userdata == userdata)
			m->on_signal = NULL;
}

void names_lost(struct bus *bus)
{
	/* Unique names begin anew with another bus: what is known of them would be another's. */
	for (size_t i = 0; bus->cached && i < BUS_MAX_CACHED; i++)
		bus->cached[i].name[0] = '\0';
	for (struct bus_name *w = bus->names; w; w = w->next) {
		char old[BUS_NAME_MAX];

		if (*w->owner == '\0' || text_copy(old, sizeof(old), w->owner) < 0)
			continue;
		*w->owner = '\0';
		if (w->on_owner)
			w->on_owner(w->name, old, "", w->userdata);
	}
}

int names_restore(struct bus *bus)
{
	int r = 0;

	for (struct bus_owned *o = bus->owned; o && r == 0; o = o->next)
		r = names_request(bus, o->name, NULL);
	for (struct bus_match *m = bus->matches; m && r == 0; m = m->next)
		if (m->on_signal)
			r = match_follow(bus, m);
	for (struct bus_name *w = bus->names; w && r == 0; w = w->next)
		r = name_follow(bus, w);
	/* Told when all stands: who is told may call at once. */
	for (struct bus_name *w = bus->names; w && r == 0; w = w->next)
		name_tell(w);
	return r;
}

void names_done(struct bus *bus)
{
	while (bus->owned) {
		struct bus_owned *next = bus->owned->next;

		free(bus->owned->name);
		free(bus->owned);
		bus->owned = next;
	}
	while (bus->names) {
		struct bus_name *next = bus->names->next;

		free(bus->names->name);
		free(bus->names);
		bus->names = next;
	}
	while (bus->matches) {
		struct bus_match *next = bus->matches->next;

		free(bus->matches->sender);
		free(bus->matches->path);
		free(bus->matches->interface);
		free(bus->matches->signal);
		free(bus->matches);
		bus->matches = next;
	}
	free(bus->cached);
	bus->cached = NULL;
}

/* ---- credentials ---- */

static int read_groups(struct bus_reader *rd, struct bus_credentials *credentials)
{
	int r = bus_enter(rd, 'a', "u");

	/* Groups past the last place are left out: they can only grant less. */
	while (r == 0 && !bus_at_end(rd)) {
		uint32_t group;

		r = bus_read(rd, "u", &group);
		if (r == 0 && credentials->n_groups < ARRAY_SIZE(credentials->groups))
			credentials->groups[credentials->n_groups++] = group;
	}
	return r < 0 ? r : bus_leave(rd);
}

static int read_number(struct bus_reader *rd, uint32_t *ret)
{
	int r = bus_enter(rd, 'v', "u");

	if (r == 0)
		r = bus_read(rd, "u", ret);
	return r < 0 ? r : bus_leave(rd);
}

static int read_credential(struct bus_reader *rd, struct bus_credentials *found)
{
	uint32_t number = 0;
	const char *key;
	int r = bus_read(rd, "s", &key);

	if (r < 0)
		return r;
	if (strcmp(key, "UnixUserID") == 0) {
		r = read_number(rd, &number);
		if (r == 0)
			found->uid = number;
	} else if (strcmp(key, "ProcessID") == 0) {
		r = read_number(rd, &number);
		found->pid = (pid_t)number;
	} else if (strcmp(key, "UnixGroupIDs") == 0) {
		r = bus_enter(rd, 'v', "au");
		if (r == 0)
			r = read_groups(rd, found);
		if (r == 0)
			r = bus_leave(rd);
	} else {
		r = bus_skip(rd);
	}
	return r;
}

static int read_credentials(struct bus_reader *rd, struct bus_credentials *ret)
{
	struct bus_credentials found = { .uid = (uid_t)-1 };
	int r = bus_enter(rd, 'a', "{sv}");

	while (r == 0 && !bus_at_end(rd)) {
		r = bus_enter(rd, 'e', "");
		if (r == 0)
			r = read_credential(rd, &found);
		if (r == 0)
			r = bus_leave(rd);
	}
	if (r < 0)
		return r;
	if (found.uid == (uid_t)-1)
		return -ENODATA;
	*ret = found;
	return 0;
}

int bus_credentials(struct bus *bus, const char *unique_name, struct bus_credentials *ret)
{
	CLEANUP(bus_reply_freep) struct bus_reply *reply = NULL;
	struct bus_cached *slot;
	struct text rule = { 0 };
	int r;

	if (*unique_name != ':') /* a well-known name may change hands */
		return -EINVAL;
	if (!bus->cached && !(bus->cached = calloc(BUS_MAX_CACHED, sizeof(*bus->cached))))
		return -ENOMEM;
	for (size_t i = 0; i < BUS_MAX_CACHED; i++) {
		if (strcmp(bus->cached[i].name, unique_name) != 0)
			continue;
		*ret = bus->cached[i].credentials;
		return 0;
	}
	r = names_ask(bus, "GetConnectionCredentials", unique_name, &reply, NULL);
	if (r < 0)
		return r == -ENOTCONN ? -ENOENT : r;
	slot = &bus->cached[bus->next_cached++ % BUS_MAX_CACHED];
	if (*slot->name)
		drop_cached(bus, slot->name);
	r = read_credentials(&reply->reader, &slot->credentials);
	if (r < 0)
		return r;
	*ret = slot->credentials;
	/* A name that cannot be followed is asked for again each time. */
	owner_rule(unique_name, &rule);
	if (!rule.failed && text_copy(slot->name, sizeof(slot->name), unique_name) == 0)
		dbus_bus_add_match(bus->connection, rule.str, NULL);
	text_done(&rule);
	return 0;
}
