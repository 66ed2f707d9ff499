/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Questions to polkit's authority, over the bus and without its library. The loop goes on while it
 * thinks: somebody may be typing a password.
 */
#ifndef DAEMON_POLKIT_H
#define DAEMON_POLKIT_H

#include "common/bus/bus.h"

#define POLKIT_INTERACTION_REQUIRED "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired"

enum polkit_answer {
	POLKIT_YES,
	POLKIT_NO, /* also: there is no polkit, it failed, it did not answer in time */
	POLKIT_CHALLENGE, /* yes with a password, which must not be asked for */
};

struct polkit_subject {
	const char *sender; /* unique bus name of who wants something */
	const char *action;
	bool interactive; /* a password may be asked for */
	uint64_t number; /* of the question, unique on this connection */
};

struct polkit_question;
typedef void (*polkit_answer_fn)(enum polkit_answer answer, void *userdata);
/* @on_answer comes once, unless the question is cancelled before. */
int polkit_ask(struct bus *bus, const struct polkit_subject *subject, polkit_answer_fn on_answer,
	void *userdata, struct polkit_question **ret_question) MUST_CHECK;
/* Takes a password dialogue away too. NULL allowed. */
struct polkit_question *polkit_cancel(struct polkit_question *question);

#endif
