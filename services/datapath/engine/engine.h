/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One packet vector at a time through classify, select SA, transform, check: the datapath without
 * devices. Everything that it reads is a published, immutable version; one engine a worker.
 */
#ifndef DATAPATH_ENGINE_H
#define DATAPATH_ENGINE_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/rcu.h"
#include "common/spd/spd.h"
#include "common/spd/spd_flow.h"
#include "services/datapath/packet/counters.h"
#include "services/datapath/packet/frag_store.h"
#include "services/datapath/esp/esp.h"
#include "services/datapath/packet/packet.h"
#include "services/datapath/sad/sad.h"
#include "services/datapath/sad/sadb.h"
#include "services/datapath/spd/classifier.h"

#define ENGINE_BATCH	   64
#define ENGINE_MAX_TUNNELS 64

/* One tunnel of datapath.cfg; immutable. */
struct tunnel {
	char name[RULE_TUNNEL_MAX];
	struct address src, dst; /* outer */
	uint32_t mtu; /* 0: derived */
	size_t n_addresses;
	struct prefix addresses[8]; /* of the interface; host bits kept in addr */
	struct address address_hosts[8];
	bool forward;
	bool any_source; /* authentic packets of a wildcard SA may come from elsewhere than dst */
	struct packet_outer_rules outer;
	uint32_t pad_to; /* octets; shorter inner packets are padded so far as the path takes it */
};

struct tunnel_table {
	size_t count;
	struct tunnel tunnels[ENGINE_MAX_TUNNELS];
};

/* Hits of the rules of one SPD, in its order; shared by workers, relaxed adds. */
struct rule_hits {
	_Atomic uint64_t packets, bytes;
};

/* One version of everything; swapped whole by the control thread. */
struct engine_view {
	struct spd *spd; /* owned; NULL: no policy published, nothing is protected */
	struct rule_hits *hits; /* owned; of spd's rules, then of its audit rules */
	struct classifier *classifier; /* owned; of spd's rules; NULL with spd */
	int heads[ENGINE_MAX_TUNNELS + 1]; /* of host policy, then of each tunnel, in it */
	struct classifier *audit; /* owned; of spd's audit rules; NULL: there are none */
	int audit_heads[ENGINE_MAX_TUNNELS]; /* of each tunnel; the kernel counts for host policy */
	uint64_t version; /* of no other view, for caches */
	bool lent; /* the SPD is the next version's by now; control thread only */
	const struct tunnel_table
		*tunnels; /* borrowed for as long as the view; empty slots have no name */
	struct sad *sad; /* borrowed */
	uint64_t generation;
	/* Packets that the kernel steered by the former rules may still be on their way to us: what no
	 * rule protects now goes out as the rules now say. Else it is dropped: rules and lid disagree. */
	_Atomic bool settling;
};

struct engine_view_parts {
	struct spd *spd; /* consumed on success; NULL: no policy */
	const struct tunnel_table *tunnels;
	struct sad *sad;
	uint64_t generation;
	const struct engine_view *former; /* hits of rules with the same id are taken over; NULL */
};
int engine_view_new(
	const struct engine_view_parts *parts, struct engine_view **ret_view) MUST_CHECK;
/* With rcu_defer() once it was replaced. */
struct engine_view *engine_view_free(struct engine_view *view);
DEFINE_CLEANUP(struct engine_view *, engine_view_free)

enum engine_exit {
	ENGINE_DROP, /* reason in verdict */
	ENGINE_TO_WIRE, /* protected or plain IP in IP; send with the bypass mark */
	ENGINE_TO_WIRE_CLEAR, /* policy bypasses it: as it came */
	ENGINE_TO_HOST, /* clear packet for the stack, through the TUN of `tunnel` */
	ENGINE_HELD, /* a fragment that waits for the others of its datagram; the packet is free */
	ENGINE_TO_CONTROL, /* as it came, for the engine of the control thread; `more` after it */
	ENGINE_TO_SENDER, /* ICMP error made in place of the packet, goes back through that TUN */
};

struct engine_result {
	enum engine_exit exit;
	enum verdict verdict;
	int tunnel; /* index into tunnel_table, -1: host */
	uint64_t rule_id; /* that decided, 0: none */
	bool fragment; /* TO_WIRE: longer than the path takes; the sender of the outer packet fragments */
	struct frag_train *more; /* what follows the packet on the same way; see engine_follow() */
	struct sad_entry
		*entry; /* TO_WIRE: that sealed it, NULL: none; until the worker is quiescent */
	struct sad_entry *ah; /* the same for the AH around it */
};

/* What a worker tells the control thread; must not block. */
typedef void (*engine_acquire_fn)(const struct sadb_acquire *acquire, void *userdata);
/* Keep a copy of a packet until there is the SA that it asks for. False: it cannot be kept. */
struct engine_waiting {
	bool inbound;
	int tunnel; /* outbound: that it came from */
};
typedef bool (*engine_hold_fn)(const struct sadb_acquire *acquire, const struct packet *pkt,
	struct engine_waiting waiting, void *userdata);
/* Longest packet on the way to an outer destination, 0: unknown. Worker's thread. */
typedef uint32_t (*engine_mtu_fn)(const struct address *dst, void *userdata);
/*
 * Make room in the window of this SA, inbound, for a number that was authentic: on disk before it
 * returns. False: it cannot be had. Only the control thread's engine may wait so.
 */
typedef bool (*engine_reach_fn)(struct sad_entry *entry, uint64_t seq, void *userdata);
/* Bits were set in the events of this SA's run state. */
typedef void (*engine_event_fn)(struct sad_entry *entry, void *userdata);

struct engine;
struct engine_setup {
	unsigned int worker; /* < SAD_MAX_WORKERS */
	RCU_POINTER(struct engine_view) const *view; /* borrowed */
	struct counters *counters; /* borrowed */
	engine_acquire_fn on_acquire; /* NULL: nobody */
	engine_event_fn on_event; /* NULL: nobody */
	engine_hold_fn hold; /* NULL: no packet waits */
	engine_reach_fn reach; /* NULL: packets whose numbers leap are left to the control thread */
	void *userdata;
	uint32_t path_mtu; /* of outer packets, 0: unknown */
	engine_mtu_fn mtu_of; /* NULL, or it answers 0: path_mtu counts */
	enum esp_padding padding;
	/* One a tunnel, shared by all workers; NULL: fragments whose ports are asked for are dropped. */
	struct frag_store *const *fragments;
};
int engine_new(const struct engine_setup *setup, struct engine **ret_engine) MUST_CHECK;
struct engine *engine_free(struct engine *engine);
DEFINE_CLEANUP(struct engine *, engine_free)

/* How closely received padding is looked at from here on; worker's thread. */
void engine_set_padding(struct engine *engine, enum esp_padding padding);
/* Protocols whose packets are left to the control thread. */
#define ENGINE_SYNC_AH	0x1U
#define ENGINE_SYNC_ESP 0x2U
/* From the next batch on; worker's thread. At first there is none. */
void engine_set_sync(struct engine *engine, unsigned int protocols);
/*
 * What was left to the control thread has gone. Before this is said, nothing that comes in overtakes
 * a packet that was left to it for its number. Worker's thread.
 */
void engine_control_is_idle(struct engine *engine);
/* Of the path that packets take from here on; worker's thread. */
void engine_set_path_mtu(struct engine *engine, uint32_t path_mtu);

/*
 * Outbound: whole clear IP packets, n <= ENGINE_BATCH, GSO packets already segmented.
 * @tunnel: index of the tunnel whose TUN they came from, -1: host policy.
 */
void engine_outbound(struct engine *engine, struct packet **pkts, size_t n, int tunnel,
	struct engine_result *ret_results);
/*
 * A dummy packet of the SA, of random length up to its padding, into @pkt, which is empty: TO_WIRE
 * or DROP.
 */
void engine_dummy(struct engine *engine, struct sad_entry *entry, struct packet *pkt,
	struct engine_result *ret_result);
/* Inbound: whole IP packets from the wire, protocol ESP (or AH, or 4/41 of a tunnel). */
void engine_inbound(
	struct engine *engine, struct packet **pkts, size_t n, struct engine_result *ret_results);
/*
 * For results with TO_HOST, TO_WIRE or TO_CONTROL, before the next batch and until it says false: the next
 * fragment of the datagram, made ready for the same way, into @pkt on its own buffer.
 */
bool engine_follow(struct engine *engine, struct engine_result *result, struct packet *pkt);
/* What an ICMP error brings back of a packet that we may have sent. */
struct engine_report {
	uint8_t protocol; /* ESP or AH */
	struct address dst;
	const uint8_t *bytes; /* from that header on; borrowed */
	size_t len;
};
/* Does it name an SA of ours and a number that it used lately? Counts esp_icmp. Worker's thread. */
bool engine_knows(struct engine *engine, const struct engine_report *report);
/* What an error says about the way to a peer. */
struct engine_path {
	struct address dst; /* of the SA */
	uint32_t mtu; /* of whole packets; it may be too small to be believed */
};
/*
 * An error in clear about a packet that leaves by an SA: too long it is said to have been. Any thread
 * that reads the view. False: it is none, or its own packet gives it the lie.
 */
bool engine_path_told(const struct engine_view *view, const struct packet *pkt,
	const struct packet_view *error, struct engine_path *ret_path);
/*
 * Inbound policy for a packet that came in clear: VERDICT_IN_CLEAR, SPD_GOT_CLEAR or SPD_EXPLICIT.
 * The same decision that steering compiles into the kernel; tests hold one against the other.
 */
enum verdict engine_check_clear(const struct engine_view *view, const struct flow *flow);

/* What an outbound packet would leave by. Entries as those of a look-up in the SAD. */
struct engine_choice {
	const struct rule *rule; /* that protects it; of the view */
	size_t alternative; /* that SAs serve, from 1; 0: none, and one is missing */
	struct sad_entry *esp, *ah;
	enum sa_proto missing;
	struct address src, dst; /* ends of the protected packet */
};
/*
 * The decision for a packet that nobody sends: nothing is counted, cached or claimed. Control thread,
 * and any that may read the view. Return: 0; -ENOENT: no rule protects it.
 */
int engine_choose(const struct engine_view *view, const struct spd_query *asked,
	struct engine_choice *ret_choice) MUST_CHECK;
/* The same when @rule decided, one of a policy that is not in force; NULL: as above. */
int engine_choose_by(const struct engine_view *view, const struct spd_query *asked,
	const struct rule *rule, struct engine_choice *ret_choice) MUST_CHECK;

/* An inbound packet, the rule that decides for it, and SAs that may have been around it, or NULL. */
struct engine_arrival {
	const struct spd_query *asked;
	const struct rule *rule;
	struct sad_entry *esp, *ah;
};
/* Is this an SA of the ends between which the packet came? Control thread, as all here. */
bool engine_could_bring(const struct engine_view *view, const struct spd_query *asked,
	const struct sad_entry *entry);
/* Would it be taken? The same checks as for one that comes. *ret_alternative counts from 1; 0: none. */
enum verdict engine_would_take(const struct engine_view *view, const struct engine_arrival *arrival,
	size_t *ret_alternative);

#endif
