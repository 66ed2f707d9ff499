/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/manual-key/keyd.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/instance.h"
#include "common/base/memfd.h"
#include "common/daemon/algs.h"
#include "common/daemon/log.h"
#include "common/daemon/settings.h"
#include "services/manual-key/keys_list.h"
#include "services/manual-key/keys_source.h"

#define CREDENTIAL	 "ipseckeys" /* LoadCredential= of the unit */
#define CREDENTIAL_LABEL "credential " CREDENTIAL

const struct daemon_identity keyd_identity = {
	.program = "ipsec-manual-keyd",
	.summary = "Read the IPsec key file and publish its security associations to the datapath.",
	.bus_name = "org.netipsec.ManualKey1",
	.bus_path = "/org/netipsec/ManualKey1",
	.unit = "ipsec-manual-key.service",
	.config = "/etc/netipsec/manual-key.cfg",
};

static const struct setting settings_table[] = {
	{ .type = SETTING_STRING,
		.name = "config_file",
		.help = "the key file",
		.offset = offsetof(struct keyd_settings, config_file) },
	{ .type = SETTING_BOOL,
		.name = "strict",
		.help = "a file with an error changes nothing",
		.offset = offsetof(struct keyd_settings, strict) },
	{ .type = SETTING_BOOL,
		.name = "flush_on_load",
		.help = "loading the file ends the SAs of key management, too",
		.offset = offsetof(struct keyd_settings, flush_on_load) },
	{ .type = SETTING_END },
};

struct keyd_load *keyd_load_free(struct keyd_load *load)
{
	if (load) {
		if (load->owner)
			load->owner->in_flight--;
		snapshot_bytes_done(&load->snapshot);
		sa_list_free(load->list);
		free(load->times);
		free(load->complaint);
		free(load);
	}
	return NULL;
}

struct keyd *keyd_free(struct keyd *d)
{
	if (!d)
		return NULL;
	sd_event_source_disable_unref(d->on_step);
	service_done(&d->service);
	sa_list_free(d->list);
	free(d->times);
	free(d->complaint);
	free(d->settings.config_file);
	free(d);
	return NULL;
}

static int read_settings(const struct daemon_options *options, struct conf_diags *diags,
	struct keyd_settings *ret_settings)
{
	struct keyd_settings settings = { .config_file = instance_path(KEYS_FILE) };
	int r = settings.config_file ? daemon_settings(options, settings_table, &settings, diags)
				     : -ENOMEM;

	if (r < 0)
		free(settings.config_file);
	else
		*ret_settings = settings;
	return r;
}

int keyd_new(const struct daemon_options *options, struct keyd **ret_keyd)
{
	CLEANUP(keyd_freep) struct keyd *d = calloc(1, sizeof(*d));
	int r;

	if (!d)
		return -ENOMEM;
	service_init(&d->service, &keyd_identity, &keyd_hooks, options, d);
	r = read_settings(options, NULL, &d->settings);
	if (r < 0)
		return r;
	*ret_keyd = STEAL(d);
	return 0;
}

/* The registry's file is another service's: when it is bad, the built-in table stands in. */
static int load_algorithms(struct alg_table **ret_table)
{
	CLEANUP(conf_diags_freep) struct conf_diags *diags = conf_diags_new();
	int r = diags ? algs_load(NULL, diags, ret_table) : -ENOMEM;

	if (r != -EBADMSG)
		return r;
	log_warning("%s has errors, using the built-in algorithms", ALGS_FILE);
	return algs_builtin(ret_table);
}

static int parse(const struct keyd *d, const struct keys_source *source, struct conf_diags *diags,
	struct keyd_load *load)
{
	struct sa_list **ret_list = &load->list;
	CLEANUP(alg_table_freep) struct alg_table *algs = NULL;
	CLEANUP(keys_file_freep) struct keys_file *file = NULL;
	struct keys_input in = {
		.label = d->settings.config_file,
		.source = source->text,
		.len = source->len,
		.resolver = &resolver_system,
		.place = KEYS_OF_SERVICE,
		.now_sec = clock_wall_usec() / USEC_PER_SEC,
	};
	int r = load_algorithms(&algs);

	if (r < 0)
		return r;
	in.algs = algs;
	r = keys_parse(&in, diags, &file);
	if (r == 0)
		r = keys_list_build(file, algs, true, diags, ret_list, &load->times);
	if (r == 0 && conf_diags_errors(diags) > 0 && d->settings.strict)
		r = -EBADMSG; /* all or nothing: what was published stays published */
	if (r == 0) /* a live SA does not end for an error in its line */
		(*ret_list)->partial = conf_diags_errors(diags) > 0;
	if (r == 0)
		(*ret_list)->flush = d->settings.flush_on_load && !(*ret_list)->partial;
	if (r == 0 && file->count > 0 && file->n_failed == file->count)
		r = -EBADMSG; /* nothing of it is good: it says nothing of what is wanted */
	return r;
}

/*
 * The manager gave the file to this process when it started, and gives no other one to it: reading
 * it again would only seem to be a reload. Return: -ENOENT when there is none.
 */
static int read_credential(const struct keyd *d, const char *directory, struct conf_diags *diags,
	struct keys_source *ret_source)
{
	CLEANUP(text_done) struct text path = { 0 };
	struct conf_loc at = { .file = conf_diags_file(diags, CREDENTIAL_LABEL, "", 0, true) };

	text_addf(&path, "%s/%s", directory, CREDENTIAL);
	if (path.failed || !at.file)
		return -ENOMEM;
	if (access(path.str, F_OK) < 0)
		return -ENOENT;
	if (d->service.loaded)
		return conf_error(diags, at, "key-credential",
			"the keys are a credential: use restart (gapless)");
	return keys_source_read(path.str, CREDENTIAL_LABEL, false, diags, ret_source);
}

static int read_source(
	const struct keyd *d, struct conf_diags *diags, struct keys_source *ret_source)
{
	const char *directory = getenv("CREDENTIALS_DIRECTORY");
	CLEANUP(freep) char *path = NULL;
	int r = -ENOENT;

	if (directory)
		r = read_credential(d, directory, diags, ret_source);
	if (r != -ENOENT)
		return r;
	r = file_system_path(d->settings.config_file, &path);
	return r < 0 ? r : keys_source_read(path, d->settings.config_file, true, diags, ret_source);
}

/* What was passed over, for the status and for whoever asked for the reload. */
static int complain(const struct conf_diags *diags, char **ret_complaint)
{
	CLEANUP(text_done) struct text text = { 0 };

	if (conf_diags_errors(diags) == 0)
		return 0;
	conf_diags_print(diags, &text);
	return text_take(&text, ret_complaint);
}

int keyd_load_fill(
	struct keyd_load *load, const struct sa_list *list, const struct keys_times *times)
{
	CLEANUP(sa_list_freep) struct sa_list *now = NULL;
	int r = 0;

	if (times)
		r = keys_times_apply(
			list, times, clock_wall_usec() / USEC_PER_SEC, &now, &load->next_sec);
	if (r < 0)
		return r;
	load->count = (uint32_t)(now ? now->count : list->count);
	return snapshot_write_keys(now ? now : list, &load->snapshot);
}

int keyd_load(const struct keyd *d, struct conf_diags *diags, struct keyd_load **ret_load)
{
	CLEANUP(keyd_load_freep) struct keyd_load *load = calloc(1, sizeof(*load));
	CLEANUP(keys_source_done) struct keys_source source = { 0 };
	int r = load ? read_source(d, diags, &source) : -ENOMEM;

	if (r == -ENOENT) {
		load->absent = true;
		load->list = sa_list_new(0);
		r = load->list ? 0 : -ENOMEM;
	} else if (r == 0) {
		r = parse(d, &source, diags, load);
	}
	if (r == 0)
		r = complain(diags, &load->complaint);
	if (r == 0)
		r = keyd_load_fill(load, load->list, load->times);
	if (r != 0)
		return r;
	if (!load->times) /* it is the same at any time */
		load->list = sa_list_free(load->list);
	*ret_load = STEAL(load);
	return 0;
}

/* A reload reads the settings too: what they say holds with the file, or neither does. */
static int load(void *userdata, struct conf_diags *diags, void **ret_content)
{
	struct keyd *d = userdata;
	struct keyd_settings former = d->settings, next = { 0 };
	struct keyd_load *load = NULL;
	int r = read_settings(&d->service.options, diags, &next);

	if (r < 0)
		return r;
	d->settings = next;
	r = keyd_load(d, diags, &load);
	d->settings = r < 0 ? former : next;
	free(r < 0 ? next.config_file : former.config_file);
	if (r == 0) {
		load->owner = d;
		d->in_flight++;
	}
	*ret_content = load;
	return r;
}

static void discard(void *content)
{
	(void)keyd_load_free(content);
}

static struct snapshot_bytes *load_snapshot(void *content)
{
	struct keyd_load *load = content;

	return &load->snapshot;
}

static const char *complaint(const void *content)
{
	const struct keyd_load *load = content;

	return load->complaint;
}

static void take(void *userdata, void *content)
{
	CLEANUP(keyd_load_freep) struct keyd_load *load = content;
	struct keyd *d = userdata;

	d->count = load->count;
	d->service.absent = load->absent;
	log_info("%" PRIu32 " SAs%s", d->count, load->absent ? ", there is no key file" : "");
	keyd_follow_times(d, load);
}

static void tell(const void *userdata, const void *content, struct text *text)
{
	const struct keyd *d = userdata;
	const struct keyd_load *load = content;

	text_addf(text, "%s: %" PRIu32 " SAs%s", d->settings.config_file, load->count,
		load->absent ? ", there is no file" : "");
}

static void describe(const void *userdata, const char *state, struct text *text)
{
	const struct keyd *d = userdata;

	if (d->service.absent)
		text_addf(text, "%s does not exist: ", d->settings.config_file);
	text_addf(text, "%" PRIu32 " SA%s %s", d->count, d->count == 1 ? "" : "s", state);
}

const struct service_hooks keyd_hooks = {
	.section = SECTION_KEYS,
	.count_property = "KeyCount",
	.subject = "keys",
	.load = load,
	.discard = discard,
	.tell = tell,
	.add_to_bus = keyd_bus_add,
	.snapshot = load_snapshot,
	.complaint = complaint,
	.take = take,
	.describe = describe,
};
