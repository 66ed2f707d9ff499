/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <string.h>

#include "services/datapath/bus/listing.h"
#include "services/datapath/bus/listing_json.h"

static size_t count_rules(const struct spd *spd, const char *tunnel)
{
	size_t n = 0;

	for (size_t i = 0; spd && i < spd->count; i++)
		if (strcmp(spd->rules[i]->tunnel, tunnel) == 0)
			n++;
	return n;
}

static void add_addresses(struct json_object *entry, const struct tunnel *tunnel)
{
	struct json_object *list = json_object_new_array();
	char str[ADDRESS_TEXT_MAX], whole[PREFIX_TEXT_MAX];

	for (size_t i = 0; list && i < tunnel->n_addresses; i++) {
		(void)address_format(&tunnel->address_hosts[i], str);
		if (text_fixed(whole, sizeof(whole), "%s/%u", str, tunnel->addresses[i].bits) == 0)
			json_append(list, json_object_new_string(whole));
	}
	json_add(entry, "addresses", list);
}

static struct json_object *tunnel_entry(
	const struct tunnel *tunnel, bool by_call, const struct spd *spd)
{
	struct json_object *entry = json_object_new_object();
	char str[ADDRESS_TEXT_MAX];

	json_add_string(entry, "name", tunnel->name);
	json_add_string(entry, "source", address_format(&tunnel->src, str));
	json_add_string(entry, "destination", address_format(&tunnel->dst, str));
	if (tunnel->mtu)
		json_add_number(entry, "mtu", tunnel->mtu);
	add_addresses(entry, tunnel);
	json_add(entry, "forward", json_object_new_boolean(tunnel->forward));
	json_add_number(entry, "rules", count_rules(spd, tunnel->name));
	json_add_string(entry, "origin", by_call ? "bus" : "file");
	return entry;
}

int listing_tunnels(const struct plant *plant, struct text *ret_json)
{
	const struct tunnel_list *tunnels = plant->tunnels.list;
	struct json_object *list;
	CLEANUP(json_dropp) struct json_object *out = json_begin("tunnels", &list);

	if (!out)
		return -ENOMEM;
	for (size_t i = 0; i < tunnels->table.count; i++)
		json_append(list, tunnel_entry(&tunnels->table.tunnels[i], tunnels->by_call[i],
					  plant_view(plant)->spd));
	return json_finish(out, ret_json);
}
