/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ipsecconf(8): shows, checks and changes IPsec policy. */
#include <errno.h>
#include <string.h>

#include "services/policy/ipsecconf.h"

static int run(const struct conf_request *request)
{
	switch (request->command) {
	case COMMAND_SHOW:
		return conf_show(request);
	case COMMAND_LIST:
	case COMMAND_LIST_ALL:
		return conf_list(request);
	case COMMAND_ADD:
		return conf_apply(request);
	case COMMAND_CHECK:
		return conf_check(request);
	case COMMAND_MIRROR:
		return conf_mirror(request);
	case COMMAND_FLUSH:
		return conf_flush_policy(request);
	}
	return -EINVAL;
}

int main(int argc, char **argv)
{
	struct conf_request request;
	int r = conf_options_parse(argc, argv, &request);

	if (r == 0)
		r = run(&request);
	if (fflush(stdout) == EOF) {
		(void)fprintf(stderr, "ipsecconf: standard output: %s\n", strerror(errno));
		return EXIT_FAILURE;
	}
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
