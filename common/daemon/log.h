/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Structured log lines: to the journal with fields when standard error is the journal's, else to
 * standard error with a <N> priority. Only daemons log. Never given key bytes.
 */
#ifndef DAEMON_LOG_H
#define DAEMON_LOG_H

#include <syslog.h>

#include "common/base/cleanup.h"
#include "common/conf/diag.h"

/* Fields: "IPSEC_SECTION=policy", NULL-terminated; may be NULL. MESSAGE_ID constants: log-ids.h. */
void log_event(int priority, const char *message_id, const char *const *fields, const char *format,
	...) PRINTF_LIKE(4, 5);
typedef void (*log_event_fn)(int priority, const char *message_id, const char *const *fields,
	const char *format, ...) PRINTF_LIKE(4, 5);
/* The same into the journal or nowhere, for commands. */
void log_journal(int priority, const char *message_id, const char *const *fields,
	const char *format, ...) PRINTF_LIKE(4, 5);
#define log_error(...)	 log_event(LOG_ERR, NULL, NULL, __VA_ARGS__)
#define log_warning(...) log_event(LOG_WARNING, NULL, NULL, __VA_ARGS__)
#define log_info(...)	 log_event(LOG_INFO, NULL, NULL, __VA_ARGS__)
#define log_debug(...)	 log_event(LOG_DEBUG, NULL, NULL, __VA_ARGS__)
/* Each diagnostic as one event with its place and code as fields. */
void log_diags(const struct conf_diags *diags);

#endif
