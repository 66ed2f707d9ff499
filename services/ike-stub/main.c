/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ipsec-iked: looks whether /etc/inet/ike/config is there, counts requests for SAs. */
#include <errno.h>
#include <string.h>

#include "common/daemon/log.h"
#include "services/ike-stub/iked.h"

static int check(struct iked *d)
{
	if (iked_load(d) < 0) {
		fprintf(stderr, "%s: error: %s [ike-file]\n", d->settings.config_file,
			iked_last_error(d));
		return EXIT_FAILURE;
	}
	printf("%s: %s; key management: %s\n", d->settings.config_file,
		d->present ? "present" : "absent", IKED_ENGINE);
	return EXIT_SUCCESS;
}

/* For the service manager, a place that holds no file is a bad file: starting again mends nothing. */
static int refuse_start(const struct iked *d, int result)
{
	CLEANUP(text_done) struct text text = { 0 };

	text_addf(&text, "%s: %s", d->settings.config_file, iked_last_error(d));
	if (text.failed)
		return -ENOMEM;
	log_error("%s", text.str);
	daemon_start_failed(&d->options, NULL, text.str);
	return daemon_file_fault(result);
}

static int load_and_run(struct iked *d)
{
	int r = iked_load(d);

	if (r < 0)
		return daemon_exit_code(refuse_start(d, r));
	r = iked_run(d);
	if (r < 0)
		log_error("%s", strerror(-r));
	return daemon_exit_code(r);
}

int main(int argc, char **argv)
{
	CLEANUP(iked_freep) struct iked *d = NULL;
	struct daemon_options options;
	int r;

	if (!daemon_begin(&iked_identity, argc, argv, &options, &r))
		return r;
	r = iked_new(&options, &d);
	if (r < 0)
		return options.action == DAEMON_RUN ? daemon_exit_code(r) : EXIT_FAILURE;
	if (options.action == DAEMON_SETTINGS)
		return EXIT_SUCCESS;
	return options.action == DAEMON_CHECK ? check(d) : load_and_run(d);
}
