/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ipsecconf -c: the parser that the service uses, without the service. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "common/base/memfd.h"
#include "common/conf/resolve_job.h"
#include "common/daemon/algs.h"
#include "services/policy/ipsecconf.h"
#include "services/policy/policy_file.h"

int conf_read_source(const char *file, char **ret_source, size_t *ret_len, const char **ret_label)
{
	CLEANUP(fd_closep) int fd = -1;
	bool is_stdin = strcmp(file, "-") == 0;
	int r = 0;

	*ret_label = is_stdin ? "stdin" : file;
	if (!is_stdin) {
		fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
		if (fd < 0)
			r = -errno;
	}
	if (r == 0)
		r = file_read_fd(
			is_stdin ? STDIN_FILENO : fd, POLICY_MAX_FILE_BYTES, ret_source, ret_len);
	if (r < 0)
		(void)fprintf(stderr, "ipsecconf: %s: %s\n", *ret_label, strerror(-r));
	return r;
}

static void note_builtin(void)
{
	CLEANUP(freep) char *path = NULL;

	if (file_system_path(ALGS_FILE, &path) == 0 && access(path, F_OK) < 0)
		(void)fprintf(stderr,
			"ipsecconf: note: there is no %s; algorithms are those of the built-in "
			"table\n",
			ALGS_FILE);
}

static void print_text(FILE *stream, const struct text *text)
{
	if (text->str)
		(void)fwrite(text->str, 1, text->len, stream);
}

/* The rules in match order, each with its directions. */
static int print_rules(const struct policy_file *file, const struct alg_table *algs)
{
	CLEANUP(spd_freep) struct spd *spd = NULL;
	CLEANUP(text_done) struct text text = { 0 };
	int r = policy_file_spd(file, SPD_FIRST_MATCH, &spd);

	if (r < 0)
		return r;
	for (size_t i = 0; i < spd->count; i++) {
		rule_print(spd->rules[i], algs, spd->rules[i]->directions, &text);
		text_add_char(&text, '\n');
	}
	print_text(stdout, &text);
	return text.failed ? -ENOMEM : 0;
}

static void report(const struct conf_request *request, const struct conf_diags *diags)
{
	CLEANUP(text_done) struct text text = { 0 };

	if (request->json)
		conf_diags_print_json(diags, &text);
	else
		conf_diags_print(diags, &text);
	print_text(request->json ? stdout : stderr, &text);
}

/* What is said after the diagnostics. */
static void conclude(const struct conf_request *request, int r, size_t bad, size_t entries)
{
	if (request->json)
		return;
	if (r == 0 && entries == 0)
		(void)fprintf(stderr, "Policy file does not contain any valid rules.\n");
	if (r < 0 && bad > 0)
		(void)fprintf(stderr, "%zu policy rule(s) contained errors.\n", bad);
	if (r == 0)
		(void)printf("IPsec configuration does not contain any errors.\n");
	(void)printf("IPsec policy was not modified.\n");
	if (r < 0)
		(void)fprintf(stderr, "Fatal error - exiting.\n");
}

static int check_source(
	const struct conf_request *request, const struct alg_table *algs, struct conf_diags *diags)
{
	CLEANUP(policy_file_freep) struct policy_file *file = NULL;
	CLEANUP(freep) char *source = NULL;
	size_t bad = 0;
	struct policy_input input = {
		.algs = algs,
		.resolver = &resolver_system,
		.warn_order = true,
		.ret_bad = &bad,
	};
	int r;

	r = conf_read_source(request->file, &source, &input.len, &input.label);
	if (r < 0)
		return r;
	input.source = source;
	r = policy_parse_bounded(&input, RESOLVE_TIMEOUT_USEC, diags, &file);
	report(request, diags);
	if (r == 0 && request->print && !request->json)
		r = print_rules(file, algs);
	conclude(request, r, bad, file ? file->n_entries : 0);
	return r;
}

int conf_check(const struct conf_request *request)
{
	CLEANUP(conf_diags_freep) struct conf_diags *diags = conf_diags_new();
	CLEANUP(alg_table_freep) struct alg_table *algs = NULL;
	int r;

	if (!diags)
		return -ENOMEM;
	r = algs_load(NULL, diags, &algs);
	if (r < 0) {
		report(request, diags);
		(void)fprintf(
			stderr, "ipsecconf: %s cannot be used: %s\n", ALGS_FILE, strerror(-r));
		return r;
	}
	note_builtin();
	return check_source(request, algs, diags);
}
