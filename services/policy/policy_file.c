/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/policy/policy_file.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

struct policy_file *policy_file_new(void)
{
	return calloc(1, sizeof(struct policy_file));
}

struct policy_file *policy_file_free(struct policy_file *file)
{
	if (!file)
		return NULL;
	for (size_t i = 0; i < file->n_entries; i++)
		free(file->entries[i].text);
	for (size_t i = 0; i < file->n_rules; i++)
		rule_free(file->rules[i]);
	for (size_t i = 0; i < file->n_sources; i++)
		free(file->sources[i]);
	free(file->entries);
	free(file->rules);
	free(file->sources);
	free(file);
	return NULL;
}

int policy_file_add_entry(
	struct policy_file *file, const char *text, const char *tunnel, uint32_t line)
{
	struct policy_entry entry = { .line = line };

	if (file->n_entries == file->entry_room) {
		size_t room = file->entry_room ? 2 * file->entry_room : 16;
		struct policy_entry *grown = reallocarray(file->entries, room, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		file->entries = grown;
		file->entry_room = room;
	}
	if (text_copy(entry.tunnel, sizeof(entry.tunnel), tunnel) < 0)
		return -ENOMEM;
	entry.text = strdup(text);
	if (!entry.text)
		return -ENOMEM;
	file->entries[file->n_entries++] = entry;
	return 0;
}

int policy_file_add_rule(struct policy_file *file, struct rule *rule)
{
	if (file->n_rules == file->rule_room) {
		size_t room = file->rule_room ? 2 * file->rule_room : 16;
		struct rule **grown = reallocarray(file->rules, room, sizeof(struct rule *));

		if (!grown)
			return -ENOMEM;
		file->rules = grown;
		file->rule_room = room;
	}
	file->rules[file->n_rules++] = rule;
	file->entries[file->n_entries - 1].n_rules++;
	return 0;
}

bool policy_scope_has(enum policy_scope scope, const char *tunnel, const char *head)
{
	switch (scope) {
	case POLICY_NOTHING:
		return false;
	case POLICY_HOST:
		return head[0] == '\0';
	case POLICY_ONE_TUNNEL:
		return strcmp(head, tunnel) == 0;
	case POLICY_ALL:
		return true;
	}
	return true;
}

int policy_file_add_source(struct policy_file *file, const char *label, uint16_t *ret_source)
{
	char **grown;

	for (size_t i = file->n_sources; i > 0; i--) {
		if (strcmp(file->sources[i - 1], label) == 0) {
			*ret_source = (uint16_t)(i - 1);
			return 0;
		}
	}
	if (file->n_sources == POLICY_MAX_SOURCES) {
		*ret_source = POLICY_MAX_SOURCES - 1;
		return 0;
	}
	grown = reallocarray(file->sources, file->n_sources + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	file->sources = grown;
	grown[file->n_sources] = strdup(label);
	if (!grown[file->n_sources])
		return -ENOMEM;
	*ret_source = (uint16_t)file->n_sources++;
	return 0;
}

const char *policy_file_source(const struct policy_file *file, const struct policy_entry *entry)
{
	return entry->source < file->n_sources ? file->sources[entry->source] : "";
}

int policy_file_copy_entry(
	const struct policy_file *file, size_t at, size_t first_rule, struct policy_file *copy)
{
	const struct policy_entry *entry = &file->entries[at];
	struct policy_entry *made;
	int r = policy_file_add_entry(copy, entry->text, entry->tunnel, entry->line);

	if (r < 0)
		return r;
	made = &copy->entries[copy->n_entries - 1];
	made->column = entry->column;
	made->audit = entry->audit;
	made->cut = entry->cut;
	made->hidden = entry->hidden;
	r = policy_file_add_source(copy, policy_file_source(file, entry), &made->source);
	for (size_t i = 0; r == 0 && i < entry->n_rules; i++) {
		CLEANUP(rule_freep) struct rule *rule = rule_copy(file->rules[first_rule + i]);

		if (!rule)
			return -ENOMEM;
		r = policy_file_add_rule(copy, rule);
		if (r == 0)
			(void)STEAL(rule); /* the file owns it */
	}
	return r;
}

int policy_file_without(const struct policy_file *file, enum policy_scope scope, const char *tunnel,
	struct policy_file **ret_file)
{
	CLEANUP(policy_file_freep) struct policy_file *copy = policy_file_new();
	size_t first_rule = 0;
	int r;

	if (!copy)
		return -ENOMEM;
	for (size_t i = 0; i < file->n_entries; i++) {
		const struct policy_entry *entry = &file->entries[i];

		if (!policy_scope_has(scope, tunnel, entry->tunnel)) {
			r = policy_file_copy_entry(file, i, first_rule, copy);
			if (r < 0)
				return r;
		}
		first_rule += entry->n_rules;
	}
	*ret_file = STEAL(copy);
	return 0;
}

void policy_file_print(const struct policy_file *file, struct text *text)
{
	size_t first_rule = 0;

	for (size_t i = 0; i < file->n_entries; i++) {
		const struct policy_entry *entry = &file->entries[i];
		uint32_t index = 0;

		first_rule += entry->n_rules;
		/* A duplicate is kept for the day when its names mean something else, and means nothing. */
		if (entry->hidden || entry->n_rules == 0)
			continue;
		index = file->rules[first_rule - 1]->index;
		if (index != 0 && entry->tunnel[0] != '\0')
			text_addf(text, "#INDEX %s,%" PRIu32 "\n", entry->tunnel, index);
		else if (index != 0)
			text_addf(text, "#INDEX %" PRIu32 "\n", index);
		text_addf(text, "%s\n\n", entry->text);
	}
}

/* What an order needs to know of where the rules came from; a label that cannot be shown has a word. */
static int name_sources(const struct policy_file *file, struct spd *spd)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < file->n_sources; i++) {
		r = spd_add_source(spd, file->sources[i]);
		if (r == -EINVAL)
			r = spd_add_source(spd, "unnamed");
	}
	return r;
}

/* Rules @from to the end of their entry, as they go into the SPD. */
static int copy_rules(const struct policy_file *file, const struct policy_entry *entry,
	size_t *count, struct rule **copies)
{
	for (size_t end = *count + entry->n_rules; *count < end; (*count)++) {
		struct rule *copy = rule_copy(file->rules[*count]);

		if (!copy)
			return -ENOMEM;
		copy->source = entry->source;
		copy->audit = entry->audit;
		copies[*count] = copy;
	}
	return 0;
}

int policy_file_spd(
	const struct policy_file *file, enum spd_precedence precedence, struct spd **ret_spd)
{
	CLEANUP(freep) struct rule **copies = NULL;
	CLEANUP(spd_freep) struct spd *spd = NULL;
	size_t count = 0;
	int r = 0;

	copies = calloc(file->n_rules ? file->n_rules : 1, sizeof(struct rule *));
	if (!copies)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < file->n_entries; i++)
		r = copy_rules(file, &file->entries[i], &count, copies);
	/* Under Solaris's ranking each run of the command counts from the top again. */
	for (size_t i = 0; i < count && precedence == SPD_FIRST_MATCH; i++)
		copies[i]->order = (uint32_t)i;
	if (r == 0)
		r = spd_new(copies, count, precedence, &spd);
	if (r < 0) {
		for (size_t i = 0; i < count; i++)
			rule_free(copies[i]);
		return r;
	}
	r = name_sources(file, spd);
	if (r == 0)
		*ret_spd = STEAL(spd);
	return r;
}
