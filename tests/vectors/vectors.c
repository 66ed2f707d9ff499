/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * netipsec-vectors [--provider openssl|ipsec-mb] FILE...: runs ESP and AH packets that somebody else
 * made through the real code, both ways: opened they give what is written there, sealed with the same
 * number, IV and padding they are the same octets, and one bit changed they are refused. Cases of
 * cast-cbc, which no row of ours does, are skipped by name. Files with `sequences` hold numbers against
 * the replay window instead. --shared DIRECTORY: all files there; no such directory is a skip (77).
 * --provider goes before the files that it is for. Exit: 0, 1 (something failed, or nothing ran), 2.
 */
#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "tests/vectors/vectors.h"

#define EXIT_SKIP  77
#define EXIT_USAGE 2

bool vectors_fail(struct tally *tally, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	text_vaddf(&tally->why, format, args);
	va_end(args);
	return false;
}

typedef bool run_fn(struct json_object *object, struct tally *tally);

static void run_one(struct json_object *object, const char *key, run_fn *run, struct tally *tally)
{
	const char *id = json_object_is_type(object, json_type_object) ? vector_text(object, key)
								       : NULL;

	if (id && run(object, tally)) {
		tally->passed++;
		printf("pass %s\n", id);
	} else if (id && tally->why.str && strncmp(tally->why.str, "skip:", 5) == 0) {
		tally->skipped++;
		printf("skip %s:%s\n", id, tally->why.str + 5);
	} else {
		tally->failed++;
		printf("FAIL %s: %s\n", id ? id : "?", tally->why.str ? tally->why.str : "no case");
	}
	text_done(&tally->why);
}

static void run_file(const char *path, struct tally *tally)
{
	static const struct {
		const char *list, *key;
		run_fn *run;
	} kinds[] = {
		{ "vectors", "id", vectors_run_case },
		{ "cases", "id", vectors_run_case },
		{ "sequences", "name", vectors_run_sequence },
	};
	struct json_object *root = json_object_from_file(path), *list;
	bool known = false;

	for (size_t k = 0; root && k < ARRAY_SIZE(kinds); k++) {
		if (!json_object_object_get_ex(root, kinds[k].list, &list) ||
			!json_object_is_type(list, json_type_array))
			continue;
		known = true;
		for (size_t i = 0; i < json_object_array_length(list); i++)
			run_one(json_object_array_get_idx(list, i), kinds[k].key, kinds[k].run,
				tally);
	}
	if (!known) {
		printf("FAIL %s: not a file of vectors\n", path);
		tally->failed++;
	}
	(void)json_object_put(root);
}

/* -ENOENT: there is no such directory. */
static int run_directory(const char *path, struct tally *tally)
{
	DIR *dir = opendir(path);
	const struct dirent *entry;
	char file[512];

	if (!dir)
		return -errno;
	for (entry = readdir(dir); entry; entry = readdir(dir)) {
		size_t len = strlen(entry->d_name);

		if (len > 5 && strcmp(entry->d_name + len - 5, ".json") == 0 &&
			text_fixed(file, sizeof(file), "%s/%s", path, entry->d_name) == 0)
			run_file(file, tally);
	}
	(void)closedir(dir);
	return 0;
}

static bool choose(const char *provider, enum suite_choice *ret_choice)
{
	if (strcmp(provider, suite_ipsec_mb.name) == 0)
		*ret_choice = SUITE_CHOICE_IPSEC_MB;
	else if (strcmp(provider, suite_openssl.name) == 0)
		*ret_choice = SUITE_CHOICE_OPENSSL;
	else
		return false;
	return true;
}

int main(int argc, char **argv)
{
	const char *shared = getenv("NETIPSEC_SHARED");
	struct tally tally = { .choice = SUITE_CHOICE_OPENSSL };
	char path[512];

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--provider") == 0 && i + 1 < argc) {
			if (!choose(argv[++i], &tally.choice)) {
				fprintf(stderr, "netipsec-vectors: no provider '%s'\n", argv[i]);
				return EXIT_USAGE;
			}
			continue;
		}
		if (strcmp(argv[i], "--shared") != 0 || i + 1 == argc) {
			run_file(argv[i], &tally);
			continue;
		}
		i++;
		if (text_fixed(path, sizeof(path), "%s%s", shared ? shared : argv[i],
			    shared ? "/vectors/packets" : "") < 0 ||
			run_directory(path, &tally) < 0) {
			printf("SKIP: no directory %s\n", path);
			return EXIT_SKIP;
		}
	}
	printf("%u passed, %u failed, %u skipped\n", tally.passed, tally.failed, tally.skipped);
	return tally.failed == 0 && tally.passed > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
