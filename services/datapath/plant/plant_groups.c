/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/plant/plant_groups.h"

#include <string.h>

#include "common/daemon/log.h"

static void join(struct plant *plant, const struct sad_entry *entry)
{
	char text[ADDRESS_TEXT_MAX];
	int r = 0;

	if (entry->directions & SA_INBOUND && entry->sa->mode == SA_MODE_TRANSPORT)
		r = groups_join(plant->groups, &entry->sa->dst);
	if (r < 0)
		log_warning("%s cannot be joined, what its SA brings is not delivered: %s",
			address_format(&entry->sa->dst, text), strerror(-r));
}

static void join_each(struct sad_entry *entry, void *userdata)
{
	join(userdata, entry);
}

static void on_event(const struct sadb_event *event, void *userdata)
{
	struct plant *plant = userdata;

	switch (event->kind) {
	case SADB_EVENT_ADDED:
		join(plant, event->entry);
		break;
	case SADB_EVENT_DELETED:
	case SADB_EVENT_FLUSHED:
	case SADB_EVENT_HARD:
	case SADB_EVENT_IDLE:
		plant->groups_stale = true;
		break;
	case SADB_EVENT_UPDATED:
	case SADB_EVENT_RESERVED:
	case SADB_EVENT_SOFT:
	case SADB_EVENT_ACQUIRE:
	case SADB_EVENT_MAPPING:
	case SADB_EVENT_FORECAST:
		break;
	}
}

int plant_groups_open(struct plant *plant)
{
	int r = groups_new(plant->host.ifindex, &plant->groups);

	if (r == 0)
		r = sadb_listen(plant->sadb, on_event, plant);
	if (r == 0)
		sadb_dump(plant->sadb, 0, join_each, plant);
	return r;
}

void plant_groups_close(struct plant *plant)
{
	if (plant->sadb)
		sadb_unlisten(plant->sadb, on_event, plant);
	plant->groups = groups_free(plant->groups);
}

void plant_groups_tick(struct plant *plant)
{
	if (!plant->groups_stale)
		return;
	plant->groups_stale = false;
	groups_unname(plant->groups);
	sadb_dump(plant->sadb, 0, join_each, plant);
	groups_leave_unnamed(plant->groups);
}
