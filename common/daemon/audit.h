/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who changed what by which right, and how it ended: one journal record each, with fields. */
#ifndef DAEMON_AUDIT_H
#define DAEMON_AUDIT_H

#include <stdbool.h>
#include <sys/types.h>

enum audit_result { AUDIT_DONE, AUDIT_FAILED, AUDIT_REFUSED };

struct audit {
	const char *what; /* "Policy1.Reload" */
	const char *object; /* "esp spi 0x1001 ...", what of it; NULL or "": no more than that */
	bool known; /* @uid and @pid are */
	uid_t uid;
	pid_t pid; /* 0: unknown */
	const char *sender; /* unique bus name; "": not over the bus */
	const char *right; /* "root", "group ipsecadm", "polkit org.netipsec.manage-policy" */
	enum audit_result result;
	const char *error; /* name of the error, NULL: none */
};

void audit_write(const struct audit *record);
/* The same of a command, whose standard error is the user's: into the journal or nowhere. */
void audit_record(const struct audit *record);

#endif
