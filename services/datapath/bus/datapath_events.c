/* SPDX-License-Identifier: GPL-2.0-or-later */
/* org.netipsec.Datapath1: what happens here, told to others. */
#include <errno.h>
#include <string.h>

#include "common/daemon/log.h"
#include "services/datapath/bus/datapath_bus_parts.h"
#include "services/datapath/forecast_log.h"
#include "services/datapath/pfkey/pfkey_door.h"

#define NAME_BYTES 256
#define IKE_NAME   "org.netipsec.Ike1"

void datapath_bus_section_changed(struct datapathd *d, enum snapshot_section section)
{
	static const char *const changed[] = { "Generation", "State", "RuleCount", NULL };
	struct bus *bus = daemon_bus(d->daemon);
	int r;

	if (section == SECTION_ALGORITHMS)
		pfkey_door_algorithms_changed(d->pfkey_door);
	r = bus_emit(bus, datapathd_identity.bus_path, datapathd_identity.bus_name,
		"SectionChanged", "st", snapshot_section_name(section),
		sections_get(&d->sections, section)->generation);

	if (r == 0)
		r = bus_properties_changed(
			bus, datapathd_identity.bus_path, datapathd_identity.bus_name, changed);
	if (r < 0)
		log_warning("a change could not be told on the bus: %s", strerror(-r));
	datapathd_show_status(d);
}

void datapath_bus_settings_read(struct datapathd *d)
{
	static const char *const changed[] = { "State", "LastError", NULL };

	if (bus_properties_changed(daemon_bus(d->daemon), datapathd_identity.bus_path,
		    datapathd_identity.bus_name, changed) < 0)
		log_warning("a change could not be told on the bus");
}

void datapath_bus_rules_changed(struct datapathd *d)
{
	static const char *const changed[] = { "RuleCount", NULL };
	int r = bus_properties_changed(daemon_bus(d->daemon), datapathd_identity.bus_path,
		datapathd_identity.bus_name, changed);

	if (r < 0)
		log_warning("a change could not be told on the bus: %s", strerror(-r));
	datapathd_show_status(d);
}

static int write_acquire(struct bus_writer *out, const struct sadb_acquire *acquire)
{
	char src[ADDRESS_TEXT_MAX], dst[ADDRESS_TEXT_MAX], rule[RULE_ID_TEXT_MAX];
	int r = bus_open_container(out, 'a', "{sv}");

	if (r == 0)
		r = bus_write_option(out, "seq", "u", acquire->seq);
	if (r == 0)
		r = bus_write_option(
			out, "protocol", "s", acquire->proto == SA_PROTO_ESP ? "esp" : "ah");
	if (r == 0)
		r = bus_write_option(out, "source", "s", address_format(&acquire->src, src));
	if (r == 0)
		r = bus_write_option(out, "destination", "s", address_format(&acquire->dst, dst));
	if (r == 0)
		r = bus_write_option(out, "rule", "s", rule_id_format(acquire->rule_id, rule));
	return r < 0 ? r : bus_close_container(out);
}

static int write_expiry(struct bus_writer *out, const struct sadb_event *event)
{
	const struct sa *sa = event->entry->sa;
	char dst[ADDRESS_TEXT_MAX];
	int r = bus_open_container(out, 'a', "{sv}");

	if (r == 0)
		r = bus_write_option(
			out, "protocol", "s", sa->proto == SA_PROTO_ESP ? "esp" : "ah");
	if (r == 0)
		r = bus_write_option(out, "spi", "u", sa->spi);
	if (r == 0)
		r = bus_write_option(out, "destination", "s", address_format(&sa->dst, dst));
	if (r == 0)
		r = bus_write_option(
			out, "kind", "s", event->kind == SADB_EVENT_SOFT ? "soft" : "hard");
	return r < 0 ? r : bus_close_container(out);
}

/* Acquires show other users' flows: they go to key management alone. */
static int emit_acquire(struct bus *bus, const struct sadb_event *event)
{
	char owner[NAME_BYTES];
	struct bus_writer *out;
	int r = bus_name_owner(bus, IKE_NAME, owner, sizeof(owner));

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	out = bus_signal_writer(
		bus, owner, datapathd_identity.bus_path, datapathd_identity.bus_name, "Acquire");
	r = out ? write_acquire(out, event->acquire) : -ENOMEM;
	return r < 0 ? r : bus_signal_send(out);
}

static int emit_expiry(struct bus *bus, const struct sadb_event *event)
{
	struct bus_writer *out = bus_signal_writer(
		bus, NULL, datapathd_identity.bus_path, datapathd_identity.bus_name, "SaExpired");
	int r = out ? write_expiry(out, event) : -ENOMEM;

	return r < 0 ? r : bus_signal_send(out);
}

void datapath_bus_event(struct datapathd *d, const struct sadb_event *event)
{
	struct bus *bus = daemon_bus(d->daemon);
	int r = 0;

	switch (event->kind) {
	case SADB_EVENT_ACQUIRE:
		r = emit_acquire(bus, event);
		break;
	case SADB_EVENT_SOFT:
	case SADB_EVENT_HARD:
	case SADB_EVENT_IDLE:
		r = emit_expiry(bus, event);
		break;
	case SADB_EVENT_RESERVED:
	case SADB_EVENT_ADDED:
	case SADB_EVENT_UPDATED:
	case SADB_EVENT_DELETED:
	case SADB_EVENT_FLUSHED:
	case SADB_EVENT_MAPPING:
		break;
	case SADB_EVENT_FORECAST:
		forecast_log(event);
		break;
	}
	if (r < 0)
		log_warning("an event could not be told on the bus: %s", strerror(-r));
}

void datapath_bus_addresses_changed(struct datapathd *d)
{
	int r = bus_emit(daemon_bus(d->daemon), datapathd_identity.bus_path,
		datapathd_identity.bus_name, "AddressesChanged", "");

	if (r < 0)
		log_warning("a change of addresses could not be told on the bus: %s", strerror(-r));
}

static int write_ports(struct bus_writer *out, const struct flow *flow)
{
	bool outbound = flow->direction == DIRECTION_OUT;
	int r;

	if (!flow->has_ports)
		return 0;
	r = bus_write_option(out, "source_port", "u",
		(uint32_t)(outbound ? flow->local_port : flow->remote_port));
	if (r == 0)
		r = bus_write_option(out, "destination_port", "u",
			(uint32_t)(outbound ? flow->remote_port : flow->local_port));
	return r;
}

static int write_flow(struct bus_writer *out, const struct flow *flow)
{
	bool outbound = flow->direction == DIRECTION_OUT;
	char src[ADDRESS_TEXT_MAX], dst[ADDRESS_TEXT_MAX];
	int r = bus_write_option(out, "direction", "s", outbound ? "out" : "in");

	if (r < 0 || flow->local.family == AF_UNSPEC)
		return r;
	r = bus_write_option(
		out, "source", "s", address_format(outbound ? &flow->local : &flow->remote, src));
	if (r == 0)
		r = bus_write_option(out, "destination", "s",
			address_format(outbound ? &flow->remote : &flow->local, dst));
	if (r == 0)
		r = bus_write_option(out, "protocol", "u", (uint32_t)flow->protocol);
	return r < 0 ? r : write_ports(out, flow);
}

static int write_failure(
	struct bus_writer *out, const struct plant *plant, const struct drop *drop, uint64_t held)
{
	CLEANUP(text_done) struct text place = { 0 };
	char id[RULE_ID_TEXT_MAX];
	int r = bus_open_container(out, 'a', "{sv}");

	plant_rule_place(plant, drop->rule_id, &place);
	if (r == 0)
		r = bus_write_option(out, "reason", "s", verdict_name(drop->verdict));
	if (r == 0)
		r = write_flow(out, &drop->flow);
	if (r == 0 && drop->spi)
		r = bus_write_option(out, "spi", "u", drop->spi);
	if (r == 0 && drop->rule_id)
		r = bus_write_option(out, "rule", "s", rule_id_format(drop->rule_id, id));
	if (r == 0 && place.len)
		r = bus_write_option(out, "place", "s", place.str);
	if (r == 0)
		r = bus_write_option(out, "suppressed", "t", held);
	return r < 0 ? r : bus_close_container(out);
}

/* To all who listen: the bus policy lets root and ipsecadm hear it. */
void datapath_bus_policy_failure(struct datapathd *d, const struct drop *drop, uint64_t held)
{
	struct bus_writer *out = bus_signal_writer(daemon_bus(d->daemon), NULL,
		datapathd_identity.bus_path, datapathd_identity.bus_name, "PolicyFailure");
	int r = out ? write_failure(out, d->plant, drop, held) : -ENOMEM;

	if (r < 0)
		bus_writer_free(out);
	else
		r = bus_signal_send(out);
	if (r < 0)
		log_warning("a refused packet could not be told on the bus: %s", strerror(-r));
}
