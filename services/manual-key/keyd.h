/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The daemon that owns the key file: its SAs, loaded and published as a whole. */
#ifndef MANUAL_KEY_KEYD_H
#define MANUAL_KEY_KEYD_H

#include <stdint.h>

#include "common/base/cleanup.h"
#include "common/daemon/daemon.h"
#include "common/daemon/publish.h"

/* One reading of the file, on its way to be in force. */
struct keyd_load {
	uint32_t count; /* SAs */
	bool absent; /* there is no file: no SAs, and no error */
	struct snapshot_bytes snapshot;
};

struct keyd_settings {
	char *config_file;
};

struct keyd {
	struct daemon_options options;
	struct keyd_settings settings;
	struct daemon *daemon;
	struct publisher *publisher;
	bool loaded; /* something was handed to the publisher */
	uint32_t count; /* of what was published last */
	bool absent;
	/* NULL: none. Places, never source text. */
	char *load_error, *publish_error;
};

extern const struct daemon_identity keyd_identity;

/* Settings are read; no bus yet. Return: 0 or negative errno, after it was reported. */
int keyd_new(const struct daemon_options *options, struct keyd **ret_keyd) MUST_CHECK;
struct keyd *keyd_free(struct keyd *d);
DEFINE_CLEANUP(struct keyd *, keyd_free)

/* Return: 0, -EBADMSG (@diags say where), other errno. */
int keyd_load(
	const struct keyd *d, struct conf_diags *diags, struct keyd_load **ret_load) MUST_CHECK;
struct keyd_load *keyd_load_free(struct keyd_load *load);
DEFINE_CLEANUP(struct keyd_load *, keyd_load_free)

/*
 * Hand the SAs to the datapath. @load is consumed. @call: kept, answered with the verdict; or NULL.
 */
int keyd_publish(struct keyd *d, struct keyd_load *load, struct bus_call *call) MUST_CHECK;
/* As in the interface's State and LastError. */
const char *keyd_state(const struct keyd *d);
const char *keyd_last_error(const struct keyd *d);
/* Note and tell why a load failed. */
void keyd_load_failed(struct keyd *d, const char *message);
/* Tell the properties' readers and the service manager. */
void keyd_show(struct keyd *d);

/* Open the bus, publish @load (consumed), serve until stopped. */
int keyd_run(struct keyd *d, struct keyd_load *load) MUST_CHECK;
int keyd_bus_add(struct keyd *d) MUST_CHECK;
/* Load and publish again; the SIGHUP hook. */
int keyd_reload(void *userdata);

#endif
