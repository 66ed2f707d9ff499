/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Listings in the making, over json-c: an addition without memory leaves its value out. */
#ifndef DATAPATH_LISTING_JSON_H
#define DATAPATH_LISTING_JSON_H

#include <json-c/json.h>
#include <stdint.h>

#include "common/base/text.h"

void json_dropp(struct json_object **object); /* for CLEANUP() */
/* {"version":1, KEY: [...]}; NULL without memory. *ret_list is the list in it. */
struct json_object *json_begin(const char *key, struct json_object **ret_list);
void json_add(struct json_object *object, const char *key, struct json_object *value);
void json_add_number(struct json_object *object, const char *key, uint64_t value);
void json_add_string(struct json_object *object, const char *key, const char *value);
void json_append(struct json_object *list, struct json_object *entry);
/* One line with the whole. Return: 0 or -ENOMEM. */
int json_finish(struct json_object *object, struct text *ret_json) MUST_CHECK;

#endif
