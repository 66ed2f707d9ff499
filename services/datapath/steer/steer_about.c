/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "services/datapath/steer/steer_about.h"

#include <netinet/in.h>
#include <string.h>

#include "common/marks.h"
#include "services/datapath/steer/nft_set.h"

#define UPPER_LEN      8U /* octets of a transport header that every error brings (RFC 792) */
#define ENCLOSED_AT    8U /* behind the header of the error */
#define IPV4_PLAIN     0x45 /* no options: the transport header is where we look for it */
#define IPV4_OFFSET    0x1fff
#define IPV6_OFFSET    0xfff8
#define ICMPV6_TOO_BIG 2
#define IKE_PORT       500
#define NATT_PORT      4500

/* Where things stand in an enclosed packet, counted from the error's own header. */
struct shape {
	const char *suffix;
	int family;
	uint32_t protocol_at, src_at, dst_at, upper_at;
};

static const struct shape ipv4 = { "4", AF_INET, 17, 20, 24, 28 };
static const struct shape ipv6 = { "6", AF_INET6, 14, 16, 32, 48 };
static const struct shape ipv6_fragment = { "f", AF_INET6, 48, 16, 32, 56 };

/* One direction's lines on their way into chains that look inside. */
struct looking {
	struct loading *loading;
	const struct side *side;
	const struct steer_frame *frame;
	const struct shape *shape;
	const char *unreadable; /* where what nobody can judge goes; NULL: accept */
	char lines[STEER_NAME_MAX]; /* where what can be judged goes */
};

static int name_of(char ret_name[static STEER_NAME_MAX], const struct side *side, const char *part,
	const struct shape *shape)
{
	return text_fixed(ret_name, STEER_NAME_MAX, "%s-%s%s", side->chain, part, shape->suffix);
}

static uint32_t local_at(const struct looking *looking)
{
	/* An error that we send is about what we received, and the other way round. */
	return looking->side->outbound ? looking->shape->dst_at : looking->shape->src_at;
}

static uint32_t remote_at(const struct looking *looking)
{
	return looking->side->outbound ? looking->shape->src_at : looking->shape->dst_at;
}

static uint8_t icmp_of(const struct shape *shape)
{
	return shape->family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6;
}

static void match_protocol(struct nft_batch *batch, const struct shape *shape, uint8_t protocol)
{
	nft_match_octet(batch, shape->protocol_at, protocol, protocol);
}

static void match_line(
	struct nft_batch *batch, const struct shape *shape, const struct steer_line *line)
{
	if (line->src.addr.family != AF_UNSPEC)
		nft_match_enclosed_prefix(batch, shape->dst_at, &line->src);
	if (line->dst.addr.family != AF_UNSPEC)
		nft_match_enclosed_prefix(batch, shape->src_at, &line->dst);
	if (line->protocol)
		match_protocol(batch, shape, line->protocol);
	if (line->sport)
		nft_match_ports(batch, shape->upper_at + 2, line->sport,
			steer_port_last(line->sport, line->sport_last));
	if (line->dport)
		nft_match_ports(batch, shape->upper_at, line->dport,
			steer_port_last(line->dport, line->dport_last));
	if (line->has_type)
		nft_match_octet(batch, shape->upper_at, line->type_low, line->type_high);
	if (line->has_code)
		nft_match_octet(batch, shape->upper_at + 1, line->code_low, line->code_high);
}

static int add_list(const struct looking *looking, const char *chain)
{
	const struct side *side = looking->side;
	struct nft_batch *batch = looking->loading->batch;
	int r = 0;

	for (size_t i = side->plan->list_from; i < side->lines->count && r == 0; i++) {
		const struct steer_line *line = &side->lines->lines[i];
		const char *counter, *target = steer_side_target(side, i);
		char name[STEER_COUNTER_MAX];

		if (line->family != AF_UNSPEC && line->family != looking->shape->family)
			continue;
		nft_rule_begin(batch, chain);
		match_line(batch, looking->shape, line);
		counter = steer_side_counter(looking->loading, side, i, name);
		if (counter)
			nft_count(batch, counter);
		if (target)
			nft_goto(batch, target);
		else
			nft_accept(batch);
		nft_rule_end(batch);
		r = loading_commit_when_full(looking->loading);
	}
	return r;
}

static void add_address(struct nft_batch *batch, struct nft_key *key, const struct shape *shape,
	uint32_t at, uint8_t bits)
{
	uint32_t len = (uint32_t)address_len(shape->family);
	uint8_t mask[16];

	if (bits == 0)
		return;
	nft_key_transport(batch, key, at, len, steer_rules_mask(bits, len, mask));
}

/* Where a layer looks at the transport header: are there ICMP types among its keys, or ports? */
static bool has_keys(const struct side *side, const struct steer_layer *layer, bool icmp)
{
	const uint32_t *lines = side->plan->lines + layer->lines_at;
	bool has = !steer_layer_has_th(layer);

	for (size_t i = 0; i < layer->count && !has; i++) {
		const struct steer_line *line = &side->lines->lines[lines[i]];

		has = (line->has_type || line->has_code) == icmp;
	}
	return has;
}

/* The key of a layer from the packet inside. @icmp: its types stand where ports would. */
static void add_layer(const struct looking *looking, const char *chain, size_t number, bool icmp)
{
	const struct steer_layer *layer = &looking->side->plan->layers[number];
	const struct shape *shape = looking->shape;
	struct nft_batch *batch = looking->loading->batch;
	struct nft_key key = { 0 };
	char map[STEER_NAME_MAX];
	bool sound = true;

	steer_side_name_part(map, looking->side->chain, number);
	nft_rule_begin(batch, chain);
	if (layer->has_protocol)
		nft_key_transport(batch, &key, shape->protocol_at, 1, NULL);
	if (steer_layer_has_th(layer) && icmp)
		nft_key_transport(batch, &key, shape->upper_at, STEER_TH_LEN, layer->th_mask);
	else if (steer_layer_has_th(layer))
		sound = nft_key_ports_swapped(batch, &key, shape->upper_at, layer->th_mask);
	if (sound) {
		add_address(batch, &key, shape, local_at(looking), layer->local_bits);
		add_address(batch, &key, shape, remote_at(looking), layer->remote_bits);
		if (key.len == 0)
			nft_key_family(batch, &key);
		nft_decide(batch, map);
	} else if (looking->unreadable) {
		nft_goto(batch, looking->unreadable);
	}
	nft_rule_end(batch);
}

static int add_judgement(
	const struct looking *looking, const char *chain, bool icmp, const char *then)
{
	const struct steer_plan *plan = looking->side->plan;
	int r;

	for (size_t i = 0; i < plan->n_layers; i++)
		if (plan->layers[i].family == looking->shape->family &&
			has_keys(looking->side, &plan->layers[i], icmp))
			add_layer(looking, chain, i, icmp);
	r = add_list(looking, chain);
	if (then)
		steer_rules_jump(looking->loading->batch, chain, then);
	return r;
}

/* All lines of a side for one shape. @then: where to go behind them, NULL: back. */
static int add_lines(struct looking *looking, const char *then)
{
	struct nft_batch *batch = looking->loading->batch;
	char icmp[STEER_NAME_MAX];
	int r = name_of(looking->lines, looking->side, "a", looking->shape);

	if (r == 0 && looking->side->plan->n_layers) {
		r = name_of(icmp, looking->side, "i", looking->shape);
		if (r == 0) {
			nft_chain_add(batch, icmp);
			r = add_judgement(looking, icmp, true, then);
		}
	}
	if (r < 0)
		return r;
	nft_chain_add(batch, looking->lines);
	if (looking->side->plan->n_layers) {
		nft_rule_begin(batch, looking->lines);
		match_protocol(batch, looking->shape, icmp_of(looking->shape));
		nft_goto(batch, icmp);
		nft_rule_end(batch);
	}
	return add_judgement(looking, looking->lines, false, then);
}

/* ---- what is judged at all ---- */

static void lead(const struct looking *looking, const char *chain)
{
	if (chain)
		nft_goto(looking->loading->batch, chain);
	else
		nft_accept(looking->loading->batch);
	nft_rule_end(looking->loading->batch);
}

/* Errors about what we made of packets ourselves are for the engine, which believes few of them. */
static void accept_sealed(const struct looking *looking, const char *chain)
{
	const struct shape *shape = looking->shape;
	struct nft_batch *batch = looking->loading->batch;

	nft_rule_begin(batch, chain);
	match_protocol(batch, shape, IPPROTO_ESP);
	lead(looking, NULL);
	nft_rule_begin(batch, chain);
	match_protocol(batch, shape, IPPROTO_AH);
	if (shape->family == AF_INET) {
		lead(looking, NULL);
		return;
	}
	/* In IPv6 the kernel looks behind AH, for the program whose packet that was. */
	nft_match_octet(batch, shape->upper_at, IPPROTO_ESP, IPPROTO_ESP);
	lead(looking, NULL);
	nft_rule_begin(batch, chain);
	match_protocol(batch, shape, IPPROTO_AH);
	nft_match_octet(batch, 0, ICMPV6_TOO_BIG, ICMPV6_TOO_BIG);
	lead(looking, NULL);
}

/*
 * So are those about key exchange, and about ESP in UDP. One that we send ourselves quotes what may have
 * come protected, and nobody listened to it: policy decides about that.
 */
static void accept_keying(const struct looking *looking, const char *chain)
{
	const struct shape *shape = looking->shape;
	struct nft_batch *batch = looking->loading->batch;
	uint32_t port_at = shape->upper_at; /* of the source: what we sent */

	if (looking->side->outbound)
		return;
	nft_rule_begin(batch, chain);
	match_protocol(batch, shape, IPPROTO_UDP);
	nft_match_ports(batch, port_at, IKE_PORT, IKE_PORT);
	lead(looking, NULL);
	if (looking->frame->no_sockets)
		return;
	nft_rule_begin(batch, chain);
	match_protocol(batch, shape, IPPROTO_UDP);
	nft_match_ports(batch, port_at, NATT_PORT, NATT_PORT);
	nft_match_socket_mark(batch, MARK_BYPASS, MARK_BYPASS);
	lead(looking, NULL);
}

/* Plain IP in IP between the ends of a tunnel is no business of host policy. */
static void accept_tunnels(const struct looking *looking, const char *chain)
{
	static const uint8_t protocols[] = { IPPROTO_IPIP, IPPROTO_IPV6 };
	const struct tunnel_table *tunnels = looking->frame->tunnels;
	struct nft_batch *batch = looking->loading->batch;

	for (size_t i = 0; tunnels && i < tunnels->count; i++) {
		const struct tunnel *tunnel = &tunnels->tunnels[i];
		struct prefix local = prefix_host(&tunnel->src), remote = prefix_host(&tunnel->dst);

		for (size_t k = 0; k < ARRAY_SIZE(protocols); k++) {
			if (tunnel->src.family != looking->shape->family)
				continue;
			nft_rule_begin(batch, chain);
			nft_match_enclosed_prefix(batch, local_at(looking), &local);
			nft_match_enclosed_prefix(batch, remote_at(looking), &remote);
			match_protocol(batch, looking->shape, protocols[k]);
			lead(looking, NULL);
		}
	}
}

/* Does the error bring all that a line may ask for? */
static void sort_by_length(const struct looking *looking, const char *chain)
{
	const uint8_t asked[] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP, icmp_of(looking->shape) };
	struct nft_batch *batch = looking->loading->batch;

	nft_rule_begin(batch, chain);
	nft_match_reaches(batch, looking->shape->upper_at + UPPER_LEN - 1);
	lead(looking, looking->lines);
	for (size_t i = 0; i < sizeof(asked); i++) {
		nft_rule_begin(batch, chain);
		match_protocol(batch, looking->shape, asked[i]);
		lead(looking, looking->unreadable);
	}
	nft_rule_begin(batch, chain);
	nft_match_reaches(batch, looking->shape->upper_at - 1);
	lead(looking, looking->lines);
	nft_rule_begin(batch, chain);
	lead(looking, looking->unreadable);
}

static void refuse_ipv4(const struct looking *looking, const char *chain)
{
	struct nft_batch *batch = looking->loading->batch;

	nft_rule_begin(batch, chain);
	nft_match_octet(batch, ENCLOSED_AT, IPV4_PLAIN + 1, UINT8_MAX);
	lead(looking, looking->unreadable);
	nft_rule_begin(batch, chain);
	nft_match_octet(batch, ENCLOSED_AT, 0, IPV4_PLAIN - 1);
	lead(looking, looking->unreadable);
	nft_rule_begin(batch, chain);
	nft_match_bits(batch, ENCLOSED_AT + 6, IPV4_OFFSET);
	lead(looking, looking->unreadable);
}

/* Behind other headers the transport header is somewhere else. */
static void refuse_ipv6(const struct looking *looking, const char *chain)
{
	static const uint8_t headers[] = { IPPROTO_HOPOPTS, IPPROTO_ROUTING, IPPROTO_AH,
		IPPROTO_DSTOPTS, IPPROTO_FRAGMENT };
	struct nft_batch *batch = looking->loading->batch;

	for (size_t i = 0; i < sizeof(headers); i++) {
		nft_rule_begin(batch, chain);
		match_protocol(batch, looking->shape, headers[i]);
		lead(looking, looking->unreadable);
	}
}

static void add_ipv4(const struct looking *looking, const char *chain)
{
	nft_chain_add(looking->loading->batch, chain);
	accept_sealed(looking, chain);
	refuse_ipv4(looking, chain);
	accept_keying(looking, chain);
	accept_tunnels(looking, chain);
	sort_by_length(looking, chain);
}

static void add_ipv6(const struct looking *looking, const char *chain, const char *fragments)
{
	struct nft_batch *batch = looking->loading->batch;

	nft_chain_add(batch, chain);
	accept_sealed(looking, chain);
	accept_keying(looking, chain);
	accept_tunnels(looking, chain);
	nft_rule_begin(batch, chain);
	match_protocol(batch, looking->shape, IPPROTO_FRAGMENT);
	lead(looking, fragments);
	refuse_ipv6(looking, chain);
	sort_by_length(looking, chain);
}

static void add_fragments(const struct looking *looking, const char *chain)
{
	nft_chain_add(looking->loading->batch, chain);
	accept_sealed(looking, chain);
	nft_rule_begin(looking->loading->batch, chain);
	nft_match_bits(looking->loading->batch, ipv6.upper_at + 2, IPV6_OFFSET);
	lead(looking, looking->unreadable);
	accept_keying(looking, chain);
	refuse_ipv6(looking, chain);
	sort_by_length(looking, chain);
}

/* Is there a line for this family that does anything but let packets through? */
static bool restricts(const struct steer_lines *lines, int family)
{
	for (size_t i = 0; i < lines->count; i++) {
		const struct steer_line *line = &lines->lines[i];

		if (line->verdict != STEER_ACCEPT &&
			(line->family == AF_UNSPEC || line->family == family))
			return true;
	}
	return false;
}

static int look(struct looking *looking, const struct steer_side *audit)
{
	const struct side *side = looking->side;
	char then[STEER_NAME_MAX], chain[STEER_NAME_MAX];
	int r = 0;

	looking->unreadable = NULL;
	if (restricts(side->lines, looking->shape->family))
		looking->unreadable = side->outbound ? steer_rules_target(STEER_PROTECT)
						     : STEER_CHAIN_UNREADABLE;
	if (audit->lines.count) {
		struct side behind = *side;

		behind.lines = &audit->lines;
		behind.plan = audit->plan;
		behind.chain = chain;
		r = text_fixed(chain, sizeof(chain), "%s-audit", side->chain);
		looking->side = &behind;
		if (r == 0)
			r = add_lines(looking, NULL);
		if (r == 0)
			r = text_copy(then, sizeof(then), looking->lines);
		looking->side = side;
	}
	return r < 0 ? r : add_lines(looking, audit->lines.count ? then : NULL);
}

static int add_head(
	const struct looking *looking, const char *fragments, char ret_chain[static STEER_NAME_MAX])
{
	int r = name_of(ret_chain, looking->side, "e", looking->shape);

	if (r < 0)
		return r;
	if (looking->shape == &ipv4)
		add_ipv4(looking, ret_chain);
	else if (looking->shape == &ipv6)
		add_ipv6(looking, ret_chain, fragments);
	else
		add_fragments(looking, ret_chain);
	return 0;
}

int steer_about_add(struct loading *loading, const struct side *side,
	const struct steer_side *audit, const struct steer_frame *frame)
{
	/* Fragments first: where the errors about IPv6 packets go leads to them. */
	static const struct shape *const shapes[] = { &ipv6_fragment, &ipv6, &ipv4 };
	struct looking looking = { .loading = loading, .side = side, .frame = frame };
	const char *chain = side->outbound ? frame->errors_out_chain : frame->errors_in_chain;
	char heads[ARRAY_SIZE(shapes)][STEER_NAME_MAX];
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(shapes) && r == 0; i++) {
		looking.shape = shapes[i];
		r = look(&looking, audit);
		if (r == 0)
			r = add_head(&looking, heads[0], heads[i]);
	}
	if (r < 0)
		return r;
	nft_chain_add(loading->batch, chain);
	for (size_t i = 1; i < ARRAY_SIZE(shapes); i++) {
		nft_rule_begin(loading->batch, chain);
		nft_match_family(loading->batch, shapes[i]->family);
		nft_goto(loading->batch, heads[i]);
		nft_rule_end(loading->batch);
	}
	return loading_commit_when_full(loading);
}
