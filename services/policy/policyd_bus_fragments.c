/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Fragments on the bus: who may bring one, and in whose place. */
#include <errno.h>
#include <string.h>

#include "services/policy/policyd.h"

/* Return: 0, or 1 after the caller was told why not. */
static int check_name(const struct policyd *d, struct bus_call *call, const char *name)
{
	const struct policyd_fragment *there = policyd_fragments_find(&d->fragments, name);

	if (!policyd_fragment_name_is_valid(name)) {
		bus_call_fail(call, "Invalid",
			"a fragment's name has letters, digits, '-', '_' and '.', and at most %d "
			"of them",
			FRAGMENT_NAME_MAX - 1);
		return 1;
	}
	if (there && !there->persistent && strcmp(there->owner, bus_call_sender(call)) != 0) {
		bus_call_fail(call, "Exists", "fragment %s belongs to %s", name, there->owner);
		return 1;
	}
	if (!there && d->fragments.count >= FRAGMENTS_MAX) {
		bus_call_fail(call, "Unavailable", "there are %d fragments already", FRAGMENTS_MAX);
		return 1;
	}
	return 0;
}

/* Return: 0, 1 after the caller was told why not, negative errno. */
static int take_source(struct bus_call *call, int fd, struct policyd_fragment *fragment)
{
	CLEANUP(policy_change_freep)
	struct policy_change *reading = policy_change_new(CHANGE_FRAGMENT_ADD);
	int r = reading ? policyd_bus_read_source(fd, reading) : -ENOMEM;

	if (r == 0 && reading->len > FRAGMENT_MAX_BYTES)
		r = -EFBIG;
	if (r == -ENOMEM)
		return r;
	if (r < 0) {
		bus_call_fail(call, "Io", "the source cannot be read: %s", strerror(-r));
		return 1;
	}
	fragment->source = STEAL(reading->source);
	fragment->len = reading->len;
	return 0;
}

static int read_fragment(struct bus_call *call, struct bus_reader *args, const struct policyd *d,
	struct policyd_fragment *fragment)
{
	CLEANUP(fd_closep) int fd = -1;
	const char *name, *bad_key;
	int persistent = 0, enforce = 1, r;
	const struct bus_option options[] = { { "persistent", "b", &persistent },
		{ "enforce", "b", &enforce } };

	r = bus_read(args, "sh", &name, &fd);
	if (r == 0)
		r = bus_read_options(args, options, ARRAY_SIZE(options), &bad_key);
	if (r == 0)
		r = check_name(d, call, name);
	if (r == 0)
		r = take_source(call, fd, fragment);
	if (r != 0)
		return r;
	fragment->persistent = persistent;
	fragment->enforce = enforce;
	fragment->name = strdup(name);
	fragment->owner = strdup(bus_call_sender(call));
	return fragment->name && fragment->owner ? 0 : -ENOMEM;
}

int policyd_on_add_fragment(struct bus_call *call, struct bus_reader *args, void *userdata)
{
	CLEANUP(policy_change_freep)
	struct policy_change *change = policy_change_new(CHANGE_FRAGMENT_ADD);
	struct policyd *d = service_owner(userdata);
	int r;

	if (!change)
		return -ENOMEM;
	change->fragment = calloc(1, sizeof(*change->fragment));
	if (!change->fragment)
		return -ENOMEM;
	r = read_fragment(call, args, d, change->fragment);
	if (r != 0)
		return r < 0 ? r : 0;
	change->label = strdup(change->fragment->name);
	if (!change->label)
		return -ENOMEM;
	return policyd_bus_submit(d, STEAL(change), call);
}

int policyd_on_remove_fragment(struct bus_call *call, struct bus_reader *args, void *userdata)
{
	CLEANUP(policy_change_freep)
	struct policy_change *change = policy_change_new(CHANGE_FRAGMENT_REMOVE);
	struct policyd *d = service_owner(userdata);
	const char *name;
	int r = change ? bus_read(args, "s", &name) : -ENOMEM;

	if (r < 0)
		return r;
	if (!policyd_fragments_find(&d->fragments, name)) {
		bus_call_fail(call, "NotFound", "there is no fragment of this name");
		return 0;
	}
	change->fragment_name = strdup(name);
	if (!change->fragment_name)
		return -ENOMEM;
	return policyd_bus_submit(d, STEAL(change), call);
}
