/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/plant/plant_tunnels.h"

#include <errno.h>
#include <string.h>

#include "common/base/memfd.h"
#include "services/datapath/plant/plant.h"
#include "services/datapath/plant/plant_devices.h"
#include "services/datapath/settings/settings_tunnel.h"

#define NO_SLOT (-1)

static int find_slot(const struct plant_tunnels *tunnels, const char *name)
{
	for (size_t i = 0; i < tunnels->slots->count; i++)
		if (strcmp(tunnels->slots->tunnels[i].name, name) == 0)
			return (int)i;
	return NO_SLOT;
}

static int free_slot(const struct plant_tunnels *tunnels)
{
	/* Packets of the one that left last may still wait for the control thread. */
	for (size_t i = 0; i < ENGINE_MAX_TUNNELS; i++) {
		size_t slot = (tunnels->next + i) % ENGINE_MAX_TUNNELS;

		if (!tunnels->busy[slot])
			return (int)slot;
	}
	return NO_SLOT;
}

/* A change in the making. */
struct change {
	struct plant *plant;
	const struct tunnel_list *list;
	int slots[ENGINE_MAX_TUNNELS]; /* of each of the list */
	bool fresh[ENGINE_MAX_TUNNELS]; /* by slot: opened for this change */
	struct text *why;
};

static void close_slot(struct plant *plant, size_t slot, bool remove)
{
	struct plant_tunnels *tunnels = &plant->tunnels;
	struct tun *tun = rcu_read(&tunnels->tuns[slot]);

	rcu_publish(&tunnels->tuns[slot], NULL);
	plant_device_close(tun, remove);
	tunnels->fragments[slot] = frag_store_free(tunnels->fragments[slot]);
	tunnels->busy[slot] = false;
}

static int open_slot(struct change *change, struct netlink *route, size_t which)
{
	struct plant_tunnels *tunnels = &change->plant->tunnels;
	const struct tunnel *tunnel = &change->list->table.tunnels[which];
	struct tun *tun = NULL;
	int slot = free_slot(tunnels), r;

	if (slot == NO_SLOT) {
		/* What was removed just now is gone soon. */
		rcu_barrier(change->plant->rcu);
		slot = free_slot(tunnels);
	}
	if (slot == NO_SLOT)
		return -EBUSY;
	r = plant_device_open(change->plant, route, tunnel, &tun);
	if (r < 0)
		return r;
	tunnels->fragments[slot] = frag_store_new();
	if (!tunnels->fragments[slot]) {
		plant_device_close(tun, true);
		return -ENOMEM;
	}
	tunnels->busy[slot] = change->fresh[slot] = true;
	tunnels->next = (size_t)slot + 1;
	rcu_publish(&tunnels->tuns[slot], tun);
	change->slots[which] = slot;
	return 0;
}

static void undo(struct change *change)
{
	for (size_t i = 0; i < ENGINE_MAX_TUNNELS; i++)
		if (change->fresh[i])
			close_slot(change->plant, i, true);
}

/* Devices of what is new. Nobody knows them yet. */
static int open_fresh(struct change *change, struct netlink *route)
{
	const struct tunnel_table *wanted = &change->list->table;

	for (size_t i = 0; i < wanted->count; i++) {
		int r;

		change->slots[i] = find_slot(&change->plant->tunnels, wanted->tunnels[i].name);
		if (change->slots[i] != NO_SLOT)
			continue;
		r = open_slot(change, route, i);
		if (r < 0) {
			text_addf(change->why, "tunnel '%s': its interface cannot be made: %s",
				wanted->tunnels[i].name, strerror(-r));
			return r;
		}
	}
	return 0;
}

static void lay_out(const struct change *change, struct tunnel_table *slots)
{
	for (size_t i = 0; i < change->list->table.count; i++) {
		size_t slot = (size_t)change->slots[i];

		slots->tunnels[slot] = change->list->table.tunnels[i];
		if (slots->count <= slot)
			slots->count = slot + 1;
	}
}

struct leaving {
	struct plant *plant;
	size_t slot;
	struct tun *tun;
};

static void on_left(void *userdata)
{
	struct leaving *leaving = userdata;
	struct plant_tunnels *tunnels = &leaving->plant->tunnels;

	plant_device_close(leaving->tun, true);
	tunnels->fragments[leaving->slot] = frag_store_free(tunnels->fragments[leaving->slot]);
	tunnels->busy[leaving->slot] = false;
	free(leaving);
}

/* Workers let go of it one by one; then the device goes. */
static void leave(struct plant *plant, size_t slot)
{
	struct plant_tunnels *tunnels = &plant->tunnels;
	struct leaving *leaving = calloc(1, sizeof(*leaving));
	struct tun *tun = rcu_read(&tunnels->tuns[slot]);

	for (size_t i = 0; i < plant->n_workers; i++)
		worker_unwatch_tunnel(plant->workers[i], slot);
	rcu_publish(&tunnels->tuns[slot], NULL);
	if (leaving) {
		*leaving = (struct leaving){ plant, slot, tun };
		if (rcu_defer(plant->rcu, on_left, leaving) == 0)
			return;
		free(leaving);
	}
	/* Without memory for the deferred call: the device and its slot stay until the next start. */
	rcu_barrier(plant->rcu);
}

static int watch_fresh(struct change *change)
{
	struct plant *plant = change->plant;
	int r = 0;

	for (size_t i = 0; i < ENGINE_MAX_TUNNELS && r == 0; i++)
		for (size_t k = 0; change->fresh[i] && k < plant->n_workers && r == 0; k++)
			r = worker_watch_tunnel(plant->workers[k], i);
	return r;
}

/* What the kernel knows of the interfaces that stay: length, addresses. */
static int adjust(
	const struct change *change, struct netlink *route, const struct tunnel_table *former)
{
	const struct plant_tunnels *tunnels = &change->plant->tunnels;
	int r = 0;

	for (size_t i = 0; i < change->list->table.count && r == 0; i++) {
		size_t slot = (size_t)change->slots[i];

		if (!change->fresh[slot])
			r = plant_device_adjust(route, rcu_read(&tunnels->tuns[slot]),
				&former->tunnels[slot], &change->list->table.tunnels[i]);
	}
	return r;
}

static void free_memory(void *memory)
{
	free(memory);
}

/* Readers may still look at it. */
static void retire(struct plant *plant, void *memory)
{
	if (memory && rcu_defer(plant->rcu, free_memory, memory) < 0)
		rcu_barrier(plant->rcu); /* lost to the lack of memory, nothing else */
}

/* The new table is in force: workers look at the new devices and leave the others. */
static int complete(struct change *change, struct netlink *route, struct tunnel_table *slots)
{
	struct plant *plant = change->plant;
	struct tunnel_table *former = plant->tunnels.slots;
	int r = watch_fresh(change), adjusted;

	plant->tunnels.slots = slots;
	for (size_t i = 0; i < former->count; i++)
		if (former->tunnels[i].name[0] != '\0' &&
			(i >= slots->count || slots->tunnels[i].name[0] == '\0'))
			leave(plant, i);
	adjusted = adjust(change, route, former);
	retire(plant, former);
	plant_devices_tell_wire(plant);
	return r < 0 ? r : adjusted;
}

int plant_tunnels_change(struct plant *plant, const struct tunnel_list *list, struct text *why)
{
	struct change change = { .plant = plant, .list = list, .why = why };
	CLEANUP(netlink_close) struct netlink route = { .fd = -1 };
	CLEANUP(freep) struct tunnel_table *slots = calloc(1, sizeof(*slots));
	CLEANUP(freep) struct tunnel_list *copy = malloc(sizeof(*copy));
	struct tunnel_list *former = plant->tunnels.list;
	int r = slots && copy ? netlink_open(NETLINK_ROUTE, 0, &route) : -ENOMEM;

	if (r == 0)
		r = open_fresh(&change, &route);
	if (r == 0) {
		lay_out(&change, slots);
		memcpy(copy, list, sizeof(*copy));
		r = plant_enforce_tunnels(plant, slots, &copy->table);
	}
	if (r < 0) {
		undo(&change);
		if (why->len == 0)
			text_addf(why, "tunnels cannot be changed: %s", strerror(-r));
		return r;
	}
	plant->tunnels.list = STEAL(copy);
	r = complete(&change, &route, STEAL(slots));
	free(former); /* the lid has the next one by now, workers never saw it */
	plant_tunnels_remember(plant);
	if (r < 0)
		text_addf(why, "the tunnels are in force, but the kernel refused something: %s",
			strerror(-r));
	return r;
}

static bool same_ends(const struct tunnel *a, const struct tunnel *b)
{
	return address_equal(&a->src, &b->src) && address_equal(&a->dst, &b->dst);
}

/* False: it is at odds with one that is there already. */
static bool append(
	struct tunnel_list *list, const struct tunnel *tunnel, bool by_call, struct text *why)
{
	struct tunnel_table *table = &list->table;

	for (size_t i = 0; i < table->count; i++) {
		const struct tunnel *other = &table->tunnels[i];

		if (strcmp(other->name, tunnel->name) != 0 && !same_ends(other, tunnel))
			continue;
		text_addf(why, "tunnel '%s' is at odds with '%s', which was added over the bus",
			by_call ? other->name : tunnel->name, by_call ? tunnel->name : other->name);
		return false;
	}
	if (table->count == ENGINE_MAX_TUNNELS) {
		text_addf(why, "more than %d tunnels", ENGINE_MAX_TUNNELS);
		return false;
	}
	list->by_call[table->count] = by_call;
	table->tunnels[table->count++] = *tunnel;
	return true;
}

static int merge(struct tunnel_list *list, const struct tunnel_table *file,
	const struct tunnel_list *added, struct text *why)
{
	for (size_t i = 0; i < file->count; i++)
		if (!append(list, &file->tunnels[i], false, why))
			return -EEXIST;
	for (size_t i = 0; i < added->table.count; i++)
		if (added->by_call[i] && !append(list, &added->table.tunnels[i], true, why))
			return -EEXIST;
	return 0;
}

static bool tables_equal(const struct tunnel_table *a, const struct tunnel_table *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (!tunnel_equal(&a->tunnels[i], &b->tunnels[i]))
			return false;
	return true;
}

int plant_tunnels_reload(struct plant *plant, const struct tunnel_table *file, struct text *why)
{
	CLEANUP(freep) struct tunnel_list *list = calloc(1, sizeof(*list));
	int r = list ? merge(list, file, plant->tunnels.list, why) : -ENOMEM;

	if (r < 0 || tables_equal(&list->table, &plant->tunnels.list->table))
		return r;
	return plant_tunnels_change(plant, list, why);
}

int plant_tunnels_remove(struct plant *plant, const char *name, struct text *why)
{
	CLEANUP(freep) struct tunnel_list *list = calloc(1, sizeof(*list));
	const struct tunnel_list *now = plant->tunnels.list;
	bool found = false;

	if (!list)
		return -ENOMEM;
	for (size_t i = 0; i < now->table.count; i++) {
		if (strcmp(now->table.tunnels[i].name, name) != 0) {
			list->by_call[list->table.count] = now->by_call[i];
			list->table.tunnels[list->table.count++] = now->table.tunnels[i];
			continue;
		}
		if (!now->by_call[i])
			return -EPERM;
		found = true;
	}
	return found ? plant_tunnels_change(plant, list, why) : -ENOENT;
}

int plant_tunnels_open(struct plant *plant, struct fdstore *store)
{
	struct plant_tunnels *tunnels = &plant->tunnels;
	struct change change = { .plant = plant };
	CLEANUP(text_done) struct text why = { 0 };
	CLEANUP(freep) struct tunnel_list *added = calloc(1, sizeof(*added));
	CLEANUP(netlink_close) struct netlink route = { .fd = -1 };
	int r;

	tunnels->slots = calloc(1, sizeof(*tunnels->slots));
	tunnels->list = calloc(1, sizeof(*tunnels->list));
	if (!tunnels->slots || !tunnels->list || !added)
		return -ENOMEM;
	plant_tunnels_recall(store, added);
	/* The file counts where both want the same. */
	if (merge(tunnels->list, &plant->settings->tunnels, added, &why) < 0) {
		memset(tunnels->list, 0, sizeof(*tunnels->list));
		tunnels->list->table = plant->settings->tunnels;
	}
	change.list = tunnels->list;
	change.why = &why;
	r = netlink_open(NETLINK_ROUTE, 0, &route);
	if (r == 0)
		r = open_fresh(&change, &route);
	if (r < 0)
		return r;
	lay_out(&change, tunnels->slots);
	return plant_devices_forget_stale(plant, &route);
}

void plant_tunnels_close(struct plant *plant)
{
	struct plant_tunnels *tunnels = &plant->tunnels;

	for (size_t i = 0; i < ENGINE_MAX_TUNNELS; i++)
		close_slot(plant, i, false);
	free(tunnels->slots);
	free(tunnels->list);
	tunnels->slots = NULL;
	tunnels->list = NULL;
}
