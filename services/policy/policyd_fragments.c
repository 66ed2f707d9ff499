/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/policy/policyd_fragments.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <json-c/json.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/memfd.h"
#include "common/daemon/log.h"

#define FRAGMENT_MODE 0644

/* How a stored fragment is meant stands in its file's name. */
static const struct {
	const char *suffix;
	bool enforce;
} forms[] = {
	{ ".conf", true },
	{ ".audit", false },
};

struct policyd_fragment *policyd_fragment_free(struct policyd_fragment *fragment)
{
	if (!fragment)
		return NULL;
	free(fragment->name);
	free(fragment->owner);
	free(fragment->source);
	free(fragment->problem);
	free(fragment);
	return NULL;
}

void policyd_fragments_done(struct policyd_fragments *fragments)
{
	while (fragments->first) {
		struct policyd_fragment *fragment = fragments->first;

		fragments->first = fragment->next;
		(void)policyd_fragment_free(fragment);
	}
	fragments->count = 0;
}

bool policyd_fragment_name_is_valid(const char *name)
{
	size_t len = strlen(name);

	if (len == 0 || len >= FRAGMENT_NAME_MAX || name[0] == '.')
		return false;
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)name[i]) && !strchr("-_.", name[i]))
			return false;
	return true;
}

struct policyd_fragment *policyd_fragments_find(
	const struct policyd_fragments *fragments, const char *name)
{
	struct policyd_fragment *fragment = fragments->first;

	while (fragment && strcmp(fragment->name, name) != 0)
		fragment = fragment->next;
	return fragment;
}

/* Where the fragment of this name hangs, or where the next one will. */
static struct policyd_fragment **find_link(struct policyd_fragments *fragments, const char *name)
{
	struct policyd_fragment **link = &fragments->first;

	while (*link && strcmp((*link)->name, name) != 0)
		link = &(*link)->next;
	return link;
}

void policyd_fragments_put(struct policyd_fragments *fragments, struct policyd_fragment *fragment)
{
	struct policyd_fragment **link = find_link(fragments, fragment->name);

	fragment->next = *link ? (*link)->next : NULL;
	if (*link)
		(void)policyd_fragment_free(*link);
	else
		fragments->count++;
	*link = fragment;
}

void policyd_fragments_take(struct policyd_fragments *fragments, const char *name)
{
	struct policyd_fragment **link = find_link(fragments, name), *fragment = *link;

	if (!fragment)
		return;
	*link = fragment->next;
	(void)policyd_fragment_free(fragment);
	fragments->count--;
}

/* ---- on disk ---- */

static int stored_path(const char *name, const char *suffix, char **ret_path)
{
	CLEANUP(text_done) struct text path = { 0 };

	text_addf(&path, "%s/%s%s", FRAGMENTS_DIR, name, suffix);
	return path.failed ? -ENOMEM : file_system_path(path.str, ret_path);
}

static int make_directory(const char *plain)
{
	CLEANUP(freep) char *path = NULL;
	int r = file_system_path(plain, &path);

	if (r == 0 && mkdir(path, 0755) < 0 && errno != EEXIST)
		r = -errno;
	return r;
}

int policyd_state_directory(void)
{
	return make_directory("/var/lib/netipsec/policy");
}

/* All forms of a name but @kept go. */
static int remove_forms(const char *name, const char *kept)
{
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		CLEANUP(freep) char *path = NULL;
		int r;

		if (kept && strcmp(forms[i].suffix, kept) == 0)
			continue;
		r = stored_path(name, forms[i].suffix, &path);
		if (r == 0 && unlink(path) < 0 && errno != ENOENT)
			r = -errno;
		if (r < 0)
			return r;
	}
	return 0;
}

int policyd_fragment_store(const struct policyd_fragment *fragment)
{
	const char *suffix = forms[fragment->enforce ? 0 : 1].suffix;
	CLEANUP(freep) char *path = NULL;
	int r = stored_path(fragment->name, suffix, &path);

	if (r == 0)
		r = policyd_state_directory();
	if (r == 0)
		r = make_directory(FRAGMENTS_DIR);
	if (r == 0)
		r = file_replace(path, fragment->source, fragment->len, FRAGMENT_MODE);
	return r < 0 ? r : remove_forms(fragment->name, suffix);
}

int policyd_fragment_forget(const char *name)
{
	return remove_forms(name, NULL);
}

/* The name of a stored file without its form. False: it is none of ours. */
static bool read_form(const char *file, char *ret_name, size_t size, bool *ret_enforce)
{
	size_t len = strlen(file);

	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		size_t suffix_len = strlen(forms[i].suffix);

		if (len <= suffix_len || len - suffix_len >= size ||
			strcmp(file + len - suffix_len, forms[i].suffix) != 0)
			continue;
		memcpy(ret_name, file, len - suffix_len);
		ret_name[len - suffix_len] = '\0';
		*ret_enforce = forms[i].enforce;
		return policyd_fragment_name_is_valid(ret_name);
	}
	return false;
}

static int load_one(struct policyd_fragments *fragments, const char *directory, const char *file)
{
	CLEANUP(policyd_fragment_freep)
	struct policyd_fragment *fragment = calloc(1, sizeof(*fragment));
	CLEANUP(text_done) struct text path = { 0 };
	char name[FRAGMENT_NAME_MAX];
	int r;

	if (!fragment)
		return -ENOMEM;
	if (!read_form(file, name, sizeof(name), &fragment->enforce))
		return 0;
	fragment->persistent = true;
	fragment->name = strdup(name);
	fragment->owner = strdup("");
	text_addf(&path, "%s/%s", directory, file);
	if (!fragment->name || !fragment->owner || path.failed)
		return -ENOMEM;
	r = file_read_path(path.str, FRAGMENT_MAX_BYTES, &fragment->source, &fragment->len);
	if (r == 0)
		policyd_fragments_put(fragments, STEAL(fragment));
	else if (r != -ENOMEM)
		log_error("%s: %s", path.str, file_error(r));
	return r == -ENOMEM ? r : 0;
}

int policyd_fragments_load(struct policyd_fragments *fragments)
{
	CLEANUP(freep) char *directory = NULL;
	struct dirent **files;
	int count, r = file_system_path(FRAGMENTS_DIR, &directory);

	if (r < 0)
		return r;
	count = scandir(directory, &files, NULL, alphasort);
	if (count < 0 && errno == ENOENT)
		return 0;
	if (count < 0) {
		log_error("%s: %s", directory, strerror(errno));
		return 0;
	}
	for (int i = 0; i < count; i++) {
		if (r == 0)
			r = load_one(fragments, directory, files[i]->d_name);
		free(files[i]);
	}
	free(files);
	return r;
}

/* ---- for who asks ---- */

static bool add_member(struct json_object *row, const char *key, struct json_object *value)
{
	return value && json_object_object_add(row, key, value) == 0;
}

static struct json_object *fragment_row(const struct policyd_fragment *fragment)
{
	struct json_object *row = json_object_new_object();

	if (row && add_member(row, "name", json_object_new_string(fragment->name)) &&
		add_member(row, "owner", json_object_new_string(fragment->owner)) &&
		add_member(row, "persistent", json_object_new_boolean(fragment->persistent)) &&
		add_member(row, "enforce", json_object_new_boolean(fragment->enforce)) &&
		add_member(row, "problem",
			json_object_new_string(fragment->problem ? fragment->problem : "")) &&
		add_member(row, "text",
			json_object_new_string_len(fragment->source, (int)fragment->len)))
		return row;
	json_object_put(row);
	return NULL;
}

void policyd_fragments_print(const struct policyd_fragments *fragments, struct text *text)
{
	struct json_object *out = json_object_new_object(), *list = json_object_new_array();
	bool good = out && list && add_member(out, "version", json_object_new_int(1));

	for (const struct policyd_fragment *f = fragments->first; good && f; f = f->next) {
		struct json_object *row = fragment_row(f);

		good = row && json_object_array_add(list, row) == 0;
	}
	good = good && add_member(out, "fragments", json_object_get(list));
	if (good)
		text_add(text, json_object_to_json_string_ext(out, JSON_C_TO_STRING_PLAIN));
	else
		text->failed = true;
	json_object_put(list);
	json_object_put(out);
}
