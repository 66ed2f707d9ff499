/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ipsec-manual-keyd: reads /etc/inet/secret/ipseckeys, publishes the section `keys`. */
#include <errno.h>
#include <string.h>

#include "common/base/secret.h"
#include "common/daemon/log.h"
#include "services/manual-key/keyd.h"

int main(int argc, char **argv)
{
	CLEANUP(keyd_freep) struct keyd *d = NULL;
	struct daemon_options options;
	int r;

	r = secret_protect_process(); /* before the first key byte is read */
	if (r < 0) {
		log_error("cannot keep keys out of core dumps: %s", strerror(-r));
		return daemon_exit_code(r);
	}
	if (!daemon_begin(&keyd_identity, argc, argv, &options, &r))
		return r;
	r = keyd_new(&options, &d);
	if (r < 0)
		return options.action == DAEMON_RUN ? daemon_exit_code(r) : EXIT_FAILURE;
	return options.action == DAEMON_SETTINGS ? EXIT_SUCCESS : service_main(&d->service);
}
