/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemon that owns ipsecinit.conf: keeps the policy as configured, takes changes one after the
 * other, publishes each whole. A change that fails leaves everything as it was.
 */
#ifndef POLICY_POLICYD_H
#define POLICY_POLICYD_H

#include <stdint.h>

#include "common/base/cleanup.h"
#include "common/daemon/service.h"
#include "services/policy/policy_file.h"

struct policyd_settings {
	char *config_file;
	int precedence; /* enum spd_precedence */
	bool extensions;
	uint64_t resolve_timeout_sec;
};

enum change_kind {
	CHANGE_RELOAD, /* the file again, whatever was added meanwhile */
	CHANGE_ADD,
	CHANGE_REPLACE, /* host policy */
	CHANGE_REPLACE_ALL,
	CHANGE_FLUSH,
	CHANGE_EXPAND, /* the same entries, names looked up again */
};

/* One change on its way: queued, then published, then answered. */
struct policy_change {
	enum change_kind kind;
	struct bus_call *call; /* owned, to be answered; NULL: nobody asked */
	bool reloading; /* the service manager was told so */
	char *label, *source; /* of the kinds that bring a text */
	size_t len;
	enum policy_scope scope; /* of a flush */
	char tunnel[RULE_TUNNEL_MAX];
	size_t bad; /* entries of the text that contain errors */
	struct policyd *d;
	struct policy_file *next; /* what it comes to */
	bool absent; /* the file does not exist */
	char *warnings; /* rendered, NULL: none */
	struct policy_change *following; /* in the queue */
};

/* Numbers that are given once and never again, one sequence for each head. */
struct policy_counter {
	char tunnel[RULE_TUNNEL_MAX];
	uint32_t last;
};

struct policyd {
	struct service service;
	struct policyd_settings settings;
	struct alg_table *algs; /* the last that loaded */
	struct policy_file *current; /* as published; NULL before the first */
	bool absent; /* there is no file */
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
};
struct policyd_content *policyd_content_free(struct policyd_content *content);
DEFINE_CLEANUP(struct policyd_content *, policyd_content_free)

/* Settings are read; no bus yet. Return: 0 or negative errno, after it was reported. */
int policyd_new(const struct daemon_options *options, struct policyd **ret_policyd) MUST_CHECK;
struct policyd *policyd_free(struct policyd *d);
DEFINE_CLEANUP(struct policyd *, policyd_free)
/*
 * Read and parse the file. A missing one is an empty policy.
 * Return: 0, -EBADMSG (@diags say where), other errno with a diagnostic of the file as a whole.
 */
int policyd_load(struct policyd *d, struct conf_diags *diags, struct policy_file **ret_file,
	bool *ret_absent) MUST_CHECK;
uint32_t policyd_rule_count(const struct policy_file *file); /* both directions; NULL: none */
/* The table that names are looked up in; the last good one when the file is bad. 0 or negative errno. */
int policyd_load_algs(struct policyd *d) MUST_CHECK;

/* ---- policyd_change.c ---- */
struct policy_change *policy_change_new(enum change_kind kind); /* NULL: no memory */
struct policy_change *policy_change_free(struct policy_change *change);
DEFINE_CLEANUP(struct policy_change *, policy_change_free)
/* Consumed; answered when it is its turn and the datapath has spoken. */
void policyd_submit(struct policyd *d, struct policy_change *change);
/* The policy that was read at the start, moved out of *file. Return: 0 or negative errno. */
int policyd_publish_first(struct policyd *d, struct policy_file **file, bool absent) MUST_CHECK;
/* The SIGHUP hook. */
int policyd_reload(void *userdata);

/* ---- policyd_index.c ---- */
/*
 * Give every rule the number of its last SPD entry. Rules that @d->current has keep theirs.
 * Return: 0 or -ENOMEM.
 */
int policyd_give_indexes(struct policyd *d, struct policy_file *next) MUST_CHECK;

/* ---- policyd_bus.c ---- */
int policyd_bus_add(void *userdata) MUST_CHECK;

#endif
