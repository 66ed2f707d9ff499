/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * golden-world FILE: the check of a policy, in a world whose names, tunnels and SAs are the same on
 * every machine. What no test may ask of the host that it runs on has its golden files here.
 */
#include <stdio.h>

#include "common/base/memfd.h"
#include "common/conf/hosts_file.h"
#include "services/policy/lint.h"
#include "tests/unit/policy_world.h"

static const char hosts_text[] = "192.0.2.1 one\n192.0.2.30 src\n";

static struct policy_tunnels *world_tunnels(void)
{
	struct policy_tunnels *tunnels = policy_tunnels_new();

	if (!tunnels || policy_tunnels_add(tunnels, "static0", true, false) < 0 ||
		policy_tunnels_add(tunnels, "routed0", true, true) < 0)
		abort();
	tunnels->known = true;
	return tunnels;
}

static void print(FILE *stream, const struct text *text)
{
	if (text->len > 0)
		(void)fwrite(text->str, 1, text->len, stream);
}

static int check(const char *name, const char *source, size_t len)
{
	CLEANUP(conf_diags_freep) struct conf_diags *diags = conf_diags_new();
	CLEANUP(alg_table_freep) struct alg_table *algs = world_table();
	CLEANUP(hosts_file_freep) struct hosts_file *hosts = NULL;
	CLEANUP(policy_tunnels_freep) struct policy_tunnels *tunnels = world_tunnels();
	CLEANUP(policy_file_freep) struct policy_file *file = NULL;
	CLEANUP(text_done) struct text said = { 0 }, rules = { 0 };
	const struct policy_sas no_sas = { 0 };
	struct policy_input input = {
		.label = name,
		.source = source,
		.len = len,
		.algs = algs,
		.resolver = &world_resolver,
		.lint = true,
		.tunnels = tunnels,
		.sas = strncmp(name, "sas-", 4) == 0 ? &no_sas : NULL,
	};
	int r = hosts_file_new(hosts_text, sizeof(hosts_text) - 1, &hosts);

	if (!diags || r < 0)
		abort();
	input.hosts = hosts;
	r = policy_parse_bounded(&input, 60000000, diags, &file);
	conf_diags_print(diags, &said);
	print(stderr, &said);
	for (size_t i = 0; r == 0 && i < file->n_rules; i++) {
		rule_print(file->rules[i], algs, file->rules[i]->directions, &rules);
		text_add_char(&rules, '\n');
	}
	print(stdout, &rules);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	CLEANUP(freep) char *source = NULL;
	size_t len;

	if (argc != 2 || file_read_path(argv[1], 1 << 20, &source, &len) < 0) {
		(void)fprintf(stderr, "usage: golden-world FILE\n");
		return EXIT_FAILURE;
	}
	return check(argv[1], source, len);
}
