/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The policy parser: a text either earns a diagnostic or means rules whose printed form means the
 * same rules again; it asks for no host name that was not seen beforehand; and its mirror, which is
 * the text itself when mirrored again, means the same rules with their ends swapped.
 */
#include "services/policy/policy_file.h"
#include "tests/unit/policy_world.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void require(bool promise)
{
	if (!promise)
		abort();
}

/* The names that were collected before the parser asks. */
struct foreseen {
	char **names;
	size_t count;
};

static int foreseen_host(void *userdata, const char *name, int family, struct resolved *ret)
{
	const struct foreseen *foreseen = userdata;
	bool found = false;

	for (size_t i = 0; i < foreseen->count && !found; i++)
		found = strcmp(foreseen->names[i], name) == 0;
	require(found);
	return world_host(NULL, name, family, ret);
}

static bool is_about_length(const struct conf_diags *diags)
{
	for (size_t i = 0; i < conf_diags_count(diags); i++)
		if (strcmp(conf_diags_get(diags, i)->code, "line-too-long") == 0 ||
			strcmp(conf_diags_get(diags, i)->code, "entry-too-long") == 0)
			return true;
	return false;
}

/* Return: 0, -EBADMSG, -E2BIG when what is wrong is the length of something. */
static int parse(
	const char *source, size_t len, const struct alg_table *algs, struct policy_file **ret_file)
{
	CLEANUP(text_done) struct text text = { 0 };
	struct conf_diags *diags = conf_diags_new();
	struct resolver resolver = world_resolver;
	struct foreseen foreseen;
	size_t bad = 0;
	struct policy_input input = {
		.label = "in",
		.source = source,
		.len = len,
		.algs = algs,
		.resolver = &resolver,
		.extensions = true,
		.lint = true,
		.ret_bad = &bad,
	};
	int r;

	require(diags != NULL);
	require(policy_host_names(source, len, &foreseen.names, &foreseen.count) == 0);
	resolver.host = foreseen_host;
	resolver.userdata = &foreseen;
	r = policy_parse(&input, diags, ret_file);
	require(r == 0 || r == -EBADMSG);
	require((r == 0) == (conf_diags_errors(diags) == 0));
	conf_diags_print(diags, &text);
	conf_diags_print_json(diags, &text);
	conf_diags_print_sarif(diags, "fuzz", "0", &text);
	if (r < 0 && is_about_length(diags))
		r = -E2BIG;
	conf_diags_free(diags);
	policy_host_names_free(foreseen.names, foreseen.count);
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

static void require_same(const struct text *a, const struct text *b)
{
	require(a->len == b->len);
	require(a->len == 0 || (a->str && b->str && memcmp(a->str, b->str, a->len) == 0));
}

static uint8_t other_directions(uint8_t directions)
{
	if (directions == DIRECTION_BIT_BOTH)
		return directions;
	return directions == DIRECTION_BIT_IN ? DIRECTION_BIT_OUT : DIRECTION_BIT_IN;
}

static bool is_mirrored(const struct rule *a, const struct rule *b)
{
	struct selector swapped = b->selector;

	swapped.local = b->selector.remote;
	swapped.remote = b->selector.local;
	swapped.local_port = b->selector.remote_port;
	swapped.remote_port = b->selector.local_port;
	swapped.local_port_last = b->selector.remote_port_last;
	swapped.remote_port_last = b->selector.local_port_last;
	if (a->n_actions != b->n_actions || a->directions != other_directions(b->directions) ||
		strcmp(a->tunnel, b->tunnel) != 0 || !selector_equal(&a->selector, &swapped))
		return false;
	for (size_t i = 0; i < a->n_actions; i++)
		if (!action_equal(&a->actions[i], &b->actions[i]))
			return false;
	return true;
}

/* Pairs of addresses of one entry may come in another order. */
static void check_rules_mirrored(const struct policy_file *file, const struct policy_file *mirrored)
{
	size_t first = 0;

	require(file->n_rules == mirrored->n_rules && file->n_entries == mirrored->n_entries);
	for (size_t e = 0; e < file->n_entries; e++) {
		size_t count = file->entries[e].n_rules;

		require(mirrored->entries[e].n_rules == count);
		for (size_t i = first; i < first + count; i++) {
			bool found = false;

			for (size_t j = first; j < first + count && !found; j++)
				found = is_mirrored(mirrored->rules[j], file->rules[i]);
			require(found);
		}
		first += count;
	}
}

static void check_mirror(const char *source, size_t len, const struct alg_table *algs,
	const struct policy_file *file)
{
	CLEANUP(policy_file_freep) struct policy_file *mirrored = NULL;
	CLEANUP(text_done) struct text once = { 0 }, twice = { 0 }, first = { 0 };
	int r;

	require(policy_mirror(source, len, &once) == 0);
	require(policy_mirror(once.str ? once.str : "", once.len, &twice) == 0);
	text_add_bytes(&first, source, len);
	require_same(&first, &twice);
	r = parse(once.str ? once.str : "", once.len, algs, &mirrored);
	if (r == -E2BIG)
		return; /* "out" is longer than "in" */
	require(r == 0);
	check_rules_mirrored(file, mirrored);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	CLEANUP(alg_table_freep) struct alg_table *algs = world_table();
	CLEANUP(policy_file_freep) struct policy_file *file = NULL, *again = NULL;
	CLEANUP(text_done) struct text first = { 0 }, second = { 0 };
	CLEANUP(freep) char *copy = malloc(len ? len : 1); /* so that reading beyond it is seen */

	require(copy != NULL);
	if (len > 0)
		memcpy(copy, bytes, len);
	if (parse(copy, len, algs, &file) < 0)
		return 0;
	check_mirror(copy, len, algs, file);
	print(file, algs, &first);
	/* `any` makes more of an entry than its text may hold: 115 words, 10 for an alternative. */
	for (size_t i = 0; i < file->n_rules; i++)
		if (file->rules[i]->n_actions > 9)
			return 0;
	require(parse(first.str ? first.str : "", first.len, algs, &again) == 0);
	print(again, algs, &second);
	require_same(&first, &second);
	return 0;
}
