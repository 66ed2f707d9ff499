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
	free(file->entries);
	free(file->rules);
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

static int copy_entry(const struct policy_file *file, const struct policy_entry *entry,
	size_t first_rule, struct policy_file *copy)
{
	int r = policy_file_add_entry(copy, entry->text, entry->tunnel, entry->line);

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
			r = copy_entry(file, entry, first_rule, copy);
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
		if (entry->n_rules > 0)
			index = file->rules[first_rule - 1]->index;
		if (index != 0 && entry->tunnel[0] != '\0')
			text_addf(text, "#INDEX %s,%" PRIu32 "\n", entry->tunnel, index);
		else if (index != 0)
			text_addf(text, "#INDEX %" PRIu32 "\n", index);
		text_addf(text, "%s\n\n", entry->text);
	}
}

int policy_file_spd(
	const struct policy_file *file, enum spd_precedence precedence, struct spd **ret_spd)
{
	CLEANUP(freep) struct rule **copies = NULL;
	size_t count;
	int r = -ENOMEM;

	copies = calloc(file->n_rules ? file->n_rules : 1, sizeof(struct rule *));
	if (!copies)
		return -ENOMEM;
	for (count = 0; count < file->n_rules; count++) {
		copies[count] = rule_copy(file->rules[count]);
		if (!copies[count])
			break;
		/* Under Solaris's ranking each run of the command counts from the top again. */
		if (precedence == SPD_FIRST_MATCH)
			copies[count]->order = (uint32_t)count;
	}
	if (count == file->n_rules)
		r = spd_new(copies, count, precedence, ret_spd);
	if (r < 0)
		for (size_t i = 0; i < count; i++)
			rule_free(copies[i]);
	return r;
}
