/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Outbound: head, rule, the first alternative that an SA serves, room on the path, ESP. */
#include <assert.h>
#include <netinet/in.h>

#include "services/datapath/ah/ah.h"
#include "services/datapath/engine/engine_internal.h"
#include "services/datapath/packet/packet_about.h"

#define IPV4_MIN_MTU 68U
#define IPV6_MIN_MTU 1280U

/* One packet while it is decided where it goes. */
struct outbound {
	struct engine *engine;
	struct packet *pkt;
	struct packet_view
		*view; /* of pkt as it stands, so of the outer header once there is one */
	const struct tunnel *tunnel; /* NULL: host */
	struct engine_result *result;
	struct sad_entry **entry;
	size_t limit; /* octets of it that fit the path, 0: any */
};

static void settle(struct outbound *out, enum engine_exit exit, enum verdict verdict)
{
	out->result->exit = exit;
	out->result->verdict = verdict;
}

static void drop(struct outbound *out, enum verdict verdict)
{
	settle(out, ENGINE_DROP, verdict);
}

size_t engine_path_mtu(const struct engine *engine, const struct address *dst)
{
	const struct engine_setup *setup = &engine->setup;
	uint32_t mtu = setup->mtu_of ? setup->mtu_of(dst, setup->userdata) : 0;

	return mtu != 0 ? mtu : setup->path_mtu;
}

/*
 * Is the packet longer than the @limit octets of it that fit the path once everything is around it?
 * True: it was answered or dropped. Where its sender allows, the outer packet is to be fragmented.
 */
static bool refuse_length(struct outbound *out, size_t limit)
{
	const struct packet_view *view = out->view;
	size_t floor = view->family == AF_INET6 ? IPV6_MIN_MTU : IPV4_MIN_MTU;
	bool fixed = view->dont_fragment;

	if (out->pkt->len <= limit)
		return false;
	/* The outer packet of host policy is our own, so it may be fragmented over IPv6 as well;
	 * TCP does better with smaller segments. */
	if (view->family == AF_INET6 && !out->tunnel)
		fixed = view->protocol == IPPROTO_TCP;
	if (view->family == AF_INET && out->tunnel && out->tunnel->outer.df == PACKET_DF_CLEAR)
		fixed = false; /* fragments of the outer packet are wanted */
	if (address_is_multicast(&view->dst))
		fixed = false; /* nobody may be told (RFC 1122 section 3.2.2) */
	if (!fixed || out->pkt->len <= floor) {
		out->result->fragment = true;
		return false;
	}
	if (engine_too_big(out->pkt, view, limit > floor ? limit : floor))
		settle(out, ENGINE_TO_SENDER, VERDICT_ESP_TOO_BIG);
	else
		drop(out, VERDICT_ESP_TOO_BIG);
	return true;
}

bool engine_encapsulate(struct engine *engine, const struct tunnel *tunnel, struct packet *pkt)
{
	struct packet_outer outer;
	struct packet_view view;

	if (!packet_parse(pkt, &view))
		return false;
	packet_outer_of(pkt, &view, &tunnel->src, &tunnel->dst, &outer);
	packet_outer_rule(&outer, &tunnel->outer, pkt);
	outer.id = engine->ip_id++;
	if (!packet_push(pkt, packet_outer_len(outer.dst)) || pkt->len > PACKET_MAX_LEN)
		return false;
	packet_write_outer(pkt->data, &outer);
	packet_set_length(pkt);
	return true;
}

static bool encapsulate(struct outbound *out)
{
	return engine_encapsulate(out->engine, out->tunnel, out->pkt) &&
	       packet_parse(out->pkt, out->view);
}

static void send_encapsulated(struct outbound *out)
{
	size_t path = engine_path_mtu(out->engine, &out->tunnel->dst),
	       header = packet_outer_len(&out->tunnel->dst);

	if (path > header && refuse_length(out, path - header))
		return;
	/* Where the outer packet must stay whole, the inner one is cut. */
	if (out->result->fragment && out->tunnel->outer.df == PACKET_DF_SET &&
		engine_cut(out->result, out->pkt, out->view, path - header))
		out->result->fragment = false;
	if (encapsulate(out))
		settle(out, ENGINE_TO_WIRE, VERDICT_OUT_ENCAPSULATED);
	else
		drop(out, VERDICT_ESP_NOMEM);
}

/* The SAs of the flow's last packet, if they still serve; else what the SAD has. */
static bool find_sas(const struct outbound *out, struct sad_query *query,
	struct engine_match *match, struct engine_pair *ret_pair)
{
	const struct sad *sad = out->engine->view->sad;
	uint64_t generation = sad ? sad_generation(sad) : 0;

	query->generation = generation;
	if (match->latched == 0 && engine_recall(out->engine, match, ret_pair))
		return true;
	if (!engine_pick(sad, out->tunnel, query, match, ret_pair))
		return false;
	if (match->latched == 0)
		engine_remember(match, generation, ret_pair);
	return true;
}

/* Where somebody brings SAs, and the packet is whole. */
static bool wait_for_sa(const struct outbound *out, const struct sadb_acquire *request)
{
	const struct engine_setup *setup = &out->engine->setup;
	const struct engine_waiting waiting = { .tunnel = out->result->tunnel };

	return setup->hold && out->engine->view->sad && sad_is_managed(out->engine->view->sad) &&
	       !out->result->more && setup->hold(request, out->pkt, waiting, setup->userdata);
}

/* What the receiver would not take out of an SA of that kind. */
static bool spoils_self_encapsulation(const struct outbound *out, const struct engine_pair *pair)
{
	const struct sad_entry *entry = pair->esp ? pair->esp : pair->ah;

	return !out->tunnel && entry->sa->mode == SA_MODE_TUNNEL && !packet_is_plain(out->view);
}

static void acquire(struct outbound *out, const struct sad_query *query, const struct rule *rule)
{
	struct sadb_acquire request = {
		.proto = query->proto,
		.mode = query->mode,
		.src = query->src,
		.dst = query->dst,
		.flow = *query->flow,
		.rule_id = rule->id,
		.rule = rule,
		.generation = query->generation,
	};

	if (!query->action) {
		drop(out, VERDICT_IP_IPSEC_NOT_LOADED);
		return;
	}
	request.behind_esp = query->proto == SA_PROTO_AH &&
			     (query->action->has_esp || query->action->has_esp_auth);
	if (wait_for_sa(out, &request)) {
		settle(out, ENGINE_HELD, VERDICT_OUT_WAITING);
		return;
	}
	if (out->engine->setup.on_acquire)
		out->engine->setup.on_acquire(&request, out->engine->setup.userdata);
	drop(out, VERDICT_SADB_ACQUIRE);
}

/* The same for what the SAs make of the packet. */
static bool refuse_sealed_length(struct outbound *out, const struct engine_pair *pair)
{
	const struct sad_entry *entry = pair->esp ? pair->esp : pair->ah;
	bool wrapped = out->tunnel && entry->sa->mode == SA_MODE_TRANSPORT;
	size_t header = wrapped ? packet_outer_len(&out->tunnel->dst) : 0;
	size_t keep = entry->sa->mode == SA_MODE_TUNNEL ? 0 : wrapped ? header : out->view->esp_at;
	size_t limit = engine_path_mtu(out->engine, &entry->sa->dst);

	if (limit == 0)
		return false;
	if (pair->ah)
		limit = ah_clear_mtu(pair->ah->sa, &pair->ah->suite, limit, pair->esp != NULL);
	if (pair->esp)
		limit = esp_clear_mtu(entry->sa, &entry->suite, limit, keep);
	out->limit = limit > header ? limit - header : 0;
	return refuse_length(out, out->limit);
}

static bool is_unique(const struct sad_entry *entry)
{
	return entry && (entry->sa->flags & SA_FLAG_UNIQUE) != 0;
}

/* Its rule is counted by the engine that takes it. */
static bool hand_over(struct outbound *out, const struct engine_pair *pair)
{
	unsigned int protocols = (pair->esp ? ENGINE_SYNC_ESP : 0) |
				 (pair->ah ? ENGINE_SYNC_AH : 0);

	if ((protocols & out->engine->sync) == 0)
		return false;
	settle(out, ENGINE_TO_CONTROL, VERDICT_EXEC_SYNC);
	return true;
}

static void protect(struct outbound *out, struct engine_match *match, const struct flow *flow)
{
	const struct rule *rule = match->rule;
	UNINITIALISED struct flow outer;
	UNINITIALISED struct sad_query query;
	struct engine_pair pair;
	enum sa_mode mode;

	engine_ask(out->tunnel, rule, flow, &outer, &query);
	mode = query.mode;
	if (!find_sas(out, &query, match, &pair)) {
		engine_hit(out->engine, match, out->pkt->len);
		acquire(out, &query, rule);
		return;
	}
	if (hand_over(out, &pair))
		return;
	engine_hit(out->engine, match, out->pkt->len);
	if (spoils_self_encapsulation(out, &pair)) {
		drop(out, VERDICT_ESP_BAD_INNER);
		return;
	}
	if (refuse_sealed_length(out, &pair))
		return;
	/* RFC 4301 section 7: fragments without ports must not go where ports are agreed on. */
	if (out->result->fragment && mode == SA_MODE_TUNNEL && !is_unique(pair.esp) &&
		!is_unique(pair.ah) &&
		!engine_names_ports(out->engine->view, out->result->tunnel) &&
		engine_cut(out->result, out->pkt, out->view, out->limit))
		out->result->fragment = false;
	if (out->tunnel && mode == SA_MODE_TRANSPORT && !encapsulate(out)) {
		drop(out, VERDICT_ESP_NOMEM);
		return;
	}
	*out->entry = pair.esp;
	out->result->ah = pair.ah;
	settle(out, ENGINE_TO_WIRE, VERDICT_OUT_PROTECTED); /* if the transforms say so too */
}

static void follow_rule(struct outbound *out, struct engine_match *match, const struct flow *flow)
{
	out->result->rule_id = match->rule->id;
	if (!rule_is_discard(match->rule) && !rule_is_bypass(match->rule)) {
		protect(out, match, flow);
		return;
	}
	engine_hit(out->engine, match, out->pkt->len);
	if (rule_is_discard(match->rule))
		drop(out, VERDICT_SPD_EXPLICIT);
	else if (out->tunnel)
		send_encapsulated(out);
	else
		settle(out, ENGINE_TO_WIRE_CLEAR, VERDICT_OUT_BYPASSED);
}

/* A tunnel without policy of its own: host policy sees the outer packet, as it sees any other. */
static void decide_outer(struct outbound *out)
{
	struct flow outer = {
		.direction = DIRECTION_OUT,
		.local = out->tunnel->src,
		.remote = out->tunnel->dst,
		.protocol = out->view->family == AF_INET ? IPPROTO_IPIP : IPPROTO_IPV6,
	};
	struct engine_match match;

	engine_classify(out->engine, ENGINE_HOST, &outer, &match);
	if (match.rule)
		follow_rule(out, &match, &outer);
	else
		send_encapsulated(out);
}

/*
 * An error goes as the packet came that it is about. What we only forward came in clear as far as
 * host policy is concerned.
 */
static void decide_host(struct outbound *out)
{
	const struct engine_view *view = out->engine->view;
	struct engine_match match;
	struct flow flow;
	enum packet_subject subject = packet_subject(out->pkt, out->view, DIRECTION_OUT, &flow);
	bool was_forwarded = subject == PACKET_ANOTHER &&
			     spd_about_forwarded(&flow, &out->view->src);

	if (!was_forwarded) {
		engine_classify(out->engine, ENGINE_HOST, &flow, &match);
		if (match.rule) {
			follow_rule(out, &match, &flow);
			return;
		}
	}
	if (subject != PACKET_ITSELF || atomic_load_explicit(&view->settling, memory_order_relaxed))
		settle(out, ENGINE_TO_WIRE_CLEAR, VERDICT_OUT_BYPASSED);
	else
		drop(out, VERDICT_SPD_NO_POLICY);
}

static void decide(struct outbound *out)
{
	const struct engine_view *view = out->engine->view;
	struct engine_match match;
	struct flow flow;
	size_t len;

	if (!packet_parse(out->pkt, out->view) || !packet_finish_checksum(out->pkt)) {
		drop(out, VERDICT_SPD_MALFORMED_PACKET);
		return;
	}
	if (out->tunnel && out->view->is_fragment &&
		engine_names_ports(view, out->result->tunnel)) {
		struct engine_held held = { .direction = DIRECTION_OUT,
			.tunnel = (size_t)out->result->tunnel };

		if (!engine_hold(out->engine, &held, out->pkt, out->view, out->result))
			return;
	}
	if (!out->tunnel) {
		decide_host(out);
		return;
	}
	packet_flow(out->pkt, out->view, DIRECTION_OUT, &flow);
	engine_classify(out->engine, out->result->tunnel, &flow, &match);
	if (match.rule) {
		follow_rule(out, &match, &flow);
		return;
	}
	len = out->pkt->len;
	if (!match.has_rules)
		decide_outer(out);
	else
		drop(out, VERDICT_SPD_EXPLICIT);
	if (out->result->exit != ENGINE_TO_CONTROL) /* which decides once more */
		engine_audit(out->engine, out->result->tunnel, &flow, false, len);
}

/* What an inner packet may have so that everything around it still fits the path. */
static size_t room_inside(const struct engine *engine, const struct engine_result *how)
{
	const struct sad_entry *entry = how->entry, *ah = how->ah;
	size_t path = engine_path_mtu(engine, &entry->sa->dst);

	if (path == 0)
		return SIZE_MAX;
	if (ah)
		path = ah_clear_mtu(ah->sa, &ah->suite, path, true);
	return esp_clear_mtu(entry->sa, &entry->suite, path, 0);
}

static void prepare_tunnel(
	const struct engine *engine, const struct engine_result *how, struct esp_sa *esp)
{
	const struct tunnel *tunnel = &engine->view->tunnels->tunnels[how->tunnel];
	size_t limit = room_inside(engine, how);

	if (address_is_unspecified(&esp->sa->src))
		esp->outer_src = &tunnel->src;
	esp->outer_rules = &tunnel->outer;
	esp->pad_to = esp->sa->tfc_pad != 0 ? esp->sa->tfc_pad : tunnel->pad_to;
	if (esp->pad_to > limit)
		esp->pad_to = limit;
}

void engine_seal(struct engine *engine, const struct engine_result *how, struct packet *const *pkts,
	size_t n, enum verdict *ret_verdicts)
{
	struct sad_entry *entry = how->entry;
	uint32_t events = atomic_load_explicit(&entry->run->events, memory_order_relaxed);
	struct esp_sa esp;

	if (engine_prepare(engine, entry, &esp)) {
		if (how->tunnel >= 0)
			prepare_tunnel(engine, how, &esp);
		esp_seal_batch(&esp, pkts, n, ret_verdicts);
	} else {
		for (size_t i = 0; i < n; i++)
			ret_verdicts[i] = VERDICT_IP_IPSEC_NOT_LOADED;
	}
	engine_tell_events(engine, entry, events);
}

/* AH is around ESP, one packet at a time. */
static void seal_ah(struct engine *engine, struct packet *pkt, struct engine_result *result)
{
	if (result->exit != ENGINE_TO_WIRE || !result->ah)
		return;
	result->verdict = engine_seal_ah(engine, result, pkt);
	if (result->verdict != VERDICT_OUT_PROTECTED)
		result->exit = ENGINE_DROP;
}

/* All packets of the batch that the SA of packet @first takes, in their order. */
static void seal_group(struct engine *engine, struct packet **pkts, size_t first, size_t n,
	struct engine_result *results)
{
	struct sad_entry *entry = engine->entries[first];
	struct engine_group *group = &engine->group;

	group->entry = entry;
	group->n = 0;
	for (size_t i = first; i < n; i++) {
		if (engine->entries[i] != entry || results[i].ah != results[first].ah)
			continue;
		engine->entries[i] = NULL;
		results[i].entry = entry;
		group->pkts[group->n] = pkts[i];
		group->at[group->n++] = (uint8_t)i;
	}
	engine_seal(engine, &results[first], group->pkts, group->n, group->verdicts);
	for (size_t i = 0; i < group->n; i++) {
		struct engine_result *result = &results[group->at[i]];

		result->verdict = group->verdicts[i];
		result->exit = result->verdict == VERDICT_OUT_PROTECTED ? ENGINE_TO_WIRE
									: ENGINE_DROP;
	}
}

void engine_outbound(struct engine *engine, struct packet **pkts, size_t n, int tunnel,
	struct engine_result *ret_results)
{
	static const struct engine_view nothing = { 0 };
	const struct engine_view *view = rcu_read(engine->setup.view);

	assert(n <= ENGINE_BATCH);
	engine->view = view ? view : &nothing;
	engine->now_usec = clock_boot_lately(&engine->clock);
	if (tunnel < 0 || (view && view->tunnels && (size_t)tunnel < view->tunnels->count))
		engine_warm(engine, pkts, n, tunnel);
	for (size_t i = 0; i < n; i++) {
		struct outbound out = {
			.engine = engine,
			.pkt = pkts[i],
			.view = &engine->views[i],
			.result = &ret_results[i],
			.entry = &engine->entries[i],
		};

		ret_results[i] = (struct engine_result){ .tunnel = tunnel };
		engine->entries[i] = NULL;
		if (tunnel < 0)
			decide(&out);
		else if (view && view->tunnels && (size_t)tunnel < view->tunnels->count &&
			 view->tunnels->tunnels[tunnel].name[0] != '\0') {
			out.tunnel = &view->tunnels->tunnels[tunnel];
			decide(&out);
		} else {
			drop(&out, VERDICT_SPD_NO_POLICY);
		}
	}
	for (size_t i = 0; i < n; i++) {
		if (engine->entries[i])
			seal_group(engine, pkts, i, n, ret_results);
		seal_ah(engine, pkts[i], &ret_results[i]);
	}
	for (size_t i = 0; i < n; i++)
		engine_end(engine, &ret_results[i]);
	engine_flush_hits(engine);
}
