/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ipseckey(8): checks key files, and talks PF_KEY with the datapath. */
#include <errno.h>
#include <getopt.h>
#include <string.h>
#include <sys/stat.h>

#include "common/base/clock.h"
#include "common/base/secret.h"
#include "common/daemon/algs.h"
#include "services/manual-key/keys_list.h"
#include "services/manual-key/keys_send.h"
#include "services/manual-key/keys_source.h"

struct request {
	bool numeric, verbose, paranoid, json;
	bool check; /* -c: send nothing */
	const char *file;
	char **words; /* a command; NULL-terminated */
	bool done; /* --help, --version: answered */
};

static const char usage_text[] =
	"usage: ipseckey [-nvp] [--json] -f FILE           carry out the commands of FILE\n"
	"       ipseckey [-n] [--json] -c FILE             check FILE, send nothing\n"
	"       ipseckey [-nvp] [--json] dump [all|ah|esp]\n"
	"       ipseckey [-nvp] [--json] get ah|esp spi N dst ADDRESS...\n"
	"       ipseckey [-nv] delete|delete-pair ah|esp spi N dst ADDRESS...\n"
	"       ipseckey [-nv] flush [all|ah|esp]\n"
	"       ipseckey --help | --version\n";

static int usage(void)
{
	fputs(usage_text, stderr);
	return -EINVAL;
}

static int parse_options(int argc, char **argv, struct request *ret)
{
	enum { OPT_JSON = 256, OPT_HELP, OPT_VERSION };
	static const struct option options[] = {
		{ "numeric", no_argument, NULL, 'n' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "paranoid", no_argument, NULL, 'p' },
		{ "file", required_argument, NULL, 'f' },
		{ "check", required_argument, NULL, 'c' },
		{ "json", no_argument, NULL, OPT_JSON },
		{ "help", no_argument, NULL, OPT_HELP },
		{ "version", no_argument, NULL, OPT_VERSION },
		{ 0 },
	};
	int c;

	/* "+": words of a command are not options. */
	while ((c = getopt_long(argc, argv, "+pnvf:c:", options, NULL)) != -1) {
		switch (c) {
		case 'p':
			ret->paranoid = true;
			break;
		case 'n':
			ret->numeric = true;
			break;
		case 'v':
			ret->verbose = true;
			break;
		case 'f':
		case 'c':
			ret->file = optarg;
			ret->check = c == 'c';
			break;
		case OPT_JSON:
			ret->json = true;
			break;
		case OPT_HELP:
			fputs(usage_text, stdout);
			ret->done = true;
			return 0;
		case OPT_VERSION:
			puts("ipseckey (netipsec) " NETIPSEC_VERSION);
			ret->done = true;
			return 0;
		default:
			return usage();
		}
	}
	ret->words = argv + optind;
	return ret->file || *ret->words ? 0 : usage();
}

/* What the user should know, on standard error; with --json the diagnostics alone, on output. */
static void report(const struct request *request, const struct conf_diags *diags)
{
	CLEANUP(text_done) struct text text = { 0 };

	if (request->json && request->check) {
		conf_diags_print_json(diags, &text);
		if (text.str)
			puts(text.str);
		return;
	}
	conf_diags_print(diags, &text);
	if (text.str)
		fputs(text.str, stderr);
}

static int door_failed(int r)
{
	if (r == -ENOENT || r == -ECONNREFUSED)
		fputs("ipseckey: Unable to open PF_KEY socket: ipsec-datapath.service is not "
		      "running\n",
			stderr);
	else if (r == -EACCES || r == -EPERM)
		fputs("ipseckey: Insufficient privileges to open PF_KEY socket.\n", stderr);
	else if (r == -ETIMEDOUT)
		fputs("ipseckey: Reply message from PF_KEY timed out.\n", stderr);
	else
		fprintf(stderr, "ipseckey: PF_KEY: %s\n", strerror(-r));
	return r;
}

static void print_output(const struct request *request, const struct text *output)
{
	const char *str = output->str ? output->str : "";

	if (request->json)
		printf("{\"version\":1,\"associations\":[%s%s%s]}\n", *str ? "\n" : "", str,
			*str ? "\n" : "");
	else
		fputs(str, stdout);
}

/*
 * Each command that can be is carried out, whatever happens to the others. *ret_done counts those
 * that were.
 */
static int carry_out(const struct request *request, const struct keys_file *file,
	const struct alg_table *algs, struct conf_diags *diags, size_t *ret_done)
{
	CLEANUP(pfkey_client_freep) struct pfkey_client *client = NULL;
	CLEANUP(text_done) struct text output = { 0 };
	const struct keys_sender_style style = {
		.print = {
			.algs = algs, .names = !request->numeric, .paranoid = request->paranoid,
			.raw_seconds = request->verbose, .now_sec = clock_wall_usec() / USEC_PER_SEC,
		},
		.verbose = request->verbose, .json = request->json, .output = &output,
	};
	int r = pfkey_client_new(&client);

	if (r < 0)
		return door_failed(r);
	for (size_t i = 0; i < file->count; i++) {
		if (file->commands[i].failed)
			continue;
		r = keys_send(client, &file->commands[i], &style, diags);
		if (r == 0)
			++*ret_done;
		else if (r != -EBADMSG)
			return door_failed(r);
	}
	if (output.failed)
		return -ENOMEM;
	if (output.len > 0 || request->json)
		print_output(request, &output);
	return 0;
}

static int summarise(const struct request *request, size_t count, size_t done, bool errors)
{
	if (!errors)
		return EXIT_SUCCESS;
	if (request->check && request->json)
		return EXIT_FAILURE;
	if (request->file && count > 0 && done == 0)
		fputs("Configuration file did not contain any valid SAs\n", stderr);
	else if (request->file)
		fputs("Fatal error - exiting.\n", stderr);
	return EXIT_FAILURE;
}

/* The registry's file is not the one that is asked about: when it is bad, that is said in a line. */
static int load_algorithms(struct alg_table **ret_table)
{
	CLEANUP(conf_diags_freep) struct conf_diags *diags = conf_diags_new();
	int r = diags ? algs_load(NULL, diags, ret_table) : -ENOMEM;

	if (r != -EBADMSG)
		return r;
	fprintf(stderr, "ipseckey: %s has errors, using the built-in algorithms\n", ALGS_FILE);
	return algs_builtin(ret_table);
}

static int run(const struct request *request, struct keys_input *in, struct conf_diags *diags)
{
	CLEANUP(alg_table_freep) struct alg_table *algs = NULL;
	CLEANUP(keys_file_freep) struct keys_file *file = NULL;
	CLEANUP(sa_list_freep) struct sa_list *list = NULL;
	size_t done = 0;
	int r = load_algorithms(&algs);

	if (r == 0) {
		in->algs = algs;
		in->resolver = request->numeric ? NULL : &resolver_system;
		r = keys_parse(in, diags, &file);
	}
	if (r == 0 && request->check) {
		done = file->count - file->n_failed;
		r = keys_list_build(file, algs, false, diags, &list);
	} else if (r == 0 && file->count > file->n_failed) {
		r = carry_out(request, file, algs, diags, &done);
	}
	report(request, diags);
	if (r == 0 && !request->file && file->count > 0 && file->commands[0].verb == KEYS_OTHER)
		fputs(usage_text, stderr);
	if (r == -ENOMEM)
		fputs("ipseckey: out of memory\n", stderr);
	if (r != 0)
		return EXIT_FAILURE;
	return summarise(request, file->count, done, conf_diags_errors(diags) > 0);
}

static int run_file(const struct request *request, struct conf_diags *diags)
{
	CLEANUP(keys_source_done) struct keys_source source = { 0 };
	struct keys_input in = { .label = request->file, .place = KEYS_OF_FILE };
	int r = keys_source_read(request->file, request->file, false, diags, &source);

	if (r == -ENOENT)
		fprintf(stderr, "ipseckey: Invalid pathname: %s\n", request->file);
	else if (r < 0)
		report(request, diags);
	if (r < 0)
		return EXIT_FAILURE;
	in.source = source.text;
	in.len = source.len;
	return run(request, &in, diags);
}

/* The words of the command line as one line of the file's language; quotes keep blanks. */
static int run_words(const struct request *request, struct conf_diags *diags)
{
	CLEANUP(text_done) struct text line = { 0 };
	struct keys_input in = { .label = "command line", .place = KEYS_OF_ARGUMENTS };

	for (char **word = request->words; *word; word++) {
		if (strpbrk(*word, "\"\n\\#") || **word == '\0') {
			fputs("ipseckey: a word of the command is empty or has a character that "
			      "no command needs\n",
				stderr);
			return EXIT_FAILURE;
		}
		if (line.len > 0)
			text_add_char(&line, ' ');
		text_addf(&line, strpbrk(*word, " \t") ? "\"%s\"" : "%s", *word);
	}
	if (line.failed)
		return EXIT_FAILURE;
	in.source = line.str;
	in.len = line.len;
	return run(request, &in, diags);
}

int main(int argc, char **argv)
{
	CLEANUP(conf_diags_freep) struct conf_diags *diags = conf_diags_new();
	struct request request = { 0 };
	int r = secret_protect_process();

	if (r < 0 || !diags) {
		fprintf(stderr, "ipseckey: %s\n", strerror(r < 0 ? -r : ENOMEM));
		return EXIT_FAILURE;
	}
	(void)umask(0377); /* a file made here could hold keys */
	if (parse_options(argc, argv, &request) < 0)
		return EXIT_FAILURE;
	if (request.done)
		return EXIT_SUCCESS;
	return request.file ? run_file(&request, diags) : run_words(&request, diags);
}
