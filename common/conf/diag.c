/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/conf/diag.h"
#include "common/conf/diag_store.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

struct conf_diags *conf_diags_new(void)
{
	CLEANUP(freep) struct conf_diags *diags = calloc(1, sizeof(*diags));

	if (!diags)
		return NULL;
	diags->list = calloc(1, sizeof(*diags->list));
	if (!diags->list)
		return NULL;
	diags->list->sorted = true;
	return STEAL(diags);
}

struct conf_diags *conf_diags_free(struct conf_diags *diags)
{
	if (!diags)
		return NULL;
	for (size_t i = 0; i < diags->n_files; i++) {
		free(diags->files[i]->label);
		free(diags->files[i]->source);
		free(diags->files[i]);
	}
	for (size_t i = 0; i < diags->list->count; i++) {
		free(diags->list->entries[i].diag->message);
		free(diags->list->entries[i].diag->hint);
		free(diags->list->entries[i].diag);
	}
	free(diags->files);
	free(diags->list->entries);
	free(diags->list);
	free(diags);
	return NULL;
}

static struct conf_file *conf_file_new(const char *label, const char *source, size_t len)
{
	struct conf_file *file = calloc(1, sizeof(*file));

	if (!file)
		return NULL;
	file->label = strdup(label);
	file->source = malloc(len + 1);
	if (!file->label || !file->source) {
		free(file->label);
		free(file->source);
		free(file);
		return NULL;
	}
	if (len > 0)
		memcpy(file->source, source, len);
	file->source[len] = '\0';
	file->len = len;
	return file;
}

const char *conf_diags_file(
	struct conf_diags *diags, const char *label, const char *source, size_t len, bool secret)
{
	struct conf_file **grown = reallocarray(
		diags->files, diags->n_files + 1, sizeof(*diags->files));
	struct conf_file *file;

	if (!grown)
		return NULL;
	diags->files = grown;
	/* What is never quoted need not be kept: key text has no second home here. */
	file = conf_file_new(label, secret ? "" : source, secret ? 0 : len);
	if (!file)
		return NULL;
	file->secret = secret;
	diags->files[diags->n_files++] = file;
	return file->label;
}

const struct conf_file *conf_diags_find_file(const struct conf_diags *diags, const char *label)
{
	for (size_t i = 0; i < diags->n_files; i++)
		if (diags->files[i]->label == label)
			return diags->files[i];
	return NULL;
}

static size_t file_rank(const struct conf_diags *diags, const char *label)
{
	for (size_t i = 0; i < diags->n_files; i++)
		if (diags->files[i]->label == label)
			return i;
	return SIZE_MAX;
}

/* Equal places keep the order in which they were reported. */
static int compare_place(const void *x, const void *y)
{
	const struct conf_placed *a = x, *b = y;
	const struct conf_loc *at = &a->diag->loc, *other = &b->diag->loc;

	if (a->file != b->file)
		return a->file < b->file ? -1 : 1;
	if (at->line != other->line)
		return at->line < other->line ? -1 : 1;
	if (at->column != other->column)
		return at->column < other->column ? -1 : 1;
	return (a->turn > b->turn) - (a->turn < b->turn);
}

static struct conf_diag *diag_new(
	enum conf_severity severity, struct conf_loc loc, const char *code, char *message)
{
	struct conf_diag *diag = calloc(1, sizeof(*diag));

	if (!diag)
		return NULL;
	diag->severity = severity;
	diag->loc = loc;
	diag->code = code;
	diag->message = message;
	return diag;
}

static bool make_room(struct conf_list *list)
{
	struct conf_placed *grown;
	size_t room;

	if (list->count < list->room)
		return true;
	room = list->room ? 2 * list->room : 16;
	grown = reallocarray(list->entries, room, sizeof(*grown));
	if (!grown)
		return false;
	list->entries = grown;
	list->room = room;
	return true;
}

static void list_add(struct conf_list *list, struct conf_diag *diag, size_t file)
{
	struct conf_placed *placed = &list->entries[list->count];

	*placed = (struct conf_placed){ .diag = diag, .file = file, .turn = list->count };
	list->sorted = list->sorted && (list->count == 0 || compare_place(placed - 1, placed) < 0);
	list->count++;
}

/* @message: consumed; NULL counts as lost. */
static void diags_add(struct conf_diags *diags, enum conf_severity severity, struct conf_loc loc,
	const char *code, char *message)
{
	struct conf_diag *diag = NULL;

	diags->last = NULL;
	if (severity == CONF_WARNING && diags->strict)
		severity = CONF_ERROR;
	if (severity == CONF_ERROR)
		diags->errors++;
	if (message && make_room(diags->list))
		diag = diag_new(severity, loc, code, message);
	if (!diag) {
		free(message);
		diags->failed = true;
		return;
	}
	list_add(diags->list, diag, file_rank(diags, loc.file));
	diags->last = diag;
}

static char *format_message(const char *format, va_list args) PRINTF_LIKE(1, 0);
static char *format_message(const char *format, va_list args)
{
	char *message;

	return vasprintf(&message, format, args) < 0 ? NULL : message;
}

int conf_error(
	struct conf_diags *diags, struct conf_loc loc, const char *code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	diags_add(diags, CONF_ERROR, loc, code, format_message(format, args));
	va_end(args);
	return -EBADMSG;
}

void conf_warning(
	struct conf_diags *diags, struct conf_loc loc, const char *code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	diags_add(diags, CONF_WARNING, loc, code, format_message(format, args));
	va_end(args);
}

void conf_note(
	struct conf_diags *diags, struct conf_loc loc, const char *code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	diags_add(diags, CONF_NOTE, loc, code, format_message(format, args));
	va_end(args);
}

void conf_hint(struct conf_diags *diags, const char *format, ...)
{
	va_list args;

	if (!diags->last)
		return;
	free(diags->last->hint);
	va_start(args, format);
	diags->last->hint = format_message(format, args);
	va_end(args);
	if (!diags->last->hint)
		diags->failed = true;
}

size_t conf_diags_count(const struct conf_diags *diags)
{
	return diags->list->count;
}

size_t conf_diags_errors(const struct conf_diags *diags)
{
	return diags->errors;
}

const struct conf_diag *conf_diags_get(const struct conf_diags *diags, size_t i)
{
	struct conf_list *list = diags->list;

	if (i >= list->count)
		return NULL;
	if (!list->sorted) {
		/* In turn again, ties are told by it, once more may come behind. */
		qsort(list->entries, list->count, sizeof(*list->entries), compare_place);
		for (size_t n = 0; n < list->count; n++)
			list->entries[n].turn = n;
		list->sorted = true;
	}
	return list->entries[i].diag;
}

void conf_diags_make_strict(struct conf_diags *diags)
{
	diags->strict = true;
	for (size_t i = 0; i < diags->list->count; i++) {
		struct conf_diag *diag = diags->list->entries[i].diag;

		if (diag->severity != CONF_WARNING)
			continue;
		diag->severity = CONF_ERROR;
		diags->errors++;
	}
}

bool conf_diags_failed(const struct conf_diags *diags)
{
	return diags->failed;
}
