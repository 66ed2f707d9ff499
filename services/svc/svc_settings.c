/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * get and set: the daemons themselves say which settings there are, what they are and whether a
 * changed file is valid; here the file is edited and put in place.
 */
#include <errno.h>
#include <libconfig.h>
#include <string.h>

#include "common/base/memfd.h"
#include "services/svc/svc.h"

#define SETTINGS_MAX_BYTES (1U << 20)
#define SETTINGS_MODE	   0644
#define GROUP_PREFIX	   "config/" /* of SMF: there is no other group */
#define PATH_BYTES	   128

static const char *plain_name(const char *name)
{
	size_t len = strlen(GROUP_PREFIX);

	return strncmp(name, GROUP_PREFIX, len) == 0 ? name + len : name;
}

/* What the daemon would run with. @path: NULL for its own file. */
static int ask_daemon(const struct svc_service *service, const char *path, int fd,
	struct text *ret_listing, struct text *ret_error)
{
	CLEANUP(freep) char *program = strdup(service->kind->program);
	CLEANUP(freep) char *file = strdup(path ? path : "");
	char list[] = "--settings", config[] = "--config";
	char *argv[] = { program, list, path ? config : NULL, file, NULL };
	int r;

	if (!program || !file)
		return -ENOMEM;
	r = svc_program_run(argv, fd, service->instance, ret_listing, ret_error);
	if (r > 0 || (r == 0 && !ret_listing->str))
		return -EBADMSG;
	return r;
}

static void print_setting(const config_setting_t *setting)
{
	const char *name = config_setting_name(setting);

	switch (config_setting_type(setting)) {
	case CONFIG_TYPE_STRING:
		(void)printf("%s=%s\n", name, config_setting_get_string(setting));
		break;
	case CONFIG_TYPE_BOOL:
		(void)printf("%s=%s\n", name, config_setting_get_bool(setting) ? "true" : "false");
		break;
	default:
		(void)printf("%s=%lld\n", name, config_setting_get_int64(setting));
		break;
	}
}

/* The listing of a daemon, as libconfig reads it. */
static int read_listing(const struct svc_service *service, config_t *ret_config, struct text *why)
{
	CLEANUP(text_done) struct text listing = { 0 };
	int r = ask_daemon(service, NULL, -1, &listing, why);

	config_init(ret_config);
	if (r == 0 && config_read_string(ret_config, listing.str) != CONFIG_TRUE)
		r = -EIO;
	return r;
}

static int unknown(const struct svc_service *service, const char *name, struct text *why)
{
	text_addf(why, "%s has no setting '%s'; 'ipsecsvc get %s' lists them", service->kind->name,
		name, service->kind->name);
	return -ENOENT;
}

static int print_listing(
	const struct svc_service *service, config_t *config, const char *name, struct text *why)
{
	const config_setting_t *root = config_root_setting(config);
	config_setting_t *one = name ? config_setting_get_member(root, plain_name(name)) : NULL;

	if (name && !one)
		return unknown(service, name, why);
	if (one)
		print_setting(one);
	for (int i = 0; !name && i < config_setting_length(root); i++)
		print_setting(config_setting_get_elem(root, (unsigned int)i));
	return 0;
}

int svc_get(const struct svc_service *service, const char *name, struct text *why)
{
	config_t config;
	int r = read_listing(service, &config, why);

	if (r == 0)
		r = print_listing(service, &config, name, why);
	config_destroy(&config);
	return r;
}

/* ---- set ---- */

/* What stands in the file is of the type that the setting has. */
static int make_literal(int type, const char *value, struct text *literal)
{
	if (type != CONFIG_TYPE_STRING) {
		size_t len = strspn(value, "0123456789abcdefxABCDEFXtrulsTRULS+-");

		if (len == 0 || value[len])
			return -EINVAL;
		text_add(literal, value);
		return 0;
	}
	text_add_char(literal, '"');
	for (; *value; value++) {
		if ((unsigned char)*value < ' ')
			return -EINVAL;
		if (*value == '"' || *value == '\\')
			text_add_char(literal, '\\');
		text_add_char(literal, *value);
	}
	text_add_char(literal, '"');
	return literal->failed ? -ENOMEM : 0;
}

/* One assignment carried out on @source. */
static int assign(const struct svc_service *service, const config_t *known, const char *assignment,
	const char *source, char **ret_edited, struct text *why)
{
	const char *sign = strchr(assignment, '=');
	CLEANUP(freep) char *full = sign ? strndup(assignment, (size_t)(sign - assignment)) : NULL;
	CLEANUP(text_done) struct text literal = { 0 }, edited = { 0 };
	const config_setting_t *setting;
	const char *name;
	int r;

	if (!full) {
		text_addf(why, "'%s' is not NAME=VALUE", assignment);
		return -EINVAL;
	}
	name = plain_name(full);
	setting = config_setting_get_member(config_root_setting(known), name);
	if (!setting)
		return unknown(service, name, why);
	r = make_literal(config_setting_type(setting), sign + 1, &literal);
	if (r == 0)
		r = svc_edit(source, name, literal.str, &edited);
	if (r == -EINVAL)
		text_addf(why, "'%s' is no value of '%s'", sign + 1, name);
	return r < 0 ? r : text_take(&edited, ret_edited);
}

/* The place in memory means nothing to the reader: he knows the file by its name. */
static void rename_places(const char *told, const char *place, const char *path, struct text *why)
{
	size_t len = strlen(place);

	while (*told) {
		size_t line = strcspn(told, "\n") + (told[strcspn(told, "\n")] == '\n');

		if (strncmp(told, place, len) == 0) {
			text_add(why, path);
			told += len;
			line -= len;
		}
		text_add_bytes(why, told, line);
		told += line;
	}
}

static int validate(
	const struct svc_service *service, const char *source, const char *path, struct text *why)
{
	CLEANUP(text_done) struct text listing = { 0 }, told = { 0 };
	CLEANUP(fd_closep) int fd = -1;
	char place[PATH_BYTES];
	int r = memfd_seal("settings", source, strlen(source), &fd);

	if (r == 0)
		r = text_fixed(place, sizeof(place), "/proc/self/fd/%d", fd);
	if (r < 0)
		return r;
	r = ask_daemon(service, place, fd, &listing, &told);
	if (r < 0 && told.str)
		rename_places(told.str, place, path, why);
	return r;
}

static int settings_path(const struct svc_service *service, char **ret_path)
{
	CLEANUP(text_done) struct text path = { 0 };

	text_add(&path, "/etc/netipsec/");
	if (service->instance[0])
		text_addf(&path, "ns/%s/", service->instance);
	text_add(&path, service->kind->settings);
	return path.failed ? -ENOMEM : file_system_path(path.str, ret_path);
}

/* A file that is absent is an empty one. */
static int read_source(const char *path, char **ret_source, struct text *why)
{
	char *source = NULL;
	size_t len;
	int r = file_read_path(path, SETTINGS_MAX_BYTES, &source, &len);

	if (r == -ENOENT) {
		source = strdup("");
		r = source ? 0 : -ENOMEM;
	}
	if (r < 0)
		text_addf(why, "%s: %s", path, file_error(r));
	*ret_source = source;
	return r;
}

/* All assignments, one after the other, on @source (owned, replaced). */
static int assign_all(const struct svc_service *service, char *const *assignments, size_t count,
	char **source, struct text *why)
{
	config_t known;
	int r = read_listing(service, &known, why);

	for (size_t i = 0; i < count && r == 0; i++) {
		char *former = *source;

		r = assign(service, &known, assignments[i], former, source, why);
		if (r == 0)
			free(former);
	}
	config_destroy(&known);
	return r;
}

int svc_set(
	const struct svc_service *service, char *const *assignments, size_t count, struct text *why)
{
	CLEANUP(freep) char *path = NULL, *source = NULL;
	int r = settings_path(service, &path);

	if (r == 0)
		r = read_source(path, &source, why);
	if (r == 0)
		r = assign_all(service, assignments, count, &source, why);
	if (r == 0)
		r = validate(service, source, path, why);
	if (r < 0 || !source)
		return r;
	r = file_replace(path, source, strlen(source), SETTINGS_MODE);
	if (r < 0)
		text_addf(why, "%s: %s", path, strerror(-r));
	return r;
}
