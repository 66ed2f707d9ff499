/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How diagnostics are kept: shared by the collector and the renderers, by nobody else. */
#ifndef CONF_DIAG_STORE_H
#define CONF_DIAG_STORE_H

#include "common/conf/diag.h"

struct conf_file {
	char *label;
	char *source; /* NUL-terminated copy; empty for secret files */
	size_t len;
	bool secret;
};

/* A diagnostic and where it ranks: its file, its place there, its turn among equal ones. */
struct conf_placed {
	struct conf_diag *diag;
	size_t file, turn;
};

/* Put in order when the first of them is asked for: some come in the order of the file, some not. */
struct conf_list {
	struct conf_placed *entries;
	size_t count, room;
	bool sorted;
};

struct conf_diags {
	struct conf_file **files;
	size_t n_files;
	struct conf_list *list;
	size_t errors; /* lost ones included */
	struct conf_diag *last; /* added last, for hints */
	bool failed;
	bool strict; /* warnings become errors */
};

/* By the pointer that conf_diags_file() returned; NULL for a foreign label. */
const struct conf_file *conf_diags_find_file(const struct conf_diags *diags, const char *label);

/* ---- diag_render.c ---- */
/* Where a renderer stands in the sources; places come in rising order, so that each is read once. */
struct diag_cursor {
	const struct conf_file *file;
	unsigned int line;
	const char *start;
};

/* The source line of a place, without its newline; false when there is none to be shown. */
bool diag_find_line(struct diag_cursor *cursor, const struct conf_diags *diags,
	const struct conf_loc *loc, const char **ret_start, size_t *ret_len);
const char *diag_severity_name(enum conf_severity severity);
/* Length of the UTF-8 character at @s (at most @left bytes), 0 when it is none. */
size_t diag_utf8_length(const char *s, size_t left);
size_t diag_count_characters(const char *str, size_t len);

#endif
