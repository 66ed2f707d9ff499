/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the user did wrong, and where: collected over a whole file, then rendered as text with the
 * source line and a caret, or as JSON. Nothing here prints or exits.
 */
#ifndef CONF_DIAG_H
#define CONF_DIAG_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/cleanup.h"
#include "common/base/text.h"

/* Where a token stood. Counted from 1 in bytes; line 0: the file as a whole, column 0: unknown. */
struct conf_loc {
	const char
		*file; /* borrowed from the diags that it is reported to, see conf_diags_file() */
	unsigned int line, column, length;
};

enum conf_severity { CONF_ERROR, CONF_WARNING, CONF_NOTE };

struct conf_diag {
	enum conf_severity severity;
	struct conf_loc loc;
	const char *code; /* static, such as "addr-prefix" */
	char *message; /* one line, no full stop */
	char *hint; /* what to do about it, or NULL */
};

struct conf_diags;

struct conf_diags *conf_diags_new(void); /* NULL: no memory */
struct conf_diags *conf_diags_free(struct conf_diags *diags);
DEFINE_CLEANUP(struct conf_diags *, conf_diags_free)

/*
 * Name the source and lend its text for excerpts. @label: as the user wrote it. @secret: excerpts
 * and carets are never rendered (key files). Both strings are copied.
 * Return: the stored label for conf_loc.file, NULL without memory.
 */
const char *conf_diags_file(
	struct conf_diags *diags, const char *label, const char *source, size_t len, bool secret);

/* Add one. Always returns -EBADMSG, so that a parser can `return conf_error(...)`. */
int conf_error(struct conf_diags *diags, struct conf_loc loc, const char *code, const char *format,
	...) PRINTF_LIKE(4, 5);
void conf_warning(struct conf_diags *diags, struct conf_loc loc, const char *code,
	const char *format, ...) PRINTF_LIKE(4, 5);
void conf_note(struct conf_diags *diags, struct conf_loc loc, const char *code, const char *format,
	...) PRINTF_LIKE(4, 5);
/* A hint for the diagnostic added last. */
void conf_hint(struct conf_diags *diags, const char *format, ...) PRINTF_LIKE(2, 3);

size_t conf_diags_count(const struct conf_diags *diags);
size_t conf_diags_errors(const struct conf_diags *diags);
const struct conf_diag *conf_diags_get(const struct conf_diags *diags, size_t i); /* by place */
/* Some diagnostic was lost for want of memory. */
bool conf_diags_failed(const struct conf_diags *diags);
/* From here on every warning is an error, also those that were reported before. */
void conf_diags_make_strict(struct conf_diags *diags);

/* "file:line:column: error: text [code]", the line, the caret; sorted by place. */
void conf_diags_print(const struct conf_diags *diags, struct text *text);
/* {"version":1,"diagnostics":[{file,line,column,end_line,end_column,severity,code,message,hint}]} */
void conf_diags_print_json(const struct conf_diags *diags, struct text *text);
/* The same as a SARIF 2.1.0 log of one run of @tool; hints stand in `properties`. */
void conf_diags_print_sarif(
	const struct conf_diags *diags, const char *tool, const char *version, struct text *text);

#endif
