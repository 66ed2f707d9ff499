/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/daemon/status.h"

#include <string.h>

static const struct conf_diag *first_error(const struct conf_diags *diags)
{
	for (size_t i = 0; i < conf_diags_count(diags); i++)
		if (conf_diags_get(diags, i)->severity == CONF_ERROR)
			return conf_diags_get(diags, i);
	return NULL;
}

/* The last part of a path: the unit's name says which directory is meant. */
static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static void describe_fault(struct text *text, const struct conf_diag *error)
{
	const char *file = error->loc.file ? base_name(error->loc.file) : "";

	if (error->loc.line == 0) { /* the file as a whole */
		text_addf(text, ": %s: %s", file, error->message);
		return;
	}
	text_addf(text, " at %s:%u", file, error->loc.line);
	if (error->loc.column > 0)
		text_addf(text, ":%u", error->loc.column);
}

void load_note_take(struct load_note *note, const struct conf_diags *diags)
{
	CLEANUP(text_done) struct text text = { 0 };
	const struct conf_diag *error = diags ? first_error(diags) : NULL;

	load_note_done(note);
	for (size_t i = 0; diags && i < conf_diags_count(diags); i++)
		note->warnings += conf_diags_get(diags, i)->severity == CONF_WARNING;
	if (error)
		describe_fault(&text, error);
	if (text.str && text_take(&text, &note->fault) < 0)
		note->fault = NULL;
}

void load_note_done(struct load_note *note)
{
	free(note->fault);
	*note = (struct load_note){ 0 };
}

void load_note_add_warnings(struct text *text, size_t warnings)
{
	if (warnings > 0)
		text_addf(text, ", %zu warning%s", warnings, warnings == 1 ? "" : "s");
}

void load_note_add_fault(struct text *text, const char *what_failed, const struct load_note *note,
	const char *message)
{
	if (text->str && *text->str)
		text_add(text, "; ");
	if (note && note->fault)
		text_addf(text, "%s failed%s", what_failed, note->fault);
	else
		text_addf(
			text, "%s failed: %.*s", what_failed, (int)strcspn(message, "\n"), message);
}
