/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The daemon that owns the key file: its SAs, loaded and published as a whole. */
#ifndef MANUAL_KEY_KEYD_H
#define MANUAL_KEY_KEYD_H

#include <stdint.h>

#include "common/base/cleanup.h"
#include "common/daemon/service.h"
#include "services/manual-key/keys_times.h"

/* One reading of the file, on its way to be in force. */
struct keyd_load {
	uint32_t count; /* SAs */
	bool absent; /* there is no file: no SAs, and no error */
	char *complaint; /* commands that were passed over, in words; NULL: none */
	struct snapshot_bytes snapshot; /* of what is in force now */
	/* What the file says, when some of it has times; NULL: none has. */
	struct sa_list *list;
	struct keys_times *times;
	uint64_t next_sec; /* when another list will be in force, since 1970; 0: never */
	bool is_step; /* it is what the file in force said before, at another time */
	struct keyd *owner; /* counts it until it is freed; NULL: nobody does */
};

struct keyd_settings {
	char *config_file;
	bool strict; /* a file with an error changes nothing */
	bool flush_on_load; /* SAs of key management go when the file is loaded */
};

struct keyd {
	struct service service;
	struct keyd_settings settings;
	uint32_t count; /* of what was published last */
	/* The file in force, when some of it has times. */
	struct sa_list *list;
	struct keys_times *times;
	char *complaint; /* of that file, NULL: none */
	sd_event_source *on_step; /* NULL: nothing had a time yet */
	unsigned int in_flight; /* readings on their way to be in force */
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
/* The snapshot of what of @list is in force now. @times: NULL, or of each of them. */
int keyd_load_fill(struct keyd_load *load, const struct sa_list *list,
	const struct keys_times *times) MUST_CHECK;
struct keyd_load *keyd_load_free(struct keyd_load *load);
DEFINE_CLEANUP(struct keyd_load *, keyd_load_free)

/* @load is in force: take over what it says of times, and wake up when the next is due. */
void keyd_follow_times(struct keyd *d, struct keyd_load *load);

int keyd_bus_add(void *userdata) MUST_CHECK;

#endif
