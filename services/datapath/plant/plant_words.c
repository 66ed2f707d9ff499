/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What numbers in drops and acquires stand for, in what is in force by now. */
#include <string.h>

#include "services/datapath/plant/plant.h"

const struct rule *plant_find_rule(const struct plant *plant, uint64_t id)
{
	const struct spd *spd = plant_view(plant)->spd;

	for (size_t i = 0; spd && i < spd->count; i++)
		if (spd->rules[i]->id == id)
			return spd->rules[i];
	for (size_t i = 0; spd && i < spd->n_audit; i++)
		if (spd->audit[i]->id == id)
			return spd->audit[i];
	return NULL;
}

void plant_rule_place(const struct plant *plant, uint64_t id, struct text *text)
{
	const struct rule *rule = plant_find_rule(plant, id);

	const char *source = rule ? spd_source(plant_view(plant)->spd, rule) : "";

	if (*source)
		text_addf(text, "%s:%u", source, rule->line);
	else if (rule)
		text_addf(text, "line %u", rule->line);
}

void plant_tunnel_name(const struct plant *plant, int tunnel, struct text *text)
{
	const struct tunnel_table *tunnels = plant_view(plant)->tunnels;

	if (tunnels && tunnel >= 0 && (size_t)tunnel < tunnels->count)
		text_add(text, tunnels->tunnels[tunnel].name);
}
