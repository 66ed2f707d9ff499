/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of ipsecconf(8) share: the request as its options put it. */
#ifndef POLICY_IPSECCONF_H
#define POLICY_IPSECCONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/cleanup.h"
#include "common/bus/bus.h"

enum conf_command {
	COMMAND_SHOW, /* what was configured */
	COMMAND_LIST, /* host rules in force, or those of one tunnel */
	COMMAND_LIST_ALL,
	COMMAND_ADD, /* with conf_flush: replace */
	COMMAND_CHECK,
	COMMAND_MIRROR,
	COMMAND_FLUSH, /* flush alone */
	COMMAND_DELETE,
	COMMAND_REMOVE,
	COMMAND_RELOAD,
	COMMAND_CONFIRM,
	COMMAND_FRAGMENTS,
	COMMAND_EXPLAIN,
	COMMAND_DIFF,
	COMMAND_DRIFT,
};

#define CONF_CONFIRM_MAX 86400U

enum conf_flush { FLUSH_NONE, FLUSH_SCOPE, FLUSH_ALL };

struct conf_request {
	enum conf_command command;
	enum conf_flush flush;
	const char *
		file; /* of -a, -c, -r, --diff and --mirror; "-": standard input; --explain: the flow */
	const char *with; /* of --explain; NULL: the policy in force */
	const char *fragment; /* NULL: none */
	uint32_t index; /* of -d */
	uint64_t confirm_sec; /* 0: for good */
	const char *interface; /* -i, NULL: host */
	const char *bus; /* address, or "system" */
	bool numeric, quiet, json, table, print, counters, audit;
	bool sarif, strict, extensions; /* of -c */
	char *const *more_files; /* of -c, behind the first */
	size_t n_more_files;
};

/* Is this a part of a unit's start or reload? Exit codes and words are the manager's then. */
bool conf_is_managed(void);

/* Prints help, version and usage errors. Return: 0, 1 when all is done, -EINVAL after usage. */
int conf_options_parse(int argc, char **argv, struct conf_request *ret) MUST_CHECK;

/* The bytes of @file, or of standard input for "-". *ret_label is what diagnostics call it. */
int conf_read_source(
	const char *file, char **ret_source, size_t *ret_len, const char **ret_label) MUST_CHECK;
void conf_print_text(FILE *stream, const struct text *text);
/* -c. Return: 0 or negative errno, all is said. */
int conf_check(const struct conf_request *request) MUST_CHECK;
struct hosts_file;
struct policy_tunnels;
/* What is known of this host, for warnings. Return: 0 or negative errno: nothing is known. */
int conf_hosts(struct hosts_file **ret_hosts) MUST_CHECK;
int conf_tunnels(struct policy_tunnels **ret_tunnels) MUST_CHECK;
/* The SAs that the datapath can send by, which a file's rules are held against. */
struct alg_table;
struct policy_listed;
/* Says nothing, does not wait. Return: 0 or negative errno: not known. */
int conf_sas(const struct conf_request *request, const struct alg_table *algs,
	struct policy_listed **ret_sas) MUST_CHECK;
/* --mirror. Return: 0 or negative errno, all is said. */
int conf_mirror(const struct conf_request *request) MUST_CHECK;
/* Everything that talks to the services. Return: 0 or negative errno, all is said. */
int conf_show(const struct conf_request *request) MUST_CHECK;
int conf_apply(const struct conf_request *request) MUST_CHECK;
int conf_flush_policy(const struct conf_request *request) MUST_CHECK;
int conf_list(const struct conf_request *request) MUST_CHECK;
int conf_delete(const struct conf_request *request) MUST_CHECK;
int conf_remove(const struct conf_request *request) MUST_CHECK;
int conf_reload(const struct conf_request *request) MUST_CHECK;
int conf_confirm(const struct conf_request *request) MUST_CHECK;
int conf_fragment_add(const struct conf_request *request) MUST_CHECK;
int conf_fragment_drop(const struct conf_request *request) MUST_CHECK;
int conf_fragments(const struct conf_request *request) MUST_CHECK;
int conf_explain(const struct conf_request *request) MUST_CHECK;
int conf_diff(const struct conf_request *request) MUST_CHECK;
/* Return: 0, 1 when something differs, negative errno. */
int conf_drift(const struct conf_request *request) MUST_CHECK;

/* Connect and call, say what failed. @method of @destination, whose writer the caller fills. */
int conf_bus_open(const struct conf_request *request, struct bus **ret_bus) MUST_CHECK;
int conf_bus_failed(int r, const struct bus_error *error, const char *service);
struct bus_writer *conf_policy_method(struct bus *bus, const char *method); /* of Policy1 */
/* Send it; what failed is said. */
int conf_policy_call(struct bus_writer *wr, struct bus_reply **ret_reply) MUST_CHECK;
/* The text of a memfd that a reply has as its only argument; owned. What failed is said. */
int conf_reply_text(struct bus_reply *reply, char **ret_text, size_t *ret_len) MUST_CHECK;
/* The same from a method of @place without arguments, as JSON; the caller says what failed. */
struct json_object;
int conf_ask_json(struct bus *bus, const struct bus_place *place, const char *method,
	struct json_object **ret_json, struct bus_error *ret_error) MUST_CHECK;
extern const struct bus_place conf_datapath;
void conf_warn_by_hand(const struct conf_request *request);

#endif
