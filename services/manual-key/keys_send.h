/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Commands of ipseckeys(5) carried out through PF_KEY. */
#ifndef MANUAL_KEY_KEYS_SEND_H
#define MANUAL_KEY_KEYS_SEND_H

#include "services/manual-key/keys_parse.h"
#include "services/manual-key/keys_print.h"
#include "services/manual-key/pfkey_client.h"

struct keys_sender_style {
	struct keys_print_style print;
	bool verbose; /* show each message as it is sent */
	bool json;
	struct text *output; /* what get and dump found */
	/* Instead of printing: called for each SA that is found. Return: 0 or negative errno. */
	int (*show)(void *userdata, const struct pfkey_message *msg);
	void *show_userdata;
};

/*
 * Carry one command out: one message for each SA of it. What the datapath refuses is an error at
 * the command's place.
 * Return: 0, -EBADMSG (reported in @diags), or negative errno when the door is gone or silent.
 */
int keys_send(struct pfkey_client *client, const struct keys_command *command,
	const struct keys_sender_style *style, struct conf_diags *diags) MUST_CHECK;

#endif
