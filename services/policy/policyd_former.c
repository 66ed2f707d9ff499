/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The policy before a reload on trial, on disk: a service that dies meanwhile, or after the datapath
 * went back, leaves to the one after it what is in force again. Entries in their words, those that
 * were cut as the rules that are left; before each where it was written and its numbers:
 *
 *	#AT LINE AUDIT INDEX... SOURCE
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "common/base/memfd.h"
#include "common/daemon/log.h"
#include "services/policy/policyd.h"

#define FORMER_FILE "/var/lib/netipsec/policy/former"
#define FORMER_MODE 0600
#define FORMER_MAX  (2 * (size_t)POLICY_MAX_FILE_BYTES)
#define AT_WORD	    "#AT "

static void write_entry(const struct policyd *d, const struct policy_entry *entry,
	struct rule *const *rules, struct text *text)
{
	text_addf(text, AT_WORD "%" PRIu32 " %d", entry->line, entry->audit);
	for (size_t i = 0; i < entry->n_rules; i++)
		text_addf(text, " %" PRIu32, rules[i]->index);
	text_addf(text, " %s\n", policy_file_source(d->configured, entry));
	if (!entry->cut)
		text_addf(text, "%s\n", entry->text);
	for (size_t i = 0; entry->cut && i < entry->n_rules; i++) {
		rule_print(rules[i], d->algs, rules[i]->directions, text);
		text_add_char(text, '\n');
	}
}

int policyd_former_write(const struct policyd *d)
{
	CLEANUP(text_done) struct text text = { 0 };
	CLEANUP(freep) char *path = NULL;
	size_t rule = 0;
	int r = file_system_path(FORMER_FILE, &path);

	text_add(&text, "");
	for (size_t i = 0; i < d->configured->n_entries; i++) {
		write_entry(d, &d->configured->entries[i], d->configured->rules + rule, &text);
		rule += d->configured->entries[i].n_rules;
	}
	if (r == 0)
		r = text.failed ? -ENOMEM : policyd_state_directory();
	return r < 0 ? r : file_replace(path, text.str, text.len, FORMER_MODE);
}

void policyd_former_forget(void)
{
	CLEANUP(freep) char *path = NULL;
	int r = file_system_path(FORMER_FILE, &path);

	if (r == 0 && unlink(path) < 0 && errno != ENOENT)
		r = -errno;
	if (r < 0)
		log_warning("%s: %s", FORMER_FILE, strerror(-r));
}

int policyd_former_read(char **ret_source, size_t *ret_len)
{
	CLEANUP(freep) char *path = NULL;
	int r = file_system_path(FORMER_FILE, &path);

	return r < 0 ? r : file_read_path(path, FORMER_MAX, ret_source, ret_len);
}

/* ---- places and numbers ---- */

/* A line that tells of the entries below it. */
struct place {
	unsigned int line_at; /* where it stands */
	const char *rest; /* of the line, behind its word */
	const char *end;
};

static bool next_number(struct place *place, uint32_t *ret)
{
	const char *at = place->rest;
	uint32_t number = 0;

	for (; at < place->end && *at >= '0' && *at <= '9'; at++) {
		if (number > UINT32_MAX / 10 - 1)
			return false;
		number = number * 10 + (uint32_t)(*at - '0');
	}
	if (at == place->rest || at == place->end || *at != ' ')
		return false;
	place->rest = at + 1;
	*ret = number;
	return true;
}

/* The next such line of the text from *at on, which is line *number. */
static bool find_place(
	const char **at, const char *end, unsigned int *number, struct place *ret_place)
{
	while (*at < end) {
		const char *line = *at, *newline = memchr(line, '\n', (size_t)(end - line));
		const char *line_end = newline ? newline : end;
		size_t len = (size_t)(line_end - line);

		*at = newline ? newline + 1 : end;
		ret_place->line_at = (*number)++;
		if (len < sizeof(AT_WORD) - 1 || memcmp(line, AT_WORD, sizeof(AT_WORD) - 1) != 0)
			continue;
		ret_place->rest = line + sizeof(AT_WORD) - 1;
		ret_place->end = line_end;
		return true;
	}
	ret_place->line_at = UINT32_MAX;
	return false;
}

static int add_label(struct policy_file *file, const struct place *place, uint16_t *ret_source)
{
	CLEANUP(freep) char *label = strndup(place->rest, (size_t)(place->end - place->rest));

	return label ? policy_file_add_source(file, label, ret_source) : -ENOMEM;
}

/* Of all entries between this place and the next. */
static int put_places(struct policy_file *file, struct place place, unsigned int until,
	size_t *entry, size_t *rule)
{
	uint32_t line, audit, index = 0;
	size_t first = *rule, last = first, to = *entry;
	uint16_t source;
	int r;

	if (!next_number(&place, &line) || !next_number(&place, &audit))
		return -EBADMSG;
	for (; to < file->n_entries && file->entries[to].line < until; to++)
		last += file->entries[to].n_rules;
	/* Names that stand for more, or for less, get numbers anew. */
	for (; *rule < last && next_number(&place, &index); (*rule)++)
		file->rules[*rule]->index = index;
	for (; *rule < last || next_number(&place, &index);) {
		for (size_t i = first; i < last; i++)
			file->rules[i]->index = 0;
		*rule = last;
	}
	r = add_label(file, &place, &source);
	for (; r == 0 && *entry < to; (*entry)++) {
		file->entries[*entry].line = line;
		file->entries[*entry].source = source;
		file->entries[*entry].audit = audit != 0;
	}
	for (size_t i = first; i < last; i++) {
		file->rules[i]->line = line;
		file->rules[i]->audit = audit != 0;
	}
	return r;
}

int policyd_former_place(const char *source, size_t len, struct policy_file *file)
{
	const char *at = source, *end = source + len;
	unsigned int number = 1;
	struct place place, next;
	size_t entry = 0, rule = 0;
	int r = 0;

	while (file->n_sources > 0)
		free(file->sources[--file->n_sources]);
	if (!find_place(&at, end, &number, &place))
		return file->n_entries ? -EBADMSG : 0;
	while (r == 0 && place.line_at != UINT32_MAX) {
		(void)find_place(&at, end, &number, &next);
		r = put_places(file, place, next.line_at, &entry, &rule);
		place = next;
	}
	return r;
}
