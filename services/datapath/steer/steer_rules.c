/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/steer/steer_rules.h"

#include <linux/netfilter.h>
#include <netinet/in.h>

#include "common/marks.h"
#include "services/datapath/steer/nft_set.h"
#include "services/datapath/steer/steer_exempt.h"
#include "services/datapath/steer/steer_group.h"

#define IKE_PORT       500
#define NATT_PORT      4500
#define OPTION_LSRR    131
#define OPTION_SSRR    137
#define PORT_SOURCE_AT 0
#define PORT_DEST_AT   2
#define ICMP_TYPE_AT   0
#define ICMP_CODE_AT   1
#define LOGS_A_SECOND  100 /* more than the log takes */

/* "ipsec", "out" and "in" are words of the nft language, so the chains are called otherwise. */
static const struct nft_hook hooks[] = {
	{ "divert", "route", NF_INET_LOCAL_OUT, -150 },
	{ "admit", "filter", NF_INET_LOCAL_IN, -150 },
	{ "arrive", "filter", NF_INET_PRE_ROUTING, -300 },
	{ "guard", "filter", NF_INET_POST_ROUTING, 300 },
	{ "about", "filter", NF_INET_LOCAL_IN, -151 },
};
#define DIVERT hooks[0].chain
#define ADMIT  hooks[1].chain
#define ARRIVE hooks[2].chain
#define GUARD  hooks[3].chain
#define ABOUT  hooks[4].chain

static void accept_interface(struct nft_batch *batch, const char *chain, bool in, const char *name)
{
	nft_rule_begin(batch, chain);
	nft_match_interface(batch, in, name, NFT_IS);
	nft_accept(batch);
	nft_rule_end(batch);
}

/* Neighbour and router discovery, redirect, multicast listeners: without them no SA could be made. */
static void accept_discovery(struct nft_batch *batch, const char *chain)
{
	static const uint8_t types[][2] = { { 130, 132 }, { 133, 137 }, { 143, 143 } };

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		nft_rule_begin(batch, chain);
		nft_match_family(batch, AF_INET6);
		nft_match_protocol(batch, IPPROTO_ICMPV6);
		nft_match_octet(batch, ICMP_TYPE_AT, types[i][0], types[i][1]);
		nft_accept(batch);
		nft_rule_end(batch);
	}
}

static void accept_protocol(struct nft_batch *batch, const char *chain, uint8_t protocol)
{
	nft_rule_begin(batch, chain);
	nft_match_protocol(batch, protocol);
	nft_accept(batch);
	nft_rule_end(batch);
}

/* A mark alone is no proof: containers' root may set one, so the sender's user counts too. */
static void accept_bypass(struct nft_batch *batch, uid_t uid)
{
	nft_rule_begin(batch, DIVERT);
	nft_match_mark(batch, MARK_BYPASS, MARK_BYPASS);
	nft_match_uid(batch, uid);
	nft_accept(batch);
	nft_rule_end(batch);
}

/* Clear is what has the local port 500; a remote port anybody could name. */
static void accept_ike_out(struct nft_batch *batch, uid_t uid)
{
	nft_rule_begin(batch, DIVERT);
	nft_match_protocol(batch, IPPROTO_UDP);
	nft_match_ports(batch, PORT_SOURCE_AT, IKE_PORT, IKE_PORT);
	nft_match_uid(batch, uid);
	nft_accept(batch);
	nft_rule_end(batch);
}

static void protect(struct nft_batch *batch)
{
	nft_set_mark(batch, MARK_PROTECT, MARK_PROTECT);
	nft_accept(batch);
}

/* A source route hides the final destination from the lines below: the engine looks inside. */
static void divert_source_routed(struct nft_batch *batch)
{
	static const uint8_t options[] = { OPTION_LSRR, OPTION_SSRR };

	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		nft_rule_begin(batch, DIVERT);
		nft_match_ipv4_option(batch, options[i]);
		protect(batch);
		nft_rule_end(batch);
	}
	nft_rule_begin(batch, DIVERT);
	nft_match_ipv6_header(batch, IPPROTO_ROUTING);
	protect(batch);
	nft_rule_end(batch);
}

static void jump(struct nft_batch *batch, const char *from, const char *to)
{
	nft_rule_begin(batch, from);
	nft_jump(batch, to);
	nft_rule_end(batch);
}

/* What does not leave the machine never comes to the engine. */
static void judge_intra(struct nft_batch *batch, const char *from, bool in, const char *chain)
{
	if (!chain) {
		accept_interface(batch, from, in, "lo");
		return;
	}
	nft_rule_begin(batch, from);
	nft_match_interface(batch, in, "lo", NFT_IS);
	nft_goto(batch, chain);
	nft_rule_end(batch);
}

void steer_rules_match_errors(struct nft_batch *batch, size_t kind)
{
	static const struct {
		int family;
		uint8_t protocol, low, high;
	} kinds[STEER_ERROR_KINDS] = {
		{ AF_INET, IPPROTO_ICMP, 3, 4 },
		{ AF_INET, IPPROTO_ICMP, 11, 12 },
		{ AF_INET6, IPPROTO_ICMPV6, 0, 127 },
	};

	nft_match_protocol(batch, kinds[kind].protocol);
	nft_match_family(batch, kinds[kind].family);
	nft_match_octet(batch, ICMP_TYPE_AT, kinds[kind].low, kinds[kind].high);
}

static void judge_errors(struct nft_batch *batch, const char *from, const char *chain)
{
	for (size_t i = 0; chain && i < STEER_ERROR_KINDS; i++) {
		nft_rule_begin(batch, from);
		steer_rules_match_errors(batch, i);
		nft_goto(batch, chain);
		nft_rule_end(batch);
	}
}

static void add_divert(struct nft_batch *batch, const struct steer_frame *frame)
{
	const struct steer_options *options = frame->options;

	for (size_t i = 0; i < options->n_uids; i++)
		accept_bypass(batch, options->uids[i]);
	for (size_t i = 0; frame->tunnels && i < frame->tunnels->count; i++)
		accept_interface(batch, DIVERT, false, frame->tunnels->tunnels[i].name);
	accept_discovery(batch, DIVERT);
	for (size_t i = 0; i < options->n_uids; i++)
		accept_ike_out(batch, options->uids[i]);
	judge_intra(batch, DIVERT, false, frame->intra_out_chain);
	jump(batch, DIVERT, STEER_EXEMPT_OUT);
	judge_errors(batch, DIVERT, frame->errors_out_chain);
	if (frame->diverts)
		divert_source_routed(batch);
	jump(batch, DIVERT, frame->out_chain);
}

/* Plain IP in IP between the ends of a tunnel is the engine's to judge. */
static void accept_tunnel(struct nft_batch *batch, const struct tunnel *tunnel)
{
	static const uint8_t protocols[] = { IPPROTO_IPIP, IPPROTO_IPV6 };
	struct prefix src = prefix_host(&tunnel->dst), dst = prefix_host(&tunnel->src);

	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++) {
		nft_rule_begin(batch, ADMIT);
		nft_match_family(batch, tunnel->src.family);
		nft_match_prefix(batch, true, &src);
		nft_match_prefix(batch, false, &dst);
		nft_match_protocol(batch, protocols[i]);
		nft_accept(batch);
		nft_rule_end(batch);
	}
}

/* Not to whoever has the port: to the socket that was marked by somebody who may. */
static void accept_natt_in(struct nft_batch *batch)
{
	nft_rule_begin(batch, ADMIT);
	nft_match_protocol(batch, IPPROTO_UDP);
	nft_match_ports(batch, PORT_DEST_AT, NATT_PORT, NATT_PORT);
	nft_match_socket_mark(batch, MARK_BYPASS, MARK_BYPASS);
	nft_accept(batch);
	nft_rule_end(batch);
	/* IPv6 comes here before it is whole: without its first fragment none of it is delivered. */
	nft_rule_begin(batch, ADMIT);
	nft_match_protocol(batch, IPPROTO_UDP);
	nft_match_ipv6_later_fragment(batch);
	nft_accept(batch);
	nft_rule_end(batch);
}

static void accept_opened(
	struct nft_batch *batch, const char *chain, const struct steer_frame *frame)
{
	nft_rule_begin(batch, chain);
	nft_match_interface(batch, true, frame->options->interface, NFT_IS);
	nft_match_mark(batch, MARK_DECRYPTED, MARK_DECRYPTED);
	nft_accept(batch);
	nft_rule_end(batch);
}

/* Of two checks the one by what errors are about; a packet has to pass both chains. */
static void add_about(struct nft_batch *batch, const struct steer_frame *frame)
{
	accept_opened(batch, ABOUT, frame);
	accept_interface(batch, ABOUT, true, "lo");
	/* IPv6 is not whole yet: what a later fragment begins with is no type. The first one has it. */
	nft_rule_begin(batch, ABOUT);
	nft_match_ipv6_later_fragment(batch);
	nft_accept(batch);
	nft_rule_end(batch);
	judge_errors(batch, ABOUT, frame->errors_in_chain);
}

static void add_admit(struct nft_batch *batch, const struct steer_frame *frame)
{
	accept_opened(batch, ADMIT, frame);
	accept_protocol(batch, ADMIT, IPPROTO_ESP);
	accept_protocol(batch, ADMIT, IPPROTO_AH);
	/* nftables sees no protocol in later fragments of AH, which it takes for an extension header. */
	nft_rule_begin(batch, ADMIT);
	nft_match_ipv6_fragment_of(batch, IPPROTO_AH);
	nft_accept(batch);
	nft_rule_end(batch);
	for (size_t i = 0; frame->tunnels && i < frame->tunnels->count; i++)
		accept_tunnel(batch, &frame->tunnels->tunnels[i]);
	accept_discovery(batch, ADMIT);
	nft_rule_begin(batch, ADMIT);
	nft_match_protocol(batch, IPPROTO_UDP);
	nft_match_ports(batch, PORT_DEST_AT, IKE_PORT, IKE_PORT);
	nft_accept(batch);
	nft_rule_end(batch);
	if (!frame->no_sockets)
		accept_natt_in(batch);
	judge_intra(batch, ADMIT, true, frame->intra_in_chain);
	jump(batch, ADMIT, STEER_EXEMPT_IN);
	jump(batch, ADMIT, frame->in_chain);
}

static void mark_arrival(struct nft_batch *batch, const char *interface, uint32_t mark)
{
	nft_rule_begin(batch, ARRIVE);
	nft_match_interface(batch, true, interface, NFT_IS);
	nft_set_mark(batch, MARK_FLAGS, mark);
	nft_accept(batch);
	nft_rule_end(batch);
}

static void add_arrive(struct nft_batch *batch, const struct steer_frame *frame)
{
	/* The protect mark makes a strict reverse path check look into the table that has the TUN. */
	mark_arrival(batch, frame->options->interface, MARK_PROTECT | MARK_DECRYPTED);
	for (size_t i = 0; frame->tunnels && i < frame->tunnels->count; i++)
		mark_arrival(batch, frame->tunnels->tunnels[i].name, MARK_DECRYPTED);
}

/* A socket bound to a device does not follow the mark: the kernel takes the peer for on-link. */
static void add_guard(struct nft_batch *batch, const struct steer_frame *frame)
{
	steer_group_pass(batch, GUARD);
	nft_rule_begin(batch, GUARD);
	nft_match_mark(batch, MARK_PROTECT, MARK_PROTECT);
	nft_match_interface(batch, false, frame->options->interface, NFT_IS_NOT);
	nft_drop(batch);
	nft_rule_end(batch);
}

void steer_rules_frame(struct nft_batch *batch, const struct steer_frame *frame)
{
	for (size_t i = 0; i < ARRAY_SIZE(hooks); i++) {
		struct nft_hook hook = hooks[i];

		hook.priority += frame->delay;
		nft_hook_add(batch, &hook);
		nft_chain_flush(batch, hooks[i].chain);
	}
	add_divert(batch, frame);
	add_about(batch, frame);
	add_admit(batch, frame);
	add_arrive(batch, frame);
	add_guard(batch, frame);
}

static const char *const targets[] = {
	[STEER_DROP] = STEER_CHAIN_EXPLICIT,
	[STEER_PROTECT] = "protect",
	[STEER_GOT_CLEAR] = STEER_CHAIN_GOT_CLEAR,
};

const char *steer_rules_target(enum steer_verdict verdict)
{
	return (size_t)verdict < ARRAY_SIZE(targets) ? targets[verdict] : NULL;
}

const char *steer_rules_way(enum steer_verdict verdict, bool outbound)
{
	return outbound && verdict == STEER_DROP ? STEER_CHAIN_REFUSED
						 : steer_rules_target(verdict);
}

/* What is dropped there; the chain's name goes with what is told of it. */
static const struct {
	const char *chain, *counter; /* NULL: the lines that lead there count */
} drops[] = {
	{ STEER_CHAIN_EXPLICIT, NULL },
	{ STEER_CHAIN_UNREADABLE, STEER_COUNTER_UNREADABLE },
	{ STEER_CHAIN_GOT_CLEAR, NULL },
	{ STEER_CHAIN_MISMATCH, STEER_COUNTER_MISMATCH },
	{ STEER_CHAIN_GOT_SECURE, STEER_COUNTER_GOT_SECURE },
};

static void add_target(struct nft_batch *batch, const char *chain)
{
	nft_chain_add(batch, chain);
	nft_chain_flush(batch, chain);
}

/*
 * Of errors the lines see the packets inside alone. Those about packets that we only forward are
 * none of policy's business, and the engine can tell.
 */
static void add_refused(struct nft_batch *batch)
{
	add_target(batch, STEER_CHAIN_REFUSED);
	for (size_t i = 0; i < STEER_ERROR_KINDS; i++) {
		nft_rule_begin(batch, STEER_CHAIN_REFUSED);
		steer_rules_match_errors(batch, i);
		nft_goto(batch, targets[STEER_PROTECT]);
		nft_rule_end(batch);
	}
	nft_rule_begin(batch, STEER_CHAIN_REFUSED);
	nft_goto(batch, STEER_CHAIN_EXPLICIT);
	nft_rule_end(batch);
}

void steer_rules_targets(struct nft_batch *batch, uint16_t log_group, bool counted)
{
	add_target(batch, targets[STEER_PROTECT]);
	nft_rule_begin(batch, targets[STEER_PROTECT]);
	protect(batch);
	nft_rule_end(batch);
	for (size_t i = 0; i < ARRAY_SIZE(drops); i++) {
		const char *chain = drops[i].chain, *counter = drops[i].counter;

		add_target(batch, chain);
		if (log_group) {
			nft_rule_begin(batch, chain);
			nft_log(batch, log_group, chain, LOGS_A_SECOND);
			nft_rule_end(batch);
		}
		if (counter && counted)
			nft_counter_add(batch, counter, 0, 0);
		nft_rule_begin(batch, chain);
		if (counter && counted)
			nft_count(batch, counter);
		nft_drop(batch);
		nft_rule_end(batch);
	}
	add_refused(batch);
}

void steer_rules_jump(struct nft_batch *batch, const char *from, const char *to)
{
	jump(batch, from, to);
}

void steer_rules_family(struct nft_batch *batch, const char *chain, int family, const char *part)
{
	nft_rule_begin(batch, chain);
	nft_match_family(batch, family);
	nft_jump(batch, part);
	nft_rule_end(batch);
}

const uint8_t *steer_rules_mask(uint8_t bits, size_t len, uint8_t mask[static 16])
{
	if (bits == len * 8)
		return NULL;
	memset(mask, 0, len);
	memset(mask, 0xff, bits / 8U);
	if (bits % 8)
		mask[bits / 8] = (uint8_t)(0xff00U >> bits % 8);
	return mask;
}

/* An address of the packet, masked to its first bits; nothing when there are none. */
static void add_address(struct nft_batch *batch, struct nft_key *key,
	const struct steer_layer *layer, bool source, uint8_t bits)
{
	static const uint32_t at[2][2] = { { 12, 16 }, { 8, 24 } };
	uint32_t len = (uint32_t)address_len(layer->family);
	uint8_t mask[16];

	if (bits == 0)
		return;
	nft_key_network(batch, key, at[layer->family == AF_INET6][!source], len,
		steer_rules_mask(bits, len, mask));
}

void steer_rules_layer(struct nft_batch *batch, const char *chain, const char *map,
	const struct steer_layer *layer, bool outbound)
{
	static const uint8_t whole[STEER_TH_LEN] = { 0xff, 0xff, 0xff, 0xff };
	struct nft_key key = { 0 };

	nft_rule_begin(batch, chain);
	if (layer->has_protocol)
		nft_key_protocol(batch, &key);
	if (steer_layer_has_th(layer))
		nft_key_transport(batch, &key, 0, STEER_TH_LEN,
			memcmp(layer->th_mask, whole, sizeof(whole)) ? layer->th_mask : NULL);
	add_address(batch, &key, layer, outbound, layer->local_bits);
	add_address(batch, &key, layer, !outbound, layer->remote_bits);
	if (key.len == 0)
		nft_key_family(batch, &key);
	nft_decide(batch, map);
	nft_rule_end(batch);
}

void steer_rules_match(struct nft_batch *batch, const struct steer_line *line)
{
	if (line->family != AF_UNSPEC)
		nft_match_family(batch, line->family);
	if (line->src.addr.family != AF_UNSPEC)
		nft_match_prefix(batch, true, &line->src);
	if (line->dst.addr.family != AF_UNSPEC)
		nft_match_prefix(batch, false, &line->dst);
	if (line->protocol)
		nft_match_protocol(batch, line->protocol);
	if (line->sport)
		nft_match_ports(batch, PORT_SOURCE_AT, line->sport,
			steer_port_last(line->sport, line->sport_last));
	if (line->dport)
		nft_match_ports(batch, PORT_DEST_AT, line->dport,
			steer_port_last(line->dport, line->dport_last));
	if (line->has_type)
		nft_match_octet(batch, ICMP_TYPE_AT, line->type_low, line->type_high);
	if (line->has_code)
		nft_match_octet(batch, ICMP_CODE_AT, line->code_low, line->code_high);
}

void steer_rules_line(struct nft_batch *batch, const char *chain, const struct steer_line *line,
	const char *counter, const char *target)
{
	nft_rule_begin(batch, chain);
	steer_rules_match(batch, line);
	if (counter)
		nft_count(batch, counter);
	if (target)
		nft_goto(batch, target);
	else
		nft_accept(batch);
	nft_rule_end(batch);
}
