/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A client of the datapath's PF_KEY door: one question at a time, answers matched by number. */
#ifndef MANUAL_KEY_PFKEY_CLIENT_H
#define MANUAL_KEY_PFKEY_CLIENT_H

#include "common/pfkey/pfkey.h"

#define PFKEY_DOOR_PATH "/run/netipsec/pfkey"

struct pfkey_client;

/* Return: 0, -ENOENT or -ECONNREFUSED (nobody is there), -EACCES, other errno. */
int pfkey_client_new(struct pfkey_client **ret_client) MUST_CHECK;
struct pfkey_client *pfkey_client_free(struct pfkey_client *client);
DEFINE_CLEANUP(struct pfkey_client *, pfkey_client_free)

/* Gives @msg its number and sends it. Return: 0 or negative errno. */
int pfkey_client_send(struct pfkey_client *client, struct pfkey_message *msg) MUST_CHECK;
/*
 * The next answer to what was sent last; what others asked is passed over.
 * Return: 0, -ETIMEDOUT after 10 s of silence, -ECONNRESET, -EBADMSG (not understood), -ENOMEM.
 */
int pfkey_client_receive(struct pfkey_client *client, struct pfkey_message **ret_msg) MUST_CHECK;
/* Before pfkey_client_hear(); @to_all: to what others ask, too. Return: 0, -EPERM, other errno. */
int pfkey_client_listen(struct pfkey_client *client, bool to_all) MUST_CHECK;
/*
 * Whatever comes next, waiting for it until @stop_fd can be read. *ret_msg is NULL for a message
 * that is not understood.
 * Return: 1, 0 (stopped), negative errno.
 */
int pfkey_client_hear(
	struct pfkey_client *client, int stop_fd, struct pfkey_message **ret_msg) MUST_CHECK;
/* The message that was sent or received last, until the next one is. May hold keys. */
const uint8_t *pfkey_client_bytes(const struct pfkey_client *client, size_t *ret_len);

#endif
