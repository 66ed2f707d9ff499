/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/plant/plant_annex.h"

#include <errno.h>
#include <stdlib.h>

#include "services/datapath/plant/plant.h"

static void rules_free(struct rule **rules, size_t n)
{
	for (size_t i = 0; rules && i < n; i++)
		rule_free(rules[i]);
	free(rules);
}

void plant_annex_done(struct plant_annex *annex)
{
	rules_free(annex->rules, annex->n);
	*annex = (struct plant_annex){ 0 };
}

/* Copies of all that @keep says. */
static int copy_rules(
	struct rule *const *from, size_t n, uint32_t before_source, struct rule **to, size_t *ret_n)
{
	for (size_t i = 0; i < n; i++) {
		if (from[i]->source >= before_source)
			continue;
		to[*ret_n] = rule_copy(from[i]);
		if (!to[*ret_n])
			return -ENOMEM;
		++*ret_n;
	}
	return 0;
}

/* The section's rules out of those in force. */
static int section_of(
	const struct plant_annex *annex, const struct spd *in_force, struct spd **ret_section)
{
	size_t n_sources = in_force->n_sources - annex->joined, n = 0;
	uint32_t before = annex->joined ? (uint32_t)n_sources : UINT32_MAX;
	struct rule **rules = calloc(in_force->count + in_force->n_audit + 1, sizeof(*rules));
	CLEANUP(spd_freep) struct spd *section = NULL;
	int r = rules ? 0 : -ENOMEM;

	if (r == 0)
		r = copy_rules(in_force->rules, in_force->count, before, rules, &n);
	if (r == 0)
		r = copy_rules(in_force->audit, in_force->n_audit, before, rules, &n);
	if (r == 0)
		r = spd_new(rules, n, in_force->precedence, &section);
	if (r < 0) {
		rules_free(rules, n);
		return r;
	}
	free(rules);
	for (size_t i = 0; i < n_sources && r == 0; i++)
		r = spd_add_source(section, in_force->sources[i]);
	if (r == 0)
		*ret_section = STEAL(section);
	return r;
}

/* The section's own, not copied, and copies of the annex behind all of them. */
static int gather(const struct plant_annex *annex, const struct spd *section, struct rule **rules,
	size_t *ret_n)
{
	size_t own = 0;
	uint32_t last = 0;
	int r;

	for (size_t i = 0; i < section->count; i++)
		rules[own++] = section->rules[i];
	for (size_t i = 0; i < section->n_audit; i++)
		rules[own++] = section->audit[i];
	for (size_t i = 0; i < own; i++)
		last = rules[i]->order > last ? rules[i]->order : last;
	*ret_n = own;
	r = copy_rules(annex->rules, annex->n, UINT32_MAX, rules, ret_n);
	for (size_t i = own; i < *ret_n; i++) {
		rules[i]->source = (uint16_t)section->n_sources;
		rules[i]->order = last + 1 + (uint32_t)(i - own);
	}
	return r;
}

/* @section keeps its sources only. */
static int join(const struct plant_annex *annex, struct spd *section, struct spd **ret_spd)
{
	size_t own = section->count + section->n_audit, n = 0;
	CLEANUP(freep) struct rule **rules = calloc(own + annex->n + 1, sizeof(struct rule *));
	CLEANUP(spd_freep) struct spd *joined = NULL;
	int r = rules ? gather(annex, section, rules, &n) : -ENOMEM;

	if (r == 0)
		r = spd_new(rules, n, section->precedence, &joined);
	if (r < 0) {
		for (size_t i = own; i < n; i++)
			rule_free(rules[i]);
		return r;
	}
	section->count = section->n_audit = 0; /* they are the other's now */
	for (size_t i = 0; i < section->n_sources && r == 0; i++)
		r = spd_add_source(joined, section->sources[i]);
	if (r == 0)
		r = spd_add_source(joined, PLANT_ANNEX_SOURCE);
	if (r == 0)
		*ret_spd = STEAL(joined);
	return r;
}

int plant_annex_join(const struct plant_annex *annex, struct spd *section, struct spd **ret_spd)
{
	CLEANUP(spd_freep) struct spd *owned = section;
	int r;

	if (annex->n == 0) {
		*ret_spd = STEAL(owned);
		return 0;
	}
	if (!owned) {
		r = spd_new(NULL, 0, SPD_FIRST_MATCH, &owned);
		if (r < 0)
			return r;
	}
	return join(annex, owned, ret_spd);
}

static int enforce(struct plant *plant)
{
	const struct engine_view *view = plant_view(plant);
	struct spd *section = NULL;
	int r = 0;

	if (plant->annex.has_section && view->spd)
		r = section_of(&plant->annex, view->spd, &section);
	return r < 0 ? r : plant_enforce(plant, section, view->generation);
}

int plant_set_annex(struct plant *plant, struct rule *const *rules, size_t n)
{
	struct plant_annex former = plant->annex;
	struct rule **copies = calloc(n + 1, sizeof(*copies));
	size_t copied = 0;
	int r = copies ? copy_rules(rules, n, UINT32_MAX, copies, &copied) : -ENOMEM;

	if (r == 0) {
		plant->annex.rules = copies;
		plant->annex.n = n;
		if (!plant_holds_lid(plant) && (n > 0 || former.n > 0))
			r = enforce(plant);
	}
	if (r < 0) {
		plant->annex.rules = former.rules;
		plant->annex.n = former.n;
		rules_free(copies, copied);
		return r;
	}
	rules_free(former.rules, former.n);
	return 0;
}
