/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemon that owns ipsecinit.conf: keeps the policy as configured, takes changes one after the
 * other, publishes each whole. A change that fails leaves everything as it was.
 */
#ifndef POLICY_POLICYD_H
#define POLICY_POLICYD_H

#include <stdint.h>

#include "common/base/cleanup.h"
#include "common/conf/resolve_job.h"
#include "common/daemon/service.h"
#include "services/policy/policy_file.h"
#include "services/policy/policyd_edit.h"
#include "services/policy/policyd_fragments.h"

struct policyd_settings {
	char *config_file;
	int precedence; /* enum spd_precedence */
	bool extensions;
	bool enforce; /* false: the file's rules and those set by hand are audit rules */
	uint64_t resolve_timeout_sec;
};

enum change_kind {
	CHANGE_RELOAD, /* the file again, whatever was added meanwhile */
	CHANGE_ADD,
	CHANGE_REPLACE, /* host policy */
	CHANGE_REPLACE_ALL,
	CHANGE_FLUSH,
	CHANGE_DELETE, /* one SPD entry */
	CHANGE_REMOVE, /* entries by their text */
	CHANGE_EXPAND, /* the same entries, names looked up again */
	CHANGE_RESTORE, /* what was in force before a trial that a former process began */
	CHANGE_FRAGMENT_ADD,
	CHANGE_FRAGMENT_REMOVE,
};

/* One change on its way: queued, names looked up, published, answered. */
struct policy_change {
	enum change_kind kind;
	struct policyd *d;
	struct bus_call *call; /* owned, to be answered; NULL: nobody asked */
	bool reloading; /* the service manager was told so */
	char *label, *source; /* of the kinds that bring a text */
	size_t len;
	enum policy_scope scope; /* of a flush */
	char tunnel[RULE_TUNNEL_MAX]; /* of a flush, of a deletion */
	uint32_t index; /* of a deletion */
	uint64_t confirm_usec; /* 0: for good */
	struct policyd_fragment *fragment; /* to be added, owned */
	char *fragment_name; /* that goes, or is replaced */

	struct resolve_job *job; /* names are looked up */
	struct resolver answers;
	sd_event_source *job_source;

	size_t bad; /* entries of the text that contain errors */
	struct policy_file *next; /* what will be configured; NULL: the same as now */
	struct policy_file *in_force; /* with fragments; NULL: there are none */
	bool absent; /* the file does not exist */
	bool resumes; /* at the start: the file is on trial, or was rolled back */
	struct policyd_settings former; /* before a reload; without config_file: they stayed */
	char *warnings; /* rendered, NULL: none */
	struct text removed, rest; /* of a deletion */
	struct policyd_removal removal;
	struct policy_change *following; /* in the queue */
};

/* Numbers that are given once and never again, one sequence for each head. */
struct policy_counter {
	char tunnel[RULE_TUNNEL_MAX];
	uint32_t last;
};

/* What was in force before a change that waits to be confirmed. */
struct policyd_former {
	bool valid;
	struct policy_file *configured, *in_force;
	bool absent;
};

/* The bus names whose fragments go with them. */
struct policyd_owners {
	struct policyd *d;
	size_t count;
	char **watched;
};

struct policyd {
	struct service service;
	struct policyd_settings settings;
	struct alg_table *algs; /* the last that loaded */
	struct policy_file *configured; /* file and changes by hand; NULL before the first */
	struct policy_file *in_force; /* with fragments; NULL: as configured */
	/* Of `configured`, what a reload brought and the SAs are being asked for; NULL: nothing. */
	const struct policy_file *unheld;
	unsigned int sas_asked; /* answers that are still to come */
	bool absent; /* there is no file */
	bool without_rules; /* of the last reload: the policy before it stays */
	struct policyd_former former;
	/* A trial ended that began before this process did: what is in force is not `configured`. */
	bool gone_back;
	struct policyd_fragments fragments;
	struct policyd_owners owners;
	struct policy_counter *counters;
	size_t n_counters;
	struct policy_change *queue; /* the first is under way while service.busy */
};

extern const struct daemon_identity policyd_identity;
extern const struct service_hooks policyd_hooks;

/* One reading of the file. */
struct policyd_content {
	struct policy_file *file;
	bool absent; /* there is no file */
	bool tried; /* its text is on trial, or was rolled back */
};
struct policyd_content *policyd_content_free(struct policyd_content *content);
DEFINE_CLEANUP(struct policyd_content *, policyd_content_free)

/* Return: 0 or negative errno, -EBADMSG when @diags say where. */
int policyd_settings_read(const struct daemon_options *options, struct conf_diags *diags,
	struct policyd_settings *ret_settings) MUST_CHECK;
void policyd_settings_done(struct policyd_settings *settings);
/* Settings are read; no bus yet. Return: 0 or negative errno, after it was reported. */
int policyd_new(const struct daemon_options *options, struct policyd **ret_policyd) MUST_CHECK;
struct policyd *policyd_free(struct policyd *d);
DEFINE_CLEANUP(struct policyd *, policyd_free)
/*
 * The text of the file. A missing one is an empty text.
 * Return: 0, or negative errno with a diagnostic of the file as a whole.
 */
int policyd_read(const struct policyd *d, struct conf_diags *diags, char **ret_source,
	size_t *ret_len, bool *ret_absent) MUST_CHECK;
/* What is published: NULL before the first. */
const struct policy_file *policyd_in_force(const struct policyd *d);
uint32_t policyd_rule_count(const struct policy_file *file); /* both directions; NULL: none */
/* The table that names are looked up in; the last good one when the file is bad. 0 or negative errno. */
int policyd_load_algs(struct policyd *d) MUST_CHECK;

/* ---- policyd_change.c ---- */
struct policy_change *policy_change_new(enum change_kind kind); /* NULL: no memory */
struct policy_change *policy_change_free(struct policy_change *change);
DEFINE_CLEANUP(struct policy_change *, policy_change_free)
/* Consumed; answered when it is its turn and the datapath has spoken. */
void policyd_submit(struct policyd *d, struct policy_change *change);
/* The same in two steps. */
void policyd_enqueue(struct policyd *d, struct policy_change *change);
void policyd_start(struct policyd *d);
/* What was read at the start; its file is moved out. Return: 0 or negative errno. */
int policyd_publish_first(struct policyd *d, struct policyd_content *content) MUST_CHECK;
/* The SIGHUP hook: the end is told to the manager later. */
int policyd_reload(void *userdata);
/* The datapath went back to what was in force before a change that nobody confirmed. */
void policyd_rolled_back(struct policyd *d);
void policyd_confirmed(struct policyd *d);
/* Nobody asked for it: names mean other things now. */
void policyd_expand(struct policyd *d);

/* ---- policyd_work.c ---- */
/* The text of a change is at hand after this, with the names of all that it will parse. */
int policyd_prepare(struct policyd *d, struct policy_change *change, struct conf_diags *diags,
	char ***ret_names, size_t *ret_count) MUST_CHECK;
/* What a change comes to: change->next and in_force. Names are asked of change->answers. */
int policyd_work_out(
	struct policyd *d, struct policy_change *change, struct conf_diags *diags) MUST_CHECK;
/* A text without entries changes nothing, not even when it was to replace everything. */
bool policyd_brings_nothing(const struct policyd *d, const struct policy_change *change);
/* The settings that every text is parsed with. */
struct policy_input policyd_input(const struct policyd *d, const struct resolver *resolver);

/* ---- policyd_trial.c ---- */
/* Before a reload on trial is published; nothing for other changes. Return: 0 or negative errno. */
int policyd_trial_mark(const struct policyd *d, const struct policy_change *change) MUST_CHECK;
void policyd_trial_unmark(void);
/* Is this text on trial, or was it rolled back, and nobody has asked for it since? */
bool policyd_trial_is_of(const char *source, size_t len);

/* ---- policyd_former.c ---- */
/* What is configured, for a process that comes after this one. Return: 0 or negative errno. */
int policyd_former_write(const struct policyd *d) MUST_CHECK;
void policyd_former_forget(void);
/* Its text. Return: 0, -ENOENT, other errno. */
int policyd_former_read(char **ret_source, size_t *ret_len) MUST_CHECK;
/* Tell what was read from it where it was written, and its numbers. 0, -EBADMSG or -ENOMEM. */
int policyd_former_place(const char *source, size_t len, struct policy_file *file) MUST_CHECK;

/* ---- policyd_index.c ---- */
/*
 * Give every rule the number of its last SPD entry. Those that have one, or are in force, keep it.
 * Return: 0 or -ENOMEM.
 */
int policyd_give_indexes(struct policyd *d, struct policy_file *next) MUST_CHECK;
/* Has policy spoken of this tunnel since the service runs? */
bool policyd_knows_tunnel(const struct policyd *d, const char *tunnel);

/* ---- policyd_watch.c ---- */
/* What others tell: names' owners, addresses, algorithms, the datapath's way back. 0 or errno. */
int policyd_watch(struct policyd *d) MUST_CHECK;
/* After fragments came or went: those of owners that leave go with them, by changes that are queued. */
void policyd_watch_owners(struct policyd *d);

/* ---- policyd_sas.c ---- */
/* Warn, when the datapath has told its SAs, of rules that none of them serves. */
void policyd_ask_sas(struct policyd *d);

/* ---- policyd_bus.c, policyd_bus_fragments.c ---- */
int policyd_bus_add(void *userdata) MUST_CHECK;
/* Queue a change for this caller, who is answered by its end; consumed. */
int policyd_bus_submit(
	struct policyd *d, struct policy_change *change, struct bus_call *call) MUST_CHECK;
/* Regular files and memfds only: nothing that could keep the daemon waiting. 0 or negative errno. */
int policyd_bus_read_source(int fd, struct policy_change *change) MUST_CHECK;
int policyd_on_add_fragment(
	struct bus_call *call, struct bus_reader *args, void *userdata) MUST_CHECK;
int policyd_on_remove_fragment(
	struct bus_call *call, struct bus_reader *args, void *userdata) MUST_CHECK;

#endif
