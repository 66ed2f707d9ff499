/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The parser of ipseckeys: a text either earns a diagnostic or means SAs, which come out of a
 * snapshot as they went in. What is rendered for people never holds what looks like a key.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/text.h"
#include "common/daemon/algs.h"
#include "services/manual-key/keys_list.h"

#define SECRET_LOOKING 12 /* hex digits in a row */
#define TIMED_SAS      64 /* a step for each of their times */

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void require(bool promise)
{
	if (!promise)
		abort();
}

static bool holds(const struct text *text, const char *word, size_t len)
{
	return text->str && memmem(text->str, text->len, word, len);
}

static void require_secrecy(const char *source, size_t len, const struct conf_diags *diags)
{
	CLEANUP(text_done) struct text text = { 0 };
	size_t run = 0;

	conf_diags_print(diags, &text);
	conf_diags_print_json(diags, &text);
	for (size_t i = 0; i < len; i++) {
		run = hex_digit(source[i]) >= 0 ? run + 1 : 0;
		if (run >= SECRET_LOOKING)
			require(!holds(&text, source + i + 1 - SECRET_LOOKING, SECRET_LOOKING));
	}
}

static void require_round_trip(const struct sa_list *list)
{
	CLEANUP(sa_list_freep) struct sa_list *back = NULL;
	struct snapshot_bytes snap = { 0 };

	require(snapshot_write_keys(list, &snap) == 0);
	require(snapshot_read_keys(snap.bytes, snap.len, &back) == 0);
	snapshot_bytes_done(&snap);
	require(back->count == list->count);
	for (size_t i = 0; i < back->count; i++)
		require(sa_equal(back->sas[i], list->sas[i]));
}

/* Whatever the times are, they end, and nothing is in force that the file does not say. */
static void require_times(const struct sa_list *list, const struct keys_times *times)
{
	uint64_t now_sec, next_sec = 1;

	do {
		CLEANUP(sa_list_freep) struct sa_list *now = NULL;

		now_sec = next_sec;
		require(keys_times_apply(list, times, now_sec, &now, &next_sec) == 0);
		require(now->count <= list->count && (next_sec == 0 || next_sec > now_sec));
		require(times || now->count == list->count);
	} while (next_sec != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	CLEANUP(conf_diags_freep) struct conf_diags *diags = conf_diags_new();
	CLEANUP(alg_table_freep) struct alg_table *algs = NULL;
	CLEANUP(keys_file_freep) struct keys_file *file = NULL;
	CLEANUP(sa_list_freep) struct sa_list *list = NULL;
	CLEANUP(freep) struct keys_times *times = NULL;
	struct keys_input in = {
		.label = "in",
		.len = len,
		.resolver = &resolver_fixed,
		.place = KEYS_OF_SERVICE,
	};
	char *copy = malloc(len ? len : 1); /* so that reading beyond the end is seen */

	require(diags && copy && algs_builtin(&algs) == 0);
	if (len > 0)
		memcpy(copy, bytes, len);
	in.source = copy;
	in.algs = algs;
	require(keys_parse(&in, diags, &file) == 0);
	require(file->n_failed == 0 || conf_diags_errors(diags) > 0);
	require(keys_list_build(file, algs, true, diags, &list, &times) == 0);
	require_secrecy(copy, len, diags);
	if (list->count <= TIMED_SAS)
		require_times(list, times);
	if (conf_diags_errors(diags) == 0)
		require_round_trip(list);
	free(copy);
	return 0;
}
