/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/ike-stub/acquires.h"

#include <errno.h>
#include <json-c/json.h>

static void drop_json(struct json_object **object)
{
	(void)json_object_put(*object); /* takes NULL */
}

void acquires_done(struct acquires *acquires)
{
	for (size_t i = 0; i < ACQUIRES_KEPT; i++)
		drop_json(&acquires->last[i].request);
	*acquires = (struct acquires){ 0 };
}

/* A basic value that a request may carry; *ret stays NULL for other types, which are passed over. */
static int read_basic(struct bus_reader *rd, const char *type, struct json_object **ret)
{
	const char *str;
	uint64_t number = 0;
	uint32_t word = 0;
	int truth = 0, r;

	switch (type[0]) {
	case 's':
		r = bus_read(rd, "s", &str);
		if (r == 0)
			*ret = json_object_new_string(str);
		break;
	case 't':
		r = bus_read(rd, "t", &number);
		if (r == 0)
			*ret = json_object_new_uint64(number);
		break;
	case 'u':
		r = bus_read(rd, "u", &word);
		if (r == 0)
			*ret = json_object_new_int64(word);
		break;
	case 'b':
		r = bus_read(rd, "b", &truth);
		if (r == 0)
			*ret = json_object_new_boolean(truth);
		break;
	default:
		return bus_skip(rd);
	}
	if (r == 0 && !*ret)
		r = -ENOMEM;
	return r;
}

static int read_entry(struct bus_reader *rd, struct json_object *request)
{
	CLEANUP(drop_json) struct json_object *value = NULL;
	const char *key, *contents;
	char type;
	int r;

	r = bus_enter(rd, 'e', "sv");
	if (r == 0)
		r = bus_read(rd, "s", &key);
	if (r == 0)
		r = bus_peek(rd, &type, &contents);
	if (r == 0)
		r = type == 'v' ? bus_enter(rd, 'v', contents) : -EBADMSG;
	if (r == 0)
		r = read_basic(rd, contents, &value);
	if (r == 0)
		r = bus_leave(rd);
	if (r == 0)
		r = bus_leave(rd);
	if (r == 0 && value && json_object_object_add(request, key, STEAL(value)) < 0)
		r = -ENOMEM;
	return r;
}

int acquires_add(struct acquires *acquires, struct bus_reader *args, uint64_t now_usec)
{
	CLEANUP(drop_json) struct json_object *request = json_object_new_object();
	struct acquire *slot;
	int r;

	if (!request)
		return -ENOMEM;
	r = bus_enter(args, 'a', "{sv}");
	while (r == 0 && !bus_at_end(args))
		r = read_entry(args, request);
	if (r < 0)
		return r;
	acquires->count++;
	slot = &acquires->last[acquires->count % ACQUIRES_KEPT];
	drop_json(&slot->request);
	*slot = (struct acquire){
		.number = acquires->count,
		.at_usec = now_usec,
		.request = STEAL(request),
	};
	return 0;
}

size_t acquires_kept(const struct acquires *acquires)
{
	return acquires->count < ACQUIRES_KEPT ? (size_t)acquires->count : ACQUIRES_KEPT;
}

const struct acquire *acquires_get(const struct acquires *acquires, size_t i)
{
	uint64_t number = acquires->count - acquires_kept(acquires) + 1 + i;

	return &acquires->last[number % ACQUIRES_KEPT];
}

static const char *member(const struct acquire *acquire, const char *key)
{
	struct json_object *value;

	if (!json_object_object_get_ex(acquire->request, key, &value) ||
		!json_object_is_type(value, json_type_string))
		return "unknown";
	return json_object_get_string(value);
}

void acquire_print(const struct acquire *acquire, struct text *text)
{
	text_addf(text, "%llu: %s, rule %s", (unsigned long long)acquire->number,
		member(acquire, "protocol"), member(acquire, "rule"));
}

int acquires_json(const struct acquires *acquires, struct text *text)
{
	CLEANUP(drop_json) struct json_object *out = json_object_new_object();
	struct json_object *list = json_object_new_array();
	const char *str;

	if (!out || !list || json_object_object_add(out, "version", json_object_new_int(1)) < 0 ||
		json_object_object_add(out, "acquires", list) < 0) {
		drop_json(&list);
		return -ENOMEM;
	}
	for (size_t i = 0; i < acquires_kept(acquires); i++) {
		const struct acquire *acquire = acquires_get(acquires, i);
		struct json_object *entry = json_object_new_object();

		if (!entry || json_object_array_add(list, entry) < 0) {
			drop_json(&entry);
			return -ENOMEM;
		}
		(void)json_object_object_add(
			entry, "number", json_object_new_uint64(acquire->number));
		(void)json_object_object_add(
			entry, "monotonic_usec", json_object_new_uint64(acquire->at_usec));
		(void)json_object_object_add(entry, "request", json_object_get(acquire->request));
	}
	str = json_object_to_json_string_ext(out, JSON_C_TO_STRING_PLAIN);
	if (str)
		text_addf(text, "%s\n", str);
	return str && !text->failed ? 0 : -ENOMEM;
}
