/* SPDX-License-Identifier: GPL-2.0-or-later */
/* PF_KEY messages for people (tagged lines, ipseckey(8)) and for programs (JSON). */
#ifndef MANUAL_KEY_KEYS_PRINT_H
#define MANUAL_KEY_KEYS_PRINT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/text.h"
#include "common/model/algorithm.h"
#include "common/pfkey/pfkey.h"

struct json_object;

struct keys_print_style {
	const struct alg_table *algs;
	bool names; /* look hosts and protocols up */
	bool paranoid; /* XX for each byte of a key */
	bool raw_seconds;
	uint64_t now_sec; /* since 1970 */
};

/* A message as it went over the wire. @bytes: borrowed; NULL: they were not kept. */
struct keys_wire {
	const uint8_t *bytes;
	size_t len;
};

void keys_print_message(const struct pfkey_message *msg, const struct keys_wire *wire,
	const struct keys_print_style *style, struct text *text);
/* One association as an object; keys are in it unless the style is paranoid. NULL: no memory. */
struct json_object *keys_print_json(
	const struct pfkey_message *msg, const struct keys_print_style *style);
/* "ESP", "<unspecified/all>", "<unknown 9>". */
void keys_print_satype(uint8_t satype, struct text *text);

#endif
