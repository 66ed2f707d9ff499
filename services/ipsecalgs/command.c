/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ipsecalgs(8): shows the algorithm file and what is in force, and asks for the file to be read. */
#include <errno.h>
#include <getopt.h>
#include <string.h>

#include "common/base/memfd.h"
#include "common/conf/diag.h"
#include "common/daemon/algs.h"
#include "services/ipsecalgs/algs_list.h"
#include "services/ipsecalgs/algs_service.h"

#define FILE_MAX_BYTES (1U << 20)

DEFINE_CLEANUP(struct ipsecalgs *, ipsecalgs_free)

enum form { FORM_TEXT, FORM_TABLE, FORM_JSON };

struct request {
	bool in_force;
	bool synchronize;
	enum form form;
};

static const char usage_text[] =
	"usage: ipsecalgs [--table | --json]        list the file's table\n"
	"       ipsecalgs -l [--table | --json]     list the table in force\n"
	"       ipsecalgs -s                        put the file's table in force\n"
	"       ipsecalgs --help | --version\n";

static int usage(void)
{
	fputs(usage_text, stderr);
	return -EINVAL;
}

/* ---- the file ---- */

static int load_file(struct ipsecalgs **ret_table, enum algs_list_source *ret_source)
{
	CLEANUP(conf_diags_freep) struct conf_diags *diags = conf_diags_new();
	CLEANUP(alg_table_freep) struct alg_table *model = NULL;
	CLEANUP(freep) char *path = NULL, *source = NULL;
	CLEANUP(text_done) struct text said = { 0 };
	size_t len = 0;
	int r = diags ? file_system_path(ALGS_FILE, &path) : -ENOMEM;

	if (r == 0)
		r = file_read_path(path, FILE_MAX_BYTES, &source, &len);
	*ret_source = r == -ENOENT ? ALGS_LIST_BUILTIN : ALGS_LIST_FILE;
	if (r == -ENOENT) {
		const char *text = ipsecalgs_default_text();

		fprintf(stderr, "ipsecalgs: %s: there is no file; this is the built-in table\n",
			ALGS_FILE);
		return ipsecalgs_parse(text, strlen(text), NULL, NULL, ret_table);
	}
	if (r < 0) {
		fprintf(stderr, "ipsecalgs: %s: %s\n", ALGS_FILE, strerror(-r));
		return r;
	}
	r = algs_parse(ALGS_FILE, source, len, diags, &model);
	conf_diags_print(diags, &said);
	if (said.str)
		fputs(said.str, stderr);
	if (r < 0)
		return r;
	return ipsecalgs_parse(source, len, NULL, NULL, ret_table);
}

/* ---- options ---- */

enum { OPTION_TABLE = 256, OPTION_JSON, OPTION_HELP, OPTION_VERSION };

static const struct option long_options[] = {
	{ "table", no_argument, NULL, OPTION_TABLE },
	{ "json", no_argument, NULL, OPTION_JSON },
	{ "help", no_argument, NULL, OPTION_HELP },
	{ "version", no_argument, NULL, OPTION_VERSION },
	{ NULL, 0, NULL, 0 },
};

static int help(void)
{
	fputs(usage_text, stdout);
	fputs("\n"
	      "  -l         the table in force, without names, as the original's kernel list\n"
	      "  -s         have ipsecalgs.service read the file and wait for its verdict\n"
	      "  --table    one line an algorithm, in aligned columns\n"
	      "  --json     the same as data\n"
	      "\n"
	      "See ipsecalgs(8).\n",
		stdout);
	return 1;
}

/* Return: 0 go on, 1 done, -EINVAL. */
static int take_option(struct request *request, int option)
{
	switch (option) {
	case 'l':
		if (request->in_force)
			return usage();
		request->in_force = true;
		return 0;
	case 's':
		request->synchronize = true;
		return 0;
	case OPTION_TABLE:
		request->form = FORM_TABLE;
		return 0;
	case OPTION_JSON:
		request->form = FORM_JSON;
		return 0;
	case OPTION_HELP:
		return help();
	case OPTION_VERSION:
		printf("ipsecalgs (netipsec) %s\n", NETIPSEC_VERSION);
		return 1;
	case '?':
		return usage();
	default:
		/* A letter of the original that changes the table. */
		fprintf(stderr, "ipsecalgs: -%c: changing the table is not available\n", option);
		return usage();
	}
}

static int parse_options(int argc, char **argv, struct request *ret)
{
	int option, r;

	*ret = (struct request){ .form = FORM_TEXT };
	while ((option = getopt_long(argc, argv, "aflrRsb:p:P:i:k:K:m:n:N:e:S:M:I:F:", long_options,
			NULL)) != -1) {
		r = take_option(ret, option);
		if (r != 0)
			return r;
	}
	if (optind < argc || (ret->synchronize && (ret->in_force || ret->form != FORM_TEXT)))
		return usage();
	return 0;
}

static int show(const struct request *request)
{
	CLEANUP(ipsecalgs_freep) struct ipsecalgs *table = NULL;
	CLEANUP(text_done) struct text out = { 0 };
	enum algs_list_source source = ALGS_LIST_IN_FORCE;
	int r;

	if (request->in_force || request->synchronize)
		r = request->synchronize ? algs_service_reload() : algs_service_in_force(&table);
	else
		r = load_file(&table, &source);
	if (r < 0 || !table)
		return r;
	switch (request->form) {
	case FORM_TEXT:
		algs_list_text(table, source, &out);
		break;
	case FORM_TABLE:
		r = algs_list_columns(table, source, &out);
		break;
	case FORM_JSON:
		r = algs_list_json(table, source, &out);
		break;
	}
	if (r == 0 && out.failed)
		r = -ENOMEM;
	if (r == 0 && out.str && fputs(out.str, stdout) == EOF)
		r = -errno;
	return r;
}

int main(int argc, char **argv)
{
	struct request request;
	int r = parse_options(argc, argv, &request);

	if (r == 0)
		r = show(&request);
	if (fflush(stdout) == EOF) {
		fprintf(stderr, "ipsecalgs: standard output: %s\n", strerror(errno));
		return EXIT_FAILURE;
	}
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
