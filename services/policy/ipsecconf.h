/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of ipsecconf(8) share: the request as its options put it. */
#ifndef POLICY_IPSECCONF_H
#define POLICY_IPSECCONF_H

#include <stdbool.h>
#include <stddef.h>

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
};

enum conf_flush { FLUSH_NONE, FLUSH_SCOPE, FLUSH_ALL };

struct conf_request {
	enum conf_command command;
	enum conf_flush flush;
	const char *file; /* of -a, -c and --mirror; "-": standard input */
	const char *interface; /* -i, NULL: host */
	const char *bus; /* address, or "system" */
	bool numeric, quiet, json, table, print;
	bool sarif, strict, extensions; /* of -c */
	char *const *more_files; /* of -c, behind the first */
	size_t n_more_files;
};

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
/* --mirror. Return: 0 or negative errno, all is said. */
int conf_mirror(const struct conf_request *request) MUST_CHECK;
/* Everything that talks to the services. Return: 0 or negative errno, all is said. */
int conf_show(const struct conf_request *request) MUST_CHECK;
int conf_apply(const struct conf_request *request) MUST_CHECK;
int conf_flush_policy(const struct conf_request *request) MUST_CHECK;
int conf_list(const struct conf_request *request) MUST_CHECK;

/* Connect and call, say what failed. @method of @destination, whose writer the caller fills. */
int conf_bus_open(const struct conf_request *request, struct bus **ret_bus) MUST_CHECK;
int conf_bus_failed(int r, const struct bus_error *error, const char *service);

#endif
