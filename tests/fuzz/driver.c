/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A main() for fuzz targets where there is no libFuzzer: replays files, and all files of
 * directories, given as arguments. A target that finds a broken promise aborts.
 */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <sys/stat.h>

#include "common/base/cleanup.h"
#include "common/base/memfd.h"
#include "common/base/text.h"

#define INPUT_MAX_BYTES (16U << 20)

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static int replay_file(const char *path, unsigned int *count)
{
	CLEANUP(freep) char *bytes = NULL;
	size_t len;
	int r = file_read_path(path, INPUT_MAX_BYTES, &bytes, &len);

	if (r < 0) {
		fprintf(stderr, "%s: %s\n", path, strerror(-r));
		return r;
	}
	printf("# %s\n", path);
	(void)fflush(stdout); /* so that the last name is there if the target aborts */
	(void)LLVMFuzzerTestOneInput((const uint8_t *)bytes, len);
	printf("ok %u - %s\n", ++*count, path);
	return 0;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int replay_directory(const char *path, unsigned int *count)
{
	struct dirent **names;
	int n = scandir(path, &names, NULL, by_name);
	int r = 0;

	if (n < 0)
		return -errno;
	for (int i = 0; i < n; i++) {
		CLEANUP(text_done) struct text child = { 0 };

		text_addf(&child, "%s/%s", path, names[i]->d_name);
		if (r == 0 && names[i]->d_name[0] != '.')
			r = child.failed ? -ENOMEM : replay_file(child.str, count);
		free(names[i]);
	}
	free(names);
	return r;
}

static int replay(const char *path, unsigned int *count)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return -errno;
	return S_ISDIR(st.st_mode) ? replay_directory(path, count) : replay_file(path, count);
}

int main(int argc, char **argv)
{
	unsigned int count = 0;

	for (int i = 1; i < argc; i++) {
		int r = replay(argv[i], &count);

		if (r < 0) {
			fprintf(stderr, "%s: %s\n", argv[i], strerror(-r));
			return EXIT_FAILURE;
		}
	}
	if (count == 0) {
		fprintf(stderr, "no input\n");
		return EXIT_FAILURE;
	}
	printf("%u passed, 0 failed\n", count);
	return EXIT_SUCCESS;
}
