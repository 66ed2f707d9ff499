/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/policy/policyd_edit.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* ---- by number ---- */

static uint32_t families_of(const struct rule *rule)
{
	return rule->selector.family == AF_UNSPEC ? 2 : 1;
}

uint32_t policyd_spd_entries(const struct rule *rule)
{
	return families_of(rule) * (rule->directions == DIRECTION_BIT_BOTH ? 2 : 1);
}

/* One family alone is said by the prefix that all of its addresses have. */
static int narrow_family(struct rule *rule, uint8_t family)
{
	struct address any = address_any(family);

	rule->selector.family = family;
	return prefix_make(&any, 0, &rule->selector.remote);
}

/* A part of @rule: one direction, one family or both (AF_UNSPEC). Numbered as its last SPD entry. */
static struct rule *part_of(
	const struct rule *rule, uint8_t direction, uint8_t family, uint32_t index)
{
	CLEANUP(rule_freep) struct rule *part = rule_copy(rule);

	if (!part)
		return NULL;
	part->directions = direction;
	part->index = index;
	if (family != AF_UNSPEC && rule->selector.family == AF_UNSPEC &&
		narrow_family(part, family) < 0)
		return NULL;
	return STEAL(part);
}

/* A deletion under way. */
struct deletion {
	struct policy_file *copy;
	const struct alg_table *algs;
	uint32_t index;
	struct text *removed, *rest;
};

/* As ipsecconf -l shows it: a line for each direction. */
static void tell_rest(const struct deletion *del, const struct rule *rule)
{
	static const uint8_t directions[] = { DIRECTION_BIT_OUT, DIRECTION_BIT_IN };

	for (size_t i = 0; i < ARRAY_SIZE(directions); i++) {
		bool first_half = rule->directions == DIRECTION_BIT_BOTH && i == 0;

		if (!(rule->directions & directions[i]))
			continue;
		text_addf(del->rest, "#INDEX %s%s%" PRIu32 "\n", rule->tunnel,
			rule->tunnel[0] ? "," : "",
			rule->index - (first_half ? families_of(rule) : 0));
		rule_print(rule, del->algs, directions[i], del->rest);
		text_add_char(del->rest, '\n');
	}
}

static int keep_part(const struct deletion *del, struct rule *made)
{
	CLEANUP(rule_freep) struct rule *part = made;
	int r = part ? policy_file_add_rule(del->copy, part) : -ENOMEM;

	if (r == 0)
		tell_rest(del, STEAL(part)); /* the file owns it */
	return r;
}

/* One direction of the rule that the number belongs to; @last is its last number. */
static int cut_direction(
	const struct deletion *del, const struct rule *rule, uint8_t direction, uint32_t last)
{
	uint32_t families = families_of(rule);
	bool hit = del->index <= last && del->index + families > last;

	if (!hit)
		return keep_part(del, part_of(rule, direction, AF_UNSPEC, last));
	for (uint32_t i = 0; i < families; i++) {
		uint32_t index = last - families + 1 + i;
		uint8_t family = i == 0 ? AF_INET : AF_INET6;
		struct rule *part;
		int r;

		if (families == 1)
			family = rule->selector.family;
		part = part_of(rule, direction, family, index);
		if (!part)
			return -ENOMEM;
		if (index == del->index) {
			rule_print(part, del->algs, direction, del->removed);
			(void)rule_free(part);
			continue;
		}
		r = keep_part(del, part);
		if (r < 0)
			return r;
	}
	return 0;
}

static bool rule_has_index(const struct rule *rule, const char *tunnel, uint32_t index)
{
	return strcmp(rule->tunnel, tunnel) == 0 && index <= rule->index &&
	       index + policyd_spd_entries(rule) > rule->index;
}

/* Outbound entries are made before inbound ones. */
static int cut_rule(const struct deletion *del, const struct rule *rule)
{
	uint32_t families = families_of(rule);
	int r = 0;

	if (rule->directions != DIRECTION_BIT_BOTH)
		return cut_direction(del, rule, rule->directions, rule->index);
	r = cut_direction(del, rule, DIRECTION_BIT_OUT, rule->index - families);
	return r < 0 ? r : cut_direction(del, rule, DIRECTION_BIT_IN, rule->index);
}

/* The entry that the number belongs to, without what the number stands for. */
static int cut_entry(const struct deletion *del, const struct policy_file *file, size_t at,
	size_t first_rule, size_t hit)
{
	const struct policy_entry *entry = &file->entries[at];
	struct policy_entry *made;
	int r = policy_file_add_entry(del->copy, entry->text, entry->tunnel, entry->line);

	if (r < 0)
		return r;
	made = &del->copy->entries[del->copy->n_entries - 1];
	made->audit = entry->audit;
	made->cut = true;
	made->hidden = entry->hidden ||
		       del->index == file->rules[first_rule + entry->n_rules - 1]->index;
	r = policy_file_add_source(del->copy, policy_file_source(file, entry), &made->source);
	for (size_t i = first_rule; r == 0 && i < first_rule + entry->n_rules; i++) {
		struct rule *kept;

		if (i == hit) {
			r = cut_rule(del, file->rules[i]);
			continue;
		}
		kept = rule_copy(file->rules[i]);
		r = keep_part(del, kept);
	}
	return r;
}

static size_t find_rule(const struct policy_file *file, const char *tunnel, uint32_t index)
{
	for (size_t i = 0; index > 0 && i < file->n_rules; i++)
		if (rule_has_index(file->rules[i], tunnel, index))
			return i;
	return file->n_rules;
}

bool policyd_edit_has(const struct policy_file *file, const char *tunnel, uint32_t index)
{
	return find_rule(file, tunnel, index) < file->n_rules;
}

/* An entry of which nothing is left is none. */
static void drop_last_if_empty(struct policy_file *file)
{
	struct policy_entry *last = &file->entries[file->n_entries - 1];

	if (last->n_rules > 0)
		return;
	free(last->text);
	file->n_entries--;
}

int policyd_edit_delete(const struct policy_file *file, const struct policyd_number *number,
	struct policy_file **ret_file, struct text *ret_removed, struct text *ret_rest)
{
	CLEANUP(policy_file_freep) struct policy_file *copy = policy_file_new();
	struct deletion del = { .copy = copy,
		.algs = number->algs,
		.index = number->index,
		.removed = ret_removed,
		.rest = ret_rest };
	size_t hit = find_rule(file, number->tunnel, number->index), first_rule = 0;
	int r = copy ? 0 : -ENOMEM;

	if (hit == file->n_rules)
		return -ENOENT;
	for (size_t i = 0; r == 0 && i < file->n_entries; i++) {
		size_t n_rules = file->entries[i].n_rules;

		if (hit >= first_rule && hit < first_rule + n_rules) {
			r = cut_entry(&del, file, i, first_rule, hit);
			if (r == 0)
				drop_last_if_empty(copy);
		} else {
			r = policy_file_copy_entry(file, i, first_rule, copy);
		}
		first_rule += n_rules;
	}
	if (r < 0 || ret_removed->failed || ret_rest->failed)
		return r < 0 ? r : -ENOMEM;
	*ret_file = STEAL(copy);
	return 0;
}

/* ---- by text ---- */

static bool is_brace(char c)
{
	return c == '{' || c == '}';
}

/* A blank in the place of all white space, but none beside braces and at the ends. */
static const char *skip_space(const char *at, char former, struct text *text)
{
	const char *word = at;

	while (isspace((unsigned char)*word))
		word++;
	if (word > at && *word != '\0' && !is_brace(*word) && !is_brace(former))
		text_add_char(text, ' ');
	return word;
}

/* Lower case, white space made equal: what is equal for ipsecconf -r. */
static int normal_text(const char *written, char **ret_normal)
{
	struct text text = { 0 };
	char former = '{'; /* nothing stands before the first word */

	text_add(&text, "");
	for (const char *at = skip_space(written, former, &text); *at != '\0';
		at = skip_space(at + 1, former, &text)) {
		former = (char)(tolower)((unsigned char)*at); /* not the macro */
		text_add_char(&text, former);
	}
	return text_take(&text, ret_normal);
}

/* A text that is to go, and whether it met its like. */
struct wanted {
	char *normal;
	size_t entry; /* of the file of texts */
	bool matched;
};

struct wanted_list {
	size_t count;
	struct wanted *list;
};

static void wanted_done(struct wanted_list *wanted)
{
	for (size_t i = 0; i < wanted->count; i++)
		free(wanted->list[i].normal);
	free(wanted->list);
}

static int compare_wanted(const void *x, const void *y)
{
	const struct wanted *a = x, *b = y;

	return strcmp(a->normal, b->normal);
}

static int compare_entry(const void *x, const void *y)
{
	const struct wanted *a = x, *b = y;

	return (a->entry > b->entry) - (a->entry < b->entry);
}

static int collect_wanted(const struct policy_file *texts, struct wanted_list *wanted)
{
	wanted->list = calloc(texts->n_entries ? texts->n_entries : 1, sizeof(*wanted->list));
	if (!wanted->list)
		return -ENOMEM;
	for (size_t i = 0; i < texts->n_entries; i++) {
		int r = normal_text(texts->entries[i].text, &wanted->list[i].normal);

		if (r < 0)
			return r;
		wanted->list[i].entry = i;
		wanted->count++;
	}
	qsort(wanted->list, wanted->count, sizeof(*wanted->list), compare_wanted);
	return 0;
}

/* Marks every text that is equal: the same may have been asked for twice. */
static int is_wanted(struct wanted_list *wanted, const char *text, bool *ret_wanted)
{
	struct wanted key = { 0 };
	struct wanted *hit;
	int r = normal_text(text, &key.normal);

	if (r < 0)
		return r;
	hit = bsearch(&key, wanted->list, wanted->count, sizeof(key), compare_wanted);
	*ret_wanted = hit;
	while (hit && hit > wanted->list && compare_wanted(hit - 1, &key) == 0)
		hit--;
	for (; hit && hit < wanted->list + wanted->count && compare_wanted(hit, &key) == 0; hit++)
		hit->matched = true;
	free(key.normal);
	return 0;
}

static size_t report_unmatched(struct wanted_list *wanted, const struct policy_file *texts,
	const char *label, struct conf_diags *diags)
{
	size_t unmatched = 0;

	qsort(wanted->list, wanted->count, sizeof(*wanted->list), compare_entry);
	for (size_t i = 0; i < wanted->count; i++) {
		const struct policy_entry *entry = &texts->entries[wanted->list[i].entry];
		struct conf_loc at = { .file = label, .line = entry->line };

		if (wanted->list[i].matched)
			continue;
		conf_warning(diags, at, "entry-unmatched",
			"Could not find a matching policy entry: none that is configured has "
			"these words");
		unmatched++;
	}
	return unmatched;
}

int policyd_edit_remove(const struct policy_file *file, const struct policy_file *texts,
	const char *label, struct conf_diags *diags, struct policy_file **ret_file,
	struct policyd_removal *ret_removal)
{
	CLEANUP(policy_file_freep) struct policy_file *copy = policy_file_new();
	CLEANUP(wanted_done) struct wanted_list wanted = { 0 };
	struct policyd_removal removal = { 0 };
	size_t first_rule = 0;
	int r = copy ? collect_wanted(texts, &wanted) : -ENOMEM;

	for (size_t i = 0; r == 0 && i < file->n_entries; i++) {
		const struct policy_entry *entry = &file->entries[i];
		bool goes = false;

		if (!entry->hidden)
			r = is_wanted(&wanted, entry->text, &goes);
		if (r == 0 && !goes)
			r = policy_file_copy_entry(file, i, first_rule, copy);
		removal.removed += goes;
		first_rule += entry->n_rules;
	}
	if (r < 0)
		return r;
	removal.unmatched = report_unmatched(&wanted, texts, label, diags);
	if (conf_diags_failed(diags))
		return -ENOMEM;
	*ret_removal = removal;
	*ret_file = STEAL(copy);
	return 0;
}
