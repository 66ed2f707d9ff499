/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inbound: SA by SPI, ESP, then policy on what came out of it; plain IP in IP of tunnels. */
#include <assert.h>
#include <netinet/in.h>

#include "common/base/bytes.h"
#include "services/datapath/engine/engine_internal.h"
#include "services/datapath/packet/packet_about.h"
#include "services/datapath/replay/replay.h"

#define AH_MAX_NESTED 2U /* one inside the other; more are nobody's but attackers' */

/* One opened (or plain) packet while policy looks at it. */
struct inbound {
	struct engine *engine;
	struct packet *pkt;
	struct packet_view *view; /* of pkt: inner packet of a tunnel-mode SA, else the outer one */
	const struct sa *sa; /* the innermost of `by`, NULL: it came in clear */
	struct engine_secured by;
	uint64_t serial; /* of the SA */
	const struct address *outer_local, *outer_remote;
	uint8_t outer_protocol; /* tunnels: 4 or 41 */
	struct engine_result *result;
};

static void admit(struct inbound *in, enum verdict verdict)
{
	in->result->exit = ENGINE_TO_HOST;
	in->result->verdict = verdict;
}

static void drop(struct inbound *in, enum verdict verdict)
{
	in->result->exit = ENGINE_DROP;
	in->result->verdict = verdict;
}

/* The table of RFC 4301 section 5.2 with the reasons of the original; sa NULL: in clear. */
static enum verdict check_match(
	struct inbound *in, struct engine_match *match, const struct flow *flow)
{
	enum verdict verdict;

	if (!match->rule)
		return in->sa ? VERDICT_SPD_GOT_SECURE : VERDICT_IN_CLEAR;
	in->result->rule_id = match->rule->id;
	engine_hit(in->engine, match, in->pkt->len);
	verdict = engine_check_selectors(&in->by, flow);
	if (verdict == VERDICT_IN_ACCEPTED)
		verdict = engine_check_enclosed(&in->by, in->pkt, in->view);
	return verdict == VERDICT_IN_ACCEPTED ? engine_check_rule(match, &in->by, flow) : verdict;
}

static bool is_accepted(enum verdict verdict)
{
	return !verdict_is_drop(verdict);
}

/* Host policy for a packet of this flow. */
static enum verdict check_host(struct inbound *in, const struct flow *flow)
{
	struct engine_match match;

	engine_classify(in->engine, ENGINE_HOST, flow, &match);
	return check_match(in, &match, flow);
}

/* The outer packet of a tunnel, as host policy sees it. */
static enum verdict check_outer(struct inbound *in, const struct flow *inner)
{
	struct flow outer = {
		.direction = DIRECTION_IN,
		.local = *in->outer_local,
		.remote = *in->outer_remote,
		.protocol = in->outer_protocol,
	};
	enum verdict verdict = check_host(in, &outer);

	if (is_accepted(verdict) && in->sa && in->sa->mode == SA_MODE_TUNNEL) {
		enum verdict selectors = engine_check_selectors(&in->by, inner);

		return selectors == VERDICT_IN_ACCEPTED ? verdict : selectors;
	}
	return verdict;
}

/* Tunnel policy by the inner packet. A transport-mode SA carried the IP-in-IP packet as a whole. */
static enum verdict check_tunnel(struct inbound *in, int index, const struct flow *inner)
{
	bool transport_sa = in->sa && in->sa->mode == SA_MODE_TRANSPORT;
	struct flow carried = *inner;
	struct engine_match match;

	engine_classify(in->engine, index, inner, &match);
	if (!match.rule)
		engine_audit(in->engine, index, inner, in->sa != NULL, in->pkt->len);
	if (!match.has_rules || (!match.rule && match.mode == TUNNEL_TRANSPORT))
		return check_outer(in, inner);
	if (!match.rule)
		return VERDICT_SPD_EXPLICIT;
	if (in->sa && rule_protects(match.rule) &&
		transport_sa != (match.rule->negotiate == TUNNEL_TRANSPORT))
		return VERDICT_SPD_ESP_INNERMISMATCH;
	if (transport_sa)
		carried = (struct flow){
			.direction = DIRECTION_IN,
			.local = *in->outer_local,
			.remote = *in->outer_remote,
			.protocol = in->outer_protocol,
		};
	return check_match(in, &match, &carried);
}

/* Do the rules of the tunnel, or the selectors of the SA, need what only a first fragment shows? */
static bool asks_ports(const struct inbound *in, int index)
{
	return engine_names_ports(in->engine->view, index) ||
	       (in->sa && (in->sa->inner_src_port != 0 || in->sa->inner_dst_port != 0));
}

/* IP in IP that a transport-mode SA carried, or that came plain: the inner packet is still inside. */
static void decide_encapsulated(struct inbound *in, int index)
{
	struct packet inner = *in->pkt;
	uint8_t outer_class = packet_traffic_class(in->pkt->data);
	struct packet_view view;
	enum verdict verdict;
	struct flow flow;

	if (in->view->is_fragment) {
		drop(in, VERDICT_SPD_MALFORMED_FRAG);
		return;
	}
	in->outer_protocol = in->view->protocol;
	if (!packet_pull(&inner, in->view->upper) || !packet_parse(&inner, &view) ||
		(view.family == AF_INET) != (in->view->protocol == IPPROTO_IPIP)) {
		drop(in, VERDICT_ESP_BAD_INNER);
		return;
	}
	/* Nobody vouches that clear fragments belong together: they do not wait here. */
	if (!in->sa && view.is_fragment && asks_ports(in, index)) {
		drop(in, VERDICT_SPD_GOT_CLEAR);
		return;
	}
	packet_flow(&inner, &view, DIRECTION_IN, &flow);
	verdict = check_tunnel(in, index, &flow);
	if (is_accepted(verdict) && !packet_merge_ecn(&inner, outer_class))
		verdict = VERDICT_ESP_ECN;
	if (!is_accepted(verdict)) {
		drop(in, verdict);
		return;
	}
	*in->pkt = inner;
	in->result->tunnel = index;
	admit(in, verdict);
}

static void decide_tunnel_mode(struct inbound *in)
{
	int index = engine_find_tunnel(in->engine->view, in->outer_local, in->outer_remote);
	enum verdict verdict;
	struct flow flow;

	in->outer_protocol = in->view->family == AF_INET ? IPPROTO_IPIP : IPPROTO_IPV6;
	if (index == ENGINE_HOST && address_is_unspecified(&in->sa->src))
		index = engine_find_any_source(in->engine->view, in->outer_local);
	if (index == ENGINE_HOST) { /* tunnel mode exists on tunnels only */
		drop(in, VERDICT_SPD_GOT_SECURE);
		return;
	}
	in->result->tunnel = index;
	if (in->view->is_fragment && asks_ports(in, index)) {
		struct engine_held held = {
			.direction = DIRECTION_IN, .tunnel = (size_t)index, .tag = in->serial
		};

		if (!engine_hold(in->engine, &held, in->pkt, in->view, in->result))
			return;
	}
	packet_flow(in->pkt, in->view, DIRECTION_IN, &flow);
	verdict = check_tunnel(in, index, &flow);
	if (is_accepted(verdict))
		admit(in, verdict);
	else
		drop(in, verdict);
}

/*
 * Host policy for what an SA carried between the two hosts themselves. Of an error what it is about
 * counts; peers that protect errors as what they are themselves are heard too.
 */
static void decide_host(struct inbound *in)
{
	struct flow flow;
	enum packet_subject subject = packet_subject(in->pkt, in->view, DIRECTION_IN, &flow);
	enum verdict verdict = check_host(in, &flow);

	if (!is_accepted(verdict) && subject == PACKET_ANOTHER) {
		enum verdict as_itself;

		packet_flow(in->pkt, in->view, DIRECTION_IN, &flow);
		as_itself = check_host(in, &flow);
		verdict = is_accepted(as_itself) ? as_itself : verdict;
	}
	if (is_accepted(verdict))
		admit(in, verdict);
	else
		drop(in, verdict);
}

/* The same addresses twice: no tunnel, but transport mode that hides the options as well. */
static bool is_self_encapsulated(const struct inbound *in)
{
	return sa_is_self_encapsulating(in->sa) &&
	       address_equal(&in->view->src, in->outer_remote) &&
	       address_equal(&in->view->dst, in->outer_local);
}

static void decide_opened(struct inbound *in)
{
	int index;

	if (is_self_encapsulated(in)) {
		if (packet_is_plain(in->view))
			decide_host(in);
		else
			drop(in, VERDICT_ESP_BAD_INNER);
		return;
	}
	if (in->sa->mode == SA_MODE_TUNNEL) {
		decide_tunnel_mode(in);
		return;
	}
	if (in->view->protocol == IPPROTO_IPIP || in->view->protocol == IPPROTO_IPV6) {
		index = engine_find_tunnel(in->engine->view, &in->view->dst, &in->view->src);
		if (index != ENGINE_HOST) {
			decide_encapsulated(in, index);
			return;
		}
	}
	engine_repair_checksum(in->pkt, in->view, in->sa);
	decide_host(in);
}

/* Plain IP in IP is ours only between the ends of a tunnel. */
static void decide_plain(struct inbound *in)
{
	int index = engine_find_tunnel(in->engine->view, in->outer_local, in->outer_remote);

	if (index == ENGINE_HOST)
		drop(in, VERDICT_SPD_NO_POLICY);
	else
		decide_encapsulated(in, index);
}

/*
 * AH is decided with what stands behind it, as long as that can be seen. What follows a packet that
 * was handed over for its number goes the same way, or it would leave that one behind the window.
 */
static bool is_for_control(struct inbound *in, const struct sad_entry *esp)
{
	struct engine *engine = in->engine;
	unsigned int protocols = ENGINE_SYNC_ESP;

	if (in->view->protocol == IPPROTO_AH) {
		protocols = ENGINE_SYNC_AH;
		if (in->view->upper < in->view->total_len &&
			in->pkt->data[in->view->upper] == IPPROTO_ESP)
			protocols |= ENGINE_SYNC_ESP;
	}
	if ((protocols & engine->sync) != 0)
		return true;
	if (!in->by.ah && !engine->leapt)
		engine->leapt = engine_leaps(engine, in->pkt, in->view, esp);
	return !in->by.ah && engine->leapt;
}

static void hand_over(struct inbound *in)
{
	in->result->exit = ENGINE_TO_CONTROL;
	in->result->verdict = VERDICT_EXEC_SYNC;
}

/*
 * AH comes off at once; ESP waits for the others of its SA. True: ESP follows, under the same IP
 * header. False: the packet is decided on.
 */
static bool open_ah(struct inbound *in)
{
	bool tunnel = false;
	uint8_t next = IPPROTO_AH;

	for (unsigned int n = 0; next == IPPROTO_AH && !tunnel; n++) {
		struct sad_entry *entry = NULL;
		enum verdict verdict = VERDICT_SPD_MALFORMED_FRAG;

		next = in->view->upper < in->view->total_len ? in->pkt->data[in->view->upper] : 0;
		if (n == AH_MAX_NESTED)
			verdict = VERDICT_AH_NO_SA;
		else if (!in->view->is_fragment)
			verdict = engine_open_ah(in->engine, in->pkt, in->view, &entry);
		if (verdict != VERDICT_IN_ACCEPTED) {
			drop(in, verdict);
			return false;
		}
		in->by.ah = entry->sa;
		in->serial = in->by.esp ? in->serial : entry->serial;
		tunnel = entry->sa->mode == SA_MODE_TUNNEL && next != IPPROTO_ESP;
	}
	if (next == IPPROTO_ESP)
		return true;
	in->sa = in->by.ah;
	decide_opened(in);
	return false;
}

static bool is_asked(const struct sad_inbound *asked, uint32_t spi, const struct packet_view *view)
{
	return asked->spi == spi && address_equal(asked->dst, &view->dst) &&
	       address_equal(asked->src, &view->src);
}

/*
 * Who is to be found for it, with the others of the batch; what follows one of the same SA waits for
 * the same answer. False: nobody can be.
 */
static bool ask_for_sa(struct engine *engine, const struct packet *pkt, size_t i)
{
	const struct packet_view *view = &engine->views[i];
	size_t at = esp_offset(view), n = engine->n_asked;
	uint32_t spi;

	if (!engine->view->sad || view->total_len < at + ESP_HEADER)
		return false;
	spi = load_be32(pkt->data + at);
	if (n == 0 || !is_asked(&engine->asked[n - 1], spi, view)) {
		engine->asked[n] = (struct sad_inbound){
			.proto = SA_PROTO_ESP, .spi = spi, .dst = &view->dst, .src = &view->src
		};
		engine->n_asked = ++n;
	}
	engine->waiters[engine->n_waiters++] = (struct engine_waiter){ (uint8_t)i,
		(uint8_t)(n - 1) };
	return true;
}

/* It may have come before key management has filled in the SA whose SPI it gave away. */
static bool wait_for_sa(struct inbound *in)
{
	const struct engine_setup *setup = &in->engine->setup;
	const struct sad *sad = in->engine->view->sad;
	const struct engine_waiting waiting = { .inbound = true };
	size_t at = esp_offset(in->view);
	struct sadb_acquire early = { .proto = SA_PROTO_ESP, .dst = in->view->dst };

	if (!setup->hold || !sad || in->by.ah || in->view->total_len < at + ESP_HEADER)
		return false;
	early.spi = load_be32(in->pkt->data + at);
	if (!sad_is_larval(sad, early.proto, early.spi, &early.dst) ||
		!setup->hold(&early, in->pkt, waiting, setup->userdata))
		return false;
	in->result->exit = ENGINE_HELD;
	in->result->verdict = VERDICT_IN_WAITING;
	return true;
}

/* What needs no cryptography is decided here; the rest waits for its SA. */
static void sort(struct engine *engine, struct packet *pkt, size_t i, struct engine_result *result)
{
	struct packet_view *view = &engine->views[i];
	struct inbound in = { .engine = engine,
		.pkt = pkt,
		.view = view,
		.outer_local = &engine->outer_dst[i],
		.outer_remote = &engine->outer_src[i],
		.result = result };
	enum verdict verdict;

	engine->entries[i] = NULL;
	engine->outer_port[i] = 0;
	if (!packet_parse(pkt, view)) {
		drop(&in, VERDICT_SPD_MALFORMED_PACKET);
		return;
	}
	engine->outer_dst[i] = view->dst;
	engine->outer_src[i] = view->src;
	if (view->protocol == IPPROTO_AH) {
		if (is_for_control(&in, NULL)) {
			hand_over(&in);
			return;
		}
		if (!open_ah(&in))
			return;
	}
	engine->secured[i] = in.by;
	switch (view->protocol) {
	case IPPROTO_ESP:
	case IPPROTO_UDP:
		verdict = view->protocol == IPPROTO_UDP ? engine_demultiplex(pkt, view)
			  : view->is_fragment		? VERDICT_SPD_MALFORMED_FRAG
							: VERDICT_IN_ACCEPTED;
		if (verdict != VERDICT_IN_ACCEPTED) {
			drop(&in, verdict);
			return;
		}
		if (view->protocol == IPPROTO_UDP)
			engine->outer_port[i] = load_be16(pkt->data + view->upper);
		if (!ask_for_sa(engine, pkt, i))
			drop(&in, VERDICT_ESP_NO_SA);
		return;
	case IPPROTO_IPIP:
	case IPPROTO_IPV6:
		decide_plain(&in);
		return;
	default:
		drop(&in, VERDICT_SPD_NO_POLICY);
		return;
	}
}

/* What was found for a packet: its entry is noted, or it goes another way. */
static void take_sa(struct engine *engine, struct packet *pkt, struct sad_entry *entry, size_t i,
	struct engine_result *result)
{
	struct inbound in = { .engine = engine,
		.pkt = pkt,
		.view = &engine->views[i],
		.by = engine->secured[i],
		.result = result };
	bool encapsulated = in.view->protocol == IPPROTO_UDP;

	if (!entry || encapsulated != ((entry->sa->flags & SA_FLAG_ENCAP) != 0) ||
		!sad_is_usable(entry)) {
		if (!wait_for_sa(&in))
			drop(&in, VERDICT_ESP_NO_SA);
	} else if (is_for_control(&in, entry)) {
		hand_over(&in);
	} else {
		engine->entries[i] = entry;
	}
}

/* All are found at once; a batch under one SA is mostly under that of the one before. */
static void search(struct engine *engine)
{
	const struct sad *sad = engine->view->sad;
	struct engine_found *found = &engine->found;
	struct sad_inbound *first = &engine->asked[0];
	uint64_t generation = sad_generation(sad);

	if (engine->n_asked == 1 && found->version == engine->view->version &&
		found->generation == generation && found->spi == first->spi &&
		address_equal(&found->dst, first->dst) && address_equal(&found->src, first->src)) {
		first->entry = found->entry;
		return;
	}
	sad_find_inbound_batch(sad, engine->asked, engine->n_asked);
	*found = (struct engine_found){ .version = engine->view->version,
		.generation = generation,
		.spi = first->spi,
		.dst = *first->dst,
		.src = *first->src,
		.entry = first->entry };
}

/* The SAs of all packets that wait for theirs, and what is behind them on its way to the cache. */
static void find_sas(struct engine *engine, struct packet **pkts, struct engine_result *results)
{
	const struct sad_entry *last = NULL;

	if (engine->n_asked == 0)
		return;
	search(engine);
	for (size_t i = 0; i < engine->n_asked; i++)
		sad_ask_entry(engine->asked[i].entry, engine->setup.worker);
	for (size_t i = 0; i < engine->n_asked; i++) {
		if (engine->asked[i].entry != last)
			sad_ask_use(engine->asked[i].entry, engine->setup.worker);
		last = engine->asked[i].entry;
	}
	for (size_t i = 0; i < engine->n_waiters; i++) {
		size_t at = engine->waiters[i].at;

		take_sa(engine, pkts[at], engine->asked[engine->waiters[i].asked].entry, at,
			&results[at]);
	}
}

/* Without a window a copy of an old packet is accepted; it must not say where the peer is. */
static bool is_fresh(const struct engine_group *group, size_t i)
{
	return group->entry->run->window != 0 || (int32_t)(group->seqs[i] - group->top) > 0;
}

static void decide_group(struct engine *engine, struct engine_result *results)
{
	struct engine_group *group = &engine->group;

	for (size_t i = 0; i < group->n; i++) {
		uint8_t at = group->at[i];
		struct inbound in = {
			.engine = engine,
			.pkt = group->pkts[i],
			.view = group->views[i],
			.sa = group->entry->sa,
			.by = { .ah = engine->secured[at].ah, .esp = group->entry->sa },
			.serial = group->entry->serial,
			.outer_local = &engine->outer_dst[at],
			.outer_remote = &engine->outer_src[at],
			.result = &results[at],
		};

		if (group->verdicts[i] != VERDICT_IN_ACCEPTED) {
			drop(&in, group->verdicts[i]);
			continue;
		}
		if (is_fresh(group, i))
			engine_follow_peer(engine, group->entry, &engine->outer_src[at],
				engine->outer_port[at]);
		if (in.sa->mode == SA_MODE_TUNNEL || in.view->protocol != IPPROTO_AH)
			decide_opened(&in);
		else if (open_ah(&in)) /* ESP in AH in ESP: nobody asks for that */
			drop(&in, VERDICT_SPD_GOT_ESP);
	}
}

/* All packets of the batch under the SA of packet @first, in their order. */
static void open_group(struct engine *engine, struct packet **pkts, size_t first, size_t n)
{
	struct engine_group *group = &engine->group;
	struct sad_entry *entry = engine->entries[first];
	uint32_t events = atomic_load_explicit(&entry->run->events, memory_order_relaxed);
	struct esp_sa esp;

	group->entry = entry;
	group->n = 0;
	group->top = replay_top(entry->run);
	for (size_t i = first; i < n; i++) {
		if (engine->entries[i] != entry)
			continue;
		engine->entries[i] = NULL;
		group->pkts[group->n] = pkts[i];
		group->views[group->n] = &engine->views[i];
		group->seqs[group->n] = load_be32(
			pkts[i]->data + esp_offset(&engine->views[i]) + 4);
		group->verdicts[group->n] = VERDICT_IP_IPSEC_NOT_LOADED;
		group->at[group->n++] = (uint8_t)i;
	}
	if (engine_prepare(engine, entry, &esp))
		esp_open_batch(&esp, group->pkts, group->views, group->n, group->verdicts);
	engine_tell_events(engine, entry, events);
}

void engine_inbound(
	struct engine *engine, struct packet **pkts, size_t n, struct engine_result *ret_results)
{
	static const struct engine_view nothing = { 0 };
	const struct engine_view *view = rcu_read(engine->setup.view);

	assert(n <= ENGINE_BATCH);
	engine->view = view ? view : &nothing;
	engine->now_usec = clock_boot_lately(&engine->clock);
	engine->n_asked = engine->n_waiters = 0;
	for (size_t i = 0; i < n; i++) {
		ret_results[i] = (struct engine_result){ .tunnel = ENGINE_HOST };
		sort(engine, pkts[i], i, &ret_results[i]);
	}
	find_sas(engine, pkts, ret_results);
	for (size_t i = 0; i < n; i++) {
		if (!engine->entries[i])
			continue;
		open_group(engine, pkts, i, n);
		decide_group(engine, ret_results);
	}
	for (size_t i = 0; i < n; i++)
		engine_end(engine, &ret_results[i]);
	engine_flush_hits(engine);
}
