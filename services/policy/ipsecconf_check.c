/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ipsecconf -c: the parser that the service uses, without the service. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "common/base/memfd.h"
#include "common/conf/hosts_file.h"
#include "common/conf/resolve_job.h"
#include "common/daemon/algs.h"
#include "services/policy/ipsecconf.h"
#include "services/policy/lint.h"
#include "services/policy/policy_names.h"
#include "services/policy/policy_sas.h"

static int read_source(const char *file, char **ret_source, size_t *ret_len, const char **ret_label)
{
	CLEANUP(fd_closep) int fd = -1;
	bool is_stdin = strcmp(file, "-") == 0;

	*ret_label = is_stdin ? "stdin" : file;
	if (!is_stdin) {
		fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
		if (fd < 0)
			return -errno;
	}
	return file_read_fd(
		is_stdin ? STDIN_FILENO : fd, POLICY_MAX_FILE_BYTES, ret_source, ret_len);
}

int conf_read_source(const char *file, char **ret_source, size_t *ret_len, const char **ret_label)
{
	int r = read_source(file, ret_source, ret_len, ret_label);

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

void conf_print_text(FILE *stream, const struct text *text)
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
		CLEANUP(text_done) struct text rule = { 0 };

		rule_print(spd->rules[i], algs, spd->rules[i]->directions, &rule);
		if (rule.failed)
			return -ENOMEM;
		policy_lines_print(rule.str, "\t", &text);
		text_add_char(&text, '\n');
	}
	conf_print_text(stdout, &text);
	return text.failed ? -ENOMEM : 0;
}

static void report(const struct conf_request *request, const struct conf_diags *diags)
{
	CLEANUP(text_done) struct text text = { 0 };
	bool data = request->json || request->sarif;

	if (request->sarif)
		conf_diags_print_sarif(diags, "ipsecconf", NETIPSEC_VERSION, &text);
	else if (request->json)
		conf_diags_print_json(diags, &text);
	else
		conf_diags_print(diags, &text);
	conf_print_text(data ? stdout : stderr, &text);
}

/* What is said after the diagnostics. */
static void conclude(const struct conf_request *request, int r, size_t bad)
{
	if (request->json || request->sarif)
		return;
	if (r < 0 && bad > 0)
		(void)fprintf(stderr, "%zu policy rule(s) contained errors.\n", bad);
	if (r == 0)
		(void)printf("IPsec configuration does not contain any errors.\n");
	(void)printf("IPsec policy was not modified.\n");
	if (r < 0)
		(void)fprintf(stderr, "Fatal error - exiting.\n");
}

/* One of the files that were checked. */
struct checked {
	size_t bad;
	struct policy_file *file; /* NULL: it has errors; owned */
};

/* What all files are checked with. */
struct surroundings {
	struct alg_table *algs;
	struct hosts_file *hosts; /* NULL: unknown */
	struct policy_tunnels *tunnels; /* NULL: unknown */
	struct policy_listed *sas; /* NULL: unknown */
};

static void surroundings_done(struct surroundings *s)
{
	(void)alg_table_free(s->algs);
	(void)hosts_file_free(s->hosts);
	(void)policy_tunnels_free(s->tunnels);
	(void)policy_listed_free(s->sas);
}

/* Of the service's own file. Where it is somebody's draft, its owner says nothing. */
static void check_guard(const char *name, struct conf_diags *diags)
{
	CLEANUP(freep) char *path = NULL;
	CLEANUP(fd_closep) int fd = -1;
	struct conf_loc at = { .file = NULL };

	if (file_system_path(POLICY_FILE_PATH, &path) < 0 || strcmp(name, path) != 0)
		return;
	fd = open(path, O_PATH | O_CLOEXEC);
	if (fd < 0 || file_check_guard(path, fd) != -EPERM)
		return;
	at.file = conf_diags_file(diags, name, "", 0, true);
	conf_warning(diags, at, "policy-rights",
		"others than root may change it: the policy service would refuse this file");
	conf_hint(diags, "it must belong to root, and only its owner may write it");
}

/* As a diagnostic, since who reads those as data reads nothing else. */
static int report_unread(struct conf_diags *diags, const char *name, int error)
{
	const char *label = conf_diags_file(diags, name, "", 0, false);

	if (!label)
		return -ENOMEM;
	(void)conf_error(
		diags, (struct conf_loc){ .file = label }, "policy-file", "%s", strerror(-error));
	return error;
}

static int check_source(const struct conf_request *request, const char *name,
	const struct surroundings *around, struct conf_diags *diags, struct checked *ret)
{
	CLEANUP(freep) char *source = NULL;
	const struct policy_sas sas = {
		.count = around->sas ? around->sas->count : 0,
		.list = around->sas ? (const struct sa *const *)around->sas->owned : NULL,
		.negotiates = around->sas && around->sas->negotiates,
	};
	struct policy_input input = {
		.algs = around->algs,
		.resolver = &resolver_system,
		.extensions = request->extensions,
		.lint = true,
		.hosts = around->hosts,
		.tunnels = around->tunnels,
		.sas = around->sas ? &sas : NULL,
		.ret_bad = &ret->bad,
	};
	int r = read_source(name, &source, &input.len, &input.label);

	if (r < 0)
		return report_unread(diags, input.label, r);
	input.source = source;
	check_guard(name, diags);
	return policy_parse_bounded(&input, RESOLVE_TIMEOUT_USEC, diags, &ret->file);
}

/* Each file by itself: what is wrong is shown before anything else is said. */
static int check_sources(const struct conf_request *request, const struct surroundings *around,
	struct conf_diags *diags, struct checked *checked)
{
	bool data = request->json || request->sarif;
	size_t bad = 0;
	int result = 0;

	for (size_t i = 0; i <= request->n_more_files; i++) {
		int r = check_source(request, i > 0 ? request->more_files[i - 1] : request->file,
			around, diags, &checked[i]);

		if (r < 0)
			result = r;
		bad += checked[i].bad;
	}
	report(request, diags);
	for (size_t i = 0; i <= request->n_more_files && !data; i++) {
		const struct policy_file *file = checked[i].file;

		if (file && file->n_entries == 0)
			(void)fprintf(stderr, "Policy file does not contain any valid rules.\n");
		if (file && request->print && print_rules(file, around->algs) < 0)
			result = -ENOMEM;
	}
	conclude(request, result, bad);
	return result;
}

int conf_check(const struct conf_request *request)
{
	CLEANUP(conf_diags_freep) struct conf_diags *diags = conf_diags_new();
	CLEANUP(surroundings_done) struct surroundings around = { 0 };
	CLEANUP(freep) struct checked *checked = calloc(
		request->n_more_files + 1, sizeof(*checked));
	int r;

	if (!diags || !checked)
		return -ENOMEM;
	if (request->strict)
		conf_diags_make_strict(diags);
	r = algs_load(NULL, diags, &around.algs);
	if (r < 0) {
		report(request, diags);
		(void)fprintf(
			stderr, "ipsecconf: %s cannot be used: %s\n", ALGS_FILE, strerror(-r));
		return r;
	}
	note_builtin();
	if (conf_hosts(&around.hosts) < 0)
		around.hosts = NULL; /* fewer warnings, no more */
	if (conf_tunnels(&around.tunnels) < 0)
		around.tunnels = NULL;
	if (conf_sas(request, around.algs, &around.sas) < 0)
		around.sas = NULL;
	r = check_sources(request, &around, diags, checked);
	for (size_t i = 0; i <= request->n_more_files; i++)
		(void)policy_file_free(checked[i].file);
	return r;
}
