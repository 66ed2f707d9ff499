/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ipseckey(8): checks key files, and talks PF_KEY with the datapath. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

#include "common/base/clock.h"
#include "common/base/secret.h"
#include "services/manual-key/ipseckey.h"
#include "services/manual-key/keys_list.h"
#include "services/manual-key/keys_source.h"

static const char usage_text[] =
	"usage: ipseckey [-nvp] [--json] -f FILE           carry out the commands of FILE\n"
	"       ipseckey [-n] [--json] -c FILE             check FILE, send nothing\n"
	"       ipseckey [-nvp] [--json [--reveal-keys]] dump [all|ah|esp]\n"
	"       ipseckey [-nvp] [--json] get ah|esp spi N dst ADDRESS...\n"
	"       ipseckey [-nv] delete|delete-pair ah|esp spi N dst ADDRESS...\n"
	"       ipseckey [-nv] flush [all|ah|esp]\n"
	"       ipseckey [-nvp]                            interactive; or commands on input\n"
	"       ipseckey [-n] -s FILE                      save all SAs; -: standard output\n"
	"       ipseckey save all|ah|esp [FILE]\n"
	"       ipseckey [-np] monitor|passive_monitor\n"
	"       ipseckey fingerprint [all|ah|esp]\n"
	"       ipseckey --wireshark dump [esp]\n"
	"       ipseckey genkey ENCR_ALG|AUTH_ALG... src ADDRESS dst ADDRESS\n"
	"       ipseckey rollover --at TIME --overlap SECONDS --output FILE\n"
	"                [--peer ADDRESS] [--from FILE] [--peer-output FILE]\n"
	"                                                  successors of manual SAs\n"
	"       ipseckey help [COMMAND|attr]\n"
	"       ipseckey --help | --version\n";

static int usage(void)
{
	fputs(usage_text, stderr);
	return -EINVAL;
}

static int parse_options(int argc, char **argv, struct request *ret)
{
	enum { OPT_JSON = 256, OPT_REVEAL, OPT_WIRESHARK, OPT_HELP, OPT_VERSION };
	static const struct option options[] = {
		{ "numeric", no_argument, NULL, 'n' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "paranoid", no_argument, NULL, 'p' },
		{ "file", required_argument, NULL, 'f' },
		{ "check", required_argument, NULL, 'c' },
		{ "save", required_argument, NULL, 's' },
		{ "json", no_argument, NULL, OPT_JSON },
		{ "reveal-keys", no_argument, NULL, OPT_REVEAL },
		{ "wireshark", no_argument, NULL, OPT_WIRESHARK },
		{ "help", no_argument, NULL, OPT_HELP },
		{ "version", no_argument, NULL, OPT_VERSION },
		{ 0 },
	};
	int c;

	/* "+": words of a command are not options. */
	while ((c = getopt_long(argc, argv, "+pnvf:c:s:", options, NULL)) != -1) {
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
		case 's':
			ret->save = optarg;
			break;
		case OPT_REVEAL:
			ret->reveal = true;
			break;
		case OPT_WIRESHARK:
			ret->wireshark = true;
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
	if (ret->save && (ret->file || *ret->words))
		return usage();
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

static int run(const struct request *request, struct keys_input *in, struct conf_diags *diags)
{
	CLEANUP(ipseckey_done) struct ipseckey tool = { .request = request };
	CLEANUP(keys_file_freep) struct keys_file *file = NULL;
	CLEANUP(sa_list_freep) struct sa_list *list = NULL;
	CLEANUP(freep) struct keys_times *times = NULL;
	size_t done = 0;
	int r = ipseckey_init(&tool);

	if (r == 0) {
		in->now_sec = request->check ? clock_wall_usec() / USEC_PER_SEC : 0;
		in->algs = tool.algs;
		in->resolver = request->numeric ? NULL : &resolver_system;
		r = keys_parse(in, diags, &file);
	}
	if (r == 0 && request->check) {
		done = file->count - file->n_failed;
		r = keys_list_build(file, tool.algs, false, diags, &list, &times);
	}
	for (size_t i = 0; r == 0 && !request->check && i < file->count; i++)
		if (!file->commands[i].failed)
			r = ipseckey_carry_out(&tool, &file->commands[i], diags, &done);
	if (r == 0)
		r = ipseckey_flush_output(&tool);
	ipseckey_report(request, diags);
	if (r == 0 && !request->file && file->count > 0 && file->commands[0].verb == KEYS_OTHER)
		fputs(usage_text, stderr);
	if (r == -ENOMEM)
		fputs("ipseckey: out of memory\n", stderr);
	if (r == -EINTR)
		return SIGINT;
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
		ipseckey_report(request, diags);
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
	char *save_words[] = { "save", "all", NULL, NULL };
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
	if (request.file)
		return run_file(&request, diags);
	if (!*request.words && !request.save)
		return ipseckey_session(&request);
	if (*request.words && strcmp(*request.words, "genkey") == 0)
		return ipseckey_genkey(&request);
	if (*request.words && strcmp(*request.words, "rollover") == 0)
		return ipseckey_rollover(&request);
	if (request.save) {
		save_words[2] = request.save;
		request.words = save_words;
	}
	return run_words(&request, diags);
}
