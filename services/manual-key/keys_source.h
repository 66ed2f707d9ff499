/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The key file itself: read only when nobody else can have read or written it. */
#ifndef MANUAL_KEY_KEYS_SOURCE_H
#define MANUAL_KEY_KEYS_SOURCE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/conf/diag.h"

#define KEYS_FILE "/etc/inet/secret/ipseckeys"

/* Key text, wiped before it is freed. */
struct keys_source {
	char *text;
	size_t len;
};
void keys_source_done(struct keys_source *source);

/*
 * Open, check and read. @label: what diagnostics call the file. @strict: wrong owner or mode is an
 * error, not a warning: it has to belong to root or to this process, without any right for group
 * and others, be no symbolic link, and stand where nobody else can replace it.
 * Return: 0, -ENOENT (no diagnostic: the caller knows whether a file must be there), -EBADMSG,
 * -ENOMEM.
 */
int keys_source_read(const char *path, const char *label, bool strict, struct conf_diags *diags,
	struct keys_source *ret_source) MUST_CHECK;

#endif
