/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ipsecsvc(8): the services by their Solaris names, handled through the service manager. What svcadm,
 * svcs, svcprop and svccfg do there.
 */
#ifndef SVC_SVC_H
#define SVC_SVC_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/cleanup.h"
#include "common/base/text.h"
#include "common/bus/bus.h"

/* ---- svc_names.c ---- */
#define SVC_INSTANCE_MAX 32 /* with its NUL */
#define SVC_UNIT_MAX	 96

struct svc_kind {
	const char *name; /* "policy" */
	const char *unit; /* "ipsec-policy" */
	const char *program; /* "ipsec-policyd" */
	const char *settings; /* "policy.cfg" */
	const char *interface; /* "Policy1" */
	const char *check; /* how its file is checked; NULL: it has none to check */
};

struct svc_service {
	const struct svc_kind *kind;
	char instance[SVC_INSTANCE_MAX]; /* of a network namespace; "": the host's */
};

size_t svc_kind_count(void);
const struct svc_kind *svc_kind_at(size_t i);
/*
 * "policy", "ipsec/policy", "svc:/network/ipsec/policy:default", "ipsec-policy.service", with
 * "@NAME" or ":NAME" for an instance. Return: 0 or -ENOENT.
 */
int svc_parse_name(const char *word, struct svc_service *ret) MUST_CHECK;
bool svc_is_instance_name(const char *name);
void svc_add_fmri(struct text *text, const struct svc_service *service);
void svc_unit(const struct svc_service *service, char ret_unit[static SVC_UNIT_MAX]);
/* "policy" or "policy@NAME": what to type. */
void svc_add_name(struct text *text, const struct svc_service *service);

/* ---- svc_manager.c: the service manager ---- */
struct svc_manager;

int svc_manager_open(
	const char *bus, struct svc_manager **ret_manager, struct text *why) MUST_CHECK;
struct svc_manager *svc_manager_free(struct svc_manager *manager);
DEFINE_CLEANUP(struct svc_manager *, svc_manager_free)
/* "StartUnit", "StopUnit", "ReloadUnit", "RestartUnit": back when the job is done. 0 or negative errno. */
int svc_manager_job(struct svc_manager *manager, const char *method, const char *unit,
	struct text *why) MUST_CHECK;
/* In the files that the manager reads at boot. */
int svc_manager_enable(
	struct svc_manager *manager, const char *unit, bool enable, struct text *why) MUST_CHECK;
/* *ret_status: the unit's status line, owned. */
int svc_manager_status(struct svc_manager *manager, const char *unit, char **ret_status,
	struct text *why) MUST_CHECK;
int svc_manager_reset(struct svc_manager *manager, const char *unit, struct text *why) MUST_CHECK;

struct svc_facts {
	char *load, *active, *sub, *file_state, *status, *result; /* owned, never NULL */
	uint64_t since_usec; /* of the present state, realtime; 0: never */
	uint32_t pid;
	int32_t exit_status;
	char *own_state; /* State on its own interface; "" when it does not answer */
};
void svc_facts_done(struct svc_facts *facts);
int svc_manager_ask(struct svc_manager *manager, const struct svc_service *service,
	struct svc_facts *ret_facts, struct text *why) MUST_CHECK;

/* ---- svc_status.c ---- */
/* @details: a paragraph each, in place of the table. Return: 0 or negative errno. */
int svc_status(struct svc_manager *manager, const struct svc_service *services, size_t count,
	bool json, struct text *why) MUST_CHECK;

/* ---- svc_edit.c: one setting in a file of libconfig's syntax, all else left as it was ---- */
/*
 * @literal: the value as it shall stand there. What is not there yet is added at the end.
 * Return: 0, -ENOTSUP (there it is no plain value), -ENOMEM.
 */
int svc_edit(const char *source, const char *name, const char *literal,
	struct text *ret_text) MUST_CHECK;

/* ---- svc_settings.c ---- */
/* The settings that hold, or one of them. Return: 0 or negative errno. */
int svc_get(const struct svc_service *service, const char *name, struct text *why) MUST_CHECK;
/* "NAME=VALUE" each: all are written, or none is. */
int svc_set(const struct svc_service *service, char *const *assignments, size_t count,
	struct text *why) MUST_CHECK;

/* ---- svc_request.c: what root's rights are needed for ---- */
bool svc_request_is_due(void);
/* Has the service manager carry it out, if polkit lets the caller. Return: 0 or negative errno. */
int svc_request(struct svc_manager *manager, const char *verb, char *const *words, size_t count,
	struct text *why) MUST_CHECK;
/* What came with a request: who asks, verb and words, all in @text. Return: how many words, or negative errno. */
int svc_request_split(
	char *text, const char **ret_user, char **ret_words, size_t max_words) MUST_CHECK;
/* @user: who asked for it; NULL: root himself. */
void svc_request_audit(
	const char *user, const char *verb, char *const *words, size_t count, bool done);

/* ---- svc_program.c: the suite's own programs, beside this one ---- */
/*
 * Runs @argv (argv[0]: a name in our own directory), with @input_fd, if >= 0, kept as it is. What it
 * printed goes to the texts. Return: its exit status, or negative errno.
 */
int svc_program_run(char *const *argv, int input_fd, const char *instance, struct text *ret_out,
	struct text *ret_error) MUST_CHECK;

#endif
