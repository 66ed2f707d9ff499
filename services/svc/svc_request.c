/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What needs root's rights, asked of the service manager by somebody else: the words become the name of a
 * unit, polkit decides whether he may start it, and the unit runs this program again.
 */
#include <ctype.h>
#include <errno.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

#include "common/daemon/audit.h"
#include "services/svc/svc.h"

#define UNIT_NAME_MAX 255 /* of the service manager */

/* The service manager takes it back: systemd.unit(5), string escaping. */
static void add_escaped(struct text *text, const char *word)
{
	for (; *word; word++) {
		unsigned char c = (unsigned char)*word;

		if (c < 0x80 && (isalnum(c) || c == '_'))
			text_add_char(text, *word);
		else
			text_addf(text, "\\x%02x", c);
	}
}

static int add_caller(struct text *text)
{
	const struct passwd *who = getpwuid(getuid());

	if (!who)
		return -ENOENT;
	add_escaped(text, who->pw_name);
	text_add_char(text, ':'); /* the rule of polkit reads so far */
	return 0;
}

bool svc_request_is_due(void)
{
	return geteuid() != 0 && !secure_getenv("NETIPSEC_ROOT");
}

int svc_request(struct svc_manager *manager, const char *verb, char *const *words, size_t count,
	struct text *why)
{
	CLEANUP(freep) char *status = NULL;
	CLEANUP(text_done) struct text unit = { 0 }, ignored = { 0 };
	int r;

	text_add(&unit, "ipsec-request@");
	r = add_caller(&unit);
	add_escaped(&unit, verb);
	for (size_t i = 0; i < count; i++) {
		add_escaped(&unit, "\n");
		add_escaped(&unit, words[i]);
	}
	text_add(&unit, ".service");
	if (unit.failed)
		return -ENOMEM;
	if (r == 0 && unit.len > UNIT_NAME_MAX) {
		text_add(why, "that is too much at once");
		return -E2BIG;
	}
	if (r == 0)
		r = svc_manager_job(manager, "StartUnit", unit.str, why);
	if (r != -EIO)
		return r;
	if (svc_manager_status(manager, unit.str, &status, &ignored) == 0 && *status) {
		text_done(why);
		text_add(why, status);
	}
	/* It has said why: as a failed unit it would be one to look after. */
	if (svc_manager_reset(manager, unit.str, &ignored) < 0)
		text_done(&ignored);
	return r;
}

int svc_request_split(char *text, const char **ret_user, char **ret_words, size_t max_words)
{
	char *at = strchr(text, ':');
	size_t count = 0;

	if (!at)
		return -EINVAL;
	*at++ = '\0';
	*ret_user = text;
	while (count < max_words) {
		size_t len = strcspn(at, "\n");
		bool last = at[len] == '\0';

		ret_words[count++] = at;
		at[len] = '\0';
		if (last)
			return (int)count;
		at += len + 1;
	}
	return -E2BIG;
}

void svc_request_audit(
	const char *user, const char *verb, char *const *words, size_t count, bool done)
{
	CLEANUP(text_done) struct text what = { 0 };
	const struct passwd *who = user ? getpwnam(user) : NULL;
	struct audit record = { .known = !user || who,
		.uid = who ? who->pw_uid : getuid(),
		.sender = "",
		.right = user ? "service manager" : "root",
		.result = done ? AUDIT_DONE : AUDIT_FAILED };

	text_addf(&what, "ipsecsvc %s", verb);
	for (size_t i = 0; i < count; i++)
		text_addf(&what, " %s", words[i]);
	record.what = what.failed ? verb : what.str;
	audit_record(&record);
}
