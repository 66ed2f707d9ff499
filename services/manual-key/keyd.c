/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/manual-key/keyd.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#include "common/base/memfd.h"
#include "common/daemon/algs.h"
#include "common/daemon/log.h"
#include "common/daemon/settings.h"
#include "services/manual-key/keys_list.h"
#include "services/manual-key/keys_source.h"

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
	{ .type = SETTING_END },
};

struct keyd_load *keyd_load_free(struct keyd_load *load)
{
	if (load) {
		snapshot_bytes_done(&load->snapshot);
		free(load);
	}
	return NULL;
}

struct keyd *keyd_free(struct keyd *d)
{
	if (!d)
		return NULL;
	(void)publisher_free(d->publisher);
	(void)daemon_free(d->daemon);
	free(d->settings.config_file);
	free(d->load_error);
	free(d->publish_error);
	free(d);
	return NULL;
}

int keyd_new(const struct daemon_options *options, struct keyd **ret_keyd)
{
	CLEANUP(conf_diags_freep) struct conf_diags *diags = conf_diags_new();
	CLEANUP(keyd_freep) struct keyd *d = calloc(1, sizeof(*d));
	int r;

	if (!d || !diags)
		return -ENOMEM;
	d->options = *options;
	d->settings.config_file = strdup(KEYS_FILE);
	if (!d->settings.config_file)
		return -ENOMEM;
	r = settings_load(
		options->config, !options->config_given, settings_table, &d->settings, diags);
	daemon_report(options, diags);
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
	struct sa_list **ret_list)
{
	CLEANUP(alg_table_freep) struct alg_table *algs = NULL;
	CLEANUP(keys_file_freep) struct keys_file *file = NULL;
	struct keys_input in = {
		.label = d->settings.config_file,
		.source = source->text,
		.len = source->len,
		.resolver = &resolver_system,
		.place = KEYS_OF_SERVICE,
	};
	int r = load_algorithms(&algs);

	if (r < 0)
		return r;
	in.algs = algs;
	r = keys_parse(&in, diags, &file);
	if (r == 0)
		r = keys_list_build(file, algs, true, diags, ret_list);
	if (r == 0 && conf_diags_errors(diags) > 0)
		r = -EBADMSG; /* all or nothing: what was published stays published */
	return r;
}

static int read_source(
	const struct keyd *d, struct conf_diags *diags, struct keys_source *ret_source)
{
	CLEANUP(freep) char *path = NULL;
	int r = file_system_path(d->settings.config_file, &path);

	return r < 0 ? r : keys_source_read(path, d->settings.config_file, true, diags, ret_source);
}

int keyd_load(const struct keyd *d, struct conf_diags *diags, struct keyd_load **ret_load)
{
	CLEANUP(keyd_load_freep) struct keyd_load *load = calloc(1, sizeof(*load));
	CLEANUP(keys_source_done) struct keys_source source = { 0 };
	CLEANUP(sa_list_freep) struct sa_list *list = NULL;
	int r = load ? read_source(d, diags, &source) : -ENOMEM;

	if (r == -ENOENT) {
		load->absent = true;
		list = sa_list_new(0);
		r = list ? 0 : -ENOMEM;
	} else if (r == 0) {
		r = parse(d, &source, diags, &list);
	}
	if (r == 0)
		r = snapshot_write_keys(list, &load->snapshot);
	if (r != 0)
		return r;
	load->count = (uint32_t)list->count;
	*ret_load = STEAL(load);
	return 0;
}

/* A publication under way. */
struct publication {
	struct keyd *d;
	uint32_t count;
	bool absent;
	struct bus_call *call; /* to be answered, or NULL */
	bool reloading; /* the manager was told so */
};

static void on_published(int result, uint64_t generation, const char *error, void *userdata)
{
	struct publication *pub = userdata;
	struct keyd *d = pub->d;

	if (result == 0 || result == -ENOTCONN) {
		d->loaded = true;
		d->count = pub->count;
		d->absent = pub->absent;
		log_info("%" PRIu32 " SAs%s", d->count, d->absent ? ", there is no key file" : "");
		keyd_show(d);
		if (pub->call && bus_call_reply(pub->call, "t", generation) < 0)
			log_warning("cannot answer Reload");
	} else if (pub->call) {
		bus_call_fail(pub->call, "Invalid", "%s", error ? error : strerror(-result));
	}
	if (pub->reloading)
		daemon_reloaded(d->daemon, result == -ENOTCONN ? 0 : result);
	free(pub);
}

int keyd_publish(struct keyd *d, struct keyd_load *load, struct bus_call *call)
{
	struct publication *pub = calloc(1, sizeof(*pub));
	int r = -ENOMEM;

	free(d->load_error); /* it did load */
	d->load_error = NULL;
	if (pub) {
		*pub = (struct publication){
			.d = d,
			.count = load->count,
			.absent = load->absent,
			.call = call,
			.reloading = call,
		};
		r = publisher_publish(d->publisher, &load->snapshot, on_published, pub);
	}
	if (r < 0) {
		if (call)
			bus_call_fail(call, "Io", "%s", strerror(-r));
		free(pub);
	}
	(void)keyd_load_free(load);
	return r;
}

/* Also for what the publisher does on its own when the datapath comes back. */
static void on_state(
	enum publish_state state, uint64_t generation, const char *error, void *userdata)
{
	struct keyd *d = userdata;

	(void)state; /* both are asked of the publisher */
	(void)generation;
	free(d->publish_error);
	d->publish_error = error ? strdup(error) : NULL;
	if (d->publisher)
		keyd_show(d);
}

static void on_stop(bool withdraw, void *userdata)
{
	struct keyd *d = userdata;
	int r;

	if (!withdraw || !d->publisher)
		return;
	r = publisher_withdraw(d->publisher);
	if (r < 0)
		log_error("cannot withdraw the keys: %s", strerror(-r));
}

int keyd_run(struct keyd *d, struct keyd_load *load)
{
	const struct daemon_hooks hooks = { .reload = keyd_reload, .stop = on_stop, .userdata = d };
	int r;

	r = daemon_new(&keyd_identity, &d->options, &hooks, &d->daemon);
	if (r == 0)
		r = keyd_bus_add(d);
	if (r == 0)
		r = publisher_new(d->daemon, SECTION_KEYS, on_state, d, &d->publisher);
	if (r < 0) {
		(void)keyd_load_free(load);
		return r;
	}
	r = keyd_publish(d, load, NULL);
	if (r == 0)
		r = publisher_wait(d->publisher);
	if (r == 0)
		r = daemon_ready(d->daemon);
	if (r == 0)
		r = daemon_run(d->daemon);
	return r;
}
