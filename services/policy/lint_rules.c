/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rules held against each other, and against what packets there are. */
#include <errno.h>
#include <string.h>

#include "common/spd/spd_cover.h"
#include "services/policy/lint.h"

#define N_DIRECTIONS 2

/* A rule of the file and where it stands. */
struct placed {
	const struct rule *rule;
	size_t at; /* in the file */
	uint32_t rank; /* the higher is asked first; equal ones in the order of the file */
	const struct rule *decides[N_DIRECTIONS]; /* before it, and matches all that it matches */
};

struct lint_run {
	const struct policy_lint *lint;
	struct spd_cover *covers[N_DIRECTIONS];
	struct placed *placed; /* in match order */
	size_t *entry_of; /* rule: its entry */
	bool *reported; /* entry: it had its warning of this kind */
};

struct conf_loc lint_place(const struct policy_lint *lint, const struct policy_entry *entry)
{
	return (struct conf_loc){
		.file = lint->label, .line = entry->line, .column = entry->column, .length = 1
	};
}

static int compare_match_order(const void *x, const void *y)
{
	const struct placed *a = x, *b = y;

	if (a->rank != b->rank)
		return a->rank < b->rank ? 1 : -1;
	return (a->at > b->at) - (a->at < b->at);
}

static uint32_t rank_of(const struct rule *rule, enum spd_precedence precedence)
{
	switch (precedence) {
	case SPD_FIRST_MATCH:
		return rule_is_bypass(rule);
	case SPD_SOLARIS_PRIORITY:
		return spd_solaris_priority(rule);
	}
	return 0;
}

static int begin(struct lint_run *run)
{
	const struct policy_file *file = run->lint->file;
	size_t rule = 0, count = file->n_rules ? file->n_rules : 1;
	bool in_order = true;

	for (size_t i = 0; i < N_DIRECTIONS; i++) {
		run->covers[i] = spd_cover_new();
		if (!run->covers[i])
			return -ENOMEM;
	}
	run->placed = calloc(count, sizeof(*run->placed));
	run->entry_of = calloc(count, sizeof(*run->entry_of));
	run->reported = calloc(file->n_entries ? file->n_entries : 1, sizeof(*run->reported));
	if (!run->placed || !run->entry_of || !run->reported)
		return -ENOMEM;
	for (size_t entry = 0; entry < file->n_entries; entry++)
		for (size_t n = 0; n < file->entries[entry].n_rules; n++)
			run->entry_of[rule++] = entry;
	for (size_t i = 0; i < file->n_rules; i++) {
		run->placed[i] = (struct placed){ .rule = file->rules[i],
			.at = i,
			.rank = rank_of(file->rules[i], run->lint->precedence) };
		in_order &= i == 0 || run->placed[i - 1].rank >= run->placed[i].rank;
	}
	if (!in_order)
		qsort(run->placed, file->n_rules, sizeof(*run->placed), compare_match_order);
	return 0;
}

static void end(struct lint_run *run)
{
	for (size_t i = 0; i < N_DIRECTIONS; i++)
		(void)spd_cover_free(run->covers[i]);
	free(run->placed);
	free(run->entry_of);
	free(run->reported);
}

/* For each rule and direction, which of those before it takes all of its packets. */
static int find_deciding(struct lint_run *run)
{
	for (size_t i = 0; i < run->lint->file->n_rules; i++) {
		struct placed *placed = &run->placed[i];
		const struct rule *rule = placed->rule;

		for (unsigned int d = 0; d < N_DIRECTIONS; d++) {
			int r;

			/* Audit rules decide nothing, and nothing is left undecided by one. */
			if (!(rule->directions & 1U << d) || rule->audit)
				continue;
			placed->decides[d] = spd_cover_find(
				run->covers[d], rule->tunnel, &rule->selector);
			r = spd_cover_add(run->covers[d], rule);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

/* The entry that a warning is about; NULL if it is of another source or had one of this kind. */
static const struct policy_entry *entry_to_report(struct lint_run *run, size_t rule)
{
	size_t entry = run->entry_of[rule];

	if (rule < run->lint->first || run->reported[entry])
		return NULL;
	run->reported[entry] = true;
	return &run->lint->file->entries[entry];
}

static void begin_kind(struct lint_run *run)
{
	size_t entries = run->lint->file->n_entries;

	memset(run->reported, 0, entries * sizeof(*run->reported));
}

/* The rule before it that leaves nothing to @placed in any of its directions; NULL: none. */
static const struct rule *shadow_of(const struct placed *placed)
{
	const struct rule *by = NULL;

	for (unsigned int d = 0; d < N_DIRECTIONS; d++) {
		if (!(placed->rule->directions & 1U << d))
			continue;
		if (!placed->decides[d])
			return NULL;
		by = placed->decides[d];
	}
	return by;
}

static void warn_shadowed(struct lint_run *run)
{
	begin_kind(run);
	for (size_t i = 0; i < run->lint->file->n_rules; i++) {
		const struct placed *placed = &run->placed[i];
		const struct rule *by = shadow_of(placed);
		const struct policy_entry *entry = by ? entry_to_report(run, placed->at) : NULL;
		CLEANUP(text_done) struct text text = { 0 };

		if (!entry)
			continue;
		selector_print(&placed->rule->selector, &text);
		if (entry->n_rules > 1 && text.len > 0)
			conf_warning(run->lint->diags, lint_place(run->lint, entry),
				"rule-shadowed",
				"the rule on line %u never decides for %.*s: that on line %u takes "
				"all of these packets",
				entry->line, (int)text.len - 1, text.str, by->line);
		else
			conf_warning(run->lint->diags, lint_place(run->lint, entry),
				"rule-shadowed",
				"the rule on line %u never decides: that on line %u takes all of "
				"its packets",
				entry->line, by->line);
		if (by->line > entry->line && rule_is_bypass(by))
			conf_hint(
				run->lint->diags, "bypass and pass stand before all other entries");
	}
}

/* No packet comes from a group, and each ICMP has its own family. */
static const char *why_never(const struct rule *rule)
{
	const struct selector *s = &rule->selector;

	if ((s->protocol == IPPROTO_ICMP && s->family == AF_INET6) ||
		(s->protocol == IPPROTO_ICMPV6 && s->family == AF_INET))
		return "ICMP of one family does not travel between addresses of the other";
	if (rule->directions == DIRECTION_BIT_IN && address_is_multicast(&s->remote.addr))
		return "no packet comes in from a multicast address";
	if (rule->directions == DIRECTION_BIT_OUT && address_is_multicast(&s->local.addr))
		return "no packet goes out from a multicast address";
	return NULL;
}

static void warn_never(struct lint_run *run)
{
	begin_kind(run);
	for (size_t i = 0; i < run->lint->file->n_rules; i++) {
		const char *why = why_never(run->lint->file->rules[i]);
		const struct policy_entry *entry = why ? entry_to_report(run, i) : NULL;

		if (entry)
			conf_warning(run->lint->diags, lint_place(run->lint, entry), "rule-never",
				"the rule never matches: %s", why);
	}
}

static bool only_protects(const struct rule *rule)
{
	for (size_t i = 0; i < rule->n_actions; i++)
		if (rule->actions[i].kind != ACTION_PROTECT)
			return false;
	return true;
}

/* What leaves protected is answered in clear, or the other way round. */
static void warn_one_way(struct lint_run *run)
{
	begin_kind(run);
	for (size_t i = 0; i < run->lint->file->n_rules; i++) {
		const struct rule *rule = run->lint->file->rules[i], *other;
		bool out = rule->directions == DIRECTION_BIT_OUT;
		const struct policy_entry *entry;

		if (rule->directions == DIRECTION_BIT_BOTH || !only_protects(rule))
			continue;
		other = spd_cover_find(run->covers[out ? DIRECTION_IN : DIRECTION_OUT],
			rule->tunnel, &rule->selector);
		if (other && rule_protects(other))
			continue;
		entry = entry_to_report(run, i);
		if (!entry)
			continue;
		conf_warning(run->lint->diags, lint_place(run->lint, entry), "rule-one-way",
			"%s is protected, and no rule protects all of the answers",
			out ? "what goes out" : "what comes in");
		conf_hint(run->lint->diags, "protection needs an entry for each direction: "
					    "'apply' and 'permit', or 'ipsec' for both");
	}
}

static bool computes(uint8_t proto, bool has, const struct alg_need *need)
{
	return !has || alg_is_known(proto, need->number);
}

static bool can_be_computed(const struct action *action)
{
	return action->kind != ACTION_PROTECT ||
	       (computes(ALG_PROTO_AH, action->has_ah, &action->ah) &&
		       computes(ALG_PROTO_ESP, action->has_esp, &action->esp) &&
		       computes(ALG_PROTO_AH, action->has_esp_auth, &action->esp_auth));
}

/* The table may name algorithms that no code here knows: its file is the administrator's. */
static void warn_unavailable(struct lint_run *run)
{
	begin_kind(run);
	for (size_t i = 0; i < run->lint->file->n_rules; i++) {
		const struct rule *rule = run->lint->file->rules[i];
		const struct policy_entry *entry;
		size_t unknown = 0;

		for (size_t n = 0; n < rule->n_actions; n++)
			unknown += !can_be_computed(&rule->actions[n]);
		entry = unknown > 0 ? entry_to_report(run, i) : NULL;
		if (entry)
			conf_warning(run->lint->diags, lint_place(run->lint, entry),
				"alg-unavailable",
				"%zu of %zu alternatives need an algorithm that netipsec does not "
				"compute",
				unknown, rule->n_actions);
	}
}

int policy_lint_rules(const struct policy_lint *lint)
{
	struct lint_run run = { .lint = lint };
	int r = begin(&run);

	if (r == 0)
		r = find_deciding(&run);
	if (r == 0) {
		warn_shadowed(&run);
		warn_never(&run);
		warn_one_way(&run);
		warn_unavailable(&run);
	}
	end(&run);
	if (r == 0 && conf_diags_failed(lint->diags))
		r = -ENOMEM;
	return r;
}
