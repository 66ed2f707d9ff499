/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/bus/listing.h"

#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <string.h>

#include "common/base/clock.h"
#include "services/datapath/replay/replay.h"

static void drop_json(struct json_object **object)
{
	(void)json_object_put(*object); /* takes NULL */
}

/* Adds that run out of memory leave a value out; finish() then refuses the whole. */
static void add(struct json_object *object, const char *key, struct json_object *value)
{
	if (json_object_object_add(object, key, value) < 0)
		(void)json_object_put(value);
}

static void add_number(struct json_object *object, const char *key, uint64_t value)
{
	add(object, key, json_object_new_uint64(value));
}

static void add_string(struct json_object *object, const char *key, const char *value)
{
	add(object, key, json_object_new_string(value));
}

static int finish(struct json_object *object, struct text *ret_json)
{
	const char *str = json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN);

	if (!str)
		return -ENOMEM;
	text_addf(ret_json, "%s\n", str);
	return ret_json->failed ? -ENOMEM : 0;
}

/* {"version":1, KEY: [...]} */
static struct json_object *begin(const char *key, struct json_object **ret_list)
{
	struct json_object *object = json_object_new_object();

	*ret_list = json_object_new_array();
	if (!object || !*ret_list) {
		(void)json_object_put(object);
		(void)json_object_put(*ret_list);
		return NULL;
	}
	add_number(object, "version", 1);
	add(object, key, *ret_list);
	return object;
}

static void append(struct json_object *list, struct json_object *entry)
{
	if (json_object_array_add(list, entry) < 0)
		(void)json_object_put(entry);
}

/* ---- rules ---- */

struct kernel_hits {
	const struct spd *spd;
	uint64_t *packets, *bytes; /* one a rule */
};

static void add_kernel_hits(const struct steer_count *count, void *userdata)
{
	const struct kernel_hits *hits = userdata;

	for (size_t i = 0; i < hits->spd->count; i++) {
		if (hits->spd->rules[i]->id != count->rule_id)
			continue;
		hits->packets[i] += count->packets;
		hits->bytes[i] += count->bytes;
		return;
	}
}

static const char *direction_name(uint8_t directions)
{
	if (directions == DIRECTION_BIT_BOTH)
		return "both";
	return directions == DIRECTION_BIT_OUT ? "out" : "in";
}

static struct json_object *rule_entry(const struct rule *rule, const struct alg_table *table)
{
	struct json_object *entry = json_object_new_object();
	CLEANUP(text_done) struct text text = { 0 };
	char id[RULE_ID_TEXT_MAX];

	rule_print(rule, table, rule->directions, &text);
	while (text.len && text.str[text.len - 1] == ' ')
		text.str[--text.len] = '\0';
	add_number(entry, "index", rule->index);
	add_string(entry, "id", rule_id_format(rule->id, id));
	add_string(entry, "tunnel", rule->tunnel);
	add_string(entry, "direction", direction_name(rule->directions));
	add_number(entry, "line", rule->line);
	add_string(entry, "text", text.str ? text.str : "");
	return entry;
}

static int fill_rules(struct plant *plant, const struct alg_table *table, struct json_object *list)
{
	const struct engine_view *view = plant_view(plant);
	struct kernel_hits hits = { .spd = view->spd };
	CLEANUP(freep) uint64_t *packets = NULL, *bytes = NULL;
	size_t count = view->spd ? view->spd->count : 0;
	int r;

	if (count == 0)
		return 0;
	hits.packets = packets = calloc(count, sizeof(*packets));
	hits.bytes = bytes = calloc(count, sizeof(*bytes));
	if (!packets || !bytes)
		return -ENOMEM;
	r = steer_counters(plant->steer, add_kernel_hits, &hits);
	for (size_t i = 0; i < count && r == 0; i++) {
		struct json_object *entry = rule_entry(view->spd->rules[i], table);
		const struct rule_hits *engine = &view->hits[i];

		add_number(entry, "packets",
			packets[i] + atomic_load_explicit(&engine->packets, memory_order_relaxed));
		add_number(entry, "bytes",
			bytes[i] + atomic_load_explicit(&engine->bytes, memory_order_relaxed));
		append(list, entry);
	}
	return r;
}

int listing_rules(struct plant *plant, const struct alg_table *table, struct text *ret_json)
{
	struct json_object *list;
	CLEANUP(drop_json) struct json_object *out = begin("rules", &list);
	int r;

	if (!out)
		return -ENOMEM;
	add_number(out, "generation", plant_view(plant)->generation);
	r = fill_rules(plant, table, list);
	return r < 0 ? r : finish(out, ret_json);
}

/* ---- SAs ---- */

struct sa_dump {
	const struct alg_table *table;
	struct json_object *list;
	uint64_t now_usec;
};

static void add_address(struct json_object *entry, const char *key, const struct address *addr)
{
	char str[ADDRESS_TEXT_MAX];

	if (addr->family != AF_UNSPEC)
		add_string(entry, key, address_format(addr, str));
}

static void add_prefix(struct json_object *entry, const char *key, const struct prefix *prefix)
{
	char str[PREFIX_TEXT_MAX];

	if (prefix->addr.family != AF_UNSPEC)
		add_string(entry, key, prefix_format(prefix, str));
}

static void add_algorithm(struct json_object *entry, const char *key, const struct sa_dump *dump,
	uint8_t proto, uint8_t number)
{
	CLEANUP(text_done) struct text text = { 0 };

	if (number == 0)
		return;
	alg_print(dump->table, proto, number, &text);
	add_string(entry, key, text.str ? text.str : "");
}

/* Only what is not at its default: a listing of thousands is read by people too. */
static void add_nonzero(struct json_object *entry, const char *key, uint64_t value)
{
	if (value)
		add_number(entry, key, value);
}

static void add_selectors(struct json_object *entry, const struct sa *sa)
{
	add_nonzero(entry, "protocol", sa->protocol);
	add_nonzero(entry, "source_port", sa->src_port);
	add_nonzero(entry, "destination_port", sa->dst_port);
	add_prefix(entry, "inner_source", &sa->inner_src);
	add_prefix(entry, "inner_destination", &sa->inner_dst);
	add_nonzero(entry, "inner_protocol", sa->inner_protocol);
	add_nonzero(entry, "inner_source_port", sa->inner_src_port);
	add_nonzero(entry, "inner_destination_port", sa->inner_dst_port);
}

static void add_limits(struct json_object *entry, const char *key, const struct sa_limits *limits)
{
	struct json_object *object;

	if (!limits->bytes && !limits->add_sec && !limits->use_sec)
		return;
	object = json_object_new_object();
	add_nonzero(object, "bytes", limits->bytes);
	add_nonzero(object, "add_sec", limits->add_sec);
	add_nonzero(object, "use_sec", limits->use_sec);
	add(entry, key, object);
}

#define LOAD(field) atomic_load_explicit(&(field), memory_order_relaxed)

static void add_run(struct json_object *entry, const struct sad_entry *sad, uint64_t now_usec)
{
	const struct sa_run *run = sad->run;
	uint64_t last = LOAD(run->last_use_usec);

	add_number(entry, "packets", LOAD(run->packets));
	add_number(entry, "bytes", LOAD(run->bytes));
	add_number(entry, "errors", LOAD(run->errors));
	if (sad->directions & SA_OUTBOUND) {
		add_number(entry, "sequence", LOAD(run->seq));
		add_number(entry, "sequence_reserved", LOAD(run->seq_reserved));
	}
	if (sad->directions & SA_INBOUND) {
		add_number(entry, "replay_window", run->window);
		replay_lock(sad->run);
		add_number(entry, "replay_top", run->top);
		replay_unlock(sad->run);
	}
	add_number(entry, "added_usec", run->added_wall_usec);
	if (last)
		add_number(
			entry, "idle_sec", now_usec > last ? (now_usec - last) / USEC_PER_SEC : 0);
}

static const char *state_name(uint32_t state)
{
	static const char *const names[] = { [SA_LARVAL] = "larval",
		[SA_MATURE] = "mature",
		[SA_DYING] = "dying",
		[SA_DEAD] = "dead" };

	return state < ARRAY_SIZE(names) ? names[state] : "unknown";
}

static const char *way_name(uint8_t directions)
{
	if (directions == (SA_INBOUND | SA_OUTBOUND))
		return "both";
	return directions == SA_OUTBOUND ? "out" : "in";
}

static void add_sa(struct sad_entry *sad, void *userdata)
{
	const struct sa_dump *dump = userdata;
	const struct sa *sa = sad->sa;
	struct json_object *entry = json_object_new_object();
	char spi[16];

	if (text_fixed(spi, sizeof(spi), "0x%08" PRIx32, sa->spi) < 0)
		spi[0] = '\0';
	add_string(entry, "proto", sa->proto == SA_PROTO_ESP ? "esp" : "ah");
	add_string(entry, "spi", spi);
	add_address(entry, "source", &sa->src);
	add_address(entry, "destination", &sa->dst);
	add_string(entry, "mode", sa->mode == SA_MODE_TUNNEL ? "tunnel" : "transport");
	add_string(entry, "direction", way_name(sad->directions));
	add_string(entry, "state", state_name(LOAD(sad->run->state)));
	add_string(entry, "origin", sa->origin == SA_ORIGIN_KEYS ? "keys" : "pfkey");
	add_algorithm(entry, "encryption", dump, ALG_PROTO_ESP, sa->encr);
	add_algorithm(entry, "authentication", dump, ALG_PROTO_AH, sa->auth);
	add_string(entry, "provider", sad->provider ? sad->provider->name : suite_openssl.name);
	add_nonzero(entry, "encryption_bits", sa->encr_key_bits);
	add_nonzero(entry, "authentication_bits", sa->auth_key_bits);
	add_nonzero(entry, "reqid", sa->reqid);
	add_selectors(entry, sa);
	add_limits(entry, "soft", &sa->soft);
	add_limits(entry, "hard", &sa->hard);
	add_run(entry, sad, dump->now_usec);
	append(dump->list, entry);
}

int listing_sas(struct plant *plant, const struct alg_table *table, struct text *ret_json)
{
	struct sa_dump dump = { .table = table, .now_usec = clock_boot_usec() };
	CLEANUP(drop_json) struct json_object *out = begin("sas", &dump.list);

	if (!out)
		return -ENOMEM;
	sadb_dump(plant->sadb, 0, add_sa, &dump);
	return finish(out, ret_json);
}
