/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/daemon/log.h"

#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <systemd/sd-journal.h>

#include "common/base/text.h"
#include "common/daemon/log-ids.h"

#define MAX_FIELDS 16

/* Standard error is the journal when it is the stream that the service manager named. */
static bool is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	char here[64];
	struct stat st;

	if (!stream || fstat(STDERR_FILENO, &st) < 0)
		return false;
	return text_fixed(here, sizeof(here), "%ju:%ju", (uintmax_t)st.st_dev,
		       (uintmax_t)st.st_ino) == 0 &&
	       strcmp(here, stream) == 0;
}

static struct iovec iovec_of(const char *field)
{
	return (struct iovec){ .iov_base = (void *)(uintptr_t)field, .iov_len = strlen(field) };
}

static bool to_journal(
	int priority, const char *message_id, const char *const *fields, const char *message)
{
	struct text text = { 0 }, id = { 0 };
	char level[16];
	struct iovec parts[MAX_FIELDS];
	int n = 0;
	bool sent = false;

	text_addf(&text, "MESSAGE=%s", message);
	text_addf(&id, "MESSAGE_ID=%s", message_id ? message_id : "");
	if (!text.failed && !id.failed &&
		text_fixed(level, sizeof(level), "PRIORITY=%d", priority) == 0) {
		parts[n++] = iovec_of(text.str);
		parts[n++] = iovec_of(level);
		if (message_id)
			parts[n++] = iovec_of(id.str);
		for (; fields && *fields && n < MAX_FIELDS; fields++)
			parts[n++] = iovec_of(*fields);
		sent = sd_journal_sendv(parts, n) >= 0;
	}
	text_done(&text);
	text_done(&id);
	return sent;
}

/* Each line gets the priority, or the journal would take those behind the first for another's. */
static void to_stderr(int priority, const char *message)
{
	while (*message) {
		size_t len = strcspn(message, "\n");

		(void)fprintf(stderr, "<%d>%.*s\n", priority, (int)len, message);
		message += len;
		message += *message == '\n';
	}
}

void log_event(
	int priority, const char *message_id, const char *const *fields, const char *format, ...)
{
	struct text message = { 0 };
	va_list args;

	va_start(args, format);
	text_vaddf(&message, format, args);
	va_end(args);
	if (message.failed || !message.str)
		to_stderr(priority, "out of memory while logging");
	else if (!is_journal() || !to_journal(priority, message_id, fields, message.str))
		to_stderr(priority, message.str);
	text_done(&message);
}

void log_journal(
	int priority, const char *message_id, const char *const *fields, const char *format, ...)
{
	struct text message = { 0 };
	va_list args;

	va_start(args, format);
	text_vaddf(&message, format, args);
	va_end(args);
	if (!message.failed && message.str)
		(void)to_journal(priority, message_id, fields, message.str); /* or there is none */
	text_done(&message);
}

static void log_diag(const struct conf_diag *diag)
{
	static const struct {
		int priority;
		const char *word;
	} kinds[] = {
		[CONF_ERROR] = { LOG_ERR, "error" },
		[CONF_WARNING] = { LOG_WARNING, "warning" },
		[CONF_NOTE] = { LOG_INFO, "note" },
	};
	struct text file = { 0 }, code = { 0 };
	char line[48], column[48];

	text_addf(&file, "IPSEC_FILE=%s", diag->loc.file ? diag->loc.file : "");
	text_addf(&code, "IPSEC_CODE=%s", diag->code);
	if (!file.failed && !code.failed &&
		text_fixed(line, sizeof(line), "IPSEC_LINE=%u", diag->loc.line) == 0 &&
		text_fixed(column, sizeof(column), "IPSEC_COLUMN=%u", diag->loc.column) == 0) {
		const char *const fields[] = { file.str, line, column, code.str, NULL };

		log_event(kinds[diag->severity].priority, LOG_ID_DIAGNOSTIC, fields,
			"%s:%u:%u: %s: %s [%s]", diag->loc.file ? diag->loc.file : "",
			diag->loc.line, diag->loc.column, kinds[diag->severity].word, diag->message,
			diag->code);
	}
	text_done(&file);
	text_done(&code);
}

void log_diags(const struct conf_diags *diags)
{
	for (size_t i = 0; i < conf_diags_count(diags); i++)
		log_diag(conf_diags_get(diags, i));
	if (conf_diags_failed(diags))
		log_error("out of memory: diagnostics were lost");
}
