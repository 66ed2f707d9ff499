/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ipsecalgsd: reads /etc/inet/ipsecalgs, publishes the section `algorithms`. */
#include <errno.h>
#include <string.h>

#include "common/daemon/log.h"
#include "services/ipsecalgs/algsd.h"

/* --check: what the loader says, for people and for tests. */
static int check(const struct algsd *d)
{
	CLEANUP(conf_diags_freep) struct conf_diags *diags = conf_diags_new();
	CLEANUP(algsd_table_freep) struct algsd_table *table = NULL;
	CLEANUP(text_done) struct text text = { 0 };
	int r = diags ? algsd_load(d, diags, &table) : -ENOMEM;

	if (diags)
		conf_diags_print(diags, &text);
	if (text.str)
		fputs(text.str, stderr);
	if (r < 0) {
		if (!text.str)
			fprintf(stderr, "ipsecalgsd: %s\n", strerror(-r));
		return EXIT_FAILURE;
	}
	printf("%s: %u algorithm%s%s\n", d->settings.config_file, (unsigned int)table->count,
		table->count == 1 ? "" : "s",
		table->builtin ? " of the built-in table, there is no file" : "");
	return EXIT_SUCCESS;
}

static int load_and_run(struct algsd *d)
{
	CLEANUP(conf_diags_freep) struct conf_diags *diags = conf_diags_new();
	struct algsd_table *table = NULL;
	int r = diags ? algsd_load(d, diags, &table) : -ENOMEM;

	log_diags(diags);
	if (r == 0)
		r = algsd_run(d, table);
	if (r < 0 && r != -EBADMSG)
		log_error("%s", strerror(-r));
	return daemon_exit_code(r);
}

int main(int argc, char **argv)
{
	CLEANUP(algsd_freep) struct algsd *d = NULL;
	struct daemon_options options;
	int r;

	if (!daemon_begin(&algsd_identity, argc, argv, &options, &r))
		return r;
	r = algsd_new(&options, &d);
	if (r < 0)
		return options.action == DAEMON_CHECK ? EXIT_FAILURE : daemon_exit_code(r);
	return options.action == DAEMON_CHECK ? check(d) : load_and_run(d);
}
