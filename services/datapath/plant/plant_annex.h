/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rules that are not in the policy section: those of PF_KEY clients. They stand behind the section's,
 * as a fragment does, come into force with them, and are gone with whoever brought them.
 */
#ifndef DATAPATH_PLANT_ANNEX_H
#define DATAPATH_PLANT_ANNEX_H

#include "common/base/cleanup.h"
#include "common/spd/spd.h"

#define PLANT_ANNEX_SOURCE "PF_KEY" /* where its rules come from, as listings show it */

struct plant;

struct plant_annex {
	struct rule **rules; /* owned */
	size_t n;
	bool has_section; /* the view's rules are those of a section, and these */
	bool joined; /* the view's rules have these as their last source */
};

/*
 * From now on the annex is @rules (copied). While the lid of a former life is held they wait for the
 * policy: nothing is lifted for them. Return: 0, or nothing has changed.
 */
int plant_set_annex(struct plant *plant, struct rule *const *rules, size_t n) MUST_CHECK;
void plant_annex_done(struct plant_annex *annex);
/*
 * What a section says, with the annex behind it. @section: consumed in any case; NULL: there is none.
 * @ret_spd: NULL when there is neither.
 */
int plant_annex_join(
	const struct plant_annex *annex, struct spd *section, struct spd **ret_spd) MUST_CHECK;

#endif
