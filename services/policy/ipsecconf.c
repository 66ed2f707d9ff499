/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ipsecconf(8): shows, checks and changes IPsec policy. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "services/policy/ipsecconf.h"

#define EXIT_CONFIGURATION 95
#define EXIT_PERMISSION	   100

/* In the order of enum conf_command. */
static int (*const runs[])(const struct conf_request *request) = {
	[COMMAND_SHOW] = conf_show,
	[COMMAND_LIST] = conf_list,
	[COMMAND_LIST_ALL] = conf_list,
	[COMMAND_ADD] = conf_apply,
	[COMMAND_CHECK] = conf_check,
	[COMMAND_MIRROR] = conf_mirror,
	[COMMAND_FLUSH] = conf_flush_policy,
	[COMMAND_DELETE] = conf_delete,
	[COMMAND_REMOVE] = conf_remove,
	[COMMAND_RELOAD] = conf_reload,
	[COMMAND_CONFIRM] = conf_confirm,
	[COMMAND_FRAGMENTS] = conf_fragments,
	[COMMAND_EXPLAIN] = conf_explain,
	[COMMAND_DIFF] = conf_diff,
	[COMMAND_DRIFT] = conf_drift,
};

bool conf_is_managed(void)
{
	return getenv("INVOCATION_ID") && getenv("NOTIFY_SOCKET");
}

/* Configuration and permission put a unit into a state that restarting does not mend. */
static int exit_code(int r)
{
	if (r >= 0)
		return r > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
	if (!conf_is_managed())
		return EXIT_FAILURE;
	return r == -EACCES || r == -EPERM ? EXIT_PERMISSION : EXIT_CONFIGURATION;
}

int main(int argc, char **argv)
{
	struct conf_request request;
	int r;

	/* What is said on both streams stands in its order where they are one. */
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	r = conf_options_parse(argc, argv, &request);
	if (r > 0)
		r = 0; /* help or version: all is done */
	else if (r == 0)
		r = runs[request.command](&request);
	if (fflush(stdout) == EOF) {
		(void)fprintf(stderr, "ipsecconf: standard output: %s\n", strerror(errno));
		return EXIT_FAILURE;
	}
	return exit_code(r);
}
