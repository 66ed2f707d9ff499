/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ipsec-policyd: reads /etc/inet/ipsecinit.conf, publishes the section `policy`. */
#include "services/policy/policyd.h"

int main(int argc, char **argv)
{
	CLEANUP(policyd_freep) struct policyd *d = NULL;
	struct daemon_options options;
	int r;

	if (!daemon_begin(&policyd_identity, argc, argv, &options, &r))
		return r;
	r = policyd_new(&options, &d);
	if (r < 0)
		return options.action == DAEMON_RUN ? daemon_exit_code(r) : EXIT_FAILURE;
	return options.action == DAEMON_SETTINGS ? EXIT_SUCCESS : service_main(&d->service);
}
