/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ipsec-datapathd: every packet; policy and SAs in force. */
#include <errno.h>
#include <string.h>

#include "common/base/secret.h"
#include "common/daemon/log.h"
#include "services/datapath/datapathd.h"

static int run(struct datapathd *d)
{
	int r = secret_protect_process();

	if (r < 0)
		log_error("this process cannot be kept out of core dumps: %s", strerror(-r));
	else
		r = datapathd_run(d);
	if (r < 0)
		log_error("%s", strerror(-r));
	return daemon_exit_code(r);
}

int main(int argc, char **argv)
{
	CLEANUP(datapathd_freep) struct datapathd *d = NULL;
	struct daemon_options options;
	int r;

	if (!daemon_begin(&datapathd_identity, argc, argv, &options, &r))
		return r;
	r = datapathd_new(&options, &d);
	if (options.action != DAEMON_RUN)
		return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
	return r < 0 ? daemon_exit_code(r) : run(d);
}
