/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/manual-key/keys_source.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "common/base/memfd.h"
#include "common/base/secret.h"
#include "services/manual-key/keys_parse.h"

void keys_source_done(struct keys_source *source)
{
	secret_wipe(source->text, source->len);
	free(source->text);
	*source = (struct keys_source){ 0 };
}

static int check_rights(
	const struct stat *st, struct conf_loc at, bool strict, struct conf_diags *diags)
{
	bool owned = st->st_uid == 0 || st->st_uid == geteuid();

	if (owned && (st->st_mode & (S_IRWXG | S_IRWXO)) == 0)
		return 0;
	if (strict) {
		(void)conf_error(diags, at, "key-rights", "the file has insecure permissions");
		conf_hint(diags, "it must belong to root with mode 0600 or 0400");
		return -EBADMSG;
	}
	conf_warning(diags, at, "key-rights",
		"insecure permissions: the manual-key service would refuse this file");
	return 0;
}

/* Who may write there may put another file in its place. */
static int check_directory(const char *path, struct conf_loc at, struct conf_diags *diags)
{
	CLEANUP(fd_closep) int fd = -1;
	CLEANUP(freep) char *dir = strdup(path);
	char *slash = dir ? strrchr(dir, '/') : NULL;
	struct stat st;

	if (!dir)
		return -ENOMEM;
	if (slash)
		slash[1] = '\0';
	fd = open(slash ? dir : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0 && fstat(fd, &st) == 0 && (st.st_uid == 0 || st.st_uid == geteuid()) &&
		(st.st_mode & (S_IWGRP | S_IWOTH)) == 0)
		return 0;
	(void)conf_error(diags, at, "key-rights", "the directory has insecure permissions");
	conf_hint(diags, "it must belong to root, and only root may write there");
	return -EBADMSG;
}

int keys_source_read(const char *path, const char *label, bool strict, struct conf_diags *diags,
	struct keys_source *ret_source)
{
	/* Without waiting: a pipe has no writer until somebody means to open one. */
	CLEANUP(fd_closep) int fd = open(
		path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | (strict ? O_NOFOLLOW : 0));
	const char *file = conf_diags_file(diags, label, "", 0, true);
	struct conf_loc at = { .file = file };
	struct stat st;
	int r;

	if (!file)
		return -ENOMEM;
	if (fd < 0 && errno == ENOENT)
		return -ENOENT;
	if (fd < 0 && errno == ELOOP && strict)
		return conf_error(diags, at, "key-rights", "the file is a symbolic link");
	if (fd < 0)
		return conf_error(diags, at, "key-file", "Unable to open configuration file: %s",
			strerror(errno));
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return conf_error(diags, at, "key-file", "Not a regular file");
	r = check_rights(&st, at, strict, diags);
	if (r == 0 && strict)
		r = check_directory(path, at, diags);
	if (r < 0)
		return r;
	r = file_read_regular(fd, KEYS_FILE_MAX_BYTES, &ret_source->text, &ret_source->len);
	if (r == -ENOMEM)
		return r;
	if (r < 0)
		return conf_error(diags, at, "key-file", "cannot read: %s", file_error(r));
	return 0;
}
