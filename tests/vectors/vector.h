/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the programs of this folder read from JSON: octets, numbers, an SA. */
#ifndef VECTORS_VECTOR_H
#define VECTORS_VECTOR_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/model/sa.h"

#define OCTETS_MAX 16384

struct octets {
	bool given;
	size_t len;
	uint8_t bytes[OCTETS_MAX];
};

const char *vector_text(struct json_object *object, const char *key); /* NULL: absent or null */
int64_t vector_number(struct json_object *object, const char *key, int64_t absent);
/* False: not hexadecimal, or too much. Absent is fine, and said so. */
bool octets_get(struct json_object *object, const char *key, struct octets *ret);

/* Is there a row of ours for its `encr` and `auth`? */
bool vector_has_suite(struct json_object *object);
/* `proto spi mode encr encr_key salt auth auth_key esn_hi natt`. */
bool vector_sa(struct json_object *object, struct sa *sa);

#endif
