/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/plant/plant_policy.h"

#include <netinet/in.h>
#include <string.h>

#include "services/datapath/plant/plant.h"

static const struct rule *if_protects(const struct rule *rule)
{
	return rule && rule_protects(rule) ? rule : NULL;
}

/* Outbound rules decide what this host would send; a rule for one direction may be the other one's. */
static const struct rule *host_rule(const struct spd *spd, const struct flow *outer)
{
	struct flow flow = *outer;
	const struct rule *rule = if_protects(spd_match(spd, NULL, &flow));

	flow.direction = DIRECTION_IN;
	return rule ? rule : if_protects(spd_match(spd, NULL, &flow));
}

static const struct tunnel *tunnel_between(
	const struct tunnel_table *tunnels, const struct flow *outer)
{
	if (!tunnels || (outer->protocol != IPPROTO_IPIP && outer->protocol != IPPROTO_IPV6))
		return NULL;
	for (size_t i = 0; i < tunnels->count; i++) {
		const struct tunnel *tunnel = &tunnels->tunnels[i];

		if (tunnel->name[0] != '\0' && address_equal(&tunnel->src, &outer->local) &&
			address_equal(&tunnel->dst, &outer->remote))
			return tunnel;
	}
	return NULL;
}

/* All packets of such a tunnel go through the SA: the first rule that protects any speaks for it. */
static const struct rule *transport_rule(const struct spd *spd, const char *tunnel)
{
	for (size_t i = 0; i < spd->count; i++) {
		const struct rule *rule = spd->rules[i];

		if (strcmp(rule->tunnel, tunnel) == 0 && rule->negotiate == TUNNEL_TRANSPORT &&
			rule_protects(rule))
			return rule;
	}
	return NULL;
}

/* Inner addresses belong to tunnel mode, and tunnel mode has them. */
static const struct rule *tunnel_rule(
	const struct spd *spd, const char *tunnel, struct pfkey_policy_query *query)
{
	struct flow flow = query->inner;
	const struct rule *rule;

	if (!query->has_inner)
		return transport_rule(spd, tunnel);
	flow.direction = DIRECTION_IN;
	rule = if_protects(spd_match(spd, tunnel, &flow));
	if (!rule || rule->negotiate == TUNNEL_TRANSPORT)
		return NULL;
	query->tunnel_mode = true;
	return rule;
}

const struct rule *plant_policy_find(
	const struct spd *spd, const struct tunnel_table *tunnels, struct pfkey_policy_query *query)
{
	const struct tunnel *tunnel = tunnel_between(tunnels, &query->outer);

	query->tunnel_mode = false;
	if (!spd)
		return NULL;
	if (tunnel && spd_has_tunnel(spd, tunnel->name))
		return tunnel_rule(spd, tunnel->name, query);
	return host_rule(spd, &query->outer);
}

const struct rule *plant_policy_for(struct pfkey_policy_query *query, void *userdata)
{
	const struct plant *plant = userdata;
	const struct engine_view *view = plant_view(plant);

	return plant_policy_find(view->spd, view->tunnels, query);
}
