/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/conf/diag.h"
#include "common/conf/diag_store.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

struct conf_diags *conf_diags_new(void)
{
	return calloc(1, sizeof(struct conf_diags));
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
	for (size_t i = 0; i < diags->count; i++) {
		free(diags->entries[i]->message);
		free(diags->entries[i]->hint);
		free(diags->entries[i]);
	}
	free(diags->files);
	free(diags->entries);
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
	return diags->n_files;
}

/* Does @a stand behind @b? Equal places keep the order in which they were reported. */
static bool stands_behind(
	const struct conf_diags *diags, const struct conf_diag *a, const struct conf_diag *b)
{
	size_t rank_a = file_rank(diags, a->loc.file), rank_b = file_rank(diags, b->loc.file);

	if (rank_a != rank_b)
		return rank_a > rank_b;
	if (a->loc.line != b->loc.line)
		return a->loc.line > b->loc.line;
	return a->loc.column > b->loc.column;
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

static bool make_room(struct conf_diags *diags)
{
	struct conf_diag **grown;
	size_t room;

	if (diags->count < diags->room)
		return true;
	room = diags->room ? 2 * diags->room : 16;
	grown = reallocarray(diags->entries, room, sizeof(*grown));
	if (!grown)
		return false;
	diags->entries = grown;
	diags->room = room;
	return true;
}

/* @message: consumed; NULL counts as lost. */
static void diags_add(struct conf_diags *diags, enum conf_severity severity, struct conf_loc loc,
	const char *code, char *message)
{
	struct conf_diag *diag = NULL;
	size_t at;

	diags->last = NULL;
	if (severity == CONF_WARNING && diags->strict)
		severity = CONF_ERROR;
	if (severity == CONF_ERROR)
		diags->errors++;
	if (message && make_room(diags))
		diag = diag_new(severity, loc, code, message);
	if (!diag) {
		free(message);
		diags->failed = true;
		return;
	}
	for (at = diags->count; at > 0; at--) {
		if (!stands_behind(diags, diags->entries[at - 1], diag))
			break;
		diags->entries[at] = diags->entries[at - 1];
	}
	diags->entries[at] = diag;
	diags->count++;
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
	return diags->count;
}

size_t conf_diags_errors(const struct conf_diags *diags)
{
	return diags->errors;
}

const struct conf_diag *conf_diags_get(const struct conf_diags *diags, size_t i)
{
	return i < diags->count ? diags->entries[i] : NULL;
}

void conf_diags_make_strict(struct conf_diags *diags)
{
	diags->strict = true;
	for (size_t i = 0; i < diags->count; i++) {
		if (diags->entries[i]->severity != CONF_WARNING)
			continue;
		diags->entries[i]->severity = CONF_ERROR;
		diags->errors++;
	}
}

bool conf_diags_failed(const struct conf_diags *diags)
{
	return diags->failed;
}
