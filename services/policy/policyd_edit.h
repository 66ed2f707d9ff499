/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Taking single things out of a policy: one SPD entry by its number (ipsecconf -d), whole entries by
 * their text (ipsecconf -r). The policy itself is not touched; each gives a copy without them.
 */
#ifndef POLICY_POLICYD_EDIT_H
#define POLICY_POLICYD_EDIT_H

#include "common/base/text.h"
#include "services/policy/policy_file.h"

/* How many SPD entries a rule makes: one for each direction and, without addresses, each family. */
uint32_t policyd_spd_entries(const struct rule *rule);

/* Is this the number of an SPD entry? */
bool policyd_edit_has(const struct policy_file *file, const char *tunnel, uint32_t index);

/* What a deletion names. */
struct policyd_number {
	const char *tunnel; /* whose number it is; "" for the host */
	uint32_t index;
	const struct alg_table *algs; /* for names in what is told; NULL: numbers */
};

/**
 * policyd_edit_delete() - without one SPD entry: one direction, one family
 * @file:        rules carry the number of the last SPD entry that they make
 * @number:      which one
 * @ret_removed: canonical text of what went
 * @ret_rest:    the SPD entries of the same text entry that stay, as ipsecconf -l shows them
 *
 * Return: 0, -ENOENT when there is no such number, -ENOMEM.
 * Source: ipsecinit.conf(5), INDEX NUMBERS.
 */
int policyd_edit_delete(const struct policy_file *file, const struct policyd_number *number,
	struct policy_file **ret_file, struct text *ret_removed, struct text *ret_rest) MUST_CHECK;

struct policyd_removal {
	size_t removed; /* entries that went */
	size_t unmatched; /* entries of @texts that no entry is equal to */
};

/**
 * policyd_edit_remove() - without the entries whose text stands in another file
 * @texts: compared as words, without regard to case, white space and comments
 * @label: of @texts in @diags
 * @diags: gets a warning for each entry of @texts that matches nothing
 *
 * Return: 0 or -ENOMEM.
 */
int policyd_edit_remove(const struct policy_file *file, const struct policy_file *texts,
	const char *label, struct conf_diags *diags, struct policy_file **ret_file,
	struct policyd_removal *ret_removal) MUST_CHECK;

#endif
