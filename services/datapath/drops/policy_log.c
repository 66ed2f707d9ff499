/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/drops/policy_log.h"

#include <inttypes.h>

#include "common/base/clock.h"
#include "common/daemon/log-ids.h"
#include "common/daemon/log.h"
#include "services/datapath/drops/drop_words.h"

#define USEC_PER_MSEC UINT64_C(1000)
#define MAX_FIELDS    13

bool drop_limit_pass(
	struct drop_limit *limit, uint64_t interval_usec, uint64_t now_usec, uint64_t *ret_held)
{
	if (limit->begun && now_usec - limit->last_usec < interval_usec) {
		limit->held++;
		return false;
	}
	*ret_held = limit->held;
	*limit = (struct drop_limit){ .begun = true, .last_usec = now_usec };
	return true;
}

bool policy_log_wants(const struct tunables *tunables, const struct drop *drop)
{
	if (tunables_get(tunables, TUNABLE_POLICY_LOG_INTERVAL) == 0 ||
		drop_is_routine(drop->verdict))
		return false;
	if (!drop_is_unknown_spi(drop->verdict))
		return true;
	return tunables_get(tunables,
		       TUNABLE_OF(drop->verdict == VERDICT_AH_NO_SA, LOG_UNKNOWN_SPI)) != 0;
}

void drop_print_flow(const struct drop *drop, struct text *text)
{
	if (drop->flow.local.family == AF_UNSPEC)
		return;
	flow_print(&drop->flow, text);
	if (drop->spi)
		text_addf(text, " spi 0x%08" PRIx32, drop->spi);
}

/* Fields of one line; what has no memory is left out. */
struct fields {
	struct text texts[MAX_FIELDS];
	const char *list[MAX_FIELDS + 1];
	size_t n;
};

static struct text *next_field(struct fields *fields)
{
	return &fields->texts[fields->n < MAX_FIELDS - 1 ? fields->n++ : fields->n];
}

static void add_ends(struct fields *fields, const struct flow *flow)
{
	bool out = flow->direction == DIRECTION_OUT;
	char str[ADDRESS_TEXT_MAX];

	if (flow->local.family == AF_UNSPEC)
		return;
	text_addf(next_field(fields), "IPSEC_SOURCE=%s",
		address_format(out ? &flow->local : &flow->remote, str));
	text_addf(next_field(fields), "IPSEC_DESTINATION=%s",
		address_format(out ? &flow->remote : &flow->local, str));
	text_addf(next_field(fields), "IPSEC_PROTOCOL=%u", flow->protocol);
	if (!flow->has_ports)
		return;
	text_addf(next_field(fields), "IPSEC_SOURCE_PORT=%u",
		out ? flow->local_port : flow->remote_port);
	text_addf(next_field(fields), "IPSEC_DESTINATION_PORT=%u",
		out ? flow->remote_port : flow->local_port);
}

static void add_rule(struct fields *fields, uint64_t rule_id, const struct text *place)
{
	char id[RULE_ID_TEXT_MAX];

	if (rule_id)
		text_addf(next_field(fields), "IPSEC_RULE=%s", rule_id_format(rule_id, id));
	if (place->len)
		text_addf(next_field(fields), "IPSEC_PLACE=%s", place->str);
}

static void add_fields(struct fields *fields, const struct drop *drop, const struct text *place,
	const struct text *tunnel, uint64_t held)
{
	text_addf(next_field(fields), "IPSEC_REASON=%s", verdict_name(drop->verdict));
	text_addf(next_field(fields), "IPSEC_DIRECTION=%s",
		drop->flow.direction == DIRECTION_OUT ? "out" : "in");
	add_ends(fields, &drop->flow);
	if (drop->spi)
		text_addf(next_field(fields), "IPSEC_SPI=0x%08" PRIx32, drop->spi);
	add_rule(fields, drop->rule_id, place);
	if (tunnel->len)
		text_addf(next_field(fields), "IPSEC_TUNNEL=%s", tunnel->str);
	if (held)
		text_addf(next_field(fields), "IPSEC_SUPPRESSED=%" PRIu64, held);
	for (size_t i = 0, n = 0; i < fields->n; i++)
		if (!fields->texts[i].failed)
			fields->list[n++] = fields->texts[i].str;
}

static void write_line(const struct plant *plant, const struct drop *drop, uint64_t held)
{
	CLEANUP(text_done) struct text flow = { 0 }, place = { 0 }, tunnel = { 0 }, more = { 0 };
	struct fields fields = { .n = 0 };

	drop_print_flow(drop, &flow);
	plant_rule_place(plant, drop->rule_id, &place);
	plant_tunnel_name(plant, drop->tunnel, &tunnel);
	if (held)
		text_addf(&more, "; %" PRIu64 " more since the last message", held);
	add_fields(&fields, drop, &place, &tunnel, held);
	log_event(LOG_NOTICE, LOG_ID_POLICY_FAILURE, fields.list,
		"ipsec %s policy mismatch: %s (%s), packet dropped%s%s%s%s%s",
		drop->flow.direction == DIRECTION_OUT ? "outbound" : "inbound",
		verdict_text(drop->verdict), verdict_name(drop->verdict), flow.len ? ": " : "",
		flow.len ? flow.str : "", place.len ? ", rule at " : "", place.len ? place.str : "",
		more.len ? more.str : "");
	for (size_t i = 0; i < MAX_FIELDS; i++)
		text_done(&fields.texts[i]);
}

void policy_log_drop(const struct plant *plant, struct drop_limit *limit, const struct drop *drop)
{
	const struct tunables *tunables = &plant->tunables;
	uint64_t interval = tunables_get(tunables, TUNABLE_POLICY_LOG_INTERVAL) * USEC_PER_MSEC;
	uint64_t held;

	if (policy_log_wants(tunables, drop) &&
		drop_limit_pass(limit, interval, clock_boot_usec(), &held))
		write_line(plant, drop, held);
}
