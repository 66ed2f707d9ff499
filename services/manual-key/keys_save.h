/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SAs as what else they can be written as: commands of ipseckeys(5), rows of Wireshark's table. */
#ifndef MANUAL_KEY_KEYS_SAVE_H
#define MANUAL_KEY_KEYS_SAVE_H

#include "common/base/hash.h"
#include "common/base/text.h"
#include "common/model/algorithm.h"
#include "common/pfkey/pfkey.h"

/* The addresses of this machine. */
struct keys_locals {
	size_t count;
	struct address *addresses; /* owned */
};
int keys_locals_read(struct keys_locals *ret_locals) MUST_CHECK;
void keys_locals_done(struct keys_locals *locals);
/* Where an SA stands whose command says nothing of it: SA_INBOUND, SA_OUTBOUND or both. */
uint8_t keys_implied_directions(const struct keys_locals *locals, const struct sa *sa);

/* Has this SA all keys that it needs? Who may not see keys gets it without. */
bool keys_are_told(const struct sa *sa);

/* What has been written of a file: of a pair, the second names the first. */
struct keys_saved {
	const struct alg_table *algs;
	const struct keys_locals *locals; /* NULL: a direction is written whenever there is one */
	struct hash_key hash_key;
	size_t count, size;
	uint64_t *names; /* owned: hashes, 0 is free */
	uint64_t send_from; /* of each command that is written, 0: it says nothing */
};
int keys_saved_init(struct keys_saved *saved, const struct alg_table *algs,
	const struct keys_locals *locals) MUST_CHECK;
void keys_saved_done(struct keys_saved *saved);

/*
 * Add the command that makes this SA again; what has no keys (larval, dead) is passed over. @text
 * holds keys afterwards: keys_text_wipe() it.
 * Return: 0, -EACCES (the keys were not told), -ENOMEM.
 */
int keys_save(
	struct keys_saved *saved, const struct pfkey_message *msg, struct text *text) MUST_CHECK;
extern const char keys_save_head[];

/* A row of esp_sa; for AH, and for ciphers that Wireshark does not know, a comment. Return as above. */
int keys_wireshark(const struct pfkey_message *msg, const struct alg_table *algs,
	struct text *text) MUST_CHECK;

/* "esp 0x1001 192.0.2.17 3f2a-91c0-77de": both ends see the same. Return as above. */
int keys_fingerprint(const struct pfkey_message *msg, struct text *text) MUST_CHECK;

void keys_text_wipe(struct text *text); /* and free it; for CLEANUP() */

#endif
