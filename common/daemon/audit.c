/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/daemon/audit.h"

#include "common/base/text.h"
#include "common/daemon/log-ids.h"
#include "common/daemon/log.h"

#define FIELDS 8

static const struct {
	const char *word;
	int priority;
} results[] = {
	[AUDIT_DONE] = { "done", LOG_INFO },
	[AUDIT_FAILED] = { "failed", LOG_NOTICE },
	[AUDIT_REFUSED] = { "refused", LOG_WARNING },
};

static void print_caller(const struct audit *record, struct text *text)
{
	if (record->known)
		text_addf(text, "uid %u", (unsigned int)record->uid);
	else
		text_add(text, "somebody");
	if (record->known && record->pid > 0)
		text_addf(text, ", pid %d", (int)record->pid);
	if (*record->sender)
		text_addf(text, ", %s", record->sender);
}

static void write_record(const struct audit *record, log_event_fn log)
{
	struct text fields[FIELDS] = { 0 }, caller = { 0 };
	const char *list[FIELDS + 1];
	size_t n = 0;
	const char *error = record->error ? record->error : "";
	const char *object = record->object ? record->object : "";

	text_addf(&fields[n++], "IPSEC_AUDIT_WHAT=%s", record->what);
	if (*object)
		text_addf(&fields[n++], "IPSEC_AUDIT_OBJECT=%s", object);
	text_addf(&fields[n++], "IPSEC_AUDIT_RIGHT=%s", record->right);
	text_addf(&fields[n++], "IPSEC_AUDIT_RESULT=%s", results[record->result].word);
	text_addf(&fields[n++], "IPSEC_AUDIT_SENDER=%s", record->sender);
	text_addf(&fields[n++], "IPSEC_AUDIT_ERROR=%s", error);
	if (record->known) {
		text_addf(&fields[n++], "IPSEC_AUDIT_UID=%u", (unsigned int)record->uid);
		text_addf(&fields[n++], "IPSEC_AUDIT_PID=%d", (int)record->pid);
	}
	print_caller(record, &caller);
	for (size_t i = 0; i < n; i++)
		list[i] = fields[i].failed ? "IPSEC_AUDIT_LOST=1" : fields[i].str;
	list[n] = NULL;
	log(results[record->result].priority, LOG_ID_AUDIT, list,
		"audit: %s%s%s%s by %s, right: %s: %s%s%s", record->what, *object ? " (" : "",
		object, *object ? ")" : "", caller.failed ? "somebody" : caller.str, record->right,
		results[record->result].word, *error ? ", " : "", error);
	for (size_t i = 0; i < n; i++)
		text_done(&fields[i]);
	text_done(&caller);
}

void audit_write(const struct audit *record)
{
	write_record(record, log_event);
}

void audit_record(const struct audit *record)
{
	write_record(record, log_journal);
}
