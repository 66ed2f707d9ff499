/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ipsec-policyd: reads /etc/inet/ipsecinit.conf, publishes the section `policy`. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "common/daemon/log.h"
#include "services/policy/policyd.h"

/* --check: what the loader says, for people and for tests. */
static int check(struct policyd *d)
{
	CLEANUP(conf_diags_freep) struct conf_diags *diags = conf_diags_new();
	CLEANUP(text_done) struct text text = { 0 };
	bool absent = false;
	int r = diags ? policyd_load(d, diags, &d->current, &absent) : -ENOMEM;

	if (diags)
		conf_diags_print(diags, &text);
	if (text.str)
		(void)fputs(text.str, stderr);
	if (r < 0) {
		if (!text.str)
			(void)fprintf(stderr, "ipsec-policyd: %s\n", strerror(-r));
		return EXIT_FAILURE;
	}
	(void)printf("%s: %zu entries, %" PRIu32 " rules%s\n", d->settings.config_file,
		d->current->n_entries, policyd_rule_count(d),
		absent ? "; there is no such file, which is an empty policy" : "");
	return EXIT_SUCCESS;
}

static int load_and_run(struct policyd *d)
{
	CLEANUP(conf_diags_freep) struct conf_diags *diags = conf_diags_new();
	struct policy_file *file = NULL;
	bool absent;
	int r = diags ? policyd_load(d, diags, &file, &absent) : -ENOMEM;

	if (diags)
		log_diags(diags);
	if (r == 0)
		r = policyd_run(d, file, absent);
	if (r < 0 && r != -EBADMSG)
		log_error("%s", strerror(-r));
	return daemon_exit_code(r);
}

int main(int argc, char **argv)
{
	CLEANUP(policyd_freep) struct policyd *d = NULL;
	struct daemon_options options;
	int r;

	if (!daemon_begin(&policyd_identity, argc, argv, &options, &r))
		return r;
	r = policyd_new(&options, &d);
	if (r < 0)
		return options.action == DAEMON_CHECK ? EXIT_FAILURE : daemon_exit_code(r);
	return options.action == DAEMON_CHECK ? check(d) : load_and_run(d);
}
