/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a status line says of the last reading of a file: how many warnings, and where the first
 * error stands.
 */
#ifndef DAEMON_STATUS_H
#define DAEMON_STATUS_H

#include <stddef.h>

#include "common/base/cleanup.h"
#include "common/conf/diag.h"

struct load_note {
	size_t warnings;
	char *fault; /* " at ipsecinit.conf:12:8", or ": " and words; NULL: no error */
};

/* What @diags tell; NULL: nothing. Without memory the place is left out. */
void load_note_take(struct load_note *note, const struct conf_diags *diags);
void load_note_done(struct load_note *note);
/* ", 2 warnings", or nothing. */
void load_note_add_warnings(struct text *text, size_t warnings);
/*
 * "; last reload failed at ipsecinit.conf:12:8". @message: why, when @note has no place for it; its
 * first line is taken.
 */
void load_note_add_fault(struct text *text, const char *what_failed, const struct load_note *note,
	const char *message);

#endif
