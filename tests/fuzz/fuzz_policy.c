/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The policy parser: a text either earns a diagnostic or means rules whose printed form means the
 * same rules again.
 */
#include "services/policy/policy_file.h"
#include "tests/unit/policy_world.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void require(bool promise)
{
	if (!promise)
		abort();
}

static int parse(
	const char *source, size_t len, const struct alg_table *algs, struct policy_file **ret_file)
{
	CLEANUP(text_done) struct text text = { 0 };
	struct conf_diags *diags = conf_diags_new();
	size_t bad = 0;
	struct policy_input input = {
		.label = "in",
		.source = source,
		.len = len,
		.algs = algs,
		.resolver = &world_resolver,
		.lint = true,
		.ret_bad = &bad,
	};
	int r;

	require(diags != NULL);
	r = policy_parse(&input, diags, ret_file);
	require(r == 0 || r == -EBADMSG);
	require((r == 0) == (conf_diags_errors(diags) == 0));
	conf_diags_print(diags, &text);
	conf_diags_print_json(diags, &text);
	conf_diags_free(diags);
	return r;
}

static void print(const struct policy_file *file, const struct alg_table *algs, struct text *text)
{
	for (size_t i = 0; i < file->n_rules; i++) {
		rule_print(file->rules[i], algs, file->rules[i]->directions, text);
		text_add_char(text, '\n');
	}
	require(!text->failed);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	CLEANUP(alg_table_freep) struct alg_table *algs = world_table();
	CLEANUP(policy_file_freep) struct policy_file *file = NULL, *again = NULL;
	CLEANUP(text_done) struct text first = { 0 }, second = { 0 };
	char *copy = malloc(len ? len : 1); /* so that reading beyond the end is seen */
	int r;

	require(copy != NULL);
	if (len > 0)
		memcpy(copy, bytes, len);
	r = parse(copy, len, algs, &file);
	free(copy);
	if (r < 0)
		return 0;
	print(file, algs, &first);
	/* `any` makes more of an entry than its text may hold: 115 words, 10 for an alternative. */
	for (size_t i = 0; i < file->n_rules; i++)
		if (file->rules[i]->n_actions > 9)
			return 0;
	require(parse(first.str ? first.str : "", first.len, algs, &again) == 0);
	print(again, algs, &second);
	require(first.len == second.len);
	require(first.len == 0 ||
		(first.str && second.str && memcmp(first.str, second.str, first.len) == 0));
	return 0;
}
