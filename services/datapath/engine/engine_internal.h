/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the parts of the engine share: the classifier, decisions on policy, errors to the sender. */
#ifndef DATAPATH_ENGINE_INTERNAL_H
#define DATAPATH_ENGINE_INTERNAL_H

#include "common/base/clock.h"
#include "services/datapath/engine/engine.h"
#include "services/datapath/spd/flow_cache.h"

#define ENGINE_HOST (-1) /* in the place of a tunnel's index */

/* How a packet came: the SAs that opened it. NULL: none of that kind; both: in clear. */
struct engine_secured {
	const struct sa *ah, *esp;
};

/* One SA's packets of a batch. */
struct engine_group {
	struct sad_entry *entry;
	struct packet *pkts[ENGINE_BATCH];
	struct packet_view *views[ENGINE_BATCH];
	enum verdict verdicts[ENGINE_BATCH];
	uint8_t at[ENGINE_BATCH];
	/* Inbound: numbers in the packets, and the highest that was authentic before them. */
	uint32_t seqs[ENGINE_BATCH], top;
	size_t n;
};
/* New flows of a batch whose SAs are looked for side by side. */
#define ENGINE_PROSPECTS 32U
struct engine_prospects {
	struct flow outers[ENGINE_PROSPECTS];
	struct sad_query queries[ENGINE_PROSPECTS];
	struct flow_note *notes[ENGINE_PROSPECTS];
	struct sad_entry *entries[ENGINE_PROSPECTS];
};
/* A packet of the batch, and which of the SAs that are asked for is its own. */
struct engine_waiter {
	uint8_t at, asked;
};
/* The flow that came last in one direction: those of a batch are mostly of one. */
struct engine_recent {
	struct flow flow;
	int head;
	uint64_t version; /* of the view; 0: there is none */
	struct flow_note *note;
	uint32_t stamp;
};
/* The SA that was found last for what came in; as long as the SAD stands still it would be again. */
struct engine_found {
	uint64_t version; /* of the view; 0: none was found */
	uint64_t generation; /* of its SAD */
	uint32_t spi;
	struct address dst, src;
	struct sad_entry *entry;
};
struct engine {
	struct engine_setup setup;
	const struct engine_view *view; /* of the batch in work */
	unsigned int sync; /* ENGINE_SYNC_*: not for this engine */
	bool leapt; /* a packet was left to the control thread for its number, and may be there still */
	struct replay_room room; /* in the window of room_for */
	struct sad_entry *room_for;
	struct flow_cache *cache; /* owned */
	struct engine_recent recent[2]; /* by direction */
	unsigned int new_flows; /* of the batch in work, or of the last one */
	struct clock_lately clock;
	uint64_t now_usec; /* of the batch; up to a tick ago */
	uint16_t ip_id; /* of plain IP in IP */
	/* Room for one batch; too large for the stack. */
	struct packet_view views[ENGINE_BATCH];
	struct sad_entry *entries[ENGINE_BATCH]; /* of ESP; NULL: decided without one */
	struct engine_secured secured[ENGINE_BATCH]; /* inbound: by what was around ESP */
	struct address outer_src[ENGINE_BATCH], outer_dst[ENGINE_BATCH];
	uint16_t outer_port[ENGINE_BATCH]; /* source, of ESP in UDP; else 0 */
	/* Inbound: SAs that are to be found, and packets that wait for them. */
	struct sad_inbound asked[ENGINE_BATCH];
	size_t n_asked;
	struct engine_waiter waiters[ENGINE_BATCH];
	size_t n_waiters;
	struct engine_found found;
	struct engine_prospects prospects; /* outbound */
	struct engine_group group;
	/* Hits of one rule that are not in the view yet. */
	struct rule_hits *hits; /* NULL: none */
	uint64_t hit_packets, hit_bytes;
};

/* What was found in one head. */
struct engine_match {
	const struct rule *rule; /* NULL: none */
	size_t index; /* of the rule, for its hits */
	bool has_rules; /* the head has some, whether one matched or not */
	enum tunnel_mode mode; /* of the head's rules, valid with has_rules */
	/*
	 * Alternatives count from 1, 0: none. A connection keeps to that of its first protected packet:
	 * whoever knows the socket notes `satisfied` of that one, which the decision writes, and says
	 * it as `latched` before each later decision.
	 */
	uint16_t latched, satisfied;
	struct flow_note *note; /* of the flow; NULL: it was not cached */
	uint32_t stamp; /* the note is still the flow's while it has this one */
};

/* SAs of one alternative; NULL: it asks for none of that kind. */
struct engine_pair {
	struct sad_entry *esp, *ah;
};

/* @tunnel: index of a tunnel, ENGINE_HOST for host policy. Worker's thread. */
void engine_classify(
	struct engine *engine, int tunnel, const struct flow *flow, struct engine_match *ret_match);
/*
 * Before a batch of outbound packets: when many flows are new, their rules are looked up side by side,
 * and then the SAs that these ask for.
 * A hint only: what it leaves out is looked up when its turn comes.
 */
void engine_warm(struct engine *engine, struct packet **pkts, size_t n, int tunnel);
/* As engine_classify() without cache; any thread that may read the view. */
void engine_look_up(const struct engine_view *view, int tunnel, const struct flow *flow,
	struct engine_match *ret_match);
/* The SAs that served the last packet of the flow, if they are still what would be chosen. */
bool engine_recall(const struct engine *engine, const struct engine_match *match,
	struct engine_pair *ret_pair);
/* @generation: of the SAD, as it was before it was searched. */
void engine_remember(
	const struct engine_match *match, uint64_t generation, const struct engine_pair *pair);
/*
 * For a packet that no rule of the tunnel knows: counts for the audit rule that would not have let
 * it through as it is. @secured: it came out of an SA. ENGINE_HOST: nothing, the kernel counts.
 */
void engine_audit(
	struct engine *engine, int tunnel, const struct flow *flow, bool secured, size_t len);
/* Counts for the rule; those of a row of packets are written together, at the latest by flush. */
void engine_hit(struct engine *engine, const struct engine_match *match, size_t len);
void engine_flush_hits(struct engine *engine);
/* The tunnel between two outer addresses, or ENGINE_HOST. */
int engine_find_tunnel(
	const struct engine_view *view, const struct address *local, const struct address *remote);

/*
 * What is asked of the SAD for packets of @flow under a rule that protects. @outer: room for the flow
 * of the tunnel's own packets, borrowed with @flow by the query.
 */
void engine_ask(const struct tunnel *tunnel, const struct rule *rule, const struct flow *flow,
	struct flow *outer, struct sad_query *ret_query);
/* SAs for that, of the first alternative that they serve. False: @query is what to ask for. */
bool engine_pick(const struct sad *sad, const struct tunnel *tunnel, struct sad_query *query,
	struct engine_match *match, struct engine_pair *ret_pair);

/* A tunnel with this local end whose peer may come from anywhere, or ENGINE_HOST. */
int engine_find_any_source(const struct engine_view *view, const struct address *local);

/* Is a packet with this protection what the rule asks for? VERDICT_IN_... or why not. */
enum verdict engine_check_rule(
	struct engine_match *match, const struct engine_secured *by, const struct flow *flow);
/* May this packet go by this alternative? A latched socket keeps to its own. */
static inline bool engine_may_use(const struct engine_match *match, size_t alternative)
{
	return match->latched == 0 || match->latched == alternative + 1;
}
/* Is the packet within the selectors of the SAs that carried it? VERDICT_IN_ACCEPTED or why not. */
enum verdict engine_check_selectors(const struct engine_secured *by, const struct flow *flow);

/* Context of this worker and all; false: it cannot be made. */
bool engine_prepare(struct engine *engine, struct sad_entry *entry, struct esp_sa *ret_esp);
/* Tell the control thread what the batch has raised. @before: events before it. */
void engine_tell_events(struct engine *engine, struct sad_entry *entry, uint32_t before);

/* AH around what is there by now, with result->ah. VERDICT_OUT_PROTECTED or why not. */
enum verdict engine_seal_ah(
	struct engine *engine, const struct engine_result *result, struct packet *pkt);
/* Take AH off. VERDICT_IN_ACCEPTED, with the SA that it was under, or why not. */
enum verdict engine_open_ah(struct engine *engine, struct packet *pkt, struct packet_view *view,
	struct sad_entry **ret_entry);

/* Do rules of this head name ports or ICMP types, which later fragments do not show? */
bool engine_names_ports(const struct engine_view *view, int tunnel);
struct engine_held {
	enum direction direction;
	size_t tunnel;
	uint64_t tag; /* how it came: the SA's serial */
};
/*
 * Keep a fragment until its datagram is whole. True: it is; @pkt is the first fragment and the
 * others follow it in @result. False: the result is settled, held or dropped.
 */
bool engine_hold(struct engine *engine, const struct engine_held *held, struct packet *pkt,
	struct packet_view *view, struct engine_result *result);
/* Cut before encryption, as IPv4 without DF allows: @pkt is the first fragment, others follow. */
bool engine_cut(
	struct engine_result *result, struct packet *pkt, struct packet_view *view, size_t limit);
/* Count what became of the packet and, when it goes no further, of those that follow it. */
void engine_end(struct engine *engine, struct engine_result *result);
/* Of outer packets to this destination, 0: unknown. */
size_t engine_path_mtu(const struct engine *engine, const struct address *dst);
/* Plain IP in IP. False: there is no room. */
bool engine_encapsulate(struct engine *engine, const struct tunnel *tunnel, struct packet *pkt);
/* n <= ESP_BATCH packets of one SA; @how: entry, the AH that will be around it, tunnel. */
void engine_seal(struct engine *engine, const struct engine_result *how, struct packet *const *pkts,
	size_t n, enum verdict *ret_verdicts);

/*
 * engine_leap.c: the number of an inbound packet, or of the ESP right behind its AH, is above what
 * the disk knows of (decision 0026). @esp: its SA, where that is known.
 */
bool engine_leaps(const struct engine *engine, const struct packet *pkt,
	const struct packet_view *view, const struct sad_entry *esp);
/* For a transform; NULL: this engine cannot make room. */
const struct replay_room *engine_room(struct engine *engine, struct sad_entry *entry);

/* A datagram on the port of UDP encapsulation: VERDICT_IN_ACCEPTED is for ESP, whatever it holds. */
enum verdict engine_demultiplex(const struct packet *pkt, const struct packet_view *view);
/* An authentic packet of @entry came from this address and UDP port: answer there from now on. */
void engine_follow_peer(
	struct engine *engine, struct sad_entry *entry, const struct address *peer, uint16_t port);
/* The opened packet of a transport-mode SA, whose checksum was made before translation. */
void engine_repair_checksum(
	struct packet *pkt, const struct packet_view *view, const struct sa *sa);

/*
 * RFC 4301 section 6.2: an ICMP error that came through an SA must be about a packet that would have
 * taken the way back. VERDICT_IN_ACCEPTED, also for what is no error, or why not.
 */
enum verdict engine_check_enclosed(
	const struct engine_secured *by, const struct packet *pkt, const struct packet_view *view);
/*
 * Turn a packet that is too long into the ICMP error that its sender gets (RFC 1191, RFC 4443
 * section 3.2), as if from its destination. False: no error may be sent about it.
 */
bool engine_too_big(struct packet *pkt, const struct packet_view *view, size_t mtu);

#endif
