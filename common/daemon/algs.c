/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/daemon/algs.h"

#include <errno.h>
#include <string.h>

#include "common/base/memfd.h"
#include "lib/netipsec/ipsecalgs.h"

#define ALGS_MAX_BYTES (4U << 20)

struct reporting {
	struct conf_diags *diags;
	const char *file;
};

static void on_problem(const struct ipsecalgs_problem *problem, void *userdata)
{
	const struct reporting *reporting = userdata;
	struct conf_loc at = { .file = reporting->file,
		.line = problem->line,
		.column = problem->column,
		.length = problem->length };

	if (problem->fatal)
		(void)conf_error(reporting->diags, at, problem->code, "%s", problem->text);
	else
		conf_warning(reporting->diags, at, problem->code, "%s", problem->text);
}

static int copy_names(const struct ipsecalgs_alg *from, struct algorithm *to)
{
	if (from->n_names > ALG_MAX_NAMES)
		return -E2BIG;
	for (size_t i = 0; i < from->n_names; i++)
		if (text_copy(to->names[i], sizeof(to->names[i]), from->names[i]) < 0)
			return -E2BIG;
	to->n_names = (uint8_t)from->n_names;
	return from->mechanism ? text_copy(to->mechanism, sizeof(to->mechanism), from->mechanism)
			       : 0;
}

static int copy_key_sizes(const struct ipsecalgs_alg *from, struct algorithm *to)
{
	if (from->n_key_sizes == 0)
		return -E2BIG;
	to->key_default_bits = (uint16_t)from->key_sizes[0];
	if (from->key_increment) {
		to->key_increment_bits = (uint16_t)from->key_increment;
		to->key_min_bits = (uint16_t)from->key_sizes[1];
		to->key_max_bits = (uint16_t)from->key_sizes[2];
		return 0;
	}
	if (from->n_key_sizes > ALG_MAX_KEYS)
		return -E2BIG;
	to->key_min_bits = UINT16_MAX;
	for (size_t i = 0; i < from->n_key_sizes; i++) {
		uint16_t bits = (uint16_t)from->key_sizes[i];

		to->key_sizes_bits[i] = bits;
		to->key_min_bits = bits < to->key_min_bits ? bits : to->key_min_bits;
		to->key_max_bits = bits > to->key_max_bits ? bits : to->key_max_bits;
	}
	return 0;
}

/* The file's row as the model has it; -E2BIG: more than the model has room for. */
static int convert(const struct ipsecalgs_alg *from, struct algorithm *ret)
{
	struct algorithm to = {
		.proto = (uint8_t)from->proto, .number = (uint8_t)from->number, .flags = from->flags
	};

	if (copy_names(from, &to) < 0 || copy_key_sizes(from, &to) < 0)
		return -E2BIG;
	if (from->n_block_sizes > 0)
		to.block_bytes = (uint16_t)from->block_sizes[0];
	if (from->n_params > IPSECALGS_PARAM_IV)
		to.iv_bytes = (uint16_t)from->params[IPSECALGS_PARAM_IV];
	else if (from->proto == IPSECALGS_PROTO_ESP)
		to.iv_bytes = to.block_bytes;
	if (from->n_params > IPSECALGS_PARAM_ICV)
		to.icv_bytes = (uint16_t)from->params[IPSECALGS_PARAM_ICV];
	if (from->n_params > IPSECALGS_PARAM_SALT)
		to.salt_bytes = (uint16_t)from->params[IPSECALGS_PARAM_SALT];
	*ret = to;
	return 0;
}

static bool is_first(const struct ipsecalgs *file, const struct ipsecalgs_alg *alg)
{
	return ipsecalgs_find_alg(file, alg->proto, alg->number) == alg;
}

/* A protocol without a line has no algorithm either. */
static bool is_async(const struct ipsecalgs *file, unsigned int proto)
{
	const struct ipsecalgs_proto *found = ipsecalgs_find_proto(file, proto);

	return !found || found->mode == IPSECALGS_ASYNC;
}

static int convert_all(const struct ipsecalgs *file, const struct reporting *reporting,
	struct alg_table **ret_table)
{
	CLEANUP(freep) struct algorithm *entries = calloc(ALG_MAX_ENTRIES, sizeof(*entries));
	size_t count = 0;
	int worst = 0;

	if (!entries)
		return -ENOMEM;
	for (size_t i = 0; i < file->n_items; i++) {
		const struct ipsecalgs_item *item = &file->items[i];
		const struct ipsecalgs_alg *alg = &item->alg;
		struct conf_loc at = { .file = reporting->file, .line = item->line };

		/* Other protocols are kept in the file, but neither AH nor ESP can use them. */
		if (item->kind != IPSECALGS_ALG ||
			(alg->proto != IPSECALGS_PROTO_AH && alg->proto != IPSECALGS_PROTO_ESP) ||
			!is_first(file, alg))
			continue;
		if (count == ALG_MAX_ENTRIES || convert(alg, &entries[count]) < 0)
			worst = conf_error(reporting->diags, at, "algs-limit",
				"more entries, names or key sizes than can be used");
		else
			count++;
	}
	if (worst < 0)
		return worst;
	*ret_table = alg_table_new(entries, count);
	if (!*ret_table)
		return -ENOMEM;
	(*ret_table)->execution.ah_async = is_async(file, IPSECALGS_PROTO_AH);
	(*ret_table)->execution.esp_async = is_async(file, IPSECALGS_PROTO_ESP);
	return 0;
}

int algs_parse(const char *label, const char *source, size_t len, struct conf_diags *diags,
	struct alg_table **ret_table)
{
	struct reporting reporting = { .diags = diags };
	struct ipsecalgs *file = NULL;
	int r;

	reporting.file = conf_diags_file(diags, label, source, len, false);
	if (!reporting.file)
		return -ENOMEM;
	r = ipsecalgs_parse(source, len, on_problem, &reporting, &file);
	if (r == 0)
		r = convert_all(file, &reporting, ret_table);
	(void)ipsecalgs_free(file);
	return r;
}

int algs_builtin(struct alg_table **ret_table)
{
	CLEANUP(conf_diags_freep) struct conf_diags *diags = conf_diags_new();
	const char *source = ipsecalgs_default_text();

	return diags ? algs_parse("built-in algorithms", source, strlen(source), diags, ret_table)
		     : -ENOMEM;
}

int algs_load(const char *path, struct conf_diags *diags, struct alg_table **ret_table)
{
	CLEANUP(freep) char *standard = NULL, *source = NULL;
	size_t len;
	int r = path ? 0 : file_system_path(ALGS_FILE, &standard);

	if (r < 0)
		return r;
	r = file_read_path(path ? path : standard, ALGS_MAX_BYTES, &source, &len);
	if (r == -ENOENT && !path)
		return algs_builtin(ret_table);
	return r < 0 ? r : algs_parse(path ? path : ALGS_FILE, source, len, diags, ret_table);
}
