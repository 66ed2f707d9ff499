/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A policy of the Linux numbering as a rule. It names no algorithms: whoever negotiates keys chooses
 * them, so the rule has an alternative for each algorithm that there is.
 */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "services/datapath/pfkey/pfkey_linux.h"

/* What all requests of a policy come to. */
struct wish {
	bool esp, ah;
	bool may_be_clear; /* level "use" */
	uint32_t reqid;
	const struct pfkey_request *tunnel; /* NULL: transport mode */
};

static int read_request(
	const struct pfkey_policy *policy, const struct pfkey_request *request, struct wish *wish)
{
	if (request->proto == IPPROTO_ESP && !wish->esp)
		wish->esp = true;
	else if (request->proto == IPPROTO_AH && !wish->ah)
		wish->ah = true;
	else
		return request->proto == IPPROTO_COMP ? -EOPNOTSUPP : -EINVAL;
	if (request->mode > PFKEY_LINUX_MODE_TUNNEL || request->level > PFKEY_LINUX_LEVEL_UNIQUE)
		return -EINVAL;
	if (request->mode == PFKEY_LINUX_MODE_TUNNEL) {
		if (wish->tunnel || request->src.family == AF_UNSPEC)
			return -EINVAL;
		wish->tunnel = request;
	}
	if (request->level == PFKEY_LINUX_LEVEL_USE) {
		/* A way out in clear for what is sent is none that we offer. */
		if (policy->direction == PFKEY_LINUX_DIR_OUT)
			return -EOPNOTSUPP;
		wish->may_be_clear = true;
	}
	if (request->level == PFKEY_LINUX_LEVEL_UNIQUE && request->reqid != 0) {
		if (wish->reqid != 0 && wish->reqid != request->reqid)
			return -EOPNOTSUPP;
		wish->reqid = request->reqid;
	}
	return 0;
}

static int read_requests(const struct pfkey_policy *policy, struct wish *wish)
{
	int r = 0;

	for (size_t i = 0; i < policy->n_requests && r == 0; i++)
		r = read_request(policy, &policy->requests[i], wish);
	/* One inside the other of two modes would be two tunnels for one policy. */
	if (r == 0 && wish->tunnel && policy->n_requests > 1)
		r = -EOPNOTSUPP;
	return r;
}

static int take_ports(const struct pfkey_policy *policy, bool out, struct selector *selector)
{
	uint16_t src = policy->src_port, dst = policy->dst_port;

	if (src == 0 && dst == 0)
		return 0;
	if (protocol_has_ports(policy->protocol)) {
		selector->local_port = out ? src : dst;
		selector->remote_port = out ? dst : src;
		return 0;
	}
	if (!protocol_is_icmp(policy->protocol, selector->family) || src > UINT8_MAX ||
		dst > UINT8_MAX)
		return -EINVAL;
	/* Linux writes the type where the source's port stands, and the code where the other does. */
	selector->has_icmp_type = src != 0;
	selector->icmp_type_low = selector->icmp_type_high = (uint8_t)src;
	selector->has_icmp_code = src != 0 && dst != 0;
	selector->icmp_code_low = selector->icmp_code_high = (uint8_t)dst;
	return selector->has_icmp_type ? 0 : -EINVAL;
}

static void take_prefix(const struct prefix *from, struct prefix *to)
{
	if (from->bits > 0)
		*to = *from;
}

static int take_selector(const struct pfkey_policy *policy, struct rule *rule)
{
	bool out = policy->direction == PFKEY_LINUX_DIR_OUT;
	struct selector *selector = &rule->selector;

	rule->directions = out ? DIRECTION_BIT_OUT : DIRECTION_BIT_IN;
	selector->family = (uint8_t)policy->src.addr.family;
	selector->protocol = policy->protocol;
	take_prefix(&policy->src, out ? &selector->local : &selector->remote);
	take_prefix(&policy->dst, out ? &selector->remote : &selector->local);
	return take_ports(policy, out, selector);
}

static bool is_just(const struct prefix *prefix, const struct address *addr)
{
	return prefix_is_host(prefix) && address_equal(&prefix->addr, addr);
}

/*
 * Tunnel mode needs a tunnel here, which the administrator has made. Between the very ends of the
 * packets it needs none: host policy takes such SAs.
 */
static int take_tunnel(const struct pfkey_door *door, const struct pfkey_policy *policy,
	const struct pfkey_request *request, struct rule *rule)
{
	const struct pfkey_door_policy *ops = &door->policies->ops;
	bool out = policy->direction == PFKEY_LINUX_DIR_OUT;

	if (is_just(&policy->src, &request->src) && is_just(&policy->dst, &request->dst))
		return 0;
	if (!ops->find_tunnel(out ? &request->src : &request->dst,
		    out ? &request->dst : &request->src, rule->tunnel, ops->userdata))
		return -EOPNOTSUPP;
	rule->negotiate = TUNNEL_TUNNEL;
	return 0;
}

static struct alg_need need_of(const struct pfkey_algorithm *row)
{
	return (struct alg_need){
		.number = row->number, .min_bits = row->min_bits, .max_bits = row->max_bits
	};
}

struct rows {
	struct pfkey_algorithm ah[PFKEY_MAX_ALGORITHMS], esp[PFKEY_MAX_ALGORITHMS];
	size_t n_ah, n_esp;
};

static unsigned int suspicion(const struct pfkey_algorithm *row, uint8_t alg_proto)
{
	if (alg_proto == ALG_PROTO_ESP && row->number == ALG_ENCR_NULL)
		return 2;
	return alg_is_weak(alg_proto, row->number) ? 1 : 0;
}

/* The first alternative that has an SA is taken, so the good ones stand in front. */
static size_t rows_of(const struct sadb *sadb, enum sa_proto proto, uint8_t alg_proto,
	struct pfkey_algorithm rows[static PFKEY_MAX_ALGORITHMS])
{
	size_t n = sadb_supported(sadb, proto, alg_proto, rows);

	for (size_t i = 1; i < n; i++)
		for (size_t j = i; j > 0 && suspicion(&rows[j], alg_proto) <
						    suspicion(&rows[j - 1], alg_proto);
			j--) {
			struct pfkey_algorithm row = rows[j];

			rows[j] = rows[j - 1];
			rows[j - 1] = row;
		}
	return n;
}

/* Every cipher, or every sum of AH, or each with each. Integrity of ESP is its SA's business. */
static void fill_actions(const struct wish *wish, const struct rows *rows, struct rule *rule)
{
	size_t n_esp = wish->esp ? rows->n_esp : 1, n_ah = wish->ah ? rows->n_ah : 1, n = 0;

	for (size_t i = 0; i < n_esp; i++)
		for (size_t j = 0; j < n_ah; j++) {
			struct action *action = &rule->actions[n++];

			action->kind = ACTION_PROTECT;
			action->reqid = wish->reqid;
			action->has_esp = wish->esp;
			action->has_ah = wish->ah;
			if (wish->esp)
				action->esp = need_of(&rows->esp[i]);
			if (wish->ah)
				action->ah = need_of(&rows->ah[j]);
		}
	if (wish->may_be_clear)
		rule->actions[n].kind = ACTION_BYPASS;
}

static int make_protecting(
	const struct pfkey_door *door, const struct wish *wish, struct rule **ret_rule)
{
	struct rows rows = { 0 };
	size_t n;

	if (wish->esp)
		rows.n_esp = rows_of(door->sadb, SA_PROTO_ESP, ALG_PROTO_ESP, rows.esp);
	if (wish->ah)
		rows.n_ah = rows_of(door->sadb, SA_PROTO_AH, ALG_PROTO_AH, rows.ah);
	n = (wish->esp ? rows.n_esp : 1) * (wish->ah ? rows.n_ah : 1);
	if (n == 0)
		return -EOPNOTSUPP;
	n += wish->may_be_clear;
	if (n > RULE_MAX_ACTIONS)
		return -E2BIG;
	*ret_rule = rule_new(n);
	if (!*ret_rule)
		return -ENOMEM;
	fill_actions(wish, &rows, *ret_rule);
	return 0;
}

static int make_plain(enum action_kind kind, struct rule **ret_rule)
{
	*ret_rule = rule_new(1);
	if (!*ret_rule)
		return -ENOMEM;
	(*ret_rule)->actions[0].kind = kind;
	return 0;
}

static int make(const struct pfkey_door *door, const struct pfkey_policy *policy,
	const struct wish *wish, struct rule **ret_rule)
{
	switch (policy->type) {
	case PFKEY_LINUX_POLICY_DISCARD:
		return make_plain(ACTION_DISCARD, ret_rule);
	case PFKEY_LINUX_POLICY_NONE:
		return make_plain(ACTION_BYPASS, ret_rule);
	case PFKEY_LINUX_POLICY_IPSEC:
		return policy->n_requests > 0 ? make_protecting(door, wish, ret_rule)
					      : make_plain(ACTION_BYPASS, ret_rule);
	default: /* those are for single sockets */
		return -EINVAL;
	}
}

int pfkey_linux_rule(
	const struct pfkey_door *door, const struct pfkey_policy *policy, struct rule **ret_rule)
{
	CLEANUP(rule_freep) struct rule *rule = NULL;
	struct wish wish = { 0 };
	int r;

	if (policy->direction < PFKEY_LINUX_DIR_IN || policy->direction > PFKEY_LINUX_DIR_FWD)
		return -EINVAL;
	r = read_requests(policy, &wish);
	if (r == 0)
		r = make(door, policy, &wish, &rule);
	if (r == 0)
		r = take_selector(policy, rule);
	if (r == 0 && wish.tunnel)
		r = take_tunnel(door, policy, wish.tunnel, rule);
	if (r < 0)
		return r;
	rule->line = policy->id;
	/* What comes out of a tunnel is judged once, whoever it is for. */
	*ret_rule = policy->direction == PFKEY_LINUX_DIR_FWD ? NULL : STEAL(rule);
	return 0;
}
