/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ipsecalgsd: reads /etc/inet/ipsecalgs, publishes the section `algorithms`. */
#include "services/ipsecalgs/algsd.h"

int main(int argc, char **argv)
{
	CLEANUP(algsd_freep) struct algsd *d = NULL;
	struct daemon_options options;
	int r;

	if (!daemon_begin(&algsd_identity, argc, argv, &options, &r))
		return r;
	r = algsd_new(&options, &d);
	if (r < 0)
		return options.action == DAEMON_RUN ? daemon_exit_code(r) : EXIT_FAILURE;
	return options.action == DAEMON_SETTINGS ? EXIT_SUCCESS : service_main(&d->service);
}
