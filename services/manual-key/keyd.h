/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The daemon that owns the key file: its SAs, loaded and published as a whole. */
#ifndef MANUAL_KEY_KEYD_H
#define MANUAL_KEY_KEYD_H

#include <stdint.h>

#include "common/base/cleanup.h"
#include "common/daemon/service.h"

/* One reading of the file, on its way to be in force. */
struct keyd_load {
	uint32_t count; /* SAs */
	bool absent; /* there is no file: no SAs, and no error */
	char *complaint; /* commands that were passed over, in words; NULL: none */
	struct snapshot_bytes snapshot;
};

struct keyd_settings {
	char *config_file;
	bool strict; /* a file with an error changes nothing */
};

struct keyd {
	struct service service;
	struct keyd_settings settings;
	uint32_t count; /* of what was published last */
};

extern const struct daemon_identity keyd_identity;
extern const struct service_hooks keyd_hooks;

/* Settings are read; no bus yet. Return: 0 or negative errno, after it was reported. */
int keyd_new(const struct daemon_options *options, struct keyd **ret_keyd) MUST_CHECK;
struct keyd *keyd_free(struct keyd *d);
DEFINE_CLEANUP(struct keyd *, keyd_free)

/* Return: 0, -EBADMSG (@diags say where), other errno. */
int keyd_load(
	const struct keyd *d, struct conf_diags *diags, struct keyd_load **ret_load) MUST_CHECK;
struct keyd_load *keyd_load_free(struct keyd_load *load);
DEFINE_CLEANUP(struct keyd_load *, keyd_load_free)

int keyd_bus_add(void *userdata) MUST_CHECK;

#endif
