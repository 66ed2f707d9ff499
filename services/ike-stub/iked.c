/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/ike-stub/iked.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>

#include "common/base/instance.h"
#include "common/base/memfd.h"
#include "common/daemon/log.h"
#include "common/daemon/settings.h"

#define IKE_FILE "/etc/inet/ike/config"

const struct daemon_identity iked_identity = {
	.program = "ipsec-iked",
	.summary = "Hold the place of key management: count requests for SAs. It negotiates "
		   "nothing yet.",
	.bus_name = "org.netipsec.Ike1",
	.bus_path = "/org/netipsec/Ike1",
	.unit = "ipsec-ike.service",
	.config = "/etc/netipsec/ike.cfg",
	.without = "nothing is negotiated",
};

static const struct setting settings_table[] = {
	{ .type = SETTING_STRING,
		.name = "config_file",
		.help = "the key management configuration",
		.offset = offsetof(struct iked_settings, config_file) },
	{ .type = SETTING_END },
};

struct iked *iked_free(struct iked *d)
{
	if (!d)
		return NULL;
	sd_event_source_disable_unref(d->announce);
	(void)daemon_free(d->daemon);
	acquires_done(&d->acquires);
	free(d->settings.config_file);
	free(d);
	return NULL;
}

static int read_settings(const struct daemon_options *options, struct conf_diags *diags,
	struct iked_settings *ret_settings)
{
	struct iked_settings settings = { .config_file = instance_path(IKE_FILE) };
	int r = settings.config_file ? daemon_settings(options, settings_table, &settings, diags)
				     : -ENOMEM;

	if (r < 0)
		free(settings.config_file);
	else
		*ret_settings = settings;
	return r;
}

int iked_new(const struct daemon_options *options, struct iked **ret_iked)
{
	CLEANUP(iked_freep) struct iked *d = calloc(1, sizeof(*d));
	int r;

	if (!d)
		return -ENOMEM;
	d->options = *options;
	r = read_settings(options, NULL, &d->settings);
	if (r < 0)
		return r;
	*ret_iked = STEAL(d);
	return 0;
}

const char *iked_last_error(const struct iked *d)
{
	if (d->error == -EBADF)
		return "not a regular file";
	return d->error < 0 ? strerror(-d->error) : "";
}

/* The file is not opened: nothing in it is used, and its owner may keep it from this service. */
int iked_load(struct iked *d)
{
	CLEANUP(freep) char *path = NULL;
	struct stat st;
	int r = file_system_path(d->settings.config_file, &path);

	if (r == 0 && stat(path, &st) < 0)
		r = -errno;
	else if (r == 0 && !S_ISREG(st.st_mode))
		r = -EBADF;
	if (r == -ENOENT && lstat(path, &st) == 0) /* a link to nowhere */
		r = -EBADF;
	d->error = r == -ENOENT ? 0 : r;
	if (d->error < 0)
		return d->error;
	d->present = r == 0;
	d->generation++;
	return 0;
}

static void show_status(struct iked *d)
{
	if (d->error < 0)
		daemon_status(d->daemon, "Negotiates nothing yet; last reload failed: %s: %s",
			d->settings.config_file, iked_last_error(d));
	else
		daemon_status(d->daemon, "Negotiates nothing yet; %s %s", d->settings.config_file,
			d->present ? "is there" : "does not exist");
}

int iked_reload(void *userdata)
{
	CLEANUP(conf_diags_freep) struct conf_diags *diags = conf_diags_new();
	struct iked *d = userdata;
	struct iked_settings next = { 0 };
	int r = diags ? read_settings(&d->options, diags, &next) : -ENOMEM;

	if (diags)
		daemon_report(&d->options, diags);
	if (r == 0) {
		free(d->settings.config_file);
		d->settings = next;
		r = iked_load(d);
	}
	if (r < 0)
		log_error("%s: %s", d->settings.config_file, iked_last_error(d));
	show_status(d);
	iked_bus_changed(d);
	return r;
}

static void on_stop(bool withdraw, void *userdata)
{
	/* It has no section to withdraw. */
	(void)withdraw;
	(void)userdata;
}

int iked_run(struct iked *d)
{
	const struct daemon_hooks hooks = { .reload = iked_reload, .stop = on_stop, .userdata = d };
	int r;

	r = daemon_new(&iked_identity, &d->options, &hooks, &d->daemon);
	if (r == 0)
		r = iked_bus_add(d);
	if (r < 0)
		return r;
	show_status(d);
	log_info("%s %s; this service negotiates nothing yet", d->settings.config_file,
		d->present ? "is there" : "does not exist");
	r = daemon_ready(d->daemon);
	if (r == 0)
		r = daemon_run(d->daemon);
	return r;
}
