/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/bus/listing.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "common/base/clock.h"
#include "services/datapath/bus/listing_json.h"
#include "services/datapath/replay/replay.h"

#define LISTING_MAX_ARRIVALS 64U /* SAs of a kind between two ends that are tried */
#define LISTING_MAX_WAYS     16U

/* ---- rules ---- */

/* What the kernel counted for one rule. */
struct kernel_hits {
	uint64_t id, packets, bytes;
	const struct rule *rule;
	size_t index; /* in match order, audit rules behind the others */
};

struct kernel_table {
	struct kernel_hits *rows; /* by id */
	size_t count;
};

static int compare_ids(const void *a, const void *b)
{
	const struct kernel_hits *x = a, *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

static int compare_places(const void *a, const void *b)
{
	const struct kernel_hits *x = a, *y = b;

	return (x->index > y->index) - (x->index < y->index);
}

static void add_kernel_hits(const struct steer_count *count, void *userdata)
{
	const struct kernel_table *table = userdata;
	const struct kernel_hits key = { .id = count->rule_id };
	struct kernel_hits *row = bsearch(
		&key, table->rows, table->count, sizeof(*table->rows), compare_ids);

	if (!row)
		return;
	row->packets += count->packets;
	row->bytes += count->bytes;
}

static const char *direction_name(uint8_t directions)
{
	if (directions == DIRECTION_BIT_BOTH)
		return "both";
	return directions == DIRECTION_BIT_OUT ? "out" : "in";
}

static struct json_object *rule_entry(
	const struct spd *spd, const struct rule *rule, const struct alg_table *table)
{
	struct json_object *entry = json_object_new_object();
	CLEANUP(text_done) struct text text = { 0 };
	char id[RULE_ID_TEXT_MAX];

	rule_print(rule, table, rule->directions, &text);
	while (text.len && text.str[text.len - 1] == ' ')
		text.str[--text.len] = '\0';
	json_add_number(entry, "index", rule->index);
	json_add_string(entry, "id", rule_id_format(rule->id, id));
	json_add_string(entry, "tunnel", rule->tunnel);
	json_add_string(entry, "direction", direction_name(rule->directions));
	json_add_number(entry, "line", rule->line);
	json_add_string(entry, "source", spd_source(spd, rule));
	if (rule->audit)
		json_add(entry, "audit", json_object_new_boolean(true));
	json_add_string(entry, "text", text.str ? text.str : "");
	return entry;
}

static void add_rule(struct json_object *list, const struct engine_view *view,
	const struct alg_table *table, const struct kernel_hits *kernel)
{
	struct json_object *entry = rule_entry(view->spd, kernel->rule, table);
	const struct rule_hits *engine = &view->hits[kernel->index];

	json_add_number(entry, "packets",
		kernel->packets + atomic_load_explicit(&engine->packets, memory_order_relaxed));
	json_add_number(entry, "bytes",
		kernel->bytes + atomic_load_explicit(&engine->bytes, memory_order_relaxed));
	json_append(list, entry);
}

static int fill_rules(struct plant *plant, const struct alg_table *table, struct json_object *list)
{
	const struct engine_view *view = plant_view(plant);
	const struct spd *spd = view->spd;
	CLEANUP(freep) struct kernel_hits *rows = NULL;
	struct kernel_table kernel = { .count = spd ? spd->count + spd->n_audit : 0 };
	int r;

	if (kernel.count == 0)
		return 0;
	kernel.rows = rows = calloc(kernel.count, sizeof(*rows));
	if (!rows)
		return -ENOMEM;
	for (size_t i = 0; i < kernel.count; i++) {
		const struct rule *rule = i < spd->count ? spd->rules[i]
							 : spd->audit[i - spd->count];

		rows[i] = (struct kernel_hits){ .id = rule->id, .rule = rule, .index = i };
	}
	qsort(rows, kernel.count, sizeof(*rows), compare_ids);
	r = steer_counters(plant->steer, add_kernel_hits, &kernel);
	if (r < 0)
		return r;
	qsort(rows, kernel.count, sizeof(*rows), compare_places);
	for (size_t i = 0; i < kernel.count; i++)
		add_rule(list, view, table, &rows[i]);
	return 0;
}

int listing_rules(struct plant *plant, const struct alg_table *table, struct text *ret_json)
{
	struct json_object *list;
	CLEANUP(json_dropp) struct json_object *out = json_begin("rules", &list);
	int r;

	if (!out)
		return -ENOMEM;
	json_add_number(out, "generation", plant_view(plant)->generation);
	r = fill_rules(plant, table, list);
	return r < 0 ? r : json_finish(out, ret_json);
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
		json_add_string(entry, key, address_format(addr, str));
}

static void add_prefix(struct json_object *entry, const char *key, const struct prefix *prefix)
{
	char str[PREFIX_TEXT_MAX];

	if (prefix->addr.family != AF_UNSPEC)
		json_add_string(entry, key, prefix_format(prefix, str));
}

static void add_algorithm(struct json_object *entry, const char *key, const struct sa_dump *dump,
	uint8_t proto, uint8_t number)
{
	CLEANUP(text_done) struct text text = { 0 };

	if (number == 0)
		return;
	alg_print(dump->table, proto, number, &text);
	json_add_string(entry, key, text.str ? text.str : "");
}

/* Only what is not at its default: a listing of thousands is read by people too. */
static void add_nonzero(struct json_object *entry, const char *key, uint64_t value)
{
	if (value)
		json_add_number(entry, key, value);
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
	json_add(entry, key, object);
}

#define LOAD(field) atomic_load_explicit(&(field), memory_order_relaxed)

/* What ipsecstat(8) makes a forecast of: first use by the clock on the wall, and what was used of late. */
static void add_pace(struct json_object *entry, const struct sad_entry *sad, uint64_t now_usec)
{
	struct forecast_facts facts = sadb_forecast_facts(sad, now_usec);
	struct json_object *pace;

	if (facts.used_usec && facts.used_usec <= now_usec)
		json_add_number(
			entry, "used_usec", clock_wall_usec() - (now_usec - facts.used_usec));
	if (!facts.pace_seq && !facts.pace_bytes)
		return;
	pace = json_object_new_object();
	json_add_number(pace, "usec", facts.pace_usec);
	add_nonzero(pace, "sequence", facts.pace_seq);
	add_nonzero(pace, "bytes", facts.pace_bytes);
	json_add(entry, "pace", pace);
}

static void add_run(struct json_object *entry, const struct sad_entry *sad, uint64_t now_usec)
{
	const struct sa_run *run = sad->run;
	uint64_t last = LOAD(run->last_use_usec);

	json_add_number(entry, "packets", LOAD(run->packets));
	json_add_number(entry, "bytes", LOAD(run->bytes));
	json_add_number(entry, "errors", LOAD(run->errors));
	if (sad->directions & SA_OUTBOUND) {
		json_add_number(entry, "sequence", LOAD(run->seq));
		json_add_number(entry, "sequence_reserved", LOAD(run->seq_reserved));
	}
	if (sad->directions & SA_OUTBOUND)
		json_add_number(
			entry, "sequence_limit", sadb_forecast_facts(sad, now_usec).seq_limit);
	if (sad->directions & SA_INBOUND) {
		json_add_number(entry, "replay_window", run->window);
		replay_lock(sad->run);
		json_add_number(entry, "replay_top", run->top);
		replay_unlock(sad->run);
	}
	json_add_number(entry, "added_usec", run->added_wall_usec);
	add_pace(entry, sad, now_usec);
	if (last)
		json_add_number(
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
	json_add_string(entry, "proto", sa->proto == SA_PROTO_ESP ? "esp" : "ah");
	json_add_string(entry, "spi", spi);
	add_address(entry, "source", &sa->src);
	add_address(entry, "destination", &sa->dst);
	json_add_string(entry, "mode", sa->mode == SA_MODE_TUNNEL ? "tunnel" : "transport");
	json_add_string(entry, "direction", way_name(sad->directions));
	json_add_string(entry, "state", state_name(LOAD(sad->run->state)));
	json_add_string(entry, "origin", sa->origin == SA_ORIGIN_KEYS ? "keys" : "pfkey");
	add_algorithm(entry, "encryption", dump, ALG_PROTO_ESP, sa->encr);
	add_algorithm(entry, "authentication", dump, ALG_PROTO_AH, sa->auth);
	json_add_string(
		entry, "provider", sad->provider ? sad->provider->name : suite_openssl.name);
	add_nonzero(entry, "encryption_bits", sa->encr_key_bits);
	add_nonzero(entry, "authentication_bits", sa->auth_key_bits);
	add_nonzero(entry, "reqid", sa->reqid);
	add_selectors(entry, sa);
	add_limits(entry, "soft", &sa->soft);
	add_limits(entry, "hard", &sa->hard);
	add_run(entry, sad, dump->now_usec);
	json_append(dump->list, entry);
}

int listing_sas(struct plant *plant, const struct alg_table *table, struct text *ret_json)
{
	struct sa_dump dump = { .table = table, .now_usec = clock_boot_usec() };
	CLEANUP(json_dropp) struct json_object *out = json_begin("sas", &dump.list);

	if (!out)
		return -ENOMEM;
	sadb_dump(plant->sadb, 0, add_sa, &dump);
	return json_finish(out, ret_json);
}

/* ---- SAs of one packet ---- */

static int list_outbound(struct plant *plant, struct sa_dump *dump, const struct spd_query *query,
	const struct rule *rule, struct json_object *out)
{
	struct engine_choice choice;
	char id[RULE_ID_TEXT_MAX];

	if (engine_choose_by(plant_view(plant), query, rule, &choice) < 0)
		return 0;
	json_add_string(out, "rule", rule_id_format(choice.rule->id, id));
	json_add_number(out, "alternative", choice.alternative);
	if (choice.esp)
		add_sa(choice.esp, dump);
	if (choice.ah)
		add_sa(choice.ah, dump);
	if (choice.alternative == 0) {
		json_add_string(out, "missing", choice.missing == SA_PROTO_ESP ? "esp" : "ah");
		add_address(out, "source", &choice.src);
		add_address(out, "destination", &choice.dst);
	}
	return 0;
}

/* Inbound SAs of the packet's ends, and the pairs of them that it would be taken with. */
struct arrivals {
	const struct engine_view *view;
	const struct spd_query *query;
	struct sad_entry *esp[LISTING_MAX_ARRIVALS + 1], *ah[LISTING_MAX_ARRIVALS + 1];
	size_t n_esp, n_ah; /* one of each is none: the NULL at the end */
};

static void collect_arrival(struct sad_entry *entry, void *userdata)
{
	struct arrivals *a = userdata;
	bool is_esp = entry->sa->proto == SA_PROTO_ESP;
	size_t *n = is_esp ? &a->n_esp : &a->n_ah;

	if (*n == LISTING_MAX_ARRIVALS || !engine_could_bring(a->view, a->query, entry))
		return;
	(is_esp ? a->esp : a->ah)[(*n)++] = entry;
}

static int newest_first(const void *x, const void *y)
{
	const struct sad_entry *const *a = x, *const *b = y;

	return ((*a)->serial < (*b)->serial) - ((*a)->serial > (*b)->serial);
}

/* One way that the packet could have come: {"alternative":1,"sas":[...]}. */
static void add_way(struct json_object *ways, const struct sa_dump *dump,
	const struct engine_arrival *arrival, size_t alternative)
{
	struct sa_dump own = { .table = dump->table, .now_usec = dump->now_usec };
	struct json_object *way = json_object_new_object();

	own.list = json_object_new_array();
	json_add_number(way, "alternative", alternative);
	json_add(way, "sas", own.list);
	if (arrival->esp)
		add_sa(arrival->esp, &own);
	if (arrival->ah)
		add_sa(arrival->ah, &own);
	json_append(ways, way);
}

static void list_ways(const struct arrivals *a, const struct rule *rule, const struct sa_dump *dump,
	struct json_object *ways)
{
	for (size_t e = 0; e <= a->n_esp; e++) {
		for (size_t h = 0; h <= a->n_ah; h++) {
			struct engine_arrival arrival = { a->query, rule, a->esp[e], a->ah[h] };
			size_t alternative = 0;

			if (!arrival.esp && !arrival.ah)
				continue;
			if (engine_would_take(a->view, &arrival, &alternative) ==
					VERDICT_IN_ACCEPTED &&
				json_object_array_length(ways) < LISTING_MAX_WAYS)
				add_way(ways, dump, &arrival, alternative);
		}
	}
}

static int list_inbound(struct plant *plant, struct sa_dump *dump, const struct spd_query *query,
	const struct rule *rule, struct json_object *out)
{
	struct arrivals *a = calloc(1, sizeof(*a));
	struct json_object *ways = json_object_new_array();
	char id[RULE_ID_TEXT_MAX];

	json_add(out, "ways", ways);
	if (!a)
		return -ENOMEM;
	a->view = plant_view(plant);
	a->query = query;
	sadb_dump(plant->sadb, 0, collect_arrival, a);
	qsort(a->esp, a->n_esp, sizeof(struct sad_entry *), newest_first);
	qsort(a->ah, a->n_ah, sizeof(struct sad_entry *), newest_first);
	json_add_string(out, "rule", rule_id_format(rule->id, id));
	list_ways(a, rule, dump, ways);
	free(a);
	return 0;
}

int listing_choice(struct plant *plant, const struct alg_table *table,
	const struct spd_query *query, const struct rule *rule, struct text *ret_json)
{
	struct sa_dump dump = { .table = table, .now_usec = clock_boot_usec() };
	CLEANUP(json_dropp) struct json_object *out = json_begin("sas", &dump.list);
	int r = out ? 0 : -ENOMEM;

	if (r == 0 && rule && query->flow.direction == DIRECTION_IN)
		r = list_inbound(plant, &dump, query, rule, out);
	else if (r == 0)
		r = list_outbound(plant, &dump, query, rule, out);
	return r < 0 ? r : json_finish(out, ret_json);
}
