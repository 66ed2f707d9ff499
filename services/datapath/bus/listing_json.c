/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/bus/listing_json.h"

#include <errno.h>

void json_dropp(struct json_object **object)
{
	(void)json_object_put(*object); /* takes NULL */
}

void json_add(struct json_object *object, const char *key, struct json_object *value)
{
	if (json_object_object_add(object, key, value) < 0)
		(void)json_object_put(value);
}

void json_add_number(struct json_object *object, const char *key, uint64_t value)
{
	json_add(object, key, json_object_new_uint64(value));
}

void json_add_string(struct json_object *object, const char *key, const char *value)
{
	json_add(object, key, json_object_new_string(value));
}

int json_finish(struct json_object *object, struct text *ret_json)
{
	const char *str = json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN);

	if (!str)
		return -ENOMEM;
	text_addf(ret_json, "%s\n", str);
	return ret_json->failed ? -ENOMEM : 0;
}

struct json_object *json_begin(const char *key, struct json_object **ret_list)
{
	struct json_object *object = json_object_new_object();

	*ret_list = json_object_new_array();
	if (!object || !*ret_list) {
		(void)json_object_put(object);
		(void)json_object_put(*ret_list);
		return NULL;
	}
	json_add_number(object, "version", 1);
	json_add(object, key, *ret_list);
	return object;
}

void json_append(struct json_object *list, struct json_object *entry)
{
	if (json_object_array_add(list, entry) < 0)
		(void)json_object_put(entry);
}
