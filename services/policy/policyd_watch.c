/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What others tell the policy service: addresses, algorithms, owners of fragments, rolled back trials. */
#include <errno.h>
#include <string.h>

#include "common/daemon/log.h"
#include "services/policy/policyd.h"

#define DATAPATH   "org.netipsec.Datapath1"
#define ALGORITHMS "org.netipsec.Algorithms1"

static const struct bus_place datapath = {
	.name = DATAPATH, .path = "/org/netipsec/Datapath1", .interface = DATAPATH
};
static const struct bus_place algorithms = {
	.name = ALGORITHMS,
	.path = "/org/netipsec/Algorithms1",
	.interface = "org.freedesktop.DBus.Properties",
};

/* Names may mean other numbers now; the same content is not published again. */
static void on_names_changed(const char *sender, struct bus_reader *args, void *userdata)
{
	(void)sender;
	(void)args;
	policyd_expand(userdata);
}

static void on_trial_end(bool confirmed, void *userdata)
{
	const struct service *service = userdata;

	if (confirmed)
		policyd_confirmed(service->userdata);
	else
		policyd_rolled_back(service->userdata);
}

int policyd_watch(struct policyd *d)
{
	struct bus *bus = daemon_bus(d->service.daemon);
	int r;

	d->owners.d = d;
	publisher_watch_trial(d->service.publisher, on_trial_end);
	r = bus_watch_signal(bus, &datapath, "AddressesChanged", on_names_changed, d);
	if (r == 0)
		r = bus_watch_signal(bus, &algorithms, "PropertiesChanged", on_names_changed, d);
	return r;
}

/* ---- fragments whose owner leaves ---- */

static bool is_owned_by(const struct policyd_fragment *fragment, const char *owner)
{
	return !fragment->persistent && strcmp(fragment->owner, owner) == 0;
}

static bool is_queued(const struct policyd *d, const char *name)
{
	for (const struct policy_change *change = d->queue; change; change = change->following)
		if (change->kind == CHANGE_FRAGMENT_REMOVE &&
			strcmp(change->fragment_name, name) == 0)
			return true;
	return false;
}

static void queue_removal(struct policyd *d, const struct policyd_fragment *fragment)
{
	CLEANUP(policy_change_freep)
	struct policy_change *change = policy_change_new(CHANGE_FRAGMENT_REMOVE);

	if (change)
		change->fragment_name = strdup(fragment->name);
	if (!change || !change->fragment_name) {
		log_error("fragment %s outlives its owner: no memory", fragment->name);
		return;
	}
	log_info("fragment %s goes with its owner %s", fragment->name, fragment->owner);
	policyd_enqueue(d, STEAL(change));
}

static void on_owner(const char *name, const char *old_owner, const char *new_owner, void *userdata)
{
	const struct policyd_owners *owners = userdata;
	struct policyd *d = owners->d;

	(void)old_owner;
	if (*new_owner != '\0')
		return;
	for (const struct policyd_fragment *f = d->fragments.first; f; f = f->next)
		if (is_owned_by(f, name) && !is_queued(d, f->name))
			queue_removal(d, f);
	policyd_start(d);
}

/* Unique names do not come back: each is watched once. */
static int watch_once(struct policyd *d, const char *owner)
{
	struct policyd_owners *owners = &d->owners;
	char **grown;

	for (size_t i = 0; i < owners->count; i++)
		if (strcmp(owners->watched[i], owner) == 0)
			return 0;
	grown = reallocarray(owners->watched, owners->count + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	owners->watched = grown;
	grown[owners->count] = strdup(owner);
	if (!grown[owners->count])
		return -ENOMEM;
	owners->count++;
	return bus_watch_name(daemon_bus(d->service.daemon), owner, on_owner, owners);
}

void policyd_watch_owners(struct policyd *d)
{
	for (const struct policyd_fragment *f = d->fragments.first; f; f = f->next) {
		char owner[256];
		int r;

		if (f->persistent)
			continue;
		r = watch_once(d, f->owner);
		if (r < 0)
			log_error("the owner of fragment %s cannot be watched: %s", f->name,
				strerror(-r));
		/* It may have left before it was watched. */
		if (bus_name_owner(daemon_bus(d->service.daemon), f->owner, owner, sizeof(owner)) ==
				-ENOENT &&
			!is_queued(d, f->name))
			queue_removal(d, f);
	}
}
