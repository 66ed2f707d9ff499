/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ipsecconf --mirror: the file that the peer needs, from a file without errors. */
#include <errno.h>
#include <string.h>

#include "common/base/memfd.h"
#include "common/conf/resolve_job.h"
#include "common/daemon/algs.h"
#include "services/policy/ipsecconf.h"
#include "services/policy/policy_file.h"

/* What is wrong with a file is wrong with its mirror, and harder to find there. */
static int check(struct policy_input *input, struct conf_diags *diags)
{
	CLEANUP(alg_table_freep) struct alg_table *algs = NULL;
	CLEANUP(policy_file_freep) struct policy_file *file = NULL;
	CLEANUP(text_done) struct text text = { 0 };
	int r = algs_load(NULL, diags, &algs);

	input->algs = algs;
	if (r == 0)
		r = policy_parse_bounded(input, RESOLVE_TIMEOUT_USEC, diags, &file);
	if (r == 0)
		return 0; /* warnings are the business of -c */
	conf_diags_print(diags, &text);
	conf_print_text(stderr, &text);
	(void)fprintf(stderr, "Fatal error - exiting.\n");
	return r;
}

int conf_mirror(const struct conf_request *request)
{
	CLEANUP(conf_diags_freep) struct conf_diags *diags = conf_diags_new();
	CLEANUP(freep) char *source = NULL, *path = NULL;
	CLEANUP(text_done) struct text text = { 0 };
	struct policy_input input = {
		.resolver = &resolver_system,
		.extensions = request->extensions,
	};
	int r = diags ? 0 : -ENOMEM;

	if (r == 0 && !request->file)
		r = file_system_path(POLICY_FILE_PATH, &path);
	if (r == 0)
		r = conf_read_source(
			path ? path : request->file, &source, &input.len, &input.label);
	if (r < 0)
		return r;
	input.source = source;
	r = check(&input, diags);
	if (r == 0)
		r = policy_mirror(source, input.len, &text);
	if (r == 0)
		conf_print_text(stdout, &text);
	return r;
}
