/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The sending side of the keys door: one memfd handed over without blocking. */
#ifndef DAEMON_KEYS_SENDER_H
#define DAEMON_KEYS_SENDER_H

#include <stdint.h>
#include <systemd/sd-event.h>

#include "common/snapshot/snapshot.h"

struct keys_sender;

/* @result: 0 when it was taken, -EACCES when refused, -ECONNREFUSED or -ENOENT: nobody listens, ... */
typedef void (*keys_sender_fn)(int result, void *userdata);

/* on_sent is called from the loop, once, unless keys_sender_free() comes first. */
int keys_sender_new(sd_event *event, const struct snapshot_bytes *snap, uint64_t generation,
	keys_sender_fn on_sent, void *userdata, struct keys_sender **ret_sender) MUST_CHECK;
struct keys_sender *keys_sender_free(struct keys_sender *sender); /* also from within on_sent */
DEFINE_CLEANUP(struct keys_sender *, keys_sender_free)

#endif
