/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ipsecinit.conf as a value: its entries in the user's words and the rules that they mean. */
#ifndef POLICY_FILE_H
#define POLICY_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/conf/diag.h"
#include "common/conf/resolve.h"
#include "common/model/algorithm.h"
#include "common/model/rule.h"
#include "common/spd/spd.h"

#define POLICY_FILE_PATH      "/etc/inet/ipsecinit.conf"
#define POLICY_MAX_FILE_BYTES (64U << 20)
#define POLICY_MAX_SOURCES    1024

/* One text entry. */
struct policy_entry {
	char *text; /* as written, without comments and blank lines; owned */
	char tunnel[RULE_TUNNEL_MAX]; /* "" for host policy */
	uint32_t line, column; /* of its first brace; column 0: unknown */
	uint16_t source; /* where it was written, see policy_file_source() */
	bool audit; /* its rules count and decide nothing */
	bool cut; /* SPD entries of it were deleted: its text says more than its rules */
	bool hidden; /* the one that its number stands for was deleted: it is not shown */
	size_t n_rules; /* rules of the file from the first that no other entry has */
};

/* Rules stand in file order, those of one entry together. */
struct policy_file {
	size_t n_entries, entry_room;
	struct policy_entry *entries;
	size_t n_rules, rule_room;
	struct rule **rules; /* rule.order counts within one run of the parser */
	size_t n_sources;
	char **sources;
};

struct policy_file *policy_file_new(void); /* NULL: no memory */
struct policy_file *policy_file_free(struct policy_file *file);
DEFINE_CLEANUP(struct policy_file *, policy_file_free)

/* Append; the strings are copied, the rule is consumed on success. Return: 0 or -ENOMEM. */
int policy_file_add_entry(
	struct policy_file *file, const char *text, const char *tunnel, uint32_t line) MUST_CHECK;
int policy_file_add_rule(
	struct policy_file *file, struct rule *rule) MUST_CHECK; /* of the last entry */

/*
 * Note a source's label, once. *ret_source: its number; when there is no room for more, the last.
 * Return: 0 or -ENOMEM.
 */
int policy_file_add_source(
	struct policy_file *file, const char *label, uint16_t *ret_source) MUST_CHECK;
const char *policy_file_source(const struct policy_file *file, const struct policy_entry *entry);
/*
 * Append a copy of entry @at of @file with its rules, the first of which is rule @first_rule.
 * Return: 0 or -ENOMEM.
 */
int policy_file_copy_entry(const struct policy_file *file, size_t at, size_t first_rule,
	struct policy_file *copy) MUST_CHECK;

/* Of which heads a change takes the entries away. */
enum policy_scope { POLICY_NOTHING, POLICY_HOST, POLICY_ONE_TUNNEL, POLICY_ALL };
bool policy_scope_has(enum policy_scope scope, const char *tunnel, const char *head);
/* A copy without the entries of @scope. Return: 0 or -ENOMEM. */
int policy_file_without(const struct policy_file *file, enum policy_scope scope, const char *tunnel,
	struct policy_file **ret_file) MUST_CHECK;

/* "#INDEX n" and the text of each entry; @index as the rules carry it, none when it is 0. */
void policy_file_print(const struct policy_file *file, struct text *text);

/* Copies of the rules, in match order. Return: 0 or -ENOMEM. */
int policy_file_spd(const struct policy_file *file, enum spd_precedence precedence,
	struct spd **ret_spd) MUST_CHECK;

struct policy_tunnels;
struct hosts_file;
struct sa;

/* Those by which packets may leave this host. */
struct policy_sas {
	size_t count;
	const struct sa *const *list;
	bool negotiates; /* others are made when packets ask for them */
};

struct policy_input {
	const char *label; /* the source's name in diagnostics */
	const char *source;
	size_t len;
	const struct alg_table *algs;
	const struct resolver *resolver;
	const struct policy_file *base; /* entries that stay in force before these; NULL: none */
	enum spd_precedence precedence; /* in force where the rules will stand */
	bool extensions; /* port ranges and lists of addresses, see ipsecinit.conf(5) */
	bool lint; /* warn of what is suspicious about the rules, see lint.h */
	const struct policy_tunnels *tunnels; /* of this host, for that; NULL: unknown */
	const struct hosts_file *hosts; /* names that need no network, for that; NULL: unknown */
	const struct policy_sas *sas; /* of this host, for that; NULL: unknown */
	size_t *ret_bad; /* NULL, or where to count the entries that contain errors */
};

/**
 * policy_parse() - what a policy text means
 * @in:       the text and what its names are looked up in; nothing is kept
 * @diags:    gets every error and warning of the text
 * @ret_file: the entries of @in->base, then those of the text; written on success only
 *
 * Return: 0, -EBADMSG (see @diags), -ENOMEM.
 * Source: ipsecinit.conf(5).
 */
int policy_parse(const struct policy_input *in, struct conf_diags *diags,
	struct policy_file **ret_file) MUST_CHECK;

/* ---- policy_mirror.c ---- */
/* The text as the peer needs it: ends and directions swapped. Twice is the text again. 0 or -ENOMEM. */
int policy_mirror(const char *source, size_t len, struct text *text) MUST_CHECK;

/* ---- policy_lookup.c ---- */
/*
 * The host names that a text asks for, repeats included: for a struct resolve_job, whose answers
 * are the resolver of the parser then. Return: 0 or -ENOMEM.
 */
int policy_host_names(
	const char *source, size_t len, char ***ret_names, size_t *ret_count) MUST_CHECK;
void policy_host_names_free(char **names, size_t count);
/*
 * The same as policy_parse() for who can wait: all names are looked up beforehand, by helpers, in
 * @timeout_usec at most. @in->resolver outlives the process's look-ups: it is a static one.
 */
int policy_parse_bounded(const struct policy_input *in, uint64_t timeout_usec,
	struct conf_diags *diags, struct policy_file **ret_file) MUST_CHECK;

#endif
