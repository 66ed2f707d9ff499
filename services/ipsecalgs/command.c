/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ipsecalgs(8): shows the algorithm file and what is in force, and asks its service to change it. */
#include <errno.h>
#include <string.h>

#include "common/base/memfd.h"
#include "common/conf/diag.h"
#include "common/daemon/algs.h"
#include "services/ipsecalgs/algs_list.h"
#include "services/ipsecalgs/algs_service.h"
#include "services/ipsecalgs/request.h"

#define FILE_MAX_BYTES (1U << 20)

DEFINE_CLEANUP(struct ipsecalgs *, ipsecalgs_free)

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
		fprintf(stderr, "ipsecalgs: %s: %s\n", ALGS_FILE, file_error(r));
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

static int print_list(const struct request *request, const struct ipsecalgs *table,
	enum algs_list_source source, const struct algs_status *status)
{
	CLEANUP(text_done) struct text out = { 0 };
	enum request_form form = request->form;
	int r = 0;

	if (status && form == REQUEST_FORM_TEXT)
		form = REQUEST_FORM_TABLE; /* the layout of the original has no room for it */
	switch (form) {
	case REQUEST_FORM_TEXT:
		algs_list_text(table, source, &out);
		break;
	case REQUEST_FORM_TABLE:
		r = algs_list_columns(table, source, status, &out);
		break;
	case REQUEST_FORM_JSON:
		r = algs_list_json(table, source, status, &out);
		break;
	}
	if (r == 0 && out.failed)
		r = -ENOMEM;
	if (r == 0 && out.str && fputs(out.str, stdout) == EOF)
		r = -errno;
	return r;
}

static int show(const struct request *request)
{
	CLEANUP(ipsecalgs_freep) struct ipsecalgs *table = NULL;
	CLEANUP(algs_status_freep) struct algs_status *status = NULL;
	enum algs_list_source source = ALGS_LIST_IN_FORCE;
	int r = request->command == REQUEST_LIST ? load_file(&table, &source)
						 : algs_service_in_force(&table);

	if (r < 0 || !table)
		return r;
	if (request->status)
		r = algs_service_status(&status);
	return r < 0 ? r : print_list(request, table, source, status);
}

static int run(const struct request *request)
{
	switch (request->command) {
	case REQUEST_LIST:
	case REQUEST_LIST_IN_FORCE:
		return show(request);
	case REQUEST_SYNCHRONIZE:
		return algs_service_reload();
	case REQUEST_ADD_ALGORITHM:
	case REQUEST_ADD_PROTOCOL:
	case REQUEST_REMOVE_ALGORITHM:
	case REQUEST_REMOVE_PROTOCOL:
	case REQUEST_SET_MODE:
		break;
	}
	return algs_service_change(request);
}

int main(int argc, char **argv)
{
	CLEANUP(request_done) struct request request = { 0 };
	int r = request_parse(argc, argv, &request);

	if (r == 0)
		r = run(&request);
	if (fflush(stdout) == EOF) {
		fprintf(stderr, "ipsecalgs: standard output: %s\n", strerror(errno));
		return EXIT_FAILURE;
	}
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
