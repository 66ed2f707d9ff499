/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <inttypes.h>

#include "common/base/clock.h"
#include "services/datapath/bus/listing.h"
#include "services/datapath/bus/listing_json.h"
#include "services/datapath/drops/drop_words.h"

static void add_end(struct json_object *entry, const char *key, const char *port_key,
	const struct flow *flow, bool local)
{
	const struct address *addr = local ? &flow->local : &flow->remote;
	char str[ADDRESS_TEXT_MAX];

	json_add_string(entry, key, address_format(addr, str));
	if (flow->has_ports)
		json_add_number(entry, port_key, local ? flow->local_port : flow->remote_port);
}

/* In packet direction. */
static void add_flow(struct json_object *entry, const struct flow *flow)
{
	bool out = flow->direction == DIRECTION_OUT;

	json_add_string(entry, "direction", out ? "out" : "in");
	if (flow->local.family == AF_UNSPEC)
		return;
	json_add_number(entry, "protocol", flow->protocol);
	add_end(entry, "source", "source_port", flow, out);
	add_end(entry, "destination", "destination_port", flow, !out);
	if (flow->has_icmp) {
		json_add_number(entry, "icmp_type", flow->icmp_type);
		json_add_number(entry, "icmp_code", flow->icmp_code);
	}
}

static struct json_object *drop_entry(
	const struct plant *plant, uint64_t number, const struct drop *drop)
{
	struct json_object *entry = json_object_new_object();
	uint64_t ago = clock_boot_usec() - drop->at_usec;
	CLEANUP(text_done) struct text place = { 0 };
	char id[RULE_ID_TEXT_MAX], spi[16];

	json_add_number(entry, "number", number);
	json_add_number(entry, "time_usec", clock_wall_usec() - ago);
	json_add_string(entry, "reason", verdict_name(drop->verdict));
	json_add_string(entry, "text", verdict_text(drop->verdict));
	json_add_string(entry, "hint", drop_hint(drop->verdict));
	add_flow(entry, &drop->flow);
	if (drop->spi && text_fixed(spi, sizeof(spi), "0x%08" PRIx32, drop->spi) == 0)
		json_add_string(entry, "spi", spi);
	plant_tunnel_name(plant, drop->tunnel, &place);
	if (place.len)
		json_add_string(entry, "tunnel", place.str);
	if (drop->rule_id) {
		text_done(&place);
		place = (struct text){ 0 };
		plant_rule_place(plant, drop->rule_id, &place);
		json_add_string(entry, "rule", rule_id_format(drop->rule_id, id));
		if (place.len)
			json_add_string(entry, "place", place.str);
	}
	json_add_string(entry, "by", drop->by_kernel ? "kernel" : "engine");
	return entry;
}

int listing_drops(struct plant *plant, uint64_t after, struct text *ret_json)
{
	struct json_object *list;
	CLEANUP(json_dropp) struct json_object *out = json_begin("drops", &list);
	uint64_t next = drops_next(plant->drops), first = after + 1;

	if (!out)
		return -ENOMEM;
	/* A number of a former life: all that there is. */
	if (after >= next)
		first = 1;
	if (next > DROPS_KEPT && first < next - DROPS_KEPT)
		first = next - DROPS_KEPT;
	json_add_number(out, "next", next);
	json_add_number(out, "lost", drops_lost(plant->drops));
	for (uint64_t i = first; i < next; i++)
		json_append(list, drop_entry(plant, i, drops_get(plant->drops, i)));
	return json_finish(out, ret_json);
}
