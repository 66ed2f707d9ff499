/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/policy/policy_sas.h"

#include <errno.h>
#include <json-c/json.h>
#include <string.h>

#include "common/conf/value.h"

struct policy_listed *policy_listed_free(struct policy_listed *sas)
{
	if (!sas)
		return NULL;
	for (size_t i = 0; i < sas->count; i++)
		(void)sa_free(sas->owned[i]);
	free(sas->owned);
	free(sas);
	return NULL;
}

/* "": there is none. */
static const char *string_of(struct json_object *row, const char *key)
{
	const char *word = json_object_get_string(json_object_object_get(row, key));

	return word ? word : "";
}

static uint16_t number_of(struct json_object *row, const char *key)
{
	int64_t value = json_object_get_int64(json_object_object_get(row, key));

	return value < 0 || value > UINT16_MAX ? 0 : (uint16_t)value;
}

/* What is not told is unspecified; what cannot be read is as if it were not told. */
static void address_of(struct json_object *row, const char *key, struct address *ret_addr)
{
	const char *word = string_of(row, key);

	if (*word == '\0' || address_parse(word, ret_addr) < 0)
		*ret_addr = (struct address){ .family = AF_UNSPEC };
}

static void prefix_of(struct json_object *row, const char *key, struct prefix *ret_prefix)
{
	const char *word = string_of(row, key), *slash = strchr(word, '/');
	char addr_text[ADDRESS_TEXT_MAX];
	struct address addr;
	uint64_t bits = 0;

	*ret_prefix = (struct prefix){ .addr.family = AF_UNSPEC };
	if (!slash ||
		text_fixed(addr_text, sizeof(addr_text), "%.*s", (int)(slash - word), word) < 0 ||
		address_parse(addr_text, &addr) < 0 ||
		value_number(slash + 1, strlen(slash + 1), 128, &bits) < 0 ||
		prefix_make(&addr, (unsigned int)bits, ret_prefix) < 0)
		*ret_prefix = (struct prefix){ .addr.family = AF_UNSPEC };
}

static uint8_t algorithm_of(
	struct json_object *row, const char *key, const struct alg_table *algs, uint8_t proto)
{
	const char *name = string_of(row, key);
	const struct algorithm *alg = *name ? alg_find_name(algs, proto, name, strlen(name)) : NULL;

	return alg ? alg->number : 0;
}

/* May packets leave by it, now or when it is complete? */
static bool sends(struct json_object *row)
{
	return strcmp(string_of(row, "direction"), "in") != 0 &&
	       strcmp(string_of(row, "state"), "dead") != 0;
}

static int add_sa(struct policy_listed *sas, struct json_object *row, const struct alg_table *algs)
{
	struct sa *sa = sa_new();

	if (!sa)
		return -ENOMEM;
	sa->proto = strcmp(string_of(row, "proto"), "ah") == 0 ? SA_PROTO_AH : SA_PROTO_ESP;
	sa->mode = strcmp(string_of(row, "mode"), "tunnel") == 0 ? SA_MODE_TUNNEL
								 : SA_MODE_TRANSPORT;
	address_of(row, "source", &sa->src);
	address_of(row, "destination", &sa->dst);
	prefix_of(row, "inner_source", &sa->inner_src);
	prefix_of(row, "inner_destination", &sa->inner_dst);
	sa->encr = algorithm_of(row, "encryption", algs, ALG_PROTO_ESP);
	sa->auth = algorithm_of(row, "authentication", algs, ALG_PROTO_AH);
	sa->encr_key_bits = number_of(row, "encryption_bits");
	sa->auth_key_bits = number_of(row, "authentication_bits");
	sa->protocol = (uint8_t)number_of(row, "protocol");
	sa->src_port = number_of(row, "source_port");
	sa->dst_port = number_of(row, "destination_port");
	sas->owned[sas->count++] = sa;
	return 0;
}

static int read_listing(
	struct json_object *listing, const struct alg_table *algs, struct policy_listed *sas)
{
	struct json_object *list = json_object_object_get(listing, "sas");
	size_t count;
	int r = 0;

	if (!json_object_is_type(list, json_type_array))
		return -EBADMSG;
	count = json_object_array_length(list);
	sas->owned = calloc(count ? count : 1, sizeof(struct sa *));
	if (!sas->owned)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < count; i++) {
		struct json_object *row = json_object_array_get_idx(list, i);

		/* Somebody made it by PF_KEY, who may make others when they are asked for. */
		if (strcmp(string_of(row, "origin"), "pfkey") == 0)
			sas->negotiates = true;
		if (sends(row))
			r = add_sa(sas, row, algs);
	}
	return r;
}

int policy_listed_read(
	const char *json, const struct alg_table *algs, struct policy_listed **ret_sas)
{
	CLEANUP(policy_listed_freep) struct policy_listed *sas = calloc(1, sizeof(*sas));
	struct json_object *listing = json_tokener_parse(json);
	int r = sas ? -EBADMSG : -ENOMEM;

	if (sas && listing)
		r = read_listing(listing, algs, sas);
	json_object_put(listing);
	if (r == 0)
		*ret_sas = STEAL(sas);
	return r;
}
