/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ipsec-manual-keyd: reads /etc/inet/secret/ipseckeys, publishes the section `keys`. */
#include <errno.h>
#include <string.h>

#include "common/base/secret.h"
#include "common/daemon/log.h"
#include "services/manual-key/keyd.h"

/* --check: what the loader says, for people and for tests. */
static int check(const struct keyd *d)
{
	CLEANUP(conf_diags_freep) struct conf_diags *diags = conf_diags_new();
	CLEANUP(keyd_load_freep) struct keyd_load *load = NULL;
	CLEANUP(text_done) struct text text = { 0 };
	int r = diags ? keyd_load(d, diags, &load) : -ENOMEM;

	if (diags)
		conf_diags_print(diags, &text);
	if (text.str)
		fputs(text.str, stderr);
	if (r < 0) {
		if (!text.str)
			fprintf(stderr, "%s: %s\n", keyd_identity.program, strerror(-r));
		return EXIT_FAILURE;
	}
	printf("%s: %u SAs%s\n", d->settings.config_file, (unsigned int)load->count,
		load->absent ? ", there is no file" : "");
	return EXIT_SUCCESS;
}

static int load_and_run(struct keyd *d)
{
	CLEANUP(conf_diags_freep) struct conf_diags *diags = conf_diags_new();
	struct keyd_load *load = NULL;
	int r = diags ? keyd_load(d, diags, &load) : -ENOMEM;

	if (diags)
		log_diags(diags);
	if (r == 0)
		r = keyd_run(d, load);
	if (r < 0 && r != -EBADMSG)
		log_error("%s", strerror(-r));
	return daemon_exit_code(r);
}

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
		return options.action == DAEMON_CHECK ? EXIT_FAILURE : daemon_exit_code(r);
	return options.action == DAEMON_CHECK ? check(d) : load_and_run(d);
}
