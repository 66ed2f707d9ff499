/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemon in the place of key management: says whether its configuration is there, counts the
 * datapath's requests for SAs, negotiates nothing.
 */
#ifndef IKE_STUB_IKED_H
#define IKE_STUB_IKED_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/cleanup.h"
#include "common/daemon/daemon.h"
#include "services/ike-stub/acquires.h"

#define IKED_ENGINE "none: negotiates nothing"

struct iked_settings {
	char *config_file;
};

struct iked {
	struct daemon_options options;
	struct iked_settings settings;
	struct daemon *daemon;
	sd_event_source *announce; /* armed while changes of the acquires wait to be told */
	uint64_t generation; /* loads of the file */
	bool present;
	int error; /* of the last load, negative errno */
	struct acquires acquires;
};

extern const struct daemon_identity iked_identity;

/* Settings are read; no bus yet. */
int iked_new(const struct daemon_options *options, struct iked **ret_iked) MUST_CHECK;
struct iked *iked_free(struct iked *d);
DEFINE_CLEANUP(struct iked *, iked_free)
/* Look at the file: 0 present or absent; negative errno when that cannot be told, kept in d->error. */
int iked_load(struct iked *d) MUST_CHECK;
/* Why the last load failed; "" when it did not. */
const char *iked_last_error(const struct iked *d);
/* The SIGHUP hook: load and tell. */
int iked_reload(void *userdata);
int iked_run(struct iked *d) MUST_CHECK;

/* Put the object on the bus and listen for the datapath. */
int iked_bus_add(struct iked *d) MUST_CHECK;
/* Tell the properties' readers what a load found. */
void iked_bus_changed(struct iked *d);

#endif
